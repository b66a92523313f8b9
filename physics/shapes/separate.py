"""Separation: active material is parted into particles by a watershed on the distance to its surface.

Block by block: the distance inside the material, lightly smoothed; each voxel's path of steepest ascent; then what
basins share; last, once for the stack, peaks that no neck parts are merged. Blocks overlap by as much as decides their
own voxels, which grows until it does: the result is that of the whole stack, to the voxel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.shapes.blocks import Blocks, Scratch, grown, within
from mesoforge.physics.shapes.merging import Borders, Ints, Reals, gathered, merged, renamed
from mesoforge.physics.shapes.phase import Phase
from mesoforge.physics.shapes.stack import Region, Stack

HALO = 24
"""Voxels by which blocks overlap at first."""
Told = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Watershed:
    """How particles are parted, in voxels."""

    smooth: float = 0.4
    """Standard deviation of the Gaussian that smooths the distance."""
    neck: float = 0.9
    """Two peaks are one particle if the neck between them is at least this share of the lesser one's radius."""
    depth: float = 0.5
    """Or if the lesser one stands out by less than this."""

    @property
    def reach(self) -> int:
        """How many voxels the smoothing reaches."""
        return int(3 * self.smooth + 0.5)


@dataclass(frozen=True, slots=True)
class Particles:
    """All particles of a stack, numbered from 1 in the order of their peaks; row 0 is the background.

    ``names`` gives the particle of each provisional number in ``labels``; ``count`` is in voxels; ``low`` and ``high``
    (n, 3) bound the voxels, the latter exclusive; ``borders`` has the faces between particles.
    """

    labels: Any
    names: Ints
    count: Ints
    low: Ints
    high: Ints
    borders: Borders
    shape: tuple[int, int, int]

    def image(self, region: Region) -> NDArray[np.int64]:
        """Return the particles' numbers in a region, 0 for all else."""
        found: NDArray[np.int64] = self.names[self.labels[region]]
        return found

    def region(self, number: int) -> Region:
        """Return the bounding box of a particle."""
        pairs = zip(self.low[number].tolist(), self.high[number].tolist(), strict=True)
        return tuple(slice(a, b) for a, b in pairs)  # type: ignore[return-value]

    @property
    def cut_off(self) -> NDArray[np.bool_]:
        """Which particles touch the stack's faces, (n,)."""
        touching: NDArray[np.bool_] = ((self.low == 0) | (self.high == np.array(self.shape))).any(axis=1)
        return touching


def separate(
    stack: Stack, phase: Phase, blocks: Blocks, how: Watershed, scratch: Scratch, told: Told = lambda *_: None
) -> Particles:
    """Part the active material of a stack into particles.

    Args:
        stack: the image.
        phase: how active material is told.
        blocks: how the stack is cut; the result does not depend on it.
        how: the watershed's parameters.
        scratch: where arrays of the stack's size are kept.
        told: given the step under way and the share of it that is done.

    Raises:
        InputError: there is no active material, or nothing else.
    """
    paths = _Paths(scratch.array("labels", np.uint32), scratch.array("height", np.float32), stack.shape)
    for number, core in enumerate(blocks):
        told("distances and paths", number / len(blocks))
        paths.add(core, *_heights(stack, phase, core, how))
    paths.check(stack)
    names, peaks = paths.basins(blocks)
    count, low, high, borders = _shared(paths, names, len(peaks), blocks, told)
    final, firsts = _numbered(merged(peaks, borders, how.neck, how.depth))
    return Particles(
        labels=paths.labels,
        names=final[names],
        count=np.bincount(final, count, len(firsts)).astype(np.int64),
        low=_reduced(np.minimum, low, final, firsts),
        high=_reduced(np.maximum, high, final, firsts),
        borders=renamed(borders, final),
        shape=stack.shape,
    )


def _numbered(parents: Ints) -> tuple[Ints, Ints]:
    """Number what is left after merging from 0 (the background) in order; return also where each number began."""
    firsts, final = np.unique(parents, return_inverse=True)
    return final.astype(np.int64), firsts


def _reduced(reduce: Any, bounds: Ints, final: Ints, firsts: Ints) -> Ints:  # noqa: ANN401 - a ufunc
    out: Ints = bounds[firsts].copy()
    reduce.at(out, final, bounds)
    return out


def _heights(stack: Stack, phase: Phase, core: Region, how: Watershed) -> tuple[Region, NDArray[np.float32]]:
    """Return the smoothed distance of a block and of one voxel around it, and which region that is.

    The overlap doubles until no voxel that matters is further from the surface than from the unseen.
    """
    import edt
    from scipy.ndimage import gaussian_filter

    zone, halo = grown(core, 1, stack.shape), HALO
    wide = grown(zone, how.reach, stack.shape)
    while True:
        seen = grown(wide, halo + phase.reach, stack.shape)
        trusted = grown(wide, halo, stack.shape)
        mask = phase.mask(stack.read(seen))[within(trusted, seen)]
        distance = edt.edt(np.ascontiguousarray(mask), parallel=1)[within(wide, trusted)]
        whole = all(one.stop - one.start == size for one, size in zip(trusted, stack.shape, strict=True))
        if whole or distance.max() <= halo:
            break
        halo *= 2
    distance[~np.isfinite(distance)] = 0  # only where the whole stack is material, which is refused afterwards
    smooth = gaussian_filter(distance, how.smooth, truncate=3, mode="nearest") if how.smooth else distance
    inside = mask[within(zone, trusted)]
    return zone, np.where(inside, smooth[within(zone, wide)], 0).astype(np.float32)


class _Paths:
    """Where paths of steepest ascent end, under provisional numbers that are joined across the blocks at the end."""

    def __init__(self, labels: Any, height: Any, shape: tuple[int, int, int]) -> None:  # noqa: ANN401
        self.labels, self.height, self._shape = labels, height, shape
        self._ends: list[Any] = [np.zeros(1, np.int64)]
        self._heights: list[Any] = [np.zeros(1, np.float32)]
        self._peak: list[Any] = [np.ones(1, bool)]
        self._made, self._void = 1, False

    def add(self, core: Region, zone: Region, height: NDArray[np.float32]) -> None:
        """Take in a block: number the ends of its voxels' paths."""
        from mesoforge.physics.shapes.watershed import ascend, numbered

        inner = within(core, zone)
        low = np.array([one.start for one in inner])
        high = np.array([one.stop for one in inner])
        labels, ends = numbered(ascend(height, low, high).reshape(height.shape), low, high, self._made)
        self.height[core] = height[inner]
        self.labels[core] = labels
        self._void |= bool((labels == 0).any())
        place = np.stack(np.unravel_index(ends, height.shape), axis=1)
        inside = ((place >= low) & (place < high)).all(axis=1)
        place += [one.start for one in zone]
        self._ends.append(np.ravel_multi_index(tuple(place.T), self._shape).astype(np.int64))
        self._heights.append(height.reshape(-1)[ends])
        self._peak.append(inside)
        self._made += len(ends)

    def check(self, stack: Stack) -> None:
        """Refuse a stack without active material, or of nothing else."""
        if self._made == 1 or not self._void:
            lack = "no voxel of active material" if self._made == 1 else "nothing but active material"
            raise InputError(f"'{stack.source}' has {lack}: choose another --label or --threshold.")

    def basins(self, blocks: Blocks) -> tuple[Ints, Reals]:
        """Return the basin of each provisional number, and each basin's height; basins in the order of their peaks."""
        ends, heights = np.concatenate(self._ends), np.concatenate(self._heights).astype(np.float64)
        peak = np.concatenate(self._peak)
        onward = np.where(peak, np.arange(len(ends)), self._met(ends, ~peak, blocks))
        while (onward[onward] != onward).any():
            onward = onward[onward]
        roots = np.flatnonzero(peak)[1:]
        roots = roots[np.argsort(ends[roots])]
        names = np.zeros(len(ends), dtype=np.int64)
        names[roots] = np.arange(1, len(roots) + 1)
        return names[onward], np.concatenate([[0.0], heights[roots]])

    def _met(self, ends: Ints, wanted: NDArray[np.bool_], blocks: Blocks) -> Ints:
        """Return the provisional number at the end of each path that left its block."""
        met, places = np.zeros(len(ends), dtype=np.int64), np.stack(np.unravel_index(ends, self._shape), axis=1)
        for core in blocks if wanted.any() else []:
            low, high = (np.array([getattr(one, side) for one in core]) for side in ("start", "stop"))
            here = np.flatnonzero(wanted & ((places >= low) & (places < high)).all(axis=1))
            if len(here):
                met[here] = self.labels[core][tuple((places[here] - low).T)]
        return met


def _shared(
    paths: _Paths, names: Ints, basins: int, blocks: Blocks, told: Told
) -> tuple[NDArray[np.int64], Ints, Ints, Borders]:
    """Return the basins' voxels (n,), their bounds (n, 3) twice, and what each two of them share."""
    from mesoforge.physics.shapes.watershed import extents, faces

    count, low = np.zeros(basins, np.int64), np.full((basins, 3), np.iinfo(np.int64).max)
    high, rows = np.zeros((basins, 3), np.int64), list[Borders]()
    for number, core in enumerate(blocks):
        told("borders", number / len(blocks))
        ahead = tuple(slice(c.start, min(c.stop + 1, size)) for c, size in zip(core, blocks.shape, strict=True))
        basin, height = names[paths.labels[ahead]], paths.height[ahead]
        size = np.array([one.stop - one.start for one in core])
        extents(basin[tuple(map(slice, size))], np.array([one.start for one in core]), count, low, high)
        first, second, saddle = faces(basin, height, size)
        rows.append(gathered(first, second, saddle.astype(np.float64), np.ones(len(first), np.int64)))
    parts = [np.concatenate([getattr(row, field) for row in rows]) for field in Borders.__slots__]
    return count, low, high, gathered(*parts)
