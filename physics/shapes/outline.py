"""Outlines: the radius of a star-shaped particle in every direction, as an ellipsoid times spherical harmonics.

    r(u) = s R(u) exp(sum of c_lm Y_lm(u), l from 3 to 16),    R: the ellipsoid, s: so that the volume is as wanted

Directions are those of the ellipsoid's axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.special import sph_harm_y

from mesoforge.physics.shapes.figures import SMOOTH, Mask, Reals, inertia

FIRST, LAST = 3, 16
"""Degrees of the harmonics: below 3 they shift and stretch, above 16 a particle of 20 voxels has no lumps."""
POLAR, ROUND = 48, 96
"""Grid of directions: polar angles and azimuths at the middles of cells."""
RAYS = 1200
STEP = 0.25
"""Step along a ray, in voxels."""


def degrees() -> NDArray[np.int64]:
    """Return the degree l of each harmonic, in the order of ``harmonics``, (k,)."""
    return np.array([degree for degree in range(FIRST, LAST + 1) for _ in range(2 * degree + 1)])


def harmonics(directions: Reals) -> Reals:
    """Return the real spherical harmonics of degrees 3 to 16 at unit vectors (n, 3), orthonormal, (n, k)."""
    polar = np.arccos(np.clip(directions[:, 2], -1, 1))
    azimuth = np.arctan2(directions[:, 1], directions[:, 0])
    columns = list[Reals]()
    for degree in range(FIRST, LAST + 1):
        for order in range(-degree, degree + 1):
            value = sph_harm_y(degree, abs(order), polar, azimuth)
            part = value.imag if order < 0 else value.real
            columns.append(part * (np.sqrt(2) if order else 1))
    return np.stack(columns, axis=1)


def ellipsoid_radius(directions: Reals, axes: Reals) -> Reals:
    """Return the radius of an ellipsoid of these semi-axes at unit vectors (n, 3) in its frame, (n,)."""
    radius: Reals = 1 / np.linalg.norm(directions / axes, axis=1)
    return radius


def even_directions(count: int) -> Reals:
    """Return unit vectors spread evenly over the sphere, on a Fibonacci spiral, (n, 3)."""
    height = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1)


@lru_cache(maxsize=1)
def _even() -> tuple[Reals, Reals]:
    directions = even_directions(RAYS)
    return directions, harmonics(directions)


@lru_cache(maxsize=1)
def _grid() -> tuple[Reals, Reals, Reals]:
    """Return the grid's directions (POLAR * ROUND, 3), its harmonics, and the solid angle of each cell."""
    polar = (np.arange(POLAR) + 0.5) * np.pi / POLAR
    azimuth = (np.arange(ROUND) + 0.5) * 2 * np.pi / ROUND - np.pi
    across, around = (grid.ravel() for grid in np.meshgrid(polar, azimuth, indexing="ij"))
    directions = np.stack([np.sin(across) * np.cos(around), np.sin(across) * np.sin(around), np.cos(across)], axis=1)
    edges = np.cos(np.arange(POLAR + 1) * np.pi / POLAR)
    angles = np.repeat(edges[:-1] - edges[1:], ROUND) * 2 * np.pi / ROUND
    return directions, harmonics(directions), angles


def measured(mask: Mask) -> tuple[Reals, Reals]:
    """Return the semi-axes of a particle's ellipsoid of inertia [voxels] and the coefficients of its outline, (k,).

    Along each of 1200 rays from the centroid the radius is that of a cone with the particle's volume in it, so that a
    dent behind an overhang counts as what it takes away.
    """
    centroid, axes, directions = inertia(mask)
    rays, basis = _even()
    reach = float(np.linalg.norm(np.array(mask.shape))) + 2
    steps = np.arange(STEP / 2, reach, STEP)
    field = gaussian_filter(np.pad(mask, 3).astype(np.float32), SMOOTH)
    places = (rays @ directions)[:, None, :] * steps[None, :, None] + centroid + 2.5
    inside = map_coordinates(field, places.reshape(-1, 3).T, order=1).reshape(len(rays), -1) > 0.5
    radius = np.cbrt(3 * (inside * steps**2).sum(axis=1) * STEP)
    height = np.log(np.maximum(radius, 0.5) / ellipsoid_radius(rays, axes))
    coefficients: Reals = basis.T @ height * (4 * np.pi / RAYS)
    return axes, coefficients


@dataclass(frozen=True, slots=True)
class Outline:
    """A star-shaped particle: radii on the grid of directions, (POLAR, ROUND) [um]."""

    radii: Reals

    @classmethod
    def of(cls, diameter: float, ratios: tuple[float, float], coefficients: Reals) -> Outline:
        """Return the outline with this equivalent diameter [um], axis ratios b/a and c/b, and coefficients (k,)."""
        directions, basis, angles = _grid()
        axes = np.array([1.0, ratios[0], ratios[0] * ratios[1]])
        radius = ellipsoid_radius(directions, axes) * np.exp(basis @ coefficients)
        volume = (angles * radius**3).sum() / 3
        return cls((radius * np.cbrt(np.pi / 6 * diameter**3 / volume)).reshape(POLAR, ROUND))

    def level(self, points: Reals) -> Reals:
        """Return the distance of points (n, 3) from the centre over the radius in their direction, (n,)."""
        distance = np.linalg.norm(points, axis=1)
        polar = np.arccos(np.clip(points[:, 2] / np.maximum(distance, 1e-12), -1, 1))
        azimuth = np.arctan2(points[:, 1], points[:, 0])
        place = np.stack([polar / np.pi * POLAR - 0.5, (azimuth + np.pi) / (2 * np.pi) * ROUND - 0.5])
        ringed = np.pad(self.radii, ((0, 0), (1, 1)), mode="wrap")
        radius = map_coordinates(ringed, [place[0], place[1] + 1], order=1, mode="nearest")
        level: Reals = distance / radius
        return level

    def mask(self, voxel: float, rotation: Reals, shift: Reals) -> Mask:
        """Return the outline as voxels [um], turned by a rotation (3, 3) and shifted by parts of a voxel (3,)."""
        reach = int(np.ceil(self.radii.max() / voxel)) + 1
        steps = np.arange(-reach, reach + 1)
        lattice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3) + shift
        inside = self.level(lattice @ rotation * voxel).reshape((len(steps),) * 3) < 1
        return _cropped(inside)


def _cropped(mask: Mask) -> Mask:
    """Return the part of a mask that holds its voxels."""
    bounds = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return np.ascontiguousarray(mask[tuple(slice(found[0], found[-1] + 1) for found in bounds)])
