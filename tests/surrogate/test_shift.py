"""The shift between measurements and a surrogate of simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from mesoforge.surrogate.gp import GaussianProcess, fit_gp
from mesoforge.surrogate.shift import shifts
from mesoforge.surrogate.table import Array, Table

X = qmc.Sobol(2, rng=np.random.default_rng(1)).random(64)


def simulated(points: Array) -> Array:
    return np.column_stack([points[:, 0] ** 2 + points[:, 1], np.cos(2 * points[:, 1])])


@pytest.fixture(scope="module")
def gp() -> GaussianProcess:
    noise = 0.01 * np.random.default_rng(3).standard_normal((24, 2))
    return fit_gp(Table(X[:24], simulated(X[:24]) + noise, ("a", "b")))


def test_a_constant_shift_is_found_with_its_uncertainty(gp: GaussianProcess) -> None:
    rng = np.random.default_rng(5)
    points = X[30:38]
    measured = simulated(points) + np.array([0.2, -0.05]) + 0.02 * rng.standard_normal((8, 2))
    found = shifts(gp, points, measured, np.full((8, 2), 0.02))
    assert found["a"].mean == pytest.approx(0.2, abs=3 * found["a"].sd)
    assert found["b"].mean == pytest.approx(-0.05, abs=3 * found["b"].sd)
    assert 0.004 < found["a"].sd < 0.03
    assert found["a"].after < found["a"].before / 4
    assert found["a"].z < 2


def test_one_exact_measurement_leaves_what_the_surrogate_does_not_know(gp: GaussianProcess) -> None:
    point = X[40:41]
    found = shifts(gp, point, simulated(point) + 0.1, np.full((1, 2), 1e-6))["a"]
    assert found.sd == pytest.approx(float(gp.latent_sd(point)[0, 0]), rel=0.05)


def test_a_property_that_was_not_measured_has_no_shift(gp: GaussianProcess) -> None:
    Y = simulated(X[40:43]) + 0.1
    Y[:, 1] = np.nan
    Y[0, 0] = np.nan
    found = shifts(gp, X[40:43], Y, np.full((3, 2), np.nan))
    assert set(found) == {"a"}
    assert found["a"].count == 2


def test_a_trend_that_no_shift_explains_is_seen(gp: GaussianProcess) -> None:
    points = X[30:42]
    bent = simulated(points) + np.column_stack([0.8 * points[:, 0] - 0.4, np.zeros(12)])
    found = shifts(gp, points, bent, np.full((12, 2), 0.01))
    assert found["a"].z > 2 > found["b"].z
