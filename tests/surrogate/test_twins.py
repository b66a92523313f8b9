"""Second opinions behind the same protocol: forest, polynomial and scikit-learn's Gaussian process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesoforge.errors import InputError
from mesoforge.surrogate.forest import fit_forest
from mesoforge.surrogate.polynomial import fit_polynomial
from mesoforge.surrogate.table import Array, Builder, Table
from mesoforge.surrogate.twin import fit_twin
from mesoforge.surrogate.validation import NORMAL_95, loo_by_refits

NOISE = 0.1
TWINS = [pytest.param(one, id=one.__name__) for one in (fit_forest, fit_polynomial, fit_twin)]


def truth(X: Array) -> Array:
    """Return a plane with a bend, and a constant."""
    return np.column_stack([X[:, 0] - 2 * X[:, 1] + X[:, 0] * X[:, 1] + 1.5 * X[:, 0] ** 2, np.full(len(X), 7.0)])


def noisy(rows: int, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    X = rng.random((rows, 2))
    return Table(X, truth(X) + np.array([NOISE, 0]) * rng.standard_normal((rows, 2)), ("bend", "constant"))


@pytest.mark.parametrize("build", TWINS)
def test_every_twin_foretells_new_rows_with_honest_intervals(build: Builder) -> None:
    found, new = build(noisy(150)), noisy(300, seed=1)
    mean, sd = found.predict(new.X)
    assert 1 - np.var(new.Y[:, 0] - mean[:, 0]) / np.var(new.Y[:, 0]) > 0.9
    assert 0.88 < np.mean(np.abs(new.Y[:, 0] - mean[:, 0]) < NORMAL_95 * sd[:, 0]) <= 1
    np.testing.assert_allclose(mean[:, 1], 7.0, atol=1e-6)
    assert np.all(found.latent_sd(new.X) <= sd + 1e-12)
    assert np.array_equal(build(noisy(150)).predict(new.X), (mean, sd))


@pytest.mark.parametrize("build", TWINS)
def test_twins_take_part_in_validation_and_refuse_what_they_cannot_use(build: Builder) -> None:
    table = noisy(12)
    assert loo_by_refits(replace(table, Y=table.Y[:, [0]], names=("bend",)), build).mean.shape == (12, 1)
    with pytest.raises(InputError, match="gives a noise variance, but it is inferred here: use fit_gp"):
        build(replace(table, noise_variance=np.full(table.Y.shape, 0.01)))
    with pytest.raises(InputError, match="outside"):
        build(table).predict(np.array([[0.5, 1.5]]))


def test_a_polynomial_is_found_again_and_so_are_choices() -> None:
    X = np.random.default_rng(3).random((60, 2))
    Y = (np.array([1.0, -2.0, 5.0])[(X[:, 1] * 3).astype(int)] + X[:, 0] ** 2)[:, None]
    found = fit_polynomial(Table(X, Y, ("y",), categories=(0, 3)))
    places = np.array([[0.5, 0.1], [0.5, 0.5], [0.5, 0.9]])
    np.testing.assert_allclose(found.predict(places)[0][:, 0], [1.25, -1.75, 5.25], atol=0.02)
