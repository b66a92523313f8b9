"""Porosity and pore size against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.microstructure.bulk import bulk_porosity
from mesoforge.physics.microstructure.phases import fractions, porosity, profile
from mesoforge.physics.microstructure.pores import mean_pore_diameter
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.voxels import PORE, Voxels


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
