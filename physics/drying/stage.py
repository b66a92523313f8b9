"""What all models of drying share: the coating on its collector, one run of the plane, and the dried result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np

from mesoforge.physics.beads import Beads
from mesoforge.physics.contact import diameters
from mesoforge.physics.drying.motion import inertia
from mesoforge.physics.lammps.files import DATA, DUMP, Reals, read_positions, write_data
from mesoforge.physics.plane import Curve, execute_plane, read_strokes
from mesoforge.physics.recipe import Recipe

Body: TypeAlias = tuple[Reals, Reals]
"""Contact diameter [um] and inertia [pg] of each bead."""


@dataclass(frozen=True, slots=True)
class DriedResult:
    """The dried electrode, and the curve of the plane."""

    beads: Beads
    curve: Curve


class DryingModel(Protocol):
    """A model of drying: from a coating that lies on its collector to the dried electrode."""

    def __call__(self, coating: Beads, recipe: Recipe, folder: Path) -> DriedResult:
        """Dry a coating in a folder; raises ``PhysicsError`` where that fails."""


def settle_on_collector(wet: Beads, recipe: Recipe) -> Beads:
    """Cut the periodic slurry open in z, particles whole: lowest bead on the collector, highest bead at the plane."""
    radius = diameters(wet, recipe) / 2
    position = wet.position.copy()
    position[:, 2] -= _shift(wet)
    low = float((position[:, 2] - radius).min())
    position[:, 2] -= low
    height = float((position[:, 2] + radius).max())
    return wet.moved(position, np.array([wet.box[0], wet.box[1], height]))


def _shift(wet: Beads) -> Reals:
    """Return per bead the whole periods by which its particle, or itself, lies off the first image in z [um]."""
    height = wet.box[2]
    counts = np.bincount(wet.particle)
    centres = np.bincount(wet.particle, weights=wet.position[:, 2]) / np.maximum(counts, 1)
    reference = np.where(wet.particle > 0, centres[wet.particle], wet.position[:, 2])
    return np.asarray(np.floor(reference / height) * height)


def run_plane(coating: Beads, script: str, recipe: Recipe, folder: Path, body: Body | None = None) -> DriedResult:
    """Run a script of strokes on a coating of dried beads, or of beads of another size and inertia.

    Raises:
        PhysicsError: the simulation failed, or the plane did not come to rest.
    """
    size, inert = body or (diameters(coating, recipe), inertia(coating, recipe))
    write_data(coating, size, inert, folder / DATA, walls=True)
    execute_plane(script, recipe, folder)
    curve = read_strokes(folder, 1.0)
    box = np.array([*coating.box[:2], curve.height[-1]])
    return DriedResult(coating.moved(read_positions(folder / DUMP, len(coating)), box), curve)
