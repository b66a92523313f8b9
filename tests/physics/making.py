"""Electrodes for tests: real LAMMPS in the smallest volume that still holds a few dozen particles."""

from __future__ import annotations

from typing import Any

from mesoforge.physics.balance import Balance, balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.recipe import Recipe

SMALL: dict[str, Any] = {"volume.side": 10.0, "volume.mass_loading": 2.5}


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
