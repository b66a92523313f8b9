"""What a study's surrogate says without a simulation: a prediction for a recipe, and which inputs matter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from mesoforge.errors import InputError
from mesoforge.experiments.assessing import assessed
from mesoforge.experiments.drive import kept_campaign, kept_plan
from mesoforge.experiments.home import Home
from mesoforge.experiments.study import Plan
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Value
from mesoforge.physics.recipe import Recipe
from mesoforge.surrogate.gp import GaussianProcess, loo
from mesoforge.surrogate.validation import NORMAL_95, least_sd

LITTLE = 0.7
"""Of an output's spread: where the surrogate knows a function no better than this, little was learned nearby."""


def learned(home: Home, study: str) -> tuple[Plan, Campaign, GaussianProcess]:
    """Return a study with its surrogate.

    Raises:
        InputError: There is no such study, it has no objectives, or fewer than two trials were measured.
    """
    if study not in home.studies():
        raise InputError(
            f"there is no study '{study}' in '{home.root}': use one of {', '.join(home.studies()) or 'none yet'}."
        )
    plan = kept_plan(home, study)
    campaign = kept_campaign(plan, home)
    fitted = campaign.surrogate() if len(plan.problem.objectives) else None
    if not isinstance(fitted, GaussianProcess):
        raise InputError(
            f"'{study}' has {len(campaign.measured)} measured trials and {len(plan.problem.objectives)} objectives, "
            "but a surrogate needs two trials and one objective: let the study run on, or use another one."
        )
    return plan, campaign, fitted


def predict(recipe: Recipe, home: Home, study: str) -> dict[str, Any]:
    """Return mean, sd and 95 % interval of each objective for one new electrode of a recipe, and what to mind."""
    plan, _, gp = learned(home, study)
    return foretold(recipe, plan, gp)


def foretold(recipe: Recipe, plan: Plan, gp: GaussianProcess) -> dict[str, Any]:
    """Return what `predict` does, by a surrogate that is at hand."""
    values = varied(recipe, plan)
    inside, notes = within(plan.problem.space, values)
    point = plan.problem.space.to_unit(inside)[None]
    mean, sd = gp.predict(point)
    sd = np.maximum(sd, least_sd(gp, mean))[0]
    notes += elsewhere(plan, recipe, values) + _unlearned(gp, point)
    columns = zip(gp.table.names, mean[0].tolist(), sd.tolist(), loo(gp).r2.values(), strict=True)
    return {
        "study": plan.study.name,
        "measured": len(gp.table),
        **({} if (sizes := plan.problem.fidelity) is None else {"size": {sizes.name: sizes.target}}),
        "values": values,
        "outside": bool(notes),
        "notes": notes,
        "properties": {
            name: {"mean": m, "sd": s, "low": m - NORMAL_95 * s, "high": m + NORMAL_95 * s, "loo_r2": _plain(r2)}
            for name, m, s, r2 in columns
        },
    }


def sensitivity(home: Home, study: str) -> dict[str, Any]:
    """Return first and total Sobol indices of each objective by variable, with error bars."""
    plan, _, gp = learned(home, study)
    return indices(plan, gp)


def indices(plan: Plan, gp: GaussianProcess) -> dict[str, Any]:
    """Return what ``sensitivity`` does, of a surrogate that is at hand."""
    from mesoforge.surrogate.sensitivity import sobol_indices

    names = plan.problem.space.names
    return {
        "study": plan.study.name,
        "measured": len(gp.table),
        "loo_r2": {name: _plain(value) for name, value in loo(gp).r2.items()},
        "properties": {
            output: {
                name: {
                    "first": float(one.first[axis]),
                    "first_sd": float(one.first_sd[axis]),
                    "total": float(one.total[axis]),
                    "total_sd": float(one.total_sd[axis]),
                }
                for axis, name in enumerate(names)
            }
            for output, one in sobol_indices(gp).items()
        },
    }


def assess(home: Home, study: str) -> dict[str, Any]:
    """Validate a study's surrogate on recipes that are left out; write figures and findings to its folder.

    Raises:
        InputError: there is no such study, or it has measured too few recipes.
    """
    plan, _, gp = learned(home, study)
    return assessed(gp, plan, home.study(study))


def varied(recipe: Recipe, plan: Plan) -> dict[str, Value]:
    """Return what a study varies of a recipe, as the study says it.

    Raises:
        InputError: the recipe does not give it.
    """
    said = recipe.flat()
    if missing := [name for name in plan.problem.space.names if name not in said]:
        raise InputError(f"the recipe does not give '{missing[0]}', which '{plan.study.name}' varies: add it.")
    return {one.name: plan.chosen(one, said[one.name]) for one in plan.problem.space.variables}


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None


def within(space: Space, values: dict[str, Value]) -> tuple[dict[str, Value], list[str]]:
    """Return the values moved to the nearest bounds, and a sentence on each that was."""
    inside, notes = dict(values), []
    for one in space.variables:
        if one.choices:
            one.to_unit(values[one.name])
            continue
        value = float(values[one.name])
        if not one.low <= value <= one.high:
            inside[one.name] = min(max(value, one.low), one.high)
            notes.append(
                f"{one.name} is {value:g}, outside the {one.low:g} to {one.high:g} that was learned: what is foretold "
                f"is for {inside[one.name]:g}."
            )
    return inside, notes


def elsewhere(plan: Plan, recipe: Recipe, values: dict[str, Value]) -> list[str]:
    """Say what else of the recipe differs from all that the study made."""
    made = plan.recipe_at(values, recipe.seed).flat()
    averaged, sizes = () if plan.draws is None else plan.draws.names, plan.problem.fidelity
    return [
        f"{name} is {value}, but what is foretold is for {sizes.target:g}."
        if sizes is not None and name == sizes.name
        else f"{name} is {value}, but was {made.get(name)} in all that was learned from: its effect is unknown."
        for name, value in recipe.flat().items()
        if name not in averaged and not _same(made.get(name), value)
    ]


def _same(one: Value | None, other: Value) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9)
    return one == other


def _unlearned(gp: GaussianProcess, point: np.ndarray) -> list[str]:
    return [
        f"little was learned of {name} near this recipe: simulate it, or some like it."
        for name, share in zip(gp.table.names, gp.unlearned(point)[0], strict=True)
        if LITTLE < share < np.inf
    ]


def rows(value: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield output, variable and indices of what ``sensitivity`` returned, the largest total first."""
    for output, inputs in value["properties"].items():
        for name, one in sorted(inputs.items(), key=lambda item: -item[1]["total"]):
            yield output, name, one
