"""What a campaign wants of the properties, as scores of which more is better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from mesoforge.errors import InputError
from mesoforge.optimize.limits import Limit, Limits
from mesoforge.optimize.several import Several, check_keys, number
from mesoforge.optimize.trial import Value
from mesoforge.surrogate.table import Array

if TYPE_CHECKING:
    from torch import Tensor

Goal: TypeAlias = Literal["minimize", "maximize", "match"]
GOALS = ("minimize", "maximize", "match")
PROPORTIONAL = ("tortuosity_factor", "macmullin_number", "cbd_hindrance")
"""How the names of properties begin that scatter and err in proportion to themselves: their logarithm is learned.

They resist transport, and never are near 0; rows left out are foretold with a higher density so, and no better of most
else (decision 0025).
"""
KEYS = ("goal", "match", "tolerance", "threshold", "weight")
TINY = 1e-12  # keeps the slope of a root finite where every target is met
Numbers = TypeVar("Numbers", "float", "Array", "Tensor")
Many = TypeVar("Many", "Array", "Tensor")


@dataclass(frozen=True, slots=True)
class Objective:
    """What is wanted of one property y: its score is y, -y, or -|y - target| / tolerance.

    ``target``, ``tolerance`` and ``threshold`` have the property's unit. ``threshold`` is the worst value of use; when
    matching, the largest distance from the target that is. ``weight`` is what one unit of the score is worth.

    Raises:
        InputError: The goal is unknown, a target and a tolerance > 0 do not go with it, or a weight is not positive.
    """

    name: str
    goal: Goal
    target: float | None = None
    tolerance: float | None = None
    threshold: float | None = None
    weight: float | None = None

    def __post_init__(self) -> None:
        _check_goal(self)
        _check_target(self)

    def score(self, y: Numbers) -> Numbers:
        """Return the score of measured or sampled values, elementwise."""
        if self.target is not None and self.tolerance is not None:
            return -abs(y - self.target) / self.tolerance
        return y if self.goal == "maximize" else -y

    def shifted(self, by: float) -> Objective:
        """Return what is wanted of a property that lies lower by so much."""
        if self.target is not None:
            return replace(self, target=self.target - by)
        return self if self.threshold is None else replace(self, threshold=self.threshold - by)

    @property
    def worst_score(self) -> float | None:
        """The score at the threshold, if there is one."""
        if self.threshold is None:
            return None
        return -self.threshold / self.tolerance if self.tolerance is not None else self.score(self.threshold)

    def to_mapping(self) -> dict[str, Value]:
        """Return what `Objectives.from_mapping` reads."""
        fields = {key: getattr(self, "target" if key == "match" else key) for key in KEYS[1:]}
        known: dict[str, Value] = {key: value for key, value in fields.items() if value is not None}
        return {"goal": self.goal, **known}


@dataclass(frozen=True, slots=True)
class Objectives(Several[Objective]):
    """The objectives of a campaign, in order, and its limits; none where the space is only to be sampled.

    With weights there is one aim, the sum of all scores times their weights.

    Raises:
        InputError: There are two of one property, some have a weight and others none, or an objective and a limit
            exclude each other.
    """

    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.each):
            raise InputError(f"the objectives are {', '.join(self.names)}, but each was due once: drop the second")
        bare = [one.name for one in self.each if one.weight is None]
        if 0 < len(bare) < len(self.each):
            raise InputError(f"{', '.join(bare)} came without a weight, but others have one: give all one, or none")
        for limit in self.limits.each:
            for one in self.each:
                _check_agree(one, limit)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], limits: Mapping[str, object] | None = None) -> Objectives:
        """Read a study's objectives, by property, and its limits as `Limits.from_mapping` does.

        Each objective is "minimize", "maximize", ``{"match": 0.30, "tolerance": 0.01}``, or with a threshold
        ``{"goal": "minimize", "threshold": 3.0}``.

        Raises:
            InputError: A key or goal is unknown, a number is none, or a target lacks its tolerance.
        """
        each = tuple(_objective(name, entry) for name, entry in mapping.items())
        return cls(each, Limits.from_mapping(limits or {}))

    @property
    def outputs(self) -> tuple[str, ...]:
        """All properties that matter, in the order of the columns of Y: objectives, then what else has a limit."""
        return tuple(dict.fromkeys((*self.names, *self.limits.names)))

    def logs(self, Y: Array) -> tuple[str, ...]:
        """Return which outputs are learned by their logarithm, of values Y (n, k): of `PROPORTIONAL`, positive ones."""
        pairs = zip(self.outputs, Y.T, strict=True)
        return tuple(name for name, y in pairs if name.startswith(PROPORTIONAL) and bool(np.all(y > 0)))

    def shifted(self, by: Mapping[str, float]) -> Objectives:
        """Return the objectives of a simulation of which measured properties lie higher by so much."""
        each = tuple(one.shifted(by.get(one.name, 0.0)) for one in self.each)
        return Objectives(each, Limits(tuple(one.shifted(by.get(one.name, 0.0)) for one in self.limits.each)))

    def row(self, properties: Mapping[str, float]) -> Array:
        """Return the outputs' values (k,).

        Raises:
            InputError: One is missing or not finite.
        """
        for name in self.outputs:
            if not math.isfinite(properties.get(name, math.nan)):
                raise InputError(
                    f"{name} is {properties.get(name, 'missing')}, but a finite number was due for each objective "
                    "and constraint: tell a failure where the physics failed"
                )
        return np.array([float(properties[name]) for name in self.outputs])

    def scores(self, Y: Array) -> Array:
        """Return the scores (n, m) of outputs Y (n, k): larger is better in every column."""
        columns = [one.score(column) for one, column in zip(self.each, Y.T, strict=False)]
        return np.column_stack(columns) if columns else np.empty((len(Y), 0))

    @property
    def one_aim(self) -> bool:
        """Whether there is one number to follow: a single objective, targets only, or weighted ones."""
        return len(self) == 1 or bool(self.weights) or (len(self) > 1 and all(one.goal == "match" for one in self.each))

    @property
    def weights(self) -> tuple[float, ...]:
        """What one unit of each score is worth; nothing where no weights were asked for."""
        return tuple(one.weight for one in self.each if one.weight is not None)

    def aims(self, Y: Array) -> Array:
        """Return what a strategy follows, (n, 1 or m): the scores, or where there is one aim its score."""
        scores = self.scores(Y)
        return self.joined(scores)[:, None] if self.one_aim and len(self) > 1 else scores

    def joined(self, scores: Many) -> Many:
        """Return the score (...,) of the one aim, of scores (..., m): weighted, or of targets alone by their rms."""
        if not self.weights:
            return scores[..., 0] if len(self) == 1 else together(scores)
        weighted = [weight * scores[..., column] for column, weight in enumerate(self.weights)]
        return sum(weighted[1:], start=weighted[0])

    def shortfall(self, Y: Array) -> Array:
        """Return by how many tolerances beyond the first the worst match of each row of Y (n, k) misses; 0 if none."""
        return np.asarray(np.max(self.misses(Y), axis=1, initial=0.0))

    def misses(self, Y: Array) -> Array:
        """Return by how many tolerances beyond the first each match is missed, (n, matches); negative within it."""
        found = [-one.score(y) - 1 for one, y in zip(self.each, Y.T, strict=False) if one.goal == "match"]
        return np.array(found).reshape(len(found), len(Y)).T

    def met(self, name: str, value: float) -> bool | None:
        """Return whether a value meets its target and keeps its limit; none where neither is set."""
        asked = [one.score(value) >= -1 for one in self.each if one.name == name and one.goal == "match"]
        asked += [one.margin(value) <= 0 for one in self.limits.each if one.name == name]
        return all(asked) if asked else None

    def excess(self, Y: Array) -> Array:
        """Return by how much each row of Y (n, k) breaks the limits, (n,); 0 where it keeps them."""
        return self.limits.excess(Y, self.outputs)

    def feasible(self, Y: Array) -> npt.NDArray[np.bool_]:
        """Return which rows of Y (n, k) keep every limit, (n,)."""
        return np.asarray(self.excess(Y) == 0)


def together(scores: Many) -> Many:
    """Return the one score (...,) of several targets' scores (..., m): minus the rms mismatch in tolerances."""
    mean: Many = (scores**2).mean(-1)
    return -((mean + TINY) ** 0.5)


def _check_goal(one: Objective) -> None:
    if one.goal not in GOALS:
        raise InputError(f"{one.name} has the goal {one.goal!r}, but {', '.join(GOALS)} are known: choose one")
    numbers = [value for value in (one.target, one.tolerance, one.threshold, one.weight) if value is not None]
    if not all(math.isfinite(value) for value in numbers):
        raise InputError(f"{one.name} holds a number that is not finite, but finite ones were due: correct it")
    if one.weight is not None and one.weight <= 0:
        raise InputError(f"{one.name} has the weight {one.weight:g}, but more than 0 was due: raise it, or drop it")


def _check_target(one: Objective) -> None:
    given = [value is not None for value in (one.target, one.tolerance)]
    if one.goal != "match" and any(given):
        raise InputError(f"{one.name} has a target or tolerance, but its goal is to {one.goal}: drop one of them")
    if one.goal == "match" and not (all(given) and (one.tolerance or 0) > 0):
        raise InputError(f"{one.name} is to be matched, but no target with a tolerance above 0 came: give both")
    if one.goal == "match" and one.threshold is not None and one.threshold <= 0:
        raise InputError(
            f"{one.name} has the threshold {one.threshold}, but when matching it is the largest distance from the "
            "target that is of use: give a positive one"
        )


def _check_agree(one: Objective, limit: Limit) -> None:
    """Refuse a limit that leaves nothing of an objective's target or threshold."""
    if one.name != limit.name:
        return
    if one.target is not None and one.tolerance is not None:
        if one.target + one.tolerance < limit.low or one.target - one.tolerance > limit.high:
            raise InputError(
                f"{one.name} is to match {one.target:g} within {one.tolerance:g}, but the constraints want {limit}: "
                "move the target or the constraint"
            )
    elif one.threshold is not None and (
        limit.low > one.threshold if one.goal == "minimize" else limit.high < one.threshold
    ):
        raise InputError(
            f"{one.name} is of use {'up' if one.goal == 'minimize' else 'down'} to {one.threshold:g}, but the "
            f"constraints want {limit}: move the threshold or the constraint"
        )


def _objective(name: str, entry: object) -> Objective:
    fields = {"goal": entry} if isinstance(entry, str) else entry
    if not isinstance(fields, Mapping):
        raise InputError(f"{name} is {entry!r}, but minimize, maximize or a mapping with match was due: write one")
    check_keys(name, fields, KEYS)
    goal = fields.get("goal", "match" if "match" in fields else "missing")
    numbers = {key: None if (said := fields.get(key)) is None else number(name, key, said) for key in KEYS[1:]}
    return Objective(name, goal, *numbers.values())
