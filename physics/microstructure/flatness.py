"""How flat the coating's two faces are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.microstructure.quantity import Conductors, Found, Measure, Property
from mesoforge.physics.voxels import PORE, Voxels

Heights = NDArray[np.float64]


def height_map(voxels: Voxels, from_above: bool = True) -> Heights:
    """Return the height at which a needle first meets a solid from above, or from below, (nx, ny) [um].

    NaN where it passes through the whole coating.
    """
    solid = voxels.phase != PORE
    layers = solid.shape[2]
    first = np.argmax(solid[:, :, ::-1] if from_above else solid, axis=2)
    height = (layers - first if from_above else first) * voxels.edge
    return np.where(solid.any(axis=2), height, np.nan)


def roughness(heights: Heights) -> tuple[float, float]:
    """Return the mean (Sa) and the root mean square (Sq) of the deviation from the mean height (ISO 25178) [um]."""
    deviation = heights[np.isfinite(heights)]
    deviation = deviation - deviation.mean()
    return float(np.abs(deviation).mean()), float(np.sqrt((deviation**2).mean()))


def _measure(voxels: Voxels, _: Conductors) -> Found:
    """Return the roughness of surface and collector face."""
    if not voxels.whole or not (voxels.phase != PORE).any():
        word = "the image does not reach the coating's faces" if not voxels.whole else "there is no solid"
        return dict.fromkeys(FLATNESS.properties, word)
    (top_sa, top_sq), (low_sa, low_sq) = (roughness(height_map(voxels, above)) for above in (True, False))
    return {"surface_sa": top_sa, "surface_sq": top_sq, "collector_sa": low_sa, "collector_sq": low_sq}


FLATNESS = Measure(
    "flatness",
    {
        "surface_sa": Property("um", "mean deviation from the mean height of the free surface"),
        "surface_sq": Property("um", "root mean square deviation from the mean height of the free surface"),
        "collector_sa": Property("um", "mean deviation of the lowest solids' heights above the collector"),
        "collector_sq": Property("um", "root mean square deviation of the lowest solids' heights"),
    },
    _measure,
)
