"""Bonded particles in LAMMPS: the lines of a script that bind beads, and the bonds that are left when it ends.

A bond is a spring that breaks at a greatest extension and bears any compression. LAMMPS's springs break either way, but
one of them knows a permanent strain apart from the strain at which it breaks: bonds are stored while the whole box is
shrunk to SHRUNK, then take the strain of the true lattice as permanent. They are free of force there, stretched by the
little that is left until they break, and would have to be shortened by two fifths to break under compression.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesoforge.physics.balance import balance
from mesoforge.physics.bonds import MODULUS_SHARE, STIFFNESS, TENSILE_SHARE, Bonds, Ints
from mesoforge.physics.contact import KPA_PER_GPA, KPA_PER_MPA, Holding, Law, timestep
from mesoforge.physics.lammps.files import UNITS, read_rows
from mesoforge.physics.loosening import FULL, GROWN, growing
from mesoforge.physics.recipe import Recipe

SHRUNK = 0.8
"""Size of the box in which bonds are stored, over the true one."""
FOREVER = 1e9
"""A plastic strain that is never reached."""
UNBREAKABLE = 0.4
"""Extension at which bonds would break while the beads settle."""
LOSS = 0.08
"""Damping of a bond over the root of stiffness times mass: about a twentieth of critical."""
COURANT = 1.5
"""Time step over ``rayleigh_fraction`` of the time that sound takes from bead to bead."""
SIGHT = 2.7
"""How far ranks see, in pitches: LAMMPS's estimate of the longest bond."""
SETTLING = 200
"""Steps for which beads settle before bonds may break."""
BOUND = "fix             bound bound nve\n"
"""Bonded beads move without spinning: central springs bear no moment, so a bead would roll where it should slide."""
LEFT, EVENTS = "bonds.dump", "broken.dump"
EVENT_STEPS = 100
"""Steps between two notes of what broke."""


@dataclass(frozen=True, slots=True)
class Spring:
    """The bonds as simulated: lattice's modulus [kPa], pitch [um], mass of a bead [pg], extension at breaking."""

    modulus: float
    pitch: float
    mass: float
    extension: float

    @property
    def travel(self) -> float:
        """Time that sound takes from bead to bead, a (rho / C11)^(1/2) with C11 = 6/5 E [us]; the stable limit."""
        return math.sqrt(self.mass / (1.2 * self.modulus * self.pitch))

    def coefficients(self, extension: float, plastic: float) -> str:
        """Write the coefficients of all families: stiffness, strain at breaking, damping, plastic strain."""
        stiff = {family: share * self.modulus * self.pitch for family, share in STIFFNESS.items()}
        loss, strain = LOSS * math.sqrt(stiff[1] * self.mass), (1 + extension) / SHRUNK - 1
        return "".join(
            f"bond_coeff      {family} {value:.10g} {strain:.12g} {loss:.6g} {plastic:g}\n"
            for family, value in stiff.items()
        )


def spring(recipe: Recipe, scale: float) -> Spring:
    """Return the bonds of a recipe's active material where pressures are divided by ``scale``; strains stay."""
    amounts, pitch = balance(recipe), recipe.particles.primary_diameter
    lattice = (recipe.materials.active.young_modulus or math.nan) * KPA_PER_GPA / MODULUS_SHARE
    strength = recipe.force_field.particle_strength * KPA_PER_MPA
    mass = amounts.active_bead_volume * amounts.active_density
    return Spring(lattice / scale, pitch, mass, strength / (TENSILE_SHARE * lattice))


def before(material: Spring) -> str:
    """Write what goes before the beads are read; ranks must see as far as the longest bond may be."""
    return f"""newton          on off
special_bonds   lj 0 1 1 coul 1 1 1
comm_modify     cutoff {SIGHT * material.pitch:.10g}
"""


def stored(material: Spring) -> str:
    """Write how bonds come to be free of force and breakable in tension only; goes after the beads are read."""
    back = f"{1 / SHRUNK:.17g}"
    noted = f"store/local broken {EVENT_STEPS} time id1 id2 x y z"
    return f"""bond_style      bpm/spring/plastic break yes smooth no {noted}
pair_style      zero {2 * material.pitch:.10g}
pair_coeff      * *
{material.coefficients(UNBREAKABLE, 0)}change_box      all x scale {SHRUNK} y scale {SHRUNK} z scale {SHRUNK} remap
run             0 post no
change_box      all x scale {back} y scale {back} z scale {back} remap
run             0 post no
{material.coefficients(UNBREAKABLE, FOREVER)}"""


def bonded_step(recipe: Recipe, law: Law) -> float:
    """Return the time step of contacts and bonds [us]."""
    travel = spring(recipe, law.scale).travel
    return min(timestep(recipe, law), COURANT * recipe.numerics.rayleigh_fraction * travel)


def holding(recipe: Recipe, law: Law, stiff: Ints) -> Holding:
    """Return the lines that hold bonded particles together.

    Args:
        recipe: what is calendered.
        law: its contacts as simulated.
        stiff: numbers of the particles that stay rigid.
    """
    material = spring(recipe, law.scale)
    return Holding(
        units=UNITS.replace("sphere", "sphere 1"),
        reach=f" {1.1 * FULL * material.pitch:.10g}",
        before=before(material),
        after=_groups(stiff) + stored(material),
        unfelt="molecule/intra stiff" if len(stiff) else "",
        motion=("fix             bodies stiff rigid molecule\n" if len(stiff) else "") + BOUND,
        start=_start(material),
        eased=f"variable        growth equal 0\n{GROWN}",
        end=LISTED,
    )


def _start(material: Spring) -> str:
    """Write how beads settle before bonds may break and loose beads grow."""
    return f"run             {SETTLING} post no\n{breakable(material)}{growing(material)}run             0 post no\n"


def _groups(stiff: Ints) -> str:
    """Write which beads are bound, and which belong to rigid particles."""
    if not len(stiff):
        return "group           bound union active\n"
    return f"group           stiff molecule {' '.join(map(str, stiff))}\ngroup           bound subtract active stiff\n"


def breakable(material: Spring) -> str:
    """Write that bonds break from now on, and that breaks are noted."""
    dump = f"dump            events all local {EVENT_STEPS} {EVENTS} f_broken[*]\n"
    return material.coefficients(material.extension, FOREVER) + dump


LISTED = f"""compute         left all property/local btype batom1 batom2
run             0 post no
write_dump      all local {LEFT} index c_left[1] c_left[2] c_left[3]
"""
"""Goes to the end of a script: writes the bonds that are left."""


def left(bonds: Bonds, folder: Path) -> Bonds:
    """Return which of the bonds a simulation left."""
    rows = read_rows(folder / LEFT, 4)
    return bonds.only(bonds.among(rows[:, 2:4].astype(np.int64) - 1))


@dataclass(frozen=True, slots=True)
class Break:
    """When bonds broke: step (e,) and both beads by their place in the list (e, 2)."""

    step: np.ndarray
    pair: np.ndarray


def breaks(folder: Path) -> Break:
    """Read when bonds broke; one that two ranks share is noted once."""
    rows = read_rows(folder / EVENTS, 6)
    pair = np.sort(rows[:, 1:3].astype(np.int64) - 1, axis=1)
    _, first = np.unique(pair, axis=0, return_index=True)
    return Break(rows[first, 0].astype(np.int64), pair[first])
