"""The plain twin: Gaussian processes by scikit-learn, of all outputs as they are, as a second opinion."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, WhiteKernel

from mesoforge.surrogate.table import Array, Table, check_inputs, check_noise_inferred

RESTARTS = 2
LEAST_NOISE = 1e-4  # variance, in units of the output's own variance: what BoTorch's likelihood allows too


@dataclass(frozen=True, eq=False, slots=True)
class Twin:
    """One scikit-learn Gaussian process for each output, without priors on its hyperparameters."""

    table: Table
    models: tuple[GaussianProcessRegressor, ...]

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return mean (k, m) and standard deviation (k, m) of one new measurement at X (k, d), its noise included."""
        check_inputs(X, self.table.X.shape[1])
        means, sds = zip(*(model.predict(X, return_std=True) for model in self.models), strict=True)
        return np.column_stack(means), np.column_stack(sds)

    def latent_sd(self, X: Array) -> Array:
        """Return the standard deviation (k, m) of the noise-free function at X (k, d)."""
        noise = np.array([model.kernel_.k2.noise_level for model in self.models]) * self._spread() ** 2
        return np.sqrt(np.maximum(self.predict(X)[1] ** 2 - noise, 0))

    def _spread(self) -> Array:
        spread = self.table.Y.std(axis=0)
        return np.where(spread > 0, spread, 1.0)


def fit_twin(table: Table, seed: int = 0) -> Twin:
    """Fit k(x, x') = s^2 exp(-|(x - x') / l|^2 / 2) + noise to each output by its marginal likelihood.

    Raises:
        InputError: The table gives its noise variance; the twin infers it.
    """
    check_noise_inferred(table)
    kernel = ConstantKernel() * RBF(np.full(table.X.shape[1], 0.5)) + WhiteKernel(0.1, (LEAST_NOISE, 10))
    return Twin(table, tuple(_fit(table.X, y, kernel, seed) for y in table.Y.T))


def _fit(X: Array, y: Array, kernel: Kernel, seed: int) -> GaussianProcessRegressor:
    model = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=RESTARTS, random_state=seed)
    with warnings.catch_warnings():
        # An input that does not matter, or data without noise, rightly ends at a bound of its hyperparameter.
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        return model.fit(X, y)
