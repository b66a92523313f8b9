"""Merging of basins: two peaks of one particle are told from two particles by the neck between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Borders:
    """What pairs of basins share: their numbers (m,), lesser first, the highest height on their border, its faces."""

    first: Ints
    second: Ints
    saddle: Reals
    faces: Ints


def gathered(first: Ints, second: Ints, saddle: Reals, faces: Ints) -> Borders:
    """Join rows of the same pair: the highest saddle, all faces; sorted by pair."""
    order = np.lexsort((second, first))
    a, b = first[order], second[order]
    if not len(a):
        return Borders(a, b, saddle, faces)
    starts = np.flatnonzero(np.concatenate([[True], (a[1:] != a[:-1]) | (b[1:] != b[:-1])]))
    return Borders(
        a[starts], b[starts], np.maximum.reduceat(saddle[order], starts), np.add.reduceat(faces[order], starts)
    )


def merged(peaks: Reals, borders: Borders, neck: float, depth: float) -> Ints:
    """Return for each basin (n,) the basin of highest peak that it belongs to; basin 0 is the background.

    From the highest saddle down, the lower of two peaks joins the higher one if the saddle is at least ``neck`` of it,
    or less than ``depth`` below it. Of equal peaks the first in the stack's order is the higher.
    """
    parent = np.arange(len(peaks))
    for row in np.lexsort((borders.second, borders.first, -borders.saddle)).tolist():
        one, other = _root(parent, int(borders.first[row])), _root(parent, int(borders.second[row]))
        if one == other:
            continue
        low, high = sorted((one, other), key=lambda basin: (peaks[basin], -basin))
        if borders.saddle[row] >= min(neck * peaks[low], peaks[low] - depth):
            parent[low] = high
    return np.array([_root(parent, basin) for basin in range(len(peaks))], dtype=np.int64)


def _root(parent: Ints, basin: int) -> int:
    while parent[basin] != basin:
        parent[basin] = parent[parent[basin]]
        basin = int(parent[basin])
    return basin


def renamed(borders: Borders, names: Ints) -> Borders:
    """Return the borders between basins under new names; what has one name now shares no border."""
    a, b = names[borders.first], names[borders.second]
    apart = a != b
    return gathered(np.minimum(a, b)[apart], np.maximum(a, b)[apart], borders.saddle[apart], borders.faces[apart])
