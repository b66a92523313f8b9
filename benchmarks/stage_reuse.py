"""What does it save to go on from coatings that were made before?

``python benchmarks/stage_reuse.py [--seeds 10] [--dear drying]`` runs campaigns with and without ``reuse`` on a factory
in closed form: the share of active material and the solids content are inputs of the slurry, the pressure is one of the
calender; each slurry has an error of its own, which all its electrodes share. A stage costs what it does in the paper's
electrode (docs/performance.md); ``--dear drying`` has drying cost ten times as much. The start is the same for both,
both spend the same cost, and what they found is worth the hypervolume of the noise-free truth. Each run is a line of
the results file, so that more seeds resume from there; the table is printed from all that it holds.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from mesoforge.experiments.first_stages import SHARES
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import hypervolume
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.reuse import Stages
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Measured, Trial
from mesoforge.physics.manufacture import STAGES

Array = npt.NDArray[np.float64]
SPACE = Space.from_mapping({name: {"low": 0, "high": 1} for name in ("material", "solids", "pressure")})
FIRST = {"material": "packing", "solids": "packing", "pressure": "calendering"}
AIMS = Objectives.from_mapping(
    {
        "tortuosity": {"goal": "minimize", "threshold": 2.6},
        "capacity": {"goal": "maximize", "threshold": 2.0},
    }
)
SLURRY, OWN = (0.04, 0.03), (0.015, 0.01)
"""Standard deviations of the slurry's error and of the electrode's own."""
START, PROPOSED = 8, 12
DEARER = 10.0


def truth(X: Array) -> Array:
    """Return tortuosity and capacity (n, 2) at X (n, 3): pressing densifies, and bends the way of the ions."""
    material, solids, pressure = X.T
    porosity = 0.5 - 0.22 * pressure**0.7 - 0.06 * (material - 0.5) - 0.05 * (solids - 0.4) ** 2
    tortuosity = porosity**-0.5 + 0.6 * (1 - material) ** 2 + 0.8 * (solids - 0.65) ** 2
    return np.column_stack([tortuosity, 2 + 3 * (0.55 - porosity) * (0.6 + 0.5 * material)])


def electrode(trial: Trial) -> Measured:
    """Return what a trial measures: the truth, its slurry's error and its own."""
    X = SPACE.to_unit(trial.values)
    shared = np.random.default_rng([trial.seed, 1]).normal(0, SLURRY)
    own = np.random.default_rng([trial.seed, 2, int(X[2] * 1e9)]).normal(0, OWN)
    return Measured(dict(zip(AIMS.names, (truth(X[None])[0] + shared + own).tolist(), strict=True)))


def costs(dear: str) -> dict[str, float]:
    """Return what each stage costs."""
    return {name: share * (DEARER if name == dear else 1) for name, share in SHARES.items()}


def run(seed: int, folder: Path, dear: str, *, reuse: bool) -> dict[str, Any]:
    """Run one campaign; return the cost so far and the worth of all that was found, trial by trial."""
    stages = Stages(STAGES, FIRST, costs(dear))
    problem = Problem("reuse", SPACE, AIMS, Budget(START, PROPOSED, 0), seed, stages=stages)
    campaign = Campaign(problem, Journal(folder / "journal.jsonl"), reuse=reuse)
    found: list[Array] = []
    worth: list[float] = []
    while (trial := campaign.ask()) is not None:
        campaign.tell(trial.number, electrode(trial))
        found.append(truth(SPACE.to_unit(trial.values)[None])[0])
        worth.append(hypervolume(AIMS.scores(np.array(found)), np.array([one.worst_score for one in AIMS.each])))
    cost = np.cumsum([trial.share for trial in campaign.trials]).tolist()
    return {"reuse": reuse, "dear": dear, "seed": seed, "cost": cost, "worth": worth}


def at(row: dict[str, Any], cost: float) -> float:
    """Return what a run was worth when it had spent so much."""
    return float(row["worth"][max(int(np.searchsorted(row["cost"], cost + 1e-9)) - 1, 0)])


def reached(row: dict[str, Any], worth: float) -> float:
    """Return the cost at which a run was worth so much; the whole budget where it never was."""
    good = [cost for cost, one in zip(row["cost"], row["worth"], strict=True) if one >= worth]
    return float(min(good, default=START + PROPOSED))


def table(rows: list[dict[str, Any]]) -> str:
    """Return the medians over the seeds that ran both ways, in Markdown."""
    pairs = [
        (own, again)
        for own in rows
        for again in rows
        if not own["reuse"] and again["reuse"] and own["seed"] == again["seed"]
    ]
    lines = ["| | seeds | " + " | ".join(f"after {PROPOSED * part // 3}" for part in (1, 2, 3)) + " | electrodes |"]
    lines.append("|---" * 6 + "|")
    for which, name in ((0, "each from its own slurry"), (1, "reuse")):
        some = [pair[which] for pair in pairs]
        medians = [np.median([at(row, START + PROPOSED * part / 3) for row in some]) for part in (1, 2, 3)]
        trials = np.median([len(row["cost"]) for row in some])
        lines.append(f"| {name} | {len(some)} | " + " | ".join(f"{one:.4f}" for one in medians) + f" | {trials:.0f} |")
    spent = [(reached(own, own["worth"][-1]) - START, reached(again, own["worth"][-1]) - START) for own, again in pairs]
    ours, theirs = np.median(spent, axis=0)
    better = sum(at(again, START + PROPOSED) > at(own, START + PROPOSED) for own, again in pairs)
    lines.append(
        f"\nCost after the start to the hypervolume that the first ended with: {ours:.2f} and {theirs:.2f} electrodes"
    )
    lines.append(
        f"(medians; a run that never was there counts {PROPOSED}). Better at the end: {better} of {len(pairs)}."
    )
    return "\n".join(lines)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--dear", default="none", help="stage that costs ten times as much")
    parser.add_argument("--results", type=Path, default=Path("stage_reuse.jsonl"))
    given = parser.parse_args()
    done = given.results.read_text(encoding="utf-8").splitlines() if given.results.exists() else []
    rows = [row for line in done if (row := json.loads(line))["dear"] == given.dear]
    for seed in range(1, given.seeds + 1):
        for reuse in (False, True):
            if not any(row["seed"] == seed and row["reuse"] == reuse for row in rows):
                with tempfile.TemporaryDirectory() as folder:
                    rows.append(run(seed, Path(folder), given.dear, reuse=reuse))
                with given.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
