"""How exactly inputs are kept in production: objectives are then means over what an input may turn out to be."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import Space, Variable
from mesoforge.surrogate.table import Array

_PERCENT: Final = re.compile(r"(?:±|\+-|\+/-)?\s*(\d+\.?\d*) ?%")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """An input lies within ``half`` of what was set, everywhere alike: in its own unit, or ``relative`` to its value.

    Raises:
        InputError: It is not positive, or a relative one not below 1.
    """

    name: str
    half: float
    relative: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.half < math.inf or (self.relative and self.half >= 1):
            raise InputError(f"the tolerance of {self.name} is {self.half:g}, but more than 0 was due: correct it")

    def __str__(self) -> str:
        """Say the tolerance as it is read."""
        return f"{self.name} ± {100 * self.half:g} %" if self.relative else f"{self.name} ± {self.half:g}"


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The tolerances of some of a space's variables.

    Raises:
        InputError: One is of no numeric variable.
    """

    each: tuple[Tolerance, ...]
    space: Space

    def __post_init__(self) -> None:
        numeric = [one.name for one in self.space.variables if not one.choices]
        for one in self.each:
            if one.name not in numeric:
                raise InputError(
                    f"a tolerance came for '{one.name}', which is no numeric variable: use {', '.join(numeric)}"
                )

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], space: Space) -> Tolerances:
        """Read tolerances such as ``{"calendering.pressure": "5 %", "formulation.solids_content": 0.01}``.

        Raises:
            InputError: One is neither a number nor a share in percent, or of no numeric variable.
        """
        return cls(tuple(_tolerance(name, said) for name, said in mapping.items()), space)

    def __len__(self) -> int:
        return len(self.each)

    def to_mapping(self) -> dict[str, list[float | bool]]:
        """Return what is written in a journal."""
        return {one.name: [one.half, one.relative] for one in self.each}

    def directions(self, count: int) -> Array:
        """Return where inputs may lie within their tolerances, (count, d) of [-1, 1], evenly; 0 for exact ones."""
        found = np.zeros((count, len(self.space.variables)))
        axes = [self.space.names.index(one.name) for one in self.each]
        found[:, axes] = 2 * sobol_points(len(axes), 0, count) - 1
        return np.asarray(found - found.mean(axis=0))

    def widths(self, X: Any) -> Any:  # noqa: ANN401 - an array or a tensor
        """Return half of the tolerances in the unit cube at points X (..., d)."""
        found = 0 * X
        for one in self.each:
            axis = self.space.names.index(one.name)
            found[..., axis] = _width(self.space.variables[axis], one, X[..., axis])
        return found

    def around(self, X: Array, count: int) -> Array:
        """Return what points X (n, d) may turn out to be, (n, count, d), within the unit cube."""
        widths: Array = self.widths(X)
        return np.asarray(np.clip(X[:, None] + widths[:, None] * self.directions(count), 0, 1))


def _width(variable: Variable, one: Tolerance, unit: Any) -> Any:  # noqa: ANN401
    """Return the half width in the unit cube: d unit / d value times the half width in the variable's own unit."""
    value = variable.unrounded(unit)
    half = one.half * abs(value) if one.relative else one.half
    if variable.scale == "log":
        return half / value / math.log(variable.high / variable.low)
    return half / (variable.high - variable.low)


def _tolerance(name: str, said: object) -> Tolerance:
    if isinstance(said, int | float) and not isinstance(said, bool):
        return Tolerance(name, float(said))
    found = _PERCENT.fullmatch(said.strip()) if isinstance(said, str) else None
    if found is None:
        raise InputError(f"the tolerance of {name} is {said!r}, but a number or a share as '5 %' was due: write one")
    return Tolerance(name, float(found[1]) / 100, relative=True)
