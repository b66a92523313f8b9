"""Optima that are best on average over what inputs may turn out to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import campaign

from mesoforge.errors import InputError
from mesoforge.optimize.campaign import run_sequentially
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import in_order, standing
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.space import Space
from mesoforge.optimize.strategies import strategy
from mesoforge.optimize.tolerances import Tolerances
from mesoforge.optimize.trial import Measured
from mesoforge.optimize.view import View
from mesoforge.surrogate.gp import fit_gp
from mesoforge.surrogate.table import Array

SPACE = Space.from_mapping({"x": {"low": 0, "high": 10}, "p": {"low": 1, "high": 100, "scale": "log"}})
LINE = Space.from_mapping({"x": {"low": 0, "high": 1}})


def hills(x: Array) -> Array:
    """Return a narrow high hill and a broad lower one."""
    return np.asarray(1.1 * np.exp(-(((x - 0.2) / 0.04) ** 2)) + 0.9 * np.exp(-(((x - 0.7) / 0.2) ** 2)))


def test_tolerances_are_widths_of_the_unit_cube() -> None:
    given = Tolerances.from_mapping({"x": "5 %", "p": "±10%"}, SPACE)
    low, high = np.array([[0.2, 0.1]]), np.array([[0.8, 0.9]])
    np.testing.assert_allclose(given.widths(low), [[0.01, 0.1 / np.log(100)]])
    np.testing.assert_allclose(given.widths(high), [[0.04, 0.1 / np.log(100)]])
    np.testing.assert_allclose(Tolerances.from_mapping({"x": 0.5}, SPACE).widths(low), [[0.05, 0]])
    assert [str(one) for one in given.each] == ["x ± 5 %", "p ± 10 %"]


def test_what_inputs_may_turn_out_to_be_lies_evenly_within_the_tolerances() -> None:
    around = Tolerances.from_mapping({"x": 0.5}, SPACE).around(np.array([[0.5, 0.3], [0.99, 0.3]]), 32)
    assert around.shape == (2, 32, 2)
    assert np.all(abs(around[0, :, 0] - 0.5) <= 0.052)
    assert around[0, :, 0].mean() == pytest.approx(0.5)
    assert around[0, :, 0].std() == pytest.approx(0.05 / np.sqrt(3), rel=0.05)
    assert np.all(around[..., 1] == 0.3)
    assert around.max() == 1


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        pytest.param({"y": "5 %"}, "'y', which is no numeric variable: use x, p", id="unknown"),
        pytest.param({"x": "five"}, "a number or a share as '5 %' was due", id="word"),
        pytest.param({"x": -1}, "more than 0 was due", id="negative"),
        pytest.param({"x": "100 %"}, "more than 0 was due", id="all of it"),
    ],
)
def test_wrong_tolerances_are_refused(mapping: Mapping[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Tolerances.from_mapping(mapping, SPACE)


def told(objectives: Mapping[str, object], Y: Array, X: Array, limits: Mapping[str, object] | None = None) -> View:
    return View(
        space=LINE,
        objectives=Objectives.from_mapping(objectives, limits),
        X=X,
        Y=Y,
        pending=np.empty((0, 1)),
        failed=np.empty((0, 1)),
        reference=np.full(Y.shape[1], -0.5),
        number=len(X),
        seed=3,
        campaign_seed=0,
        start=6,
    )


def test_the_broad_hill_is_preferred_where_inputs_are_kept_badly() -> None:
    X = np.delete(np.linspace(0, 1, 41), [8, 28])[:, None]
    exact = told({"y": "maximize"}, hills(X), X)
    loose = replace(exact, tolerances=Tolerances.from_mapping({"x": 0.1}, LINE))
    assert strategy("botorch").propose(exact)[0] == pytest.approx(0.2, abs=0.03)
    assert strategy("botorch").propose(loose)[0] == pytest.approx(0.7, abs=0.08)


def test_several_objectives_under_tolerances_give_a_proposal_too() -> None:
    X = np.linspace(0, 1, 12)[:, None]
    Y = np.column_stack([hills(X[:, 0]), X[:, 0]])
    loose = replace(
        told({"y": "maximize", "z": "minimize"}, Y, X), tolerances=Tolerances.from_mapping({"x": "5 %"}, LINE)
    )
    point = strategy("botorch").propose(loose)
    assert 0 <= point[0] <= 0.85
    assert np.array_equal(point, strategy("botorch").propose(loose))


def test_limits_hold_on_average_over_the_tolerances() -> None:
    X = np.delete(np.linspace(0, 1, 21), [13, 14])[:, None]
    Y = np.column_stack([hills(X[:, 0]), np.maximum(X[:, 0], 0.6)])
    within = Tolerances.from_mapping({"x": 0.1}, LINE)
    free = replace(told({"y": "maximize"}, Y[:, :1], X), tolerances=within)
    bound = replace(told({"y": "maximize"}, Y, X, {"z": {"at_most": 0.63}}), tolerances=within)
    assert strategy("botorch").propose(free)[0] == pytest.approx(0.7, abs=0.06)
    assert strategy("botorch").propose(bound)[0] < 0.64


def test_what_is_confirmed_is_best_on_average(tmp_path: Path) -> None:
    def made(tolerances: Tolerances | None, path: Path) -> float:
        given = Problem("hills", LINE, Objectives.from_mapping({"y": "maximize"}), Budget(32, 0, 1))
        running = campaign(replace(given, tolerances=tolerances), path, "sobol", fit_gp)
        run_sequentially(running, lambda trial: Measured({"y": float(hills(np.array(trial.values["x"])))}))
        (again,) = (trial for trial in running.trials if trial.confirms is not None)
        return float(again.values["x"])

    assert made(None, tmp_path / "exact") == pytest.approx(0.2, abs=0.04)
    assert made(Tolerances.from_mapping({"x": 0.1}, LINE), tmp_path / "loose") == pytest.approx(0.7, abs=0.08)


def test_a_journal_of_other_tolerances_is_refused(tmp_path: Path) -> None:
    given = Problem("hills", LINE, Objectives.from_mapping({"y": "maximize"}), Budget(2, 0, 0))
    campaign(given, tmp_path / "j")
    with pytest.raises(InputError, match="tolerances was 'absent'"):
        campaign(replace(given, tolerances=Tolerances.from_mapping({"x": 0.1}, LINE)), tmp_path / "j")


def test_limits_and_targets_are_met_on_average_over_the_tolerances() -> None:
    limited = Objectives.from_mapping({"y": "maximize"}, {"y": {"at_most": 1.0}})
    Y = np.array([[0.85], [1.05], [0.1], [0.3], [1.0], [1.2]])
    np.testing.assert_allclose(standing(limited, Y, 2).excess, [0, 0, 0.1])
    assert in_order(standing(limited, Y, 2), np.array([0.0])) == [0, 1, 2]
    matched = Objectives.from_mapping({"y": {"match": 1.0, "tolerance": 0.1}})
    np.testing.assert_allclose(standing(matched, Y, 2).shortfall, [0, 7, 0], atol=1e-12)
