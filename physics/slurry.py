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

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import Beads
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.lammps.execute import execute
from mesoforge.physics.lammps.files import DATA, DUMP, UNITS, read_curve, read_positions, write_data
from mesoforge.physics.recipe import Recipe

STEPS_SHARE = 0.028
"""Longest time step over the time of a Lennard-Jones bead; at 0.046 a slurry was seen to explode."""
CUTOFF = 2.0
"""Cutoff of the potential over sigma; potential and force vanish there."""
DRAG = 60.0
"""Drag on each bead [nN us/um]; it only sets how fast the density converges."""
CHUNK = 1000
LEAST_CHUNKS, MOST_CHUNKS = 5, 60


@dataclass(frozen=True, slots=True)
class SlurryResult:
    """The densified slurry, its density [g/cm3] with the spread over the last chunks, and what volumes alone give."""

    beads: Beads
    density: float
    density_sd: float
    additive_density: float


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
fix             move cbd nve
fix             drag all viscous {DRAG:g}
fix             press all press/berendsen iso {kpa:.10g} {kpa:.10g} {200 * step:.10g} modulus {10 * kpa:.10g}
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
    field, active = recipe.force_field, recipe.particles.primary_diameter
    cbd = balance(recipe).wet_bead_diameter * field.slurry_bead_factor
    pairs = [("1 1", active), ("1 2", (active + cbd) / 2), ("2 2", cbd)]
    coefficients = [
        f"pair_coeff      {pair} {field.slurry_well_depth:.10g} {sigma:.10g} {CUTOFF * sigma:.10g}"
        for pair, sigma in pairs
    ]
    return "\n".join([f"pair_style      lj/smooth/linear {CUTOFF * cbd:.10g}", *coefficients])


def _until_settled(tolerance: float) -> str:
    """Write the loop that ends once the density has twice changed by less than the tolerance."""
    return f"""print           "step,density,last" file density.csv
variable        last equal 0
variable        calm equal 0
variable        i loop {MOST_CHUNKS}
label           chunk
run             {CHUNK} post no
variable        now equal $(v_rho)
variable        change equal abs(v_now-v_last)/v_now
print           "$(step),$(v_now:%.10g),$(v_last:%.10g)" append density.csv
if "(${{change}} < {tolerance:.10g}) && (${{i}} >= {LEAST_CHUNKS})" then &
   "variable calm equal $(v_calm+1)" else "variable calm equal 0"
variable        last equal ${{now}}
if "${{calm}} >= 2" then "jump SELF settled"
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
    cbd = amounts.wet_bead_diameter * recipe.force_field.slurry_bead_factor
    wet_mass = amounts.cbd_bead_mass + amounts.solvent_per_bead
    diameters = packed.by_kind(recipe.particles.primary_diameter, cbd)
    masses = packed.by_kind(amounts.active_bead_volume * amounts.active_density, wet_mass)
    write_data(packed, diameters, masses, folder / DATA)
    execute(slurry_script(recipe), folder, recipe.numerics.time_limit, recipe.numerics.ranks)
    if (folder / "not_converged").exists():
        steps = MOST_CHUNKS * CHUNK
        raise PhysicsError(
            "not_converged", f"the slurry's density still changed by more than slurry.tolerance after {steps} steps"
        )
    box = np.loadtxt(folder / "box.csv", delimiter=",")
    beads = Beads(read_positions(folder / DUMP, len(packed)), packed.kind, packed.particle, box)
    densities = read_curve(folder / "density.csv")[-3:, 1]
    return SlurryResult(beads, float(densities[-1]), float(densities.std()), amounts.additive_slurry_density)
