"""Does the decision loop pay on the real physics? Proposals against as many Sobol points, predictions against physics.

``python benchmarks/real_loop.py [--home FOLDER] [--seeds N] [--side UM] [--loading MG] [--voxel UM] [--replicates N]``
``[--alone]`` runs, per seed, a study of 40 simulations (8 to start, 32 proposed, two at a time) and 10 recipes
confirmed with new slurries: porosity 0.30 matched, least tortuosity factor, most areal capacity, over formulation,
solids content and pressure; drying predicted. Beside it a study of 40 Sobol points, which ``--alone`` leaves out.
Hypervolumes of both are from one reference point: three tolerances of porosity off, of the others the worst that
either saw and a tenth of the range below; they are of single observations, noise included, on both sides alike. The
first confirmation of each recipe gives the relative error of predictions, their z-scores and the coverage of 95 %
intervals with an exact binomial test, beside null models: mass balance, the nearest other recipe's electrode, and
the recipe's own first run, which the surrogate has seen. The surrogate is then asked about the Sobol points, none
of which it has seen, all over the space. With ``--replicates`` each recipe is confirmed with so many slurries and
the mean is compared too: one electrode of a small volume misses the mean by its own noise, which no prediction can
foretell. What of it is left in the means is known from the replicates and taken off the mean squares, for the error
of what a recipe gives without noise. What was run before is found and not run again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import binomtest

from mesoforge.experiments.drive import drive
from mesoforge.experiments.home import Home
from mesoforge.experiments.study import Plan, Study
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.learning import points, properties
from mesoforge.optimize.pareto import hypervolume, reference_point
from mesoforge.surrogate.gp import fit_gp
from mesoforge.surrogate.table import Table
from mesoforge.surrogate.validation import NORMAL_95, least_sd

OBJECTIVES = {
    "porosity": {"match": 0.30, "tolerance": 0.01},
    "tortuosity_factor_z": "minimize",
    "areal_capacity": "maximize",
}
VARIABLES = {
    "formulation.active_material": {"low": 0.92, "high": 0.97},
    "formulation.solids_content": {"low": 0.62, "high": 0.70},
    "calendering.pressure": {"low": 10, "high": 200, "scale": "log"},
}
BUDGETS = {"botorch": (8, 32, 10), "sobol": (40, 0, 0)}
DRAWS, TINY, MANY = 4000, 1e-12, 100.0  # of recipes, to see how far a ratio can be told; a square, a ratio that cannot
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One study that ended: its verdict, and the points (n, d) and objectives (n, k) that it observed."""

    verdict: Json
    points: np.ndarray
    observed: np.ndarray
    campaign: Campaign


def plan_of(strategy: str, seed: int, given: argparse.Namespace) -> Plan:
    """Return the study of a strategy and a seed."""
    start, proposed, confirmations = BUDGETS[strategy]
    values = {
        "name": f"real-{strategy}-{seed}",
        "recipe": {
            "volume": {"side": given.side, "mass_loading": given.loading},
            "numerics": {"voxel": given.voxel},
        },
        "variables": VARIABLES,
        "objectives": OBJECTIVES,
        "budget": {
            "start": start,
            "proposed": proposed,
            "confirmations": confirmations,
            "replicates": given.replicates if confirmations else 1,
        },
        "strategy": strategy,
        "seed": seed,
        "start_from_known": False,  # else one seed would learn from another's
        "workers": given.workers,
    }
    return Plan(Study.from_mapping(values, str(values["name"])), "optimize")


def run(strategy: str, seed: int, given: argparse.Namespace) -> Run:
    """Run a study, or find it."""
    plan, home = plan_of(strategy, seed, given), Home(given.home)
    found = drive(plan, home, lambda _: lambda _: None, print)
    campaign = Campaign(plan.problem, Journal(home.journal(plan.study.name)).reading(), strategy)
    explored = tuple(trial for trial in campaign.measured if trial.confirms is None)
    return Run(found, points(plan.problem, explored), properties(plan.problem, explored), campaign)


def volumes(mine: Run, other: Run) -> tuple[float, float]:
    """Return the hypervolumes of both, from one reference point."""
    wanted = mine.campaign.problem.objectives
    reference = reference_point(wanted, np.vstack([mine.observed, other.observed]))
    first, second = (hypervolume(wanted.scores(one.observed), reference) for one in (mine, other))
    return first, second


def beside(seeds: Sequence[int], given: argparse.Namespace) -> Iterator[tuple[Run, Run]]:
    """Yield the proposals and the Sobol points of each seed, and print their hypervolumes."""
    print("| seed | proposals: hypervolume | Sobol points | ratio | failed |\n|---|---|---|---|---|")
    for seed in seeds:
        own, sobol = run("botorch", seed, given), run("sobol", seed, given)
        here, there = volumes(own, sobol)
        failed = len(own.verdict["failed"]) + len(sobol.verdict["failed"])
        print(f"| {seed} | {here:.3g} | {there:.3g} | {here / there:.2f} | {failed} |", flush=True)
        yield own, sobol


def confirmed(runs: Sequence[Run]) -> list[list[Json]]:
    """Return the confirmations of all runs, those of one recipe together."""
    recipes: dict[tuple[int, str], list[Json]] = {}
    for number, one in enumerate(runs):
        for row in one.verdict["confirmations"]:
            recipes.setdefault((number, row["confirms"]), []).append(row["properties"])
    return list(recipes.values())


def singles(recipes: Sequence[Sequence[Json]]) -> None:
    """Print how predictions compare with one new electrode of each recipe, property by property."""
    print(f"\n{len(recipes)} recipes, one new slurry each\n")
    print("| property | median error | of mass balance | of the neighbour | of the first run | rms z | in 95 % |")
    print("|---|---|---|---|---|---|---|")
    errors, scores, inside = [], [], 0
    for name in OBJECTIVES:
        some = [rows[0][name] for rows in recipes]
        physics, mean, sd = (np.array([one[key] for one in some]) for key in ("physics", "predicted", "predicted_sd"))
        scores.append((physics - mean) / sd)
        errors.append(np.abs(mean / physics - 1))
        hit = int((np.abs(scores[-1]) < NORMAL_95).sum())
        inside += hit
        shown = _shown(_medians(some, physics))
        print(f"| {name} | {shown} | {_rms(scores[-1]):.2f} | {hit} of {len(some)} |")
    many = len(recipes) * len(OBJECTIVES)
    test = binomtest(inside, many, 0.95)
    median = 100 * np.median(np.concatenate(errors))
    print(f"\nall: median error {median:.1f} %, rms z {_rms(np.concatenate(scores)):.2f}; {inside} of {many} in 95 %")
    print(
        f"exact binomial test of 0.95: p = {test.pvalue:.3f} (the three outputs of one electrode are not independent)"
    )


def means(recipes: Sequence[Sequence[Json]]) -> None:
    """Print how predictions compare with the mean over each recipe's new electrodes, property by property."""
    counts = sorted({len(rows) for rows in recipes})
    print(f"\n{len(recipes)} recipes, mean of {' to '.join(map(str, counts))} new slurries each\n")
    print(
        "| property | one electrode's scatter | median error | of mass balance | of the neighbour | of the first run "
        "| rms error without noise | of the neighbour | ratio (95 %) |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in OBJECTIVES:
        each = [np.array([one[name]["physics"] for one in rows]) for rows in recipes]
        some = [rows[0][name] for rows in recipes]
        physics = np.array([found.mean() for found in each])
        scatter = np.array([found.std(ddof=1) / found.mean() for found in each])
        noise = scatter**2 / np.array([len(found) for found in each])
        told = (np.array([one[key] for one in some], dtype=float) for key in ("predicted", "nearest"))
        squares = np.array([(one / physics - 1) ** 2 - noise for one in told])
        left = 100 * np.sqrt(squares.mean(axis=1).clip(0))
        shown = _shown([*_medians(some, physics), *left])
        print(f"| {name} | {100 * np.median(scatter):.1f} % | {shown} | {_ratio(squares)} |")


def unseen(pairs: Sequence[tuple[Run, Run]]) -> None:
    """Print how what the proposals taught foretells the Sobol points, property by property, beside the neighbour."""
    asked = [_asked(mine, other) for mine, other in pairs]
    mean, sd, nearest, physics = (np.vstack(column) for column in zip(*asked, strict=True))
    print(f"\n{len(physics)} Sobol points, foretold by what the proposals taught\n")
    print("| property | median error | of the neighbour | rms z | in 95 % |\n|---|---|---|---|---|")
    for column, name in enumerate(OBJECTIVES):
        truth, scores = physics[:, column], (physics - mean)[:, column] / sd[:, column]
        errors = [100 * np.median(np.abs(one[:, column] / truth - 1)) for one in (mean, nearest)]
        inside = int((np.abs(scores) < NORMAL_95).sum())
        print(f"| {name} | {errors[0]:.1f} % | {errors[1]:.1f} % | {_rms(scores):.2f} | {inside} of {len(truth)} |")


def _asked(mine: Run, other: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return of the other run's points: foretold mean and sd, the nearest of mine as measured, and the physics."""
    objectives = mine.campaign.problem.objectives
    gp = fit_gp(Table(mine.points, mine.observed, objectives.outputs, logs=objectives.logs(mine.observed)))
    mean, sd = gp.predict(other.points)
    nearest = np.linalg.norm(other.points[:, None] - mine.points[None], axis=2).argmin(axis=1)
    return mean, np.maximum(sd, least_sd(gp, mean)), mine.observed[nearest], other.observed


def _medians(some: Sequence[Json], physics: np.ndarray) -> list[float]:
    """Return the median errors [%] of the prediction and of the null models; nan where one is silent."""
    told = ([one[key] for one in some] for key in ("predicted", "mass_balance", "nearest", "first"))
    return [float(100 * np.median(np.abs(np.array(one, dtype=float) / physics - 1))) for one in told]


def _ratio(squares: np.ndarray) -> str:
    """Return the ratio of two root mean squares (2, n), and between what it lies with 95 %, of recipes drawn anew."""
    drawn = np.random.default_rng(0).integers(0, squares.shape[1], (DRAWS, squares.shape[1]))
    own, other = np.column_stack([squares.mean(axis=1), squares[:, drawn].mean(axis=2)]).clip(TINY)
    ratios = np.sqrt(other / own)
    low, high = np.percentile(ratios[1:], [2.5, 97.5])
    middle = f"{ratios[0]:.1f}" if ratios[0] < MANY else "-"  # nothing but noise is left of the prediction's error
    return f"{middle} ({low:.1f} to {high:.1f})" if high < MANY else f"{middle} (over {low:.1f})"


def _shown(medians: Sequence[float]) -> str:
    return " | ".join("-" if np.isnan(one) else f"{one:.1f} %" for one in medians)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("mlruns"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=float, default=14.0)
    parser.add_argument("--loading", type=float, default=4.0)
    parser.add_argument("--voxel", type=float, default=0.3)
    parser.add_argument("--replicates", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--alone", action="store_true")
    given = parser.parse_args()
    seeds = range(1, given.seeds + 1)
    pairs = [] if given.alone else list(beside(seeds, given))
    recipes = confirmed([run("botorch", seed, given) for seed in seeds] if given.alone else [own for own, _ in pairs])
    singles(recipes)
    if given.replicates > 1:
        means(recipes)
    if pairs:
        unseen(pairs)


if __name__ == "__main__":
    main()
