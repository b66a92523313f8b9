"""Balls stamped into voxels as they are: fast, for bead models that want no closed gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.microstructure.stencil import jit


def stamp(
    position: NDArray[np.float64],
    radius: NDArray[np.float64],
    label: NDArray[np.int32],
    edge: float,
    shape: tuple[int, int, int],
) -> NDArray[np.int32]:
    """Return the label of the ball that holds each voxel's middle, else 0; periodic in x and y.

    Where balls overlap, the later one has the voxel.

    Args:
        position: centres (n, 3) [um].
        radius: (n,) [um], below half the sides.
        label: (n,), from 1.
        edge: edge of the cubic voxel [um].
        shape: voxels along x, y, z.

    Raises:
        InputError: a ball wider than a side.
    """
    widest, side = 2 * float(radius.max(initial=0.0)), edge * min(shape[:2])
    if widest > side:
        raise InputError(f"a ball is {widest:.3g} um wide but the side only {side:.3g} um: enlarge the box.")
    image = np.zeros(shape, dtype=np.int32)
    _stamp(image, np.asarray(position, dtype=float) / edge, np.asarray(radius, dtype=float) / edge, label)
    return image


@jit
def _stamp(image: Any, centre: Any, radius: Any, label: Any) -> None:
    """Fill the rows along z that each ball cuts; lengths in voxels."""
    nx, ny, nz = image.shape
    for b in range(len(centre)):
        x, y, z, r = centre[b, 0], centre[b, 1], centre[b, 2], radius[b]
        for i in range(int(np.ceil(x - r - 0.5)), int(np.floor(x + r - 0.5)) + 1):
            left = r * r - (i + 0.5 - x) ** 2
            for j in range(int(np.ceil(y - r - 0.5)), int(np.floor(y + r - 0.5)) + 1):
                square = left - (j + 0.5 - y) ** 2
                if square >= 0:
                    half = np.sqrt(square)
                    low, high = int(np.ceil(z - half - 0.5)), int(np.floor(z + half - 0.5)) + 1
                    image[i % nx, j % ny, max(0, low) : max(0, min(nz, high))] = label[b]
