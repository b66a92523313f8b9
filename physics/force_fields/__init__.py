"""Force fields: how beads act on one another, as files that say of each value its unit and what it rests on.

A file names each parameter with ``value``, ``unit``, ``basis`` (fitted, measured or assumed) and ``source``, or just
with a number; what it leaves out is that of its ``base``, a shipped force field.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from mesoforge.errors import InputError
from mesoforge.physics.record import Record, read_yaml

SHIPPED, DEFAULT = Path(__file__).parent, "nmc111"
NO_UNIT = "1"
"""How a file writes the unit of a plain number."""
GIVEN = "given"
"""What is said of a value that rests on nothing."""
SIDES = ("gt", "ge"), ("lt", "le")
"""How limits from below and from above are called."""
Kind = Literal["fitted", "measured", "assumed"]


class Basis(Record):
    """What one value of a parameter rests on; another value of it does not."""

    of: str
    """Name of the parameter."""
    value: float
    """The value that was fitted, measured or assumed."""
    kind: Kind
    """How it was found."""
    source: str = Field(min_length=1)
    """Fitted to what, measured where, or why assumed."""


class Entry(Record):
    """One parameter as a file has it."""

    value: float
    """In the unit of the parameter."""
    unit: str = Field(coerce_numbers_to_str=True)
    """As ``ForceField`` has it, ``1`` for a plain number."""
    basis: Kind
    """How the value was found."""
    source: str = Field(min_length=1)
    """Fitted to what, measured where, or why assumed."""


class ForceField(Record):
    """Parameters of nature as the model sees them: calibrated or sampled, never optimized."""

    slurry_bead_factor: float = Field(gt=0.5, lt=1.2)
    """Lennard-Jones sigma of a CBD + solvent bead over its diameter by mass balance."""
    slurry_well_depth: float = Field(gt=1, lt=1e5)
    """Lennard-Jones well depth in the slurry [fJ]."""
    slurry_drag: float = Field(gt=0, le=1e5)
    """Drag between neighbouring beads in the sheared slurry [nN us/um], for the liquid; sets the viscosity."""
    cbd_modulus: float = Field(gt=0.01, le=100)
    """Contact modulus of the dried CBD at 25 degrees C [GPa]; that of the active material is the material's own."""
    cbd_thermal_softening: float = Field(ge=0, le=0.1)
    """Loss of the logarithm of the CBD's modulus per kelvin above 25 degrees C [1/K]."""
    cbd_wet_modulus: float = Field(gt=0.001, le=1e4)
    """Contact modulus of the CBD while it dries, a gel swollen with solvent [MPa]."""
    wet_friction: float = Field(ge=0, le=1)
    """Coulomb friction of all contacts while the coating dries."""
    wet_adhesion: float = Field(ge=0, le=1e4)
    """Surface energy of contacts with CBD while it dries [mJ/m2] (JKR)."""
    gel_memory: float = Field(ge=0, le=1)
    """Power of the slurry liquid's concentration of carbon and binder with which the dried CBD's density goes."""
    friction: float = Field(ge=0, le=1)
    """Coulomb friction of all contacts under the calender."""
    adhesion: float = Field(ge=0, le=1e4)
    """Surface energy of contacts with dried CBD [mJ/m2] (JKR)."""
    plasticity: float = Field(ge=0, le=1)
    """Share of a contact's flattening at maximum load that stays after release; 0 is elastic."""
    particle_strength: float = Field(gt=0, le=1e6)
    """Tensile strength of bonded secondary particles [MPa]: no bond breaks below it (particles.bonded)."""
    name: str = "unnamed"
    """Name as printed."""
    note: str = ""
    """What else a reader must know."""
    basis: tuple[Basis, ...] = ()
    """What values rest on; one that is changed later rests on none of these."""

    def basis_of(self, name: str) -> Basis | None:
        """Return what the value of a parameter rests on; None where it was just given."""
        value = getattr(self, name)
        return next((basis for basis in self.basis if basis.of == name and basis.value == value), None)

    def said(self, name: str) -> str:
        """Say what a parameter's value is and what it rests on, as the beginning of a sentence."""
        value, found = f"force_field.{name} ({getattr(self, name):g}{_spaced(unit(name))})", self.basis_of(name)
        if found is None:
            return f"{value} is given in the recipe"
        return (
            f"{value} is fitted to {found.source}"
            if found.kind == "fitted"
            else f"{value} is {found.kind} ({found.source})"
        )


PARAMETERS = tuple(name for name in ForceField.model_fields if name not in ("name", "note", "basis"))


def unit(name: str) -> str:
    """Return the unit of a parameter; ``1`` for a plain number."""
    found = re.search(r"\[(.+?)\]", ForceField.model_fields[name].description or "")
    return found[1] if found else NO_UNIT


def allowed(name: str) -> tuple[float, float]:
    """Return the bounds of a parameter, in its unit."""
    limits = ForceField.model_fields[name].metadata
    least, most = ([getattr(limit, key) for limit in limits for key in keys if hasattr(limit, key)] for keys in SIDES)
    return float(least[0]), float(most[0])


def shipped() -> dict[str, Path]:
    """List the shipped force fields by the name that a recipe uses."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def load_force_field(given: str, folder: Path = Path()) -> ForceField:
    """Return the shipped force field of a name, or that of a file.

    Args:
        given: the name, or the path of a YAML file.
        folder: where a relative path begins.

    Raises:
        InputError: there is none, or something in it is wrong.
    """
    if given.lower() in shipped():
        return _shipped(given.lower())
    if not given.endswith((".yaml", ".yml")):
        raise InputError(
            f"'{given}' is no shipped force field: use one of {', '.join(shipped())}, the path of a YAML file, or "
            "write its record."
        )
    path = folder / given
    said = {"name": path.stem} | read_yaml(path)
    return ForceField.from_mapping(_completed(said, f"{path}: "), str(path))


@cache
def _shipped(name: str) -> ForceField:
    path = shipped()[name]
    return ForceField.from_mapping(_read(read_yaml(path), f"{path}: "), str(path))


def _completed(given: Mapping[str, Any], origin: str, folder: Path | None = None) -> dict[str, Any]:
    """Return a record's values: those given, and those of its base where it gives none.

    A base may be the path of a file only where ``folder`` says from where.
    """
    base = given.get("base", DEFAULT)
    if not isinstance(base, str) or (folder is None and base.lower() not in shipped()):
        raise InputError(f"{origin}'base' is {base!r} but must be a shipped force field: use {', '.join(shipped())}.")
    start = load_force_field(base, folder or Path()).model_dump()
    return _read(start | {key: value for key, value in given.items() if key != "base"}, origin)


def _read(given: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return a record's values from a mapping in which parameters may be numbers or entries with a basis."""
    values, found = dict(given), []
    for name in PARAMETERS:
        if isinstance(values.get(name), Mapping):
            entry = _entry(name, values[name], origin)
            values[name] = entry.value
            found.append({"of": name, "value": entry.value, "kind": entry.basis, "source": entry.source})
    others = values.get("basis", ())
    return values | {"basis": [*found, *others]} if found and isinstance(others, list | tuple) else values


def _entry(name: str, given: Mapping[str, Any], origin: str) -> Entry:
    entry = Entry.from_mapping(given, f"{origin}{name}")
    if entry.unit != unit(name):
        raise InputError(f"{origin}{name}: 'unit' is '{entry.unit}' but must be '{unit(name)}': convert the value.")
    return entry


def _spaced(text: str) -> str:
    return "" if text == NO_UNIT else f" {text}"


def table(field: ForceField) -> dict[str, Any]:
    """Return a force field as a table of plain values: parameters with value, unit, range, basis, source, meaning."""
    rows = [_row(field, name) for name in PARAMETERS]
    return {"name": field.name, "note": field.note, "parameters": rows}


def _row(field: ForceField, name: str) -> dict[str, Any]:
    basis, (least, most) = field.basis_of(name), allowed(name)
    return {
        "name": name,
        "value": getattr(field, name),
        "unit": unit(name),
        "least": least,
        "most": most,
        "basis": basis.kind if basis else GIVEN,
        "source": basis.source if basis else "",
        "meaning": " ".join((ForceField.model_fields[name].description or "").split()),
    }


def fitted(
    base: ForceField, values: Mapping[str, float], sources: Mapping[str, str], name: str, note: str
) -> ForceField:
    """Return a force field some of whose values were fitted; the others are those of its base.

    Args:
        base: what was not fitted.
        values: the fitted values by parameter.
        sources: to what each was fitted, as it follows the words "fitted to".
        name: of the new force field.
        note: what else a reader must know.

    Raises:
        InputError: a value is out of the parameter's range.
    """
    entries = {
        key: {"value": float(value), "unit": unit(key), "basis": "fitted", "source": sources[key]}
        for key, value in values.items()
    }
    return ForceField.from_mapping(_read(base.model_dump() | entries | {"name": name, "note": note}, ""), name)


def written(field: ForceField) -> dict[str, Any]:
    """Return a force field as a file has it; a value that rests on nothing is a plain number."""
    found: dict[str, Any] = {"name": field.name} | ({"note": field.note} if field.note else {})
    for name in PARAMETERS:
        value, basis = getattr(field, name), field.basis_of(name)
        entry = {"value": value, "unit": unit(name)}
        found[name] = entry | {"basis": basis.kind, "source": basis.source} if basis else value
    return found


def write_force_field(field: ForceField, path: Path) -> None:
    """Write a force field as a file that a recipe can name; it appears whole."""
    import yaml

    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(yaml.safe_dump(written(field), sort_keys=False, width=120, allow_unicode=True), encoding="utf-8")
    part.replace(path)


def _force_field(value: object, info: ValidationInfo) -> object:
    """Replace the name or the path of a force field by its record, and complete one that is given in part."""
    folder = (info.context or {}).get("folder", Path())
    if isinstance(value, str):
        return load_force_field(value, folder)
    return _completed(value, "", folder) if isinstance(value, Mapping) else value


ForceFieldField = Annotated[ForceField, BeforeValidator(_force_field)]
"""A force field as a recipe may give it: a shipped name, the path of a file, or a mapping."""
