"""Rheology: shear the densified slurry between two rough walls and read its viscosity.

The slurry is periodic in x and y and cut open in z. What touches the lowest or the highest layer, particles as a whole,
is a wall; both walls move in x, opposite ways. Beads have the potential of the slurry and, for the liquid between them,
a drag along the line of centres against their relative motion, which is the same in every frame of reference (the
dissipative force of DPD without its noise: the model is athermal). Stress is read on both walls, the shear rate in the
middle half of the gap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.balance import balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.failure import Failure, PhysicsError
from mesoforge.physics.lammps.execute import execute, version
from mesoforge.physics.lammps.files import DATA, UNITS
from mesoforge.physics.manufacture import BEADS, identity, obtain
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.slurry import CUTOFF, pair_sigmas, slurry_timestep, write_slurry
from mesoforge.physics.store import Store, digest

VERSION = 1
"""Raised by one whenever the physics of this module changes."""
RATES = (1e4, 3e4, 1e5)
"""Shear rates by default [1/s]."""
SLOWEST, FASTEST = 1e2, 1e6
WALL = 2.5
"""Depth of the layer that becomes a wall [um]."""
BLOCK, BLOCKS, SETTLING = 0.25, 16, 6
"""Strain of one block, number of blocks, and how many of them are left out before the stress is taken as steady."""
LEAST_SHARE = 0.2
"""Least rate in the middle of the gap over that of the walls at which a viscosity is read."""
BINS = 10
"""Layers of the velocity profile; the middle half is fitted."""
LOOK = 10
"""Steps between two samples."""
US_PER_S = 1e6
PA_S = 1e-3
"""1 kPa us in Pa s."""
STRESS, PROFILE = "stress.txt", "profile.txt"
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Walls:
    """The slurry between collector side and plane side, cut open, and which particles belong to which wall."""

    beads: Beads
    low: tuple[int, ...]
    top: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """What one shear rate gave: rates [1/s], stresses [kPa], viscosity [Pa s].

    ``wanted`` is the walls' relative speed over the gap, ``rate`` what the middle half of the gap sheared with; errors
    are standard errors over blocks of strain; ``reduced_rate`` is the drag at that rate over the potential's force,
    drag rate sigma^2 / epsilon. ``steady`` says whether the halves of the steady part agree within three errors.
    """

    wanted: float
    rate: float
    reduced_rate: float
    stress: float
    stress_error: float
    low_stress: float
    top_stress: float
    viscosity: float
    viscosity_error: float
    steady: bool
    steps: int
    seconds: float


def cut_open(wet: Beads) -> Walls:
    """Cut the periodic slurry open in z, particles whole, and find the walls.

    Raises:
        PhysicsError: ``no_gap``, when a particle reaches from one wall to the other.
    """
    height = float(wet.box[2])
    position = wet.position.copy()
    own = np.bincount(wet.particle, minlength=1)
    centres = np.bincount(wet.particle, weights=position[:, 2]) / np.maximum(own, 1)
    reference = np.where(wet.particle > 0, centres[wet.particle], position[:, 2])
    position[:, 2] -= np.floor(reference / height) * height
    beads = wet.moved(position, wet.box)
    active = wet.kind == ACTIVE
    low = set(wet.particle[active & (position[:, 2] < WALL)].tolist())
    top = set(wet.particle[active & (position[:, 2] > height - WALL)].tolist())
    if low & top or height < 4 * WALL:
        raise PhysicsError("no_gap", f"the slurry is only {height:.3g} um high: raise volume.mass_loading")
    return Walls(beads, tuple(sorted(low)), tuple(sorted(top)))


def couette_script(recipe: Recipe, walls: Walls, rate: float) -> str:
    """Write the LAMMPS input that shears a slurry with a rate [1/us]."""
    step, height = slurry_timestep(recipe), walls.beads.thickness
    speed = rate * height / 2
    block = block_steps(rate, step)
    bound = height * (1 - 1e-6)  # else rounding may add a bin
    return f"""# slurry between rough walls, sheared with {rate:g} / us
{UNITS}boundary        p p f
read_data       {DATA}
{_groups(walls)}
{_potential_and_drag(recipe)}
neighbor        0.6 bin
neigh_modify    delay 0 every 2 check yes exclude molecule/intra active
neigh_modify    exclude group low low exclude group top top
timestep        {step:.10g}
velocity        all ramp vx {-speed:.10g} {speed:.10g} z 0 {height:.10g}
{_motion(walls)}fix             at_low low move linear {-speed:.10g} 0 0
fix             at_top top move linear {speed:.10g} 0 0
fix             floor flow wall/reflect zlo EDGE zhi EDGE
compute         on_low low reduce sum fx
compute         on_top top reduce sum fx
variable        low equal c_on_low/(lx*ly)
variable        top equal -c_on_top/(lx*ly)
fix             felt all ave/time {LOOK} {block // LOOK} {block} v_low v_top file {STRESS}
compute         layer flow chunk/atom bin/1d z 0 {height / BINS:.10g} bound z 0 {bound:.10g} discard yes
fix             profile flow ave/chunk {LOOK} {block // LOOK} {block} layer vx file {PROFILE}
thermo_style    custom step v_low v_top
thermo          {block}
run             {block * BLOCKS}
print           "done" file done
"""


def block_steps(rate: float, step: float) -> int:
    """Return the steps of one block of strain, a multiple of the steps between samples."""
    return LOOK * max(10, round(BLOCK / (rate * step) / LOOK))


def _groups(walls: Walls) -> str:
    """Write the groups: both walls, what flows between them, and each by kind."""
    lines = ["group           active type 1", "group           cbd type 2"]
    limits = {"low": f"INF {WALL:.10g}", "top": f"{walls.beads.thickness - WALL:.10g} INF"}
    for name, particles in (("low", walls.low), ("top", walls.top)):
        lines += [
            f"region          {name} block INF INF INF INF {limits[name]}",
            f"group           {name} region {name}",
        ]
        if particles:
            lines.append(f"group           {name} molecule {' '.join(map(str, particles))}")
    return "\n".join([*lines, "group           flow subtract all low top"])


def _motion(walls: Walls) -> str:
    """Write how what flows is moved: particles as rigid bodies, CBD as points."""
    beads = walls.beads
    free = (beads.kind == ACTIVE) & ~np.isin(beads.particle, [*walls.low, *walls.top])
    rigid = "group           bodies intersect flow active\nfix             bodies bodies rigid molecule\n"
    points = "group           points intersect flow cbd\nfix             points points nve\n"
    return (rigid if free.any() else "") + (points if (beads.kind == CBD).any() else "")


def _potential_and_drag(recipe: Recipe) -> str:
    """Write the slurry's potential and, laid over it, the drag; both end at the same distance."""
    sigmas, field = pair_sigmas(recipe), recipe.force_field
    reach = CUTOFF * max(sigmas.values())
    lines = [
        f"pair_style      hybrid/overlay lj/smooth/linear {reach:.10g} dpd/tstat 0 0 {reach:.10g} {recipe.seed + 1}"
    ]
    for pair, sigma in sigmas.items():
        depth, end = field.slurry_well_depth, CUTOFF * sigma
        lines += [
            f"pair_coeff      {pair} lj/smooth/linear {depth:.10g} {sigma:.10g} {end:.10g}",
            f"pair_coeff      {pair} dpd/tstat {field.slurry_drag:.10g} {end:.10g}",
        ]
    return "\n".join(lines)


def shear(wet: Beads, recipe: Recipe, rate: float, folder: Path) -> dict[str, Any]:
    """Shear a slurry in LAMMPS with a rate [1/s] and return the fields of its ``Flow``.

    Raises:
        PhysicsError: the simulation failed, or there is no gap between the walls.
    """
    import time

    began, walls, per_us = time.monotonic(), cut_open(wet), rate / US_PER_S
    write_slurry(walls.beads, recipe, folder / DATA, walls=True)
    execute(couette_script(recipe, walls, per_us), folder, recipe.numerics.time_limit)
    steps = BLOCKS * block_steps(per_us, slurry_timestep(recipe))
    return asdict(read_flow(folder, recipe, rate)) | {"steps": steps, "seconds": time.monotonic() - began}


def read_flow(folder: Path, recipe: Recipe, rate: float) -> Flow:
    """Read stresses and velocities, averaged by block, of a slurry that was sheared with a rate [1/s].

    Raises:
        PhysicsError: ``no_flow``, when the slurry slips at a wall and its middle hardly shears.
    """
    blocks = np.loadtxt(folder / STRESS, ndmin=2)[SETTLING:, 1:3]
    slopes = _slopes(folder / PROFILE)[SETTLING:] * US_PER_S
    stresses = blocks.mean(axis=1)
    stress, error = float(stresses.mean()), _standard_error(stresses)
    sheared, blur = float(slopes.mean()), _standard_error(slopes)
    if sheared < LEAST_SHARE * rate:
        raise PhysicsError(
            "no_flow", f"the middle of the gap sheared with only {sheared:.3g} of {rate:g} 1/s: shear it faster"
        )
    viscosity = stress / sheared * US_PER_S * PA_S
    return Flow(
        wanted=rate,
        rate=sheared,
        reduced_rate=reduced(recipe, sheared),
        stress=stress,
        stress_error=error,
        low_stress=float(blocks[:, 0].mean()),
        top_stress=float(blocks[:, 1].mean()),
        viscosity=viscosity,
        viscosity_error=abs(viscosity) * math.hypot(error / stress, blur / sheared),
        steady=_steady(stresses),
        steps=0,
        seconds=0.0,
    )


def reduced(recipe: Recipe, rate: float) -> float:
    """Return drag times rate [1/s] times sigma^2 over epsilon, of CBD beads: the drag over the potential's force."""
    field, sigma = recipe.force_field, pair_sigmas(recipe)["2 2"]
    return field.slurry_drag * rate / US_PER_S * sigma**2 / field.slurry_well_depth


def medium_viscosity(recipe: Recipe) -> float:
    """Return the viscosity [Pa s] of the drag alone, beads at their additive density and without correlation.

    2 pi drag n^2 R^5 / 1575, n beads per volume and R the reach. Source: R. D. Groot, P. B. Warren, J. Chem. Phys. 107
    (1997) 4423, for the dissipative force of DPD.
    """
    reach = CUTOFF * pair_sigmas(recipe)["2 2"]
    number = 1 / balance(recipe).wet_bead_volume
    return 2 * math.pi * recipe.force_field.slurry_drag * number**2 * reach**5 / 1575 * PA_S


def _standard_error(blocks: Reals) -> float:
    return float(blocks.std(ddof=1) / math.sqrt(len(blocks)))


def _steady(stresses: Reals) -> bool:
    """Say whether both halves have the same mean within three of its standard errors."""
    first, second = np.array_split(stresses, 2)
    return bool(abs(first.mean() - second.mean()) <= 3 * math.hypot(_standard_error(first), _standard_error(second)))


def _slopes(path: Path) -> Reals:
    """Return the slope of the velocity over the middle half of the gap for each block, (blocks,) [1/us]."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    table = np.array([row for row in rows if len(row) == 4], dtype=np.float64).reshape(-1, BINS, 4)
    middle = slice(BINS // 4, BINS - BINS // 4)
    return np.array([_slope(*block[middle, 1:].T) for block in table])


def _slope(height: Reals, count: Reals, speed: Reals) -> float:
    """Return the slope of a line through points weighted by how many beads they stand for."""
    kept = count > 0
    slope: float = np.polyfit(height[kept], speed[kept], 1, w=np.sqrt(count[kept]))[0]
    return float(slope)


def viscosity(
    recipe: Recipe, rates: Sequence[float], store: Store, on_stage: Callable[[str], None] = lambda _: None
) -> list[Flow] | Failure:
    """Make the slurry of a recipe, or find it, and shear it with each rate [1/s].

    Raises:
        InputError: a rate is out of range.
    """
    wrong = [rate for rate in rates if not SLOWEST <= rate <= FASTEST]
    if wrong:
        raise InputError(
            f"a shear rate is {wrong[0]:g} 1/s but {SLOWEST:g} to {FASTEST:g} 1/s can be simulated: choose another."
        )
    done = obtain(recipe, store, ("packing", "slurry"), on_stage)
    if isinstance(done, Failure):
        return done
    wet = Beads.load(done["slurry"].folder / BEADS)
    flows = []
    for rate in sorted(rates):
        on_stage(f"shear {rate:g} 1/s")
        try:
            found = store.obtain("viscosity", _identity(recipe, rate), partial(shear, wet, recipe, rate))
        except PhysicsError as error:
            return Failure(error.kind, "viscosity", error.reason)
        flows.append(Flow(**found.result))
    return flows


def slurry_name(recipe: Recipe) -> str:
    """Return the hash that names the densified slurry of a recipe in the store."""
    return digest(identity(recipe)["slurry"])


def _identity(recipe: Recipe, rate: float) -> dict[str, Any]:
    """Return all that determines a shear; the slurry is named by its hash."""
    return {
        "stage": "viscosity",
        "version": VERSION,
        "parent": slurry_name(recipe),
        "lammps": version(),
        "rate": rate,
        "slurry_drag": recipe.force_field.slurry_drag,
    }
