"""The evolution strategy with covariance matrix adaptation (Hansen), by the library that Optuna's sampler uses too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from cmaes import CMA

from mesoforge.optimize.trial import Origin
from mesoforge.optimize.view import NoProposal, View
from mesoforge.surrogate.table import Array

STEP = 0.2  # of the unit cube's side: the first generation's standard deviation around the best of the start


@dataclass(frozen=True, slots=True)
class CmaEs:
    """Generations are read off the record: the rows after the start, in turn; each proposal replays them."""

    origin: Origin = "bo"

    def propose(self, view: View) -> Array:
        """Return the next member of the generation that is under way.

        Raises:
            NoProposal: There is one variable, and no covariance to adapt.
        """
        if view.dimensions == 1:
            raise NoProposal("CMA-ES needs two variables")
        start = min(view.start, len(view.X))
        evolution = _first(view, start)
        for first in range(start, len(view.X), evolution.population_size):
            _replay(evolution, view, slice(first, first + evolution.population_size))
        for _ in view.pending:
            evolution.ask()
        return np.asarray(evolution.ask())


def _first(view: View, start: int) -> CMA:
    best = view.X[int(np.argmax(view.ranked[:start]))]
    cube = np.tile([0.0, 1.0], (view.dimensions, 1))
    return CMA(mean=best, sigma=STEP, bounds=cube, seed=view.campaign_seed % 2**32)


def _replay(evolution: CMA, view: View, rows: slice) -> None:
    """Draw the random numbers of these rows again; a whole generation moves the distribution."""
    told = [(point, -score) for point, score in zip(view.X[rows], view.ranked[rows].tolist(), strict=True)]
    for _ in told:
        evolution.ask()
    if len(told) == evolution.population_size:
        evolution.tell(told)


CMA_ES = CmaEs()
