"""LAMMPS inputs, word for word: a change of the physics must be seen, and must raise the stage's version.

``MESOFORGE_GOLDEN=write pytest tests/physics/test_scripts.py`` writes the files anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from making import small

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.bonding import holding, spring
from mesoforge.physics.calendering import CROWDED, calendering_script, flattened, flattening, overlaps
from mesoforge.physics.contact import KPA_PER_MPA, calendering_law, drying_law, timestep, true_law
from mesoforge.physics.crush import VERSION as CRUSH_VERSION
from mesoforge.physics.crush import Trial, crush_script
from mesoforge.physics.drives import FACES, Task
from mesoforge.physics.drying.capillary import capillary_script
from mesoforge.physics.drying.migration import film, film_script, peclet
from mesoforge.physics.drying.stage import settle_on_collector
from mesoforge.physics.drying.to_porosity import to_porosity_script, wanted_thickness
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.manufacture import BONDED_VERSION, VERSIONS, identity
from mesoforge.physics.packing import pack
from mesoforge.physics.plane import CHUNK, Curve
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.slurry import slurry_script, slurry_timestep
from mesoforge.physics.voxels import voxelise

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("MESOFORGE_GOLDEN") == "write"
FIXED = small(
    formulation__active_material=0.95,
    formulation__solids_content=0.66,
    particles__primary_diameter=1.25,
    slurry__pressure=0.1,
    slurry__tolerance=1e-4,
    drying__pressure=0.05,
    drying__cbd_diameter=1.3,
    calendering__pressure=120.0,
    calendering__temperature=60.0,
    force_field__slurry_bead_factor=0.8,
    force_field__slurry_well_depth=500.0,
    force_field__cbd_modulus=2.0,
    force_field__friction=0.1,
    force_field__cbd_wet_modulus=2.0,
    force_field__wet_friction=0.5,
    force_field__wet_adhesion=10.0,
    force_field__adhesion=300.0,
    force_field__plasticity=0.7,
    force_field__cbd_thermal_softening=0.01,
    numerics__slurry_timestep=0.01,
    numerics__rayleigh_fraction=0.2,
    numerics__calendering_softening=7.0,
    numerics__drying_step=0.6,
    numerics__drying_modulus=0.5,
    numerics__plane_speed=1.5,
    numerics__release_speed=1.5,
    numerics__drying_speed=1.5,
    numerics__drying_drag=20.0,
    numerics__gauge_pressure=0.1,
    numerics__pressure_limit=3000.0,
    numerics__viscous_drag=5.0,
    numerics__release_drag=5.0,
    numerics__voxel=0.4,
)
"""Every setting that a script reads, so that another default changes no script here."""
COMPRESSED = FIXED.with_values({"calendering.compression": 0.3})
GAPPED = FIXED.with_values({"calendering.gap": 8.0, "calendering.stiffness": 20.0})
IMPOSED = FIXED.with_values({"drying.model": "to_porosity", "drying.porosity": 0.5})
MIGRATED = FIXED.with_values(
    {
        "drying.model": "migration",
        "drying.rate": 1.0,
        "drying.binder_diffusivity": 100.0,
        "drying.wet_thickness": 200.0,
    }
)
THINNED = FIXED.with_values({"calendering.thickness": 90.0, "calendering.mass_loading": 25.0})
ROLLED = FIXED.with_values(
    {"calendering.line_load": 150.0, "calendering.mass_loading": 25.0, "calendering.roll_diameter": 250.0}
)
BONDED = FIXED.with_values({"particles.bonded": True, "force_field.particle_strength": 300.0})
SCRIPTS = {
    "slurry": slurry_script(FIXED),
    "drying": capillary_script(FIXED, 21.5),
    "drying_to_porosity": to_porosity_script(IMPOSED, 21.5, 15.0),
    "drying_migration": film_script(MIGRATED, 21.5, 100.0),
    "calendering_pressure": calendering_script(FIXED, 12.5),
    "calendering_compression": calendering_script(COMPRESSED, 12.5),
    "calendering_gap": calendering_script(GAPPED, 12.5),
    "calendering_thickness": calendering_script(THINNED, 12.5),
    "calendering_line_load": calendering_script(ROLLED, 12.5),
    "bonded": calendering_script(BONDED, 12.5, holding(BONDED, calendering_law(BONDED), np.array([7, 9]))),
    "crush": crush_script(Trial("press", "110", 12.0, 0), spring(BONDED, 1.0), (4.0, 20.0), 5000),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_the_one_that_was_reviewed(name: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if WRITE:
        path.write_text(SCRIPTS[name], encoding="utf-8")
    assert SCRIPTS[name] == path.read_text(encoding="utf-8"), "if it is meant, see the top of this file"


def hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def made_without_lammps() -> dict[str, str]:
    """Return hashes of what the stages without a script make of fixed inputs, rounded beyond the last digits."""
    packed = pack(FIXED)
    image = voxelise(settle_on_collector(packed, FIXED), FIXED)
    return {
        "packing": hashed(np.round(packed.position, 6).tobytes()),
        "measurement": hashed(np.bincount(image.phase.ravel()).astype(np.int64).tobytes()),
    }


def fingerprints() -> dict[str, str]:
    scripts = {
        stage: hashed("".join(SCRIPTS[name] for name in sorted(SCRIPTS) if name.startswith(stage)).encode())
        for stage in ("slurry", "drying", "calendering", "bonded", "crush")
    }
    return made_without_lammps() | scripts


def test_what_a_stage_does_changes_only_together_with_its_version() -> None:
    path = GOLDEN / "versions.json"
    numbers = VERSIONS | {"bonded": BONDED_VERSION, "crush": CRUSH_VERSION}
    found = {stage: {"version": numbers[stage], "fingerprint": mark} for stage, mark in fingerprints().items()}
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for stage, now in found.items():
        before = known.get(stage, now)
        assert now["fingerprint"] == before["fingerprint"] or now["version"] > before["version"], (
            f"{stage} does something else than before: raise its number in manufacture.VERSIONS, then write this anew"
        )
    if WRITE:
        path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert found == json.loads(path.read_text(encoding="utf-8")), "write this anew, as the top of this file says"


def step_at(script: str, load: float) -> list[float]:
    """Return the time steps that a calendering's two strokes take at a load [kPa]."""
    found = re.findall(r"timestep +\$\((\S+?)\*ternary\(v_load>(\S+?),\((\S+?)/v_load\)\^\(1/3\),1\)", script)
    return [
        float(step) * ((float(limit) / load) ** (1 / 3) if load > float(beyond) else 1) for step, beyond, limit in found
    ]


@pytest.mark.parametrize(("pressure", "share"), [(1.0, 1), (100.0, 1), (8 * CROWDED, 0.5)])
def test_the_time_step_of_calendering_shrinks_as_contacts_stiffen(pressure: float, share: float) -> None:
    law = calendering_law(FIXED)
    steps = step_at(calendering_script(FIXED, 12.5), pressure * KPA_PER_MPA / law.scale)
    assert steps == pytest.approx([share * timestep(FIXED, law)] * 2)


def test_a_thick_coating_gets_the_looks_that_its_way_takes() -> None:
    looks = {height: int(re.findall(r"i loop (\d+)", calendering_script(FIXED, height))[0]) for height in (12.5, 400.0)}
    way = FIXED.numerics.plane_speed * timestep(FIXED, calendering_law(FIXED)) * CHUNK
    assert (looks[400.0] - looks[12.5]) * way == pytest.approx(387.5, abs=2 * way)


def test_bonds_name_the_calendering_and_what_follows_and_rigid_electrodes_keep_their_names() -> None:
    rigid, bonded = identity(FIXED), identity(BONDED)
    assert [stage for stage in rigid if rigid[stage] != bonded[stage]] == ["calendering", "measurement"]
    other = FIXED.with_values({"force_field.particle_strength": 123.0})
    assert identity(other) == rigid
    assert "bonded" not in json.dumps(rigid)
    assert identity(other.with_values({"particles.bonded": True})) != bonded


READ_BY = {
    "packing": ("seed", "volume.mass_loading", "formulation.solids_content", "particles.sphericity"),
    "slurry": ("slurry.pressure", "force_field.slurry_well_depth", "numerics.slurry_timestep"),
    "drying": ("drying.pressure", "force_field.wet_adhesion", "numerics.drying_drag"),
    "calendering": ("calendering.pressure", "force_field.plasticity", "numerics.gauge_pressure"),
    "measurement": ("numerics.voxel",),
}


@pytest.mark.parametrize(("stage", "name"), [(stage, name) for stage, names in READ_BY.items() for name in names])
def test_an_input_names_the_stage_that_reads_it_and_all_later_ones_and_no_earlier(stage: str, name: str) -> None:
    value = FIXED.flat()[name]
    assert isinstance(value, int | float)
    before, after = identity(FIXED), identity(FIXED.with_values({name: value + 1 if name == "seed" else value * 0.98}))
    stages = list(VERSIONS)
    first = stages.index(stage)
    assert [one for one in stages if before[one] != after[one]] == stages[first:]


def test_every_setting_of_the_numerics_but_the_time_limit_names_some_stage() -> None:
    written = json.dumps(identity(FIXED))
    for name in type(FIXED.numerics).model_fields:
        assert (f'"{name}"' in written) == (name != "time_limit"), name


def test_softening_keeps_the_ratio_of_stress_to_modulus() -> None:
    cold = FIXED.with_values({"calendering.temperature": 25.0})
    real, soft = true_law(cold), calendering_law(cold)
    for name in ("active", "cbd", "adhesion"):
        assert getattr(soft, name) * soft.scale == pytest.approx(getattr(real, name))
    assert (soft.friction, soft.poisson) == (real.friction, real.poisson)


def test_warm_rolls_soften_the_cbd_and_nothing_else() -> None:
    cold, warm = (calendering_law(FIXED.with_values({"calendering.temperature": kelvin})) for kelvin in (25.0, 60.0))
    assert warm.cbd == pytest.approx(cold.cbd * np.exp(-0.01 * 35))
    assert (warm.active, warm.adhesion, warm.scale) == (cold.active, cold.adhesion, cold.scale)


def test_the_whole_coating_is_as_much_higher_as_it_is_heavier_its_faces_counted_once() -> None:
    task = Task(THINNED, calendering_law(THINNED), 12.5)
    assert task.ratio == 10
    assert task.whole(12.5) == pytest.approx(10 * (12.5 - FACES) + FACES)
    assert task.piece(task.whole(9.0)) == pytest.approx(9.0)
    assert Task(FIXED, task.law, 12.5).whole(9.0) == pytest.approx(9.0)


@pytest.mark.parametrize("drive", ["gap", "thickness"])
def test_rolls_wider_than_the_coating_are_a_failure_that_names_both(drive: str) -> None:
    wide = FIXED.with_values({f"calendering.{drive}": 12.6})
    with pytest.raises(PhysicsError, match=r"12\.6 um is wider than the dried coating of 12\.5 um") as error:
        calendering_script(wide, 12.5)
    assert error.value.kind == "no_contact"


def test_the_time_step_grows_as_the_root_of_the_softening() -> None:
    steps = []
    for softening in (1.0, 4.0):
        recipe = FIXED.with_values({"numerics.calendering_softening": softening})
        steps.append(timestep(recipe, calendering_law(recipe)))
    assert steps[1] == pytest.approx(2 * steps[0])
    assert timestep(FIXED, drying_law(FIXED)) > timestep(FIXED, true_law(FIXED))


def test_the_peclet_number_is_surface_speed_times_thickness_over_diffusivity() -> None:
    speed = 1.0 / FIXED.materials.solvent.density
    assert peclet(MIGRATED, 21.5) == pytest.approx(speed * 200 / 100)
    simulated = film(MIGRATED, 21.5)
    assert simulated.speed * 21.5 / simulated.diffusivity == pytest.approx(peclet(MIGRATED, 21.5))


def test_an_imposed_porosity_asks_for_the_thickness_of_its_solids() -> None:
    thickness = wanted_thickness(100.0, IMPOSED)
    assert balance(IMPOSED).porosity(100.0 * thickness) == pytest.approx(0.5)


def test_the_slurry_s_time_step_is_the_recipe_s_unless_its_beads_vibrate_faster() -> None:
    steps = {
        depth: slurry_timestep(FIXED.with_values({"force_field.slurry_well_depth": depth})) for depth in (5.0, 2e3, 8e3)
    }
    assert steps[5.0] == FIXED.numerics.slurry_timestep
    assert steps[8e3] == pytest.approx(steps[2e3] / 2)
    assert steps[2e3] < FIXED.numerics.slurry_timestep


SIZE = np.full(2, 1.3)
"""Contact diameters of two beads [um]."""


def pair(gap: float, height: float = 10.0) -> Beads:
    """Return two CBD beads above one another, that far apart."""
    position = np.array([[5.0, 5.0, 4.0], [5.0, 5.0, 4.0 + gap]])
    return Beads(position, np.full(2, CBD, dtype=np.int32), np.zeros(2, dtype=np.int32), np.array([10.0, 10.0, height]))


def test_the_overlap_of_two_beads_is_their_diameter_less_their_distance() -> None:
    first, second, depth = overlaps(pair(1.2), np.full(2, 1.3))
    assert {int(first[0]), int(second[0])} == {0, 1}
    assert depth == pytest.approx([0.1])
    assert len(overlaps(pair(1.4), np.full(2, 1.3))[0]) == 0


def test_contacts_reach_through_the_sides_but_not_through_the_planes() -> None:
    beads = pair(1.2)
    across = Beads(np.array([[0.1, 5.0, 4.0], [9.0, 5.0, 4.0]]), beads.kind, beads.particle, beads.box)
    assert overlaps(across, np.full(2, 1.3))[2] == pytest.approx([0.2])
    above = Beads(np.array([[5.0, 5.0, 0.6], [5.0, 5.0, 9.5]]), beads.kind, beads.particle, beads.box)
    assert len(overlaps(above, np.full(2, 1.3))[0]) == 0


def test_beads_of_one_particle_do_not_touch_one_another() -> None:
    beads = pair(1.2)
    bound = Beads(beads.position, np.full(2, ACTIVE, dtype=np.int32), np.ones(2, dtype=np.int32), beads.box)
    assert len(overlaps(bound, np.full(2, 1.3))[0]) == 0


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_share_of_the_only_contact_s_overlap_becomes_permanent(share: float) -> None:
    left = flattened(SIZE, flattening(pair(1.2), SIZE) - flattening(pair(1.4), SIZE), share)
    assert left == pytest.approx([1.3 - share * 0.1] * 2)
    _, _, depth = overlaps(pair(1.2), left)
    assert depth == pytest.approx([(1 - share) * 0.1])


def test_a_wall_flattens_the_bead_that_it_meets_and_no_other() -> None:
    beads = Beads(pair(3).position - [0, 0, 3.4], *(getattr(pair(3), name) for name in ("kind", "particle", "box")))
    left = flattened(SIZE, flattening(beads, SIZE) - flattening(pair(3), SIZE), 1.0)
    assert left / 2 == pytest.approx([1.3 / 2 - 0.05, 1.3 / 2]), "the radius gives way, and the plane none"


def test_flattening_that_drying_left_is_no_work_of_the_calender() -> None:
    for before in (1.2, 1.1):
        more = flattening(pair(1.2), SIZE) - flattening(pair(before), SIZE)
        assert flattened(SIZE, more, 1.0) == pytest.approx(SIZE)


def test_a_slurry_is_cut_open_with_its_particles_whole_and_stands_on_the_collector() -> None:
    wet = pack(FIXED)
    settled = settle_on_collector(wet, FIXED)
    radius = settled.by_kind(FIXED.particles.primary_diameter, FIXED.drying.cbd_diameter) / 2
    assert (settled.position[:, 2] - radius).min() == pytest.approx(0)
    assert (settled.position[:, 2] + radius).max() == pytest.approx(settled.thickness)
    for number in (1, int(wet.particle.max())):
        own = wet.particle == number
        shift = settled.position[own] - wet.position[own]
        np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-9)
    assert settled.thickness < wet.box[2] + 2 * FIXED.largest_diameter


def test_curves_are_joined_in_order_and_averaged_over_the_last_looks(tmp_path: Path) -> None:
    steps = np.arange(1.0, 5.0)
    first = Curve(np.full(4, 1), steps, 10 * steps, 11 * steps)
    joined = first + Curve(np.full(4, 2), steps + 4, 10 * steps, 11 * steps)
    assert joined.end_of(1, 2) == (3.5, 35.0)
    assert joined.end_of(2, 4) == (6.5, 25.0)
    joined.save(tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text(encoding="utf-8").splitlines()[:2] == [
        "stroke,height_um,pressure_MPa,collector_pressure_MPa",
        "1,1,10,11",
    ]


def test_another_default_is_no_other_script() -> None:
    assert set(FIXED.flat()) == set(Recipe().flat())
