"""The variables of a campaign, their bounds, and the unit cube that models see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.trial import Value
from mesoforge.surrogate.table import Array

Scale: TypeAlias = Literal["linear", "log"]
SCALES = ("linear", "log")
KEYS = ("low", "high", "scale", "integer")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable between ``low`` and ``high``, in user units, both reachable; integers have bins of equal width.

    Raises:
        InputError: The bounds are not finite or not in order, or a log scale meets a bound that is not positive.
    """

    name: str
    low: float
    high: float
    scale: Scale = "linear"
    integer: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self)
        _check_scale(self)

    def to_unit(self, value: float) -> float:
        """Return where a value lies between the bounds on this scale, in [0, 1].

        Raises:
            InputError: The value is out of bounds.
        """
        if not self.low <= value <= self.high:
            raise InputError(f"{self.name} is {value}, but {self.low} to {self.high} was due: stay within the bounds")
        start, end = self._edges()
        return (self._scaled(value) - start) / (end - start)

    def from_unit(self, unit: float) -> float | int:
        """Return the value at a place in [0, 1]: the inverse of `to_unit`, within the bounds to the last bit."""
        start, end = self._edges()
        value = self.high if unit == 1 else self._unscaled(start + unit * (end - start))
        return int(self._clip(round(value))) if self.integer else self._clip(value)

    def _edges(self) -> tuple[float, float]:
        margin = 0.5 if self.integer else 0.0
        return self._scaled(self.low - margin), self._scaled(self.high + margin)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.scale == "log" else float(value)

    def _unscaled(self, value: float) -> float:
        return math.exp(value) if self.scale == "log" else value

    def _clip(self, value: float) -> float:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Space:
    """The variables of a campaign, in order.

    Raises:
        InputError: There is no variable, or two of one name.
    """

    variables: tuple[Variable, ...]

    def __post_init__(self) -> None:
        if not self.variables:
            raise InputError("no variable came, but at least one was due: name one with its low and high bound")
        if len(set(self.names)) < len(self.names):
            raise InputError(f"the variables are {', '.join(self.names)}, but each was due once: drop the second")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Mapping[str, object]]) -> Space:
        """Read a study's variables, as in ``{"calendering.pressure": {"low": 5, "high": 150, "scale": "log"}}``.

        Raises:
            InputError: A key is unknown or missing, a bound is no number, or a variable is wrong.
        """
        return cls(tuple(_variable(name, fields) for name, fields in mapping.items()))

    def to_mapping(self) -> dict[str, dict[str, Value]]:
        """Return what `from_mapping` reads, with every key."""
        return {one.name: {key: value for key, value in asdict(one).items() if key != "name"} for one in self.variables}

    @property
    def names(self) -> tuple[str, ...]:
        """The variables' names, in the order of the unit cube's axes."""
        return tuple(one.name for one in self.variables)

    def to_unit(self, values: Mapping[str, Value]) -> Array:
        """Return values by name as a point (d,) of the unit cube.

        Raises:
            InputError: A variable is missing, unknown, no number or out of bounds.
        """
        if set(values) != set(self.names):
            raise InputError(
                f"values came for {sorted(values)}, but were due for {sorted(self.names)}: give just these"
            )
        return np.array([one.to_unit(_number(one.name, "value", values[one.name])) for one in self.variables])

    def from_unit(self, point: Array) -> dict[str, Value]:
        """Return a point (d,) of the unit cube as values by name, in user units."""
        return {one.name: one.from_unit(float(unit)) for one, unit in zip(self.variables, point, strict=True)}

    def snap(self, point: Array) -> Array:
        """Return the point of the unit cube whose values a proposal at ``point`` would get."""
        return self.to_unit(self.from_unit(point))

    def rows(self, many: Sequence[Mapping[str, Value]]) -> Array:
        """Return many values by name as points (n, d) of the unit cube."""
        return np.array([self.to_unit(values) for values in many]).reshape(len(many), len(self.variables))


def _check_bounds(one: Variable) -> None:
    if not (math.isfinite(one.low) and math.isfinite(one.high) and one.low < one.high):
        raise InputError(
            f"{one.name} goes from {one.low} to {one.high}, but low < high was due: give finite bounds in order"
        )
    if one.integer and not (float(one.low).is_integer() and float(one.high).is_integer()):
        raise InputError(f"{one.name} goes from {one.low} to {one.high}, but is an integer: give whole bounds")


def _check_scale(one: Variable) -> None:
    if one.scale not in SCALES:
        raise InputError(f"{one.name} has scale {one.scale!r}, but {' or '.join(SCALES)} was due: choose one")
    if one.scale == "log" and one.low <= 0:
        raise InputError(
            f"{one.name} has a log scale from {one.low}, but a positive low was due: raise it or use linear"
        )


def _variable(name: str, fields: object) -> Variable:
    if not isinstance(fields, Mapping):
        raise InputError(f"{name} is {fields!r}, but a mapping was due: give it low and high")
    if unknown := set(fields) - set(KEYS):
        raise InputError(f"{name} has the key {sorted(unknown)[0]!r}, but only {', '.join(KEYS)} are known: correct it")
    if missing := {"low", "high"} - set(fields):
        raise InputError(f"{name} has no {sorted(missing)[0]!r}, but low and high were due: give both")
    if not isinstance(fields.get("integer", False), bool):
        raise InputError(f"{name} has integer {fields['integer']!r}, but true or false was due: choose one")
    low, high = (_number(name, key, fields[key]) for key in ("low", "high"))
    return Variable(name, low, high, fields.get("scale", "linear"), fields.get("integer", False))


def _number(name: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} has {key} {value!r}, but a number was due: write one")
    return float(value)
