"""Outputs that are learned by their logarithm, back in their own units: what is normal there is log-normal here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mesoforge.surrogate.table import Array, Which

if TYPE_CHECKING:
    from mesoforge.surrogate.gp import GaussianProcess


def in_units(mean: Array, variance: Array, logs: Which) -> tuple[Array, Array]:
    """Return mean and standard deviation (..., m) of new measurements, of the processes' mean and variance (..., m).

    Of the outputs that ``logs`` (m,) names, E y = exp(mean + variance / 2) and Var y = (E y)^2 (exp(variance) - 1).
    """
    if not logs.any():
        return mean, np.sqrt(variance)
    whole, sd = mean.copy(), np.sqrt(variance)
    whole[..., logs] = np.exp(mean[..., logs] + variance[..., logs] / 2)
    sd[..., logs] = whole[..., logs] * np.sqrt(np.expm1(variance[..., logs]))
    return whole, sd


def together_in_units(mean: Array, covariance: Array, noise: Array, logs: bool) -> tuple[Array, Array, Array]:
    """Return mean (k,) and covariance (k, k) of means over seeds at k points, and the variance (k,) of a seed.

    They are given of the output as it is learned. Of a logarithm g with noise s^2 means are f = exp(g + s^2 / 2), and
    Cov(f_i, f_j) = E f_i E f_j (exp(Cov(g_i, g_j)) - 1).
    """
    if not logs:
        return mean, covariance, noise
    latent = np.diag(covariance)
    mean = np.exp(mean + (latent + noise) / 2)
    return mean, np.outer(mean, mean) * np.expm1(covariance), mean**2 * (np.exp(latent + noise) - np.exp(latent))


def expected(gp: GaussianProcess) -> Callable[[Tensor], Tensor]:
    """Return what maps functions drawn from the processes (..., m) to the outputs' means over seeds there (..., m).

    It is exp(g + s^2 / 2) of a logarithm g with noise s^2: the mean of many electrodes, which a confirmation measures.
    """
    logs = gp.table.logged
    if not logs.any():
        return lambda drawn: drawn
    chosen, raised = torch.as_tensor(logs), torch.as_tensor(gp.log_noise / 2)

    def means(drawn: Tensor) -> Tensor:
        exponent = torch.where(chosen, drawn + raised, 0.0)  # others might overflow, and so spoil the slope
        found: Tensor = torch.where(chosen, torch.exp(exponent), drawn)
        return found

    return means


@dataclass(frozen=True, eq=False, slots=True)
class Moves:
    """What is known of the outputs at k points, ``mean`` (k, m) in their units, and how it may come to move.

    ``by`` (h, k, m) is by how much one standard deviation of what the i-th of h measurements may give moves the mean at
    each point, Cov(f(x), y_i) / sqrt(Var y_i), given all that was measured and all places that are being measured; of
    outputs that ``logs`` (m,) names it is of the logarithm.
    """

    mean: Array
    by: Array
    logs: Which

    def after(self, offer: int, rows: Sequence[int], normal: Array) -> Array:
        """Return the means (n, j, m) of j rows after a measurement that gives normal draws (n, 1, m).

        A mean of logarithms moves by b z, that of the output then by the factor exp(b z - b^2 / 2), of mean 1.
        """
        mean, by = self.mean[rows], self.by[offer][rows]
        step = by * normal
        found = mean + step
        if self.logs.any():
            found[..., self.logs] = mean[:, self.logs] * np.exp((step - by**2 / 2)[..., self.logs])
        return np.asarray(found)
