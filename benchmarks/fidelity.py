"""What do cheap, biased measurements save, by what it costs to get as far?

``python benchmarks/fidelity.py [--problems target,hartmann6] [--seeds 10]`` runs campaigns of the problems of
``problems.py`` with the truth alone (``one size``) and with a cheap likeness of it too (``two sizes``): it costs a
quarter, is shifted by half of what an output varies by, follows the truth by nine tenths and by a wave of its own, and
scatters twice as much, as small volumes do. Both have the same Sobol points at the start, of which every other one is
made cheaply where there are two; ``one size, short start`` has fewer, so that its start costs as much as that. Only
trials of the truth count: their noise-free values are the score, against what all trials cost. Each finished run is a
line of the results file, so that more seeds resume from there. ``--report PNG`` runs nothing: it prints the tables
(Markdown) and draws the figure of all that the file holds.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from problems import CASES, Case

from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.fidelity import Fidelity
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Measured, Trial

Array = npt.NDArray[np.float64]
SIZES: Final = Fidelity("volume.side", (9.0, 18.0), (1.0, 4.0))
METHODS: Final = ("one size", "one size, short start", "two sizes")
CHEAP: Final = SIZES.costs[0] / SIZES.costs[-1]
PROPOSED: Final = {"target": 12, "hartmann6": 10}
"""Whole trials of the truth that proposals may cost, by problem."""
SHIFT, FOLLOWS, WAVE, SCATTER = 0.5, 0.9, 0.15, 2.0


@dataclass(frozen=True, eq=False, slots=True)
class Likeness:
    """What a case's outputs are worth in the cheap size, without noise."""

    case: Case
    seed: int
    sd: Array
    waves: Array

    @classmethod
    def of(cls, case: Case, seed: int) -> Likeness:
        """Return the likeness of a case that a seed draws: the direction of its wave for each output."""
        rng = np.random.default_rng([seed, 5])
        everywhere = case.truth(sobol_points(case.dimensions, 0, 512), seed)
        waves = rng.normal(0, 1, (case.dimensions, len(case.outputs)))
        return cls(case, seed, everywhere.std(axis=0), waves / np.linalg.norm(waves, axis=0))

    def __call__(self, X: Array) -> Array:
        """Return the outputs (n, m) at X (n, d)."""
        wave = np.cos(2 * np.pi * (X - 0.5) @ self.waves)
        return np.asarray(FOLLOWS * self.case.truth(X, self.seed) + self.sd * (SHIFT + WAVE * wave))


def run(case: Case, method: str, seed: int, folder: Path) -> dict[str, Any]:
    """Run one campaign; return after each trial what was spent and what the trials that count are worth."""
    space = Space.from_mapping({f"x{axis}": {"low": 0, "high": 1} for axis in range(case.dimensions)})
    start = round(case.start * (1 + CHEAP) / 2) if method == "one size, short start" else case.start
    budget = Budget(start, PROPOSED[case.name], 0)
    sizes = SIZES if method == "two sizes" else None
    problem = Problem(case.name, space, case.objectives(seed), budget, seed, fidelity=sizes)
    campaign = Campaign(problem, Journal(folder / "journal.jsonl"), "botorch")
    likeness = Likeness.of(case, seed)
    true: list[Array] = []
    worth: list[float] = []
    cost: list[float] = []
    seconds = 0.0
    while max(worth, default=-np.inf) < case.enough:
        began = time.process_time()
        trial = campaign.ask()
        seconds += time.process_time() - began
        if trial is None:
            break
        point = space.to_unit(trial.values)[None]
        cheap = trial.fidelity == SIZES.cheaper[0]
        if not cheap:
            true.append(case.truth(point, seed)[0])
        exact = likeness(point)[0] if cheap else true[-1]
        campaign.tell(trial.number, Measured(seen(exact, case, trial, SCATTER if cheap else 1.0)))
        worth.append(case.worth(np.array(true), seed))
        cost.append(trial.share + (cost[-1] if cost else 0.0))
    return {"worth": worth, "cost": cost, "seconds": seconds / max(len(worth) - start, 1)}


def seen(exact: Array, case: Case, trial: Trial, scatter: float) -> dict[str, float]:
    """Return what is measured: with the noise that the trial's seed determines."""
    noise = scatter * np.array(case.noise) * np.random.default_rng(trial.seed).standard_normal(len(exact))
    return dict(zip(case.outputs, (exact + noise).tolist(), strict=True))


def finished(path: Path) -> list[dict[str, Any]]:
    """Return the runs that the results file holds."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def at(row: dict[str, Any], cost: float) -> float:
    """Return what a run was worth when so much had been spent."""
    spent = [worth for worth, so_far in zip(row["worth"], row["cost"], strict=True) if so_far <= cost + 1e-9]
    return spent[-1] if spent else float(row["worth"][0])


def needed(row: dict[str, Any], enough: float) -> float:
    """Return the cost at which a run was good enough; one that never was counts all that each method had spent."""
    pairs, most = zip(row["worth"], row["cost"], strict=True), MOST[row["problem"]]
    return min((cost for worth, cost in pairs if worth >= enough and cost <= most), default=most)


COSTS: Final[dict[str, tuple[int, ...]]] = {"target": (), "hartmann6": (12, 15, 18)}
"""At which costs the tables say what was found; runs end where enough was, if the problem says what that is."""
MOST: Final = {"target": 17.0, "hartmann6": 18.0}
"""What every method had spent at the end, if it was not good enough before."""
ENOUGH: Final = {"target": -0.005, "hartmann6": 2.5}
"""What counts as reached: 0.5 % off (rms); three quarters of the optimum."""


def tables(rows: list[dict[str, Any]]) -> str:
    """Return a table for each problem, in Markdown."""
    said = []
    for name in dict.fromkeys(row["problem"] for row in rows):
        costs = COSTS[name]
        heads = "".join(f" at {cost} |" for cost in costs)
        said.append(f"\n**{CASES[name].title}**\n")
        said.append(
            f"| method | seeds | cost to reach it | never |{heads} proposals in the cheap size | s a proposal |"
        )
        said.append("|---|---|---|---|" + "---|" * (len(costs) + 2))
        said += [_line(name, method, rows) for method in METHODS]
    return "\n".join(said)


def _line(name: str, method: str, rows: list[dict[str, Any]]) -> str:
    some = [row for row in rows if (row["problem"], row["method"]) == (name, method)]
    reached = [needed(row, ENOUGH[name]) for row in some]
    never = sum(one >= MOST[name] for one in reached)
    then = [_quartiles([at(row, cost) for row in some]) for cost in COSTS[name]]
    taken = np.concatenate([np.diff(row["cost"])[CASES[name].start - 1 :] for row in some])
    cells = [method, str(len(some)), _quartiles(reached), f"{never} of {len(some)}", *then]
    return (
        f"| {' | '.join(cells)} | {100 * np.mean(taken < 1):.0f} % | {np.mean([row['seconds'] for row in some]):.1f} |"
    )


def _quartiles(values: list[float]) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.4g} ({low:.4g} to {high:.4g})"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the median worth, with quartiles, against what was spent, a panel for each problem."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(row["problem"] for row in rows))
    figure, panels = plt.subplots(1, len(names), figsize=(5.2 * len(names), 3.9), squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        grid = np.arange(3, MOST[name] + 0.01, 0.25)
        for method, colour in zip(METHODS, ("0.45", "C1", "C0"), strict=True):
            some = [row for row in rows if (row["problem"], row["method"]) == (name, method)]
            worth = np.array([[at(row, cost) for cost in grid] for row in some])
            shown = -100 * worth if name == "target" else worth
            low, middle, high = np.percentile(shown, [25, 50, 75], axis=0)
            axes.plot(grid, middle, color=colour, lw=2, label=f"{method} ({len(some)} seeds)")
            axes.fill_between(grid, low, high, color=colour, alpha=0.2, lw=0)
        axes.set_title(CASES[name].title, fontsize=12)
        axes.set_xlabel("cost (whole trials of the size that decides)", fontsize=11)
        axes.set_ylabel("rms mismatch (%)" if name == "target" else "best value found", fontsize=11)
        axes.axhline(0.5 if name == "target" else ENOUGH[name], color="0.8", zorder=0)
        axes.legend(fontsize=11, frameon=False, loc="lower left" if name == "target" else "upper left")
        if name == "target":
            axes.set_yscale("log")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run what is missing, or report what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", default=",".join(PROPOSED))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--results", type=Path, default=Path("mlruns") / "fidelity.jsonl")
    parser.add_argument("--report", type=Path, metavar="PNG", help="print tables, draw this, run nothing")
    given = parser.parse_args()
    rows = finished(given.results)
    if given.report:
        print(tables(rows))
        draw(rows, given.report)
        return
    given.results.parent.mkdir(parents=True, exist_ok=True)
    for name, method, seed in missing(given, rows):
        with tempfile.TemporaryDirectory() as folder:
            row = {"problem": name, "method": method, "seed": seed, **run(CASES[name], method, seed, Path(folder))}
        with given.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{name}, {method}, seed {seed}: {row['worth'][-1]:.4g} for {row['cost'][-1]:g}", flush=True)


def missing(given: argparse.Namespace, rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Yield the runs that are due and not in the results file, all methods of one seed before the next seed."""
    done = {(row["problem"], row["method"], row["seed"]) for row in rows}
    for each in product(range(1, given.seeds + 1), given.problems.split(","), METHODS):
        seed, name, method = each
        if (name, method, seed) not in done:
            yield name, method, seed


if __name__ == "__main__":
    main()
