"""Limits on measured properties: what they mean, what is refused, and that campaigns mind them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from problems import BUDGET, OBJECTIVES, SPACE, campaign, measure, problem, truth

from mesoforge.errors import InputError
from mesoforge.optimize.campaign import run_sequentially
from mesoforge.optimize.limits import Limit, Limits, at_least, at_most, between
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.problem import Budget
from mesoforge.optimize.reach import unreached
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.strategies import ONE_AIM, STRATEGIES, strategy
from mesoforge.optimize.trial import Measured, Trial
from mesoforge.optimize.view import View
from mesoforge.surrogate.gp import fit_gp

LIMITED = Objectives.from_mapping({"tortuosity": "minimize"}, {"porosity": {"at_most": 0.3}})


def test_a_limit_allows_its_bounds_and_counts_what_exceeds_them_in_shares_of_its_size() -> None:
    y = np.array([1.0, 2.0, 3.0, 4.0, 6.0])
    np.testing.assert_allclose(between("y", 2, 4).excess(y), [0.25, 0, 0, 0, 0.5])
    np.testing.assert_allclose(at_least("y", 2).excess(y), [0.5, 0, 0, 0, 0])
    np.testing.assert_allclose(at_most("y", 3).excess(y), [0, 0, 0, 1 / 3, 1])
    assert [str(one) for one in (between("y", 2, 4), at_least("y", 2), at_most("y", 3))] == [
        "y between 2 and 4",
        "y at least 2",
        "y at most 3",
    ]


def test_limits_survive_their_mapping() -> None:
    limits = Limits((between("a", 1, 2), at_least("b", 0), at_most("c", -3)))
    assert Limits.from_mapping(limits.to_mapping()) == limits
    assert Limits.from_mapping({"a": {"between": [1, 2]}}).each[0] == limits.each[0]


def test_outputs_are_the_objectives_and_what_else_is_limited() -> None:
    both = Objectives.from_mapping({"y": "minimize"}, {"z": {"at_least": 1}, "y": {"at_most": 5}})
    assert both.outputs == ("y", "z")
    assert both.row({"z": 2.0, "y": 4.0}).tolist() == [4.0, 2.0]
    Y = np.array([[4.0, 2.0], [6.0, 2.0], [4.0, 0.5]])
    assert both.feasible(Y).tolist() == [True, False, False]
    assert both.scores(Y).tolist() == [[-4.0], [-6.0], [-4.0]]
    assert (both.met("y", 4.0), both.met("y", 6.0), both.met("z", 1.0), both.met("x", 1.0)) == (True, False, True, None)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        pytest.param(
            {"y": {"at_least": 3, "at_most": 2}}, "at least 3 and at most 2, which nothing can be", id="order"
        ),
        pytest.param({"y": {"between": [2, 2]}}, "which nothing can be", id="no width"),
        pytest.param({"y": {"between": [1, 2], "at_most": 3}}, "between alone", id="two ways"),
        pytest.param({"y": {"between": 3}}, "between alone with two numbers", id="one number"),
        pytest.param({"y": 3}, "a mapping with at_least", id="a number"),
        pytest.param({"y": {"atleast": 3}}, "'atleast', but only at_least, at_most, between", id="unknown"),
        pytest.param({"y": {"at_least": "3 %"}}, "a number was due", id="words"),
        pytest.param({"y": {"at_least": math.nan}}, "a number was due", id="nan"),
        pytest.param({"m": {"at_most": 0.28}}, "m is to match 0.3 within 0.01, but the constraints want", id="target"),
        pytest.param({"t": {"at_least": 4}}, "t is of use up to 3, but the constraints want t at least 4", id="use"),
    ],
)
def test_wrong_and_contradictory_limits_are_refused(limits: Mapping[str, object], words: str) -> None:
    aims = {"m": {"match": 0.3, "tolerance": 0.01}, "t": {"goal": "minimize", "threshold": 3}}
    with pytest.raises(InputError, match=words):
        Objectives.from_mapping(aims, limits)


def test_two_limits_of_one_property_are_refused() -> None:
    with pytest.raises(InputError, match="join the two"):
        Limits((Limit("y", 1, 2), Limit("y", 1, 3)))


# Campaigns


def limited_view(limits: Mapping[str, object], rows: int = 12) -> View:
    """Return a view of a bowl at (0.3, 0.3) to minimize, with the first coordinate as a limited property."""
    X = sobol_points(2, 0, 16)[:rows]
    Y = np.column_stack([np.sum((X - 0.3) ** 2, axis=1), X[:, 0]])
    return View(
        space=SPACE,
        objectives=Objectives.from_mapping({"bowl": "minimize"}, limits),
        X=X,
        Y=Y,
        pending=np.empty((0, 2)),
        failed=np.empty((0, 2)),
        reference=np.array([-1.0]),
        number=rows,
        seed=5,
        campaign_seed=0,
        start=6,
    )


def test_the_optimum_is_sought_where_the_limit_is_kept() -> None:
    point = strategy("botorch").propose(limited_view({"x": {"at_least": 0.6}}))
    np.testing.assert_allclose(point, [0.6, 0.3], atol=0.06)
    assert point[0] > 0.585


def test_what_breaks_a_limit_is_worth_no_more_than_the_worst_wherever_the_zero_of_the_aim_lies() -> None:
    sets = np.array([[[0.2, 0.7], [0.1, 0.5]], [[0.3, 0.8], [0.15, 0.4]], [[0.1, 0.5], [0.15, 0.4]]])
    here = limited_view({"x": {"at_least": 0.6}})
    worst = -here.Y[:, 0].max()
    np.testing.assert_allclose(here.worth(sets), [-0.2, -0.3, worst])
    by = np.array([100.0, 0.0])
    np.testing.assert_allclose(replace(here, Y=here.Y + by).worth(sets + by), [-100.2, -100.3, worst - 100])


def test_a_limit_that_nothing_keeps_yet_is_followed_first() -> None:
    here = limited_view({"x": {"at_least": 0.93}})
    kept = here.X[:, 0] < 0.8
    here = replace(here, X=here.X[kept], Y=here.Y[kept])
    assert not here.objectives.feasible(here.Y).any()
    assert strategy("botorch").propose(here)[0] > 0.93


@pytest.mark.parametrize("name", ["optuna-tpe", "optuna-gp", "optuna-nsga2", "pso", "cma-es"])
def test_rivals_mind_limits_too(name: str) -> None:
    here = limited_view({"x": {"at_least": 0.6}}, rows=8)
    free = replace(here, objectives=Objectives.from_mapping({"bowl": "minimize"}), Y=here.Y[:, :1])
    places = {True: [], False: []}  # type: dict[bool, list[float]]
    for limited, start in ((True, here), (False, free)):
        now = start
        for number in range(8, 32):
            point = strategy(name).propose(replace(now, number=number, seed=number))
            y = np.array([[np.sum((point - 0.3) ** 2), point[0]][: now.Y.shape[1]]])
            now = replace(now, X=np.vstack([now.X, point]), Y=np.vstack([now.Y, y]))
            places[limited].append(float(point[0]))
    assert np.median(places[True]) > np.median(places[False]) + 0.1


def test_pareto_and_hypervolume_and_best_are_of_feasible_trials(tmp_path: Path) -> None:
    running = campaign(problem(Budget(8, 2, 2), objectives=LIMITED), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, measure)
    kept = [trial for trial in running.measured if isinstance(trial.outcome, Measured)]
    kept = [t for t in kept if isinstance(t.outcome, Measured) and t.outcome.properties["porosity"] <= 0.3]
    assert running.feasible() == tuple(kept)
    assert all(trial in kept for trial in running.pareto())
    assert 0 < len(running.feasible()) < len(running.measured)
    proposed = [truth(trial.values)["porosity"] for trial in running.trials[8:10]]
    assert max(proposed) < 0.31
    assert set(running.trials[8].prediction) == {"tortuosity", "porosity"}
    assert running.confirmed()[0].mean[1] <= 0.31


def test_a_limit_that_few_trials_just_keep_is_followed_without_a_word(tmp_path: Path) -> None:
    tight = Objectives.from_mapping({"porosity": "maximize"}, {"tortuosity": {"at_most": 1.25}})
    running = campaign(problem(Budget(8, 3, 0), objectives=tight), tmp_path / "j", "botorch", fit_gp)
    run_sequentially(running, measure)  # a warning would be an error here
    assert min(truth(trial.values)["tortuosity"] for trial in running.trials[8:]) < 1.26


def test_a_journal_with_limits_resumes_and_refuses_others(tmp_path: Path) -> None:
    running = campaign(problem(BUDGET, objectives=LIMITED), tmp_path / "j")
    run_sequentially(running, measure)
    again = campaign(problem(BUDGET, objectives=LIMITED), tmp_path / "j")
    assert again.trials == running.trials
    assert again.hypervolume() == running.hypervolume()
    other = Objectives.from_mapping({"tortuosity": "minimize"}, {"porosity": {"at_most": 0.25}})
    with pytest.raises(InputError, match=r"constraints.porosity.at_most was 0.3 and is now 0.25"):
        campaign(problem(BUDGET, objectives=other), tmp_path / "j")
    assert "constraints" not in problem(BUDGET, objectives=OBJECTIVES).definition()
    assert json.loads((tmp_path / "j").read_text().splitlines()[0])["constraints"] == {"porosity": {"at_most": 0.3}}


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in ONE_AIM])
def test_nothing_feasible_ends_in_a_whole_campaign_that_says_so(name: str, tmp_path: Path) -> None:
    never = Objectives.from_mapping({"tortuosity": "minimize"}, {"porosity": {"at_least": 0.9}})
    running = campaign(problem(Budget(4, 2, 1), objectives=never), tmp_path / "j", name)
    run_sequentially(running, measure)
    assert running.done
    assert running.pareto() == ()
    assert running.hypervolume() == 0
    (said,) = unreached(never, running.trials)
    assert said.startswith("porosity at least 0.9 was not reached: of 7 trials the nearest is")


def test_limits_that_exclude_each_other_in_fact_are_named() -> None:
    limits = Objectives.from_mapping({"t": "minimize"}, {"a": {"at_least": 1}, "b": {"at_least": 1}})
    rows = [{"t": 1.0, "a": 1.5, "b": 0.5}, {"t": 1.0, "a": 0.9, "b": 1.2}]
    trials = [Trial(n, "sobol", {}, 1, 0.0, outcome=Measured(row)) for n, row in enumerate(rows)]
    (said,) = unreached(limits, trials)
    assert said.startswith("each constraint was kept by some trial, but none kept all: trial 1 breaks them by least")
