"""What a campaign demands of properties beyond its aims: bounds that a measured property must keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mesoforge.errors import InputError
from mesoforge.optimize.several import Several, check_keys, number
from mesoforge.optimize.trial import Value
from mesoforge.surrogate.table import Array

KEYS = ("at_least", "at_most", "between")


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds of one property in its own unit, both allowed; an open side is infinite.

    Raises:
        InputError: The bounds are no numbers, not in order, or both open.
    """

    name: str
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high) or not (math.isfinite(self.low) or math.isfinite(self.high)):
            raise InputError(f"{self.name} is limited by {self.low} and {self.high}, but a number was due: give one")
        if self.low >= self.high:
            raise InputError(
                f"{self.name} is to be at least {self.low:g} and at most {self.high:g}, which nothing can be: "
                "correct one of the two"
            )

    def excess(self, y: Array) -> Array:
        """Return how far values lie outside, elementwise, in shares of the bounds' own size; 0 within."""
        sizes = [abs(bound) for bound in (self.low, self.high) if math.isfinite(bound) and bound != 0]
        outside = np.maximum(np.maximum(self.low - y, y - self.high), 0)
        return np.asarray(outside / (max(sizes) if sizes else 1.0))

    def shifted(self, by: float) -> Limit:
        """Return the limit of what lies lower by so much."""
        return replace(self, low=self.low - by, high=self.high - by)

    def margin(self, y: float) -> float:
        """Return how far a value lies outside, in the property's unit; negative within."""
        return max(self.low - y, y - self.high)

    def __str__(self) -> str:
        """Say the limit in words."""
        if not math.isfinite(self.high):
            return f"{self.name} at least {self.low:g}"
        if not math.isfinite(self.low):
            return f"{self.name} at most {self.high:g}"
        return f"{self.name} between {self.low:g} and {self.high:g}"

    def to_mapping(self) -> dict[str, Value]:
        """Return what `Limits.from_mapping` reads."""
        sides = {"at_least": self.low, "at_most": self.high}
        return {key: bound for key, bound in sides.items() if math.isfinite(bound)}


def at_least(name: str, value: float) -> Limit:
    """Return the demand that a property is not below a value."""
    return Limit(name, low=value)


def at_most(name: str, value: float) -> Limit:
    """Return the demand that a property is not above a value."""
    return Limit(name, high=value)


def between(name: str, low: float, high: float) -> Limit:
    """Return the demand that a property lies between two values."""
    return Limit(name, low, high)


@dataclass(frozen=True, slots=True)
class Limits(Several[Limit]):
    """The limits of a campaign, in order.

    Raises:
        InputError: There are two of one property.
    """

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.each):
            raise InputError(f"the constraints are on {', '.join(self.names)}, but each was due once: join the two")

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> Limits:
        """Read a study's constraints, as ``{"capacity": {"at_least": 2.5}, "porosity": {"between": [0.28, 0.35]}}``.

        Raises:
            InputError: A key is unknown, a bound is no number, or both bounds exclude each other.
        """
        return cls(tuple(_limit(name, entry) for name, entry in mapping.items()))

    def excess(self, Y: Array, names: Sequence[str]) -> Array:
        """Return by how much the rows of Y (n, k), whose columns have these names, break the limits, (n,); 0 if kept.

        Several excesses add up.
        """
        columns = [one.excess(Y[:, names.index(one.name)]) for one in self.each]
        return np.asarray(np.sum([np.zeros(len(Y)), *columns], axis=0))

    def kept(self, Y: Array, names: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return which rows of Y keep every limit, (n,)."""
        return np.asarray(self.excess(Y, names) == 0)


def _limit(name: str, entry: object) -> Limit:
    if not isinstance(entry, Mapping) or not entry:
        raise InputError(f"{name} is limited by {entry!r}, but a mapping with {' or '.join(KEYS)} was due: write one")
    check_keys(name, entry, KEYS)
    if "between" not in entry:
        sides = [number(name, key, entry.get(key, end)) for key, end in zip(KEYS, (-math.inf, math.inf), strict=False)]
        return Limit(name, *sides)
    pair = entry["between"]
    if len(entry) > 1 or not isinstance(pair, list | tuple) or len(pair) != 2:
        raise InputError(f"{name} is limited by {dict(entry)}, but between alone with two numbers was due: write those")
    return Limit(name, *(number(name, "between", value) for value in pair))
