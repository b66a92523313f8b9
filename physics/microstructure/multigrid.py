"""The conduction equation by conjugate gradients, preconditioned by multigrid: the conductance of a voxel image.

Unknown is one potential per voxel; currents flow through faces, whose conductance is the harmonic mean of both sides;
potentials are fixed on the first and last face along the last axis. Grids of twice the edge are sums over 2 x 2 x 2
voxels. Single precision is enough, because the conductance is read off the dissipated energy, which errs by the square
of the potentials' error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesoforge.physics.microstructure import stencil
from mesoforge.physics.microstructure.stencil import Field, Grid

COARSEST = 200
"""Number of voxels at which a grid is solved by sweeps alone."""
SWEEPS = 6
"""Sweeps forth and back on the coarsest grid."""
TOLERANCE = 1e-5
"""Relative error of the conductance at which the solver stops."""
IDLE = 0.01
"""Share of the mean current of a conducting voxel below which one counts as idle."""
ITERATIONS = 500
"""Conjugate-gradient steps after which the solver gives up."""


@dataclass(frozen=True, slots=True)
class Level:
    """One grid with room for its potentials and sources."""

    grid: Grid
    x: Field
    b: Field


@dataclass(frozen=True, slots=True)
class Conduction:
    """What the solver found.

    ``conductance`` is that between both electrodes for voxels of unit conductivity and edge; ``potential``
    (nx, ny, nz) runs from 0 to 1; ``idle`` counts the conducting voxels that carry less than a hundredth of their mean
    current; ``error`` is the relative error of the conductance still to come, as foretold from the last steps.
    """

    conductance: float
    potential: Field
    idle: int
    error: float
    steps: int
    converged: bool


def conduct(
    conductivity: Field, periodic: tuple[bool, bool], tolerance: float = TOLERANCE, agreeing: int = 1
) -> Conduction:
    """Solve for the potentials of an image whose last axis joins both electrodes.

    Args:
        conductivity: (nx, ny, nz), relative to free electrolyte, 0 where nothing passes; what conducts has to be joined
            to an electrode. Overwritten by the potentials.
        periodic: whether the first and the second axis close upon themselves; else nothing passes there.
        tolerance: relative error of the conductance at which to stop.
        agreeing: steps in a row that foretell such an error. One is enough for one conductor; where a good one lies in
            bad ones, steps that gain little come before others that gain much.
    """
    grid = stencil.finest(conductivity, periodic)
    coarse = _coarser_levels(grid)
    x = stencil.ramp(conductivity)
    steps, error = _conjugate_gradients(grid, coarse, x, tolerance, agreeing)
    conductance = stencil.dissipation(x, grid)
    idle = stencil.idle(x, grid, np.float32(IDLE * conductance * x.shape[2]))
    return Conduction(conductance, x, idle, error, steps, error <= tolerance)


def _coarser_levels(grid: Grid) -> list[Level]:
    levels: list[Level] = []
    while grid[0].size > COARSEST:
        grid = stencil.coarser(grid)
        levels.append(Level(grid, np.zeros_like(grid[0]), np.zeros_like(grid[0])))
    return levels


def _conjugate_gradients(
    grid: Grid, coarse: list[Level], x: Field, tolerance: float, agreeing: int
) -> tuple[int, float]:
    """Improve x until the energy still to be lost is a small share of all; return steps and that share.

    Each step lowers the energy by a known amount (Hestenes and Stiefel 1952); what is still to come is the tail of a
    geometric series through the last two (Strakos and Tichy, ETNA 13 (2002) 56).
    """
    r, z, direction = stencil.fields(3, x.shape)
    _residual(r, grid, x)
    direction[:] = 0
    energy, before, lost, error, agreed = stencil.dissipation(x, grid), 0.0, 0.0, 1.0, 0
    for step in range(1, ITERATIONS + 1):
        _precondition(z, r, grid, coarse)
        now = stencil.product(r, z)
        if now <= 0:
            return step, 0.0
        stencil.turn(direction, np.float32(now / before if before else 0.0), z)
        length = now / stencil.apply(z, direction, grid)
        stencil.add(x, np.float32(length), direction)
        stencil.add(r, np.float32(-length), z)
        gain, last = length * now, lost
        energy, before, lost = energy - gain, now, gain
        error = _still_to_come(gain, last) / energy
        agreed = agreed + 1 if error < tolerance else 0
        if agreed == agreeing:
            return step, error
    return ITERATIONS, error


def _still_to_come(gain: float, last: float) -> float:
    """Return the tail of the geometric series whose last two terms these are; the last one's size where it grows."""
    if last <= 0:
        return np.inf
    ratio = min(gain / last, 0.9)
    return gain * ratio / (1 - ratio)


def _residual(r: Field, grid: Grid, x: Field) -> None:
    """Write what flows into each voxel at potentials x, the far electrode at 1."""
    stencil.apply(r, x, grid)
    np.negative(r, out=r)
    r[:, :, -1] += grid[4][1]


def _precondition(z: Field, r: Field, grid: Grid, coarse: list[Level]) -> None:
    """Do one multigrid cycle on r from nothing, into z."""
    _cycle(Level(grid, z, r), coarse, begun=False)


def _cycle(level: Level, coarse: list[Level], *, begun: bool) -> None:
    """Improve a level's potentials, from 0 unless begun: sweep, correct by two coarser cycles, sweep back."""
    if not coarse:
        stencil.settle(level.x, level.b, level.grid, SWEEPS, begun)
        return
    sweep = stencil.relax if begun else stencil.relax_from_nothing
    sweep(level.x, level.b, level.grid)
    below, deeper = coarse[0], coarse[1:]
    stencil.restrict_residual(below.b, level.x, level.b, level.grid)
    _cycle(below, deeper, begun=False)
    if deeper:
        _cycle(below, deeper, begun=True)
    stencil.add_correction(level.x, below.x)
    stencil.relax_back(level.x, level.b, level.grid)
