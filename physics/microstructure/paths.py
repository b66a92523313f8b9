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
    state = conducting.astype(np.uint8)
    _flood(state, 0, APART, NEAR, *periodic)
    _flood(state, state.shape[2] - 1, NEAR, THROUGH, *periodic)
    return state


def open_to_ends(conducting: NDArray[np.bool_], periodic: tuple[bool, bool]) -> NDArray[np.bool_]:
    """Say of each voxel whether a path through faces joins it to either end of the last axis, (nx, ny, nz)."""
    state = conducting.astype(np.uint8)
    for layer in (0, state.shape[2] - 1):
        _flood(state, layer, APART, NEAR, *periodic)
    return np.asarray(state == NEAR)


@jit
def _flood(state: Any, layer: int, old: int, new: int, periodic_x: bool, periodic_y: bool) -> None:
    """Turn all of the old state that is joined to a layer into the new one, run by run along the last axis."""
    nx, ny, nz = state.shape
    stack, top = np.empty(4096, np.int64), 0
    for start in range(nx * ny):
        stack[0], top = start * nz + layer, 1
        while top > 0:
            top -= 1
            place, k = divmod(stack[top], nz)
            i, j = divmod(place, ny)
            if state[i, j, k] != old:
                continue
            low, high = _run(state[i, j], k)
            state[i, j, low:high] = new
            if top + 2 * (high - low) + 4 > len(stack):
                larger = np.empty(2 * len(stack) + 2 * nz, np.int64)
                larger[:top] = stack[:top]
                stack = larger
            for side in range(4):
                n, m = i + (side == 0) - (side == 1), j + (side == 2) - (side == 3)
                if (not 0 <= n < nx and not periodic_x) or (not 0 <= m < ny and not periodic_y):
                    continue
                top = _push_runs(stack, top, state, n % nx, m % ny, low, high, old)


@jit
def _run(row: Any, k: int) -> Any:
    """Return where the run of equal values about k begins and where it has ended."""
    low, high = k, k + 1
    while low > 0 and row[low - 1] == row[k]:
        low -= 1
    while high < len(row) and row[high] == row[k]:
        high += 1
    return low, high


@jit
def _push_runs(stack: Any, top: int, state: Any, i: int, j: int, low: int, high: int, old: int) -> int:
    """Put the first voxel of each run of the old state between two heights on the stack; return its new height."""
    inside = False
    for k in range(low, high):
        here = state[i, j, k] == old
        if here and not inside:
            stack[top] = (i * state.shape[1] + j) * state.shape[2] + k
            top += 1
        inside = here
    return top
