"""Voxels: every phase and every particle keeps its volume, gaps close, sides are periodic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import small
from scipy.ndimage import label

from mesoforge.physics.balance import Balance, balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.shapes.synthetic import SyntheticShapes
from mesoforge.physics.voxels import Voxels, grid, voxelise

PITCH = 1.25
SIDE = 20.0


def recipe_of(beads: Beads, **values: Any) -> Recipe:  # noqa: ANN401
    """Return a recipe whose balance has the beads' active material."""
    recipe = small(volume__side=SIDE, particles__primary_diameter=PITCH, **values)
    mass = (beads.kind == ACTIVE).sum() * PITCH**3 * recipe.materials.active.density
    per_loading = recipe.formulation.active_material * 10 * SIDE**2
    return recipe.with_values({"volume.mass_loading": mass / per_loading})


def electrode(active: list[np.ndarray], recipe: Recipe | None = None, height: float = SIDE) -> tuple[Beads, Recipe]:
    """Return beads of particles, (n, 3) each, with the CBD that belongs to them scattered about, and their recipe."""
    dry = Beads(
        np.vstack(active),
        np.full(sum(map(len, active)), ACTIVE, dtype=np.int32),
        np.repeat(np.arange(1, len(active) + 1), [len(one) for one in active]).astype(np.int32),
        np.array([SIDE, SIDE, height]),
    )
    recipe = recipe or recipe_of(dry, numerics__voxel=PITCH / 5)
    amounts: Balance = balance(recipe)
    assert amounts.active_beads == len(dry)
    cbd = np.random.default_rng(1).uniform(1, height - 1, (amounts.cbd_beads, 3))
    beads = Beads(
        np.vstack([dry.position, cbd]),
        np.concatenate([dry.kind, np.full(len(cbd), CBD, dtype=np.int32)]),
        np.concatenate([dry.particle, np.zeros(len(cbd), dtype=np.int32)]),
        dry.box,
    )
    return beads, recipe


def cube(edge: int, centre: float | np.ndarray) -> np.ndarray:
    """Return the beads of a cube about a centre."""
    beads: np.ndarray = (np.argwhere(np.ones((edge, edge, edge))) - (edge - 1) / 2) * PITCH + centre
    return beads


def scattered(count: int = 12) -> list[np.ndarray]:
    """Return lumpy particles well apart from one another on a grid of sites."""
    rng, source = np.random.default_rng(3), SyntheticShapes(small(particles__primary_diameter=PITCH).particles)
    sites = [np.array([i, j, k]) for i in (3.3, 10, 16.7) for j in (3.3, 10, 16.7) for k in (5, 15)][:count]
    return [source.shape(int(rng.integers(8, 40)), rng).beads + site for site in sites]


def test_a_cube_of_beads_becomes_a_cube_of_voxels_without_gaps() -> None:
    beads, recipe = electrode([cube(5, SIDE / 2 + 0.125)])
    active = voxelise(beads, recipe).phase == ACTIVE
    found = np.argwhere(active)
    assert len(found) == 25**3
    assert (found.max(axis=0) - found.min(axis=0) + 1 <= 27).all()
    assert (np.abs(found - 40).max(axis=1) <= 12).mean() > 0.97
    _, parts = label(~active)
    assert parts == 1


def test_every_particle_keeps_its_volume_to_a_voxel() -> None:
    particles = scattered()
    beads, recipe = electrode(particles)
    found = np.bincount(voxelise(beads, recipe).particle.ravel())[1:]
    due = np.array([len(one) for one in particles]) * 5**3
    assert np.abs(found - due).max() <= 1


def test_phase_fractions_are_those_of_the_mass_balance() -> None:
    beads, recipe = electrode(scattered(), height=19.87)
    voxels, amounts = voxelise(beads, recipe), balance(recipe)
    _, active, cbd = np.bincount(voxels.phase.ravel(), minlength=3) / voxels.phase.size
    assert active == pytest.approx(amounts.active_beads * amounts.active_bead_volume / beads.volume, abs=1e-4)
    assert cbd == pytest.approx(amounts.cbd_beads * amounts.cbd_bead_volume / beads.volume, abs=1e-4)


def test_labels_and_phases_say_the_same() -> None:
    voxels = voxelise(*electrode(scattered()))
    np.testing.assert_array_equal(voxels.particle > 0, voxels.phase == ACTIVE)
    assert voxels.phase.dtype == np.uint8
    assert voxels.particle.dtype == np.int32


def test_moving_everything_by_whole_voxels_rolls_the_image() -> None:
    beads, recipe = electrode(scattered())
    moved = Beads(beads.position + np.array([17, -30, 0]) * 0.25, beads.kind, beads.particle, beads.box)
    first, second = voxelise(beads, recipe), voxelise(moved, recipe)
    rolled = np.roll(first.particle, (17, -30), axis=(0, 1))
    assert (rolled != second.particle).mean() < 1e-3


def test_a_particle_across_the_side_is_whole_on_the_other() -> None:
    beads, recipe = electrode([cube(5, np.array([0.0, 10.0, 10.0]))])
    found = voxelise(beads, recipe).phase == ACTIVE
    assert found.sum() == 25**3
    assert found[0].sum() == pytest.approx(found[-1].sum(), rel=0.05)
    assert not found[30:50].any()


def test_particles_in_each_other_s_way_share_out_the_volume_of_both() -> None:
    beads, recipe = electrode([cube(4, 9.0), cube(4, 11.5)])
    found = np.bincount(voxelise(beads, recipe).particle.ravel())[1:]
    assert found.sum() == 2 * 20**3
    assert found[0] == pytest.approx(found[1], rel=0.1)


def test_cbd_lies_at_its_beads_and_never_in_a_particle() -> None:
    beads, recipe = electrode(scattered(4))
    voxels = voxelise(beads, recipe)
    own = beads.position[beads.kind == CBD]
    middles = (np.argwhere(voxels.phase == CBD) + 0.5) * voxels.edge
    gap = middles[:, None, :] - own[None, :, :]
    gap[..., :2] -= SIDE * np.round(gap[..., :2] / SIDE)
    assert np.linalg.norm(gap, axis=-1).min(axis=1).max() < 2 * recipe.drying.cbd_diameter


def test_beads_without_room_are_a_physics_failure() -> None:
    beads, recipe = electrode(scattered(4))
    crushed = Beads(beads.position * [1, 1, 0.01], beads.kind, beads.particle, beads.box * [1, 1, 0.01])
    with pytest.raises(PhysicsError, match=r"needs \d+ voxels but its beads reach only \d+") as error:
        voxelise(crushed, recipe)
    assert error.value.kind == "unstable"


@pytest.mark.parametrize("height", [7.5, 13.37, 40.0])
@pytest.mark.parametrize("wanted", [0.3, 0.4])
def test_a_box_is_tiled_by_cubes_close_to_the_wanted_edge(height: float, wanted: float) -> None:
    edge, shape = grid(np.array([18.0, 18.0, height]), wanted)
    assert edge == pytest.approx(wanted, rel=0.05)
    assert shape[0] * edge == pytest.approx(18.0)
    assert abs(shape[2] * edge - height) <= edge / 2


def test_an_image_survives_the_way_to_a_file_and_back(tmp_path: Path) -> None:
    voxels = voxelise(*electrode(scattered(6)))
    voxels.save(tmp_path / "voxels.npz")
    again = Voxels.load(tmp_path / "voxels.npz")
    np.testing.assert_array_equal(again.phase, voxels.phase)
    np.testing.assert_array_equal(again.particle, voxels.particle)
    assert again.edge == voxels.edge
