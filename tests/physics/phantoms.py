"""Phantoms for tests: touching ellipsoids with the axis ratios of a real cathode's particles."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.shapes.phantom import Ellipsoids, packed, stamped


def real_axes(count: int, diameter: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return semi-axes (n, 3) of ellipsoids with this mean diameter; ratios as in a calendered NMC electrode."""
    minor = rng.normal(0.85, 0.07, count).clip(0.6, 0.99)
    axes = np.stack([np.ones(count), minor, minor * rng.normal(0.83, 0.08, count).clip(0.55, 0.99)], axis=1)
    sizes = np.exp(rng.normal(0, 0.2, count))
    unit: NDArray[np.float64] = axes / np.cbrt(axes.prod(axis=1))[:, None]
    scaled: NDArray[np.float64] = unit * (sizes / sizes.mean() * diameter / 2)[:, None]
    return scaled


def ellipsoids(count: int, diameter: float, fraction: float, seed: int) -> tuple[Ellipsoids, int]:
    """Return packed ellipsoids and the edge of the cube that they fill to this fraction, all in voxels."""
    rng = np.random.default_rng(seed)
    axes = real_axes(count, diameter, rng)
    edge = int(np.cbrt(4 / 3 * np.pi * axes.prod(axis=1).sum() / fraction)) + 1
    found = packed(axes, edge - 2.0, 0.05, rng)
    found.centres[:] += 1
    return found, edge


@lru_cache(maxsize=4)
def phantom(count: int, diameter: float, fraction: float, seed: int = 1) -> NDArray[np.int32]:
    """Return a cube of voxels with the numbers of its ellipsoids."""
    found, edge = ellipsoids(count, diameter, fraction, seed)
    return stamped(found, edge)
