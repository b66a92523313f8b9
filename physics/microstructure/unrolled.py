"""Periodic images for tools that know no periodic sides: unrolled beyond them, measured, and cut back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.voxels import Periodic

Depths = NDArray[np.float32]


def unrolled(image: NDArray[Any], periodic: Periodic, margin: int) -> NDArray[Any]:
    """Return an image (nx, ny, nz) continued by so many voxels beyond each side that closes."""
    return np.pad(image, [(margin, margin) if closes else (0, 0) for closes in periodic], mode="wrap")


def cut_back(image: NDArray[Any], periodic: Periodic, margin: int) -> NDArray[Any]:
    """Undo ``unrolled``."""
    return image[tuple(slice(margin, -margin) if closes and margin else slice(None) for closes in periodic)]


def depths(inside: NDArray[np.bool_], periodic: Periodic) -> Depths:
    """Return the distance of each voxel inside to the nearest one outside [voxels]; closed sides are no walls."""
    import edt

    margin = 16 if any(periodic) and not inside.all() else 0
    while True:
        found: Depths = cut_back(edt.edt(unrolled(inside, periodic, margin), parallel=1), periodic, margin)
        # What lies beyond the margin is further away than the margin.
        if not margin or found.max() <= margin:
            return np.ascontiguousarray(found)
        margin = int(np.ceil(found.max()))


def origin(inside: NDArray[np.bool_], periodic: Periodic) -> tuple[int, int, int]:
    """Return a voxel that moves with a periodic image: where its profile, read from there, is the greatest.

    Tools whose result hangs on the order of equals give the same for an image however it is shifted, if it is rolled
    to begin there.
    """
    starts = [0, 0, 0]
    for axis, closes in enumerate(periodic):
        if closes:
            counts = np.count_nonzero(inside, axis=tuple(other for other in range(3) if other != axis)).tolist()
            starts[axis] = max(range(len(counts)), key=lambda start, row=counts: row[start:] + row[:start])  # type: ignore[misc]
    return starts[0], starts[1], starts[2]
