"""The probability of success, learned from successes and failures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm, qmc

from mesoforge.errors import InputError
from mesoforge.surrogate.viability import SCALE, fit_viability

X = qmc.Sobol(3, rng=np.random.default_rng(1)).random(64)
Z = qmc.Sobol(3, rng=np.random.default_rng(2)).random(256)


def test_a_border_across_one_input_is_learned_from_a_dozen_points() -> None:
    bad = X[:12, 0] > 0.7
    found = fit_viability(X[:12][~bad], X[:12][bad]).probability(Z) > 0.5
    assert np.mean(found == (Z[:, 0] <= 0.7)) > 0.88


def test_probabilities_are_calibrated_where_success_is_chance() -> None:
    lucky = np.random.default_rng(3).random(64) < 0.7
    found = fit_viability(X[lucky], X[~lucky]).probability(Z)
    assert np.mean(found) == pytest.approx(0.7, abs=0.12)
    assert np.ptp(found) < 0.6


def test_a_failure_darkens_its_surroundings_and_not_the_rest() -> None:
    viability = fit_viability(X[:12], np.array([[0.5, 0.5, 0.5]]))
    here, near, far = viability.probability(np.array([[0.5, 0.5, 0.5], [0.51, 0.5, 0.49], [0.02, 0.95, 0.97]]))
    assert here < 0.5
    assert near < 0.5
    assert far > 0.7


def test_one_point_has_the_probability_that_the_closed_form_gives() -> None:
    """With one success, the mode solves f = k phi(f + m) / Phi(f + m)."""
    viability = fit_viability(X[:1], np.empty((0, 3)))
    mean = np.sqrt(1 + SCALE) * norm.ppf(2 / 3)
    latent = 0.0
    for _ in range(200):
        latent = latent / 2 + SCALE * norm.pdf(latent + mean) / norm.cdf(latent + mean) / 2
    ratio = norm.pdf(latent + mean) / norm.cdf(latent + mean)
    curve = ratio**2 + (latent + mean) * ratio
    variance = SCALE - SCALE**2 / (SCALE + 1 / curve)
    expected = norm.cdf((latent + mean) / np.sqrt(1 + variance))
    assert viability.probability(X[:1])[0] == pytest.approx(expected, rel=1e-5)


def test_the_slope_is_that_of_the_probability() -> None:
    viability = fit_viability(X[:20], X[20:28])
    point = torch.tensor(Z[:1], dtype=torch.double, requires_grad=True)
    (slope,) = torch.autograd.grad(viability.log_probability(point).sum(), point)
    step = np.array([[1e-5, 0, 0]])
    up, down = (np.log(viability.probability(Z[:1] + sign * step)) for sign in (1, -1))
    assert float(slope[0, 0]) == pytest.approx(float((up - down)[0]) / 2e-5, rel=1e-4)


def test_choices_that_fail_are_told_apart_whatever_their_order() -> None:
    points = X.copy()
    points[:, 0] = (np.floor(points[:, 0] * 3) + 0.5) / 3
    bad = np.isclose(points[:, 0], 0.5)
    viability = fit_viability(points[~bad], points[bad], (3, 0, 0))
    low, middle, high = viability.probability(np.array([[1 / 6, 0.5, 0.5], [0.5, 0.5, 0.5], [5 / 6, 0.5, 0.5]]))
    assert middle < 0.2 < 0.8 < min(low, high)


def test_a_point_outside_the_cube_is_refused() -> None:
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        fit_viability(X[:3], X[3:5]).probability(X[:1] + 2)
