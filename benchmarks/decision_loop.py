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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from mesoforge.optimize.campaign import Campaign, gaussian_process
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import hypervolume
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.space import Space
from mesoforge.optimize.strategies import STRATEGIES, follows
from mesoforge.optimize.trial import Measured, Trial

Array = npt.NDArray[np.float64]
Aims = dict[str, object]


@dataclass(frozen=True, slots=True)
class Case:
    """One problem: its truth on the unit cube, what is wanted, and what a run's record is worth after each trial.

    ``truth`` maps X (n, d) and the seed to Y (n, m); ``worth`` maps all of a run's Y to one number, more is better.
    ``scalar`` names the one output that methods for a single objective follow, where the aims are several.
    """

    name: str
    title: str
    dimensions: int
    outputs: tuple[str, ...]
    aims: Callable[[int], Aims]
    truth: Callable[[Array, int], Array]
    noise: tuple[float, ...]
    worth: Callable[[Array, int], float]
    proposed: int
    at_a_time: int = 1
    enough: float = np.inf
    """Where a run ends, for problems that count evaluations."""

    @property
    def start(self) -> int:
        """Sobol points before the first proposal."""
        return 2 * (self.dimensions + 1)

    @property
    def evaluations(self) -> int:
        """Evaluations of one run."""
        return self.start + self.proposed


# Targets: three inputs, three outputs to match within 0.5 % (rms), as when a force field is calibrated

TOLERANCE = 0.005
LEAST_TO_TEST = 5  # seeds below which no test can tell


def _mechanism(X: Array, _: int) -> Array:
    """Return three positive outputs that bend, interact and saturate: density-, viscosity- and porosity-like."""
    a, b, c = X.T
    density = 2 + 0.35 * np.tanh(1.8 * (a - 0.4)) + 0.15 * b * (1 - c)
    viscosity = np.exp(0.9 * b - 0.7 * a + 0.5 * np.sin(3 * c) * b)
    porosity = 0.45 - 0.12 * c**0.7 + 0.08 * (a - 0.5) * b - 0.05 * np.cos(2.5 * b)
    return np.column_stack([density, viscosity, porosity])


def _target(seed: int) -> Array:
    """Return outputs that a hidden point of the cube's inner part reaches."""
    hidden = np.random.default_rng([seed, 77]).uniform(0.15, 0.85, (1, 3))
    return _mechanism(hidden, seed)[0]


def _target_aims(seed: int) -> Aims:
    names = ("density", "viscosity", "porosity")
    return {
        n: {"match": float(t), "tolerance": TOLERANCE * float(t)} for n, t in zip(names, _target(seed), strict=True)
    }


def _match(Y: Array, seed: int) -> float:
    """Return minus the least rms mismatch, as a fraction of the targets."""
    return -float(np.sqrt(np.mean((Y / _target(seed) - 1) ** 2, axis=1)).min())


# Hypervolume


def _dtlz2(X: Array, _: int) -> Array:
    g = np.sum((X[:, 1:] - 0.5) ** 2, axis=1)
    angle = X[:, 0] * np.pi / 2
    return np.column_stack([(1 + g) * np.cos(angle), (1 + g) * np.sin(angle)])


def _branin_currin(X: Array, _: int) -> Array:
    """Return Branin and Currin as BoTorch scales them."""
    u, v = 15 * X[:, 0] - 5, 15 * X[:, 1]
    branin = (v - 5.1 / (4 * np.pi**2) * u**2 + 5 / np.pi * u - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(u) + 10
    a, b = X.T
    edge = 1 - np.exp(-1 / (2 * np.maximum(b, 1e-12)))
    currin = edge * (2300 * a**3 + 1900 * a**2 + 2092 * a + 60) / (100 * a**3 + 500 * a**2 + 4 * a + 20)
    return np.column_stack([branin, currin])


def _least_two(worst: tuple[float, float]) -> tuple[Callable[[int], Aims], Callable[[Array, int], float]]:
    aims: Aims = {f"f{i}": {"goal": "minimize", "threshold": value} for i, value in enumerate(worst)}
    return lambda _: aims, lambda Y, _: hypervolume(-Y, -np.array(worst))


# One objective

_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array([
    [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
])  # fmt: skip


def _hartmann(X: Array, _: int) -> Array:
    inner = np.sum(_A * (X[:, None] - _P) ** 2, axis=2)
    return -(np.exp(-inner) @ _ALPHA)[:, None]


DTLZ2_AIMS, DTLZ2_WORTH = _least_two((1.1, 1.1))
CURRIN_AIMS, CURRIN_WORTH = _least_two((18.0, 6.0))
CASES = {
    case.name: case
    for case in (
        Case("target", "three targets, 3 inputs", 3, ("density", "viscosity", "porosity"), _target_aims, _mechanism,
             (0.004, 0.002, 0.0008), _match, 52, enough=-TOLERANCE),
        Case("dtlz2", "DTLZ2, 6 inputs", 6, ("f0", "f1"), DTLZ2_AIMS, _dtlz2, (0.01, 0.01), DTLZ2_WORTH, 40),
        Case("branincurrin", "Branin-Currin, 2 inputs, 4 at a time", 2, ("f0", "f1"), CURRIN_AIMS, _branin_currin,
             (15.19, 0.63), CURRIN_WORTH, 80, 4),
        Case("hartmann6", "Hartmann, 6 inputs", 6, ("f0",), lambda _: {"f0": "minimize"}, _hartmann, (0.02,),
             lambda Y, _: -float(Y.min()), 40),
    )
}  # fmt: skip


def run(case: Case, method: str, seed: int, folder: Path) -> tuple[list[float], float]:
    """Run one method once; return what its record was worth after each trial, and the time of a proposal [s]."""
    space = Space.from_mapping({f"x{axis}": {"low": 0, "high": 1} for axis in range(case.dimensions)})
    budget = Budget(case.start, case.proposed, 0)
    problem = Problem(case.name, space, Objectives.from_mapping(case.aims(seed)), budget, seed)
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


def missing(given: argparse.Namespace) -> Iterator[tuple[Case, str, int]]:
    """Yield the runs that are due and not in the results file, all methods of one seed before the next seed."""
    done = finished(given.results)
    for seed in range(1, given.seeds + 1):
        for name in given.problems.split(","):
            for method in given.methods.split(","):
                if (name, method, seed) not in done and follows(
                    method, Objectives.from_mapping(CASES[name].aims(seed))
                ):
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
    axes.legend(fontsize=10, frameon=False)


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
