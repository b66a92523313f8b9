"""Stacks: a three-dimensional image in one of the usual files, read piece by piece.

TIFF (many pages, or a folder of slices), NPY, NPZ, HDF5 with NeXus, and raw bytes. Axis 0 counts the slices. Nothing
pickled is read.
"""

from __future__ import annotations

import hashlib
import logging
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.lib import format as headers
from numpy.typing import DTypeLike, NDArray

from mesoforge.errors import InputError

Region = tuple[slice, slice, slice]
LEAST = 3
"""Fewest voxels along an edge."""
PICKLES = (".pkl", ".pickle", ".p", ".joblib")
IMAGE_NAMES, VOXEL_NAME = ("phase", "image", "labels"), "voxel_um"
"""Names that an NPZ file may give its image, the first that is there is meant; and the voxel's edge."""
TIFF, SLICES, HDF5 = (".tif", ".tiff"), (".tif", ".tiff", ".png"), (".h5", ".hdf5", ".nxs", ".nx", ".nexus", ".hdf")


class Sliced(Protocol):
    """What gives an array for three slices: an array, a memory map, an HDF5 data set."""

    def __getitem__(self, region: Region, /) -> Any:  # noqa: ANN401 - arrays of any type
        """Return the voxels of a region."""
        ...


@dataclass(frozen=True, slots=True)
class Stack:
    """An image of cubic voxels that is read by regions."""

    voxels: Sliced
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    voxel_um: float
    """Edge of a voxel [um]."""
    source: str
    """Name of the file or folder."""
    sha256: str
    """Checksum of the file's bytes, or of the slices' in order."""

    def read(self, region: Region) -> NDArray[Any]:
        """Return the voxels of a region."""
        return np.asarray(self.voxels[region])


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file does not say of itself: all optional but for raw bytes, and the voxel size where no file has it."""

    voxel_um: tuple[float, ...] | None = None
    """Edge of a voxel [um]: one number, or three that must agree."""
    dataset: str | None = None
    """Name of the array in an NPZ or HDF5 file."""
    shape: tuple[int, int, int] | None = None
    """Edges of raw bytes, slices first."""
    dtype: str | None = None
    """Type of raw bytes, as NumPy writes it (``<u2``: little-endian unsigned 16 bit)."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An array of any shape and type, not yet read, and what its file says of the voxel's edges [um]."""

    voxels: Any
    """Sliced as an array is; has a shape and a dtype."""
    voxel_um: tuple[float, ...] | None = None


def open_array(path: Path, layout: Layout = Layout()) -> Opened:
    """Open the array of a file or folder, whatever it holds.

    Raises:
        InputError: there is none, it cannot be read, or it is a pickle.
    """
    return _opener(path)(path, layout)


def array_names(path: Path) -> tuple[str, ...]:
    """Return the names of the arrays in an NPZ file; none of another file."""
    return tuple(_headers(path)) if path.suffix.lower() == ".npz" else ()


def open_stack(path: Path, layout: Layout = Layout()) -> Stack:
    """Open a stack and check what can be checked without reading it all.

    Raises:
        InputError: it cannot be read, is no three-dimensional image of numbers, or has no plausible voxel size.
    """
    opened = open_array(path, layout)
    shape, dtype = tuple(opened.voxels.shape), np.dtype(opened.voxels.dtype)
    _check_image(path, shape, dtype)
    return Stack(opened.voxels, shape, dtype, _voxel_size(path, layout, opened.voxel_um), path.name, checksum(path))


def array_stack(image: NDArray[Any], voxel_um: float, source: str = "array") -> Stack:
    """Return a stack of an array in memory."""
    _check_image(Path(source), image.shape, image.dtype)
    mark = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
    return Stack(image, image.shape, image.dtype, voxel_um, source, mark)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, or of a folder's slices in order."""
    digest = hashlib.sha256()
    for file in slices(path) if path.is_dir() else [path]:
        with file.open("rb") as stream:
            while piece := stream.read(1 << 22):
                digest.update(piece)
    return digest.hexdigest()


def _opener(path: Path) -> Callable[[Path, Layout], Opened]:
    if path.is_dir():
        return _open_folder
    if not path.is_file():
        raise InputError(f"there is no stack '{path}': give the path of a file, or of a folder of slices.")
    refuse_pickle(path)
    suffix = path.suffix.lower()
    kinds = {".npy": _open_npy, ".npz": _open_npz, ".raw": _open_raw, ".bin": _open_raw, ".dat": _open_raw}
    kinds |= dict.fromkeys(TIFF, _open_tiff) | dict.fromkeys(HDF5, _open_hdf5)
    if suffix not in kinds:
        raise InputError(f"'{path}' ends in '{suffix}' but must be one of {', '.join(sorted(kinds))}: convert it.")
    return kinds[suffix]


def refuse_pickle(path: Path) -> None:
    """Refuse a pickle by name: reading one runs whatever code is in it."""
    with path.open("rb") as stream:
        start = stream.read(2)
    if path.suffix.lower() in PICKLES or (start[:1] == b"\x80" and start[1:] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        raise InputError(
            f"'{path}' is a pickle, which can run any code when it is read: save the arrays as NPY, NPZ or HDF5."
        )


@dataclass(frozen=True, slots=True)
class _Mapped:
    """A file of plain numbers that is mapped anew for each read: pages that were read do not stay in memory."""

    open: Callable[[], NDArray[Any]]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, opener: Callable[[], NDArray[Any]]) -> Self:
        """Return what an opener maps."""
        mapped = opener()
        return cls(opener, mapped.shape, mapped.dtype)

    def __getitem__(self, region: Region) -> NDArray[Any]:
        return np.array(self.open()[region])


def _open_npy(path: Path, _: Layout) -> Opened:
    try:
        return Opened(_Mapped.of(lambda: np.load(path, mmap_mode="r", allow_pickle=False)))
    except (ValueError, OSError, EOFError) as error:
        raise _unreadable(path, "NPY", error) from None


def _open_npz(path: Path, layout: Layout) -> Opened:
    found = _headers(path)
    images = {name: one.shape for name, one in found.items() if len(one.shape) > 1}
    usual = next((name for name in IMAGE_NAMES if name in images), None)
    image = found[_chosen(path, layout.dataset or usual, images)]
    if image.dtype.hasobject:
        raise _unreadable(path, "NPZ", ValueError("Object array"))
    size = tuple(np.atleast_1d(found[VOXEL_NAME].whole()).astype(float)) if VOXEL_NAME in found else None
    return Opened(image, size)


def _headers(path: Path) -> dict[str, _Entry]:
    """Return the arrays of an NPZ file by name, of which only the headers were read."""
    found = dict[str, _Entry]()
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as entry:
                    version = headers.read_magic(entry)
                    read = headers.read_array_header_1_0 if version == (1, 0) else headers.read_array_header_2_0
                    shape, _, dtype = read(entry)
                found[name.removesuffix(".npy")] = _Entry(path, name.removesuffix(".npy"), shape, dtype)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _unreadable(path, "NPZ", error) from None
    return found


@dataclass(frozen=True)
class _Entry:
    """An array in an NPZ file, read whole when a first part of it is asked for."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def whole(self) -> NDArray[Any]:
        """Read the array."""
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                array: NDArray[Any] = arrays[self.name]
                return array
        except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise _unreadable(self.path, "NPZ", error) from None

    @cached_property
    def _kept(self) -> NDArray[Any]:
        return self.whole()

    def __getitem__(self, region: Region) -> NDArray[Any]:
        return self._kept[region]


def _open_hdf5(path: Path, layout: Layout) -> Opened:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _unreadable(path, "HDF5", error) from None
    images = dict[str, tuple[int, ...]]()
    file.visititems(lambda name, node: _note(images, name, node))
    name = layout.dataset if layout.dataset in images else layout.dataset or _nexus_signal(file)
    return Opened(file[_chosen(path, name, images)])


def _note(images: dict[str, tuple[int, ...]], name: str, node: Any) -> None:  # noqa: ANN401 - h5py has no types
    if len(getattr(node, "shape", None) or ()) > 1:
        images[name] = node.shape


def _nexus_signal(file: Any) -> str | None:  # noqa: ANN401 - h5py has no types
    """Follow the ``default`` and ``signal`` attributes of a NeXus file to the array that it means to show."""
    node = file
    while isinstance(step := node.attrs.get("default"), str) and step in node:
        node = node[step]
    signal = node.attrs.get("signal")
    return str(node[signal].name).lstrip("/") if isinstance(signal, str) and signal in node else None


def _chosen(path: Path, wanted: str | None, images: dict[str, tuple[int, ...]]) -> str:
    """Return the wanted array, or the only one that there is."""
    listed = ", ".join(sorted(images)) or "none"
    if wanted is None and len(images) != 1:
        raise InputError(f"'{path}' holds the images {listed} but one is due: choose one with --dataset.")
    name = (wanted or next(iter(images))).strip("/")
    if name not in images:
        raise InputError(f"'{path}' has no image '{wanted}': choose one of {listed} with --dataset.")
    return name


def _open_raw(path: Path, layout: Layout) -> Opened:
    if layout.shape is None or layout.dtype is None:
        raise InputError(f"'{path}' is raw bytes: give --shape, as in 200x512x512, and --dtype, as in uint8 or '<u2'.")
    kind = _dtype(layout.dtype)
    due, came = int(np.prod(layout.shape)) * kind.itemsize, path.stat().st_size
    if due != came:
        raise InputError(
            f"'{path}' has {came} bytes but --shape and --dtype mean {due}: correct them, or cut off the header."
        )
    return Opened(_Mapped.of(lambda: np.memmap(path, dtype=kind, mode="r", shape=layout.shape)))


def _dtype(text: DTypeLike) -> np.dtype[Any]:
    try:
        return np.dtype(text)
    except TypeError:
        raise InputError(
            f"--dtype is '{text}' but must be a type such as uint8, '<u2' or float32: correct it."
        ) from None


def _open_tiff(path: Path, _: Layout) -> Opened:
    import tifffile

    tifffile.logger().setLevel(logging.CRITICAL)  # what is wrong with a file is said once, by us
    try:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            _check_whole(path, tiff, len(series.pages))
            shape = tuple(edge for edge in series.shape if edge > 1) if len(series.shape) > 3 else series.shape
            pages = len(series.pages)
        if len(shape) == 3 and pages == shape[0] > 1:
            return Opened(_Pages(path, shape, series.dtype))
        return Opened(tifffile.imread(path).reshape(shape))
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - tifffile raises what a broken byte leads it to
        raise _unreadable(path, "TIFF", error) from None


def _check_whole(path: Path, tiff: Any, pages: int) -> None:  # noqa: ANN401 - tifffile's own records
    """Refuse a TIFF whose pages, or the next page that the last one announces, lie behind the end of the file."""
    size, end = path.stat().st_size, _next_page(path, tiff)
    for page in tiff.pages:
        ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
        end = max([end, *ends])
    if end > size or not pages:
        raise InputError(f"'{path}' is cut off: it has {size} bytes but its pages reach to {end}: copy it again.")


def _next_page(path: Path, tiff: Any) -> int:  # noqa: ANN401
    """Return where the page after the last one that was found begins; 0 if the last one says that it is the last."""
    layout = tiff.tiff
    with path.open("rb") as file:
        file.seek(tiff.pages[-1].offset)
        (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
        file.seek(tags * layout.tagsize, 1)
        return int(struct.unpack(layout.offsetformat, file.read(layout.offsetsize))[0])


@dataclass(frozen=True, slots=True)
class _Pages:
    """The pages of one TIFF as slices, decoded as they are asked for."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, region: Region) -> NDArray[Any]:
        import tifffile

        rows = range(self.shape[0])[region[0]]
        with tifffile.TiffFile(self.path) as tiff:
            return np.stack([tiff.pages[row].asarray()[region[1:]] for row in rows])


@dataclass(frozen=True, slots=True)
class _Files:
    """A folder of slices, each read as it is asked for."""

    files: tuple[Path, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, region: Region) -> NDArray[Any]:
        read = [_slice(file) for file in self.files[region[0]]]
        odd = [file.name for file, one in zip(self.files[region[0]], read, strict=True) if one.shape != self.shape[1:]]
        if odd:
            raise InputError(f"slice '{odd[0]}' differs in shape from the first one: leave it out.")
        return np.stack([one[region[1:]] for one in read])


def _open_folder(path: Path, _: Layout) -> Opened:
    files = slices(path)
    if not files:
        raise InputError(f"the folder '{path}' holds no slice ({', '.join(SLICES)}): give another one.")
    first = _slice(files[0])
    return Opened(_Files(files, (len(files), *first.shape), first.dtype))


def slices(path: Path) -> tuple[Path, ...]:
    """Return the slices of a folder in natural order (slice_2 comes before slice_10); none of what is no folder."""
    found = [file for file in path.iterdir() if file.suffix.lower() in SLICES] if path.is_dir() else []
    return tuple(sorted(found, key=lambda file: _natural(file.name)))


def _natural(name: str) -> list[tuple[int, str]]:
    import re

    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _slice(file: Path) -> NDArray[Any]:
    try:
        if file.suffix.lower() == ".png":
            from PIL import Image

            with Image.open(file) as image:
                return np.asarray(image)
        import tifffile

        return np.asarray(tifffile.imread(file))
    except Exception as error:  # noqa: BLE001 - decoders raise what a broken byte leads them to
        raise _unreadable(file, "slice", error) from None


def _unreadable(path: Path, kind: str, error: Exception) -> InputError:
    """Say that a file is not what its name says, or is damaged; objects in an array are a pickle."""
    if "pickle" in str(error) or "bject" in str(error):  # "Object arrays", "Python objects in dtype"
        return InputError(f"'{path}' holds pickled objects, which can run any code: save plain numbers instead.")
    detail = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
    return InputError(f"'{path}' cannot be read as {kind} ({detail}): check that it is whole, or export it again.")


def _check_image(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    shown = " x ".join(map(str, shape))
    if len(shape) != 3 or min(shape) < LEAST:
        raise InputError(
            f"'{path}' is an image of {shown} but three edges of {LEAST} voxels or more are due: give the whole stack."
        )
    if dtype.kind not in "buif":
        raise InputError(f"'{path}' holds values of type {dtype} but numbers are due: convert it.")


def _voxel_size(path: Path, layout: Layout, own: tuple[float, ...] | None) -> float:
    """Return the edge of the cubic voxel [um]: the one given, else the file's own."""
    came = layout.voxel_um or own
    if came is None:
        raise InputError(f"'{path}' does not say how large a voxel is: give its edge in um with --voxel-size.")
    if not np.isfinite(came).all() or min(came) <= 0:
        raise InputError(f"the voxel size is {_shown(came)} um but must be above zero: correct --voxel-size.")
    if max(came) > min(came) * 1.001:
        raise InputError(
            f"voxels are {_shown(came)} um but must be cubes: resample the stack to one edge, then give that."
        )
    return float(came[0])


def _shown(sizes: tuple[float, ...]) -> str:
    return " x ".join(f"{size:g}" for size in sizes)
