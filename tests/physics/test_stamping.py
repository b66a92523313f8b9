"""Particles stamped back: poses are found again, volumes and phases are kept, surfaces are the tomogram's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import small
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from mesoforge.errors import InputError
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.drying.stage import settle_on_collector
from mesoforge.physics.manufacture import BEADS, MAKERS, VOXELS, identity
from mesoforge.physics.packing import casts, pack
from mesoforge.physics.pose import Mapping, part_way, pose
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.shapes.beading import cast
from mesoforge.physics.shapes.library import Library
from mesoforge.physics.shapes.shape import random_rotation
from mesoforge.physics.shapes.stamping import active_surface, signed_distance, stamp, stamp_electrode
from mesoforge.physics.voxels import Voxels, voxelise

MAPPINGS: tuple[Mapping, ...] = ("rigid", "affine")


@pytest.fixture(scope="module")
def recipe(library: Library) -> Recipe:
    return small(shapes=str(library.path), particles__mirrored=True, numerics__voxel=0.25)


@pytest.fixture(scope="module")
def settled(recipe: Recipe) -> Beads:
    return settle_on_collector(pack(recipe), recipe)


def points(count: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, 3))


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_a_rotation_and_a_shift_are_found_again(mapping: Mapping) -> None:
    rng = np.random.default_rng(1)
    turn, shift, beads = random_rotation(rng), np.array([3.0, -4, 5]), points(20, 2)
    found = pose(beads, beads @ turn.T + shift, mapping)
    np.testing.assert_allclose(found.matrix, turn, atol=1e-9)
    np.testing.assert_allclose(found.shift, shift, atol=1e-9)
    assert found.miss < 1e-9


def test_a_mirror_image_is_not_taken_for_a_rotation() -> None:
    beads = points(20, 3)
    found = pose(beads, beads * [-1, 1, 1])
    assert np.linalg.det(found.matrix) == pytest.approx(1)
    assert found.miss > 0.1


def test_a_squeezed_particle_is_followed_by_an_affine_map_of_the_same_volume() -> None:
    beads, squeezed = points(30, 4), np.diag([1.1, 1.1, 1 / 1.21])
    found = pose(beads, beads @ squeezed.T, "affine")
    np.testing.assert_allclose(found.matrix, squeezed, atol=1e-9)
    halved = pose(beads, beads * [1, 1, 0.5], "affine")
    assert np.linalg.det(halved.matrix) == pytest.approx(1)
    assert pose(beads, beads @ squeezed.T, "rigid").miss > found.miss + 0.05


@pytest.mark.parametrize("count", [2, 3])
def test_few_beads_still_have_a_pose(count: int) -> None:
    beads = points(count, 5)
    turn = random_rotation(np.random.default_rng(6))
    for mapping in MAPPINGS:
        found = pose(beads, beads @ turn.T + 1, mapping)
        assert found.miss < 1e-9
        assert np.linalg.det(found.matrix) == pytest.approx(1)


def test_depth_below_the_surface_is_positive_inside_and_counts_voxels() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(-13, 14)] * 3, indexing="ij"), axis=-1)
    radius = np.linalg.norm(grid, axis=-1)
    depth = signed_distance(radius < 10)[4:-4, 4:-4, 4:-4]
    near = (radius > 3) & (radius < 12.5)
    assert np.abs(depth - (10 - radius))[near].max() < 0.8
    assert np.abs((depth - (10 - radius))[near].mean()) < 0.3


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_every_phase_has_the_voxels_that_it_has_without_stamping(
    library: Library, recipe: Recipe, settled: Beads, mapping: Mapping
) -> None:
    plain = voxelise(settled, recipe)
    stamped = stamp(settled, casts(recipe), library, recipe, mapping)
    np.testing.assert_array_equal(np.bincount(stamped.phase.ravel()), np.bincount(plain.phase.ravel()))
    assert stamped.edge == plain.edge
    assert ((stamped.particle > 0) == (stamped.phase == 1)).all()
    assert (stamped.phase == plain.phase).mean() > 0.9


def test_every_particle_has_its_own_volume(library: Library, recipe: Recipe, settled: Beads) -> None:
    made = casts(recipe)
    stamped = stamp(settled, made, library, recipe)
    counts = np.bincount(stamped.particle.ravel())[1:] * stamped.edge**3
    volumes = np.array([one.volume for one in made])
    np.testing.assert_allclose(counts / counts.sum(), volumes / volumes.sum(), rtol=0.05)


def test_a_lone_particle_is_put_back_voxel_by_voxel(library: Library) -> None:
    row = int(np.argmax(library.volumes))
    mask = library.mask(row)
    one = cast(mask, 0.25, 60, np.random.default_rng(7), (row, 1.0, True))
    recipe = small(
        shapes=str(library.path), numerics__voxel=0.25, particles__primary_diameter=one.shape.pitch, volume__side=10.0
    )
    mass = 60 * one.shape.pitch**3 * recipe.materials.active.density / recipe.formulation.active_material / 1000
    recipe = recipe.with_values({"volume.mass_loading": mass})
    beads = Beads(
        np.vstack([one.shape.beads + 5.0, [[0.5, 0.5, 0.7]] * 2]),
        np.repeat([1, CBD], [60, 2]).astype(np.int32),
        np.repeat([1, 0], [60, 2]).astype(np.int32),
        np.array([10.0, 10.0, 10.0]),
    )
    stamped = stamp(beads, [one], replace(library, voxel_um=0.25), recipe).phase == 1
    corner = np.round((5.0 + np.array([-1, 1, 1]) * (0 - one.centre)) / 0.25).astype(int)
    size = mask.shape
    mirrored = stamped[
        corner[0] - size[0] : corner[0], corner[1] : corner[1] + size[1], corner[2] : corner[2] + size[2]
    ]
    shared = (mirrored & mask[::-1]).sum() / mask.sum()
    assert shared > 0.93


def test_the_surface_of_a_ball_and_of_a_slab_are_their_closed_forms() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(40)] * 3, indexing="ij"), axis=-1)
    ball = np.linalg.norm(grid - 19.5, axis=-1) < 12
    empty = np.zeros((40, 40, 40), dtype=np.int32)
    found = active_surface(Voxels(ball.astype(np.uint8), empty, 0.5))
    assert found == pytest.approx(4 * np.pi * 12**2 / 40**3 / 0.5, rel=0.02)
    slab = (np.abs(grid[..., 2] - 19.5) < 8).astype(np.uint8)
    assert active_surface(Voxels(slab, empty, 0.5)) == pytest.approx(2 / 40 / 0.5, rel=1e-3)


def test_a_recipe_may_have_its_particles_measured_in_place_of_its_beads(
    settled: Beads, recipe: Recipe, tmp_path: Path
) -> None:
    asked = recipe.with_values({"numerics.image": "particles"})
    plain, stamped = identity(recipe), identity(asked)
    assert [stage for stage in plain if plain[stage] != stamped[stage]] == ["measurement"]
    before, folder = tmp_path / "before", tmp_path / "folder"
    before.mkdir()
    folder.mkdir()
    settled.save(before / BEADS)
    numbers = {"numbers": {"cbd_nanoporosity": asked.drying.cbd_nanoporosity}}
    (before / "result.json").write_text(json.dumps(numbers), encoding="utf-8")
    MAKERS["measurement"](asked, before, folder)
    np.testing.assert_array_equal(Voxels.load(folder / VOXELS).particle, stamp_electrode(settled, asked).particle)


def test_without_a_library_there_are_no_particles_to_measure() -> None:
    with pytest.raises(InputError, match=r"numerics\.image is particles but the recipe has no library"):
        small(numerics__image="particles")


def test_particles_that_go_part_of_a_way_keep_their_shape() -> None:
    rng = np.random.default_rng(5)
    place, turn = rng.uniform(5, 15, (40, 3)), Rotation.from_euler("xyz", [4, -3, 6], degrees=True).as_matrix()
    kinds = np.full(40, ACTIVE, dtype=np.int32)
    start = Beads(place, kinds, np.repeat([1, 2], 20).astype(np.int32), np.full(3, 20.0))
    end = start.moved(np.where(start.particle[:, None] == 1, place @ turn.T + 0.3, place * [1, 1, 1.02]), start.box)
    half = part_way(start, end, 0.5, [1])
    np.testing.assert_allclose(pdist(half.position[:20]), pdist(place[:20]), rtol=1e-9)
    np.testing.assert_allclose(half.position[:20], (place[:20] + end.position[:20]) / 2, atol=0.02)
    np.testing.assert_allclose(half.position[20:], place[20:] * [1, 1, 1.01])
