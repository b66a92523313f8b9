"""Stacks of every kind give the same voxels, piece by piece; what is none is refused in one sentence."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from mesoforge.errors import InputError
from mesoforge.physics.shapes.blocks import cut
from mesoforge.physics.shapes.phase import find_phase
from mesoforge.physics.shapes.stack import Layout, array_stack, open_stack

IMAGE = np.random.default_rng(1).integers(0, 200, (5, 7, 9)).astype(np.uint8)
SIZE = Layout(voxel_um=(0.4,))
Write = Callable[[Path, np.ndarray], Path]


def tiff(folder: Path, image: np.ndarray) -> Path:
    tifffile.imwrite(folder / "stack.tif", image, photometric="minisblack")
    return folder / "stack.tif"


def squeezed_tiff(folder: Path, image: np.ndarray) -> Path:
    tifffile.imwrite(folder / "stack.tiff", image, photometric="minisblack", compression="zlib")
    return folder / "stack.tiff"


def imagej(folder: Path, image: np.ndarray) -> Path:
    tifffile.imwrite(folder / "stack.tif", image, imagej=True)
    return folder / "stack.tif"


def slices(folder: Path, image: np.ndarray) -> Path:
    (folder / "slices").mkdir()
    for number, one in enumerate(image, start=8):  # 8, 9, 10: order of numbers, not of letters
        tifffile.imwrite(folder / "slices" / f"s_{number}.tif", one)
    return folder / "slices"


def pngs(folder: Path, image: np.ndarray) -> Path:
    (folder / "slices").mkdir()
    for number, one in enumerate(image, start=8):
        Image.fromarray(one).save(folder / "slices" / f"s_{number}.png")
    return folder / "slices"


def npy(folder: Path, image: np.ndarray) -> Path:
    np.save(folder / "stack.npy", image)
    return folder / "stack.npy"


def npz(folder: Path, image: np.ndarray) -> Path:
    np.savez(folder / "stack.npz", image=image, note="one image only")
    return folder / "stack.npz"


def hdf5(folder: Path, image: np.ndarray) -> Path:
    with h5py.File(folder / "stack.h5", "w") as file:
        file.create_dataset("exchange/data", data=image, chunks=True)
    return folder / "stack.h5"


def nexus(folder: Path, image: np.ndarray) -> Path:
    with h5py.File(folder / "stack.nxs", "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs["default"] = "scan"
        scan = entry.create_group("scan")
        scan.attrs["signal"] = "recon"
        scan["recon"] = image
        entry["flat_fields"] = np.ones_like(image)
    return folder / "stack.nxs"


def raw(folder: Path, image: np.ndarray) -> Path:
    (folder / "stack.raw").write_bytes(image.tobytes())
    return folder / "stack.raw"


KINDS: tuple[Write, ...] = (tiff, squeezed_tiff, imagej, slices, pngs, npy, npz, hdf5, nexus, raw)


@pytest.mark.parametrize("write", KINDS)
def test_every_kind_of_file_gives_its_voxels_piece_by_piece(write: Write, tmp_path: Path) -> None:
    layout = Layout((0.4,), shape=(5, 7, 9), dtype="uint8")
    stack = open_stack(write(tmp_path, IMAGE), layout)
    assert (stack.shape, stack.dtype.name, stack.voxel_um) == ((5, 7, 9), "uint8", 0.4)
    for region in ((slice(0, 5), slice(0, 7), slice(0, 9)), (slice(1, 3), slice(2, 7), slice(4, 5))):
        np.testing.assert_array_equal(stack.read(region), IMAGE[region])


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.int8, np.int32, np.float32, np.float64, ">i2"])
@pytest.mark.parametrize("write", [tiff, npy, hdf5, raw])
def test_types_are_kept_signed_and_wide_ones_too(write: Write, kind: type | str, tmp_path: Path) -> None:
    image = (IMAGE.astype(np.int32) - 100).astype(kind)
    stack = open_stack(write(tmp_path, image), Layout((0.4,), shape=(5, 7, 9), dtype=np.dtype(kind).str))
    np.testing.assert_array_equal(stack.read((slice(0, 5),) * 3), image[:, :5, :5])


def test_the_checksum_is_that_of_the_file_and_changes_with_a_byte(tmp_path: Path) -> None:
    first = open_stack(npy(tmp_path, IMAGE), SIZE).sha256
    assert open_stack(npy(tmp_path, IMAGE), SIZE).sha256 == first
    assert open_stack(npy(tmp_path, IMAGE ^ 1), SIZE).sha256 != first


def cut_off(folder: Path) -> Path:
    path = imagej(folder, np.tile(IMAGE, (1, 9, 9)))  # all pages told first, all voxels last
    path.write_bytes(path.read_bytes()[:-120])
    return path


def cut_off_pages(folder: Path) -> Path:
    path = squeezed_tiff(folder, IMAGE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def pickled(folder: Path) -> Path:
    (folder / "particles.pkl").write_bytes(pickle.dumps({"image": IMAGE}))
    return folder / "particles.pkl"


def hidden_pickle(folder: Path) -> Path:
    (folder / "stack.npy").write_bytes(pickle.dumps(IMAGE))
    return folder / "stack.npy"


def object_array(folder: Path) -> Path:
    np.save(folder / "stack.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return folder / "stack.npy"


def two_arrays(folder: Path) -> Path:
    np.savez(folder / "two.npz", one=IMAGE, two=IMAGE)
    return folder / "two.npz"


def no_hdf5(folder: Path) -> Path:
    (folder / "stack.h5").write_bytes(b"nothing of the kind")
    return folder / "stack.h5"


def odd_slices(folder: Path) -> Path:
    tifffile.imwrite(slices(folder, IMAGE) / "s_11.tif", IMAGE[0, :3])
    return folder / "slices"


def empty_folder(folder: Path) -> Path:
    return folder


def photograph(folder: Path) -> Path:
    (folder / "photo.jpg").write_bytes(b"x")
    return folder / "photo.jpg"


WRONG: dict[str, tuple[Callable[[Path], Path], Layout, str]] = {
    "missing": (lambda folder: folder / "no.tif", SIZE, r"there is no stack '.*no\.tif': give the path"),
    "tiff_cut_off": (cut_off, SIZE, r"stack\.tif' (is cut off: it has \d+ bytes but|cannot be read)"),
    "tiff_cut_in_half": (cut_off_pages, SIZE, r"stack\.tiff' (is cut off|cannot be read as TIFF)"),
    "pickle": (pickled, SIZE, r"particles\.pkl' is a pickle, which can run any code when it is read: save"),
    "pickle_called_npy": (hidden_pickle, SIZE, r"stack\.npy' is a pickle"),
    "objects_in_npy": (object_array, SIZE, r"stack\.npy' holds pickled objects, which can run any code"),
    "two_arrays": (two_arrays, SIZE, "holds the images one, two but one is due: choose one with --dataset"),
    "wrong_name": (two_arrays, Layout((0.4,), dataset="six"), "has no image 'six': choose one of one, two"),
    "no_hdf5": (no_hdf5, SIZE, r"cannot be read as HDF5 \(.*\): check that it is whole"),
    "no_slices": (empty_folder, SIZE, r"holds no slice \(\.tif, \.tiff, \.png\): give another one"),
    "photograph": (photograph, SIZE, r"ends in '\.jpg' but must be one of"),
    "one_slice": (lambda folder: npy(folder, IMAGE[:1]), SIZE, "an image of 1 x 7 x 9 but three edges of 3 voxels"),
    "one_page": (lambda folder: tiff(folder, IMAGE[0]), SIZE, "an image of 7 x 9 but three edges of 3 voxels"),
    "colours": (lambda folder: npy(folder, np.zeros((4, 4, 4, 3))), SIZE, "an image of 4 x 4 x 4 x 3 but three edges"),
    "complex": (lambda folder: npy(folder, IMAGE * 1j), SIZE, "values of type complex128 but numbers are due"),
    "no_voxel_size": (lambda folder: npy(folder, IMAGE), Layout(), "does not say how large a voxel is: .*--voxel-size"),
    "no_size": (lambda folder: npy(folder, IMAGE), Layout((0.0,)), "the voxel size is 0 um but must be above zero"),
    "no_cubes": (lambda folder: npy(folder, IMAGE), Layout((0.4, 0.4, 1.0)), "voxels are 0.4 x 0.4 x 1 um but must be"),
    "raw_alone": (lambda folder: raw(folder, IMAGE), SIZE, "is raw bytes: give --shape"),
    "raw_short": (
        lambda folder: raw(folder, IMAGE),
        Layout((0.4,), shape=(5, 7, 10), dtype="uint8"),
        "has 315 bytes but --shape and --dtype mean 350: correct them",
    ),
    "raw_type": (lambda folder: raw(folder, IMAGE), Layout((1.0,), shape=(5, 7, 9), dtype="u99"), "--dtype is 'u99'"),
}


@pytest.mark.parametrize(("make", "layout", "words"), WRONG.values(), ids=WRONG)
def test_what_is_no_stack_is_refused(make: Callable[[Path], Path], layout: Layout, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        open_stack(make(tmp_path), layout)


def test_a_slice_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    stack = open_stack(odd_slices(tmp_path), SIZE)
    with pytest.raises(InputError, match=r"slice 's_11\.tif' differs in shape"):
        stack.read((slice(0, 5), slice(0, 7), slice(0, 9)))


def grey(kind: str = "uint8") -> np.ndarray:
    rng = np.random.default_rng(2)
    bright = np.zeros((20, 20, 20), dtype=bool)
    bright[5:15, 5:15, 5:15] = True
    return np.where(bright, rng.normal(180, 5, bright.shape), rng.normal(60, 5, bright.shape)).astype(kind)


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "float32"])
def test_otsu_finds_the_gap_between_two_phases_in_blocks_as_in_the_whole(kind: str) -> None:
    stack = array_stack(grey(kind), 0.4)
    found = [find_phase(stack, cut(stack.shape, edge), None, None, "none", 2) for edge in (None, 9)]
    assert found[0] == found[1]
    assert found[0].mask(grey(kind)).sum() == 1000


def test_a_median_takes_away_what_single_voxels_lie_about() -> None:
    image = grey("int16")
    image[2, 2, 2] = 300
    stack = array_stack(image, 0.4)
    sharp, smooth = (find_phase(stack, cut(stack.shape, None), None, 120, how, 2) for how in ("none", "median"))
    assert sharp.mask(image)[2, 2, 2]
    assert not smooth.mask(image)[2, 2, 2]


def test_two_values_are_labels_of_which_the_greater_is_meant() -> None:
    stack = array_stack((grey() > 120).astype(np.int16) * 7 - 3, 0.4)
    assert find_phase(stack, cut(stack.shape, None), None, None, "median", 2).label == 4


NO_PHASE: dict[str, tuple[np.ndarray, dict[str, Any], str]] = {
    "nan": (np.where(grey("float32") > 150, np.nan, grey("float32")), {}, r"is nan at voxel \(\d+, \d+, \d+\) but"),
    "infinite": (np.where(np.arange(8000).reshape(20, 20, 20) == 421, np.inf, 1.0), {}, r"is inf at voxel \(1, 1, 1\)"),
    "constant": (np.full((5, 5, 5), 3), {}, "every voxel of 'array' is 3: there is no phase"),
    "label": (grey() // 100, {"label": 5}, "has no voxel of label 5: choose one of 0, 1 with --label"),
    "labels": (np.arange(125).reshape(5, 5, 5) % 3, {}, "has the labels 0, 1, 2: say with --label"),
    "threshold": (grey(), {"threshold": 400.0}, "the threshold 400 leaves 'array' no active material or nothing else"),
}


@pytest.mark.parametrize(("image", "given", "words"), NO_PHASE.values(), ids=NO_PHASE)
def test_what_has_no_active_material_to_tell_is_refused(image: np.ndarray, given: dict[str, Any], words: str) -> None:
    stack = array_stack(image, 0.4)
    choice = {"label": None, "threshold": None} | given
    with pytest.raises(InputError, match=words):
        find_phase(stack, cut(stack.shape, None), choice["label"], choice["threshold"], "none", 2)
