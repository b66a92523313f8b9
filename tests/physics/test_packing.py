"""The dilute box: exact counts, no overlap, sizes by their law, the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from making import small
from scipy.spatial import cKDTree
from scipy.stats import kstest, lognorm

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import ACTIVE, CBD, wrapped
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.packing import bead_counts, pack
from mesoforge.physics.recipe import Recipe

RECIPE = small(seed=5)
PACKED = pack(RECIPE)


def test_all_beads_of_the_balance_are_there() -> None:
    amounts = balance(RECIPE)
    assert int((PACKED.kind == ACTIVE).sum()) == amounts.active_beads
    assert int((PACKED.kind == CBD).sum()) == amounts.cbd_beads
    assert set(PACKED.particle[PACKED.kind == CBD]) == {0}
    assert set(PACKED.particle[PACKED.kind == ACTIVE]) == set(range(1, int(PACKED.particle.max()) + 1))


def test_nothing_overlaps_even_through_the_box_s_sides() -> None:
    points = wrapped(PACKED.position, PACKED.box)
    cbd = balance(RECIPE).wet_bead_diameter * RECIPE.force_field.slurry_bead_factor
    size = PACKED.by_kind(RECIPE.particles.primary_diameter, cbd)
    first, second = cKDTree(points, boxsize=PACKED.box).query_pairs(cbd, output_type="ndarray").T
    foreign = (PACKED.particle[first] != PACKED.particle[second]) | (PACKED.particle[first] == 0)
    gap = points[first] - points[second]
    distance = np.linalg.norm(gap - PACKED.box * np.round(gap / PACKED.box), axis=1)
    assert (distance >= (size[first] + size[second]) / 2)[foreign].all()


def test_the_box_is_dilute_and_shrinks_to_the_recipe_s_side() -> None:
    amounts = balance(RECIPE)
    shrunk = PACKED.box * (amounts.additive_slurry_volume / PACKED.volume) ** (1 / 3)
    np.testing.assert_allclose(shrunk[:2], RECIPE.volume.side)
    assert PACKED.volume == pytest.approx(5 * amounts.additive_slurry_volume)


def test_the_same_seed_packs_the_same_box_and_another_one_another() -> None:
    np.testing.assert_array_equal(pack(RECIPE).position, PACKED.position)
    assert not np.array_equal(pack(RECIPE.with_values({"seed": 6})).position, PACKED.position)


@pytest.mark.parametrize("total", [2, 3, 5, 40, 999])
def test_particles_use_up_exactly_the_beads_there_are(total: int) -> None:
    for seed in range(20):
        counts = bead_counts(RECIPE, total, np.random.default_rng(seed))
        assert counts.sum() == total
        assert counts.min() >= 2
        assert (np.diff(counts) <= 0).all()


def test_diameters_follow_the_cut_log_normal_law() -> None:
    recipe = Recipe().with_values({"volume.side": 100, "particles.primary_diameter": 0.2})
    counts = bead_counts(recipe, 30_000_000, np.random.default_rng(8))[:-1]
    diameters = (6 / np.pi * counts) ** (1 / 3) * 0.2
    law = lognorm(recipe.particles.log_sd, scale=recipe.particles.median_diameter)
    low, high = law.cdf([recipe.particles.min_diameter, recipe.particles.max_diameter])
    assert len(diameters) > 1000
    assert kstest(diameters, lambda d: (law.cdf(d) - low) / (high - low)).pvalue > 0.01


def test_no_particle_is_larger_than_the_volume_holds() -> None:
    counts = bead_counts(RECIPE, 3000, np.random.default_rng(9))
    largest = (6 / np.pi * counts.max()) ** (1 / 3) * RECIPE.particles.primary_diameter
    assert largest <= RECIPE.largest_diameter * 1.1


def test_a_distribution_with_almost_nothing_between_its_limits_is_a_physics_failure() -> None:
    recipe = small(particles__median_diameter=30, particles__log_sd=0.05)
    with pytest.raises(PhysicsError, match="almost no particle between 2 and 4 um") as error:
        pack(recipe)
    assert error.value.kind == "no_particle"


def test_points_are_folded_below_the_edge_even_by_rounding() -> None:
    folded = wrapped(np.array([[-1e-18, 10.0], [25.0, -0.5]]), np.array([10.0, 10.0]))
    np.testing.assert_array_equal(folded, [[0.0, 0.0], [5.0, 9.5]])


def test_a_packing_starts_in_the_box_that_the_recipe_gives() -> None:
    packed = pack(small(volume__start_box=[20, 22, 24]))
    np.testing.assert_array_equal(packed.box, [20, 22, 24])
    assert len(packed) == len(PACKED)
