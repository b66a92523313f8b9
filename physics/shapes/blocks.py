"""A stack cut into blocks, and arrays of a stack's size that live in memory or in a scratch file."""

from __future__ import annotations

import itertools
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from mesoforge.errors import InputError
from mesoforge.physics.shapes.stack import Region

WHOLE = 40_000_000
"""Voxels up to which a stack is one block, held in memory (about 60 bytes each)."""
EDGE = 256
"""Edge of a block of a larger stack."""
LEAST_EDGE = 8


@dataclass(frozen=True, slots=True)
class Blocks:
    """A cutting of a stack of this shape into cubes of this edge, the last ones smaller."""

    shape: tuple[int, int, int]
    edge: int

    def __iter__(self) -> Iterator[Region]:
        """Yield the regions, slices first."""
        starts = [range(0, size, self.edge) for size in self.shape]
        for corner in itertools.product(*starts):
            yield tuple(slice(a, min(a + self.edge, size)) for a, size in zip(corner, self.shape, strict=True))  # type: ignore[misc]

    def __len__(self) -> int:
        """Count the blocks."""
        return math.prod(-(-size // self.edge) for size in self.shape)

    @property
    def single(self) -> bool:
        """Whether there is one block only."""
        return len(self) == 1


def cut(shape: tuple[int, int, int], edge: int | None) -> Blocks:
    """Return blocks of this edge, or of one that is chosen by the stack's size.

    Raises:
        InputError: the edge is too small.
    """
    if edge is not None and edge < LEAST_EDGE:
        raise InputError(f"--block is {edge} but must be {LEAST_EDGE} voxels or more: raise it.")
    return Blocks(shape, edge or (max(shape) if math.prod(shape) <= WHOLE else EDGE))


def grown(region: Region, by: int, shape: tuple[int, int, int]) -> Region:
    """Return a region with so many voxels more on each side, as far as the stack reaches."""
    pairs = zip(region, shape, strict=True)
    return tuple(slice(max(0, one.start - by), min(size, one.stop + by)) for one, size in pairs)  # type: ignore[return-value]


def within(inner: Region, outer: Region) -> Region:
    """Return the slices of an inner region in an array of the outer one."""
    pairs = zip(inner, outer, strict=True)
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in pairs)  # type: ignore[return-value]


class Scratch:
    """Makes arrays of a stack's shape: in memory for one block, else compressed in a file that vanishes."""

    def __init__(self, blocks: Blocks, folder: Path | None) -> None:
        """Prepare to make arrays for these blocks."""
        self._blocks, self._file = blocks, None
        if folder is not None:
            import h5py

            self._file = h5py.File(folder / "scratch.h5", "w", rdcc_nbytes=64 << 20)

    def array(self, name: str, dtype: DTypeLike) -> Any:  # noqa: ANN401 - NumPy's or HDF5's, sliced alike
        """Return a new array of zeros."""
        if self._file is None:
            return np.zeros(self._blocks.shape, dtype=dtype)
        chunks = tuple(min(64, size) for size in self._blocks.shape)
        return self._file.create_dataset(name, self._blocks.shape, dtype, chunks=chunks, compression="lzf")

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()


@contextmanager
def scratch(blocks: Blocks) -> Iterator[Scratch]:
    """Offer arrays for the time that a stack is worked on; files go to the folder for temporary files (TMPDIR)."""
    if blocks.single:
        yield Scratch(blocks, None)
        return
    with tempfile.TemporaryDirectory(prefix="mesoforge-") as folder:
        made = Scratch(blocks, Path(folder))
        try:
            yield made
        finally:
            made.close()
