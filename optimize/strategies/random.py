"""Chance: the baseline that every strategy must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesoforge.optimize.trial import Origin
from mesoforge.optimize.view import View
from mesoforge.surrogate.table import Array


@dataclass(frozen=True, slots=True)
class Random:
    """A uniformly random point of the unit cube."""

    origin: Origin = "sample"

    def propose(self, view: View) -> Array:
        """Return a point that depends on ``view.seed`` alone."""
        rng = np.random.default_rng(view.seed)
        while not view.space.allows(point := rng.random(view.dimensions)):
            pass
        return point


RANDOM = Random()
