"""The sheared slurry against laws: walls in balance, stress that grows with rate, errors that mean what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from making import small

from mesoforge.errors import InputError
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.failure import Failure, PhysicsError
from mesoforge.physics.packing import pack
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.rheology import (
    BLOCKS,
    Flow,
    block_steps,
    couette_script,
    cut_open,
    medium_viscosity,
    reduced,
    shear,
    viscosity,
)
from mesoforge.physics.slurry import pair_sigmas
from mesoforge.physics.store import Store

RECIPE = small(seed=3)
RATES = (3e5, 6e5, 1e6)


def fluid(recipe: Recipe, across: int, high: int, apart: float = 1.0) -> Beads:
    """Return CBD beads alone, in rows so many sigma apart, each a little off its place."""
    pitch = apart * pair_sigmas(recipe)["2 2"]
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in (across, across, high)], indexing="ij"), axis=-1)
    places = pitch * (grid.reshape(-1, 3) + 0.5) + np.random.default_rng(1).uniform(-0.05, 0.05, (grid[..., 0].size, 3))
    box = pitch * np.array([across, across, high])
    return Beads(places, np.full(len(places), CBD, dtype=np.int32), np.zeros(len(places), dtype=np.int32), box)


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> list[Flow]:
    beads = fluid(RECIPE, 6, 8)
    return [Flow(**shear(beads, RECIPE, rate, tmp_path_factory.mktemp("shear"))) for rate in RATES]


def test_both_walls_of_a_sheared_fluid_carry_the_same_stress(flows: list[Flow]) -> None:
    for flow in flows:
        assert flow.low_stress == pytest.approx(flow.top_stress, rel=0.05)
        assert flow.stress > 5 * flow.stress_error


def test_the_stress_of_a_fluid_rises_with_the_rate_and_less_than_in_proportion(flows: list[Flow]) -> None:
    assert (np.diff([flow.stress for flow in flows]) > 0).all()
    assert (np.diff([flow.viscosity for flow in flows]) < 0).all()
    for flow in flows:
        assert flow.rate == pytest.approx(flow.wanted, rel=0.8)
        assert flow.viscosity == pytest.approx(flow.stress / flow.rate * 1e3)


def test_a_slurry_that_only_slips_at_its_walls_is_a_physics_failure(tmp_path: Path) -> None:
    with pytest.raises(PhysicsError, match="the middle of the gap sheared with only") as error:
        shear(fluid(RECIPE, 6, 8), RECIPE, 1e5, tmp_path)
    assert error.value.kind == "no_flow"


def test_where_the_drag_rules_the_viscosity_is_proportional_to_it_and_near_what_the_drag_alone_gives(
    tmp_path: Path,
) -> None:
    found = []
    for drag in (400.0, 800.0):
        recipe = small(seed=3, force_field__slurry_well_depth=2.0, force_field__slurry_drag=drag)
        folder = tmp_path / f"{drag:g}"
        folder.mkdir()
        flow = Flow(**shear(fluid(recipe, 5, 9, 1.08), recipe, 1e4, folder))
        found.append(flow.viscosity / medium_viscosity(recipe))
    assert found[1] == pytest.approx(found[0], rel=0.2)
    assert 0.5 < found[0] < 2


def test_twice_the_drag_at_half_the_rate_is_the_same_reduced_rate() -> None:
    more = RECIPE.with_values({"force_field.slurry_drag": 2 * RECIPE.force_field.slurry_drag})
    assert reduced(more, 5e4) == pytest.approx(reduced(RECIPE, 1e5))
    assert medium_viscosity(more) == pytest.approx(2 * medium_viscosity(RECIPE))


def test_walls_are_whole_particles_and_no_particle_is_in_both() -> None:
    packed = pack(RECIPE)
    walls = cut_open(packed)
    active = packed.kind == ACTIVE
    assert not set(walls.low) & set(walls.top)
    between = active & ~np.isin(packed.particle, [*walls.low, *walls.top])
    heights = walls.beads.position[between, 2]
    assert heights.min() >= 2.5
    assert heights.max() <= packed.box[2] - 2.5
    shifts = (walls.beads.position - packed.position)[:, 2] / packed.box[2]
    np.testing.assert_allclose(shifts, np.round(shifts), atol=1e-9)


def test_a_slurry_without_a_gap_is_a_physics_failure() -> None:
    with pytest.raises(PhysicsError, match="the slurry is only 8 um high") as error:
        cut_open(Beads(np.zeros((1, 3)), np.array([CBD]), np.array([0]), np.array([9.0, 9.0, 8.0])))
    assert error.value.kind == "no_gap"


def test_a_rate_out_of_reach_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a shear rate is 10 1/s but 100 to 1e\+06 1/s can be simulated"):
        viscosity(RECIPE, [1e4, 10], Store(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_a_strain_takes_as_many_more_steps_as_the_rate_is_slower() -> None:
    assert block_steps(0.01, 0.01) == 2500
    assert block_steps(0.001, 0.01) == 25000
    assert f"run             {BLOCKS * 2500}" in couette_script(
        small(numerics__slurry_timestep=0.001), cut_open(pack(RECIPE)), 0.1
    )


def test_a_slurry_is_sheared_once_and_found_again_and_its_viscosity_thins(store: Store) -> None:
    recipe = small(seed=1)
    stages: list[str] = []
    first = viscosity(recipe, [3e5, 1e5], store, stages.append)
    assert not isinstance(first, Failure), first
    assert stages == ["packing", "slurry", "shear 100000 1/s", "shear 300000 1/s"]
    assert [flow.wanted for flow in first] == [1e5, 3e5]
    assert first[0].stress < first[1].stress
    assert first[0].viscosity > first[1].viscosity
    assert viscosity(recipe, [1e5, 3e5], store) == first, "seconds too, so nothing was simulated again"
