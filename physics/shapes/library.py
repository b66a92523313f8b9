"""The particle library: one HDF5 file that says what it is, read in part, and named by its content.

/                     attributes: format, version, voxel_um, content_sha256, source, source_sha256, software, note
/extraction           attributes: every parameter of the extraction, and what it dropped
/particles/NAME       one column per figure, one row per particle
/masks/voxels         all masks behind one another, 1 inside, 0 outside
/masks/start          where each mask begins in it, (n + 1,)
/masks/shape          edges of each mask, (n, 3); it is voxels[start[i]:start[i + 1]].reshape(shape[i])
/contacts/pair, area  particles that touch, by row (-1: one that was dropped), and the area that they share

``f["masks/voxels"]`` and so on, with ``f = h5py.File("nmc.h5")``, is all that a reader needs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge import __version__
from mesoforge.errors import InputError
from mesoforge.physics.shapes.figures import Figures, Mask, Reals
from mesoforge.physics.shapes.stack import refuse_pickle

FORMAT, VERSION = "mesoforge particle library", 1
AT_ONCE = 1 << 22
"""Voxels of masks that are written in one go."""
COLUMNS = {
    "diameter": ("um", "diameter of the sphere of equal volume"),
    "volume": ("um3", "voxels times their volume"),
    "surface": ("um2", "area of the smoothed surface"),
    "axes": ("um", "semi-axes a >= b >= c of the ellipsoid of inertia"),
    "directions": ("", "unit vectors of these axes as rows, in the source's frame"),
    "krumbein": ("", "(b c / a^2)^(1/3), Krumbein's sphericity"),
    "wadell": ("", "surface of the sphere of equal volume over the surface, Wadell's sphericity"),
    "solidity": ("", "volume over that of the convex hull"),
    "centroid": ("um", "middle of the volume, from the mask's corner"),
}
"""Each figure's unit and meaning."""


@dataclass(frozen=True, slots=True)
class Contacts:
    """Particles that touch: rows of the library, (m, 2), -1 for one that was dropped, and shared area (m,) [um2]."""

    pair: NDArray[np.int64]
    area: Reals


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a library comes from."""

    source: str
    """Name of the stack, or of what generated it."""
    sha256: str
    """Checksum of the stack."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters and counts of the extraction; numbers and words."""


@dataclass(frozen=True, slots=True)
class Library:
    """Particles with their figures; masks are read as they are asked for."""

    path: Path
    voxel_um: float
    content_sha256: str
    figures: Mapping[str, NDArray[Any]]
    """Columns by name, each with one row per particle."""
    contacts: Contacts
    origin: Origin
    _start: NDArray[np.int64]
    _shape: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the particles."""
        return len(self._shape)

    @property
    def diameters(self) -> Reals:
        """Equivalent-sphere diameters, (n,) [um]."""
        return np.asarray(self.figures["diameter"], dtype=np.float64)

    @property
    def volumes(self) -> Reals:
        """Volumes, (n,) [um3]."""
        return np.asarray(self.figures["volume"], dtype=np.float64)

    @property
    def specific_surface(self) -> Reals:
        """Surface over volume, (n,) [1/um]."""
        return np.asarray(self.figures["surface"] / self.figures["volume"], dtype=np.float64)

    @property
    def facets(self) -> NDArray[np.int64]:
        """With how many other particles each one shares a face, (n,)."""
        rows = self.contacts.pair[self.contacts.pair >= 0]
        return np.bincount(rows, minlength=len(self))

    def mask(self, row: int) -> Mask:
        """Return the mask of one particle; only its part of the file is read."""
        return next(self.masks([row]))

    def masks(self, rows: Sequence[int] | None = None) -> Iterator[Mask]:
        """Yield masks by row, all of them if none are named, in one opening of the file."""
        import h5py

        with h5py.File(self.path, "r") as file:
            voxels = file["masks/voxels"]
            for row in range(len(self)) if rows is None else rows:
                piece = voxels[self._start[row] : self._start[row + 1]]
                yield piece.reshape(self._shape[row]).astype(bool)


def write_library(
    path: Path, particles: Iterable[tuple[Mask, Figures]], voxel_um: float, contacts: Contacts, origin: Origin
) -> Library:
    """Write a library under a temporary name, particle by particle as they come, and move it into place."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with h5py.File(part, "w", track_order=True) as file:
            file.attrs.update(format=FORMAT, version=VERSION, voxel_um=voxel_um, software=f"mesoforge {__version__}")
            file.attrs.update(
                source=origin.source, source_sha256=origin.sha256, note="see docs/shapes.md of mesoforge; no pickles"
            )
            file.create_group("extraction").attrs.update(origin.parameters)
            _write_particles(file, particles)
            _write_column(file, "contacts/pair", contacts.pair, "", "rows of the particles that touch; -1: dropped")
            _write_column(file, "contacts/area", contacts.area, "um2", "area that they share, in voxel faces")
            file.attrs["content_sha256"] = content_hash(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return open_library(path)


def _write_columns(group: Any, rows: Sequence[Figures]) -> None:  # noqa: ANN401 - h5py has no types
    for name, (unit, meaning) in COLUMNS.items():
        _write_column(group, name, np.array([getattr(row, name) for row in rows]), unit, meaning)


def _write_column(group: Any, name: str, values: NDArray[Any], unit: str, meaning: str) -> None:  # noqa: ANN401
    column = group.create_dataset(name, data=values)
    column.attrs.update(unit=unit, meaning=meaning)


def _write_particles(file: Any, particles: Iterable[tuple[Mask, Figures]]) -> None:  # noqa: ANN401
    table, group = (file.create_group(name, track_order=True) for name in ("particles", "masks"))
    voxels = group.create_dataset("voxels", (0,), np.uint8, maxshape=(None,), chunks=(1 << 16,), compression="gzip")
    rows, shapes, waiting = list[Figures](), list[tuple[int, ...]](), list[NDArray[np.uint8]]()
    for mask, figures in particles:
        rows.append(figures)
        shapes.append(mask.shape)
        waiting.append(mask.ravel().astype(np.uint8))
        if sum(one.size for one in waiting) > AT_ONCE:
            _append(voxels, waiting)
    _append(voxels, waiting)
    _write_columns(table, rows)
    sizes = np.array(shapes, dtype=np.int64)
    group.create_dataset("start", data=np.concatenate([[0], np.cumsum(sizes.prod(axis=1))]))
    group.create_dataset("shape", data=sizes)


def _append(voxels: Any, waiting: list[NDArray[np.uint8]]) -> None:  # noqa: ANN401
    """Write what waits behind what is written."""
    end = len(voxels)
    voxels.resize((end + sum(one.size for one in waiting),))
    voxels[end:] = np.concatenate(waiting or [np.empty(0, np.uint8)])
    waiting.clear()


def content_hash(file: Any) -> str:  # noqa: ANN401 - h5py has no types
    """Return the SHA-256 of what a packing depends on: the voxel size, and every mask with its edges."""
    digest = hashlib.sha256(f"{FORMAT} {VERSION} {float(file.attrs['voxel_um'])!r}".encode())
    digest.update(np.asarray(file["masks/shape"], dtype="<i8").tobytes())
    voxels = file["masks/voxels"]
    for start in range(0, len(voxels), 1 << 24):
        digest.update(np.packbits(voxels[start : start + (1 << 24)]).tobytes())
    return digest.hexdigest()


def open_library(path: Path) -> Library:
    """Open a library and check that its content is what its hash says.

    Raises:
        InputError: the file is none, is damaged or was changed.
    """
    if not path.is_file():
        raise InputError(f"there is no particle library '{path}': make one with 'mesoforge shapes extract'.")
    stat = path.stat()
    return _opened(path.absolute(), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _opened(path: Path, *_: int) -> Library:
    refuse_pickle(path)
    with _readable(path) as file:
        came = content_hash(file)
        if came != file.attrs["content_sha256"]:
            raise InputError(f"the library '{path}' was changed after it was written: extract it again.")
        return Library(
            path=path,
            voxel_um=float(file.attrs["voxel_um"]),
            content_sha256=came,
            figures={name: file["particles"][name][...] for name in COLUMNS},
            contacts=Contacts(file["contacts/pair"][...], file["contacts/area"][...]),
            origin=Origin(
                str(file.attrs["source"]), str(file.attrs["source_sha256"]), dict(file["extraction"].attrs.items())
            ),
            _start=file["masks/start"][...],
            _shape=file["masks/shape"][...],
        )


@contextmanager
def _readable(path: Path) -> Iterator[Any]:
    """Open the file; what is wrong with it becomes one sentence."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT or file.attrs.get("version") != VERSION:
                came = f"{file.attrs.get('format', 'something else')} {file.attrs.get('version', '')}".strip()
                raise InputError(
                    f"'{path}' is {came} but {FORMAT} {VERSION} is due: extract it with 'mesoforge shapes extract'."
                )
            yield file
    except (OSError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"'{path}' is no whole particle library ({error}): extract it again.") from None
