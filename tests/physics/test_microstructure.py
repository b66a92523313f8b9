"""Porosity, transport and pore size against closed forms and against a second solver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.microstructure.bulk import bulk_porosity
from mesoforge.physics.microstructure.phases import fractions, porosity, profile
from mesoforge.physics.microstructure.pores import mean_pore_diameter
from mesoforge.physics.microstructure.transport import (
    nanopore_conductivity,
    relative_conductivity_z,
    tortuosity_factor,
)
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.voxels import PORE, Voxels

TOMOGRAM = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "nmc_ct_calendered.npz"


def image(phase: np.ndarray, edge: float = 0.5) -> Voxels:
    """Return an image of phases; what is active material is one particle."""
    return Voxels(phase.astype(np.uint8), (phase == ACTIVE).astype(np.int32), edge)


def filled(shape: tuple[int, int, int], phase: int = PORE) -> np.ndarray:
    return np.full(shape, phase, dtype=np.uint8)


def mixture() -> Voxels:
    return image(np.random.default_rng(2).choice(3, size=(12, 12, 20), p=[0.5, 0.3, 0.2]))


def test_fractions_of_the_phases_sum_to_one_in_every_layer() -> None:
    along = profile(mixture())
    np.testing.assert_allclose(sum(along.fractions.values()), 1)
    assert sum(fractions(mixture()).values()) == pytest.approx(1)
    np.testing.assert_allclose(along.height, np.arange(20) * 0.5 + 0.25)


def test_the_mean_of_the_profile_is_the_whole() -> None:
    whole, along = fractions(mixture()), profile(mixture())
    assert {name: values.mean() for name, values in along.fractions.items()} == pytest.approx(whole)


def test_porosity_counts_the_nanopores_of_the_cbd() -> None:
    assert porosity({"pore": 0.2, "active_material": 0.6, "cbd": 0.2}, 0.5) == pytest.approx(0.3)


def stack(heights: np.ndarray) -> Beads:
    """Return CBD beads at those heights in a box of 10 by 10 by 20 um."""
    position = np.column_stack([np.full_like(heights, 5.0), np.full_like(heights, 5.0), heights])
    number = len(heights)
    box = np.array([10.0, 10.0, 20.0])
    return Beads(position, np.full(number, CBD, dtype=np.int32), np.zeros(number, dtype=np.int32), box)


def test_the_bulk_leaves_out_both_faces_and_nothing_else() -> None:
    recipe = Recipe()
    solid = balance(recipe).cbd_bead_mass / balance(recipe).cbd_solid_density
    inside, faces = np.linspace(2, 18, 30), np.array([0.2, 19.9])
    for heights in (inside, np.concatenate([inside, faces])):
        assert bulk_porosity(stack(heights), recipe) == pytest.approx(1 - 30 * solid / (100 * 18))


def test_a_bead_on_the_border_of_the_bulk_counts_half() -> None:
    recipe = Recipe()
    solid = balance(recipe).cbd_bead_mass / balance(recipe).cbd_solid_density
    assert bulk_porosity(stack(np.array([1.0, 10.0, 19.0])), recipe) == pytest.approx(1 - 2 * solid / (100 * 18))


def test_a_coating_that_is_all_face_is_taken_whole() -> None:
    recipe = Recipe()
    solid = balance(recipe).cbd_bead_mass / balance(recipe).cbd_solid_density
    assert bulk_porosity(stack(np.array([0.5, 10.0])), recipe, face=6.0) == pytest.approx(1 - 2 * solid / 2000)


def test_an_empty_volume_has_a_tortuosity_factor_of_one() -> None:
    assert relative_conductivity_z(image(filled((8, 8, 12))), 0.354) == pytest.approx(1, rel=2e-3)
    assert tortuosity_factor(1.0, 1.0) == 1


def test_straight_pores_have_a_tortuosity_factor_of_one() -> None:
    phase = filled((10, 10, 15), ACTIVE)
    phase[:, :3, :] = PORE
    found = relative_conductivity_z(image(phase), 0.354)
    assert tortuosity_factor(0.3, found) == pytest.approx(1, rel=5e-3)


@pytest.mark.parametrize("cbd", [0.1, 0.354, 1.0])
def test_layers_side_by_side_conduct_by_their_arithmetic_mean(cbd: float) -> None:
    phase = filled((10, 6, 15))
    phase[:4] = CBD
    assert relative_conductivity_z(image(phase), cbd) == pytest.approx(0.4 * cbd + 0.6, rel=5e-3)


@pytest.mark.parametrize("cbd", [0.1, 0.354, 1.0])
def test_layers_in_a_row_conduct_by_their_harmonic_mean(cbd: float) -> None:
    layers, thick = 40, 16
    phase = filled((6, 6, layers))
    phase[:, :, 12 : 12 + thick] = CBD
    harmonic = layers / (thick / cbd + (layers - thick))
    assert relative_conductivity_z(image(phase), cbd) == pytest.approx(harmonic, rel=0.02)


def test_dense_cbd_blocks_and_porous_cbd_conducts() -> None:
    phase = filled((6, 6, 12))
    phase[:, :, 5] = CBD
    assert relative_conductivity_z(image(phase), 0.354) > 0.5
    with pytest.raises(PhysicsError, match="no path through pores and CBD"):
        relative_conductivity_z(image(phase), 0.0)


def test_a_wall_of_active_material_lets_nothing_through() -> None:
    phase = filled((6, 6, 12))
    phase[:, :, 5] = ACTIVE
    with pytest.raises(PhysicsError, match="no path through pores and CBD joins collector and surface") as error:
        relative_conductivity_z(image(phase), 0.354)
    assert error.value.kind == "no_percolation"


def test_pores_that_lead_nowhere_conduct_nothing() -> None:
    phase = filled((10, 10, 16), ACTIVE)
    phase[:, :3, :] = PORE
    without = relative_conductivity_z(image(phase), 0.354)
    phase[4:6, 6:8, 6:10] = PORE
    phase[:, 5, :4] = CBD
    assert relative_conductivity_z(image(phase), 0.354) == pytest.approx(without, rel=2e-3)


def test_nanopores_conduct_by_bruggeman() -> None:
    assert nanopore_conductivity(0.5) == pytest.approx(0.3536, abs=1e-4)
    assert nanopore_conductivity(0.0) == 0


def tomogram() -> np.ndarray:
    """Return pores of a real electrode, thickness first."""
    if not TOMOGRAM.exists():
        pytest.skip(f"the tomogram {TOMOGRAM.name} is not beside this checkout")
    with np.load(TOMOGRAM, allow_pickle=False) as arrays:
        pore: np.ndarray = arrays["image"][100:148, 120:168, 120:168] != 1
    return pore


def blobs() -> np.ndarray:
    """Return pores of smoothed noise, half of the volume."""
    noise = gaussian_filter(np.random.default_rng(7).normal(size=(40, 36, 36)), 2.5)
    pore: np.ndarray = noise > np.median(noise)
    return pore


@pytest.mark.parametrize("pores", [blobs, tomogram])
def test_the_two_phase_solver_of_taufactor_agrees(pores: Callable[[], np.ndarray]) -> None:
    from taufactor import Solver

    pore = pores()
    ours = relative_conductivity_z(image(np.moveaxis(np.where(pore, PORE, ACTIVE), 0, 2)), 0.354)
    solver = Solver(pore.astype(np.uint8), device="cpu")
    solver.solve(verbose=False, conv_crit=1e-3)
    theirs = float(np.asarray(solver.tau).item())
    # the multi-phase solver holds potentials a full voxel outside, the plain one half a voxel
    assert tortuosity_factor(float(pore.mean()), ours) == pytest.approx(theirs, rel=0.03)


@pytest.mark.parametrize("width", [5, 9])
def test_a_slit_s_pore_diameter_is_its_width(width: int) -> None:
    phase = filled((30, 30, 30), ACTIVE)
    phase[10 : 10 + width] = PORE
    assert mean_pore_diameter(image(phase)) == pytest.approx(width * 0.5, abs=0.5)


def test_a_cylinder_s_pore_diameter_is_its_own() -> None:
    x, y = np.mgrid[-20:21, -20:21]
    phase = np.repeat(np.where(np.hypot(x, y) < 10.5, PORE, ACTIVE)[:, :, None], 30, axis=2)
    assert mean_pore_diameter(image(phase)) == pytest.approx(21 * 0.5, abs=1.0)


def test_the_pore_diameter_scales_with_the_voxel_and_is_zero_without_pores() -> None:
    phase = filled((20, 20, 20), ACTIVE)
    phase[5:12] = PORE
    assert mean_pore_diameter(image(phase, 1.0)) == pytest.approx(2 * mean_pore_diameter(image(phase, 0.5)))
    assert mean_pore_diameter(image(filled((5, 5, 5), ACTIVE))) == 0
