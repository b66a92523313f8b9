"""Generated shapes: lumpy, elongated particles of a wanted volume and Krumbein sphericity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesoforge.physics.recipe import Particles
from mesoforge.physics.shapes.shape import Points, Shape

LUMPS = 14
"""Number of lumps on a particle: about the grains that a scan at 0.6 um resolves on one."""
LUMP_WIDTH = 0.45
"""Angular width of a lump [rad]."""


FLAT = 0.85
"""Least middle axis of a platelet over its longest."""


@dataclass(frozen=True, slots=True)
class SyntheticShapes:
    """Ellipsoids with random axes and lumps; the beads are the lattice points that lie deepest inside."""

    particles: Particles

    def shape(self, beads: int, rng: np.random.Generator) -> Shape:
        """Return a particle of exactly ``beads`` beads about its centroid."""
        pitch = self.particles.primary_diameter
        axes = self._axes(rng) * (beads * 3 / (4 * np.pi)) ** (1 / 3)
        reach = int(np.ceil(axes.max() * 1.6)) + 1
        grid = np.arange(-reach, reach + 1)
        lattice = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3) + rng.random(3) - 0.5
        depth = _level(lattice / axes, self.particles.roughness, rng)
        chosen = lattice[np.argsort(depth, kind="stable")[:beads]] * pitch
        return Shape(chosen - chosen.mean(axis=0), pitch)

    def _axes(self, rng: np.random.Generator) -> Points:
        """Draw relative semi-axes of unit product whose Krumbein sphericity is the wanted one."""
        wanted = float(np.clip(rng.normal(self.particles.sphericity, self.particles.sphericity_sd), 0.45, 0.98))
        product = wanted**3
        middle = self._middle(product, rng)
        axes = np.array([1.0, middle, product / middle])
        unit: Points = axes / np.prod(axes) ** (1 / 3)
        return unit

    def _middle(self, product: float, rng: np.random.Generator) -> float:
        """Draw the middle axis over the longest, where both shorter ones have this product: rather long than flat."""
        return float(rng.uniform(np.sqrt(product), min(1.0, np.sqrt(product) * 1.3)))


class PlateletShapes(SyntheticShapes):
    """The same with two long axes and a short one: flakes whose thickness is sphericity^3 of their width and less."""

    def _middle(self, product: float, rng: np.random.Generator) -> float:
        return float(rng.uniform(max(FLAT, np.sqrt(product)), 1.0))


def _level(points: Points, roughness: float, rng: np.random.Generator) -> Points:
    """Return the distance of points (n, 3) from the centre in units of the lumpy unit sphere's local radius."""
    radius = np.linalg.norm(points, axis=1)
    directions = points / np.maximum(radius, 1e-9)[:, None]
    centres = rng.normal(size=(LUMPS, 3))
    centres /= np.linalg.norm(centres, axis=1)[:, None]
    angles = np.arccos(np.clip(directions @ centres.T, -1, 1))
    heights = roughness * rng.uniform(-1, 1, LUMPS)
    level: Points = radius / (1 + np.exp(-((angles / LUMP_WIDTH) ** 2)) @ heights)
    return level
