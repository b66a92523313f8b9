"""Does the decision loop pay on the real physics? Proposals against as many Sobol points, predictions against physics.

``python benchmarks/real_loop.py [--home FOLDER] [--seeds N] [--side UM] [--loading MG] [--voxel UM]`` runs, per seed, a
study of 40 simulations (8 to start, 32 proposed, two at a time) and 10 confirmations with new slurries: porosity 0.30
matched, least tortuosity factor, most areal capacity, over formulation, solids content and pressure; drying predicted.
Beside it a study of 40 Sobol points. Hypervolumes of both are from one reference point, the worst that either saw and
a tenth of the range below; they are of single observations, noise included, on both sides alike. Confirmations give the
relative error of predictions, their z-scores and the coverage of 95 % intervals with an exact binomial test, beside two
null models: mass balance, and the nearest simulated neighbour. What was run before is found and not run again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
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
from mesoforge.optimize.pareto import hypervolume, reference_point
from mesoforge.optimize.trial import Measured

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
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One study that ended: its verdict and what it observed of the objectives, (n, k)."""

    verdict: Json
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
        "budget": {"start": start, "proposed": proposed, "confirmations": confirmations},
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
    outcomes = [trial.outcome for trial in campaign.measured if trial.confirms is None]
    names = plan.problem.objectives.names
    rows = [[one.properties[name] for name in names] for one in outcomes if isinstance(one, Measured)]
    return Run(found, np.array(rows), campaign)


def volumes(mine: Run, other: Run) -> tuple[float, float]:
    """Return the hypervolumes of both, from one reference point."""
    wanted = mine.campaign.problem.objectives
    reference = reference_point(wanted, np.vstack([mine.observed, other.observed]))
    first, second = (hypervolume(wanted.scores(one.observed), reference) for one in (mine, other))
    return first, second


def predicted(runs: Sequence[Run]) -> None:
    """Print how predictions of the confirmations compare with the physics, property by property."""
    rows = [row for one in runs for row in one.verdict["confirmations"]]
    print(f"\n{len(rows)} confirmations\n")
    print("| property | median error | of mass balance | of the neighbour | rms z | in 95 % |")
    print("|---|---|---|---|---|---|")
    errors, inside = [], 0
    for name in OBJECTIVES:
        some = [row["properties"][name] for row in rows]
        physics, mean, sd = (np.array([one[key] for one in some]) for key in ("physics", "predicted", "predicted_sd"))
        z = (physics - mean) / sd
        errors.append(np.abs(mean / physics - 1))
        hit = int((np.abs(z) < 1.96).sum())
        inside += hit
        cells = [f"{100 * np.median(errors[-1]):.1f} %", *(_null(some, key) for key in ("mass_balance", "nearest"))]
        print(f"| {name} | {' | '.join(cells)} | {np.sqrt((z**2).mean()):.2f} | {hit} of {len(z)} |")
    many = len(rows) * len(OBJECTIVES)
    test = binomtest(inside, many, 0.95)
    median = 100 * np.median(np.concatenate(errors))
    print(f"\nall: median error {median:.1f} %; {inside} of {many} in their 95 % intervals")
    print(
        f"exact binomial test of 0.95: p = {test.pvalue:.3f} (the three outputs of one electrode are not independent)"
    )


def _null(some: Sequence[Json], key: str) -> str:
    """Return the median relative error of a null model, a dash where it says nothing."""
    pairs = [(one[key], one["physics"]) for one in some if one[key] is not None]
    return f"{100 * np.median([abs(a / b - 1) for a, b in pairs]):.1f} %" if pairs else "-"


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("mlruns"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=float, default=14.0)
    parser.add_argument("--loading", type=float, default=4.0)
    parser.add_argument("--voxel", type=float, default=0.3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    mine = []
    print("| seed | proposals: hypervolume | Sobol points | ratio | failed |\n|---|---|---|---|---|")
    for seed in range(1, given.seeds + 1):
        own, sobol = run("botorch", seed, given), run("sobol", seed, given)
        here, there = volumes(own, sobol)
        failed = len(own.verdict["failed"]) + len(sobol.verdict["failed"])
        print(f"| {seed} | {here:.3g} | {there:.3g} | {here / there:.2f} | {failed} |", flush=True)
        mine.append(own)
    predicted(mine)


if __name__ == "__main__":
    main()
