"""Voxels: beads become a labelled image in which every phase keeps its exact volume.

Each secondary particle takes the voxels where the smooth density of its own beads is highest, as many as its volume
holds: the gaps between its beads close and its volume stays (Xu et al. close them by dilation and erosion, which only
roughly does). The CBD takes the free voxels nearest to its beads in the same way. The thickness is stretched to whole
layers of voxels, volumes with it, so that porosities stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.recipe import Recipe

PORE = 0
Periodic = tuple[bool, bool, bool]
SIDES: Periodic = (True, True, False)
"""A simulated electrode: periodic in x and y, closed by collector and surface."""
CLOSED: Periodic = (False, False, False)
"""An image cut out of something larger: nothing is known beyond its sides."""
WIDTH = 0.5
"""Standard deviation of a bead's smooth density over its pitch: flat to 1.5 % inside a lattice of beads."""
REACH = 3.5
"""How far a bead's density reaches, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Voxels:
    """A labelled image, z from collector to surface.

    ``phase`` (nx, ny, nz): 0 pore, 1 active material, 2 CBD; ``particle`` (nx, ny, nz): secondary particle, else 0, and
    0 throughout where particles are not told apart; ``edge``: edge of the cubic voxel [um]; ``periodic``: which axes
    close upon themselves; ``whole``: whether z runs from collector to free surface, or the image is a piece of that.
    """

    phase: NDArray[np.uint8]
    particle: NDArray[np.int32]
    edge: float
    periodic: Periodic = SIDES
    whole: bool = True

    def save(self, path: Path) -> None:
        """Write the image as NPZ (phase, particle, voxel_um)."""
        np.savez_compressed(path, phase=self.phase, particle=self.particle, voxel_um=self.edge)

    @classmethod
    def load(cls, path: Path) -> Voxels:
        """Read what ``save`` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["phase"], arrays["particle"], float(arrays["voxel_um"]))


def voxelise(beads: Beads, recipe: Recipe) -> Voxels:
    """Stamp beads into voxels of about the recipe's edge.

    Raises:
        PhysicsError: ``unstable``, if the beads leave no room for the volume of their phases.
    """
    amounts = balance(recipe)
    sizes = Sizes(
        recipe.particles.primary_diameter,
        amounts.active_bead_volume,
        recipe.drying.cbd_diameter,
        amounts.cbd_beads * amounts.cbd_bead_volume,
    )
    return filled(beads, sizes, recipe.numerics.voxel)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What beads stand for."""

    pitch: float
    """Distance of the beads of one particle [um]."""
    active_bead_volume: float
    """Volume of a mean bead of active material [um3]."""
    cbd_diameter: float
    """Diameter of a CBD bead [um]."""
    cbd_volume: float
    """Volume of all CBD [um3]."""


def filled(beads: Beads, sizes: Sizes, wanted_edge: float) -> Voxels:
    """Stamp beads into voxels of about the wanted edge [um], each particle and the CBD with its exact volume.

    Raises:
        PhysicsError: ``unstable``, if the beads leave no room for the volume of their phases.
    """
    edge, shape = grid(beads.box, wanted_edge)
    beads, stretch = _stretched(beads, shape[2] * edge)
    particle = _particles(beads, sizes.pitch, sizes.active_bead_volume * stretch, edge, shape)
    wanted = round(sizes.cbd_volume * stretch / edge**3)
    return with_cbd(particle, beads.position[beads.kind == CBD], sizes.cbd_diameter, wanted, edge)


def with_cbd(
    particle: NDArray[np.int32], position: NDArray[np.float64], diameter: float, wanted: int, edge: float
) -> Voxels:
    """Give the CBD so many of the voxels without a particle, those where its beads are densest.

    Args:
        particle: secondary particle of each voxel, else 0, (nx, ny, nz).
        position: CBD beads (n, 3) [um].
        diameter: theirs [um].
        wanted: how many voxels.
        edge: edge of a voxel [um].

    Raises:
        PhysicsError: ``unstable``, if the beads do not reach so many.
    """
    phase = (particle > 0).astype(np.uint8) * ACTIVE
    density = np.zeros(particle.shape, dtype=np.float32)
    _add(density, position, diameter * WIDTH, edge)
    density[particle > 0] = 0
    phase.reshape(-1)[_highest(density.ravel(), wanted, "CBD")] = CBD
    return Voxels(phase, particle, edge)


def grid(box: NDArray[np.float64], wanted: float) -> tuple[float, tuple[int, int, int]]:
    """Choose the cubic voxel nearest to the wanted edge that tiles the side of a box [um], and the number of layers."""
    side = max(2, round(float(box[0]) / wanted))
    edge = float(box[0]) / side
    return edge, (side, side, max(1, round(float(box[2]) / edge)))


def _stretched(beads: Beads, height: float) -> tuple[Beads, float]:
    """Stretch an electrode to whole layers of voxels, by at most half of one, so that its porosity stays exact."""
    stretch = height / beads.thickness
    return beads.moved(beads.position * [1, 1, stretch], np.array([*beads.box[:2], height])), stretch


def _particles(
    beads: Beads, pitch: float, bead_volume: float, edge: float, shape: tuple[int, int, int]
) -> NDArray[np.int32]:
    """Let particles compete for voxels by the density of their beads, then cut each to its own volume."""
    best, owner = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.int32)
    members = beads.particle[beads.kind == ACTIVE]
    order = np.argsort(members, kind="stable")
    starts = np.cumsum(np.bincount(members))  # nobody is number 0
    positions = beads.position[beads.kind == ACTIVE][order]
    _compete(best, owner, positions, starts, pitch * WIDTH, edge)
    return cut_to_volume(best, owner, wanted_voxels(beads, bead_volume, edge))


def wanted_voxels(beads: Beads, bead_volume: float, edge: float) -> NDArray[np.int64]:
    """Return the voxels of each particle's own volume, (p,), rounded along the running sum so that the total is exact.

    Args:
        beads: an electrode's.
        bead_volume: of a mean bead of active material [um3].
        edge: edge of a voxel [um].
    """
    shares = np.cumsum(np.bincount(beads.particle, weights=beads.by_volume(1.0, 0.0)))
    return np.diff(np.round(shares * bead_volume / edge**3)).astype(np.int64)


def cut_to_volume(best: NDArray[np.float32], owner: NDArray[np.int32], wanted: NDArray[np.int64]) -> NDArray[np.int32]:
    """Keep of each owner's voxels the wanted number of highest density; what one lacks, free neighbours give.

    Args:
        best: density above zero wherever a voxel has an owner, (nx, ny, nz).
        owner: from 1, else 0, (nx, ny, nz).
        wanted: voxels of each owner, (owners,).

    Raises:
        PhysicsError: ``unstable``, if there are not so many voxels with an owner.
    """
    flat, level = owner.ravel(), best.ravel()
    order, starts = _by_owner(flat, len(wanted))
    kept = np.zeros_like(flat)
    for number, count in enumerate(wanted, start=1):
        own = order[starts[number] : starts[number + 1]]
        if count < len(own):
            own = own[np.argpartition(-level[own], count)[:count]]
        kept[own] = number
    missing = int(wanted.sum() - np.count_nonzero(kept))
    if missing > 0:
        spare = np.where(kept == 0, level, 0)
        chosen = _highest(spare, missing, "active material")
        kept[chosen] = flat[chosen]
    return kept.reshape(owner.shape)


def _highest(density: NDArray[np.float32], count: int, name: str) -> NDArray[np.int64]:
    """Return the indices of the ``count`` highest densities, which must all be above zero."""
    if count == 0:
        return np.empty(0, dtype=np.int64)
    available = int(np.count_nonzero(density))
    if count > available:
        raise PhysicsError("unstable", f"the {name} needs {count} voxels but its beads reach only {available}")
    return np.argpartition(-density, count - 1)[:count]


def _jit(function: Any) -> Any:  # noqa: ANN401 - numba has no types
    return numba.njit(cache=True, nogil=True)(function)


@_jit
def _by_owner(owner: Any, many: int) -> Any:  # noqa: ANN401
    """Return voxels sorted by owner, (n,), and where each owner's begin, (many + 2,); those of nobody come first."""
    starts = np.zeros(many + 2, np.int64)
    for one in owner:
        starts[one + 1] += 1
    starts = np.cumsum(starts)
    order, free = np.empty(len(owner), np.int64), starts.copy()
    for place in range(len(owner)):
        order[free[owner[place]]] = place
        free[owner[place]] += 1
    return order, starts


@_jit
def _add(density: Any, positions: Any, width: float, edge: float) -> None:  # noqa: ANN401
    """Add a Gaussian of standard deviation ``width`` [um] for each position (n, 3), periodic in x and y."""
    nx, ny, nz = density.shape
    reach = int(np.ceil(REACH * width / edge))
    along = np.empty((3, 2 * reach + 1), np.float32)  # a Gaussian is a product of three
    for b in range(len(positions)):
        low = np.empty(3, np.int64)
        for axis in range(3):
            centre = positions[b, axis] / edge
            low[axis] = int(np.floor(centre)) - reach
            for step in range(2 * reach + 1):
                along[axis, step] = np.exp(-(((low[axis] + step + 0.5 - centre) * edge / width) ** 2) / 2)
        first, last = max(0, low[2]), min(nz, low[2] + 2 * reach + 1)
        if first >= last:
            continue
        height = along[2, first - low[2] : last - low[2]]
        for i in range(2 * reach + 1):
            for j in range(2 * reach + 1):
                part, row = along[0, i] * along[1, j], density[(low[0] + i) % nx, (low[1] + j) % ny, first:last]
                for k in range(len(row)):
                    row[k] += part * height[k]


@_jit
def _compete(best: Any, owner: Any, positions: Any, starts: Any, width: float, edge: float) -> None:  # noqa: ANN401
    """Give each voxel to the particle whose beads are densest there; ``starts`` bounds each particle's beads."""
    nx, ny, nz = best.shape
    own = np.zeros((nx, ny, nz), dtype=np.float32)
    reach = int(np.ceil(REACH * width / edge)) + 1
    for p in range(len(starts) - 1):
        part = positions[starts[p] : starts[p + 1]]
        _add(own, part, width, edge)
        low = [int(np.floor(part[:, axis].min() / edge)) - reach for axis in range(3)]
        high = [int(np.floor(part[:, axis].max() / edge)) + reach + 1 for axis in range(3)]
        for i in range(low[0], min(high[0], low[0] + nx)):
            for j in range(low[1], min(high[1], low[1] + ny)):
                for k in range(max(0, low[2]), min(nz, high[2])):
                    value = own[i % nx, j % ny, k]
                    own[i % nx, j % ny, k] = 0
                    if value > best[i % nx, j % ny, k]:
                        best[i % nx, j % ny, k] = value
                        owner[i % nx, j % ny, k] = p + 1
