"""The bulk of a coating: what lies between its loose faces, from the beads alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import Beads
from mesoforge.physics.recipe import Recipe

FACE = 1.0
"""Loose layer at collector and surface that the bulk leaves out [um]."""
Reals = NDArray[np.float64]


def bulk_porosity(beads: Beads, recipe: Recipe, face: float = FACE) -> float:
    """Return pores plus nanopores between two depths ``face`` [um] from collector and surface.

    Each bead's volume is spread over the ball of that volume. A coating too thin to have a bulk is taken whole.
    """
    amounts = balance(recipe)
    height = beads.thickness
    low, high = (face, height - face) if height > 4 * face else (-np.inf, np.inf)
    volume = beads.by_volume(amounts.active_bead_volume, amounts.cbd_bead_volume)
    solid = beads.by_volume(amounts.active_bead_volume, amounts.cbd_bead_mass / amounts.cbd_solid_density)
    radius = np.cbrt(0.75 / np.pi * volume)
    centre = beads.position[:, 2]
    inside = share_below(high - centre, radius) - share_below(low - centre, radius)
    between = min(high, height) - max(low, 0.0)
    return float(1 - (solid * inside).sum() / (beads.area * between))


def share_below(distance: Reals, radius: Reals) -> Reals:
    """Return the share of a ball's volume below a plane at a signed distance above its centre, (n,)."""
    t = np.clip(distance / radius, -1, 1)
    share: Reals = (2 + 3 * t - t**3) / 4
    return share
