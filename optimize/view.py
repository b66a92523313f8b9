"""What a strategy sees when it is asked for the next point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import hypervolumes
from mesoforge.optimize.space import Space
from mesoforge.optimize.tolerances import Tolerances
from mesoforge.optimize.trial import Origin
from mesoforge.surrogate.table import Array, Groups, Surrogate, Table

if TYPE_CHECKING:
    from mesoforge.surrogate.viability import Viability

SAME = 1e-6  # points of the unit cube nearer than this are one point, where the view says nothing else
VIABLE = 0.5  # probability of success below which nothing is proposed


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """A campaign's record as numbers, at the time of one proposal.

    X (n, d) and Y (n, k) are the measured trials' points and outputs, ``pending`` (p, d) and ``failed``
    (f, d) the points that are running and where physics failed. ``number`` is the trial to propose, ``seed`` is fresh
    for it, ``campaign_seed`` is not; ``start`` trials filled the space; ``reference`` (m,) is in scores. ``viability``
    is learned from where physics failed; none as long as it did not. ``groups`` (n,) name the measured trials' slurries
    where several trials may share one. Where trials are of several sizes X and Y are of the one that decides, and
    ``known`` has all of them. Points nearer than ``same`` are one.
    """

    space: Space
    objectives: Objectives
    X: Array
    Y: Array
    pending: Array
    failed: Array
    reference: Array
    number: int
    seed: int
    campaign_seed: int
    start: int
    surrogate: Surrogate | None = None
    viability: Viability | None = None
    tolerances: Tolerances | None = None
    groups: Groups | None = None
    known: Table | None = None
    same: float = SAME

    @property
    def dimensions(self) -> int:
        """Number of variables."""
        return len(self.space.variables)

    @property
    def scores(self) -> Array:
        """Scores (n, m) of the measured trials: larger is better."""
        return self.objectives.scores(self.Y)

    @property
    def aims(self) -> Array:
        """What to follow of the measured trials (n, 1 or m): larger is better."""
        return self.objectives.aims(self.Y)

    @property
    def ranked(self) -> Array:
        """The one aim of the measured trials (n,), those that break limits below all others, by how much (Deb 2000)."""
        return self.rank(self.Y)

    def rank(self, Y: Array) -> Array:
        """Return the same of any outputs (n, k)."""
        aim, excess = self.objectives.aims(Y)[:, 0], self.objectives.excess(Y)
        return np.asarray(np.where(excess > 0, aim.min(initial=0) - 1 - excess, aim))

    def worth(self, Y: Array) -> Array:
        """Return what sets of points are worth, (n,), by their outputs (n, j, k): the best aim, or the hypervolume.

        Points that break limits add nothing: they are worth as much as the worst that was measured.
        """
        flat = Y.reshape(-1, Y.shape[-1])
        kept = self.objectives.feasible(flat)
        if self.objectives.one_aim:
            worst = self.aims.min()
            aims = np.where(kept, np.maximum(self.objectives.aims(flat)[:, 0], worst), worst)
            return np.asarray(aims.reshape(Y.shape[:-1]).max(axis=1))
        scores = np.where(kept[:, None], self.objectives.scores(flat), self.reference)
        return hypervolumes(scores.reshape(*Y.shape[:-1], -1), self.reference)

    @property
    def table(self) -> Table:
        """The measured trials as training data."""
        if self.known is not None:
            return self.known
        names, categories = self.objectives.outputs, self.space.categories
        logs = self.objectives.logs(self.Y)
        return Table(self.X, self.Y, names, categories=categories, groups=self.groups, logs=logs)

    def admissible(self, point: Array) -> bool:
        """Whether a point is allowed, new, and success there at least as probable as failure."""
        here = self.space.snap(point)
        if not self.space.allows(point) or _nearest(here, np.vstack([self.X, self.pending, self.failed])) <= self.same:
            return False
        return bool(self.viable(here[None])[0] >= VIABLE)

    def viable(self, points: Array) -> Array:
        """Return the probability (n,) that the physics works at points (n, d); 1 as long as it never failed."""
        return np.ones(len(points)) if self.viability is None else self.viability.probability(points)

    def pulled(self, point: Array) -> Array:
        """Return a point, or where an inequality forbids it the last allowed one on the way from the nearest known."""
        if self.space.allows(point) or not len(self.X):
            return point
        return self.space.pulled(point, self.X[int(np.argmin(np.linalg.norm(self.X - point, axis=1)))])

    def first_admissible(self, points: Iterable[Array]) -> Array | None:
        """Return the first of the points that is admissible, if one is."""
        return next((point for point in points if self.admissible(point)), None)


class NoProposal(Exception):  # noqa: N818
    """A strategy could not propose, for reasons of numerics: the campaign puts a Sobol point in its place."""


class Strategy(Protocol):
    """A way of proposing: the same view gives the same point."""

    @property
    def origin(self) -> Origin:
        """What its trials are called in the record."""
        ...

    def propose(self, view: View) -> Array:
        """Return the next point (d,) of the unit cube.

        Raises:
            NoProposal: The numerics failed.
        """
        ...


def _nearest(point: Array, others: Array) -> float:
    return float(np.min(np.linalg.norm(others - point, axis=1), initial=np.inf))
