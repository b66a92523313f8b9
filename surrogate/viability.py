"""Where things work: a Gaussian process that learns from successes and failures how probable a success is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mesoforge.surrogate.door import calm, tensor
from mesoforge.surrogate.table import Array, check_inputs

LENGTHS: Final = (0.1, 0.2, 0.35, 0.6, 1.0, 1.7)
"""Lengths that are weighed, in the unit cube's sides."""
SCALE: Final = 16.0
"""Variance of the latent function: failures are taken for properties of a place, seldom for chance."""
NEWTON: Final = 30
CLOSE: Final = 1e-6
JITTER: Final = 1e-8


@dataclass(frozen=True, eq=False, slots=True)
class Viability:
    """A classifier: success where a latent Gaussian process plus standard normal noise is above 0 (probit).

    The latent function is a sum of each input's own effect and a joint one, as in `kernel.Effects`, about the mean that
    the share of successes suggests; the posterior is Laplace's (Rasmussen and Williams 2006, algorithms 3.1 and 3.2).
    The length is the one of most evidence.
    """

    X: Tensor
    length: float
    mean: float
    pull: Tensor
    root: Tensor
    factor: Tensor
    categories: tuple[int, ...]

    def probability(self, X: Array) -> Array:
        """Return the probability (k,) that a new attempt at X (k, d) succeeds."""
        check_inputs(X, self.X.shape[1])
        with torch.no_grad(), calm():
            return np.asarray(torch.exp(self.log_probability(tensor(X))).numpy())

    def log_probability(self, X: Tensor) -> Tensor:
        """Return the logarithm of that probability (...,) at X (..., d), with its slope.

        Formula: mean = m + k* . grad, variance = k** - |L^-1 W^1/2 k*|^2, p = Phi(mean / sqrt(1 + variance)).
        """
        across = _covariance(X.reshape(-1, X.shape[-1]), self.X, self.length, self.categories)
        mean = self.mean + across @ self.pull
        solved = torch.linalg.solve_triangular(self.factor, self.root.unsqueeze(-1) * across.T, upper=False)
        variance = torch.clamp(SCALE - (solved**2).sum(0), min=0)
        found: Tensor = torch.special.log_ndtr(mean / torch.sqrt(1 + variance)).reshape(X.shape[:-1])
        return found


def fit_viability(succeeded: Array, failed: Array, categories: Sequence[int] = ()) -> Viability:
    """Learn from points of the unit cube, (n, d) and (k, d), together at least one, where things worked and failed."""
    X = tensor(np.vstack([succeeded, failed]))
    y = torch.cat([torch.ones(len(succeeded)), -torch.ones(len(failed))]).double()
    share = (len(succeeded) + 1) / (len(X) + 2)
    mean = math.sqrt(1 + SCALE) * float(torch.special.ndtri(torch.tensor(share, dtype=torch.double)))
    with torch.no_grad(), calm():
        fits = [_laplace(X, y, length, mean, tuple(categories)) for length in LENGTHS]
    return max(fits, key=lambda fit: fit[0])[1]


def _laplace(X: Tensor, y: Tensor, length: float, mean: float, categories: tuple[int, ...]) -> tuple[float, Viability]:
    """Return the log evidence of a length and the posterior, by Newton's steps to the mode of the latent values."""
    K = _covariance(X, X, length, categories) + JITTER * torch.eye(len(X)).double()
    latent, weights = torch.zeros_like(y), torch.zeros_like(y)
    before = -math.inf
    for _ in range(NEWTON):
        slope, curve = _slopes(y, latent + mean)
        root = torch.sqrt(curve)
        factor = torch.linalg.cholesky(torch.eye(len(X)).double() + root.unsqueeze(-1) * K * root)
        b = curve * latent + slope
        solved = torch.cholesky_solve((root * (K @ b)).unsqueeze(-1), factor).squeeze(-1)
        weights = b - root * solved
        latent = K @ weights
        value = float(-weights @ latent / 2 + torch.special.log_ndtr(y * (latent + mean)).sum())
        if value - before < CLOSE:
            break
        before = value
    evidence = value - float(torch.log(torch.diagonal(factor)).sum())
    slope, curve = _slopes(y, latent + mean)
    return evidence, Viability(X, length, mean, slope, torch.sqrt(curve), _factor(K, curve), categories)


def _factor(K: Tensor, curve: Tensor) -> Tensor:
    root = torch.sqrt(curve)
    found: Tensor = torch.linalg.cholesky(torch.eye(len(K)).double() + root.unsqueeze(-1) * K * root)
    return found


def _slopes(y: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
    """Return first derivative and minus the second of log Phi(y f) (Rasmussen and Williams, equation 3.16)."""
    ratio = torch.exp(-(f**2) / 2 - math.log(2 * math.pi) / 2 - torch.special.log_ndtr(y * f))
    return y * ratio, torch.clamp(ratio**2 + y * f * ratio, min=1e-12)


def _covariance(one: Tensor, other: Tensor, length: float, categories: tuple[int, ...]) -> Tensor:
    """Return s/2 mean_i exp(-d_i^2 / 2 l^2) + s/2 exp(-mean_i d_i^2 / 2 l^2), (n, k)."""
    square = (one.unsqueeze(-2) - other.unsqueeze(-3)) ** 2
    for axis, count in ((axis, count) for axis, count in enumerate(categories) if count):
        parts = [torch.clamp((x[..., axis] * count).floor(), max=count - 1) for x in (one, other)]
        square[..., axis] = (parts[0].unsqueeze(-1) != parts[1].unsqueeze(-2)).to(square)
    scaled = -square / (2 * length**2)
    found: Tensor = SCALE / 2 * (torch.exp(scaled).mean(-1) + torch.exp(scaled.mean(-1)))
    return found
