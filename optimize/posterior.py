"""What measured values say of parameters: the posterior over a box, through a surrogate of the simulations.

Row i was measured as m_i with standard deviation s_i. Its simulated value y_i over the parameters comes from a
surrogate with variance v_i; the model's own error is as large as f s_i with one unknown f for all rows:
m_i ~ N(y_i, s_i^2 (1 + f^2) + v_i). The prior is even over the box (unit cube) and over the listed f. A discrepancy so
treated after Kennedy and O'Hagan (J. R. Stat. Soc. B 63 (2001) 425), here without a shape of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, ndtri

from mesoforge.optimize.sequence import sobol_points
from mesoforge.surrogate.table import Array, Surrogate

Truths: TypeAlias = npt.NDArray[np.bool_]
DISCREPANCIES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""The model's error over the measurement's, each as likely beforehand."""
POINTS = 2**11
ROUNDS = 25
ENOUGH, FEW = 1000.0, 400.0
"""Effective number of points at which no further ones are drawn, and below which intervals say little."""
ENOUGH_WITHOUT = 200.0
"""The same at which no further ones are drawn for what the data say without one of the rows."""
CENTRES, ENOUGH_CENTRES = 256, 128.0
"""Points about which the next ones are drawn, and the least effective number of those that these are chosen from."""
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
        return _shares(self.log_probability() - self.log_density)

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
        return _count(self.weight)

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
        share = _shares(self._joint(self.targets.used) - self.log_density[:, None])
        return float(share.sum(axis=0) @ DISCREPANCIES)

    def foretold(self) -> tuple[Array, Array]:
        """Return each row foretold by all other rows that are fitted to: mean (m,) and sd (m,), emulator included."""
        columns = [self._foretold(row) for row in range(len(self.targets.names))]
        means, sds = zip(*columns, strict=True)
        return np.array(means), np.array(sds)

    def _foretold(self, row: int) -> tuple[float, float]:
        weight = _shares(self._joint(self.without(row)) - self.log_density[:, None])
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


def posterior(surrogate: Surrogate, targets: Targets, seed: int, noise: Array | None = None) -> Posterior:
    """Return the posterior by adaptive importance sampling: even over the box, then where probability was found.

    All rounds' points stay, each weighed by the mixture of what all rounds were drawn from (Cornuet et al., Scand. J.
    Stat. 39 (2012) 798). What the next round is drawn from is cut off at a height that leaves it enough points, so that
    many parameters which the data determine well are approached in steps. It goes on until each row, too, is foretold
    from the others by enough points.

    Args:
        surrogate: of all rows, over the unit cube.
        targets: what was measured.
        seed: of the points.
        noise: variance (m,) of the simulated rows from their seeds; without it the surrogate's own.
    """
    points = sobol_points(surrogate.table.X.shape[1], seed, POINTS)
    found = _at(points, np.zeros(len(points)), surrogate, targets, noise)
    clouds: list[_Cloud] = []
    for turn in range(1, ROUNDS):
        lacking = _lacking(found)
        if lacking is None:
            break
        cloud = _cloud(found, lacking)
        clouds.append(cloud)
        drawn = cloud.drawn(seed + turn)
        even = np.zeros(len(drawn))
        density = np.logaddexp.reduce([even, *(one.log_density(drawn) for one in clouds)], axis=0)
        denser = replace(found, log_density=np.logaddexp(found.log_density, cloud.log_density(found.points)))
        found = _joined(denser, _at(drawn, density, surrogate, targets, noise))
    return found


def _lacking(known: Posterior) -> Array | None:
    """Return the log probability (k,) that too few points carry: by all rows, or without the worst one of them."""
    whole = known.log_probability()
    if _count(_shares(whole - known.log_density)) < ENOUGH:
        return whole
    partial = [known.log_probability(known.without(int(row))) for row in np.flatnonzero(known.targets.used)]
    counts = [_count(_shares(one - known.log_density)) for one in partial]
    return partial[int(np.argmin(counts))] if min(counts, default=np.inf) < ENOUGH_WITHOUT else None


def _at(points: Array, log_density: Array, surrogate: Surrogate, targets: Targets, noise: Array | None) -> Posterior:
    mean, whole = surrogate.predict(points)
    sd = whole if noise is None else np.sqrt(surrogate.latent_sd(points) ** 2 + noise)
    return Posterior(targets, points, log_density, mean, sd, log_likelihood(mean, sd, targets))


def _joined(one: Posterior, other: Posterior) -> Posterior:
    """Return the points of both."""
    names = ("points", "log_density", "mean", "sd", "log_likelihood")
    return Posterior(one.targets, *(np.concatenate([getattr(one, name), getattr(other, name)]) for name in names))


@dataclass(frozen=True, eq=False, slots=True)
class _Cloud:
    """Normal distributions about some centres (c, d), all of one covariance ``factor factor'``."""

    centres: Array
    factor: Array

    def drawn(self, seed: int) -> Array:
        """Return points (k, d) within the box."""
        count, dimensions = self.centres.shape
        uniform = sobol_points(1 + dimensions, seed, POINTS)
        steps = ndtri(uniform[:, 1:].clip(TINY, 1 - TINY)) @ self.factor.T
        points = self.centres[(uniform[:, 0] * count).astype(int)] + steps
        return np.asarray(points[np.all((points >= 0) & (points <= 1), axis=1)])

    def log_density(self, points: Array) -> Array:
        """Return the logarithm of the density (k,) at points (k, d)."""
        one, other = (solve_triangular(self.factor, x.T, lower=True).T for x in (points, self.centres))
        apart = -cdist(one, other, "sqeuclidean") / 2
        count, dimensions = self.centres.shape
        size = np.log(np.diag(self.factor)).sum() + dimensions / 2 * np.log(2 * np.pi) + np.log(count)
        return np.asarray(logsumexp(apart, axis=1) - size)


def _cloud(known: Posterior, log_probability: Array) -> _Cloud:
    """Return a kernel density estimate of what enough points carry of the probability."""
    weight = _cut_off(log_probability, known.log_density)
    dimensions = known.points.shape[1]
    spread = known.points - weight @ known.points
    width = (4 * np.sum(weight**2) / (dimensions + 2)) ** (1 / (dimensions + 4))  # Silverman's
    covariance = spread.T @ (spread * weight[:, None]) + TINY * np.eye(dimensions)
    ladder = (np.arange(CENTRES) + 0.5) / CENTRES
    chosen = np.searchsorted(np.cumsum(weight), ladder).clip(0, len(weight) - 1)
    return _Cloud(known.points[chosen], width * np.linalg.cholesky(covariance))


def _cut_off(log_probability: Array, log_density: Array) -> Array:
    """Return the points' shares (k,) of the probability, cut off at the greatest height that leaves enough of them.

    A power of the probability in its place does not rise steadily: with the model's error unknown, it jumps from far
    around to the core.
    """
    heights = np.sort(log_probability)
    low, high = 0, len(heights) - 1
    while low < high:
        middle = (low + high + 1) // 2
        enough = _count(_shares(np.minimum(log_probability, heights[middle]) - log_density)) >= ENOUGH_CENTRES
        low, high = (middle, high) if enough else (low, middle - 1)
    return _shares(np.minimum(log_probability, heights[low]) - log_density)


def _count(shares: Array) -> float:
    """Return the effective number of points that have these shares."""
    return float(1 / np.sum(shares**2))


def _shares(logs: Array) -> Array:
    """Return what is in proportion to the exponentials, of sum 1."""
    found = np.exp(logs - logs.max())
    return np.asarray(found / found.sum())


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
