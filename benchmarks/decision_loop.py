"""How many evaluations do the strategies need, on problems whose truth is known?

``python benchmarks/decision_loop.py [--problems target,dtlz2] [--methods botorch,optuna-tpe] [--seeds 20]`` runs each
method on each problem through a campaign of its own: the same Sobol start for all methods of one seed, equally many
evaluations, noisy outputs for the method, the noise-free truth for its score. Each finished run is a line of the
results file, so that more seeds, methods or problems resume from there. ``--report PNG`` runs nothing: it prints the
tables (Markdown) and draws the figure of all that the file holds.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from problems import CASES, Array, Case

from mesoforge.optimize.campaign import Campaign, gaussian_process
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.space import Space
from mesoforge.optimize.strategies import STRATEGIES, follows
from mesoforge.optimize.trial import Measured, Trial

LEAST_TO_TEST = 5  # seeds below which no test can tell


def run(case: Case, method: str, seed: int, folder: Path) -> tuple[list[float], float]:
    """Run one method once; return what its record was worth after each trial, and the time of a proposal [s]."""
    space = Space.from_mapping({f"x{axis}": {"low": 0, "high": 1} for axis in range(case.dimensions)})
    budget = Budget(case.start, case.proposed, 0)
    problem = Problem(case.name, space, case.objectives(seed), budget, seed)
    learn = gaussian_process if method == "botorch" else None
    campaign = Campaign(problem, Journal(folder / "journal.jsonl"), method, learn=learn)
    true: list[Array] = []
    worth: list[float] = []
    spent = 0.0
    while not campaign.done and max(worth, default=-np.inf) < case.enough:
        batch: list[Trial] = []
        while len(batch) < case.at_a_time:
            began = time.process_time()
            trial = campaign.ask()
            spent += time.process_time() - began
            if trial is None:
                break
            batch.append(trial)
        for trial in batch:
            exact = case.truth(space.to_unit(trial.values)[None], seed)
            seen = exact[0] + np.array(case.noise) * np.random.default_rng(trial.seed).standard_normal(exact.shape[1])
            campaign.tell(trial.number, Measured(dict(zip(case.outputs, seen.tolist(), strict=True))))
            true.append(exact[0])
            worth.append(case.worth(np.array(true), seed))
    return worth, spent / max(len(worth) - case.start, 1)


def finished(path: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Return the runs that the results file holds."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return {(row["problem"], row["method"], row["seed"]): row for row in rows}


def _there(case: Case) -> bool:
    if case.data is None or case.data.exists():
        return True
    print(f"{case.name} is left out: {case.data} is not there")
    return False


def missing(given: argparse.Namespace) -> Iterator[tuple[Case, str, int]]:
    """Yield the runs that are due and not in the results file, all methods of one seed before the next seed."""
    done, problems = finished(given.results), [name for name in given.problems.split(",") if _there(CASES[name])]
    for seed in range(1, given.seeds + 1):
        for name in problems:
            for method in given.methods.split(","):
                if (name, method, seed) not in done and follows(method, CASES[name].objectives(seed)):
                    yield CASES[name], method, seed


@dataclass(frozen=True, eq=False, slots=True)
class Runs:
    """All runs of one method on one problem, by seed; ``worth`` is padded with its last value to the whole budget."""

    case: Case
    method: str
    seeds: tuple[int, ...]
    worth: Array
    seconds: float

    @property
    def reached(self) -> Array:
        """Evaluations until a run was good enough; a run that never was counts the whole budget."""
        good = self.worth >= self.case.enough
        return np.where(good.any(axis=1), good.argmax(axis=1) + 1, self.case.evaluations).astype(float)

    @property
    def failed(self) -> int:
        """Runs that were never good enough."""
        return int((self.worth[:, -1] < self.case.enough).sum())


def collected(path: Path) -> list[Runs]:
    """Return the results file's runs by problem and method, in the order of the problems."""
    rows = list(finished(path).values())
    every: list[Runs] = []
    for name, case in CASES.items():
        for method in STRATEGIES:
            some = sorted((r for r in rows if (r["problem"], r["method"]) == (name, method)), key=lambda r: r["seed"])
            if some:
                worth = [(r["worth"] + r["worth"][-1:] * case.evaluations)[: case.evaluations] for r in some]
                seconds = float(np.mean([r["seconds"] for r in some]))
                every.append(Runs(case, method, tuple(r["seed"] for r in some), np.array(worth), seconds))
    return every


def against_sobol(runs: Runs, every: list[Runs]) -> str:
    """Return the one-sided p that a method is worse than Sobol at the end (Wilcoxon's, on the seeds both ran)."""
    from scipy.stats import wilcoxon

    sobol = next((one for one in every if (one.case, one.method) == (runs.case, "sobol")), None)
    common = [seed for seed in runs.seeds if sobol and seed in sobol.seeds]
    if sobol is None or runs is sobol or len(common) < LEAST_TO_TEST:
        return "-"
    here, there = ([one.worth[one.seeds.index(seed), -1] for seed in common] for one in (runs, sobol))
    return f"{wilcoxon(here, there, alternative='less').pvalue:.3f}"


def tables(every: list[Runs]) -> Iterator[str]:
    """Yield a table for each problem, in Markdown."""
    for case in dict.fromkeys(one.case for one in every):
        counts = np.isfinite(case.enough)
        first = "evaluations to reach it, median (quartiles) | never" if counts else "after 10 proposals | at the end"
        yield f"\n**{case.title}**, {case.start} + {case.proposed} evaluations\n"
        yield f"| method | seeds | {first} | p (worse than Sobol) | s per proposal |\n|---|---|---|---|---|---|"
        for runs in (one for one in every if one.case == case):
            if counts:
                low, middle, high = np.percentile(runs.reached, [25, 50, 75])
                cells = [f"{middle:g} ({low:g} to {high:g})", f"{runs.failed} of {len(runs.seeds)}"]
            else:
                cells = [quartiles(runs.worth[:, case.start + 9]), quartiles(runs.worth[:, -1])]
            cells += [against_sobol(runs, every), f"{runs.seconds:.2f}"]
            yield f"| {runs.method} | {len(runs.seeds)} | {' | '.join(cells)} |"


def quartiles(values: Array) -> str:
    """Write the median with the quartiles."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.4g} ({low:.3g} to {high:.3g})"


def draw(every: list[Runs], path: Path) -> None:
    """Draw the median worth against the evaluations spent, a panel for each problem, two to a row."""
    import matplotlib.pyplot as plt

    cases = list(dict.fromkeys(one.case for one in every))
    rows = -(-len(cases) // 2)
    with plt.rc_context({"font.size": 12, "axes.titlesize": 13}):
        figure, panels = plt.subplots(rows, 2, figsize=(10.4, 4.1 * rows), squeeze=False)
        for axes, case in zip(panels.flat, cases, strict=False):
            _panel(axes, case, [one for one in every if one.case == case])
        for axes in panels.flat[len(cases) :]:
            axes.set_axis_off()
        figure.tight_layout()
        figure.savefig(path, dpi=110)


def _panel(axes: Any, case: Case, some: list[Runs]) -> None:  # noqa: ANN401 - matplotlib loads late
    """Draw one problem; a method has the same colour everywhere."""
    counts = np.isfinite(case.enough)
    for runs in some:
        median = np.median(runs.worth, axis=0)
        shown = 100 * -median if counts else median
        colour = "black" if runs.method == "botorch" else f"C{list(STRATEGIES).index(runs.method)}"
        label = f"{runs.method} ({len(runs.seeds)})"
        axes.plot(
            range(1, case.evaluations + 1), shown, label=label, color=colour, lw=2.6 if colour == "black" else 1.5
        )
    axes.axvline(case.start + 0.5, color="0.8", zorder=0)
    axes.set(title=case.title, xlabel="evaluations", ylabel="rms mismatch (%)" if counts else "median worth")
    if counts:
        axes.set_yscale("log")
        axes.axhline(-100 * case.enough, color="0.8", zorder=0)
    else:
        axes.set_ylim(top=1.5 * axes.get_ylim()[1])  # room for the legend above the curves
    axes.legend(fontsize=10, frameon=False, loc="upper right" if counts else "upper left", ncols=2)


def main() -> None:
    """Run what is missing, or report what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default=",".join(CASES))
    parser.add_argument("--methods", default=",".join(STRATEGIES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--results", type=Path, default=Path("mlruns") / "decision_loop.jsonl")
    parser.add_argument("--report", type=Path, metavar="PNG", help="print tables, draw this, run nothing")
    given = parser.parse_args()
    if given.report:
        every = collected(given.results)
        print("\n".join(tables(every)))
        draw(every, given.report)
        return
    given.results.parent.mkdir(parents=True, exist_ok=True)
    for case, method, seed in missing(given):
        with tempfile.TemporaryDirectory() as folder:
            worth, seconds = run(case, method, seed, Path(folder))
        row = {"problem": case.name, "method": method, "seed": seed, "seconds": round(seconds, 4),
               "worth": [float(f"{value:.5g}") for value in worth]}  # fmt: skip
        with given.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{case.name} {method} seed {seed}: {worth[-1]:.5g} ({seconds:.2f} s a proposal)", flush=True)


if __name__ == "__main__":
    main()
