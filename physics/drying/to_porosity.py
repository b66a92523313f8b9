"""Drying to a given porosity: CBD shrinks at once, the plane moves to the thickness of that porosity, and all rests.

Source: Xu et al., who impose the thickness of the measured porosity. The result says nothing about how a slurry dries.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import Beads
from mesoforge.physics.contact import KPA_PER_MPA
from mesoforge.physics.drying.capillary import script_of
from mesoforge.physics.drying.motion import stroke
from mesoforge.physics.drying.stage import DriedResult, run_plane
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.recipe import Recipe

BAND = 0.2
"""Distance from the wanted height at which the plane begins to slow down [um]."""
TOLERANCE = 1e-4
"""Deviation from the wanted height, as a fraction of the band."""


def wanted_thickness(area: float, recipe: Recipe) -> float:
    """Return the thickness of the wanted porosity on a collector of an area [um2], in um."""
    porosity = recipe.drying.porosity or math.nan  # a recipe of this model without it cannot be constructed
    return balance(recipe).solid_volume / (1 - porosity) / area


def to_porosity_script(recipe: Recipe, start: float, end: float) -> str:
    """Write the LAMMPS input that moves the plane between two heights [um]."""
    error = f"(v_height-{end:.10g})/{BAND:g}"
    kpa = recipe.drying.pressure * KPA_PER_MPA
    return script_of(recipe, start, stroke(recipe, "drying to a porosity", error, TOLERANCE, kpa))


def dry(coating: Beads, recipe: Recipe, folder: Path) -> DriedResult:
    """Press a coating to the thickness of the wanted porosity.

    Raises:
        PhysicsError: the coating is thinner already, the simulation failed, or the plane did not come to rest.
    """
    end = wanted_thickness(coating.area, recipe)
    if end >= coating.thickness:
        raise PhysicsError(
            "no_contact",
            f"drying.porosity of {recipe.drying.porosity:g} asks for a thickness of {end:.4g} um, but the slurry is "
            f"{coating.thickness:.4g} um thick",
        )
    dried = run_plane(coating, to_porosity_script(recipe, coating.thickness, end), recipe, folder)
    return replace(dried, beads=replace(dried.beads, box=np.array([*coating.box[:2], end])))
