"""Capacity and energy at C-rates as properties of an electrode, so that a study may aim at them: ``energy_at_1C``.

The electrode is discharged against lithium with PyBaMM (`cell`), and the result is kept in the store.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments import cell
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.lammps.execute import version
from mesoforge.physics.manufacture import VOXELS, identity
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.microstructure.quantity import Property
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store, digest
from mesoforge.physics.voxels import Voxels

STAGE: Final = "discharge"
VERSION: Final = 1
"""Raised by one whenever what is discharged changes."""
KINDS: Final = {
    "capacity": Property("mAh/cm2", "charge per area that a discharge at {} gives"),
    "energy": Property("mWh/cm2", "energy per area that a discharge at {} gives"),
    "energy_density": Property("mWh/cm3", "energy per volume of coating that a discharge at {} gives"),
}
"""What a rate property is of, before ``_at_1C``."""
AT_1C: Final = tuple(f"{kind}_at_1C" for kind in KINDS)
"""Names as they are written; any rate may stand in them."""
NOTE: Final = (
    "Capacity and energy at a rate are **predicted** with PyBaMM's DFN from thickness, porosity, tortuosity and "
    f"particle size; voltage curve, kinetics and electrolyte are those of its set {cell.BASE}, **assumed**, not "
    "fitted: compare electrodes with one another."
)
PATTERN: Final = rf"({'|'.join(KINDS)})_at_(\d+(?:\.\d+)?)C"
"""A regular expression of the names, for editors too."""
_CM_PER_M: Final = 100


def rate_of(name: str) -> float | None:
    """Return the C-rate of a rate property, None if the name is of another property or out of range."""
    found = re.fullmatch(PATTERN, name)
    rate = float(found[2]) if found else 0.0
    return rate if cell.SLOWEST <= rate <= cell.FASTEST else None


def property_of(name: str) -> Property | None:
    """Return what a property is, be it measured or of a discharge; None if there is none of that name."""
    if name in PROPERTIES or rate_of(name) is None:
        return PROPERTIES.get(name)
    about = KINDS[name.partition("_at_")[0]]
    return Property(about.unit, f"{about.meaning.format(name.rpartition('_')[2])} (PyBaMM's DFN)")


def rates_of(names: Iterable[str]) -> tuple[float, ...]:
    """Return the C-rates that these properties need, slow ones first."""
    return tuple(sorted({rate for name in names if (rate := rate_of(name)) is not None}))


def check_installed(names: Sequence[str]) -> None:
    """Check that these properties can be had here.

    Raises:
        InputError: one of them needs PyBaMM, which is not installed.
    """
    try:
        if rates_of(names):
            version("pybamm")
    except ModuleNotFoundError:
        name = next(name for name in names if rate_of(name) is not None)
        raise InputError(f"'{name}' needs PyBaMM, which is not installed: pip install 'mesoforge[pybamm]'.") from None


def engine(names: Iterable[str]) -> dict[str, str]:
    """Return what determines these properties beside the electrode, in words; nothing where none is of a rate."""
    if not rates_of(names):
        return {}
    try:
        return {"discharge": f"{VERSION}, {cell.BASE}, PyBaMM {version('pybamm')}"}
    except ModuleNotFoundError:  # to look at a study does not need it
        return {"discharge": f"{VERSION}, {cell.BASE}, no PyBaMM"}


def rated(
    rates: Sequence[float], make: Callable[..., dict[str, Any]], values: Mapping[str, Any], root: str
) -> dict[str, Any]:
    """Make an electrode as ``make`` does, and discharge it: what a worker does where a study aims at rates."""
    value = make(values, root)
    if "kind" in value:
        return value
    recipe, voxels = Recipe.from_mapping(values), Voxels.load(Path(value["stages"]["measurement"]) / VOXELS)
    store, own = Store(Path(root) / "store"), dict(value["properties"])
    try:
        for rate in rates:
            own |= discharged(cell.parameter_set(value["properties"], recipe, voxels), recipe, rate, store)
    except PhysicsError as error:
        return {"kind": error.kind, "stage": STAGE, "reason": error.reason}
    return value | {"properties": own}


def discharged(told: Mapping[str, Any], recipe: Recipe, rate: float, store: Store) -> dict[str, float]:
    """Return the rate properties of an electrode at one C-rate, found in the store or worked out.

    Args:
        told: what `cell.parameter_set` says of the electrode.
        recipe: what it was made of.
        rate: [1/h] of the nominal capacity.
        store: where discharges are kept.

    Raises:
        PhysicsError: PyBaMM's solver does not get through.
    """
    inputs = {
        "stage": STAGE,
        "version": VERSION,
        "parent": digest(identity(recipe)["measurement"]),
        "pybamm": version("pybamm"),
        "base": cell.BASE,
        "rate": rate,
    }
    found = store.obtain(STAGE, inputs, partial(_discharge, told, rate)).result
    thickness = told["parameters"]["Positive electrode thickness [m]"] * _CM_PER_M
    values = (found["capacity"], found["energy"], found["energy"] / thickness)
    return {f"{kind}_at_{rate:g}C": value for kind, value in zip(KINDS, values, strict=True)}


def _discharge(told: Mapping[str, Any], rate: float, folder: Path) -> dict[str, Any]:
    (found,) = cell.discharge(told, [rate])
    with (folder / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("mAh_per_cm2", "V"), *zip(*found["curve"], strict=True)])
    return {name: value for name, value in found.items() if name != "curve"}
