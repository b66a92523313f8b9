"""Poses: where particles have gone, as maps of their beads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.beads import Beads

Reals = NDArray[np.float64]
Mapping = Literal["rigid", "affine"]
SHALLOW = 1e-3
"""Least spread of beads along an axis, over their pitch squared, for an affine map to be found along it."""
LEAST = 0.2
"""Least share of its volume that a particle keeps under an affine map; where it is less, beads went astray."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The map x -> matrix x + shift from a cast's frame to the electrode [um], and how far it misses the beads."""

    matrix: Reals
    shift: Reals
    miss: float
    """Root mean square of the beads' distances from where the map puts them [um]."""


def pose(packed: Reals, now: Reals, mapping: Mapping = "rigid") -> Pose:
    """Fit the map that carries beads (n, 3) as packed to where they are now, (n, 3).

    The rotation is Kabsch's (Acta Cryst. A32 (1976) 922). An affine map is scaled to keep volumes; where beads lie in a
    plane or on a line it is not known, and the rotation is taken.
    """
    start, end = packed.mean(axis=0), now.mean(axis=0)
    matrix = _rotation(packed - start, now - end)
    if mapping == "affine":
        matrix = _affine(packed - start, now - end, matrix)
    shift = end - matrix @ start
    miss = np.sqrt(((packed @ matrix.T + shift - now) ** 2).sum(axis=1).mean())
    return Pose(matrix, shift, float(miss))


def _rotation(packed: Reals, now: Reals) -> Reals:
    left, _, right = np.linalg.svd(now.T @ packed)
    handed = np.diag([1.0, 1.0, float(np.sign(np.linalg.det(left @ right)))])
    rotation: Reals = left @ handed @ right
    return rotation


def _affine(packed: Reals, now: Reals, rotation: Reals) -> Reals:
    spread = packed.T @ packed / len(packed)
    if np.linalg.eigvalsh(spread)[0] < SHALLOW * np.trace(spread):
        return rotation
    matrix = np.asarray(np.linalg.solve(spread, packed.T @ now / len(packed)).T, dtype=np.float64)
    volume = float(np.linalg.det(matrix))
    return np.asarray(matrix / np.cbrt(volume)) if volume > LEAST else rotation


def part_way(start: Beads, end: Beads, share: float, rigid: Iterable[int]) -> Beads:
    """Return beads that have gone this share of a small way; particles of these numbers keep their shape."""
    place = start.position + share * (end.position - start.position)
    for number in rigid:
        own = start.particle == number
        found = pose(start.position[own], place[own])
        place[own] = start.position[own] @ found.matrix.T + found.shift
    return start.moved(place, start.box + share * (end.box - start.box))
