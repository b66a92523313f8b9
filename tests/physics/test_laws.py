"""Laws that hold whatever the material: momentum, turning and shifting."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from making import moved, pressed_steps, small, wet_steps

from mesoforge.physics import measurement
from mesoforge.physics.balance import masses
from mesoforge.physics.beads import CBD, Beads
from mesoforge.physics.contact import contact_script, diameters, drying_law
from mesoforge.physics.lammps.execute import SCRIPT, execute
from mesoforge.physics.lammps.files import DATA, write_data
from mesoforge.physics.manufacture import BEADS, Electrode
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.voxels import grid, voxelise

Make = Callable[[Recipe], Electrode]
BASE = small(calendering__pressure=100)
MOTION = (
    "write_dump all custom motion.dump id mass xu yu zu vx vy vz omegax omegay omegaz modify sort id format float %.15g"
)


def motion(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return mass (n,) [pg], place, velocity and spin (n, 3) [um, um/us, 1/us] of what was dumped."""
    rows = np.loadtxt(folder / "motion.dump", skiprows=9)
    return rows[:, 1], rows[:, 2:5], rows[:, 5:8], rows[:, 8:11]


STAGES = {"slurry": ("", 1e-6), "drying": ("", 0.005), "calendering": ("strokes", 0.005)}
"""Where a stage relaxes, and the greatest speed [um/us] of its beads' centre then; planes go at 1.5."""


@pytest.mark.parametrize("stage", STAGES)
def test_what_has_relaxed_has_no_net_momentum(make: Make, tmp_path: Path, stage: str) -> None:
    part, slow = STAGES[stage]
    folder = make(BASE).stages[stage] / part
    shutil.copy(folder / DATA, tmp_path)
    script = (folder / SCRIPT).read_text(encoding="utf-8")
    execute(f"{MOTION}\nwrite_dump".join(script.rsplit("write_dump", 1)), tmp_path, 60)
    mass, _, velocity, _ = motion(tmp_path)
    net = mass @ velocity / mass.sum()
    assert (velocity != 0).any()
    assert np.linalg.norm(net) < slow


def cluster() -> Beads:
    """Return CBD beads that overlap a little, about a lattice in the middle of a wide box."""
    lattice = 1.2 * np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    place = 14 + lattice + np.random.default_rng(3).uniform(-0.1, 0.1, lattice.shape)
    count = len(place)
    return Beads(place, np.full(count, CBD, dtype=np.int32), np.zeros(count, dtype=np.int32), np.full(3, 30.0))


def test_contacts_with_adhesion_friction_and_loss_neither_push_nor_turn_the_whole(tmp_path: Path) -> None:
    beads, law = cluster(), drying_law(BASE)
    write_data(beads, diameters(beads, BASE), masses(beads, BASE), tmp_path / DATA, walls=True)
    head = contact_script(BASE, law, 1.0).splitlines()
    alone = [line for line in head if line.split()[:2] not in (["fix", "bodies"], ["fix", "drag"])]
    execute("\n".join([*alone, "run 300", MOTION, 'print "done" file done\n']), tmp_path, 60)
    mass, place, velocity, spin = motion(tmp_path)
    inertia = 0.4 * mass * (BASE.drying.cbd_diameter / 2) ** 2
    momentum = mass[:, None] * velocity
    turning = np.cross(place - place.mean(axis=0), momentum) + inertia[:, None] * spin
    assert np.abs(spin).max() > 1e-3
    assert np.abs(momentum.sum(axis=0)).max() < 1e-9 * np.abs(momentum).sum()
    assert np.abs(turning.sum(axis=0)).max() < 1e-9 * np.abs(turning).sum()


def turned(beads: Beads) -> Beads:
    """Turn beads by a right angle about z: x becomes y."""
    x, y, z = beads.position.T
    return replace(beads, position=np.column_stack([beads.box[1] - y, x, z]), box=beads.box[[1, 0, 2]])


def shifted(beads: Beads) -> Beads:
    """Shift beads along the collector, by whole voxels of an image."""
    edge, shape = grid(beads.box, BASE.numerics.voxel)
    by = edge * np.random.default_rng(5).integers(1, shape[0], 2)
    return replace(beads, position=beads.position + np.array([*by, 0.0]))


def measured(beads: Beads) -> dict[str, float]:
    """Measure an electrode."""
    voxels = voxelise(beads, BASE)
    found = [part(beads, BASE) for part in (measurement.coating, measurement.dried, measurement.loads)]
    found += [measurement.particles(beads, BASE), measurement.structure(voxels, BASE)]
    return {name: value for part in found for name, value in part.items()}


ROUGHLY = {
    "dead_ends_z": 2e-3,
    "krumbein_sphericity_voxels": 1e-3,
    "elongation_mean": 5e-3,
    "orientation_order": 2e-3,
}
"""Absolute error of what parts voxels at a threshold of the current, or hangs on which of two
voxels as good as one another a particle gets."""


def compare(found: dict[str, float], due: dict[str, float], rel: float = 1e-4) -> None:
    """Compare all that is due."""
    for name, value in due.items():
        assert found[name] == pytest.approx(value, rel=rel, abs=ROUGHLY.get(name, 1e-12)), name


def test_an_electrode_that_is_turned_has_the_same_measures(make: Make) -> None:
    beads = Beads.load(make(BASE).stages["calendering"] / BEADS)
    assert not np.allclose(turned(beads).position, beads.position)
    swapped = {"_x": "_y", "_y": "_x"}
    found = {name[:-2] + swapped.get(name[-2:], name[-2:]): value for name, value in measured(turned(beads)).items()}
    due = measured(beads)
    compare(found, {name: value for name, value in due.items() if not name.startswith("network_")})
    # SNOW breaks ties by the order of voxels.
    compare(found, {name: value for name, value in due.items() if name.startswith("network_")}, rel=0.1)


def test_an_electrode_that_is_shifted_has_the_same_measures_but_for_currents_between_its_sides(make: Make) -> None:
    beads = Beads.load(make(BASE).stages["calendering"] / BEADS)
    before, after = measured(beads), measured(shifted(beads))
    fixed = {f"tortuosity_factor_{axis}" for axis in "xy"} | {"anisotropy"}
    compare(after, {name: value for name, value in before.items() if name not in fixed})


@pytest.mark.parametrize("change", [turned, shifted])
def test_a_packing_that_is_turned_or_shifted_densifies_in_the_same_way(
    make: Make, tmp_path: Path, change: Callable[[Beads], Beads]
) -> None:
    beads = Beads.load(make(BASE).stages["packing"] / BEADS)
    first = replace(beads, position=moved(wet_steps(BASE), beads, BASE, tmp_path / "first", wet=True))
    then = moved(wet_steps(BASE), change(beads), BASE, tmp_path / "then", wet=True)
    assert np.abs(first.position - beads.position).max() > 1e-3
    apart = then - change(first).position
    np.testing.assert_allclose(apart, np.broadcast_to(apart[0], apart.shape), atol=1e-6)


@pytest.mark.parametrize("change", [turned, shifted])
def test_an_electrode_that_is_turned_or_shifted_is_pressed_in_the_same_way(
    make: Make, tmp_path: Path, change: Callable[[Beads], Beads]
) -> None:
    beads = Beads.load(make(BASE).stages["drying"] / BEADS)
    script = pressed_steps(BASE, beads.thickness)
    first = replace(beads, position=moved(script, beads, BASE, tmp_path / "first"))
    then = moved(script, change(beads), BASE, tmp_path / "then")
    assert np.abs(first.position - beads.position).max() > 1e-3
    np.testing.assert_allclose(then, change(first).position, atol=1e-6)
