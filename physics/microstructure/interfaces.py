"""Areas of the surfaces between phases and between particles, by counting where lines cross them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.beads import ACTIVE, CBD
from mesoforge.physics.microstructure.quantity import Conductors, Found, Measure, Property
from mesoforge.physics.microstructure.stencil import jit
from mesoforge.physics.voxels import PORE, Voxels

DIRECTIONS = np.array(
    [
        *((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        *((1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1)),
        *((1, 1, 1), (1, 1, -1), (1, -1, 1), (1, -1, -1)),
    ]
)
"""The thirteen directions from a voxel to its neighbours, (13, 3)."""
WEIGHTS = np.repeat([0.0915554, 0.0739612, 0.0703914], [3, 6, 4])
"""Share of the sphere nearest to each direction (Ohser and Muecklich 2000)."""


def surface_areas(voxels: Voxels) -> NDArray[np.float64]:
    """Return the area between each two phases per volume of the image, (3, 3) [1/um].

    On the diagonal stands that between different particles.
    Source: Crofton's formula, S_V = 2 P_L, over thirteen directions (Ohser and Muecklich 2000).
    """
    counts = np.zeros((len(DIRECTIONS), 3, 3), dtype=np.int64)
    pairs = np.zeros(len(DIRECTIONS), dtype=np.int64)
    _cross(voxels.phase, voxels.particle, np.array(voxels.periodic), DIRECTIONS, counts, pairs)
    steps = np.linalg.norm(DIRECTIONS, axis=1) * voxels.edge
    found = (2 * WEIGHTS / (np.maximum(pairs, 1) * steps))[:, None, None] * (counts + counts.transpose(0, 2, 1))
    whole = found.sum(axis=0)
    return np.asarray(whole * (1 - 0.5 * np.eye(3)))


def coverage(voxels: Voxels) -> dict[int, float]:
    """Return the share of the collector that each phase touches."""
    return {label: float(np.mean(voxels.phase[:, :, 0] == label)) for label in (PORE, ACTIVE, CBD)}


@jit
def _cross(phase: Any, particle: Any, periodic: Any, directions: Any, counts: Any, pairs: Any) -> None:
    """Count per direction the pairs of voxels, and those whose phases, or whose particles, differ."""
    nx, ny, nz = phase.shape
    for d in range(len(directions)):
        a, b, c = directions[d]
        for i in range(nx):
            if not 0 <= i + a < nx and not periodic[0]:
                continue
            for j in range(ny):
                if not 0 <= j + b < ny and not periodic[1]:
                    continue
                here, there = phase[i, j], phase[(i + a) % nx, (j + b) % ny]
                own, other = particle[i, j], particle[(i + a) % nx, (j + b) % ny]
                low, high = (0, nz) if periodic[2] else (max(0, -c), nz - max(0, c))
                for k in range(low, high):
                    m = (k + c) % nz
                    pairs[d] += 1
                    if here[k] != there[m] or own[k] != other[m]:
                        counts[d, here[k], there[m]] += 1


def _measure(voxels: Voxels, _: Conductors) -> Found:
    """Return specific surfaces, contacts and what covers the collector."""
    area, touching = surface_areas(voxels), coverage(voxels)
    wetted, bound, shared = area[ACTIVE, PORE], area[ACTIVE, CBD], area[ACTIVE, ACTIVE]
    own, apart = wetted + bound + shared, bool(voxels.particle.any())
    none = "particles are not told apart in this image"
    cut = "the image does not reach the collector"
    return {
        "specific_surface": float(wetted + area[CBD, PORE]),
        "active_surface": float(wetted),
        "contact_active_cbd": float(bound),
        "contact_active_active": float(shared) if apart else none,
        "active_surface_share": float(wetted / own) if own else "there is no active material",
        "cbd_coverage": float(bound / own) if own else "there is no active material",
        "collector_coverage_active": touching[ACTIVE] if voxels.whole else cut,
        "collector_coverage_cbd": touching[CBD] if voxels.whole else cut,
    }


INTERFACES = Measure(
    "interfaces",
    {
        "specific_surface": Property("1/um", "area of the pores' walls per volume of electrode"),
        "active_surface": Property("1/um", "area between active material and pores per volume of electrode"),
        "contact_active_cbd": Property("1/um", "area between active material and CBD per volume of electrode"),
        "contact_active_active": Property("1/um", "area between particles of active material per volume of electrode"),
        "active_surface_share": Property("", "share of the active material's surface that pores touch"),
        "cbd_coverage": Property("", "share of the active material's surface that CBD touches"),
        "collector_coverage_active": Property("", "share of the collector that active material touches"),
        "collector_coverage_cbd": Property("", "share of the collector that CBD touches"),
    },
    _measure,
)
