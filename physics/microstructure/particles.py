"""Size, shape and orientation of the secondary particles, from the labels of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.microstructure.interfaces import DIRECTIONS, WEIGHTS
from mesoforge.physics.microstructure.quantity import Conductors, Found, Measure, Property
from mesoforge.physics.microstructure.stencil import jit
from mesoforge.physics.voxels import Voxels

LEAST = 200
"""Number of voxels below which a particle's shape is not reported."""
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ParticleTable:
    """The particles of an image that reach LEAST voxels and are not cut by a closed side."""

    number: NDArray[np.int64]
    """Label, (n,)."""
    volume: Reals
    """[um3], (n,)."""
    centre: Reals
    """[um], (n, 3)."""
    axes: Reals
    """Semi-axes a >= b >= c of the ellipsoid of equal second moments [um], (n, 3)."""
    direction: Reals
    """Unit vector of the longest axis, (n, 3)."""
    area: Reals
    """Surface [um2], (n,)."""

    @property
    def diameter(self) -> Reals:
        """Diameter of the sphere of equal volume [um], (n,)."""
        return np.asarray(np.cbrt(6 / np.pi * self.volume))

    @property
    def krumbein(self) -> Reals:
        """Krumbein's sphericity (bc / a^2)^(1/3), (n,)."""
        a, b, c = self.axes.T
        return np.asarray(np.cbrt(b * c / a**2))

    @property
    def wadell(self) -> Reals:
        """Wadell's sphericity: surface of the sphere of equal volume over the particle's, (n,)."""
        return np.asarray(np.pi * self.diameter**2 / self.area)

    def to_rows(self) -> list[dict[str, float]]:
        """Return one mapping of plain numbers per particle, lengths in um."""
        columns = {
            "particle": self.number,
            "volume": self.volume,
            "diameter": self.diameter,
            **{name: self.centre[:, axis] for axis, name in enumerate("xyz")},
            **{name: self.axes[:, axis] for axis, name in enumerate("abc")},
            "krumbein": self.krumbein,
            "wadell": self.wadell,
            "angle_to_z": np.degrees(np.arccos(np.clip(np.abs(self.direction[:, 2]), 0, 1))),
        }
        return [{name: float(values[row]) for name, values in columns.items()} for row in range(len(self.number))]


def particle_table(voxels: Voxels) -> ParticleTable:
    """Measure every particle of a labelled image."""
    many, periodic = int(voxels.particle.max()) + 1, np.array(voxels.periodic)
    cutting = ~periodic & np.array([True, True, not voxels.whole])
    moments, crossings, cut = np.zeros((many, 10)), np.zeros((many, len(DIRECTIONS))), np.zeros(many, dtype=np.bool_)
    start = np.full((many, 3), -1, dtype=np.int64)
    _moments(voxels.particle, periodic, cutting, start, moments, cut)
    _surfaces(voxels.particle, periodic, DIRECTIONS, crossings)
    number = np.flatnonzero((moments[:, 0] >= LEAST) & ~cut & (np.arange(many) > 0))
    count, first = moments[number, 0], moments[number, 1:4] / moments[number, :1]
    second = moments[number][:, [4, 7, 8, 7, 5, 9, 8, 9, 6]].reshape(-1, 3, 3) / count[:, None, None]
    spread = second - first[:, :, None] * first[:, None, :]
    values, vectors = np.linalg.eigh(spread)
    shape = np.array(voxels.phase.shape)
    centre = start[number] + first + 0.5
    steps = np.linalg.norm(DIRECTIONS, axis=1)
    return ParticleTable(
        number=number,
        volume=count * voxels.edge**3,
        centre=np.where(periodic, centre % shape, centre) * voxels.edge,
        axes=np.sqrt(5 * values[:, ::-1]) * voxels.edge,
        direction=vectors[:, :, 2],
        area=crossings[number] @ (2 * WEIGHTS / steps) * voxels.edge**2,
    )


def order_parameter(direction: Reals) -> float:
    """Return the mean of (3 cos^2 - 1) / 2 of long axes to z: 1 upright, 0 at random, -1/2 flat."""
    return float(np.mean(1.5 * direction[:, 2] ** 2 - 0.5))


@jit
def _moments(particle: Any, periodic: Any, cutting: Any, start: Any, moments: Any, cut: Any) -> None:
    """Sum count, offsets and their products about each particle's first voxel, across periodic sides.

    A particle must be shorter than half a periodic edge.
    """
    shape = particle.shape
    offset = np.zeros(3, np.int64)
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                p = particle[i, j, k]
                if p == 0:
                    continue
                if start[p, 0] < 0:
                    start[p, 0], start[p, 1], start[p, 2] = i, j, k
                offset[0], offset[1], offset[2] = i - start[p, 0], j - start[p, 1], k - start[p, 2]
                for axis in range(3):
                    place = start[p, axis] + offset[axis]
                    cut[p] |= cutting[axis] and (place == 0 or place == shape[axis] - 1)
                    if periodic[axis]:
                        offset[axis] = (offset[axis] + shape[axis] // 2) % shape[axis] - shape[axis] // 2
                    moments[p, 1 + axis] += offset[axis]
                    moments[p, 4 + axis] += offset[axis] * offset[axis]
                moments[p, 0] += 1
                moments[p, 7] += offset[0] * offset[1]
                moments[p, 8] += offset[0] * offset[2]
                moments[p, 9] += offset[1] * offset[2]


@jit
def _surfaces(particle: Any, periodic: Any, directions: Any, crossings: Any) -> None:
    """Count for each particle and direction how often a line enters or leaves it."""
    nx, ny, nz = particle.shape
    for d in range(len(directions)):
        a, b, c = directions[d]
        for place in range(nx * ny):
            i, j = place // ny, place % ny
            if (0 <= i + a < nx or periodic[0]) and (0 <= j + b < ny or periodic[1]):
                here, there = particle[i, j], particle[(i + a) % nx, (j + b) % ny]
                for k in range(nz):
                    own, other = here[k], there[(k + c) % nz]
                    at_end = not 0 <= k + c < nz and not periodic[2]  # collector and plane end a particle as well
                    if at_end or own != other:
                        crossings[own, d] += 1
                        crossings[other, d] += 1


def _measure(voxels: Voxels, _: Conductors) -> Found:
    """Return means over the particles."""
    table = particle_table(voxels) if voxels.particle.any() else None
    if table is None or not len(table.number):
        word = "particles are not told apart in this image" if table is None else f"no particle has {LEAST} voxels"
        return dict.fromkeys(PARTICLES.properties, word)
    return {
        "particle_count": float(len(table.number)),
        "particle_diameter_mean": float(table.diameter.mean()),
        "krumbein_sphericity_voxels": float(table.krumbein.mean()),
        "wadell_sphericity_mean": float(table.wadell.mean()),
        "elongation_mean": float((table.axes[:, 0] / table.axes[:, 2]).mean()),
        "orientation_order": order_parameter(table.direction),
        "size_segregation": _segregation(table),
    }


def _segregation(table: ParticleTable) -> float | str:
    """Return the rank correlation of size with height."""
    if len(table.number) < 3 or np.ptp(table.volume) == 0 or np.ptp(table.centre[:, 2]) == 0:
        return "too few particles that differ"
    from scipy.stats import spearmanr

    return float(spearmanr(table.volume, table.centre[:, 2]).statistic)


PARTICLES = Measure(
    "particles",
    {
        "particle_count": Property("", f"particles of at least {LEAST} voxels, whole in the image"),
        "particle_diameter_mean": Property("um", "mean diameter of the spheres of their volumes, by number"),
        "krumbein_sphericity_voxels": Property("", "mean (bc/a^2)^(1/3) of their inertia ellipsoids, from voxels"),
        "wadell_sphericity_mean": Property("", "mean surface of the sphere of equal volume over their own"),
        "elongation_mean": Property("", "mean longest over shortest axis"),
        "orientation_order": Property("", "order of the long axes: 1 upright, 0 random, -0.5 flat in the plane"),
        "size_segregation": Property("", "rank correlation of particle volume with height"),
    },
    _measure,
)
