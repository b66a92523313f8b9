"""What measured values say of parameters: the posterior over a box, through a surrogate of the simulations.

Row i was measured as m_i with standard deviation s_i. Its simulated value y_i over the parameters comes from a
surrogate with variance v_i; the model's own error is as large as f s_i with one unknown f for all rows:
m_i ~ N(y_i, s_i^2 (1 + f^2) + v_i). The prior is even over the box (unit cube) and over the listed f. A discrepancy so
treated after Kennedy and O'Hagan (J. R. Stat. Soc. B 63 (2001) 425), here without a shape of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mesoforge.surrogate.table import Array

Truths: TypeAlias = npt.NDArray[np.bool_]
DISCREPANCIES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""The model's error over the measurement's, each as likely beforehand."""
FEW = 400.0
"""Effective number of points below which intervals say little."""
CENTRAL = (0.025, 0.975)
TINY = 1e-12
EVEN_SD = 1 / np.sqrt(12)
"""Standard deviation of an even prior on the unit interval."""


@dataclass(frozen=True, eq=False, slots=True)
class Targets:
    """What was measured: names, values (m,) and standard deviations (m,); ``held`` (m,) rows are only foretold."""

    names: tuple[str, ...]
    values: Array
    sds: Array
    held: Truths

    @property
    def used(self) -> Truths:
        """Which rows are fitted to, (m,) of truth values."""
        return ~self.held

    def misses(self, rows: Array) -> Array:
        """Return (simulated - measured) / sd of the rows that are fitted to, (..., used), of all rows (..., m)."""
        return np.asarray(((rows - self.values) / self.sds)[..., self.used])


@dataclass(frozen=True, eq=False, slots=True)
class Posterior:
    """Points (k, d) of the unit cube, how densely they lie there (k,), and each row's simulated mean and sd, (k, m).

    The density is its logarithm. ``log_likelihood`` (k, f, m) is that of each row for each discrepancy.
    """

    targets: Targets
    points: Array
    log_density: Array
    mean: Array
    sd: Array
    log_likelihood: Array

    def log_probability(self, rows: Truths | None = None) -> Array:
        """Return the log of the posterior's density at the points (k,), up to a constant; by some rows, or all used."""
        return np.asarray(np.logaddexp.reduce(self._joint(self.targets.used if rows is None else rows), axis=1))

    @property
    def weight(self) -> Array:
        """What share of the probability each point stands for, (k,)."""
        return shares(self.log_probability() - self.log_density)

    @property
    def best(self) -> Array:
        """The most probable point (d,)."""
        return np.asarray(self.points[np.argmax(self.log_probability())])

    @property
    def at_best(self) -> Array:
        """What is simulated at the most probable point, (m,)."""
        return np.asarray(self.mean[np.argmax(self.log_probability())])

    @property
    def effective(self) -> float:
        """Effective number of points."""
        return effective_number(self.weight)

    def without(self, row: int) -> Truths:
        """Return which rows (m,) are fitted to but for one."""
        others = self.targets.used
        others[row] = False
        return others

    @property
    def interval(self) -> Array:
        """Central 95 % interval of each parameter, (2, d), in the unit cube."""
        return np.stack([quantiles(column, self.weight, CENTRAL) for column in self.points.T], axis=1)

    @property
    def determined(self) -> Array:
        """By how much the data narrow each parameter: 1 - sd / sd of the even prior, (d,); 0 is not at all."""
        centre = self.weight @ self.points
        return np.asarray(1 - np.sqrt(self.weight @ (self.points - centre) ** 2) / EVEN_SD)

    @property
    def correlation(self) -> Array:
        """Correlation of the parameters, (d, d)."""
        spread = self.points - self.weight @ self.points
        covariance = spread.T @ (spread * self.weight[:, None])
        scale = np.sqrt(np.diag(covariance) + TINY)
        return np.asarray(covariance / np.outer(scale, scale))

    @property
    def discrepancy(self) -> float:
        """Mean of the model's error over the measurement's, f."""
        share = shares(self._joint(self.targets.used) - self.log_density[:, None])
        return float(share.sum(axis=0) @ DISCREPANCIES)

    def foretold(self) -> tuple[Array, Array]:
        """Return each row foretold by all other rows that are fitted to: mean (m,) and sd (m,), emulator included."""
        columns = [self._foretold(row) for row in range(len(self.targets.names))]
        means, sds = zip(*columns, strict=True)
        return np.array(means), np.array(sds)

    def _foretold(self, row: int) -> tuple[float, float]:
        weight = shares(self._joint(self.without(row)) - self.log_density[:, None])
        error = self.targets.sds[row] * np.array(DISCREPANCIES)
        mean = float(weight.sum(axis=1) @ self.mean[:, row])
        spread = (self.mean[:, [row]] - mean) ** 2 + self.sd[:, [row]] ** 2 + error**2
        return mean, float(np.sqrt(np.sum(weight * spread)))

    def _joint(self, rows: Truths) -> Array:
        """Return the log likelihood (k, f) of some rows together."""
        return np.asarray(self.log_likelihood[..., rows].sum(axis=2))

    def draw(self, count: int, seed: int) -> Array:
        """Return points (count, d) drawn from the posterior."""
        chosen = np.random.default_rng(seed).choice(len(self.points), size=count, p=self.weight)
        return np.asarray(self.points[chosen])


def log_likelihood(mean: Array, sd: Array, targets: Targets) -> Array:
    """Return the log likelihood (k, f, m) of each measured row at means and sds (k, m), for each discrepancy f."""
    wider = 1 + np.square(DISCREPANCIES)
    variance = wider[None, :, None] * targets.sds**2 + sd[:, None, :] ** 2
    miss = (targets.values - mean)[:, None, :]
    return np.asarray(-0.5 * (miss**2 / variance + np.log(2 * np.pi * variance)))


def quantiles(values: Array, weight: Array, levels: Sequence[float]) -> Array:
    """Return weighted quantiles of values (k,)."""
    order = np.argsort(values)
    reached = np.cumsum(weight[order])
    return np.asarray(values[order][np.searchsorted(reached, np.array(levels) * reached[-1]).clip(0, len(values) - 1)])


def effective_number(share: Array) -> float:
    """Return the effective number of points that have these shares (k,) of the whole."""
    return float(1 / np.sum(share**2))


def shares(logs: Array) -> Array:
    """Return what is in proportion to the exponentials, of sum 1."""
    found = np.exp(logs - logs.max())
    return np.asarray(found / found.sum())
