"""Contacts of the dried electrode: Hertz between beads of active material, JKR where CBD takes part, Mindlin friction.

Beads of a rigid secondary particle do not act on one another; those of a bonded one do where they are not bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import Beads
from mesoforge.physics.lammps.files import DATA, UNITS
from mesoforge.physics.recipe import Recipe

KPA_PER_GPA = 1e6
KPA_PER_MPA = 1e3
ROOM_TEMPERATURE = 25.0
"""At which the moduli of materials and force field are given [degrees C]."""
DAMPING = 0.06
"""Viscoelastic damping over the root of the modulus [1/(um us kPa^0.5)]: about a twentieth of critical. It is
integrated explicitly: at 0.22 the rotation of a CBD bead with ten contacts was at the limit of stability, and
porosities moved with the time step."""


@dataclass(frozen=True, slots=True)
class Law:
    """Contacts as simulated: moduli [kPa], Poisson's ratio, friction, surface energy [mJ/m2].

    ``scale`` is what a simulated pressure is multiplied by to give the real one; ``loss`` is the viscoelastic damping
    over the root of the modulus.
    """

    active: float
    cbd: float
    poisson: float
    friction: float
    adhesion: float
    scale: float = 1.0
    loss: float = DAMPING

    @property
    def damping(self) -> float:
        """Viscoelastic damping of a contact [1/(um us)]; like critical damping it grows with the modulus's root."""
        return self.loss * math.sqrt(self.active)


def true_law(recipe: Recipe) -> Law:
    """Return the contacts with the materials' own moduli."""
    field, active = recipe.force_field, recipe.materials.active
    modulus = active.young_modulus or math.nan  # a recipe without it cannot be constructed
    return Law(
        modulus * KPA_PER_GPA, field.cbd_modulus * KPA_PER_GPA, active.poisson_ratio, field.friction, field.adhesion
    )


def calendering_law(recipe: Recipe) -> Law:
    """Return the contacts under the calender: the CBD as soft as its temperature makes it, all softened for long steps.

    The CBD's modulus falls as exp(-c (T - 25)), c the force field's thermal softening.

    The state of slow, elastic, adhesive contacts depends on stress over modulus alone (Hertz, JKR, Mindlin): dividing
    moduli, surface energy and pressures by one factor leaves every position as it was.
    """
    law, factor = true_law(recipe), recipe.numerics.calendering_softening
    warm = math.exp(-recipe.force_field.cbd_thermal_softening * (recipe.calendering.temperature - ROOM_TEMPERATURE))
    return replace(
        law, active=law.active / factor, cbd=law.cbd * warm / factor, adhesion=law.adhesion / factor, scale=factor
    )


def drying_law(recipe: Recipe) -> Law:
    """Return the contacts of the drying electrode.

    The active material is softened, but still hard against the small pressures. CBD is a gel that gives way between
    particles, so that these bear on one another.
    """
    field, modulus = recipe.force_field, recipe.numerics.drying_modulus * KPA_PER_GPA
    return replace(
        true_law(recipe),
        active=modulus,
        cbd=field.cbd_wet_modulus * KPA_PER_MPA,
        friction=field.wet_friction,
        adhesion=field.wet_adhesion,
    )


def diameters(beads: Beads, recipe: Recipe) -> NDArray[np.float64]:
    """Return the contact diameter of each bead before any load, (n,) [um]."""
    return beads.by_kind(recipe.particles.primary_diameter, recipe.drying.cbd_diameter)


def timestep(recipe: Recipe, law: Law) -> float:
    """Return the time step [us]: a fraction of the Rayleigh time of the stiffest bead."""
    amounts = balance(recipe)
    beads = (
        (recipe.particles.primary_diameter, amounts.active_bead_volume * amounts.active_density, law.active),
        (recipe.drying.cbd_diameter, amounts.cbd_bead_mass, law.cbd),
    )
    return recipe.numerics.rayleigh_fraction * min(_rayleigh_time(*bead, law.poisson) for bead in beads)


def _rayleigh_time(diameter: float, mass: float, modulus: float, poisson: float) -> float:
    shear = modulus / (2 * (1 + poisson))
    density = mass / (math.pi / 6 * diameter**3)
    return math.pi * diameter / 2 * math.sqrt(density / shear) / (0.1631 * poisson + 0.8766)


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds a secondary particle together, as lines of a script: by default all of them are rigid bodies."""

    units: str = UNITS
    """Units, and what a bead has."""
    before: str = ""
    """Before the beads are read."""
    after: str = ""
    """After that, before the contacts."""
    unfelt: str = "molecule/intra active"
    """Pairs of beads without contact."""
    motion: str = "fix             bodies active rigid molecule\n"
    """How beads of active material move."""
    start: str = ""
    """Before the plane's first stroke."""
    reach: str = ""
    """How far contacts may come to reach [um]; by default as far as the beads that are read."""
    eased: str = ""
    """Between load and release."""
    end: str = ""
    """After its last stroke."""


RIGID = Holding()


def contact_script(recipe: Recipe, law: Law, drag: float, step: float | None = None, holding: Holding = RIGID) -> str:
    """Write the head of a contact stage's input: beads, contacts, particles, drag [nN us/um], time step [us].

    Without a time step it is ``timestep``.
    """
    mixed = 2 / (1 / law.active + 1 / law.cbd)
    tail = _tangential(law)
    return f"""{holding.units}boundary        p p f
{_columns(recipe.numerics.ranks)}{holding.before}read_data       {DATA}
group           active type 1
group           cbd type 2
{holding.after}pair_style      granular{holding.reach}
pair_coeff      1 1 hertz/material {law.active:.10g} {law.damping:.6g} {law.poisson:.10g} {tail}
pair_coeff      1 2 jkr {mixed:.10g} {law.damping:.6g} {law.poisson:.10g} {law.adhesion:.10g} {tail}
pair_coeff      2 2 jkr {law.cbd:.10g} {law.damping:.6g} {law.poisson:.10g} {law.adhesion:.10g} {tail}
neighbor        0.3 bin
neigh_modify    delay 0 every 5 check yes{_excluded(holding)}
timestep        {step or timestep(recipe, law):.10g}
{holding.motion}fix             move cbd nve/sphere
{drag_script(drag)}compute         heat all temp/sphere
thermo_modify   temp heat
"""


def drag_script(drag: float) -> str:
    """Write the drag on each bead [nN us/um], in place of the one before."""
    return f"fix             drag all viscous {drag:.10g}\n"


def _excluded(holding: Holding) -> str:
    return f" exclude {holding.unfelt}" if holding.unfelt else ""


def _columns(ranks: int) -> str:
    """Let each of several ranks have a column from collector to plane, so that the falling plane empties none."""
    return "" if ranks == 1 else "processors      * * 1\n"


def wall_law(law: Law, group: str) -> str:
    """Write the contact of a wall with the beads of one group: as stiff as the bead that it meets."""
    modulus = law.active if group == "active" else law.cbd
    return f"granular hertz/material {modulus:.10g} {law.damping:.6g} {law.poisson:.10g} {_tangential(law)}"


def _tangential(law: Law) -> str:
    return f"tangential mindlin NULL 1.0 {law.friction:.10g} damping viscoelastic"
