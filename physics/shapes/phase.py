"""Which voxels of a stack are active material: by label, or by a threshold on denoised grey values.

Everything here is local or a sum over the stack, so that it may be done block by block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.shapes.stack import Region, Stack

FEW = 8
"""Most distinct values of a labelled stack; one of more is taken for grey values."""
MANY = 1 << 16
"""Distinct values that are counted one by one; of more, as of floating-point grey values, a histogram is made."""
BINS = 1024
"""Bins of the histogram of floating-point grey values."""
Denoise = Literal["none", "median", "gaussian"]


@dataclass(frozen=True, slots=True)
class Phase:
    """How active material is told: the voxels of one label, or those above a threshold after denoising."""

    label: int | None
    threshold: float | None
    denoise: Denoise = "none"
    radius: int = 1
    """Half width of the median's window, or standard deviation of the Gaussian, in voxels."""

    @property
    def reach(self) -> int:
        """How many voxels away a value can still matter."""
        return {"none": 0, "median": self.radius, "gaussian": 3 * self.radius}[self.denoise]

    def mask(self, image: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where an image is active material; ``reach`` voxels at cut faces are not to be trusted."""
        if self.label is not None:
            return np.ascontiguousarray(image == self.label)
        return np.ascontiguousarray(self._smooth(image) > self.threshold)

    def _smooth(self, image: NDArray[Any]) -> NDArray[Any]:
        from scipy.ndimage import gaussian_filter, median_filter

        if self.denoise == "median":
            return np.asarray(median_filter(image, size=2 * self.radius + 1, mode="nearest"))
        if self.denoise == "gaussian":
            grey = image.astype(np.float32)
            return np.asarray(gaussian_filter(grey, self.radius, truncate=3, mode="nearest"))
        return image


def find_phase(
    stack: Stack, regions: Iterable[Region], label: int | None, threshold: float | None, denoise: Denoise, classes: int
) -> Phase:
    """Decide how active material is told in a stack, from the values of all its regions.

    A stack of up to eight distinct values is labelled: its label is the one given, or the greater of two. Others are
    grey: their threshold is the one given, or Otsu's, the highest of ``classes - 1``; active material is bright.

    Raises:
        InputError: a value is no number, the label is not there, or there is nothing to choose by.
    """
    counts, low, high = _values(stack, regions)
    if label is not None:
        return Phase(_known(label, counts, stack), None)
    if threshold is None and counts is not None and len(counts) <= FEW:
        return Phase(_foreground(counts, stack), None)
    found = _otsu(stack, regions, counts, (low, high), classes) if threshold is None else threshold
    if not low <= found < high:
        raise InputError(
            f"the threshold {found:g} leaves '{stack.source}' no active material or nothing else: its values are "
            f"{low:g} to {high:g}; give another --threshold."
        )
    return Phase(None, found, denoise)


def _values(stack: Stack, regions: Iterable[Region]) -> tuple[dict[float, int] | None, float, float]:
    """Count the distinct values, unless they are too many to be counted, and return the least and greatest."""
    counts, low, high = Counter[float](), np.inf, -np.inf
    counted = True
    for region in regions:
        image = stack.read(region)
        _refuse_nan(image, region, stack)
        low, high = min(low, float(image.min())), max(high, float(image.max()))
        if counted:
            found, times = np.unique(image, return_counts=True)
            counted = len(found) + len(counts) <= 2 * MANY
            counts.update(dict(zip(found[:MANY].tolist(), times[:MANY].tolist(), strict=True)))
    if low == high:
        raise InputError(f"every voxel of '{stack.source}' is {low:g}: there is no phase to tell; give another stack.")
    return (dict(counts) if counted else None), low, high


def _refuse_nan(image: NDArray[Any], region: Region, stack: Stack) -> None:
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        first = np.argwhere(~np.isfinite(image))[0]
        place = tuple(int(step) + one.start for step, one in zip(first, region, strict=True))
        raise InputError(
            f"'{stack.source}' is {image[tuple(first)]} at voxel {place} but every voxel must be a number: fill it, or "
            "cut it off."
        )


def _known(label: int, counts: dict[float, int] | None, stack: Stack) -> int:
    if counts is not None and label not in counts:
        shown = ", ".join(f"{value:g}" for value in sorted(counts)[:FEW])
        raise InputError(f"'{stack.source}' has no voxel of label {label}: choose one of {shown} with --label.")
    return label


def _foreground(counts: dict[float, int], stack: Stack) -> int:
    if len(counts) > 2:
        shown = ", ".join(f"{value:g}" for value in sorted(counts))
        raise InputError(f"'{stack.source}' has the labels {shown}: say with --label which is active material.")
    return int(max(counts))


def _otsu(
    stack: Stack,
    regions: Iterable[Region],
    counts: dict[float, int] | None,
    span: tuple[float, float],
    classes: int,
) -> float:
    """Return Otsu's threshold, the highest of several classes, from the histogram of the whole stack."""
    from skimage import filters

    otsu: Any = filters  # typed in part only
    if counts is None:
        edges = np.linspace(*span, BINS + 1)
        times = sum(np.histogram(stack.read(region), edges)[0] for region in regions)
        centres = (edges[1:] + edges[:-1]) / 2
    else:
        centres = np.array(sorted(counts))
        times = np.array([counts[value] for value in centres.tolist()])
    histogram = (np.asarray(times, dtype=np.float64), centres)
    if classes == 2:
        return float(otsu.threshold_otsu(hist=histogram))
    return float(otsu.threshold_multiotsu(classes=classes, hist=histogram)[-1])
