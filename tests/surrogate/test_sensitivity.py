"""Sobol indices against the closed form."""

from __future__ import annotations

import numpy as np

from mesoforge.surrogate.gp import GaussianProcess, fit_gp
from mesoforge.surrogate.sensitivity import sobol_indices
from mesoforge.surrogate.table import Table


def linear(rows: int) -> GaussianProcess:
    rng = np.random.default_rng(0)
    X = rng.random((rows, 3))
    y = 4 * X[:, 0] + 2 * X[:, 1] + 0.05 * rng.standard_normal(rows)
    return fit_gp(Table(X, np.column_stack([y, np.full(rows, 3.0)]), ("line", "flat")))


def test_indices_of_a_line_are_those_of_its_slopes_squared() -> None:
    found = sobol_indices(linear(30))["line"]
    np.testing.assert_allclose(found.first, [0.8, 0.2, 0], atol=0.04)
    np.testing.assert_allclose(found.total, [0.8, 0.2, 0], atol=0.04)


def test_error_bars_shrink_with_more_points_and_draws_are_repeatable() -> None:
    few, many = linear(6), linear(30)
    assert np.all(sobol_indices(few)["line"].total_sd > 2 * sobol_indices(many)["line"].total_sd)
    assert np.array_equal(sobol_indices(few)["line"].total, sobol_indices(few)["line"].total)
