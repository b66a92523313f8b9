"""Which voxels lie on a path from one electrode to the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.microstructure.stencil import jit

BLOCKED, APART, NEAR, THROUGH = 0, 1, 2, 3
"""What a voxel is: does not conduct; no path to the near electrode; a path only to it; paths to both."""


def joined(conducting: NDArray[np.bool_], periodic: tuple[bool, bool]) -> NDArray[np.uint8]:
    """Say of each voxel which electrodes it is joined to, through faces; the last axis joins the electrodes.

    Args:
        conducting: (nx, ny, nz).
        periodic: whether the first and the second axis close upon themselves.

    Returns:
        BLOCKED, APART, NEAR or THROUGH, (nx, ny, nz).
    """
    return np.asarray(_reached(conducting, *periodic, np.array([APART, NEAR, APART, THROUGH], np.uint8)))


def open_to_ends(conducting: NDArray[np.bool_], periodic: tuple[bool, bool]) -> NDArray[np.bool_]:
    """Say of each voxel whether a path through faces joins it to either end of the last axis, (nx, ny, nz)."""
    return np.asarray(_reached(conducting, *periodic, np.array([0, 1, 1, 1], np.uint8)), dtype=np.bool_)


@jit
def through_values(phase: Any, state: Any, table: Any) -> Any:
    """Return the table's value for the label of each voxel that is joined to both ends, (nx, ny, nz); else 0."""
    nx, ny, nz = state.shape
    values = np.zeros((nx, ny, nz), np.float32)
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if state[i, j, k] == THROUGH:
                    values[i, j, k] = table[phase[i, j, k]]
    return values


@jit
def _reached(conducting: Any, periodic_x: bool, periodic_y: bool, names: Any) -> Any:
    """Write of each conducting voxel the name of what it is joined to: neither end, the near, the far, both.

    Runs of voxels along the last axis are joined where they lie beside one another; each set of them is a tree.
    """
    nx, ny, _ = conducting.shape
    first, low, high = _runs(conducting)
    parent = np.arange(len(low)).astype(np.int32)
    for i in range(nx):
        for j in range(ny):
            if i > 0 or periodic_x:
                _join(parent, low, high, first, i * ny + j, (i - 1) % nx * ny + j)
            if j > 0 or periodic_y:
                _join(parent, low, high, first, i * ny + j, i * ny + (j - 1) % ny)
    return _named(conducting, first, low, high, parent, names)


@jit
def _runs(conducting: Any) -> Any:
    """Return where the runs of each line begin in the list of all, and where each run begins and has ended."""
    nx, ny, _ = conducting.shape
    first = np.zeros(nx * ny + 1, np.int32)
    for i in range(nx):
        for j in range(ny):
            first[i * ny + j + 1] = first[i * ny + j] + _count(conducting[i, j])
    low, high = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32)
    for i in range(nx):
        for j in range(ny):
            _find(conducting[i, j], low[first[i * ny + j] :], high[first[i * ny + j] :])
    return first, low, high


@jit
def _count(row: Any) -> Any:
    """Count the runs of a line."""
    count = np.int32(row[0])
    for k in range(1, len(row)):
        count += row[k] and not row[k - 1]
    return count


@jit
def _find(row: Any, low: Any, high: Any) -> None:
    """Write where each run of a line begins and has ended."""
    run, inside = -1, False
    for k in range(len(row)):
        if row[k] and not inside:
            run += 1
            low[run] = k
        if inside and not row[k]:
            high[run] = k
        inside = row[k]
    if inside:
        high[run] = len(row)


@jit
def _root(parent: Any, run: Any) -> Any:
    """Return the root of a run's tree, and halve the way to it."""
    while parent[run] != run:
        parent[run] = parent[parent[run]]
        run = parent[run]
    return run


@jit
def _join(parent: Any, low: Any, high: Any, first: Any, line: int, other: int) -> None:
    """Join the runs of two lines that lie beside one another."""
    a, b = first[line], first[other]
    while a < first[line + 1] and b < first[other + 1]:
        if low[a] < high[b] and low[b] < high[a]:
            one, two = _root(parent, a), _root(parent, b)
            parent[max(one, two)] = min(one, two)
        if high[a] < high[b]:
            a += 1
        else:
            b += 1


@jit
def _named(conducting: Any, first: Any, low: Any, high: Any, parent: Any, names: Any) -> Any:
    """Return the name of what each voxel's tree of runs touches, 0 where none is."""
    nx, ny, nz = conducting.shape
    touched, state = np.zeros(len(low), np.uint8), np.zeros(conducting.shape, np.uint8)
    for run in range(len(low)):
        touched[_root(parent, run)] |= (low[run] == 0) + 2 * (high[run] == nz)
    for i in range(nx):
        for j in range(ny):
            for run in range(first[i * ny + j], first[i * ny + j + 1]):
                state[i, j, low[run] : high[run]] = names[touched[_root(parent, run)]]
    return state
