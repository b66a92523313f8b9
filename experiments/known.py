"""What was made before and serves a new study: electrodes of its recipe, within its bounds, by today's physics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments.home import Home
from mesoforge.experiments.study import Plan
from mesoforge.experiments.work import electrode_name
from mesoforge.optimize.trial import Measured, Value
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.record import read_yaml

SAME: Final = 1e-9
"""Relative difference up to which two inputs are one."""


@dataclass(frozen=True, slots=True)
class Known:
    """An electrode that was made before: where it lies in the study's space, its seed, what it measured."""

    values: dict[str, Value]
    seed: int
    outcome: Measured
    fidelity: float | None = None


def known_electrodes(plan: Plan, home: Home) -> list[Known]:
    """Return the electrodes in the home that the study might have made itself, by name.

    Their recipes differ from the base recipe in the study's variables and the seed alone, today's physics would name
    them as they are named, and they have every property that the study needs. Where the study has several sizes they
    may be of any of these.
    """
    folders = sorted(path.parent for path in (home.root / "portraits").glob("*/properties.json"))
    return [known for folder in folders for known in _known(folder, plan)]


def _known(folder: Path, plan: Plan) -> Iterator[Known]:
    try:
        recipe = Recipe.from_mapping(read_yaml(folder / "recipe.yaml"))
        found = json.loads((folder / "properties.json").read_text(encoding="utf-8"))["properties"]
        values = _values(recipe, plan)
        plan.problem.space.to_unit(values)
        plan.problem.objectives.row(found)
        size = recipe.volume.side if plan.problem.fidelity else None
        same = _same(plan.recipe_at(values, recipe.seed, size), recipe) and folder.name == electrode_name(recipe)[:24]
    except (OSError, ValueError, KeyError, InputError):
        return  # of another study, another physics, or half written: nothing that this study can use
    if plan.problem.fidelity is not None and size not in plan.problem.fidelity.values:
        return
    if same and plan.problem.space.allows(plan.problem.space.to_unit(values)):
        outcome = Measured({name: float(value) for name, value in found.items()}, electrode_name(recipe))
        yield Known(values, recipe.seed, outcome, size)


def _values(recipe: Recipe, plan: Plan) -> dict[str, Value]:
    said: dict[str, Any] = recipe.flat()
    return {
        one.name: plan.chosen(one, int(value) if one.integer and not one.choices else value)
        for one in plan.problem.space.variables
        for value in (said[one.name],)
    }


def _same(one: Recipe, other: Recipe) -> bool:
    first, second = one.flat(), other.flat()
    return set(first) == set(second) and all(_equal(first[name], second[name]) for name in first)


def _equal(one: Value, other: Value) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=SAME)
    return one == other
