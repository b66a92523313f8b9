"""What a measured property is: a number with its unit, or a word where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mesoforge.physics.showing import html_table
from mesoforge.physics.voxels import Voxels

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Property:
    """What a property is and in which unit it is given."""

    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Conductors:
    """What the phases of an image conduct, and how much of the CBD is pore."""

    nanoporosity: float = 0.5
    """Volume fraction of nanopores inside the CBD."""
    cbd: float | None = None
    """Ionic conductivity of the CBD relative to free electrolyte; by default nanoporosity^1.5 (Bruggeman)."""
    active: float = 1e-3
    """Electronic conductivity of the active material relative to the CBD's (assumed)."""

    @property
    def ionic_cbd(self) -> float:
        """Ionic conductivity of the CBD relative to free electrolyte."""
        return self.nanoporosity**1.5 if self.cbd is None else self.cbd


Found = Mapping[str, float | str]
"""By name a number, or a word that says why there is none."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to measure an image: a name, the properties it finds, and the function that does."""

    name: str
    properties: Mapping[str, Property]
    run: Callable[[Voxels, Conductors], Found]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A property of one electrode: a value, or a word in its place; ``spread`` is its standard error where known."""

    name: str
    unit: str
    meaning: str
    value: float | None
    word: str = ""
    spread: float | None = None


@dataclass(frozen=True, slots=True)
class Properties:
    """All that was measured on one electrode, by name."""

    quantities: Mapping[str, Quantity] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Quantity:
        """Return a property by name."""
        return self.quantities[name]

    def __repr__(self) -> str:
        """Say how many there are, and the first of them with their units."""
        first = [
            f"{one.name} {one.value:.4g} {one.unit}".strip()
            for one in self.quantities.values()
            if one.value is not None
        ]
        return f"Properties of {len(self.quantities)}: {', '.join(first[:4])}{', ...' if len(first) > 4 else ''}"

    def _repr_html_(self) -> str:
        """Show all of them in a notebook, with unit and meaning, and a word where there is no value."""
        rows = [
            (one.name, one.word if one.value is None else one.value, one.unit, one.meaning)
            for one in self.quantities.values()
        ]
        return html_table("Properties", ("property", "value", "unit", "meaning"), rows)

    @property
    def numbers(self) -> dict[str, float]:
        """The values by name; what has none is left out."""
        return {name: one.value for name, one in self.quantities.items() if one.value is not None}

    def to_json(self) -> dict[str, Any]:
        """Return plain values: per name value, unit, meaning, and word or spread where there is one."""
        return {name: _plain(one) for name, one in self.quantities.items()}

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with a row per property: value, unit, spread, word, meaning."""
        import pandas as pd

        rows = [
            {"value": one.value, "unit": one.unit, "spread": one.spread, "word": one.word, "meaning": one.meaning}
            for one in self.quantities.values()
        ]
        return pd.DataFrame(rows, index=pd.Index(self.quantities, name="property"))


def _plain(one: Quantity) -> dict[str, Any]:
    plain: dict[str, Any] = {"value": one.value, "unit": one.unit, "meaning": one.meaning}
    return plain | ({"word": one.word} if one.word else {}) | ({} if one.spread is None else {"spread": one.spread})


def quantity(name: str, what: Property, found: float | str) -> Quantity:
    """Return what was found as a quantity; a number that is not finite becomes a word."""
    if isinstance(found, str):
        return Quantity(name, what.unit, what.meaning, None, found)
    if not math.isfinite(found):
        return Quantity(name, what.unit, what.meaning, None, "infinite" if math.isinf(found) else "undefined")
    return Quantity(name, what.unit, what.meaning, float(found))
