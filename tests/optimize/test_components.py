"""Principal components of what rows miss by: laws of a rotation, and what is left where there are few sets."""

from __future__ import annotations

import numpy as np
import pytest

from mesoforge.optimize.components import LEAST, components


def squares(lines: np.ndarray) -> np.ndarray:
    return np.asarray((lines**2).sum(axis=1))


def test_the_sum_of_squares_of_each_set_stays() -> None:
    misses = np.random.default_rng(0).normal(3, 10, (9, 4))
    found = components(misses)
    assert found.shape == (9, 4)
    np.testing.assert_allclose(squares(found), squares(misses))


def test_the_columns_are_uncorrelated_the_widest_first() -> None:
    rng = np.random.default_rng(1)
    misses = rng.normal(size=(40, 1)) * [1.0, 0.9, 1.1] + 0.1 * rng.normal(size=(40, 3))
    spread = np.cov(components(misses).T)
    np.testing.assert_allclose(spread - np.diag(np.diag(spread)), 0, atol=1e-12)
    first, second, third = np.diag(spread)
    assert first > 50 * second
    assert second > third


def test_what_two_rows_have_in_common_and_what_they_differ_by_are_apart() -> None:
    level, apart = np.array([-40.0, -10, 10, 40]), np.array([0.2, -0.2, -0.2, 0.2])
    found = components(np.column_stack([level + apart, level - apart]))
    np.testing.assert_allclose(np.abs(found), np.sqrt(2) * np.abs(np.column_stack([level, apart])), rtol=1e-3)


def test_of_more_rows_than_sets_the_rest_is_one_number() -> None:
    misses = np.random.default_rng(2).normal(1, 5, (4, 30))
    found = components(misses)
    assert found.shape == (4, 4)  # four lines differ in three directions
    assert np.ptp(found[:, -1]) == 0
    assert found[0, -1] > 1
    np.testing.assert_allclose(squares(found), squares(misses))


@pytest.mark.parametrize("noise", [0.0, LEAST / 100])
def test_rows_that_do_not_differ_are_one_number(noise: float) -> None:
    misses = np.tile([3.0, 4.0], (5, 1)) + noise * np.random.default_rng(3).normal(size=(5, 2))
    np.testing.assert_allclose(components(misses), np.full((5, 1), 5.0), rtol=1e-4)
