"""The posterior of a calibration by adaptive importance sampling."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, ndtri

from mesoforge.optimize.posterior import Posterior, Targets, effective_number, log_likelihood, shares
from mesoforge.optimize.sequence import sobol_points
from mesoforge.surrogate.table import Array, Surrogate

POINTS = 2**11
ROUNDS = 25
ENOUGH = 1000.0
"""Effective number of points at which no further ones are drawn."""
ENOUGH_WITHOUT = 200.0
"""The same at which no further ones are drawn for what the data say without one of the rows."""
CENTRES, ENOUGH_CENTRES = 256, 128.0
"""Points about which the next ones are drawn, and the least effective number of those that these are chosen from."""
TINY = 1e-12


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
    if effective_number(shares(whole - known.log_density)) < ENOUGH:
        return whole
    partial = [known.log_probability(known.without(int(row))) for row in np.flatnonzero(known.targets.used)]
    counts = [effective_number(shares(one - known.log_density)) for one in partial]
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
        enough = effective_number(shares(np.minimum(log_probability, heights[middle]) - log_density)) >= ENOUGH_CENTRES
        low, high = (middle, high) if enough else (low, middle - 1)
    return shares(np.minimum(log_probability, heights[low]) - log_density)
