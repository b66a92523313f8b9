"""From a stack to a library: blocks give what the whole gives, known particles are found, files say what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from phantoms import phantom

from mesoforge.errors import InputError
from mesoforge.physics.shapes.blocks import cut, scratch
from mesoforge.physics.shapes.extract import Extraction, extract
from mesoforge.physics.shapes.figures import figures, inertia
from mesoforge.physics.shapes.library import Library, open_library
from mesoforge.physics.shapes.merging import Borders, merged
from mesoforge.physics.shapes.phantom import recovered
from mesoforge.physics.shapes.phase import Phase
from mesoforge.physics.shapes.separate import Watershed, separate
from mesoforge.physics.shapes.shape import random_rotation
from mesoforge.physics.shapes.stack import Stack, array_stack

SOLID = Phase(1, None)
DEFAULT = Watershed()
TRUTH = phantom(60, 14, 0.42)


def stack_of(image: NDArray[Any]) -> Stack:
    return array_stack((image > 0).astype(np.uint8), 0.5)


def labelled(stack: Stack, block: int | None, how: Watershed = DEFAULT) -> dict[str, NDArray[Any]]:
    blocks = cut(stack.shape, block)
    with scratch(blocks) as arrays:
        found = separate(stack, SOLID, blocks, how, arrays)
        whole = tuple(slice(0, size) for size in stack.shape)
        return {
            "image": found.image(whole),  # type: ignore[arg-type]
            "count": found.count[1:],
            "low": found.low[1:],
            "high": found.high[1:],
            "pairs": np.stack([found.borders.first, found.borders.second]),
            "saddle": found.borders.saddle,
            "faces": found.borders.faces,
        }


def rough_material() -> NDArray[np.bool_]:
    """Return a cube of blobs without any symmetry: many peaks, necks and cut particles."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(np.random.default_rng(7).normal(size=(48, 40, 44)), 3.0) > 0)


@pytest.mark.parametrize("block", [13, 30])
@pytest.mark.parametrize("image", [TRUTH > 0, rough_material()], ids=["ellipsoids", "blobs"])
def test_blocks_give_what_the_whole_gives_to_the_voxel(image: NDArray[np.bool_], block: int) -> None:
    stack = stack_of(image)
    whole, pieces = labelled(stack, None), labelled(stack, block)
    assert len(cut(stack.shape, block)) > 7
    assert len(whole["count"]) > 20
    for name, values in whole.items():
        np.testing.assert_array_equal(pieces[name], values, err_msg=name)


def test_a_particle_wider_than_the_overlap_of_blocks_is_still_one() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(90)] * 3, indexing="ij"), axis=-1)
    ball = np.linalg.norm(grid - 44.6, axis=-1) < 40
    found = labelled(stack_of(ball), 45)
    assert found["count"].tolist() == [ball.sum()]


def test_grey_values_are_denoised_in_blocks_as_in_the_whole(tmp_path: Path) -> None:
    part = TRUTH[:40, :40, :44] > 0
    noise = np.random.default_rng(3).normal(0, 25, part.shape)
    stack = array_stack((np.where(part, 150, 50) + noise).astype(np.int16), 0.5)
    for denoise in ("median", "gaussian"):
        hashes = set()
        for block in (None, 30):
            how = Extraction(denoise=denoise, block=block, least=100)
            hashes.add(extract(stack, how, tmp_path / "one.h5").library.content_sha256)
        assert len(hashes) == 1, denoise


def test_touching_ellipsoids_are_found_again() -> None:
    same, ratio = recovered(TRUTH, labelled(stack_of(TRUTH), None)["image"])
    assert same.mean() >= 0.95
    assert np.nanmean(ratio) == pytest.approx(1, abs=0.01)
    assert (np.abs(ratio[same] - 1) < 0.03).mean() > 0.9


def test_recovery_is_not_claimed_where_two_are_one() -> None:
    joined = np.where(TRUTH == 2, 1, TRUTH)
    same, _ = recovered(TRUTH, joined.astype(np.int64))
    assert not same[:2].all()
    assert same[2:].all()


def test_basins_are_those_of_scikit_image_s_flooding() -> None:
    import edt
    from scipy.ndimage import gaussian_filter
    from skimage.segmentation import watershed

    material = TRUTH > 0
    ours = labelled(stack_of(TRUTH), None)["image"]
    height = gaussian_filter(edt.edt(material, parallel=1), 0.4, truncate=3)
    seeds = np.zeros(material.shape, dtype=np.int32)
    for number in range(1, int(ours.max()) + 1):
        inside = np.flatnonzero(ours == number)
        seeds.flat[inside[np.argmax(height.ravel()[inside])]] = number
    theirs = watershed(-height, seeds, mask=material, connectivity=3)  # type: ignore[no-untyped-call]
    assert (ours[material] == theirs[material]).mean() > 0.99


def two_balls(distance: float) -> NDArray[np.bool_]:
    grid = np.stack(np.meshgrid(np.arange(60), np.arange(34), np.arange(34), indexing="ij"), axis=-1)
    balls = [np.linalg.norm(grid - (17 + shift, 16.7, 16.6), axis=-1) < 12 for shift in (0.3, distance)]
    return np.asarray(balls[0] | balls[1])


@pytest.mark.parametrize(("distance", "neck", "particles"), [(20, 0.9, 2), (20, 0.5, 1), (12, 0.9, 2), (12, 0.8, 1)])
def test_a_neck_parts_two_balls_or_does_not(distance: float, neck: float, particles: int) -> None:
    """The neck of two balls of radius 12 at a distance d has the radius (144 - d^2 / 4)^(1/2): .55 and .87 of it."""
    assert len(labelled(stack_of(two_balls(distance)), None, Watershed(neck=neck))["count"]) == particles


def test_the_lower_of_two_peaks_joins_the_higher_one_and_chains_end_at_the_highest() -> None:
    borders = Borders(np.array([1, 2]), np.array([2, 3]), np.array([9.5, 4.0]), np.array([1, 1]))
    peaks = np.array([0.0, 10, 12, 5])
    assert merged(peaks, borders, 0.9, 0).tolist() == [0, 2, 2, 3]
    assert merged(peaks, borders, 0.8, 0).tolist() == [0, 2, 2, 2]
    assert merged(peaks, borders, 1.0, 1.1).tolist() == [0, 2, 2, 2]
    assert merged(peaks, borders, 1.0, 0).tolist() == [0, 1, 2, 3]


def ellipsoid(axes: tuple[float, float, float], seed: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    turn, reach = random_rotation(rng), int(max(axes)) + 2
    grid = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1) + rng.random(3) - 0.5
    return (((grid @ turn) / np.array(axes)) ** 2).sum(axis=-1) < 1, turn


@pytest.mark.parametrize("axes", [(10.0, 10.0, 10.0), (12.0, 10.0, 8.0), (9.0, 7.0, 4.5), (6.0, 5.0, 4.0)])
def test_the_figures_of_an_ellipsoid_are_its_closed_forms(axes: tuple[float, float, float]) -> None:
    mask, turn = ellipsoid(axes, 5)
    found = figures(mask, 0.5)
    a, b, c = axes
    area = 4 * np.pi * np.mean([(a * b) ** 1.6075, (a * c) ** 1.6075, (b * c) ** 1.6075]) ** (1 / 1.6075)
    assert found.volume == pytest.approx(mask.sum() / 8)
    assert found.diameter == pytest.approx(np.cbrt(a * b * c), rel=0.01)
    assert found.axes == pytest.approx(np.array(axes) / 2, rel=0.02)
    assert found.krumbein == pytest.approx((b * c / a**2) ** (1 / 3), abs=0.01)
    assert found.surface == pytest.approx(area / 4, rel=0.015)
    assert found.wadell == pytest.approx(np.cbrt(np.pi) * (6 * 4 / 3 * np.pi * a * b * c) ** (2 / 3) / area, abs=0.02)
    assert 0.98 < found.solidity <= 1
    assert np.linalg.det(found.directions) == pytest.approx(1)
    if a > b:
        assert abs(found.directions[0] @ turn[:, 0]) > 0.98
        assert abs(found.directions[2] @ turn[:, 2]) > 0.98


def test_a_dented_particle_is_less_solid_and_has_more_surface() -> None:
    mask, _ = ellipsoid((10, 10, 10), 1)
    dented = mask & ~np.roll(mask, 12, axis=0)
    whole, rest = figures(mask, 1.0), figures(dented, 1.0)
    assert rest.solidity < whole.solidity - 0.05
    assert rest.wadell < whole.wadell


def test_one_voxel_has_the_inertia_of_its_cube() -> None:
    centroid, axes, _ = inertia(np.ones((1, 1, 1), dtype=bool))
    np.testing.assert_allclose(centroid, 0.5)
    np.testing.assert_allclose(axes, np.sqrt(5 / 12))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return extract(stack_of(TRUTH), Extraction(), tmp_path_factory.mktemp("shapes") / "ellipsoids.h5").library


def test_a_library_has_every_particle_with_its_volume_and_mask(library: Library) -> None:
    assert len(library) == pytest.approx(60, abs=2)
    for row, mask in enumerate(library.masks()):
        assert mask.sum() * 0.5**3 == pytest.approx(library.volumes[row])
        assert min(mask[0].sum(), mask[-1].sum()) > 0, "a mask is as large as its particle"
    np.testing.assert_array_equal(library.mask(7), list(library.masks())[7])


def test_facets_are_mutual_and_only_between_particles(library: Library) -> None:
    pair = library.contacts.pair
    assert (pair[:, 0] != pair[:, 1]).all()
    assert (library.contacts.area >= 0.25).all()
    assert library.facets.sum() == (pair >= 0).sum()
    assert 2 < library.facets.mean() < 12


def test_a_library_says_what_it_is_to_any_reader_of_hdf5(library: Library) -> None:
    with h5py.File(library.path) as file:
        assert file.attrs["format"] == "mesoforge particle library"
        assert file.attrs["version"] == 1
        assert file.attrs["voxel_um"] == 0.5
        assert len(file.attrs["source_sha256"]) == 64
        assert file.attrs["software"].startswith("mesoforge ")
        assert {"neck", "smooth", "depth", "least", "cut_off", "small", "label"} <= set(file["extraction"].attrs)
        assert {column.attrs["unit"] for column in file["particles"].values()} == {"um", "um2", "um3", ""}
        start, shape = file["masks/start"][3:5], file["masks/shape"][3]
        mask = file["masks/voxels"][start[0] : start[1]].reshape(shape)
        assert mask.sum() * 0.5**3 == pytest.approx(file["particles/volume"][3])


def test_the_content_s_hash_knows_content_alone(library: Library, tmp_path: Path) -> None:
    other = replace(stack_of(TRUTH), source="another name")
    again = extract(other, Extraction(), tmp_path / "again.h5").library
    assert again.content_sha256 == library.content_sha256
    finer = replace(other, voxel_um=0.4)
    assert extract(finer, Extraction(), tmp_path / "finer.h5").library.content_sha256 != library.content_sha256
    fewer = extract(other, Extraction(least=1200), tmp_path / "fewer.h5").library
    assert fewer.content_sha256 != library.content_sha256
    assert len(fewer) < len(library)


def test_what_is_dropped_is_counted(tmp_path: Path) -> None:
    image = np.zeros((40, 40, 40), dtype=np.uint8)
    image[0:8, 10:18, 10:18] = 1  # cut by a face
    image[20:22, 5:7, 5:7] = 1  # small
    image[20:30, 20:30, 20:30] = 1
    found = extract(array_stack(image, 0.5), Extraction(), tmp_path / "three.h5")
    assert (found.kept, found.cut_off, found.small) == (1, 1, 1)
    assert found.active_fraction == pytest.approx(image.mean())
    kept = extract(array_stack(image, 0.5), Extraction(border=True, least=5), tmp_path / "all.h5")
    assert (kept.kept, kept.cut_off, kept.small) == (3, 0, 0)
    assert {int(row) for part in kept.slices.values() for row in np.unique(part)} <= {0, 1, 2, 3}


REFUSED: dict[str, tuple[Stack, Extraction, str]] = {
    "nothing": (array_stack(TRUTH % 7, 0.5), Extraction(label=9), "has no voxel of label 9"),
    "all_cut": (array_stack((TRUTH[:9, :9, :9] > 0) * 1, 0.5), Extraction(), "particles but none is whole and has 200"),
    "of_2_mm": (replace(stack_of(TRUTH), voxel_um=100.0), Extraction(), r"is 2\.\d+e\+03 um wide, with voxels of 100"),
    "of_1_nm": (replace(stack_of(TRUTH), voxel_um=1e-4), Extraction(), "correct --voxel-size"),
    "small_block": (stack_of(TRUTH), Extraction(block=2), "--block is 2 but must be 8 voxels or more"),
}


@pytest.mark.parametrize(("stack", "how", "words"), REFUSED.values(), ids=REFUSED)
def test_an_extraction_of_nothing_or_of_the_wrong_size_is_refused(
    stack: Stack, how: Extraction, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        extract(stack, how, tmp_path / "none.h5")
    assert list(tmp_path.iterdir()) == []


def changed(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["masks/voxels"][5] ^= 1


def of_another_kind(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = np.zeros(3)


def newer(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 9


def incomplete(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["contacts"]


def pickled(path: Path) -> None:
    path.write_bytes(b"\x80\x04\x95")


def no_file(path: Path) -> None:
    path.unlink()


DAMAGED = {
    changed: "was changed after it was written: extract it again",
    of_another_kind: "is something else but mesoforge particle library 1 is due",
    newer: "is mesoforge particle library 9 but mesoforge particle library 1 is due",
    incomplete: "is no whole particle library",
    pickled: "is a pickle",
    no_file: "there is no particle library",
}


@pytest.mark.parametrize(("damage", "words"), DAMAGED.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_a_damaged_library_is_refused(
    library: Library, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "copy.h5"
    path.write_bytes(library.path.read_bytes())
    damage(path)
    with pytest.raises(InputError, match=words):
        open_library(path)
