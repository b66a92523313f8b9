"""Drying by a pressure: the solvent leaves every CBD bead at once, then the capillary pressure draws all together.

The bead shrinks from CBD with solvent to nanoporous CBD (Xu et al., homogeneous evaporation); the pressure acts on a
plane from above. Thickness and porosity are predicted from that pressure, not imposed.
"""

from __future__ import annotations

from pathlib import Path

from mesoforge.physics.beads import Beads
from mesoforge.physics.contact import KPA_PER_MPA, contact_script, drying_law
from mesoforge.physics.drying.motion import drying_step, looks, sinking_script, stroke
from mesoforge.physics.drying.stage import DriedResult, run_plane
from mesoforge.physics.plane import FINISH, Stroke, plane_script, stroke_script
from mesoforge.physics.recipe import Recipe

TOLERANCE = 0.02
"""Deviation from the wanted pressure, as a fraction of it."""
GAIN = 3.0
"""Speed of the plane over its greatest one, per relative deviation."""


def capillary_script(recipe: Recipe, start: float) -> str:
    """Write the LAMMPS input of the drying; the plane starts at height ``start`` [um]."""
    kpa = recipe.drying.pressure * KPA_PER_MPA
    error = f"{GAIN:g}*({kpa:.10g}-v_load)/{kpa:.10g}"
    return script_of(recipe, start, stroke(recipe, "capillary pressure", error, GAIN * TOLERANCE, kpa))


def script_of(recipe: Recipe, start: float, movement: Stroke) -> str:
    """Write the LAMMPS input of one movement of the plane on the dried contacts, from height ``start`` [um]."""
    law, drag = drying_law(recipe), recipe.numerics.drying_drag
    return (
        contact_script(recipe, law, drag, drying_step(recipe))
        + plane_script(law, start, looks(recipe))
        + sinking_script("all", drag)
        + stroke_script(1, movement, looks(recipe))
        + FINISH
    )


def dry(coating: Beads, recipe: Recipe, folder: Path) -> DriedResult:
    """Draw a coating together by the capillary pressure.

    Raises:
        PhysicsError: the simulation failed, or the plane did not come to rest.
    """
    return run_plane(coating, capillary_script(recipe, coating.thickness), recipe, folder)
