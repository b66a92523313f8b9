"""How far measurements lie from what a surrogate of simulations foretells: one shift for each output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from mesoforge.surrogate.door import GPyTorchPosterior, calm, tensor
from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.scale import together_in_units
from mesoforge.surrogate.table import Array, check_inputs

LEAST_SD = 1e-9  # of an output's spread: keeps the covariance of exact measurements positive


@dataclass(frozen=True, slots=True)
class Shift:
    """Measured minus simulated of one output: ``mean`` and ``sd`` of the shift, from ``count`` measurements.

    ``before`` and ``after`` are root mean square differences without and with the shift; ``z`` is that after it in
    standard deviations of what was to be expected: far above 1, one shift does not explain the measurements.
    """

    mean: float
    sd: float
    count: int
    before: float
    after: float
    z: float


def shifts(gp: GaussianProcess, X: Array, Y: Array, sds: Array) -> dict[str, Shift]:
    """Return the shift of each output that was measured.

    Model: y_i = f(x_i) + b + e_i with f the output's mean over seeds, e_i ~ N(0, s_i^2), and b ~ N(0, spread^2) before
    anything was measured; with r = y - E f and C = Cov f + diag(s^2), b has the precision 1'C^-1 1 + 1 / spread^2.

    Args:
        gp: of simulations.
        X: points (n, d) of the unit cube.
        Y: what was measured there, (n, m); not a number where it was not.
        sds: standard deviations (n, m) of the measurements; not a number where unknown, then as seed to seed.
    """
    check_inputs(X, gp.table.X.shape[1])
    found = {}
    for column, name in enumerate(gp.table.names):
        known = np.isfinite(Y[:, column])
        if known.any():
            spread = float(gp.table.Y[:, column].std()) or 1.0
            found[name] = _shift(_foretold(gp, column, X[known]), Y[known, column], sds[known, column], spread)
    return found


def _foretold(gp: GaussianProcess, column: int, X: Array) -> tuple[Array, Array, Array]:
    """Return mean (k,) and covariance (k, k) of an output's means over seeds at X, and the variance (k,) of a seed."""
    with torch.no_grad(), calm():
        posterior = cast("GPyTorchPosterior", gp.models[column].posterior(tensor(X)))
        mean, covariance = posterior.mean.flatten().numpy(), posterior.distribution.covariance_matrix.numpy()
        noisy = cast("GPyTorchPosterior", gp.models[column].posterior(tensor(X), observation_noise=True))
        seed = noisy.variance.flatten().numpy() - np.diag(covariance)
    return together_in_units(mean, covariance, seed, bool(gp.table.logged[column]))


def _shift(foretold: tuple[Array, Array, Array], y: Array, sds: Array, spread: float) -> Shift:
    mean, covariance, seed = foretold
    own = np.where(np.isfinite(sds), sds**2, seed) + (LEAST_SD * spread) ** 2
    inverse = np.linalg.inv(covariance + np.diag(own))
    residual = y - mean
    precision = inverse.sum() + 1 / spread**2
    shift = float((inverse @ residual).sum() / precision)
    left = residual - shift
    expected = np.diag(covariance) + own
    return Shift(
        shift,
        float(1 / math.sqrt(precision)),
        len(y),
        float(np.sqrt(np.mean(residual**2))),
        float(np.sqrt(np.mean(left**2))),
        float(np.sqrt(np.mean(left**2 / expected))),
    )
