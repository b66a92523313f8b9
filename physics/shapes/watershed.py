"""Kernels of the watershed: steepest ascent on a height, and what two basins share.

Each voxel points to the highest of itself and its 26 neighbours; of equals to the first in the stack's order. Paths end
at peaks, and a basin is what drains to one peak. The rule is local, so a stack may be cut anywhere.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


def _jit(function: Any) -> Any:  # noqa: ANN401 - numba has no types
    return numba.njit(cache=True, nogil=True)(function)


@_jit
def ascend(height: Any, low: Any, high: Any) -> Any:  # noqa: ANN401
    """Return the end of each voxel's path as a flat index of ``height`` (nx, ny, nz), or -1 where that is 0.

    Only voxels from ``low`` to below ``high`` walk; a path ends at a peak or at the first voxel outside.
    """
    end = _steps(height, low, high)
    for start in range(end.size):
        if end[start] < 0:
            continue
        last = start
        while end[last] != last:
            last = end[last]
        here = start
        while end[here] != last:
            ahead = end[here]
            end[here] = last
            here = ahead
    return end


@_jit
def _steps(height: Any, low: Any, high: Any) -> Any:  # noqa: ANN401
    """Return where each voxel's next step leads; voxels that do not walk stay."""
    ny, nz = height.shape[1:]
    step = np.empty(height.size, dtype=np.int32)
    for here in range(height.size):
        step[here] = here
    for i in range(low[0], high[0]):
        for j in range(low[1], high[1]):
            for k in range(low[2], high[2]):
                here = (i * ny + j) * nz + k
                step[here] = _highest(height, i, j, k) if height[i, j, k] > 0 else -1
    return step


@_jit
def _highest(height: Any, i: int, j: int, k: int) -> int:  # noqa: ANN401
    """Return the flat index of the highest voxel among one and its neighbours; of equals the first."""
    nx, ny, nz = height.shape
    best, found = height[i, j, k], (i * ny + j) * nz + k
    for a in range(max(0, i - 1), min(nx, i + 2)):
        for b in range(max(0, j - 1), min(ny, j + 2)):
            for c in range(max(0, k - 1), min(nz, k + 2)):
                there = (a * ny + b) * nz + c
                if height[a, b, c] > best or (height[a, b, c] == best and there < found):
                    best, found = height[a, b, c], there
    return int(found)


@_jit
def numbered(end: Any, low: Any, high: Any, first: int) -> Any:  # noqa: ANN401
    """Number the ends of the paths of voxels from ``low`` to below ``high``, from ``first`` on, in the stack's order.

    Returns:
        The numbers of these voxels' ends (nx, ny, nz), 0 where nothing walks, and the ends, flat, in order.
    """
    ny, nz = end.shape[1:]
    flat = end.reshape(-1)
    name = np.zeros(end.size, dtype=np.uint32)
    labels = np.zeros((high[0] - low[0], high[1] - low[1], high[2] - low[2]), dtype=np.uint32)
    ends = []
    for i in range(low[0], high[0]):
        for j in range(low[1], high[1]):
            for k in range(low[2], high[2]):
                last = flat[(i * ny + j) * nz + k]
                if last < 0:
                    continue
                if name[last] == 0:
                    ends.append(last)
                    name[last] = first + len(ends) - 1
                labels[i - low[0], j - low[1], k - low[2]] = name[last]
    return labels, np.array(ends, dtype=np.int64)


@_jit
def faces(basin: Any, height: Any, core: Any) -> Any:  # noqa: ANN401
    """Return two columns of basins that share a voxel face, lesser first, and the lower of the two heights there.

    Faces are those between a voxel below ``core`` (nx, ny, nz) and the next one along each axis, if the arrays hold it.
    """
    first, second, height_there = [], [], []
    for i in range(core[0]):
        for j in range(core[1]):
            for k in range(core[2]):
                here = basin[i, j, k]
                if here == 0:
                    continue
                for axis in range(3):
                    a, b, c = i + (axis == 0), j + (axis == 1), k + (axis == 2)
                    if a >= basin.shape[0] or b >= basin.shape[1] or c >= basin.shape[2]:
                        continue
                    there = basin[a, b, c]
                    if there in (0, here):
                        continue
                    first.append(min(here, there))
                    second.append(max(here, there))
                    height_there.append(min(height[i, j, k], height[a, b, c]))
    return np.array(first), np.array(second), np.array(height_there)


@_jit
def extents(basin: Any, origin: Any, count: Any, low: Any, high: Any) -> None:  # noqa: ANN401
    """Add a block's voxels to each basin's count (n,) and bounds (n, 3), the upper one exclusive."""
    for i in range(basin.shape[0]):
        for j in range(basin.shape[1]):
            for k in range(basin.shape[2]):
                b = basin[i, j, k]
                if b == 0:
                    continue
                count[b] += 1
                place = (i + origin[0], j + origin[1], k + origin[2])
                for axis in range(3):
                    low[b, axis] = min(low[b, axis], place[axis])
                    high[b, axis] = max(high[b, axis], place[axis] + 1)
