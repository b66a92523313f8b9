"""Properties as people read them: a name, a unit and the factor between what is stored and what is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a property is shown: ``shown = scale * stored``, in ``unit`` (empty: it has none)."""

    label: str
    unit: str = ""
    scale: float = 1.0

    @property
    def axis(self) -> str:
        """The label of an axis, with the unit."""
        return f"{self.label} ({self.unit or '-'})"


def _fraction(label: str) -> Quantity:
    return Quantity(label, "%", 100.0)


QUANTITIES: Final[dict[str, Quantity]] = {
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


def quantity(name: str) -> Quantity:
    """Return how a property is shown; one that is not in the table by its own name, without a unit."""
    return QUANTITIES.get(name) or Quantity(name.replace("_", " ").capitalize())
