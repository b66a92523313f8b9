"""The figures of a particle that is given as a mask of voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Reals = NDArray[np.float64]
SMOOTH = 0.8
"""Standard deviation in voxels of the Gaussian that the surface is taken after."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured on one particle; lengths in um."""

    diameter: float
    """Of the sphere of equal volume."""
    volume: float
    """Voxels times their volume [um3]."""
    surface: float
    """Area of the smoothed surface, at the particle's volume [um2]."""
    axes: Reals
    """Semi-axes a >= b >= c of the ellipsoid with the particle's second moments, (3,)."""
    directions: Reals
    """Rows are the unit vectors of these axes in the stack's frame, (3, 3), right-handed."""
    krumbein: float
    """(b c / a^2)^(1/3)."""
    wadell: float
    """Surface of the sphere of equal volume over the particle's."""
    solidity: float
    """Volume over that of the convex hull."""
    centroid: Reals
    """Middle of the voxels' volume, from the mask's corner, (3,)."""


def figures(mask: Mask, voxel_um: float) -> Figures:
    """Measure a particle.

    Surface and solidity are those of a triangulated surface (Lewiner's marching cubes) of the mask blurred by 0.8
    voxels; the surface is scaled to the voxels' volume. On balls and ellipsoids of 8 to 32 voxels in diameter it is 1 %
    too large, the solidity 0.7 % too small.
    """
    volume = int(mask.sum()) * voxel_um**3
    centroid, axes, directions = inertia(mask)
    area, inner, hull = _surface(mask)
    surface = area * (mask.sum() / inner) ** (2 / 3) * voxel_um**2
    a, b, c = axes
    return Figures(
        diameter=equivalent_diameter(volume),
        volume=volume,
        surface=surface,
        axes=axes * voxel_um,
        directions=directions,
        krumbein=float((b * c / a**2) ** (1 / 3)),
        wadell=float(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / surface),
        solidity=min(1.0, inner / hull),
        centroid=centroid * voxel_um,
    )


def solidity(mask: Mask) -> float:
    """Return a particle's volume over that of its convex hull, both of its smoothed surface."""
    _, inner, hull = _surface(mask)
    return min(1.0, inner / hull)


def equivalent_diameter(volume: float) -> float:
    """Return the diameter of the sphere of that volume."""
    return float(np.cbrt(6 * volume / np.pi))


def inertia(mask: Mask) -> tuple[Reals, Reals, Reals]:
    """Return centroid (3,), semi-axes (3,) a >= b >= c, and their directions as rows (3, 3), all in voxels.

    Each voxel counts as a cube, whose own second moment is a twelfth.
    """
    places = np.argwhere(mask) + 0.5
    centroid = places.mean(axis=0)
    centred = places - centroid
    moments, vectors = np.linalg.eigh(centred.T @ centred / len(places) + np.eye(3) / 12)
    rows = vectors.T[::-1].copy()
    rows[2] *= np.sign(np.linalg.det(rows))
    return centroid, np.sqrt(5 * moments[::-1]), rows


def _surface(mask: Mask) -> tuple[float, float, float]:
    """Return area, enclosed volume and volume of the convex hull of the smoothed surface, in voxels."""
    from scipy.ndimage import gaussian_filter
    from scipy.spatial import ConvexHull

    blurred = gaussian_filter(np.pad(mask, 4).astype(np.float32), SMOOTH)
    points, triangles = triangulated(blurred, min(0.5, 0.9 * float(blurred.max())))
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    inner = abs(np.einsum("ij,ij->", a, np.cross(b, c))) / 6
    return float(area), float(inner), float(ConvexHull(points).volume)


def triangulated(field: NDArray[np.float32], level: float) -> tuple[Reals, NDArray[np.int64]]:
    """Return the corners (n, 3) [voxels] and triangles (m, 3) of a level surface."""
    from skimage import measure

    cubes: Any = measure.marching_cubes  # type: ignore[attr-defined,unused-ignore]
    points, triangles, _, _ = cubes(field, level, allow_degenerate=False)
    return np.asarray(points, dtype=np.float64), np.asarray(triangles, dtype=np.int64)
