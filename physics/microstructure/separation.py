"""Pores as programs for images separate objects: a watershed from h-maxima of depth, also across sides that close."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.microstructure.unrolled import cut_back, depths, unrolled
from mesoforge.physics.voxels import PORE, Periodic, Voxels

EXTENT = 0.3
"""By how much an h-maximum rises [um], the marker extent of such programs. Fitted: the mean pore radius of the paper's
dried electrode, 2.99 um. A length and no number of voxels, so that images of different voxels compare."""
FINE = 0.01
"""How finely depths are told apart [voxels]: whole numbers, so that no peak hangs on rounding."""
MARGIN, NEAR = 4, 8
"""How far a watershed looks beyond a closing side: so many times the deepest pore's radius, and so many voxels more."""
Numbers = NDArray[np.int64]
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Separated:
    """Pores by number from 1: ``number`` (x, y, z) is each voxel's pore, 0 in the solid, and ``periodic`` its sides."""

    number: Numbers
    periodic: Periodic
    count: int

    @property
    def volume(self) -> Reals:
        """Voxels of each pore, (pores,)."""
        return np.bincount(self.number.ravel(), minlength=self.count + 1)[1:].astype(np.float64)

    @property
    def inscribed(self) -> Reals:
        """Radius of the largest sphere inside each pore [voxels], (pores,)."""
        import edt

        wide = unrolled(self.number, self.periodic, _margin(self.number > 0, self.periodic))
        deep = np.asarray(edt.edt(wide.astype(np.uint32), parallel=1))
        most = np.zeros(self.count + 1)
        np.maximum.at(most, wide.ravel(), deep.ravel())
        return most[1:]

    @property
    def middle(self) -> Reals:
        """Middle of each pore [voxels], (pores, 3): along a side that closes, on the circle."""
        places = np.argwhere(self.number > 0).astype(np.float64)
        owner = self.number[self.number > 0] - 1
        middles = [self._mean(owner, np.asarray(places[:, axis] + 0.5), axis) for axis in range(3)]
        return np.column_stack(middles)

    def throats(self) -> tuple[Numbers, Reals, Reals]:
        """Return which pores meet, (n, 2) from 0, in how many voxels, (n,), and how deep these lie [voxels], (n,).

        Counted are the voxels of the pore of higher number with a face towards the other, as PoreSpy has it.
        """
        deep = depths(self.number > 0, self.periodic)
        found = [self._facing(axis, step) for axis in range(3) for step in (-1, 1)]
        voxel, lower = (np.concatenate([one[k] for one in found]) for k in range(2))
        pairs = np.unique(np.column_stack([lower, self.number.ravel()[voxel], voxel]), axis=0)
        conns, which, area = np.unique(pairs[:, :2], axis=0, return_inverse=True, return_counts=True)
        deepest = np.zeros(len(conns))
        np.maximum.at(deepest, which.ravel(), deep.ravel()[pairs[:, 2]])
        return conns.reshape(-1, 2) - 1, area.astype(np.float64), deepest

    def _facing(self, axis: int, step: int) -> tuple[Numbers, Numbers]:
        """Return voxels whose neighbour is of a pore of lower number, and that number, both (n,)."""
        other = np.roll(self.number, step, axis)
        if not self.periodic[axis]:
            edge = [slice(None)] * 3
            edge[axis] = slice(0, 1) if step == 1 else slice(-1, None)
            other[tuple(edge)] = 0
        voxel = np.flatnonzero((other > 0) & (other < self.number))
        return voxel, other.ravel()[voxel]

    def _mean(self, owner: Numbers, place: Reals, axis: int) -> Reals:
        count = np.bincount(owner, minlength=self.count)
        if not self.periodic[axis]:
            return np.asarray(np.bincount(owner, place, self.count) / count)
        size = self.number.shape[axis]
        turn = 2j * np.pi / size
        wave = np.exp(turn * place)
        whole = np.bincount(owner, wave.real, self.count) + 1j * np.bincount(owner, wave.imag, self.count)
        return np.asarray(np.angle(whole) / turn.imag % size)


def separated(voxels: Voxels, extent: float = EXTENT) -> Separated:
    """Separate the pores of an image; faces that do not close are walls, as the collector is.

    A pore begins at each peak of depth that rises by ``extent`` [um] above the pass to a deeper one (Soille,
    Morphological Image Analysis (2004), 6.3.4), and at the deepest place of whatever is a pore by itself. Voxels touch
    by corners too.
    """
    from skimage.segmentation import watershed

    pores, periodic = voxels.phase == PORE, voxels.periodic
    steps = np.round(_walled_depths(pores, periodic) / FINE).astype(np.int32)
    margin = _margin(pores, periodic)
    peaks, count = _peaks(steps, max(1, round(extent / voxels.edge / FINE)), periodic, margin)
    height, markers, mask = (unrolled(one, periodic, margin) for one in (-steps, peaks, pores))
    found = watershed(height, markers, connectivity=np.ones((3, 3, 3)), mask=mask)  # type: ignore[no-untyped-call]
    return Separated(cut_back(np.asarray(found, dtype=np.int64), periodic, margin), periodic, count)


def _walled_depths(pores: NDArray[np.bool_], periodic: Periodic) -> NDArray[np.float32]:
    walls = [(0, 0) if closes else (1, 1) for closes in periodic]
    inner = tuple(slice(None) if closes else slice(1, -1) for closes in periodic)
    return depths(np.pad(pores, walls), periodic)[inner]


def _margin(pores: NDArray[np.bool_], periodic: Periodic) -> int:
    """Return how far to look beyond sides that close [voxels]."""
    if not any(periodic):
        return 0
    reach = MARGIN * math.ceil(float(depths(pores, periodic).max())) + NEAR
    return min(reach, *(int(size) for size, closes in zip(pores.shape, periodic, strict=True) if closes))


def _peaks(steps: NDArray[np.int32], rise: int, periodic: Periodic, margin: int) -> tuple[Numbers, int]:
    """Number the regional maxima that are left once depth is lowered by a rise; one across a side counts once."""
    from scipy.ndimage import label
    from skimage.morphology import local_maxima, reconstruction

    # Not scikit-image's h_maxima: it counts equal peaks apart however slight the pass between them is.
    near, lowered = np.ones((3, 3, 3)), np.where(steps > 0, np.maximum(steps - rise, 1), 0)
    deep = unrolled(steps, periodic, margin)
    while True:
        wide = reconstruction(unrolled(lowered, periodic, margin), deep, footprint=near)  # type: ignore[no-untyped-call]
        further = cut_back(np.asarray(wide, dtype=np.int64), periodic, margin)
        if (further == lowered).all():
            break
        lowered = further
    summits = local_maxima(unrolled(lowered, periodic, margin))  # type: ignore[no-untyped-call]
    top = (cut_back(np.asarray(summits), periodic, margin) > 0) & (steps > 0)
    return _joined(label(top, near)[0], label(unrolled(top, periodic, margin), near)[0], periodic, margin)


def _joined(here: Numbers, wide: Numbers, periodic: Periodic, margin: int) -> tuple[Numbers, int]:
    """Give one number to those of an image's labels that are one in the unrolled image."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    many, tiled = int(here.max()), unrolled(here, periodic, margin)
    some = tiled > 0
    rows, columns = tiled[some] - 1, wide[some] - 1 + many
    size = many + int(wide.max())
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    owner = connected_components(graph, directed=False)[1][:many]
    numbers = np.unique(owner, return_inverse=True)[1] + 1
    return np.concatenate([[0], numbers])[here].astype(np.int64), int(numbers.max(initial=0))
