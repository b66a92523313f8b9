"""Electrodes for tests: real LAMMPS in the smallest volume that still holds a few dozen particles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mesoforge.physics.balance import Balance, balance, masses
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.calendering import calendering_script
from mesoforge.physics.contact import diameters
from mesoforge.physics.lammps.execute import execute
from mesoforge.physics.lammps.files import DATA, DUMP, read_positions, write_data
from mesoforge.physics.plane import FINISH
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.slurry import slurry_script

SMALL: dict[str, Any] = {"volume.side": 10.0, "volume.mass_loading": 2.5}
STEPS = 40
"""So few that two paths with other rounding have not parted."""


def small(**values: Any) -> Recipe:  # noqa: ANN401 - any input of a recipe
    """Return a small recipe; a double underscore in a keyword stands for the dot in a dotted name."""
    return Recipe().with_values(SMALL | {name.replace("__", "."): value for name, value in values.items()})


def counts(beads: Beads) -> dict[str, Any]:
    """Return the beads by kind, and by particle."""
    by_particle = [int((beads.particle == number).sum()) for number in range(1, int(beads.particle.max()) + 1)]
    return {
        "active": int((beads.kind == ACTIVE).sum()),
        "cbd": int((beads.kind == CBD).sum()),
        "particles": by_particle,
    }


def component_masses(beads: Beads, recipe: Recipe) -> dict[str, float]:
    """Return the mass of active material, of carbon with binder, and of the solvent that belongs to it [pg]."""
    amounts: Balance = balance(recipe)
    found = counts(beads)
    return {
        "active": found["active"] * amounts.active_bead_volume * amounts.active_density,
        "cbd": found["cbd"] * amounts.cbd_bead_mass,
        "solvent": found["cbd"] * amounts.solvent_per_bead,
    }


def moved(script: str, beads: Beads, recipe: Recipe, folder: Path, wet: bool = False) -> np.ndarray:
    """Return where a script brings beads with the recipe's ranks, (n, 3) [um]."""
    amounts = balance(recipe)
    size, mass = diameters(beads, recipe), masses(beads, recipe)
    if wet:
        size = beads.by_kind(recipe.particles.primary_diameter, amounts.wet_bead_diameter)
        mass = masses(beads, recipe, amounts.cbd_bead_mass + amounts.solvent_per_bead)
    folder.mkdir()
    write_data(beads, size, mass, folder / DATA, walls=not wet)
    execute(script, folder, 60, recipe.numerics.ranks)
    return read_positions(folder / DUMP, len(beads))


def wet_steps(recipe: Recipe) -> str:
    """Write the beginning of the slurry's script."""
    head = slurry_script(recipe).split("print ")[0]
    return f"{head}run {STEPS}\n{FINISH}"


def pressed_steps(recipe: Recipe, height: float) -> str:
    """Write the beginning of a stroke from a height [um]."""
    head = calendering_script(recipe, height).split("# load")[0]
    return f"{head}variable speed equal -5\nrun {STEPS}\n{FINISH}"
