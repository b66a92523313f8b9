"""Bonded particles under the calender, in LAMMPS: when they break, when they do not, and what holds in either case."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import STEPS, small

from mesoforge.physics.balance import masses
from mesoforge.physics.beads import ACTIVE, Beads
from mesoforge.physics.bonding import EVENTS, LEFT, LISTED, breaks, left, spring
from mesoforge.physics.bonds import bonds_of
from mesoforge.physics.calendering import STROKES, as_set, calendering_script
from mesoforge.physics.contact import calendering_law
from mesoforge.physics.cracking import Skeleton
from mesoforge.physics.fragments import CRACKING
from mesoforge.physics.lammps.execute import execute
from mesoforge.physics.lammps.files import DUMP, read_positions, read_rows
from mesoforge.physics.loosening import GROWN
from mesoforge.physics.manufacture import BEADS, Electrode, notes
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.plane import FINISH
from mesoforge.physics.recipe import Recipe

Make = Callable[[Recipe], Electrode]
BASE = small(calendering__pressure=40)
FOREVER = BASE.with_values({"particles.bonded": True, "force_field.particle_strength": 1e6})
WEAK = FOREVER.with_values({"force_field.particle_strength": 200.0})
SHARED = WEAK.with_values({"numerics.ranks": 2})


def test_without_a_load_nothing_breaks(make: Make) -> None:
    idle = make(WEAK.with_values({"calendering.pressure": 0.05})).properties
    assert idle["broken_bonds"] == idle["broken_bonds_under_load"] == idle["cracked_particles"] == 0
    assert idle["crack_surface"] == 0
    assert idle["fragments"] == 1


def test_particles_of_endless_strength_deform_and_do_not_break(make: Make) -> None:
    electrode = make(FOREVER)
    assert electrode.properties["broken_bonds"] == electrode.properties["cracked_particles"] == 0
    dried = Beads.load(electrode.stages["drying"] / BEADS)
    pressed = Beads.load(electrode.stages["calendering"] / "loaded.npz")
    bonds = bonds_of(dried, BASE.particles.primary_diameter)
    lengths = [
        np.linalg.norm(beads.position[bonds.pair[:, 0]] - beads.position[bonds.pair[:, 1]], axis=1)
        for beads in (dried, pressed)
    ]
    change = lengths[1] / lengths[0] - 1
    assert 1e-5 < np.abs(change).mean() < 0.02


def test_weaker_particles_crack_sooner_and_more(make: Make) -> None:
    strong, weak = make(WEAK.with_values({"force_field.particle_strength": 600.0})).properties, make(WEAK).properties
    assert weak["broken_bonds"] > strong["broken_bonds"]
    assert weak["broken_bonds"] > 0.002
    assert weak["crack_surface"] > 0
    assert (weak["cracked_particles"] > 0) == (weak["fragments"] > 1), "cracks need not run through"
    if "cracking_onset_pressure" in strong:
        assert weak["cracking_onset_pressure"] < strong["cracking_onset_pressure"]
    assert weak["broken_bonds_under_load"] <= weak["broken_bonds"] + 1e-12 <= 1
    assert 0 < weak["crack_height"] < 1
    assert set(weak) >= set(CRACKING) - {"krumbein_sphericity_change", "particle_flattening"}
    assert set(CRACKING) <= set(PROPERTIES)


def test_an_electrode_of_rigid_particles_says_nothing_of_cracks(make: Make) -> None:
    assert not set(make(BASE).properties) & set(CRACKING)
    assert "Cracks" not in " ".join(notes(BASE))
    assert "particle_strength (200 MPa) is given in the recipe" in " ".join(notes(WEAK))


def test_what_was_seen_to_break_is_no_longer_there(make: Make) -> None:
    electrode = make(WEAK)
    folder = electrode.stages["calendering"] / STROKES
    bonds = bonds_of(Beads.load(electrode.stages["drying"] / BEADS), BASE.particles.primary_diameter)
    kept, seen = left(bonds, folder), breaks(folder)
    assert len(seen.step) > 0
    assert len(read_rows(folder / LEFT, 4)) >= len(kept)
    gone = bonds.only(~bonds.among(kept.pair))
    assert len(seen.step) == pytest.approx(len(gone), abs=max(3, 0.02 * len(gone))), f"all but the last of {EVENTS}"
    assert gone.among(seen.pair).sum() == len(seen.step)
    course = np.loadtxt(electrode.stages["calendering"] / "cracks_by_pressure.csv", delimiter=",", skiprows=1)
    assert (np.diff(course, axis=0) >= 0).all()


def stroked(recipe: Recipe, dried: Beads, folder: Path, lines: str) -> tuple[Skeleton, Path]:
    """Run lines after the head of a loading script."""
    skeleton = Skeleton.of(dried, recipe)
    folder.mkdir()
    skeleton.write(skeleton.sizes(as_set(dried, recipe)), masses(dried, recipe), folder)
    script = calendering_script(recipe, dried.thickness, skeleton.holding(recipe, calendering_law(recipe)))
    execute(f"{script.split('# load')[0]}{lines}{FINISH}", folder, 60, recipe.numerics.ranks)
    return skeleton, folder


def test_a_few_steps_of_bonded_particles_end_in_the_same_positions_on_two_ranks(make: Make, tmp_path: Path) -> None:
    dried = Beads.load(make(BASE).stages["drying"] / BEADS)
    lines = f"variable speed equal -5\nrun {STEPS}\n"
    folders = [stroked(recipe, dried, tmp_path / name, lines)[1] for recipe, name in ((WEAK, "1"), (SHARED, "2"))]
    one, two = (read_positions(folder / DUMP, len(dried)) for folder in folders)
    assert np.abs(one - dried.position).max() > 1e-3
    np.testing.assert_allclose(two, one, atol=1e-6)


def lump() -> Beads:
    """Return one bonded particle in the middle of a wide box."""
    grid = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    ones = np.ones(len(grid), dtype=np.int32)
    return Beads(np.asarray(1.284 * grid + 15.0, dtype=np.float64), ACTIVE * ones, ones, np.full(3, 35.0))


@pytest.mark.parametrize(("strength", "due"), [(1e6, math.pi / 6), (0.5, 1.0)])
def test_a_particle_that_falls_to_pieces_keeps_its_volume(tmp_path: Path, strength: float, due: float) -> None:
    recipe, beads = WEAK.with_values({"force_field.particle_strength": strength}), lump()
    blown = "unfix drag\nvariable out atom 2*(x-xcm(bound,x))\nvelocity bound set v_out NULL NULL\nrun 3000\n"
    skeleton, folder = stroked(recipe, beads, tmp_path / "lump", f"{blown}{LISTED}{GROWN}")
    size = skeleton.grown(folder)
    assert (len(left(skeleton.bonds, folder)) == 0) == (strength < 1)
    assert math.pi / 6 * (size**3).sum() == pytest.approx(due * len(beads) * 1.284**3, rel=2e-3)


@pytest.mark.parametrize("strength", [1e6, 3.0])
def test_bonds_that_hold_or_break_neither_push_nor_turn_the_whole(tmp_path: Path, strength: float) -> None:
    recipe, beads = WEAK.with_values({"force_field.particle_strength": strength}), lump()
    motion = "write_dump all custom motion.dump id mass xu yu zu vx vy vz modify sort id format float %.15g\n"
    lines = f"unfix drag\nvelocity bound create 1e9 3 mom yes rot yes dist uniform\n{motion}run 300\n"
    again = motion.replace("motion", "then")
    skeleton, folder = stroked(recipe, beads, tmp_path / "lump", f"{lines}{again}{LISTED}")
    then = np.loadtxt(folder / "then.dump", skiprows=9)
    mass, place, velocity = then[:, 1:2], then[:, 2:5], then[:, 5:8]
    momentum = mass * velocity
    turning = np.cross(place - place.mean(axis=0), momentum)
    assert (len(left(skeleton.bonds, folder)) < len(skeleton.bonds)) == (strength < 10)
    assert np.abs(velocity).max() > 1e-3
    assert np.abs(momentum.sum(axis=0)).max() < 1e-9 * np.abs(momentum).sum()
    if strength > 10:  # broken, beads meet in contacts whose friction acts at their centres
        assert np.abs(turning.sum(axis=0)).max() < 1e-6 * np.abs(turning).sum()


def test_bonds_break_in_tension_only_and_at_the_recipe_s_extension(tmp_path: Path) -> None:
    recipe, beads = WEAK, lump()
    extension = spring(recipe, 7.0).extension
    for name, factor, due in (("held", 1 + 0.9 * extension, 0), ("torn", 1 + 1.1 * extension, 1), ("short", 0.9, 0)):
        scaled = f"change_box all x scale {factor} y scale {factor} z scale {factor} remap\n"
        still = f"{scaled}unfix bound\nrun 1\nrun 0\n{LISTED}"
        skeleton, folder = stroked(recipe, beads, tmp_path / name, still)
        assert (len(left(skeleton.bonds, folder)) == 0) == bool(due), name
        assert len(left(skeleton.bonds, folder)) in (0, len(skeleton.bonds)), name


def test_the_strain_at_breaking_knows_no_softening() -> None:
    assert spring(WEAK, 7.0).extension == spring(WEAK, 1.0).extension
    twice = replace(spring(WEAK, 1.0), extension=2 * spring(WEAK, 1.0).extension)
    strength = 2 * WEAK.force_field.particle_strength
    assert spring(WEAK.with_values({"force_field.particle_strength": strength}), 1.0) == twice
