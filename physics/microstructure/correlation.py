"""How far structure reaches: two-point correlation and chord lengths."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.beads import ACTIVE
from mesoforge.physics.microstructure.quantity import Conductors, Found, Measure, Property
from mesoforge.physics.voxels import PORE, Periodic, Voxels

Reals = NDArray[np.float64]
MOST = 160
"""Voxels along an axis beyond which an image is correlated in tiles, to bound the transforms' memory."""


def two_point(indicator: NDArray[np.bool_], periodic: Periodic) -> Reals:
    """Return the probability that two points lie both in a phase, by their whole distance in voxels, (n,).

    Averaged over all directions, up to half the shortest edge. Axes that do not close are padded, and pairs that do not
    exist are not counted.
    """
    both, pairs = _pairs(indicator, periodic, min(indicator.shape) // 2)
    return both / pairs


def two_point_of_tiles(indicator: NDArray[np.bool_], periodic: Periodic) -> Reals:
    """Return the same of an image of any size: its pairs within tiles of at most MOST voxels along each axis, (n,).

    All voxels count; distances reach half the shortest tile. An axis of several tiles does not close.
    """
    cuts = [_cuts(n) for n in indicator.shape]
    x, y, z = (closes and len(cut) == 1 for closes, cut in zip(periodic, cuts, strict=True))
    reach = min(piece.stop - piece.start for cut in cuts for piece in cut) // 2
    counted = [_pairs(indicator[tile], (x, y, z), reach) for tile in product(*cuts)]
    both, pairs = (np.sum(column, axis=0) for column in zip(*counted, strict=True))
    return np.asarray(both / pairs)


def _cuts(n: int) -> list[slice]:
    """Part n voxels into nearly equal pieces of at most MOST."""
    ends = np.linspace(0, n, -(-n // MOST) + 1).round().astype(int).tolist()
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _pairs(indicator: NDArray[np.bool_], periodic: Periodic, reach: int) -> tuple[Reals, Reals]:
    """Count the pairs of points that lie both in the phase, and all pairs, by distance, (reach + 1,) each."""
    shape = indicator.shape
    padded = [n if closes else 2 * n for n, closes in zip(shape, periodic, strict=True)]
    both = _autocorrelation(indicator.astype(np.float32), padded)
    there = [np.full(n, float(n)) if closes else _overlap(n) for n, closes in zip(shape, periodic, strict=True)]
    pairs = there[0][:, None, None] * there[1][:, None] * there[2]
    lags = [np.minimum(np.arange(n), n - np.arange(n)) for n in padded]
    distance = np.sqrt(lags[0][:, None, None] ** 2 + lags[1][:, None] ** 2 + lags[2] ** 2)
    bins = np.rint(distance).astype(np.int64).ravel()
    inside = (bins <= reach) & (pairs.ravel() > 0)
    found, all_pairs = (
        np.asarray(np.bincount(bins[inside], weights=some.ravel()[inside], minlength=reach + 1), dtype=np.float64)
        for some in (both, pairs)
    )
    return found, all_pairs


def _autocorrelation(values: Any, padded: list[int]) -> Reals:  # noqa: ANN401
    from scipy.fft import irfftn, rfftn

    spectrum = rfftn(values, padded)
    return np.asarray(irfftn(spectrum * spectrum.conj(), padded), dtype=np.float64)


def _overlap(n: int) -> Reals:
    """Return how many pairs there are at each shift of n points padded to twice as many."""
    return np.concatenate([np.arange(n, 0, -1.0), [0.0], np.arange(1.0, n)])


def correlation_length(correlation: Reals, share: float) -> float:
    """Return the integral of the normalized covariance to its first zero [voxels]."""
    covariance = (correlation - share**2) / (share - share**2)
    below = np.flatnonzero(covariance <= 0)
    end = int(below[0]) + 1 if len(below) else len(covariance)
    return float(np.trapezoid(np.maximum(covariance[:end], 0)))


def mean_chord(indicator: NDArray[np.bool_], axis: int, *, closes: bool = False) -> float:
    """Return the mean length of the pieces of lines along an axis inside a phase [voxels], cut ones included.

    Along an axis that closes a piece goes on beyond the side; a line that never leaves the phase counts as one piece.
    """
    rows = np.moveaxis(indicator, axis, 2)
    before = rows[:, :, -1] if closes else np.zeros_like(rows[:, :, 0])
    starts = int(np.count_nonzero(rows[:, :, 0] & ~before)) + int(np.count_nonzero(rows[:, :, 1:] & ~rows[:, :, :-1]))
    endless = int(np.count_nonzero(rows.all(axis=2))) if closes else 0
    return float(np.count_nonzero(rows)) / max(starts + endless, 1)


def _measure(voxels: Voxels, _: Conductors) -> Found:
    """Return correlation length and chord lengths of the pores, chord length of the active material."""
    pore, active = voxels.phase == PORE, voxels.phase == ACTIVE
    share = float(pore.mean())
    mixed = 0 < share < 1
    found = two_point_of_tiles(pore, voxels.periodic) if mixed else None
    length = "only one phase" if found is None else correlation_length(found, share) * voxels.edge
    return {
        "pore_correlation_length": length,
        **{
            f"{phase}_chord_{name}": mean_chord(inside, axis, closes=voxels.periodic[axis]) * voxels.edge
            for phase, inside in (("pore", pore), ("active", active))
            for axis, name in enumerate("xyz")
        },
    }


CORRELATION = Measure(
    "correlation",
    {
        "pore_correlation_length": Property("um", "integral of the pores' normalized covariance to its first zero"),
        **{f"pore_chord_{name}": Property("um", f"mean chord of the pores along {name}") for name in "xyz"},
        **{f"active_chord_{name}": Property("um", f"mean chord of the active material along {name}") for name in "xyz"},
    },
    _measure,
)
