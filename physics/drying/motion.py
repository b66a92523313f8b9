"""How beads move while they dry: their inertia, the longest stable time step, and the plane's steering in time.

The state sought is one of rest, in which inertia has no say. CBD beads, the lightest, therefore move with that of the
smallest secondary particle: time steps are four times as long.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.balance import balance, masses
from mesoforge.physics.beads import Beads
from mesoforge.physics.contact import Law, drying_law
from mesoforge.physics.plane import Stroke
from mesoforge.physics.recipe import Recipe

LOOK = 0.06
"""Time between two looks at the pressure [us]."""
REST = 0.75
"""Time for which the error must stay within its tolerance [us]."""
TOUCH = 0.1
"""Share of the wanted pressure that the plane has felt once it has met the coating."""
APPROACH = 0.25
"""Speed of the plane on the coating, over its speed before."""
NEIGHBOURS = 6
"""Contacts of a bead at once."""
FLATTENING = 0.01
"""Overlap over diameter that a contact without adhesion reaches."""


def heavy_mass(recipe: Recipe) -> float:
    """Return the inertia of a CBD bead in drying [pg]: the smallest particle's, or its own mass where that is more."""
    smallest = math.pi / 6 * recipe.particles.min_diameter**3 * recipe.materials.active.density
    return max(smallest, balance(recipe).cbd_bead_mass)


def inertia(beads: Beads, recipe: Recipe) -> NDArray[np.float64]:
    """Return what each bead resists acceleration with, (n,) [pg]."""
    return masses(beads, recipe, heavy_mass(recipe))


def drying_step(recipe: Recipe) -> float:
    """Return the time step of drying [us]: a fraction of the longest stable one."""
    return recipe.numerics.drying_step * stable_step(recipe, drying_law(recipe), heavy_mass(recipe))


def stable_step(recipe: Recipe, law: Law, cbd_mass: float) -> float:
    """Return the longest time step [us] that the fastest contact bears, for CBD beads of an inertia [pg]."""
    amounts = balance(recipe)
    active, cbd = recipe.particles.primary_diameter / 2, recipe.drying.cbd_diameter / 2
    mixed = 2 / (1 / law.active + 1 / law.cbd)
    bare = replace(law, adhesion=0.0)
    return min(
        _stable(bare, law.active, active / 2, amounts.active_bead_volume * amounts.active_density),
        _stable(law, mixed, active * cbd / (active + cbd), cbd_mass),
        _stable(law, law.cbd, cbd / 2, cbd_mass / 2),
    )


def _stable(law: Law, modulus: float, radius: float, mass: float) -> float:
    """Return the longest stable time step [us] of a bead of a mass [pg] that is held by contacts all around.

    The fastest motion is to roll against the tangential springs k = 8 G* a of n contacts, with the moment of inertia of
    a sphere: w^2 = (5/3) n k / m, damped by c = (5/3) n eta a. Velocities lag half a step behind positions, so a step
    is stable while w^2 dt^2 + 2 c dt < 4.
    """
    width = _contact_radius(law, modulus, radius)
    shear = modulus / (4 * (2 - law.poisson) * (1 + law.poisson))
    square = 5 / 3 * NEIGHBOURS * 8 * shear * width / mass
    loss = 5 / 3 * NEIGHBOURS * law.damping * width
    return (math.sqrt(loss**2 + 4 * square) - loss) / square


def _contact_radius(law: Law, modulus: float, radius: float) -> float:
    """Return how wide a contact is [um]: where adhesion and elasticity balance (JKR), or flattened a little (Hertz).

    JKR carries no force at a^3 = 9 pi g R^2 / E*.
    """
    effective = modulus / (2 * (1 - law.poisson**2))
    adhesive = math.cbrt(9 * math.pi * law.adhesion * radius**2 / effective)
    return max(adhesive, radius * math.sqrt(4 * FLATTENING))


def sinking_script(group: str, drag: float) -> str:
    """Write that what drags on a group [nN us/um] moves with the plane, evenly over the height, as a film shrinks."""
    return f"""variable        sink atom {drag:.10g}*v_speed*z/(v_start+v_lift)
fix             sink {group} addforce 0 0 v_sink
run             0 post no
"""


def looks(recipe: Recipe) -> int:
    """Return how many steps lie between two looks at the pressure; even."""
    return 2 * max(1, round(LOOK / drying_step(recipe) / 2))


def stroke(recipe: Recipe, name: str, error: str, tolerance: float, kpa: float) -> Stroke:
    """Return a stroke whose plane slows down while it feels a tenth of a pressure [kPa], and then comes to rest."""
    fast = recipe.numerics.drying_speed
    speed = f"ternary(v_load>{TOUCH * kpa:.10g},{APPROACH * fast:.10g},{fast:.10g})"
    hold = max(5, math.ceil(REST / (looks(recipe) * drying_step(recipe))))
    return Stroke(name, error, speed, tolerance, hold)
