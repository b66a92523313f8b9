"""Laws of whole electrodes, made in real LAMMPS."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import component_masses, counts, small

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import Beads
from mesoforge.physics.calendering import LOAD, RELEASE
from mesoforge.physics.drives import FACES
from mesoforge.physics.failure import Failure
from mesoforge.physics.fragments import CRACKING
from mesoforge.physics.manufacture import BEADS, CURVE, LOADED, STAGES, VOXELS, Electrode, manufacture
from mesoforge.physics.measurement import OWN, PROPERTIES
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import RESULT, Store
from mesoforge.physics.voxels import Voxels

Make = Callable[[Recipe], Electrode]
BASE = small(calendering__pressure=100)
SEEDS = (1, 2, 3)
PRESSURES = (100, 400)


def states(electrode: Electrode) -> dict[str, Beads]:
    """Return the beads after each stage that moves them, and at maximum load."""
    found = {stage: Beads.load(electrode.stages[stage] / BEADS) for stage in STAGES[:-1]}
    return found | {"under load": Beads.load(electrode.stages["calendering"] / LOADED)}


def curve(electrode: Electrode, stage: str) -> np.ndarray:
    """Return the plane's rows: stroke, height [um], pressure on plane and on collector [MPa]."""
    rows: np.ndarray = np.loadtxt(electrode.stages[stage] / CURVE, delimiter=",", skiprows=1)
    return rows


def test_an_electrode_bears_every_property_as_a_finite_number(make: Make) -> None:
    properties = make(BASE).properties
    assert set(OWN) - {"krumbein_sphericity_mean"} - set(CRACKING) <= set(properties) <= set(PROPERTIES)
    assert len(properties) > len(OWN) + 40
    assert all(np.isfinite(value) for value in properties.values())


def test_the_same_recipe_in_two_empty_stores_gives_the_same_numbers_to_the_last_digit(
    make: Make, tmp_path: Path
) -> None:
    again = manufacture(BASE, Store(tmp_path / "other"))
    assert isinstance(again, Electrode)
    first = make(BASE)
    assert again.properties == first.properties
    assert again.input_sha256 == first.input_sha256
    assert not any(again.found.values())


def test_a_recipe_with_another_calendering_reuses_all_that_came_before(make: Make) -> None:
    first = make(BASE)
    written = {stage: (first.stages[stage] / RESULT).stat().st_mtime_ns for stage in STAGES}
    second = make(BASE.with_values({"calendering.pressure": 400}))
    assert second.found | {"calendering": False, "measurement": False} == {
        "packing": True,
        "slurry": True,
        "drying": True,
        "calendering": False,
        "measurement": False,
    }
    for stage in ("packing", "slurry", "drying"):
        assert second.stages[stage] == first.stages[stage]
        assert (second.stages[stage] / RESULT).stat().st_mtime_ns == written[stage]
    assert second.stages["calendering"] != first.stages["calendering"]


def test_no_component_gains_or_loses_mass_in_any_stage(make: Make) -> None:
    amounts = balance(BASE)
    found = states(make(BASE))
    first = counts(found["packing"])
    for stage, beads in found.items():
        assert counts(beads) == first, stage
        masses = component_masses(beads, BASE)
        assert masses["active"] == pytest.approx(amounts.active_mass)
        assert masses["cbd"] == pytest.approx(amounts.cbd_mass)
        assert sum(masses.values()) == pytest.approx(amounts.wet_mass)


def test_secondary_particles_stay_rigid_through_all_stages(make: Make) -> None:
    found = states(make(BASE))
    packed = found.pop("packing")
    for number in range(1, int(packed.particle.max()) + 1):
        was = spread(packed, number)
        for stage, beads in found.items():
            np.testing.assert_allclose(spread(beads, number), was, atol=1e-6, err_msg=f"{number} after {stage}")


def spread(beads: Beads, number: int) -> np.ndarray:
    """Return the distance of a particle's beads from their centroid [um]."""
    own = beads.position[beads.particle == number]
    lengths: np.ndarray = np.linalg.norm(own - own.mean(axis=0), axis=1)
    return lengths


def test_the_loading_times_the_area_is_the_mass_that_was_weighed_in(make: Make) -> None:
    electrode = make(BASE)
    beads = Beads.load(electrode.stages["calendering"] / BEADS)
    picograms = electrode.properties["mass_loading"] * 10 * beads.area
    assert picograms == pytest.approx(balance(BASE).dry_mass)
    assert electrode.properties["mass_loading"] == pytest.approx(BASE.volume.mass_loading, rel=0.05)


def test_density_porosity_and_capacity_tell_of_one_and_the_same_electrode(make: Make) -> None:
    found, amounts = make(BASE).properties, balance(BASE)
    solid_density = amounts.dry_mass / amounts.solid_volume
    assert found["electrode_density"] == pytest.approx(solid_density * (1 - found["porosity"]))
    assert found["electrode_density"] == pytest.approx(found["mass_loading"] * 10 / found["thickness"])
    assert found["volumetric_capacity"] == pytest.approx(found["areal_capacity"] * 1e4 / found["thickness"])
    assert found["tortuosity_factor_z"] == pytest.approx(found["porosity_voxels"] * found["macmullin_number_z"])


def test_porosity_from_beads_and_from_voxels_agree_to_a_point(make: Make) -> None:
    found = make(BASE).properties
    assert found["porosity_voxels"] == pytest.approx(found["porosity"], abs=0.01)


def test_the_voxels_are_the_ones_that_were_measured(make: Make) -> None:
    voxels = Voxels.load(make(BASE).stages["measurement"] / VOXELS)
    pore, _, cbd = np.bincount(voxels.phase.ravel(), minlength=3) / voxels.phase.size
    nano = BASE.drying.cbd_nanoporosity
    assert make(BASE).properties["porosity_voxels"] == pytest.approx(pore + nano * cbd)


def test_the_pressure_drive_reaches_its_pressure(make: Make) -> None:
    assert make(BASE).properties["calendering_pressure"] == pytest.approx(100, rel=0.03)


def test_the_compression_drive_reaches_its_compression(make: Make) -> None:
    found = make(small(calendering__compression=0.25)).properties
    assert found["compression_under_load"] == pytest.approx(0.25, abs=0.001)


def test_the_gap_drive_satisfies_the_spring_of_the_machine(make: Make) -> None:
    recipe = small(calendering__gap=6.0, calendering__stiffness=40.0)
    found = make(recipe).properties
    spring = 40.0 * (found["thickness_under_load"] - 6.0)
    assert found["calendering_pressure"] == pytest.approx(spring, rel=0.03)


def test_the_thickness_drive_reaches_the_thickness_of_the_whole_coating(make: Make) -> None:
    recipe = small(calendering__thickness=28.0, calendering__mass_loading=10.0)
    found = make(recipe).properties
    assert 4 * (found["thickness_under_load"] - FACES) + FACES == pytest.approx(28, abs=0.05)


def test_the_line_load_is_the_pressure_over_the_arc_between_rolls_and_coating(make: Make) -> None:
    found = make(small(calendering__line_load=60.0, calendering__mass_loading=10.0)).properties
    arc = np.sqrt(125e3 * 4 * (found["dried_thickness"] - found["thickness_under_load"]))
    assert found["calendering_pressure"] * arc / 1000 == pytest.approx(60, rel=0.05)


def test_a_compression_out_of_reach_fails_with_the_lowest_porosity_that_was_reached(store: Store) -> None:
    failure = manufacture(small(calendering__compression=0.3, numerics__pressure_limit=5.0), store)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.stage) == ("unreachable", "calendering")
    assert re.search(r"lowest porosity reached was 0\.\d+, at a compression of 0\.[012]", failure.reason)


def test_a_compression_beyond_the_pores_is_refused_before_it_is_simulated(store: Store) -> None:
    failure = manufacture(small(calendering__compression=0.69), store)
    assert isinstance(failure, Failure)
    assert failure.kind == "unreachable"
    assert "no compression beyond that can be reached" in failure.reason


def test_an_imposed_porosity_is_reached_exactly_and_said_to_be_imposed(make: Make) -> None:
    electrode = make(small(drying__model="to_porosity", drying__porosity=0.5))
    assert electrode.properties["dried_porosity"] == pytest.approx(0.5, abs=1e-3)
    assert any("imposed by drying.porosity, not predicted" in note for note in electrode.notes)


def test_a_film_that_dries_at_a_rate_keeps_its_beads_and_tells_where_the_cbd_went(make: Make) -> None:
    recipe = small(drying__model="migration", drying__rate=1.0, drying__wet_thickness=200.0)
    electrode = make(recipe)
    assert counts(states(electrode)["drying"]) == counts(states(electrode)["packing"])
    assert 0.2 < electrode.properties["cbd_surface_to_bottom"] < 20


def test_nanopores_that_close_leave_the_total_porosity_and_raise_that_between_the_beads(make: Make) -> None:
    open_, closed = make(BASE), make(BASE.with_values({"calendering.nanopores_close": True}))
    assert closed.properties["cbd_nanoporosity"] < open_.properties["cbd_nanoporosity"] == BASE.drying.cbd_nanoporosity
    assert closed.properties["porosity"] == open_.properties["porosity"]
    assert closed.properties["porosity_voxels"] == pytest.approx(open_.properties["porosity_voxels"], abs=0.002)
    pores = [(Voxels.load(one.stages["measurement"] / VOXELS).phase == 0).mean() for one in (open_, closed)]
    assert pores[1] > pores[0]


AT_REST = {
    "dried": ("drying", 1, 0.03),
    "under load": ("calendering", LOAD, 0.03),
    "released": ("calendering", RELEASE, 0.1),  # at a thousandth of the load: 0.1 MPa
}


@pytest.mark.parametrize(("stage", "stroke", "share"), AT_REST.values(), ids=AT_REST)
def test_plane_and_collector_carry_the_same_pressure_at_rest(make: Make, stage: str, stroke: int, share: float) -> None:
    rows = curve(make(BASE), stage)
    rest = rows[rows[:, 0] == stroke][-50:, 2:4].mean(axis=0)
    assert rest[0] > 0
    assert rest[1] == pytest.approx(rest[0], rel=share)


def test_the_drying_rests_at_its_capillary_pressure(make: Make) -> None:
    rest = curve(make(BASE), "drying")[-12:, 2].mean()
    assert rest == pytest.approx(BASE.drying.pressure, rel=0.03)


def test_what_lets_go_springs_back_but_never_beyond_the_dried_electrode(make: Make) -> None:
    found = make(BASE).properties
    assert 0 < found["compression_after_release"] < found["compression_under_load"]
    assert found["porosity_under_load"] < found["porosity"] < found["dried_porosity"]


def test_more_pressure_never_raises_porosity(make: Make) -> None:
    under_load, released = np.zeros(len(PRESSURES)), np.zeros(len(PRESSURES))
    for seed in SEEDS:
        made = [make(small(seed=seed, calendering__pressure=pressure)).properties for pressure in PRESSURES]
        under_load += [found["porosity_under_load"] for found in made]
        released += [found["porosity"] for found in made]
    assert (np.diff(under_load) < 0).all(), under_load / len(SEEDS)
    assert (np.diff(released) < 0).all(), released / len(SEEDS)


def test_what_a_reader_must_know_is_said(make: Make) -> None:
    notes = make(BASE).notes
    assert notes[0].startswith("Sizes: a volume of 10 um holds particles up to 4 um")
    assert "raise volume.side to 35 um" in notes[0]
    assert [note.split(":")[0] for note in notes[1:]] == ["Drying", "Slurry", "Calendering", "Transport"]


def test_a_physics_failure_comes_back_as_a_value_and_the_next_electrode_is_made(store: Store, make: Make) -> None:
    hurried = BASE.with_values({"numerics.time_limit": 0.05, "seed": 11})
    failure = manufacture(hurried, store)
    assert failure == Failure("timeout", "slurry", "the simulation ran longer than its limit of 0.05 s")
    assert (store.root / "failed").is_dir()
    assert make(BASE).properties["porosity"] > 0


def test_the_time_limit_does_not_name_the_electrode(store: Store, make: Make) -> None:
    patient = make(BASE.with_values({"numerics.time_limit": 1234.0}))
    assert patient.input_sha256 == make(BASE).input_sha256
    assert all(patient.found.values())
