"""How far a surrogate may be trusted, in words: what foretells, what not yet, and about how many points that takes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from mesoforge.errors import InputError
from mesoforge.surrogate.table import Array, Builder, Table
from mesoforge.surrogate.validation import LeaveOneOut, conditions, k_fold

USABLE: Final = 0.8
"""R2 of unseen conditions from which an output counts as foretold."""
FOLDS: Final = 5
LEAST: Final = 6
"""Conditions below which nothing is said."""
DOUBTED: Final = 0.025
"""Probability of a coverage at least so far below 95 % by chance, under which intervals are called too narrow."""
MOST_TIMES: Final = 10
"""Times the present points beyond which no number of further points is given."""
ENOUGH: Final = 4
"""Degrees of freedom from which replicates tell the noise."""
SLOWEST, FASTEST = 0.25, 2.0


@dataclass(frozen=True, eq=False, slots=True)
class Trust:
    """What K-fold validation by condition says of a table's surrogate.

    ``all_points`` foretells each fold from the other four; ``half`` from half of the points: the two make a learning
    curve. ``noise`` (m,) is the variance of one measurement from seed to seed, as the surrogate or replicates have it.
    """

    all_points: LeaveOneOut
    half: LeaveOneOut
    noise: Array
    points: int

    @property
    def verdicts(self) -> dict[str, str]:
        """What is to be said of each output, in words."""
        return {name: self._verdict(column) for column, name in enumerate(self.all_points.names)}

    def _verdict(self, column: int) -> str:
        found = self.all_points
        name, r2 = found.names[column], list(found.r2.values())[column]
        if not math.isfinite(r2):
            return "constant: nothing to learn"
        narrow = ", but its intervals are too narrow" if self._narrow(found.coverage95[name]) else ""
        if r2 >= USABLE:
            return f"usable{narrow}"
        return f"not yet, {self._needed(column)}{narrow}"

    def _narrow(self, coverage: float) -> bool:
        inside, count = round(coverage * self.points), self.points
        below = sum(math.comb(count, k) * 0.95**k * 0.05 ** (count - k) for k in range(inside + 1))
        return below < DOUBTED

    def _needed(self, column: int) -> str:
        """Say how many more points the learning curve asks for: excess error = c n^-b through both its points."""
        variance = float(self.all_points.measured[:, column].var())
        goal = (1 - USABLE) * variance - self.noise[column]
        if goal <= 0:
            repeats = math.ceil(self.noise[column] / ((1 - USABLE) * variance) * 2)
            return f"noise hides it: average about {repeats} seeds of each point, or vary the inputs more widely"
        late, early = (
            max(float(one.rmse[column]) ** 2 - float(self.noise[column]), goal / 100)
            for one in (self.all_points, self.half)
        )
        trained = self.points * (FOLDS - 1) / FOLDS
        slope = math.log(max(early / late, 1)) / math.log(trained / (self.points / 2))
        times = (late / goal) ** (1 / min(max(slope, SLOWEST), FASTEST))
        more = math.ceil(self.points * max(times - 1, 0)) or 1
        if times > MOST_TIMES:
            return f"more than {MOST_TIMES - 1} times as many points: it hardly learns"
        return f"about {more} more point{'s' if more > 1 else ''}"


def trust(table: Table, build: Builder) -> Trust:
    """Foretell unseen conditions by refits, seven in all.

    Raises:
        InputError: The table has fewer than ``LEAST`` conditions.
    """
    count = len(np.unique(conditions(table.X[table.aimed])))
    if count < LEAST:
        raise InputError(
            f"{count} conditions were measured, but {LEAST} were due to say what is foretold: measure more"
        )
    return Trust(k_fold(table, build, FOLDS), k_fold(table, build, 2), _noise(table, build), int(table.aimed.sum()))


def calibration_curve(found: LeaveOneOut, levels: Array) -> Mapping[str, Array]:
    """Return the shares of rows inside their central intervals of these levels, by output; equal shares are right."""
    columns = [found.coverage(float(level)) for level in levels]
    return {name: np.array([one[name] for one in columns]) for name in found.names}


def band(level: float, count: int) -> float:
    """Return how far a share of so many rows lies from its level by chance, two times in three (a standard error)."""
    return NormalDist().inv_cdf(0.8413) * math.sqrt(level * (1 - level) / count)


def _noise(table: Table, build: Builder) -> Array:
    """Return the variance of one measurement that no point can explain, (m,): of replicates where these are enough."""
    X, Y = table.X[table.aimed], table.Y[table.aimed]
    kinds = conditions(X)
    freedom = len(X) - len(np.unique(kinds))
    if freedom >= ENOUGH:
        within = Y - np.array([Y[kinds == kind].mean(axis=0) for kind in kinds])
        return np.asarray(np.sum(within**2, axis=0) / freedom)
    fitted = build(table)
    return np.asarray(np.mean(fitted.predict(X)[1] ** 2 - fitted.latent_sd(X) ** 2, axis=0))
