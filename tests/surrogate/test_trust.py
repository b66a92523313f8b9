"""Validation by condition, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import qmc

from mesoforge.errors import InputError
from mesoforge.surrogate.dependence import partial_dependence
from mesoforge.surrogate.gp import fit_gp
from mesoforge.surrogate.table import Array, Surrogate, Table
from mesoforge.surrogate.trust import Trust, calibration_curve, trust
from mesoforge.surrogate.twin import fit_twin
from mesoforge.surrogate.validation import LeaveOneOut, conditions, k_fold

RNG = np.random.default_rng(0)


def table(points: int, noise: float = 0.01, replicates: int = 1) -> Table:
    """Return a smooth output, a rough one, one that is noise alone, and a constant."""
    X = np.repeat(qmc.Sobol(2, rng=np.random.default_rng(1)).random(64)[:points], replicates, axis=0)
    rng = np.random.default_rng(2)
    smooth = X[:, 0] + 0.5 * X[:, 1] ** 2 + noise * rng.standard_normal(len(X))
    rough = np.sin(9 * X[:, 0]) * np.cos(8 * X[:, 1]) + noise * rng.standard_normal(len(X))
    columns = [smooth, rough, rng.standard_normal(len(X)), np.ones(len(X))]
    return Table(X, np.column_stack(columns), ("smooth", "rough", "noise", "constant"))


class Leaky:
    """A surrogate that knows what it was shown and nothing else."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def predict(self, X: Array) -> tuple[Array, Array]:
        """Return what was measured there, else 9."""
        known = [np.all(x == self.table.X, axis=1) for x in X]
        mean = [self.table.Y[row].mean(axis=0) if row.any() else np.full(self.table.Y.shape[1], 9.0) for row in known]
        return np.array(mean), np.ones((len(X), self.table.Y.shape[1]))

    def latent_sd(self, X: Array) -> Array:
        """Return nothing unknown."""
        return np.zeros((len(X), self.table.Y.shape[1]))


def leaky(table: Table) -> Surrogate:
    return Leaky(table)


def test_replicates_of_a_condition_never_help_to_foretell_it() -> None:
    replicated = table(10, replicates=3)
    assert len(np.unique(conditions(replicated.X))) == 10
    assert np.all(k_fold(replicated, leaky, 5).mean == 9)


def test_each_row_is_foretold_once_by_a_model_of_the_others() -> None:
    some = replace(table(12), Y=table(12).Y[:, :1], names=("smooth",))
    found = k_fold(some, fit_twin, 12)
    row = 7
    others = np.arange(12) != row
    mean, sd = fit_twin(Table(some.X[others], some.Y[others], some.names)).predict(some.X[[row]])
    np.testing.assert_allclose((found.mean[row], found.sd[row]), (mean[0], sd[0]))


def test_too_few_conditions_are_refused() -> None:
    with pytest.raises(InputError, match="there are 3 conditions for 5 folds"):
        k_fold(table(3, replicates=4), fit_gp, 5)
    with pytest.raises(InputError, match="4 conditions were measured, but 6 were due"):
        trust(table(4, replicates=4), fit_gp)


def test_coverage_counts_rows_within_the_central_interval() -> None:
    z = RNG.standard_normal((4000, 1))
    found = LeaveOneOut(("y",), z, np.zeros_like(z), np.ones_like(z))
    assert found.coverage(0.5)["y"] == pytest.approx(0.5, abs=0.03)
    assert found.coverage(0.95)["y"] == found.coverage95["y"] == pytest.approx(0.95, abs=0.015)
    curve = calibration_curve(found, np.array([0.2, 0.8]))["y"]
    np.testing.assert_allclose(curve, [0.2, 0.8], atol=0.03)


def test_what_is_usable_and_what_not_yet_is_said_in_words() -> None:
    said = trust(table(12, replicates=2), fit_gp).verdicts
    assert said["smooth"] == "usable"
    assert said["rough"].startswith(("not yet, about", "not yet, more than 9 times"))
    assert said["noise"].startswith("not yet, noise hides it")
    assert said["constant"] == "constant: nothing to learn"


def curve(late: float, early: float, noise: float = 0.0, points: int = 20) -> Trust:
    """Return the trust in an output of variance 1 whose mean squared errors are these."""
    y = np.tile([[-1.0], [1.0]], (points // 2, 1))
    at = [LeaveOneOut(("y",), y, y + np.sqrt(error), np.full_like(y, np.sqrt(error))) for error in (late, early)]
    return Trust(at[0], at[1], np.array([noise]), points)


@pytest.mark.parametrize(
    ("late", "early", "noise", "words"),
    [
        pytest.param(0.1, 0.2, 0.0, "usable", id="good"),
        pytest.param(0.4, 0.64, 0.0, "not yet, about 20 more points", id="as one over the points"),
        pytest.param(0.21, 0.34, 0.0, "not yet, about 1 more point", id="nearly"),
        pytest.param(0.9, 0.9, 0.0, "not yet, more than 9 times as many points: it hardly learns", id="flat"),
        pytest.param(0.5, 0.7, 0.29, "not yet, noise hides it: average about 3 seeds of each point", id="noise"),
    ],
)
def test_the_number_of_further_points_follows_the_learning_curve(
    late: float, early: float, noise: float, words: str
) -> None:
    assert curve(late, early, noise).verdicts["y"].startswith(words)


def test_intervals_that_are_too_narrow_are_named() -> None:
    sure = curve(0.1, 0.2)
    narrow = replace(sure, all_points=replace(sure.all_points, sd=np.full((20, 1), 0.1)))
    assert narrow.verdicts["y"] == "usable, but its intervals are too narrow"


def test_partial_dependence_is_the_average_over_the_other_inputs() -> None:
    X = qmc.Sobol(2, rng=np.random.default_rng(1)).random(64)
    gp = fit_gp(Table(X, (X[:, [0]] ** 2 + X[:, [1]]), ("y",)))
    first, second = (partial_dependence(gp, axis)["y"] for axis in (0, 1))
    np.testing.assert_allclose(first.mean, first.places**2 + 0.5, atol=0.05)
    np.testing.assert_allclose(second.mean, second.places + 1 / 3, atol=0.05)
    assert first.sd.max() < 0.1
