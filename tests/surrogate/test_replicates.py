"""Noise from replicates, and whether to repeat or to explore."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesoforge.surrogate.gp import fit_gp
from mesoforge.surrogate.replicates import _moves, pooled_variance, with_known_noise, worth_repeating
from mesoforge.surrogate.table import Array, Table

PLACES = np.linspace(0, 1, 9)[:, None]


def replicated(noise: float, seeds: int = 3) -> Table:
    X = np.repeat(PLACES, seeds, axis=0)
    exact = -((X - 0.6) ** 2)
    return Table(X, exact + noise * np.random.default_rng(1).standard_normal(exact.shape), ("y",))


def itself(Y: Array) -> Array:
    return np.asarray(Y[..., 0].max(axis=1))


def test_the_variance_is_pooled_over_conditions_as_in_an_analysis_of_variance() -> None:
    X = np.array([[0.1], [0.1], [0.5], [0.5], [0.5], [0.9]])
    Y = np.array([[1.0], [3.0], [10.0], [11.0], [12.0], [5.0]])
    variance, freedom = pooled_variance(Table(X, Y, ("y",)))
    assert freedom == 3
    assert variance[0] == pytest.approx((2.0 + 2.0) / 3)


def test_electrodes_of_one_slurry_count_once() -> None:
    X = np.full((4, 1), 0.5)
    table = Table(X, np.array([[1.0], [3.0], [5.0], [7.0]]), ("y",))
    variance, freedom = pooled_variance(table, [1, 1, 2, 2])
    assert (variance[0], freedom) == (pytest.approx(8.0), 1)
    assert pooled_variance(table, [1, 1, 1, 1])[1] == 0


def test_the_noise_of_few_or_equal_replicates_is_not_believed() -> None:
    few = replicated(0.05, seeds=1)
    assert with_known_noise(few) is few
    exact = replicated(0.0)
    assert with_known_noise(exact) is exact


def test_a_mean_of_n_replicates_weighs_as_one_row_of_the_nth_part_of_the_variance() -> None:
    table = with_known_noise(replicated(0.02))
    assert table.noise_variance is not None
    variance = float(table.noise_variance[0, 0])
    assert variance == pytest.approx(0.02**2, rel=0.6)
    means = Table(PLACES, table.Y.reshape(9, 3).mean(axis=1)[:, None], ("y",), np.full((9, 1), variance / 3))
    whole, condensed = fit_gp(table), fit_gp(means)
    X = np.array([[0.33], [0.61]])
    np.testing.assert_allclose(whole.predict(X)[0], condensed.predict(X)[0], atol=0.01)
    sd, latent = whole.predict(X)[1], whole.latent_sd(X)
    np.testing.assert_allclose(sd**2 - latent**2, variance, rtol=1e-3)


def test_it_does_not_pay_to_repeat_what_is_known_exactly() -> None:
    gp = fit_gp(replicated(0.0, seeds=1))
    assert worth_repeating(gp, PLACES, np.array([0.55]), itself) is None


def test_it_pays_to_repeat_the_best_where_the_other_point_is_known_to_be_bad() -> None:
    noisy = replicated(0.05, seeds=2)
    gp = fit_gp(replace(noisy, noise_variance=np.full(noisy.Y.shape, 0.05**2)))
    best = worth_repeating(gp, PLACES, np.array([0.02]), itself)
    assert best is not None
    assert abs(PLACES[best, 0] - 0.6) < 0.3


def test_what_is_being_measured_counts_as_measured_though_not_what_it_will_say() -> None:
    noisy = replicated(0.05, seeds=1)
    gp = fit_gp(replace(noisy, noise_variance=np.full(noisy.Y.shape, 0.05**2)))
    place, none = np.array([[0.6]]), np.zeros((0, 1))
    alone, then = (_moves(gp, place, running) for running in (none, place))
    latent = gp.latent_sd(place) ** 2
    left = 1 / (1 / latent + 1 / 0.05**2)
    assert alone.mean == then.mean
    np.testing.assert_allclose(alone.by[0], latent / np.sqrt(latent + 0.05**2), rtol=1e-5)
    np.testing.assert_allclose(then.by[0], left / np.sqrt(left + 0.05**2), rtol=1e-5)
