"""What a recipe or a study will cost before it is simulated: electrodes, core-hours, and what the estimate rests on."""

from __future__ import annotations

import math
import os
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mesoforge.experiments.first_stages import SHARES
from mesoforge.experiments.home import Home
from mesoforge.experiments.sizing import SIDE
from mesoforge.experiments.study import SINGLE, Plan
from mesoforge.optimize.fidelity import LEAST_S
from mesoforge.optimize.journal import Journal
from mesoforge.physics.balance import balance
from mesoforge.physics.manufacture import STAGES, identity
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.record import read_yaml
from mesoforge.physics.store import Store, digest

CORE_S_PER_BEAD: Final = 38 / 2430
"""Core-seconds per bead of a whole electrode, pictures and record included (docs/performance.md)."""
NOT_PROPOSED: Final = ("sobol", "known")
"""Trials whose size saves the proposals nothing."""
ALIKE: Final = 3.0
"""Electrodes whose number of beads differs by more than this factor say nothing of one another's cost."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Core-seconds per bead, and where that comes from."""

    core_s_per_bead: float
    source: str


def make_cost(recipe: Recipe, home: Home) -> dict[str, Any]:
    """Say what one electrode will cost: the stages that the store lacks, and their time."""
    missing = missing_stages(recipe, home)
    rate = seen_rate(recipe, home)
    core_s = rate.core_s_per_bead * beads(recipe) * sum(SHARES[stage] for stage in missing)
    found = [stage for stage in STAGES if stage not in missing]
    return {
        "simulations": 1 if missing else 0,
        "beads": beads(recipe),
        "found": found,
        "missing": missing,
        "core_hours": core_s / 3600,
        "wall_s": core_s / min(recipe.numerics.ranks, os.cpu_count() or 1),
        "basis": rate.source,
    }


def study_cost(plan: Plan, home: Home) -> dict[str, Any]:
    """Say what a study will still cost, and how many of its trials are done.

    Of several sizes the start has its share of each; what proposals save by small volumes they spend on more of them.
    """
    budget = plan.problem.budget
    whole = budget.explored + budget.confirmations * budget.replicates
    events = Journal(home.journal(plan.study.name)).events()
    kinds = Counter(event["event"] for event in events)
    done = kinds["tell"] + kinds["fail"] - kinds["retry"]
    asked: list[Any] = [event for event in events if event["event"] == "ask"]
    shares = [event.get("share", 1) for event in asked if event["origin"] not in NOT_PROPOSED]
    rate, left = seen_rate(plan.base, home), max(0, whole - done + math.floor(len(shares) - sum(shares)))
    sizes, spared = _sizes(plan, asked)
    core_s = rate.core_s_per_bead * beads(plan.base) * max(0.0, left - spared)
    cores = min(plan.study.workers * plan.base.numerics.ranks, os.cpu_count() or 1)
    return {
        "simulations": left,
        "done": done,
        "budget": {"start": budget.start, "proposed": budget.proposed, "confirmations": whole - budget.explored},
        "beads": beads(plan.base),
        **sizes,
        "core_hours": core_s / 3600,
        "wall_s": core_s / cores,
        "cores": cores,
        "basis": rate.source,
    }


def _sizes(plan: Plan, asked: list[Any]) -> tuple[dict[str, Any], float]:
    """Return what a study's sizes cost, and what smaller ones of its start, as far as it is to be made, will save."""
    fidelity = plan.problem.fidelity
    if fidelity is None:
        return {}, 0.0
    shares = fidelity.shares(())
    begun = sum(event["origin"] == "sobol" for event in asked)
    left = (fidelity.of_start(number) for number in range(begun, plan.problem.budget.start))
    by_size = {f"{fidelity.value(level):g}": share for level, share in enumerate(shares)}
    return {"sizes": {"input": fidelity.name, "shares": by_size}}, sum(1 - shares[level] for level in left)


def beads(recipe: Recipe) -> int:
    """Return the number of beads in a recipe's volume."""
    amounts = balance(recipe)
    return amounts.active_beads + amounts.cbd_beads


def missing_stages(recipe: Recipe, home: Home) -> list[str]:
    """Return the stages that would have to be made."""
    store, chain = Store(home.store), identity(recipe)
    return [stage for stage in STAGES if store.get(stage, digest(chain[stage])) is None]


def seen_rate(recipe: Recipe, home: Home) -> Rate:
    """Return the rate of the electrodes of a like size that were made here, else that of the documentation."""
    size = beads(recipe)
    rates = [wall * ranks / many for many, ranks, wall in _made(home) if 1 / ALIKE < many / size < ALIKE]
    if rates:
        some = "one electrode" if len(rates) == 1 else f"the median of {len(rates)} electrodes"
        return Rate(statistics.median(rates), f"{some} of a like size made here")
    return Rate(CORE_S_PER_BEAD, "the documented cost, 16 ms a bead on one core (docs/performance.md)")


def _made(home: Home) -> Iterator[tuple[int, int, float]]:
    """Yield beads, ranks and seconds of each electrode that the journals say was made."""
    for name in home.studies():
        folder = home.study(name)
        yield from _singles(home.journal(name)) if name == SINGLE else _trials(home.journal(name), folder)


def _singles(journal: Path) -> Iterator[tuple[int, int, float]]:
    for event in Journal(journal).events():
        outcome: Any = event.get("outcome", {})
        if (wall := outcome.get("wall_s", 0)) > LEAST_S:
            try:
                recipe = Recipe.from_mapping(event["recipe"])  # type: ignore[arg-type]
            except ValueError:  # of another version
                continue
            yield beads(recipe), recipe.numerics.ranks, wall


def _trials(journal: Path, folder: Path) -> Iterator[tuple[int, int, float]]:
    """Take the size of a study's base recipe for that of all its trials, but for the side of their volume."""
    try:
        recipe = Recipe.from_mapping(read_yaml(folder / "study.yaml")["recipe"])
    except (ValueError, KeyError):  # of another version, or cut short
        return
    events = Journal(journal).events()
    sides: dict[Any, Any] = {one["number"]: one.get("fidelity") for one in events if one["event"] == "ask"}
    for event in events:
        wall: Any = event.get("wall_s", 0)
        if wall > LEAST_S:
            side = sides.get(event.get("number"))
            yield beads(recipe if side is None else recipe.with_values({SIDE: side})), recipe.numerics.ranks, wall
