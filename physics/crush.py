"""A test rig for bonded particles: bars are pressed and pulled, flattened balls crushed, along <100>, <110> and <111>.

Specimens are cut from the lattice turned so that one of its directions stands upright. Two plates take all beads
within a pitch of the ends and move them along the axis, free to slide sideways, so that a plate bears evenly; balls
have lost a tenth of their radius at both ends, as a particle under a real plate is flattened. A bar gives the modulus,
read between two marks in its middle, and the tensile strength; a ball the crushing strength 2.8 F / (pi d^2).
Source: Y. Hiramatsu, Y. Oka, Int. J. Rock Mech. Min. Sci. 3 (1966) 89, for the tension in a ball between plates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from mesoforge.physics.beads import ACTIVE, Beads
from mesoforge.physics.bonding import LISTED, Spring, before, breakable, spring, stored
from mesoforge.physics.bonds import bonds_of
from mesoforge.physics.contact import DAMPING, KPA_PER_MPA
from mesoforge.physics.lammps.execute import execute, version
from mesoforge.physics.lammps.files import DATA, DUMP, UNITS, Reals, read_curve, write_data
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store, Stored

VERSION = 1
"""Raised by one whenever the physics of this module changes."""
Test = Literal["press", "pull", "ball"]
TESTS: tuple[Test, ...] = ("press", "pull", "ball")
UPRIGHT = {"100": (1, 0, 0), "110": (1, 1, 0), "111": (1, 1, 1)}
"""Directions of the lattice that a specimen can stand on."""
SLENDER = 1.5
"""Length of a bar over its width."""
CUT = 0.9
"""Height at which a ball is flattened, over its radius."""
MARKS = 0.3
"""Height of the marks between which a bar's strain is read, over its length, from the middle."""
PACE = 0.05
"""Speed of the plates over that of sound, in units of the bonds' greatest extension: no wave breaks any."""
FARTHEST = {"press": 16.0, "pull": 4.0, "ball": 16.0}
"""How far a specimen is deformed, its strain in units of that extension."""
BROKEN = 0.25
"""Share of broken bonds at which a test ends."""
LINEAR = 0.4
"""Strain up to which the modulus is fitted, over the bonds' greatest extension."""
FALL = 0.95
"""Stress over the greatest one before at which that was the strength."""
LOOK = 10
"""Steps between two readings."""
CURVE, BEADS = "crush.csv", "beads.npz"
ROOM = 4.0
"""Room beside a specimen [um]."""
MPA_PER_KPA = 1 / KPA_PER_MPA
GPA_PER_MPA = 1e-3


@dataclass(frozen=True, slots=True)
class Trial:
    """One test of one specimen: width of a bar or diameter of a ball [um]; the seed of the lattice's place in it."""

    test: Test
    direction: str
    width: float
    seed: int

    @property
    def length(self) -> float:
        """Distance of its ends [um]."""
        return self.width * (CUT if self.test == "ball" else SLENDER)


@dataclass(frozen=True, slots=True)
class Course:
    """What a test read: strain, stress [MPa] and share of bonds broken, each (n,); of a pulled bar tension is positive.

    The strain of a bar is that between its marks, of a ball the plates' way over its length.
    """

    strain: Reals
    stress: Reals
    broken: Reals


def turn(direction: str) -> Reals:
    """Return the rotation (3, 3) that sets a direction of the lattice upright."""
    axis = np.array(UPRIGHT[direction], dtype=np.float64)
    side = np.cross(axis, [0.0, 0.0, 1.0] if direction != "100" else [0.0, 1.0, 0.0])
    rows = np.array([side, np.cross(axis, side), axis])
    return np.asarray(rows / np.linalg.norm(rows, axis=1)[:, None])


def specimen(trial: Trial, pitch: float) -> Beads:
    """Cut a specimen from the lattice; its middle lies in the middle of the box."""
    reach = math.ceil(trial.width * SLENDER / pitch)
    grid = np.arange(-reach, reach + 1)
    lattice = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    shift = np.random.default_rng(trial.seed).random(3)
    place = pitch * ((lattice + shift) @ turn(trial.direction).T)
    inside = np.abs(place[:, 2]) < trial.length / 2
    if trial.test == "ball":
        inside &= np.linalg.norm(place, axis=1) < trial.width / 2
    else:
        inside &= (np.abs(place[:, :2]) < trial.width / 2).all(axis=1)
    box = np.array([trial.width + ROOM, trial.width + ROOM, trial.length])
    many = int(inside.sum())
    ones = np.ones(many, dtype=np.int32)
    return Beads(place[inside] + box / 2, ACTIVE * ones, ones, box)


def crush_script(trial: Trial, material: Spring, ends: tuple[float, float], bonds: int) -> str:
    """Write the LAMMPS input of a test; ``ends`` are the heights of lowest and highest bead [um]."""
    low, top = ends[0] + material.pitch, ends[1] - material.pitch
    step = 0.6 * material.travel
    speed = PACE * material.extension * material.pitch / material.travel * (-1 if trial.test == "pull" else 1)
    steps = math.ceil(FARTHEST[trial.test] * material.extension * trial.length / abs(speed) / step)
    middle, mark = trial.length / 2, MARKS * trial.length
    return f"""{UNITS}boundary        p p f
{before(material)}read_data       {DATA}
{stored(material)}pair_style      granular
pair_coeff      * * hertz/material {material.modulus:.10g} {DAMPING * math.sqrt(material.modulus):.6g} 0.25 &
                tangential mindlin NULL 1.0 0.1 damping viscoelastic
timestep        {step:.10g}
fix             move all nve
{breakable(material)}region          low_end block INF INF INF INF INF {low:.10g}
region          top_end block INF INF INF INF {top:.10g} INF
group           low region low_end
group           top region top_end
region          low_mark block INF INF INF INF {middle - mark - material.pitch:.10g} {middle - mark:.10g}
region          top_mark block INF INF INF INF {middle + mark:.10g} {middle + mark + material.pitch:.10g}
group           below region low_mark
group           above region top_mark
velocity        all ramp vz {speed / 2:.10g} {-speed / 2:.10g} z {low:.10g} {top:.10g}
velocity        low set NULL NULL {speed / 2:.10g}
velocity        top set NULL NULL {-speed / 2:.10g}
fix             low low setforce NULL NULL 0
fix             top top setforce NULL NULL 0
variable        left equal bonds
variable        apart equal xcm(above,z)-xcm(below,z)
variable        way equal {speed:.10g}*step*dt
variable        force equal (f_top[3]-f_low[3])/2
thermo_style    custom step v_force v_apart v_left
thermo          {LOOK}
run             0 post no
print           "way,apart,force,left" file {CURVE}
fix             told all print {LOOK} "$(v_way:%.10g),$(v_apart:%.12g),$(v_force:%.10g),$(v_left)" &
                append {CURVE} screen no
fix             enough all halt {LOOK} v_left < {(1 - BROKEN) * bonds:.10g} error continue
run             {steps} post no
{LISTED}write_dump      all custom {DUMP} id xu yu zu modify sort id format float %.12g
print           "done" file done
"""


def course(trial: Trial, beads: Beads, bonds: int, pitch: float, folder: Path) -> Course:
    """Read a test: of a bar force over the area that its volume has over its length, of a ball 2.8 F / (pi d^2)."""
    way, apart, force, left = read_curve(folder / CURVE).T
    sign = -1.0 if trial.test == "pull" else 1.0
    area = math.pi * trial.width**2 / 2.8 if trial.test == "ball" else len(beads) * pitch**3 / trial.length
    strain = sign * (way / trial.length if trial.test == "ball" else 1 - apart / apart[0])
    return Course(strain, sign * force / area * MPA_PER_KPA, 1 - left / bonds)


def run_trial(trial: Trial, material: Spring, folder: Path) -> dict[str, float]:
    """Test one specimen in LAMMPS.

    Returns:
        ``modulus`` [GPa] of a bar; ``onset``, the stress at the first broken bond, and ``strength``, at the first
        peak [MPa]; ``strain`` there.

    Raises:
        PhysicsError: the simulation failed.
    """
    beads = specimen(trial, material.pitch)
    bonds = bonds_of(beads, material.pitch)
    size, mass = np.full(len(beads), material.pitch), np.full(len(beads), material.mass)
    write_data(beads, size, mass, folder / DATA, walls=True, bonds=bonds)
    height = beads.position[:, 2]
    execute(crush_script(trial, material, (height.min(), height.max()), len(bonds)), folder, 600.0)
    beads.save(folder / BEADS)
    return told(course(trial, beads, len(bonds), material.pitch, folder), material)


def told(read: Course, material: Spring) -> dict[str, float]:
    """Return what a course says, as ``run_trial`` does."""
    early = (read.strain < LINEAR * material.extension) & (read.broken == 0)
    peak = first_peak(read.stress)
    first = int(np.argmax(read.broken > 0)) if (read.broken > 0).any() else peak
    slope = float(np.polyfit(read.strain[early], read.stress[early], 1)[0]) if early.sum() > 2 else math.nan
    return {
        "modulus": slope * GPA_PER_MPA,
        "onset": float(read.stress[: first + 1].max()),
        "strength": float(read.stress[peak]),
        "strain": float(read.strain[peak]),
    }


def first_peak(stress: Reals) -> int:
    """Return where the stress is greatest before it first falls by a twentieth; what hardens later is debris."""
    most = np.maximum.accumulate(stress)
    fallen = np.flatnonzero(stress < FALL * most)
    return int(stress[: fallen[0] if len(fallen) else len(stress)].argmax())


def obtain_trial(trial: Trial, recipe: Recipe, store: Store) -> Stored:
    """Find or make one test with the recipe's active material and bonds."""
    material = spring(recipe, 1.0)
    named = {
        "stage": "crush",
        "version": VERSION,
        "lammps": version(),
        "test": trial.test,
        "direction": trial.direction,
        "width": trial.width,
        "seed": trial.seed,
        "material": [material.modulus, material.pitch, material.mass, material.extension],
    }
    return store.obtain("crush", named, partial(run_trial, trial, material))


def crush(
    recipe: Recipe, width: float, repeats: int, store: Store, on_trial: Callable[[str], None] = lambda _: None
) -> dict[Trial, Stored]:
    """Make all tests along all directions, each so often with the lattice elsewhere in the specimen."""
    trials = [Trial(test, direction, width, seed) for test in TESTS for direction in UPRIGHT for seed in range(repeats)]
    found = {}
    for trial in trials:
        on_trial(f"{trial.test} <{trial.direction}>")
        found[trial] = obtain_trial(trial, recipe, store)
    return found
