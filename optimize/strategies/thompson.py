"""For many workers: each proposal is best in a draw of its own from the posterior (Thompson sampling)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from mesoforge.optimize.pareto import hypervolumes, pareto_mask
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.trial import Origin
from mesoforge.optimize.view import NoProposal, View
from mesoforge.surrogate.door import NUMERICS, calm, tensor
from mesoforge.surrogate.gp import GaussianProcess, fit_gp
from mesoforge.surrogate.scale import expected
from mesoforge.surrogate.table import Array

Rows: TypeAlias = npt.NDArray[np.intp]
CANDIDATES = 256
"""Points of a draw that fill the space; as many more lie about the best that were measured."""
MOST_WEIGHED = 16
"""Of a draw's Pareto set so many points or a few more are weighed by hypervolume."""
NEAR = (0.02, 0.1)
"""How far about them, as shares of each variable's range."""


@dataclass(frozen=True, slots=True)
class Thompson:
    """Draws the outputs jointly at many candidates and takes the one that is best in that draw.

    One aim: the highest. Several: of the draw's Pareto set the one that adds most to the measured hypervolume (as TSEMO
    does, Bradford et al. 2018). Draws differ, and so do proposals, however many are under way: nothing is optimized
    and pending points cost nothing, so a proposal takes a fraction of a second. The surrogate is fitted anew only when
    the record has grown by ``growth``.
    """

    origin: Origin = "bo"
    growth: float = 0.1

    def propose(self, view: View) -> Array:
        """Return the best admissible candidate of a draw from the posterior.

        Raises:
            NoProposal: a kernel matrix could not be factorized, or no candidate is admissible.
        """
        gp = view.surrogate if isinstance(view.surrogate, GaussianProcess) else fit_gp(view.table)
        points = _candidates(view)
        try:
            drawn = _drawn(gp, points, view.seed)
        except NUMERICS as error:
            raise NoProposal(str(error)) from error
        chosen = view.first_admissible(points[row] for row in _order(drawn, view))
        if chosen is None:
            raise NoProposal("no candidate is admissible")
        return chosen


def _candidates(view: View) -> Array:
    """Return points (n, d): some that fill the space, others about the best that were measured."""
    rng, spread = np.random.default_rng(view.seed), sobol_points(view.dimensions, view.seed, CANDIDATES)
    best = view.X[_best(view)]
    near = best[rng.integers(len(best), size=CANDIDATES)]
    widths = np.exp(rng.uniform(math.log(NEAR[0]), math.log(NEAR[1]), size=(CANDIDATES, 1)))
    moved = np.clip(near + widths * rng.standard_normal(near.shape), 0, 1)
    return view.space.allowed(np.vstack([spread, moved]))


def _best(view: View) -> Rows:
    """Return the rows of the measured trials about which more is sought."""
    kept = np.flatnonzero(view.objectives.excess(view.Y) == 0)
    if view.objectives.one_aim or not len(kept):
        return np.argsort(-view.ranked, kind="stable")[: max(1, len(view.X) // 10)]
    return kept[pareto_mask(view.scores[kept])]


def _drawn(gp: GaussianProcess, points: Array, seed: int) -> Array:
    """Return outputs (n, k) drawn jointly at points (n, d) of the cube."""
    with torch.no_grad(), calm(seed):
        posterior = gp.model.posterior(tensor(points))
        return np.asarray(expected(gp)(posterior.rsample(torch.Size([1]))[0]).numpy())


def _order(drawn: Array, view: View) -> list[int]:
    """Return the rows of a draw (n, k), the best first."""
    if view.objectives.one_aim:
        return [int(row) for row in np.argsort(-view.rank(drawn), kind="stable")]
    excess, scores = view.objectives.excess(drawn), view.objectives.scores(drawn)
    kept = np.flatnonzero(excess == 0)
    front = kept[pareto_mask(scores[kept])] if len(kept) else kept
    known = view.scores[view.objectives.excess(view.Y) == 0]
    known = known[pareto_mask(known)]
    below = np.maximum(view.reference - scores, 0).max(axis=1)
    front = front[below[front] == 0] if np.any(below[front] == 0) else front
    front = front[:: max(1, len(front) // MOST_WEIGHED)]
    sets = np.array([np.vstack([known, scores[[row]]]) for row in front])
    gains = hypervolumes(sets.reshape(len(front), len(known) + 1, scores.shape[1]), view.reference)
    leading = front[np.lexsort((below[front], -gains))].tolist()
    return [*leading, *np.argsort(excess, kind="stable")[: CANDIDATES // 4].tolist()]


THOMPSON = Thompson()
