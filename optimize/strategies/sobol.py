"""A scrambled Sobol sequence, which fills the unit cube more evenly than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesoforge.optimize.space import ENOUGH
from mesoforge.optimize.trial import Origin
from mesoforge.optimize.view import View
from mesoforge.surrogate.table import Array


@dataclass(frozen=True, slots=True)
class Sobol:
    """The point of the campaign's Sobol sequence that has the trial's number, among those that the space allows."""

    origin: Origin = "sobol"

    def propose(self, view: View) -> Array:
        """Return point ``view.number`` of the sequence that ``view.campaign_seed`` scrambles."""
        if not view.space.inequalities:
            return sobol_points(view.dimensions, view.campaign_seed, 1, view.number).ravel()
        return _allowed(view)


def _allowed(view: View) -> Array:
    count = 2 * ENOUGH
    while len(found := view.space.allowed(sobol_points(view.dimensions, view.campaign_seed, count))) <= view.number:
        count *= 2
    return np.asarray(found[view.number])


def sobol_points(dimensions: int, seed: int, count: int, first: int = 0) -> Array:
    """Return points (count, d) of a scrambled Sobol sequence; ``count`` is a power of 2, as its balance asks."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    if first:
        sequence.fast_forward(first)
    return np.asarray(sequence.random(count), dtype=np.float64)


SOBOL = Sobol()
