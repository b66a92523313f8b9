"""Images from files: what is read, and what is refused in which words."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from mesoforge.errors import InputError
from mesoforge.physics.microstructure import image_files
from mesoforge.physics.microstructure.export import export_labels
from mesoforge.physics.microstructure.image_files import Reading, read_image, require_memory
from mesoforge.physics.voxels import CLOSED, SIDES, Voxels


def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 3, (6, 7, 8)).astype(np.uint8)


def test_the_same_image_comes_out_of_every_kind_of_file(tmp_path: Path) -> None:
    image = labels()
    first = Voxels(image, np.zeros(image.shape, dtype=np.int32), 0.4)
    for suffix in (".npy", ".tif"):
        export_labels(first, tmp_path / f"image{suffix}")
    np.savez(tmp_path / "image.npz", image=image, voxel_um=0.4)
    axes = {".npy": 2, ".npz": 2, ".tif": 0}
    for suffix, axis in axes.items():
        found = read_image(tmp_path / f"image{suffix}", Reading(voxel=0.4, thickness_axis=axis))
        due = np.moveaxis(np.moveaxis(image, 2, 0), 0, 2)
        np.testing.assert_array_equal(found.phase, due)
        assert (found.edge, found.periodic, found.whole) == (0.4, CLOSED, False)
        assert not found.particle.any()


def test_what_voxels_save_is_an_image_with_its_particles(tmp_path: Path) -> None:
    image = labels()
    particle = np.where(image == 1, 7, 0).astype(np.int32)
    Voxels(image, particle, 0.3).save(tmp_path / "v.npz")
    found = read_image(tmp_path / "v.npz", Reading(periodic=SIDES, whole=True))
    np.testing.assert_array_equal(found.particle, particle)
    assert (found.edge, found.periodic, found.whole) == (0.3, SIDES, True)


def test_labels_are_given_their_meaning(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.where(labels() == 1, 255, 0).astype(np.uint8))
    found = read_image(tmp_path / "a.npy", Reading(voxel=1.0, labels={0: "active", 255: "pore"}))
    np.testing.assert_array_equal(found.phase, np.where(labels() == 1, 0, 1))


def test_a_raw_file_says_beside_it_what_it_holds(tmp_path: Path) -> None:
    import json

    image = labels()
    export_labels(Voxels(image, np.zeros(image.shape, dtype=np.int32), 0.4), tmp_path / "a.raw")
    header = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    again = np.frombuffer((tmp_path / "a.raw").read_bytes(), dtype=header["type"]).reshape(header["shape"])
    np.testing.assert_array_equal(again, image)
    with pytest.raises(InputError, match=r"ends in '\.vtk' but one of"):
        export_labels(Voxels(image, np.zeros(image.shape, dtype=np.int32), 0.4), tmp_path / "a.vtk")


def saved(array: Any) -> Callable[[Path], Path]:  # noqa: ANN401
    def save(folder: Path) -> Path:
        np.save(folder / "a.npy", array)
        return folder / "a.npy"

    return save


def text(name: str, content: str = "no image") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(content, encoding="utf-8")
        return folder / name

    return write


def two_arrays(folder: Path) -> Path:
    np.savez(folder / "a.npz", first=labels(), second=labels())
    return folder / "a.npz"


def cut_tiff(folder: Path) -> Path:
    path = folder / "a.tif"
    tifffile.imwrite(path, labels(), photometric="minisblack", compression="zlib")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def pickled(folder: Path) -> Path:
    (folder / "a.pkl").write_bytes(pickle.dumps(labels()))
    return folder / "a.pkl"


def objects(folder: Path) -> Path:
    np.savez(folder / "a.npz", image=np.array([[{"a": 1}]], dtype=object))
    return folder / "a.npz"


def uneven(folder: Path) -> Path:
    np.savez(folder / "a.npz", image=labels(), voxel_um=[0.4, 0.4, 1.0])
    return folder / "a.npz"


def test_hdf5_files_folders_of_slices_wide_types_and_named_arrays_are_images(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["scan/labels"] = labels().astype(np.uint16)
    np.savez(tmp_path / "a.npz", first=labels() * 0, second=labels())
    (tmp_path / "slices").mkdir()
    for number, one in enumerate(labels()):
        tifffile.imwrite(tmp_path / "slices" / f"s_{number}.tif", one)
    for name, dataset in (("a.h5", None), ("a.h5", "scan/labels"), ("a.npz", "second"), ("slices", None)):
        found = read_image(tmp_path / name, Reading(voxel=1.0, dataset=dataset))
        np.testing.assert_array_equal(found.phase, labels())


def test_particles_may_come_from_a_file_of_their_own(tmp_path: Path) -> None:
    image = labels()
    numbers = np.where(image == 1, np.arange(1, image.size + 1).reshape(image.shape), 0)
    np.save(tmp_path / "image.npy", image)
    np.savez(tmp_path / "numbers.npz", labels=numbers)
    how = Reading(voxel=1.0, thickness_axis=1, particles=tmp_path / "numbers.npz")
    found = read_image(tmp_path / "image.npy", how)
    np.testing.assert_array_equal(found.particle > 0, found.phase == 1)
    np.save(tmp_path / "other.npy", numbers[1:])
    with pytest.raises(InputError, match=r"has \(5, 7, 8\) voxels but the image \(6, 7, 8\)"):
        read_image(tmp_path / "image.npy", Reading(voxel=1.0, particles=tmp_path / "other.npy"))


@pytest.mark.parametrize(
    ("make", "reading", "said"),
    [
        (saved(labels().astype(float)), Reading(voxel=1), r"the image holds float64 numbers but whole labels are due"),
        (saved(labels()[0]), Reading(voxel=1), r"the image has 2 dimensions but must have 3"),
        (saved(labels()[:1]), Reading(voxel=1), r"the image has 1 x 7 x 8 voxels but at least two along each axis"),
        (saved(labels()), Reading(), r"the voxel's edge is not given but a length in um is due: give it with --voxel"),
        (saved(labels()), Reading(voxel=-1), r"the voxel's edge is -1 but a length in um is due"),
        (saved(labels() * 50), Reading(voxel=1), r"labels 50, 100 are in the image but only 0, 1, 2 have a meaning"),
        (saved(labels()), Reading(voxel=1, labels={0: "air"}), r"label meaning 'air' is not known"),
        (saved(labels()), Reading(voxel=1, thickness_axis=3), r"the thickness axis is 3 but must be 0, 1 or 2"),
        (saved(labels() * 0), Reading(voxel=1), r"all voxels are pore but two phases at least are due"),
        (saved(labels() * 0 + 1), Reading(voxel=1), r"all voxels are active but two phases at least are due"),
        (text("a.npy"), Reading(voxel=1), r"cannot be read as NPY|holds pickled objects"),
        (text("a.npz"), Reading(voxel=1), r"cannot be read as NPZ"),
        (text("a.tif"), Reading(voxel=1), r"cannot be read as TIFF"),
        (text("a.h5"), Reading(voxel=1), r"cannot be read as HDF5"),
        (cut_tiff, Reading(voxel=1), r"(is cut off|cannot be read as TIFF)"),
        (pickled, Reading(voxel=1), r"a\.pkl' is a pickle, which can run any code"),
        (objects, Reading(voxel=1), r"holds pickled objects"),
        (saved(labels().astype(np.int16) - 1), Reading(voxel=1), r"labels -1 are in the image"),
        (uneven, Reading(), r"voxels are 0\.4 x 0\.4 x 1 um but must be cubes"),
        (text("a.vtk"), Reading(voxel=1), r"ends in '\.vtk' but one of \.npy, \.npz, \.tif, \.tiff, \.h5.* is due"),
        (two_arrays, Reading(voxel=1), r"holds the images first, second but one is due: choose one with --dataset"),
        (lambda folder: folder / "none.npy", Reading(voxel=1), r"there is no stack"),
    ],
    ids=[
        "floats", "flat", "one slice", "no voxel", "negative voxel", "unknown labels", "unknown meaning", "no axis",
        "no solid", "no pore", "broken npy", "broken npz", "broken tiff", "broken hdf5", "cut tiff", "pickle",
        "objects", "signed", "uneven voxels", "other ending", "two arrays", "no file",
    ],
)  # fmt: skip
def test_a_wrong_image_is_refused_in_a_sentence(
    tmp_path: Path, make: Callable[[Path], Path], reading: Reading, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        read_image(make(tmp_path), reading)


def test_what_is_larger_than_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"1e\+12 voxels need about 1\.3e\+05 GB and this machine has [\d.e+]+ GB"):
        require_memory(10**12)
    np.savez_compressed(tmp_path / "a.npz", image=labels())
    monkeypatch.setattr(image_files, "BYTES", 10**12)
    with pytest.raises(InputError, match=r"336 voxels need about 3\.36e\+05 GB"):
        read_image(tmp_path / "a.npz", Reading(voxel=1))
