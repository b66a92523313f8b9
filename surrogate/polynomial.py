"""A polynomial of the second degree by scikit-learn: what response surfaces are made of, as a second opinion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import BayesianRidge
from sklearn.preprocessing import PolynomialFeatures

from mesoforge.surrogate.table import Array, Table, check_inputs, check_noise_inferred

DEGREE = 2


@dataclass(frozen=True, eq=False, slots=True)
class Polynomial:
    """For each output y = sum_j b_j phi_j(x) + e, phi_j all terms up to the second degree, b_j and e normal.

    The variances of b and e are those of most evidence (Bishop 2006, section 3.5). An input that is one of several
    choices has a term for each of them.
    """

    table: Table
    models: tuple[BayesianRidge, ...]
    centre: Array
    spread: Array

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return mean (k, m) and standard deviation (k, m) of one new measurement at X (k, d), its noise included."""
        check_inputs(X, self.table.X.shape[1])
        found = [model.predict(_terms(X, self.table.categories), return_std=True) for model in self.models]
        means, sds = (np.column_stack(columns) for columns in zip(*found, strict=True))
        return np.asarray(self.centre + self.spread * means), np.asarray(self.spread * sds)

    def latent_sd(self, X: Array) -> Array:
        """Return the standard deviation (k, m) of the noise-free function at X (k, d)."""
        noise = self.spread**2 / np.array([model.alpha_ for model in self.models])
        return np.asarray(np.sqrt(np.maximum(self.predict(X)[1] ** 2 - noise, 0)))


def fit_polynomial(table: Table) -> Polynomial:
    """Fit the polynomial of each output.

    Raises:
        InputError: The table gives its noise variance; the polynomial infers it.
    """
    check_noise_inferred(table)
    terms, centre, spread = _terms(table.X, table.categories), table.Y.mean(axis=0), table.Y.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    models = tuple(BayesianRidge().fit(terms, y) for y in ((table.Y - centre) / spread).T)
    return Polynomial(table, models, centre, spread)


def _terms(X: Array, categories: tuple[int, ...]) -> Array:
    """Return the terms (k, p) at points of the unit cube, choices as columns of 0 and 1."""
    counts = categories or (0,) * X.shape[1]
    columns = [_column(x, count) for x, count in zip(X.T, counts, strict=True)]
    return np.asarray(PolynomialFeatures(DEGREE, include_bias=False).fit_transform(np.hstack(columns)))


def _column(x: Array, count: int) -> Array:
    if not count:
        return 2 * x[:, None] - 1
    return np.asarray(np.minimum((x * count).astype(int), count - 1)[:, None] == np.arange(count), dtype=float)
