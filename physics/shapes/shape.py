"""A secondary particle as beads on a cubic lattice, and the figures that describe its shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """One secondary particle: bead centres about their centroid, (n, 3) [um], each standing for a cube of the pitch."""

    beads: Points
    pitch: float


class ShapeSource(Protocol):
    """Where shapes come from: a generator, or a library cut out of a tomogram."""

    def shape(self, beads: int, rng: np.random.Generator) -> Shape:
        """Return a particle of exactly so many beads, in its own frame."""
        ...


def inertia_axes(beads: Points) -> Points:
    """Return the semi-axes a >= b >= c [um] of the ellipsoid with the second moments of the beads' centres (n, 3).

    Sums over the points of a lattice that lie in a body are its integrals in the mean over the lattice's places: beads
    taken as cubes, with second moments of their own, would make every axis too long (3 % at 60 beads).
    """
    centred = beads - beads.mean(axis=0)
    moments = np.linalg.eigvalsh(centred.T @ centred / len(beads)).clip(0)
    axes: Points = np.sqrt(5 * moments[::-1])
    return axes


def krumbein_sphericity(beads: Points) -> float:
    """Return (bc / a^2)^(1/3) of the inertia ellipsoid (Krumbein; Xu et al., figure 4); coarse below 20 beads."""
    a, b, c = inertia_axes(beads)
    return float((b * c / a**2) ** (1 / 3))


def random_rotation(rng: np.random.Generator) -> Points:
    """Return a rotation matrix (3, 3) drawn uniformly over all orientations."""
    from scipy.spatial.transform import Rotation

    matrix: Points = Rotation.random(rng=rng).as_matrix()
    return matrix
