"""Dominance and hypervolume against closed forms and against BoTorch."""

from __future__ import annotations

import numpy as np
import pytest

from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import best_first, hypervolume, hypervolumes, pareto_mask, reference_point
from mesoforge.surrogate.door import Hypervolume, tensor

MAXIMIZE = Objectives.from_mapping({"a": "maximize", "b": "maximize"})
MATCH = Objectives.from_mapping({"a": {"match": 0.0, "tolerance": 1.0}, "b": "maximize"})


def test_only_rows_that_no_other_dominates_are_best() -> None:
    scores = np.array([[0.0, 2.0], [1.0, 1.0], [1.0, 0.5], [2.0, 0.0], [0.0, 0.0]])
    assert pareto_mask(scores).tolist() == [True, True, False, True, False]


def test_equal_rows_are_best_together() -> None:
    assert pareto_mask(np.ones((3, 2))).all()


@pytest.mark.parametrize("objectives", [1, 2, 3, 5])
def test_dominance_agrees_with_botorch(objectives: int) -> None:
    from botorch.utils.multi_objective.pareto import is_non_dominated

    scores = np.random.default_rng(0).integers(0, 4, (60, objectives)).astype(float)
    np.testing.assert_array_equal(pareto_mask(scores), is_non_dominated(tensor(scores), deduplicate=False).numpy())


def test_one_point_dominates_a_box() -> None:
    assert hypervolume(np.array([[2.0, 3.0, 4.0]]), np.array([1.0, 1.0, 1.0])) == pytest.approx(1 * 2 * 3)


def test_two_boxes_count_their_overlap_once() -> None:
    scores = np.array([[3.0, 1.0], [1.0, 3.0], [1.0, 1.0]])
    assert hypervolume(scores, np.zeros(2)) == pytest.approx(3 + 3 - 1)


def test_a_quarter_disc_has_its_area() -> None:
    angle = np.linspace(0, np.pi / 2, 801)
    assert hypervolume(np.column_stack([np.cos(angle), np.sin(angle)]), np.zeros(2)) == pytest.approx(
        np.pi / 4, abs=2e-3
    )


def test_one_objective_counts_the_improvement() -> None:
    assert hypervolume(np.array([[2.0], [5.0]]), np.array([1.0])) == 4.0


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_nothing_above_the_reference_is_no_volume(objectives: int) -> None:
    reference = np.ones(objectives)
    assert hypervolume(np.zeros((3, objectives)), reference) == 0
    assert hypervolume(np.empty((0, objectives)), reference) == 0


def test_the_reference_lies_a_tenth_of_the_range_below_the_worst() -> None:
    np.testing.assert_allclose(reference_point(MAXIMIZE, np.array([[0.0, 5.0], [10.0, 3.0]])), [-1.0, 2.8])


def test_the_reference_lies_below_equal_scores_too() -> None:
    assert np.all(reference_point(MAXIMIZE, np.array([[0.0, 5.0], [0.0, 5.0]])) < [0.0, 5.0])


def test_a_users_threshold_is_the_reference() -> None:
    objectives = Objectives.from_mapping({"a": {"goal": "minimize", "threshold": 7.0}, "b": "maximize"})
    np.testing.assert_allclose(reference_point(objectives, np.array([[0.0, 0.0], [1.0, 10.0]])), [-7.0, -1.0])


def test_a_match_counts_up_to_three_tolerances_but_where_the_user_says_how_far() -> None:
    Y = np.array([[0.45, 2.0], [0.31, 4.0]])
    aims: dict[str, object] = {"porosity": {"match": 0.3, "tolerance": 0.01}, "tortuosity": "minimize"}
    point = reference_point(Objectives.from_mapping(aims), Y)
    assert point[0] == -3
    far = Objectives.from_mapping(aims | {"porosity": {"match": 0.3, "tolerance": 0.01, "threshold": 0.2}})
    assert reference_point(far, Y)[0] == pytest.approx(-20)
    near = reference_point(Objectives.from_mapping(aims), np.array([[0.301, 2.0], [0.302, 4.0]]))
    assert near[0] == pytest.approx(-0.21)
    alone = Objectives.from_mapping({"porosity": aims["porosity"]})
    assert reference_point(alone, np.array([[0.45], [0.35]]))[0] == pytest.approx(-16), "progress from afar counts"


def test_one_objective_is_confirmed_best_first() -> None:
    order = best_first(Objectives.from_mapping({"a": "minimize"}), np.array([[3.0], [1.0], [2.0]]), np.array([-4.0]))
    assert order == [1, 2, 0]


def test_a_front_is_confirmed_at_its_largest_corner_then_where_it_adds_most() -> None:
    Y = np.array([[10.0, 1.0], [9.9, 1.1], [6.0, 6.0], [1.0, 10.0], [0.5, 0.5]])
    order = best_first(MAXIMIZE, Y, np.zeros(2))
    assert order[0] == 2
    assert set(order[1:3]) == {1, 3}
    assert order[-1] == 4


def test_a_met_target_is_confirmed_before_a_missed_one_however_good() -> None:
    Y = np.array([[3.0, 100.0], [0.5, 1.0], [-2.0, 100.0], [0.9, 2.0]])
    order = best_first(MATCH, Y, np.array([-5.0, 0.0]))
    assert set(order[:2]) == {1, 3}
    assert order[2:] == [2, 0]


@pytest.mark.parametrize("objectives", [2, 3])
def test_hypervolumes_one_by_one_and_many_at_once_are_botorchs(objectives: int) -> None:
    scores = np.random.default_rng(6).normal(0, 1, (20, 9, objectives))
    reference = np.full(objectives, -0.5)
    botorch = [Hypervolume(tensor(reference)).compute(tensor(one[pareto_mask(one)])) for one in scores]
    np.testing.assert_allclose(hypervolumes(scores, reference), botorch)
    np.testing.assert_allclose([hypervolume(one, reference) for one in scores], botorch)


def test_the_hypervolume_of_one_aim_is_its_best() -> None:
    scores = np.random.default_rng(6).normal(0, 1, (20, 9, 1))
    np.testing.assert_allclose(hypervolumes(scores, np.array([-9.0])), scores.max(axis=(1, 2)) + 9)
