"""What the page of ``mesoforge explore`` shows: predictions, the nearest electrodes, and those made from the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mesoforge.errors import InputError
from mesoforge.experiments.home import Home
from mesoforge.experiments.learned import elsewhere, foretold, learned, varied, within
from mesoforge.experiments.report import hash_of
from mesoforge.experiments.slices import Slice, chosen_inputs, cut, rests
from mesoforge.experiments.study import SINGLE, Plan
from mesoforge.experiments.view import trial_key
from mesoforge.experiments.work import outcome_of
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.space import Variable
from mesoforge.optimize.trial import Measured, Value
from mesoforge.physics.recipe import Recipe
from mesoforge.surrogate.gp import GaussianProcess

BEYOND: Final = 0.15
"""How far a slider reaches beyond what was varied, over its span; as far as a recipe allows."""
PICTURES: Final = ("view_3d.png", "cross_section.png")
"""What is shown of an electrode, the first of them that was made."""
STEPS: Final = 200
"""Steps of a slider between the bounds of what was varied."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An electrode that was simulated: its name, inputs, properties, pictures, and how far off it is."""

    name: str
    values: Mapping[str, Value]
    properties: Mapping[str, float]
    folder: Path
    distance: float
    """In the unit cube of the study's variables."""


@dataclass(frozen=True, eq=False, slots=True)
class Explorer:
    """A study that was learned from; it never changes."""

    plan: Plan
    campaign: Campaign
    gp: GaussianProcess
    home: Home

    @classmethod
    def of(cls, home: Home, study: str) -> Explorer:
        """Learn from a study.

        Raises:
            InputError: as ``learned`` does.
        """
        return cls(*learned(home, study), home)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What the study varied."""
        return self.plan.problem.space.variables

    def start(self) -> dict[str, Value]:
        """Return the inputs that the page begins with."""
        return chosen_inputs(self.plan, self.campaign)

    def recipe(self, values: Mapping[str, Value]) -> Recipe:
        """Return the recipe of some inputs, with the study's own seed.

        Raises:
            InputError: no recipe allows them.
        """
        return self.plan.recipe_at(values, self.plan.study.seed)

    def foretell(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Return what the surrogate says of some inputs, as ``predict`` does."""
        return foretold(self.recipe(values), self.plan, self.gp)

    def cut(self, values: Mapping[str, Value], name: str) -> Slice:
        """Return the surrogate along one variable through some inputs, within what was learned."""
        return cut(self.gp, self.plan.problem.space, values, name)

    def nearest(self, values: Mapping[str, Value], count: int = 3) -> list[Neighbour]:
        """Return the electrodes made with the nearest inputs, those that ``mesoforge make`` made among them."""
        space = self.plan.problem.space
        here = space.to_unit(within(space, dict(values))[0])
        found: dict[str, Neighbour] = {}
        for name, there, properties, electrode in [*self._trials(), *self._singles()]:
            away = float(np.linalg.norm(space.to_unit(there) - here))
            found[electrode] = Neighbour(name, there, properties, self.home.portrait(electrode), away)
        return sorted(found.values(), key=lambda one: one.distance)[:count]

    def _trials(self) -> Iterator[tuple[str, dict[str, Value], Mapping[str, float], str]]:
        for trial in self.campaign.counted:
            if isinstance(trial.outcome, Measured):
                yield trial_key(trial.number), trial.values, trial.outcome.properties, hash_of(trial, self.plan)

    def _singles(self) -> Iterator[tuple[str, dict[str, Value], Mapping[str, float], str]]:
        """Yield what ``mesoforge make`` made of this study's recipe within its bounds."""
        path = self.home.journal(SINGLE)
        for event in Journal(path).reading().events() if path.is_file() else ():
            try:
                recipe, outcome = Recipe.from_mapping(_mapping(event["recipe"])), outcome_of(_mapping(event["outcome"]))
                values = varied(recipe, self.plan)
                strange = elsewhere(self.plan, recipe, values) or within(self.plan.problem.space, values)[1]
            except (InputError, KeyError):
                continue  # made by an older version, or of what the study does not vary
            if isinstance(outcome, Measured) and not strange:
                yield f"electrode {outcome.electrode[:12]}", values, outcome.properties, outcome.electrode


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def reach(variable: Variable, explorer: Explorer) -> tuple[float, float]:
    """Return how far the slider of a variable goes, in its unit interval: beyond 0 to 1 where a recipe allows it."""
    if variable.choices:
        return rests(variable)[0], rests(variable)[-1]
    low, high = 0.0, 1.0
    for beyond in (BEYOND, BEYOND / 3):
        low = -beyond if low == 0.0 and _allowed(variable, -beyond, explorer) else low
        high = 1 + beyond if high == 1.0 and _allowed(variable, 1 + beyond, explorer) else high
    return low, high


def value_at(variable: Variable, unit: float) -> Value:
    """Return the value at a slider's place, which may lie outside [0, 1]."""
    if variable.choices or 0 <= unit <= 1:
        return variable.from_unit(unit)
    span = variable.high / variable.low if variable.scale == "log" else variable.high - variable.low
    value = variable.low * span**unit if variable.scale == "log" else variable.low + span * unit
    return round(value) if variable.integer else value


def _allowed(variable: Variable, unit: float, explorer: Explorer) -> bool:
    try:
        explorer.recipe({**explorer.start(), variable.name: value_at(variable, unit)})
    except InputError:
        return False
    return True
