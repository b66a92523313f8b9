"""In which size to make a trial: the largest gain at the size that decides, for its cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesoforge.optimize.fidelity import Offers
from mesoforge.optimize.pareto import best_first
from mesoforge.optimize.view import View
from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.likeness import moves, with_level
from mesoforge.surrogate.scale import Moves
from mesoforge.surrogate.table import Array

CANDIDATES = 4
"""Points of which one is made: the acquisition function's best."""
BEST = 16
"""Measured points that may come to be better or worse than thought."""
MANY_DRAWS, FEW_DRAWS = 256, 16
"""Values that a measurement may give, which are averaged over; few where each hypervolume takes milliseconds."""
DUST = 1e-3
"""Of the range of worths: a smaller gain is none."""


@dataclass(frozen=True, eq=False, slots=True)
class _Outlook:
    """What is known of the best measured points and, below them, of the candidates; how each offer would move it."""

    view: View
    known: int
    levels: int
    moves: Moves

    def gain(self, candidate: int, level: int) -> float:
        """Return what one measurement of a candidate is expected to raise the worth of the best by.

        At the target it joins what counts; at a cheaper level it only tells more of what it would be worth there.
        """
        rows = [*range(self.known), self.known + candidate]
        mean = self.moves.mean[rows]
        after = self.moves.after(candidate * self.levels + level, rows, _normal(mean.shape[1], self.view))
        alone = mean[[*range(self.known), 0]]
        *worth, joined, before = self.view.worth(np.concatenate([after, mean[None], alone[None]])).tolist()
        return float(np.mean(worth) - (joined if level else before))

    def tells(self, candidate: int, level: int) -> float:
        """Return how far a measurement moves the mean at its place, by how far one of the target does."""
        place = self.known + candidate
        here, target = (np.abs(self.moves.by[candidate * self.levels + one][place]) for one in (level, 0))
        return float(np.mean(here / np.maximum(target, np.finfo(float).tiny)))


def best_for_its_cost(gp: GaussianProcess, view: View, offers: Offers, points: Array) -> tuple[Array, int]:
    """Return one of some points (k, d), the best first, and the level to make it at: the largest gain for its cost.

    The gain is the knowledge gradient over the best measured points and the new one (Frazier et al. 2009; with several
    fidelities Poloczek et al. 2017), of the same worth as the view's. Where none is expected to gain, the first point
    is made at the level that tells most of it for its cost. All of it counts by how probably the physics works there.
    """
    levels = _known_levels(gp, offers)
    outlook = _outlook(gp, view, offers, points, levels)
    pairs = [(candidate, level) for candidate in range(len(points)) for level in range(levels)]
    chances = {(one, level): offers.chance(level, points[one]) for one, level in pairs}
    gains = [chances[pair] * outlook.gain(*pair) for pair in pairs]
    if max(gains) <= DUST * float(np.ptp(view.worth(outlook.moves.mean[:, None]))):
        pairs = pairs[:levels]
        gains = [chances[pair] * outlook.tells(*pair) for pair in pairs]
    rates = [gain / offers.shares[level] for gain, (_, level) in zip(gains, pairs, strict=True)]
    candidate, level = pairs[int(np.argmax(rates))]
    return points[candidate], level


def _known_levels(gp: GaussianProcess, offers: Offers) -> int:
    """Return how many levels there are of which something was measured, the target included."""
    return min(len(offers.shares), 1 if gp.table.levels is None else 1 + int(gp.table.levels.max()))


def _outlook(gp: GaussianProcess, view: View, offers: Offers, points: Array, levels: int) -> _Outlook:
    means = gp.predict(view.X)[0]
    best = np.array(best_first(view.objectives, means, view.reference)[:BEST])
    X = np.vstack([view.X[best], points])
    rows = with_level(np.repeat(points, levels, axis=0), np.tile(np.arange(levels), len(points)))
    return _Outlook(view, len(best), levels, moves(gp, X, rows, offers.pending))


def _normal(outputs: int, view: View) -> Array:
    """Return standard normal draws (n, 1, m) and their opposites, the same for every offer."""
    quick = view.objectives.one_aim or len(view.objectives) == 2
    drawn = np.random.default_rng(0).standard_normal((MANY_DRAWS if quick else FEW_DRAWS, 1, outputs))
    return np.vstack([drawn, -drawn])
