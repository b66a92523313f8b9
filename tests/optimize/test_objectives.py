"""Scores, and the objectives that are refused."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from mesoforge.errors import InputError
from mesoforge.optimize.objectives import Objectives

OBJECTIVES = Objectives.from_mapping(
    {
        "porosity": {"match": 0.3, "tolerance": 0.01, "threshold": 0.02},
        "tortuosity": "minimize",
        "capacity": {"goal": "maximize", "threshold": 2.5},
    }
)
Y = np.array([[0.28, 2.0, 3.0], [0.305, 1.5, 4.0]])


def test_scores_are_better_when_larger() -> None:
    np.testing.assert_allclose(OBJECTIVES.scores(Y), np.array([[-2.0, -2.0, 3.0], [-0.5, -1.5, 4.0]]))


def test_tensors_score_as_arrays_do() -> None:
    for one, column in zip(OBJECTIVES.each, Y.T, strict=True):
        np.testing.assert_array_equal(one.score(torch.tensor(column)).numpy(), one.score(column))


def test_a_threshold_scores_as_a_property_that_just_reaches_it() -> None:
    assert [one.worst_score for one in OBJECTIVES.each] == [-2.0, None, 2.5]
    assert OBJECTIVES.each[0].score(0.28) == pytest.approx(-2.0)


def test_shortfall_counts_tolerances_beyond_the_first() -> None:
    np.testing.assert_allclose(OBJECTIVES.shortfall(Y), [1, 0])
    assert Objectives.from_mapping({"y": "minimize"}).shortfall(Y[:, :1]).tolist() == [0, 0]


def test_objectives_survive_their_mapping() -> None:
    assert Objectives.from_mapping(OBJECTIVES.to_mapping()) == OBJECTIVES


def test_a_row_follows_the_order_of_the_objectives() -> None:
    properties = {"capacity": 3.0, "thickness": 80.0, "porosity": 0.3, "tortuosity": 2.0}
    assert OBJECTIVES.row(properties).tolist() == [0.3, 2.0, 3.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_a_row_without_a_finite_number_is_refused(value: float | None) -> None:
    properties = {"porosity": 0.3, "capacity": 2.0} | ({} if value is None else {"tortuosity": value})
    with pytest.raises(InputError, match=r"tortuosity is .*tell a failure"):
        OBJECTIVES.row(properties)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        pytest.param({"y": 3}, "a mapping with match was due", id="a number"),
        pytest.param({"y": "reduce"}, "minimize, maximize, match are known", id="unknown goal"),
        pytest.param({"y": {}}, "the goal 'missing'", id="no goal"),
        pytest.param({"y": {"match": 0.3}}, "no target with a tolerance above 0", id="no tolerance"),
        pytest.param({"y": {"match": 0.3, "tolerance": 0}}, "no target with a tolerance above 0", id="zero tolerance"),
        pytest.param({"y": "match"}, "no target with a tolerance above 0", id="no target"),
        pytest.param({"y": {"match": "0.3", "tolerance": 1}}, "a number was due", id="words"),
        pytest.param({"y": {"goal": "minimize", "weight": 0}}, "y has the weight 0, but more than 0", id="no weight"),
        pytest.param({"y": {"goal": "minimize", "weight": 1}, "z": "maximize"}, "z came without", id="one bare"),
        pytest.param({"y": {"match": math.nan, "tolerance": 1}}, "not finite", id="not a number"),
        pytest.param({"y": {"match": 1, "tolerance": 1, "threshold": -2}}, "give a positive one", id="threshold"),
        pytest.param({"y": {"goal": "minimize", "tolerance": 1}}, "drop one of them", id="tolerance to minimize"),
        pytest.param({"y": {"goal": "minimize", "rank": 1}}, "'rank', but only goal", id="unknown key"),
    ],
)
def test_a_wrong_objective_is_refused(mapping: Mapping[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Objectives.from_mapping(mapping)


def test_two_objectives_of_one_property_are_refused() -> None:
    with pytest.raises(InputError, match="drop the second"):
        Objectives((OBJECTIVES.each[0], OBJECTIVES.each[0]))


def test_weights_add_the_scores_up_to_one_aim_and_only_where_they_are_given() -> None:
    mapping = {
        "porosity": {"match": 0.3, "tolerance": 0.01, "weight": 0.5},
        "tortuosity": {"goal": "minimize", "weight": 2},
        "capacity": {"goal": "maximize", "weight": 1},
    }
    weighted = Objectives.from_mapping(mapping)
    assert weighted.one_aim
    np.testing.assert_allclose(weighted.aims(Y)[:, 0], [-1 - 4 + 3, -0.25 - 3 + 4])
    np.testing.assert_allclose(weighted.joined(torch.tensor(weighted.scores(Y))), weighted.aims(Y)[:, 0])
    assert Objectives.from_mapping(weighted.to_mapping()) == weighted
    assert not OBJECTIVES.one_aim
    assert OBJECTIVES.aims(Y).shape == (2, 3)
