"""How well a surrogate foretells what it has not seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mesoforge.errors import InputError
from mesoforge.surrogate.table import Array, Builder, Groups, Surrogate, Table, Which

LEAST_GROUPS = 5  # below, rows are left out one by one: to leave out a slurry would leave out next to all
NORMAL_95 = 1.959964  # half width of the central 95 % of a normal distribution, in standard deviations


@dataclass(frozen=True, eq=False, slots=True)
class LeaveOneOut:
    """Rows foretold from others: measured, mean and predictive sd, each (n, m), in the outputs' units."""

    names: tuple[str, ...]
    measured: Array
    mean: Array
    sd: Array

    @property
    def r2(self) -> dict[str, float]:
        """R2 = 1 - sum (y - mean)^2 / sum (y - average)^2 by output; not a number where an output is constant."""
        residual = np.sum((self.measured - self.mean) ** 2, axis=0)
        total = np.sum((self.measured - self.measured.mean(axis=0)) ** 2, axis=0)
        return self._named(1 - r / t if t > 0 else np.nan for r, t in zip(residual, total, strict=True))

    @property
    def coverage95(self) -> dict[str, float]:
        """Share of rows inside their central 95 % interval by output; 0.95 is right."""
        return self.coverage(0.95)

    def coverage(self, level: float) -> dict[str, float]:
        """Return the share of rows inside their central interval of a level by output; the level itself is right."""
        half = NORMAL_95 if level == 0.95 else NormalDist().inv_cdf(0.5 + level / 2)
        return self._named(np.mean(np.abs(self.measured - self.mean) <= half * self.sd, axis=0))

    @property
    def rmse(self) -> Array:
        """Root mean square error of the predictions by output, (m,), in the outputs' units."""
        return np.asarray(np.sqrt(np.mean((self.measured - self.mean) ** 2, axis=0)))

    def spread_at(self, mean: Array, logs: Which) -> Array:
        """Return by how much predictions (k, m) err, (k, m): as these; in proportion to themselves where ``logs``."""
        here, there = (np.where(logs, one, 1.0) for one in (self.mean, mean))
        return np.asarray(there * np.sqrt(np.mean(((self.measured - self.mean) / here) ** 2, axis=0)))

    def _named(self, values: Iterable[float]) -> dict[str, float]:
        return {name: float(value) for name, value in zip(self.names, values, strict=True)}


def least_sd(surrogate: Surrogate, mean: Array) -> Array:
    """Return what the sd of new measurements must not fall below, (k, m), at means (k, m): the leave-one-out error.

    From a dozen rows the likelihood may take noise for signal; at a point that was measured once, a Gaussian process is
    then far too sure of what a second measurement with another seed will give. Zero for surrogates of other kinds.
    """
    from mesoforge.surrogate.gp import GaussianProcess, loo

    if isinstance(surrogate, GaussianProcess):
        return loo(surrogate).spread_at(mean, surrogate.table.logged)
    return np.zeros_like(mean)


def loo_by_refits(table: Table, build: Builder) -> LeaveOneOut:
    """Foretell each row by a model fitted anew to all others: n fits, for any surrogate, with nothing assumed.

    Of a table with levels those rows are foretold that are of what is aimed at.
    """
    rows = np.flatnonzero(table.aimed)
    folds = [build(_without(table, int(row))).predict(table.X[[row]]) for row in rows]
    mean, sd = (np.vstack(column) for column in zip(*folds, strict=True))
    return LeaveOneOut(table.names, table.Y[rows], mean, sd)


def k_fold(table: Table, build: Builder, folds: int, groups: Sequence[int] | None = None) -> LeaveOneOut:
    """Foretell each fold by a model fitted anew to the others; what is of one group stays together.

    By default that is what has one X, or one slurry in common (the table's ``groups``), or follows from both. Of a
    table with levels what is aimed at is foretold; likenesses are learned from, but for those in the fold.

    Folds are dealt at random with a fixed seed, so that each holds a share of every region.

    Raises:
        InputError: There are fewer groups than folds.
    """
    kinds = together(table) if groups is None else np.asarray(groups)
    if len(np.unique(kinds)) < folds:
        raise InputError(
            f"there are {len(np.unique(kinds))} conditions for {folds} folds, but one for each was due: "
            "measure more points, or take fewer folds"
        )
    dealt = np.random.default_rng(0).permutation(len(np.unique(kinds))) % folds
    fold = dealt[np.unique(kinds, return_inverse=True)[1]]
    mean, sd = np.empty_like(table.Y), np.empty_like(table.Y)
    for number in range(folds):
        out = fold == number
        mean[out], sd[out] = build(some_rows(table, ~out)).predict(table.X[out])
    return LeaveOneOut(table.names, table.Y[table.aimed], mean[table.aimed], sd[table.aimed])


def conditions(X: Array) -> npt.NDArray[np.int64]:
    """Return the number of each row's condition (n,): equal rows are replicates of one."""
    return np.unique(X, axis=0, return_inverse=True)[1].reshape(-1)


def parts(table: Table) -> Groups:
    """Return a number (n,) that rows have in common which are left out at once: their group where these are enough."""
    few = table.groups is None or len(np.unique(table.groups)) < LEAST_GROUPS
    return np.arange(len(table)) if few or table.groups is None else table.groups


def together(table: Table) -> Groups:
    """Return a number (n,) that rows of one X or of one group have in common, and so on from row to row.

    Where groups are few it is that of one X alone.
    """
    kinds = conditions(table.X)
    if table.groups is None or len(np.unique(table.groups)) < LEAST_GROUPS:
        return kinds
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    slurries = np.unique(table.groups, return_inverse=True)[1] + kinds.max() + 1
    size = int(slurries.max()) + 1
    edges = coo_array((np.ones(len(kinds)), (kinds, slurries)), shape=(size, size))
    return np.asarray(connected_components(edges, directed=False)[1][kinds], dtype=np.int64)


def some_rows(table: Table, kept: Which) -> Table:
    """Return a table of some of the rows, (n,) true where kept."""
    variance = None if table.noise_variance is None else table.noise_variance[kept]
    groups, levels = (None if one is None else one[kept] for one in (table.groups, table.levels))
    return replace(table, X=table.X[kept], Y=table.Y[kept], noise_variance=variance, groups=groups, levels=levels)


def _without(table: Table, row: int) -> Table:
    """Return the table without a row, and without all that shares its error."""
    kinds = parts(table)
    return some_rows(table, kinds != kinds[row])
