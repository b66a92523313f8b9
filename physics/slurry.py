"""Slurry: densify the dilute packing under pressure until its density has converged.

Beads of CBD with their solvent and whole secondary particles attract and repel by a shifted-force Lennard-Jones
potential; the barostat is isotropic, motion is damped (the model is athermal: kT is 1e-6 of its energies).
Source: Xu et al., slurry step (NPT, 100 kPa, box periodic in all directions).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesoforge.physics.balance import balance, masses
from mesoforge.physics.beads import Beads
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.lammps.execute import execute
from mesoforge.physics.lammps.files import DATA, DUMP, UNITS, read_curve, read_positions, write_data
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.wet_structure import sampling_error

STEPS_SHARE = 0.028
"""Longest time step over the time of a Lennard-Jones bead; at 0.046 a slurry was seen to explode."""
DENSITIES = "density.csv"
LONGEST = 0.1
"""Most that a CBD bead moves in a step [um]: one that was shot off by a rigid particle would leave the box."""
CUTOFF = 2.0
"""Cutoff of the potential over sigma; potential and force vanish there."""
DRAG = 30.0
"""Drag on each bead [nN us/um]; it only sets how fast the density converges."""
BAROSTAT_STEPS = 50
"""Time constant of the barostat in steps, at a modulus of ten times the pressure."""
CHUNK = 250
"""Steps between two looks at the density."""
MOST_CHUNKS = 240
SLOWEST = 0.9
"""Greatest ratio of two changes in a row that is carried on; what decays more slowly, or grows, counts as this."""


@dataclass(frozen=True, slots=True)
class SlurryResult:
    """The densified slurry and its density.

    ``density_error`` is the standard error from the volume's smallness and, in quadrature, what densification may still
    have to come; ``additive_density`` is what volumes alone give; all [g/cm3]. ``steps`` is what it took.
    """

    beads: Beads
    density: float
    density_error: float
    additive_density: float
    steps: int


def slurry_timestep(recipe: Recipe) -> float:
    """Return the time step [us]: the recipe's, or a shorter one where beads are so small that they vibrate faster.

    The time of a Lennard-Jones bead is (m sigma^2 / epsilon)^(1/2).
    """
    amounts, field = balance(recipe), recipe.force_field
    sigma = amounts.wet_bead_diameter * field.slurry_bead_factor
    time = math.sqrt((amounts.cbd_bead_mass + amounts.solvent_per_bead) * sigma**2 / field.slurry_well_depth)
    return min(recipe.numerics.slurry_timestep, STEPS_SHARE * time)


def slurry_script(recipe: Recipe) -> str:
    """Write the LAMMPS input of the slurry."""
    kpa, step = recipe.slurry.pressure * 1000, slurry_timestep(recipe)
    damping = BAROSTAT_STEPS * step
    return f"""# slurry: isotropic densification at {kpa:g} kPa to a converged density
{UNITS}boundary        p p p
read_data       {DATA}
group           active type 1
group           cbd type 2
{_potential(recipe)}
neighbor        0.6 bin
neigh_modify    delay 0 every 2 check yes exclude molecule/intra active
timestep        {step:.10g}
fix             bodies active rigid molecule reinit no
fix             move cbd nve/limit {LONGEST:g}
fix             drag all viscous {DRAG:g}
fix             press all press/berendsen iso {kpa:.10g} {kpa:.10g} {damping:.10g} modulus {10 * kpa:.10g}
compute         heat all temp/sphere
thermo_modify   temp heat
fix_modify      press temp heat
variable        mass equal {balance(recipe).wet_mass:.12g}
variable        rho equal v_mass/vol
thermo_style    custom step press vol v_rho
thermo          {CHUNK}
{_until_settled(recipe.slurry.tolerance)}unfix           press
run             1 post no
write_dump      all custom {DUMP} id xu yu zu modify sort id format float %.12g
print           "$(lx:%.12g),$(ly:%.12g),$(lz:%.12g)" file box.csv
print           "done" file done
"""


def _potential(recipe: Recipe) -> str:
    """Write the shifted-force Lennard-Jones potential of each pair of kinds."""
    sigmas, depth = pair_sigmas(recipe), recipe.force_field.slurry_well_depth
    coefficients = [
        f"pair_coeff      {pair} {depth:.10g} {sigma:.10g} {CUTOFF * sigma:.10g}" for pair, sigma in sigmas.items()
    ]
    return "\n".join([f"pair_style      lj/smooth/linear {CUTOFF * sigmas['2 2']:.10g}", *coefficients])


def pair_sigmas(recipe: Recipe) -> dict[str, float]:
    """Return the size sigma of the potential [um] for each pair of kinds, named as in LAMMPS."""
    active = recipe.particles.primary_diameter
    cbd = balance(recipe).wet_bead_diameter * recipe.force_field.slurry_bead_factor
    return {"1 1": active, "1 2": (active + cbd) / 2, "2 2": cbd}


def write_slurry(beads: Beads, recipe: Recipe, path: Path, walls: bool = False) -> None:
    """Write the data file of a slurry, beads of CBD with their solvent."""
    amounts, sigmas = balance(recipe), pair_sigmas(recipe)
    weights = masses(beads, recipe, amounts.cbd_bead_mass + amounts.solvent_per_bead)
    write_data(beads, beads.by_kind(sigmas["1 1"], sigmas["2 2"]), weights, path, walls)


def _until_settled(tolerance: float) -> str:
    """Write the loop that ends once twice in a row less than the tolerance of the density is foretold to come.

    Changes that decay by a ratio q at each look leave the last one times q / (1 - q): the sum of the series.
    """
    return f"""print           "step,density,to_come" file {DENSITIES}
run             0 post no
variable        last equal $(v_rho)
variable        was equal 0
variable        calm equal 0
variable        i loop {MOST_CHUNKS}
label           chunk
run             {CHUNK} pre no post no
variable        now equal $(v_rho)
variable        change equal $(abs(v_now-v_last))
variable        ratio equal $(ternary(v_change<{SLOWEST}*v_was,v_change/(v_was+1e-30),{SLOWEST}))
variable        to_come equal $(v_change*v_ratio/(1-v_ratio)/v_now)
print           "$(step),$(v_now:%.10g),$(v_to_come:%.6g)" append {DENSITIES} screen no
variable        calm equal $(ternary(v_to_come<{tolerance:.10g},v_calm+1,0))
if "${{calm}} >= 2" then "jump SELF settled"
variable        last equal ${{now}}
variable        was equal ${{change}}
next            i
jump            SELF chunk
print           "slurry not converged" file not_converged
label           settled
"""


def make_slurry(packed: Beads, recipe: Recipe, folder: Path) -> SlurryResult:
    """Densify a packing in LAMMPS.

    Raises:
        PhysicsError: the simulation failed, or the density did not converge.
    """
    amounts = balance(recipe)
    write_slurry(packed, recipe, folder / DATA)
    execute(slurry_script(recipe), folder, recipe.numerics.time_limit, recipe.numerics.ranks)
    if (folder / "not_converged").exists():
        steps = MOST_CHUNKS * CHUNK
        raise PhysicsError(
            "not_converged", f"the slurry's density still changed by more than slurry.tolerance after {steps} steps"
        )
    box = np.loadtxt(folder / "box.csv", delimiter=",")
    beads = packed.moved(read_positions(folder / DUMP, len(packed)), box)
    steps, density, to_come = read_curve(folder / DENSITIES)[-1]
    sampling = sampling_error(beads, (amounts.active_bead_volume, amounts.wet_bead_volume))
    error = density * math.hypot(sampling, to_come)
    return SlurryResult(beads, float(density), float(error), amounts.additive_slurry_density, int(steps))
