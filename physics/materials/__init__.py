"""Material records: those that are shipped, and those that a recipe brings along."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mesoforge.physics.record import Record, read_yaml

SHIPPED = Path(__file__).parent


class Material(Record):
    """A material with the properties that the process needs."""

    name: str
    """Name as printed."""
    density: float = Field(gt=0.1, lt=25)
    """True density without pores [g/cm3]."""
    role: Literal["active", "additive", "solvent"] | None = None
    """What it can serve as; without it, as what the recipe uses it for."""
    young_modulus: float | None = Field(default=None, gt=0, lt=2000)
    """Young's modulus [GPa]; the contact force field of the process states what it uses beside it."""
    poisson_ratio: float = Field(default=0.25, ge=0, lt=0.5)
    """Poisson's ratio."""
    hardness: float | None = Field(default=None, gt=0)
    """Indentation hardness [GPa]."""
    capacity: float | None = Field(default=None, gt=0, lt=5000)
    """Specific capacity [mAh/g]."""
    source: str = "given in the recipe"
    """Where the values come from."""


def shipped() -> dict[str, Path]:
    """List the shipped material files by the name that a recipe uses."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def _material(value: object) -> object:
    """Replace the name of a shipped material by its record."""
    if not isinstance(value, str):
        return value
    path = shipped().get(value.lower().replace(" ", "_"))
    if path is None:
        raise ValueError(f"'{value}' is no shipped material: use one of {', '.join(shipped())}, or write its record.")
    return read_yaml(path)


MaterialField = Annotated[Material, BeforeValidator(_material)]
