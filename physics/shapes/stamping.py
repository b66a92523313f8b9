"""Stamping: the library's particles, with all their surface, put back where their beads came to rest.

Each particle's beads at rest are fitted by a map of those it was packed with: a rotation and a shift, or, for particles
that deformed, an affine map of the same volume. The map carries the particle's signed distance onto the electrode's
voxels. There particles compete, each voxel going to the one that it lies deepest in, and are then cut to their volumes
as in ``voxels``, so that both images have the same phases to the voxel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.pose import Mapping, Pose, pose
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.shapes.beading import Cast
from mesoforge.physics.shapes.figures import SMOOTH, Mask, triangulated
from mesoforge.physics.shapes.library import Library
from mesoforge.physics.voxels import Voxels, cut_to_volume, grid, wanted_voxels, with_cbd

MARGIN = 4
"""Voxels around a particle's mask in which its distance is known."""
Ints = NDArray[np.int64]


def stamp(beads: Beads, casts: Sequence[Cast], library: Library, recipe: Recipe, mapping: Mapping = "rigid") -> Voxels:
    """Stamp an electrode's particles from their library into voxels of about the recipe's edge.

    Args:
        beads: the electrode; its secondary particles are numbered in the order of the casts.
        casts: what its particles were cast from, as ``packing.casts`` gives it.
        library: where they are from.
        recipe: the electrode's.
        mapping: how the beads' motion is taken.

    Raises:
        PhysicsError: ``unstable``, if there is no room for the volume of the phases.
    """
    amounts = balance(recipe)
    edge, shape = grid(beads.box, recipe.numerics.voxel)
    height = shape[2] * edge
    stretch = height / beads.thickness
    best, owner = np.full(shape, -np.inf, dtype=np.float32), np.zeros(shape, dtype=np.int32)
    depths = {row: signed_distance(library.mask(row)) for row in {cast.row for cast in casts}}
    for number, cast in enumerate(casts, start=1):
        there = beads.position[beads.particle == number] * [1, 1, stretch]
        found = pose(cast.shape.beads, there, mapping)
        _compete(best, owner, number, _placed(cast, found, depths[cast.row], library.voxel_um, edge))
    wanted_each = wanted_voxels(beads, amounts.active_bead_volume * stretch, edge)
    lowest = best[owner > 0].min()
    particle = cut_to_volume(np.where(owner > 0, best - lowest + 1, 0), owner, wanted_each)
    wanted = round(amounts.cbd_beads * amounts.cbd_bead_volume * stretch / edge**3)
    chosen = beads.position[beads.kind == CBD] * [1, 1, stretch]
    return with_cbd(particle, chosen, recipe.drying.cbd_diameter, wanted, edge)


def signed_distance(mask: Mask) -> NDArray[np.float32]:
    """Return how deep each voxel of a mask, and of a margin of 4 voxels around, lies below its surface [voxels]."""
    import edt
    from scipy.ndimage import gaussian_filter

    padded = np.pad(mask, MARGIN)
    inside, outside = edt.edt(padded, parallel=1), edt.edt(~padded, parallel=1)
    smooth: NDArray[np.float32] = gaussian_filter(np.where(padded, inside - 0.5, 0.5 - outside), SMOOTH)
    return smooth


@dataclass(frozen=True, slots=True)
class _Placed:
    """A particle's depth [um] on the voxels of a box: where the box begins (3,), and the depths, -inf where unknown."""

    origin: Ints
    depth: NDArray[np.float32]


def _placed(cast: Cast, found: Pose, depth: NDArray[np.float32], voxel_um: float, edge: float) -> _Placed:
    """Carry a particle's depth onto the electrode's voxels."""
    forth = found.matrix * cast.mirror * cast.scale
    corner = -MARGIN * voxel_um - cast.centre
    ends = (
        np.array(np.meshgrid(*([0, size] for size in depth.shape), indexing="ij")).reshape(3, -1).T * voxel_um + corner
    )
    reached = ends @ forth.T + found.shift
    low, high = (np.floor(bound / edge).astype(np.int64) for bound in (reached.min(axis=0), reached.max(axis=0)))
    steps = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    points = (np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1) + 0.5) * edge
    back = (points - found.shift) @ np.linalg.inv(forth).T
    places = (back - corner) / voxel_um - 0.5
    there = map_coordinates(depth, np.moveaxis(places, -1, 0), order=1, cval=-np.inf)
    return _Placed(low, (there * voxel_um * cast.scale).astype(np.float32))


def _compete(best: NDArray[np.float32], owner: NDArray[np.int32], number: int, placed: _Placed) -> None:
    """Give a particle the voxels in which it is deeper than all before; x and y are periodic."""
    place = [placed.origin[axis] + np.arange(size) for axis, size in enumerate(placed.depth.shape)]
    inside = (place[2] >= 0) & (place[2] < best.shape[2])
    where = np.ix_(place[0] % best.shape[0], place[1] % best.shape[1], place[2][inside])
    depth = placed.depth[:, :, inside]
    deeper = depth > best[where]
    best[where] = np.where(deeper, depth, best[where])
    owner[where] = np.where(deeper, number, owner[where])


def active_surface(voxels: Voxels) -> float:
    """Return the surface of all active material over the coating's volume [1/um], both of the smoothed phase.

    Where particles touch they have no surface; the faces at collector and plane count, the cut sides do not.
    """
    from scipy.ndimage import gaussian_filter

    active = (voxels.phase == ACTIVE).astype(np.float32)
    wide = np.pad(np.pad(active, ((1, 1), (1, 1), (0, 0)), mode="wrap"), ((0, 0), (0, 0), (4, 4)))
    blurred = gaussian_filter(wide, SMOOTH, mode=("wrap", "wrap", "constant"))
    points, triangles = triangulated(blurred, 0.5)
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    middle = (a + b + c)[:, :2] / 3
    low, high = 0.5, np.array(active.shape[:2]) + 0.5
    inside = ((middle > low) & (middle < high)).all(axis=1)
    return float(area[inside].sum() / active.size / voxels.edge)


def stamp_electrode(beads: Beads, recipe: Recipe, mapping: Mapping = "rigid") -> Voxels:
    """Stamp the particles of a recipe's library where the beads of its electrode are."""
    from mesoforge.physics.packing import casts
    from mesoforge.physics.shapes.library import open_library

    return stamp(beads, casts(recipe), open_library(Path(str(recipe.shapes))), recipe, mapping)
