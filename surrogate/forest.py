"""A random forest by scikit-learn: a second opinion that takes nothing for smooth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from mesoforge.surrogate.table import Array, Table, check_inputs, check_noise_inferred

TREES = 300
LEAST_LEAF = 2
"""Rows in a leaf: one alone would be noise."""


@dataclass(frozen=True, eq=False, slots=True)
class Forest:
    """One forest for each output; ``error`` (m,) is the root mean square error of rows foretold without them.

    A row is foretold by the trees that did not see it (out of bag, Breiman 2001), noise included. What trees differ by
    is the standard deviation of the noise-free function, as far as it is below that error.
    """

    table: Table
    models: tuple[RandomForestRegressor, ...]
    error: Array

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return mean (k, m) and standard deviation (k, m) of one new measurement at X (k, d), its noise included."""
        check_inputs(X, self.table.X.shape[1])
        return np.column_stack([model.predict(X) for model in self.models]), np.tile(self.error, (len(X), 1))

    def latent_sd(self, X: Array) -> Array:
        """Return the standard deviation (k, m) of the noise-free function at X (k, d)."""
        check_inputs(X, self.table.X.shape[1])
        trees = [np.std([tree.predict(X) for tree in model.estimators_], axis=0) for model in self.models]
        return np.asarray(np.minimum(np.column_stack(trees), self.error))


def fit_forest(table: Table, seed: int = 0) -> Forest:
    """Grow a forest for each output; the same table and seed give the same one.

    Raises:
        InputError: The table gives its noise variance; the forest infers it.
    """
    check_noise_inferred(table)
    models = tuple(_grown(table.X, y, seed) for y in table.Y.T)
    error = [np.sqrt(np.mean((model.oob_prediction_ - y) ** 2)) for model, y in zip(models, table.Y.T, strict=True)]
    return Forest(table, models, np.array(error))


def _grown(X: Array, y: Array, seed: int) -> RandomForestRegressor:
    forest = RandomForestRegressor(TREES, min_samples_leaf=LEAST_LEAF, oob_score=True, random_state=seed, n_jobs=1)
    return forest.fit(X, y)
