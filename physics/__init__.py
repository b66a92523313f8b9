"""How one electrode is made and measured.

>>> from mesoforge.physics import Recipe
>>> recipe = Recipe().with_values({"calendering.pressure": 150.0, "seed": 7})
>>> recipe
Recipe().with_values({'calendering.pressure': 150.0, 'seed': 7})
>>> recipe.formulation.active_material
0.96

``manufacture(recipe, "mlruns/store")`` then makes the electrode in LAMMPS, or finds it in the store.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if not __name__.startswith("mesoforge."):
    raise ImportError("this folder is installed as mesoforge.physics: import it by that name")

if TYPE_CHECKING:
    from mesoforge.physics.failure import Failure
    from mesoforge.physics.manufacture import Electrode, manufacture
    from mesoforge.physics.microstructure.bead_images import read_beads
    from mesoforge.physics.microstructure.image_files import Reading, read_image
    from mesoforge.physics.microstructure.measure import measure
    from mesoforge.physics.microstructure.quantity import Properties
    from mesoforge.physics.recipe import Recipe, load_recipe
    from mesoforge.physics.store import Store

__all__ = [
    "Electrode",
    "Failure",
    "Properties",
    "Reading",
    "Recipe",
    "Store",
    "load_recipe",
    "manufacture",
    "measure",
    "read_beads",
    "read_image",
]
_HOMES = {
    "manufacture": ("Electrode", "manufacture"),
    "failure": ("Failure",),
    "microstructure.quantity": ("Properties",),
    "microstructure.image_files": ("Reading", "read_image"),
    "microstructure.bead_images": ("read_beads",),
    "microstructure.measure": ("measure",),
    "recipe": ("Recipe", "load_recipe"),
    "store": ("Store",),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names
    """Import a name where it is first used: numba and scipy take seconds."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


class _Door(ModuleType):
    """Keeps the name of the function ``manufacture`` from the module of that name, which Python would bind here."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "manufacture" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Door
