"""How sure a measured number is: its scatter over sub-volumes, and its limit for vanishing voxels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.microstructure.measure import measure
from mesoforge.physics.microstructure.phases import fractions
from mesoforge.physics.microstructure.quantity import Conductors, Properties
from mesoforge.physics.voxels import Voxels

LEAST = 8
"""Fewest voxels along an edge of a sub-volume."""


def piece(voxels: Voxels, low: Sequence[int], size: Sequence[int]) -> Voxels:
    """Cut a box of voxels out of an image, closed at its sides; with all of the thickness it stays whole."""
    cut = tuple(slice(first, first + many) for first, many in zip(low, size, strict=True))
    all_of_it = size[2] == voxels.phase.shape[2]
    return Voxels(
        np.ascontiguousarray(voxels.phase[cut]),
        np.ascontiguousarray(voxels.particle[cut]),
        voxels.edge,
        whole=voxels.whole and all_of_it,
        periodic=(False, False, False),
    )


def columns(voxels: Voxels, across: int) -> list[Voxels]:
    """Cut an image into ``across`` by ``across`` columns of its whole thickness.

    Raises:
        InputError: the columns would be narrower than LEAST voxels.
    """
    nx, ny, nz = voxels.phase.shape
    width = (nx // across, ny // across)
    if across < 2 or min(width) < LEAST:
        raise InputError(
            f"{across} by {across} sub-volumes of {nx} x {ny} voxels were asked for but at least 2 by 2 of {LEAST} "
            "voxels are due: choose another number."
        )
    return [piece(voxels, (i * width[0], j * width[1], 0), (*width, nz)) for i in range(across) for j in range(across)]


def with_spread(
    found: Properties, voxels: Voxels, conductors: Conductors, across: int, only: Sequence[str] = ()
) -> Properties:
    """Give each property the standard error of its mean over columns of the image.

    Columns are smaller than the image and have closed sides; their mean may differ from the image's own value, so they
    lend it their scatter alone.
    """
    parts = [measure(one, conductors, only).numbers for one in columns(voxels, across)]
    spread = {
        name: float(np.std([part[name] for part in parts], ddof=1) / np.sqrt(len(parts)))
        for name in found.numbers
        if all(name in part for part in parts)
    }
    return Properties({name: replace(one, spread=spread.get(name)) for name, one in found.quantities.items()})


@dataclass(frozen=True, slots=True)
class Limit:
    """A property carried on to vanishing voxels: ``value`` at no edge, its standard ``error``, and what led to it."""

    value: float
    error: float
    edges: tuple[float, ...]
    values: tuple[float, ...]


def richardson(edges: Sequence[float], values: Sequence[float]) -> Limit:
    """Carry values at several voxel edges on to no edge at all, by a straight line.

    The stair-steps of a digital surface err in proportion to the edge. The error is that of the line's intercept, or,
    from two edges, a third of the step from the finer value to the limit.

    Raises:
        InputError: fewer than two different edges.
    """
    if len(set(edges)) < 2:
        raise InputError(f"{len(set(edges))} voxel edges came but at least two different ones are due: add one.")
    x, y = np.asarray(edges, dtype=float), np.asarray(values, dtype=float)
    design = np.column_stack([np.ones_like(x), x])
    (limit, slope), *_ = np.linalg.lstsq(design, y, rcond=None)
    left = y - design @ (limit, slope)
    freedom = len(x) - 2
    covariance = np.linalg.inv(design.T @ design) * (left @ left / freedom if freedom else 0.0)
    error = float(np.sqrt(covariance[0, 0])) if freedom else abs(slope) * x.min() / 3
    return Limit(float(limit), float(error), tuple(edges), tuple(map(float, values)))


def coarsened(voxels: Voxels, factor: int) -> Voxels:
    """Return the image in voxels of ``factor`` times the edge, each phase with its share kept to a voxel.

    Each coarse voxel goes to a phase that fills much of it: the active material takes those it fills most, then the
    CBD. What is left over at an end is cut off. Particles go with the first voxel of each block.
    """
    shape = [n // factor for n in voxels.phase.shape]
    cut = voxels.phase[tuple(slice(0, n * factor) for n in shape)]
    trimmed = Voxels(cut, voxels.particle, voxels.edge)
    shares = fractions(trimmed)
    phase = np.zeros(shape, dtype=np.uint8)
    for label, name in ((1, "active_material"), (2, "cbd")):
        filled = _block_means(cut == label, factor) - 2.0 * (phase > 0)
        wanted = round(shares[name] * phase.size)
        if wanted:
            phase.reshape(-1)[np.argpartition(-filled.ravel(), wanted - 1)[:wanted]] = label
    particle = voxels.particle[::factor, ::factor, ::factor][: shape[0], : shape[1], : shape[2]]
    return Voxels(phase, np.where(phase == 1, particle, 0), voxels.edge * factor, voxels.periodic, voxels.whole)


def _block_means(indicator: NDArray[np.bool_], factor: int) -> NDArray[np.float32]:
    nx, ny, nz = (n // factor for n in indicator.shape)
    blocks = indicator.reshape(nx, factor, ny, factor, nz, factor)
    return np.asarray(blocks.mean(axis=(1, 3, 5), dtype=np.float32))


@dataclass(frozen=True, slots=True)
class Scatter:
    """How a number scatters over cubes of one edge [um]: ``mean``, ``sd`` of single cubes, and their number."""

    edge: float
    mean: float
    sd: float
    cubes: int


def representative(
    voxels: Voxels, number: Callable[[Voxels], float], seed: int = 0, cubes: int = 12, sizes: int = 4
) -> list[Scatter]:
    """Measure a number on cubes of growing edge at random places, up to half the shortest edge of the image."""
    rng, shortest = np.random.default_rng(seed), min(voxels.phase.shape)
    found = []
    for edge in np.unique(np.geomspace(max(LEAST, shortest // 8), max(LEAST, shortest // 2), sizes).astype(int)):
        corners = [[int(rng.integers(0, n - edge + 1)) for n in voxels.phase.shape] for _ in range(cubes)]
        values = np.array([number(piece(voxels, corner, (edge,) * 3)) for corner in corners])
        values = values[np.isfinite(values)]
        if len(values) > 1:
            found.append(
                Scatter(float(edge * voxels.edge), float(values.mean()), float(values.std(ddof=1)), len(values))
            )
    return found


def edge_for(scatter: Sequence[Scatter], tolerance: float, *, relative: bool) -> float:
    """Return the edge of the cube [um] whose single value has a standard deviation of the tolerance.

    The deviation is taken to fall as the edge to the power -3/2, that of independent pieces, through the largest cubes
    measured.
    """
    last = scatter[-1]
    due = tolerance * (last.mean if relative else 1.0)
    return float(last.edge * (last.sd / due) ** (2 / 3))
