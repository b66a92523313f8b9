"""Phantoms: images of ellipsoids that touch, whose particles are known, to judge a separation by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.shapes.figures import Reals
from mesoforge.physics.shapes.shape import random_rotation

TOUCH, NEAR = 0.965, 1.08
"""Contact that neighbours are drawn to, and up to which they are; 1 touches, 0.95 overlaps by 5 % of the diameter."""
ROUNDS = 600


@dataclass(frozen=True, slots=True)
class Ellipsoids:
    """Ellipsoids in a box: centres (n, 3), semi-axes (n, 3), rotations (n, 3, 3) whose columns are the axes."""

    centres: Reals
    axes: Reals
    rotations: Reals

    @property
    def matrices(self) -> Reals:
        """Return Q diag(axes^2) Q^T, (n, 3, 3)."""
        found: Reals = np.einsum("nij,nj,nkj->nik", self.rotations, self.axes**2, self.rotations)
        return found


def packed(axes: Reals, edge: float, overlap: float, rng: np.random.Generator) -> Ellipsoids:
    """Pack ellipsoids of these semi-axes (n, 3) into a cube so that neighbours touch and none overlaps too much.

    Raises:
        PhysicsError: ``packing``, if they still overlap by more than this share of the diameter in the end.
    """
    rotations = np.array([random_rotation(rng) for _ in axes])
    half = np.sqrt(np.einsum("nij,nj->ni", rotations**2, axes**2))
    found = Ellipsoids(half + rng.random(axes.shape) * (edge - 2 * half), axes, rotations)
    for turn in range(ROUNDS):
        first, second = near_pairs(found)
        near = contact(found, first, second)
        if turn > ROUNDS // 2 and near.min() >= 1 - overlap:
            return found
        _push(found.centres, (first, second), near, drawn=0.05 if turn < ROUNDS // 2 else 0.0)
        np.clip(found.centres, half, edge - half, out=found.centres)
    raise PhysicsError("packing", f"ellipsoids still overlap by {1 - near.min():.3f} of the diameter: enlarge the box")


def near_pairs(found: Ellipsoids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs whose bounding balls come near one another."""
    pairs = cKDTree(found.centres).query_pairs(2 * NEAR * found.axes.max(), output_type="ndarray")
    gap = np.linalg.norm(found.centres[pairs[:, 0]] - found.centres[pairs[:, 1]], axis=1)
    close = pairs[gap < NEAR * (found.axes[pairs[:, 0], 0] + found.axes[pairs[:, 1], 0])]
    return close[:, 0], close[:, 1]


def _push(centres: Reals, pair: tuple[NDArray[np.int64], NDArray[np.int64]], near: Reals, drawn: float) -> None:
    """Move pairs apart, or together where a gap is small, along the line of their centres."""
    first, second = pair
    line = centres[second] - centres[first]
    size = np.where(near < TOUCH, 0.8, np.where(near < NEAR, drawn, 0.0)) * (TOUCH - near)
    step = line * size[:, None] / 2
    np.add.at(centres, first, -step)
    np.add.at(centres, second, step)


def contact(found: Ellipsoids, first: NDArray[np.int64], second: NDArray[np.int64]) -> Reals:
    """Return by which factor both of a pair may be scaled until they touch, (m,).

    Perram and Wertham's contact function F = max s (1 - s) r^T ((1 - s) A + s B)^-1 r over s; the factor is its root.
    Source: J. Comput. Phys. 58 (1985) 409.
    """
    line, matrices = found.centres[second] - found.centres[first], found.matrices
    one, other = matrices[first], matrices[second]

    def function(s: Reals) -> Reals:
        mixed = (1 - s)[:, None, None] * one + s[:, None, None] * other
        solved = np.linalg.solve(mixed, line[:, :, None])[:, :, 0]
        value: Reals = s * (1 - s) * (line * solved).sum(axis=1)
        return value

    low, high = np.zeros(len(first)), np.ones(len(first))
    for _ in range(12):  # the function is concave: thirds
        left, right = low + (high - low) / 3, high - (high - low) / 3
        up = function(left) < function(right)
        low, high = np.where(up, left, low), np.where(up, high, right)
    root: Reals = np.sqrt(function((low + high) / 2))
    return root


def stamped(found: Ellipsoids, edge: int) -> NDArray[np.int32]:
    """Return the ellipsoids' numbers from 1 in a cube of voxels; where two overlap, the one that is deeper."""
    image, best = np.zeros((edge,) * 3, dtype=np.int32), np.ones((edge,) * 3)
    for number, (centre, axes, turn) in enumerate(zip(found.centres, found.axes, found.rotations, strict=True), 1):
        reach = np.sqrt((turn**2 * axes**2).sum(axis=1))
        box = tuple(slice(max(0, int(c - r)), min(edge, int(c + r) + 2)) for c, r in zip(centre, reach, strict=True))
        grid = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) + 0.5 for s in box), indexing="ij"), axis=-1)
        depth = ((((grid - centre) @ turn) / axes) ** 2).sum(axis=-1)
        deeper = depth < best[box]
        best[box][deeper] = depth[deeper]
        image[box][deeper] = number
    return image


def overlaps(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which numbers of two images meet, (2, m), and in how many voxels, (m,)."""
    base = int(second.max()) + 1
    keys, shared = np.unique(first.ravel().astype(np.int64) * base + second.ravel(), return_counts=True)
    return np.stack(np.divmod(keys, base)), shared


def recovered(truth: NDArray[np.int32], found: NDArray[np.int64]) -> tuple[NDArray[np.bool_], Reals]:
    """Return for each true particle (n,) whether one found particle is it, and that one's volume over its own.

    They are the same if they share more than four fifths of their union.
    """
    pairs, shared = overlaps(truth, found)
    size, other = np.bincount(truth.ravel()), np.bincount(found.ravel())
    union = size[pairs[0]] + other[pairs[1]] - shared
    match = (shared > 0.8 * union) & (pairs[0] > 0) & (pairs[1] > 0)
    same, ratio = np.zeros(len(size) - 1, dtype=bool), np.full(len(size) - 1, np.nan)
    same[pairs[0][match] - 1] = True
    ratio[pairs[0][match] - 1] = other[pairs[1][match]] / size[pairs[0][match]]
    return same, ratio
