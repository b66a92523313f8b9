"""Drying: the solvent leaves every CBD bead at once, then the capillary pressure draws the coating together.

The bead shrinks from CBD with solvent to nanoporous CBD (Xu et al., homogeneous evaporation); the pressure acts on a
plane from above. Thickness and porosity are predicted from that pressure, not imposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesoforge.physics.beads import Beads
from mesoforge.physics.contact import contact_script, diameters, drying_law, masses
from mesoforge.physics.lammps.files import DATA, DUMP, Reals, read_positions, write_data
from mesoforge.physics.plane import (
    FINISH,
    KPA_PER_MPA,
    Curve,
    execute_plane,
    plane_script,
    press_to,
    read_strokes,
    stroke_script,
)
from mesoforge.physics.recipe import Recipe


@dataclass(frozen=True, slots=True)
class DriedResult:
    """The dried electrode under the capillary pressure, and the curve of the plane."""

    beads: Beads
    curve: Curve


def settle_on_collector(wet: Beads, recipe: Recipe) -> Beads:
    """Cut the periodic slurry open in z, particles whole: lowest bead on the collector, highest bead at the plane."""
    radius = diameters(wet, recipe) / 2
    position = wet.position.copy()
    position[:, 2] -= _shift(wet)
    low = float((position[:, 2] - radius).min())
    position[:, 2] -= low
    height = float((position[:, 2] + radius).max())
    return Beads(position, wet.kind, wet.particle, np.array([wet.box[0], wet.box[1], height]))


def _shift(wet: Beads) -> Reals:
    """Return per bead the whole periods by which its particle, or itself, lies off the first image in z [um]."""
    height = wet.box[2]
    counts = np.bincount(wet.particle)
    centres = np.bincount(wet.particle, weights=wet.position[:, 2]) / np.maximum(counts, 1)
    reference = np.where(wet.particle > 0, centres[wet.particle], wet.position[:, 2])
    return np.asarray(np.floor(reference / height) * height)


def drying_script(recipe: Recipe, start: float) -> str:
    """Write the LAMMPS input of the drying; the plane starts at height ``start`` [um]."""
    law = drying_law(recipe)
    stroke = press_to(
        recipe.drying.pressure * KPA_PER_MPA, recipe.numerics.drying_speed, "capillary pressure", gain=1.0
    )
    return (
        contact_script(recipe, law, recipe.numerics.drying_drag)
        + plane_script(law, start)
        + stroke_script(1, stroke)
        + FINISH
    )


def dry(wet: Beads, recipe: Recipe, folder: Path) -> DriedResult:
    """Dry a slurry in LAMMPS.

    Raises:
        PhysicsError: the simulation failed, or the plane did not come to rest.
    """
    settled = settle_on_collector(wet, recipe)
    write_data(settled, diameters(settled, recipe), masses(settled, recipe), folder / DATA, walls=True)
    execute_plane(drying_script(recipe, settled.thickness), recipe, folder)
    curve = read_strokes(folder, 1.0)
    box = np.array([*settled.box[:2], curve.height[-1]])
    return DriedResult(Beads(read_positions(folder / DUMP, len(settled)), settled.kind, settled.particle, box), curve)
