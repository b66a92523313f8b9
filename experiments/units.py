"""Properties as people read them: a name, a unit and the factor between what is stored and what is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mesoforge.experiments.rates import property_of


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a property is shown: ``shown = scale * stored``, in ``unit`` (empty: it has none)."""

    label: str
    unit: str = ""
    scale: float = 1.0

    @property
    def axis(self) -> str:
        """The label of an axis, with the unit if there is one."""
        return with_unit(self.label, self.unit)


def with_unit(label: str, unit: str) -> str:
    """Return the label of an axis; a plain number has no unit, and none is written."""
    return f"{label} ({unit})" if unit else label


def _fraction(label: str) -> Quantity:
    return Quantity(label, "%", 100.0)


def _words(name: str) -> str:
    text = name.replace("_", " ").replace("cbd", "CBD")
    return text[:1].upper() + text[1:]


def typeset(text: str) -> str:
    """Return text with its units as people write them: um as µm, cm3 as cm³."""
    return _SQUARES.sub(lambda found: found[1] + "²³"[int(found[2]) - 2], _MICRO.sub("µ", text))


_MICRO: Final = re.compile(r"(?<![\w.])u(?=[ms]\b)")
_SQUARES: Final = re.compile(r"((?<![\w.])[cmµ]?m)([23])\b")
_MOST: Final = 1e6
_SHARES: Final = (
    "porosity_voxels", "porosity_bulk", "porosity_bulk_under_load", "dried_porosity_bulk", "porosity_resolved",
    "porosity_open", "porosity_closed", "cbd_nanoporosity", "active_fraction", "cbd_fraction", "percolating_z",
    "dead_ends_z", "active_surface_share", "cbd_coverage", "collector_coverage_active", "collector_coverage_cbd",
    "broken_bonds", "broken_bonds_under_load", "cracked_particles", "cracked_volume", "bonded_volume",
)  # fmt: skip
"""Properties that are shares of a whole, named by their own names."""
QUANTITIES: Final[dict[str, Quantity]] = {name: _fraction(_words(name)) for name in _SHARES} | {
    "porosity": _fraction("Porosity"),
    "dried_porosity": _fraction("Porosity before calendering"),
    "porosity_under_load": _fraction("Porosity under load"),
    "compression_under_load": _fraction("Compression under load"),
    "compression_after_release": _fraction("Compression after release"),
    "tortuosity_factor_z": Quantity("Tortuosity factor through the thickness"),
    "electrode_density": Quantity("Electrode density", "g/cm³"),
    "slurry_density": Quantity("Slurry density", "g/cm³"),
    "mass_loading": Quantity("Mass loading", "mg/cm²"),
    "areal_capacity": Quantity("Areal capacity", "mAh/cm²"),
    "volumetric_capacity": Quantity("Volumetric capacity", "mAh/cm³"),
    "thickness": Quantity("Thickness", "µm"),
    "dried_thickness": Quantity("Thickness before calendering", "µm"),
    "thickness_under_load": Quantity("Thickness under load", "µm"),
    "calendering_pressure": Quantity("Calendering pressure", "MPa"),
    "wall_s": Quantity("Computing time", "s"),
}


def rounded(value: float, digits: int = 3) -> str:
    """Return a number for an axis: 1500 and not 1.5e+03."""
    short = float(f"{value:.{digits}g}")
    return f"{short:.0f}" if 10**digits <= abs(short) < _MOST else f"{short:g}"


def quantity(name: str) -> Quantity:
    """Return how a property is shown; one that is not in the table by its own name, in the unit of its record."""
    if name in QUANTITIES:
        return QUANTITIES[name]
    about = property_of(name)
    return Quantity(_words(name), typeset(about.unit) if about else "")
