"""Drying at a rate: the liquid's surface sinks, and CBD, which it takes along, diffuses back against it.

While the film shrinks, particles of active material sink with it, evenly over its height; CBD rests in the liquid but
for its diffusion, so the sinking surface gathers it. Surface speed times wet thickness over the binder's diffusivity,
the Peclet number, decides between both. Time is not simulated at its own pace: the simulated film has the Peclet number
of the real one. Once particles bear on one another, the capillary pressure closes the coating.

Source of the picture: Font et al., J. Power Sources 393 (2018) 177; Zihrul, Lippke, Kwade, Batteries 9 (2023) 455.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from mesoforge.physics.balance import balance, masses
from mesoforge.physics.beads import Beads
from mesoforge.physics.contact import DAMPING, KPA_PER_MPA, Law, contact_script, diameters, drying_law
from mesoforge.physics.drying import capillary
from mesoforge.physics.drying.motion import LOOK, sinking_script, stable_step
from mesoforge.physics.drying.stage import Body, DriedResult, run_plane
from mesoforge.physics.plane import FINISH, Stroke, plane_script, stroke_script
from mesoforge.physics.recipe import Recipe

BOLTZMANN = 1.3806504e-8
"""In LAMMPS' units micro [fJ/K]."""
MEMORY = 0.3
"""Time over which a CBD bead forgets its velocity [us]; its free path is then about a pore wide."""
JOLT = 5.0
"""Greatest thermal velocity of a CBD bead along one axis [um/us]."""
FASTEST = 0.5
"""Greatest speed of the surface [um/us]."""
SLOWEST = 0.05
"""Least Peclet number that is simulated; there the surface gathers CBD by a few per cent only."""
SMALL = 0.75
"""Diameter of CBD in the liquid over that of a dried bead (assumed): it passes between the particles."""
GROWTH = 3.0
"""Time in which CBD grows to its dried size once the film has shrunk [us]."""
HARDNESS = 0.1
"""Contact modulus of CBD in the liquid over the active material's."""
HOLD_BACK = 50.0
"""Drag on each bead of active material in the liquid [nN us/um]."""
TOUCHING = 0.5
"""Share of the capillary pressure that ends the film's shrinkage."""
CLOSED = 0.55
"""Porosity, filled with liquid, at which particles bear on one another and the film's shrinkage ends (assumed)."""


@dataclass(frozen=True, slots=True)
class Film:
    """A shrinking film as simulated."""

    speed: float
    """Of the surface [um/us]."""
    diffusivity: float
    """Of free CBD beads [um2/us]."""
    step: float
    """Time step [us]."""
    temperature: float
    """That gives CBD beads this diffusivity [K]."""


def peclet(recipe: Recipe, simulated: float) -> float:
    """Return surface speed times wet thickness over diffusivity; thickness [um]: given, or the simulated film's."""
    drying = recipe.drying
    speed = (drying.rate or 0.0) / recipe.materials.solvent.density  # g/m2/s over g/cm3: um/s
    return speed * (drying.wet_thickness or simulated) / drying.binder_diffusivity


def film(recipe: Recipe, thickness: float) -> Film:
    """Return a film of a wet thickness [um] with the Peclet number of the recipe, as quick as is still slow."""
    number, mass = max(peclet(recipe, thickness), SLOWEST), balance(recipe).cbd_bead_mass
    diffusivity = min(JOLT**2 * MEMORY, FASTEST * thickness / number)
    step = recipe.numerics.drying_step * stable_step(recipe, wet_law(recipe), mass)
    temperature = mass * diffusivity / MEMORY / BOLTZMANN
    return Film(number * diffusivity / thickness, diffusivity, min(step, MEMORY / 20), temperature)


def wet_law(recipe: Recipe) -> Law:
    """Return the contacts in the liquid: no adhesion, no friction, and hardly any loss beside that in it.

    CBD is not squeezed here, only pushed along, and stays hard enough for that.
    """
    law = drying_law(recipe)
    return replace(law, cbd=HARDNESS * law.active, adhesion=0.0, friction=0.0, loss=0.07 * DAMPING)


def film_script(recipe: Recipe, thickness: float, area: float) -> str:
    """Write the LAMMPS input of the film on an area [um2] that shrinks from a wet thickness [um]."""
    law, wet = wet_law(recipe), film(recipe, thickness)
    look = 2 * max(1, round(LOOK / wet.step / 2))
    most = math.ceil(thickness / (wet.speed * wet.step * look))
    touch = TOUCHING * recipe.drying.pressure * KPA_PER_MPA
    end = balance(recipe).solid_volume / (1 - CLOSED) / area
    shrinking = f"ternary((v_height>{end:.10g})&&(v_peak<{touch:.10g}),1,0)"
    sink = Stroke("film shrinkage", shrinking, f"{wet.speed:.10g}", 0.5, 2, most)
    return (
        contact_script(recipe, law, HOLD_BACK, wet.step).replace("hybrid sphere", "hybrid sphere 1")  # sizes change
        + plane_script(law, thickness, look)
        + _motion(recipe, wet)
        + stroke_script(0, sink, look)
        + _growth(recipe, wet)
        + FINISH
    )


def _motion(recipe: Recipe, wet: Film) -> str:
    """Write how active material sinks evenly with the surface, and how CBD diffuses."""
    heat = f"{wet.temperature:.10g}"
    return f"""unfix           drag
fix             drag active viscous {HOLD_BACK:g}
fix             shake cbd langevin {heat} {heat} {MEMORY:g} {recipe.seed + 1}
{sinking_script("active", HOLD_BACK)}"""


def _growth(recipe: Recipe, wet: Film) -> str:
    """Write how CBD takes its dried size in the shrunken film, its mass unchanged."""
    size, step = recipe.drying.cbd_diameter, wet.step / 3  # grown contacts are wide, and stiff
    return f"""
# growth to the dried size
timestep        {step:.10g}
variable        size equal ramp({SMALL * size:.10g},{size:.10g})
fix             grow cbd adapt 1 atom diameter v_size mass no
run             {math.ceil(GROWTH / step)} post no
unfix           grow
"""


def dry(coating: Beads, recipe: Recipe, folder: Path) -> DriedResult:
    """Let a film shrink at its Peclet number, then draw it together by the capillary pressure.

    Raises:
        PhysicsError: a simulation failed, or the plane did not come to rest.
    """
    places = [folder / "film", folder / "capillary"]
    for place in places:
        place.mkdir()
    shrunk = run_plane(
        coating, film_script(recipe, coating.thickness, coating.area), recipe, places[0], _body(coating, recipe)
    )
    dried = capillary.dry(shrunk.beads, recipe, places[1])
    return replace(dried, curve=shrunk.curve + dried.curve)


def _body(coating: Beads, recipe: Recipe) -> Body:
    """Return the beads in the liquid: CBD small, and no heavier than it is."""
    share = coating.by_kind(1.0, SMALL)
    return share * diameters(coating, recipe), masses(coating, recipe)
