"""Strategies in spaces of choices and of tied variables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import campaign

from mesoforge.errors import InputError
from mesoforge.optimize.campaign import run_sequentially
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import Space
from mesoforge.optimize.strategies import STRATEGIES, strategy
from mesoforge.optimize.trial import Measured, Trial
from mesoforge.optimize.view import View
from mesoforge.surrogate.gp import fit_gp, load_gp, save_gp
from mesoforge.surrogate.sensitivity import sobol_indices
from mesoforge.surrogate.table import Array, Table

KINDS = Space.from_mapping({"kind": {"choices": ["a", "b", "c", "d"]}, "x": {"low": 0, "high": 1}})
TIED = Space.from_mapping(
    {"x": {"low": 0, "high": 1}, "y": {"low": 1, "high": 100, "scale": "log"}}, ["60 * x + y <= 40", "x >= 0.05"]
)
BOWL = Objectives.from_mapping({"y": "minimize"})
OFFSETS = {"a": 0.6, "b": 0.4, "c": 0.0, "d": 0.9}


def told(space: Space, X: Array, Y: Array) -> View:
    return View(
        space=space,
        objectives=BOWL,
        X=X,
        Y=Y,
        pending=np.empty((0, 2)),
        failed=np.empty((0, 2)),
        reference=np.array([-2.0]),
        number=len(X),
        seed=4,
        campaign_seed=0,
        start=6,
    )


def kinds(point: Array) -> float:
    """Return a bowl whose best kind has neighbours on the axis that are bad."""
    values = KINDS.from_unit(point)
    return OFFSETS[str(values["kind"])] + (float(values["x"]) - 0.7) ** 2


def tied(point: Array) -> float:
    """Return what falls towards large x and y: the best place lies on the border."""
    return float(-point[0] - point[1])


def test_the_best_choice_is_found_though_its_neighbours_on_the_axis_are_bad() -> None:
    X = np.array([KINDS.snap(point) for point in sobol_points(2, 0, 16)])
    point = strategy("botorch").propose(told(KINDS, X, np.array([[kinds(x)] for x in X])))
    assert KINDS.from_unit(point)["kind"] == "c"
    assert point[1] == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("name", ["botorch", "thompson"])
def test_where_all_inputs_are_choices_one_of_them_is_proposed(name: str) -> None:
    space = Space.from_mapping({"a": {"choices": ["p", "q", "r"]}, "b": {"choices": ["u", "v"]}})
    X = np.array([space.snap(point) for point in sobol_points(2, 0, 8)])
    point = strategy(name).propose(told(space, X, X[:, :1] + 2 * X[:, 1:]))
    assert set(space.from_unit(point)) == {"a", "b"}


def test_choices_have_no_order_for_the_gaussian_process(tmp_path: Path) -> None:
    X = np.array([KINDS.snap(point) for point in sobol_points(2, 0, 32)])
    table = Table(X, np.array([[kinds(x)] for x in X]), ("y",), categories=KINDS.categories)
    order = [2, 0, 3, 1]
    moved = X.copy()
    moved[:, 0] = (np.array(order)[(X[:, 0] * 4).astype(int)] + 0.5) / 4
    gp, other = fit_gp(table), fit_gp(replace(table, X=moved))
    np.testing.assert_allclose(gp.predict(X[:5])[0], other.predict(moved[:5])[0], rtol=1e-4, atol=1e-4)
    within = np.array([[0.26, 0.4], [0.49, 0.4]])
    assert np.ptp(gp.predict(within)[0]) < 1e-12
    save_gp(gp, tmp_path / "gp")
    again = load_gp(tmp_path / "gp")
    assert again.table.categories == (4, 0)
    np.testing.assert_array_equal(again.predict(X)[0], gp.predict(X)[0])
    indices = sobol_indices(gp)["y"]
    assert indices.total[0] > 2 * indices.total[1]


def test_the_best_place_on_a_border_is_found() -> None:
    X = np.array([point for point in sobol_points(2, 0, 64) if TIED.allows(point)][:10])
    here = told(TIED, X, np.array([[tied(x)] for x in X]))
    point = strategy("botorch").propose(here)
    assert TIED.allows(point)
    grid = TIED.allowed(np.stack(np.meshgrid(*2 * [np.linspace(0, 1, 100)]), axis=-1).reshape(-1, 2))
    best = min(map(tied, grid))
    assert tied(point) < best + 0.03
    assert best < min(map(tied, X)) - 0.03


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_keeps_to_choices_and_demands(name: str, tmp_path: Path) -> None:
    space = Space.from_mapping({**TIED.to_mapping(), "kind": {"choices": ["p", "q"]}}, ["60 * x + y <= 40"])
    given = Problem("mixed", space, BOWL, Budget(6, 4, 1))

    def measure(trial: Trial) -> Measured:
        kept = {name: float(trial.values[name]) for name in ("x", "y")}
        return Measured({"y": kept["x"] - 0.01 * kept["y"] + (trial.values["kind"] == "q")})

    running = campaign(given, tmp_path / "j", name)
    run_sequentially(running, measure)
    for trial in running.trials:
        assert 60 * float(trial.values["x"]) + float(trial.values["y"]) <= 40 * (1 + 1e-9)
        assert trial.values["kind"] in ("p", "q")
    assert len({trial.values["kind"] for trial in running.trials[:6]}) == 2
    assert campaign(given, tmp_path / "j", name).trials == running.trials
    first = json.loads((tmp_path / "j").read_text().splitlines()[0])
    assert first["input_constraints"] == ["60 * x + y <= 40"]
    other = replace(given, space=replace(space, inequalities=TIED.inequalities))
    with pytest.raises(InputError, match="input_constraints was"):
        campaign(other, tmp_path / "j", name)
