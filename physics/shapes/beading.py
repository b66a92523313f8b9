"""From a particle's voxels to primary beads, its volume kept."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.shapes.figures import Mask, Reals, equivalent_diameter
from mesoforge.physics.shapes.library import Library
from mesoforge.physics.shapes.shape import Shape

FEWEST = 2
"""Fewest beads of a particle: LAMMPS knows no rigid body of one bead."""
Cell = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Cast:
    """A copy of a library's particle as beads.

    A point x of the mask [um, from its corner] lies at ``scale * mirror * (x - centre)`` in the shape's frame, where
    ``mirror`` changes the sign of the first coordinate or does nothing.
    """

    shape: Shape
    row: int
    scale: float
    mirrored: bool
    centre: Reals
    """Where the beads' centroid lies in the mask, (3,) [um]."""

    @property
    def mirror(self) -> Reals:
        """Signs of the three coordinates, (3,)."""
        return np.array([-1.0 if self.mirrored else 1.0, 1.0, 1.0])

    @property
    def volume(self) -> float:
        """Volume of the copy [um3]: beads times the cube of the shape's own pitch."""
        return len(self.shape.beads) * self.shape.pitch**3

    @property
    def diameter(self) -> float:
        """Diameter of the sphere of that volume [um]."""
        return equivalent_diameter(self.volume)


def beads_for(volume: float, pitch: float) -> int:
    """Return the number of beads of about this pitch [um] that a volume [um3] is worth, two at least."""
    return max(FEWEST, round(volume / pitch**3))


def cast(
    mask: Mask, voxel_um: float, beads: int, rng: np.random.Generator, copy: tuple[int, float, bool] = (0, 1.0, False)
) -> Cast:
    """Turn a particle into exactly so many beads, each standing for a cube of its volume over their number.

    A cubic lattice of that pitch is laid over it with a random shift; beads are the cells that it fills most, grown
    face by face from its fullest cell so that they hang together.

    Args:
        mask: the particle.
        voxel_um: edge of its voxels [um].
        beads: how many.
        rng: for the lattice's shift.
        copy: the library's row, the factor on all lengths, and whether it is mirrored.
    """
    row, scale, mirrored = copy
    pitch = math.cbrt(int(mask.sum()) / beads) * voxel_um
    shift = rng.random(3)
    cells = np.array(_grown(_filling(mask, voxel_um / pitch, shift), beads))
    places = (cells + 0.5 - shift) * pitch
    centre = places.mean(axis=0)
    shape = Shape((places - centre) * scale * ([-1, 1, 1] if mirrored else [1, 1, 1]), pitch * scale)
    return Cast(shape, row, scale, mirrored, centre)


def _filling(mask: Mask, ratio: float, shift: Reals) -> NDArray[np.int64]:
    """Count sub-points of voxels in each cell of the lattice; ``ratio`` is the voxel's edge over the cell's.

    At least three points along a cell's edge, two along a voxel's.
    """
    fine = max(2, math.ceil(3 * ratio))
    corners = np.argwhere(mask)
    steps = (np.stack(np.meshgrid(*[np.arange(fine)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) + 0.5) / fine
    edges = np.floor(np.array(mask.shape) * ratio + shift).astype(np.int64) + 1
    count = np.zeros(int(np.prod(edges)), dtype=np.int64)
    for step in steps:
        cells = np.floor((corners + step) * ratio + shift).astype(np.int64)
        count += np.bincount(np.ravel_multi_index(tuple(cells.T), tuple(edges)), minlength=count.size)
    return count.reshape(edges)


def _grown(filling: NDArray[np.int64], beads: int) -> list[Cell]:
    """Return so many cells that hang together by faces: always the fullest next to those chosen before."""
    start = tuple(int(step) for step in np.unravel_index(int(filling.argmax()), filling.shape))
    waiting, chosen = [(-int(filling[start]), start)], list[tuple[int, ...]]()
    known = {start}
    while len(chosen) < beads:
        _, cell = heapq.heappop(waiting)
        chosen.append(cell)
        for near in _neighbours(cell):
            if near not in known:
                known.add(near)
                heapq.heappush(waiting, (-_at(filling, near), near))
    return chosen  # type: ignore[return-value]


def _neighbours(cell: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for axis in range(3):
        for step in (-1, 1):
            yield tuple(place + step * (axis == a) for a, place in enumerate(cell))


def _at(filling: NDArray[np.int64], cell: tuple[int, ...]) -> int:
    inside = all(0 <= place < size for place, size in zip(cell, filling.shape, strict=True))
    return int(filling[cell]) if inside else 0


@dataclass(frozen=True, slots=True)
class Price:
    """What a bead size costs and what it keeps, over a library's particles."""

    pitch: float
    """Edge of the cube that one bead stands for [um]; 1.24 times that is the diameter of its ball."""
    beads: tuple[float, float, float]
    """Beads of a particle: 10th, 50th and 90th percentile."""
    total: int
    """Beads of all particles: work in proportion."""
    coarse: float
    """Share of the particles with fewer than 8 beads, whose shape is all but lost."""
    misplaced: float
    """Share of the volume that lies outside the beads' cubes, mean over a sample of particles."""
    rounding: float
    """Mean size of V/n over the cube of the pitch less 1: how uneven beads' volumes are between particles."""


def price(library: Library, pitch: float, rows: Sequence[int], rng: np.random.Generator) -> Price:
    """Say what a bead size costs; ``misplaced`` is measured on the rows named."""
    counts = np.array([beads_for(volume, pitch) for volume in library.volumes])
    low, middle, high = np.percentile(counts, (10, 50, 90))
    lost = [
        misplaced(mask, library.voxel_um, int(counts[row]), rng)
        for row, mask in zip(rows, library.masks(rows), strict=True)
    ]
    return Price(
        pitch=pitch,
        beads=(float(low), float(middle), float(high)),
        total=int(counts.sum()),
        coarse=float((counts < 8).mean()),
        misplaced=float(np.mean(lost)),
        rounding=float(np.abs(library.volumes / counts / pitch**3 - 1).mean()),
    )


def misplaced(mask: Mask, voxel_um: float, beads: int, rng: np.random.Generator) -> float:
    """Return the share of a particle's volume that lies outside the cubes of its beads."""
    pitch = math.cbrt(int(mask.sum()) / beads) * voxel_um
    filling = _filling(mask, voxel_um / pitch, rng.random(3))
    kept = sum(_at(filling, cell) for cell in _grown(filling, beads))
    return 1 - kept / int(filling.sum())
