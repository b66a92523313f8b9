"""Laws of the unit cube, and what a space refuses."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from mesoforge.errors import InputError
from mesoforge.optimize.linear import linear
from mesoforge.optimize.space import Space, Variable
from mesoforge.optimize.trial import Value

MAPPING: Mapping[str, Mapping[str, object]] = {
    "calendering.pressure": {"low": 5, "high": 150, "scale": "log"},
    "formulation.active_material": {"low": 0.9, "high": 0.97},
    "numerics.layers": {"low": 1, "high": 6, "integer": True},
    "numerics.steps": {"low": 10, "high": 10000, "scale": "log", "integer": True},
}
SPACE = Space.from_mapping(MAPPING)
LINEAR, LOG, INTEGER, LOG_INTEGER = SPACE.variables[1], *(SPACE.variables[i] for i in (0, 2, 3))


@pytest.mark.parametrize("variable", SPACE.variables, ids=SPACE.names)
def test_a_value_survives_the_way_to_the_unit_cube_and_back(variable: Variable) -> None:
    for unit in np.linspace(0, 1, 101):
        value = variable.from_unit(unit)
        assert variable.from_unit(variable.to_unit(value)) == pytest.approx(value, rel=1e-13)
        assert variable.low <= float(value) <= variable.high


@pytest.mark.parametrize("variable", [LINEAR, LOG])
def test_a_place_survives_the_way_to_user_units_and_back(variable: Variable) -> None:
    units = np.linspace(0, 1, 101)
    again = [variable.to_unit(variable.from_unit(unit)) for unit in units]
    np.testing.assert_allclose(again, units, atol=1e-12)


@pytest.mark.parametrize("variable", SPACE.variables, ids=SPACE.names)
def test_the_cubes_ends_are_the_bounds_exactly(variable: Variable) -> None:
    assert variable.from_unit(0.0) == variable.low
    assert variable.from_unit(1.0) == variable.high


def test_a_log_scale_meets_the_geometric_mean_half_way() -> None:
    assert LOG.from_unit(0.5) == pytest.approx(math.sqrt(5 * 150))


def test_each_integer_is_equally_likely() -> None:
    values = [INTEGER.from_unit(unit) for unit in (np.arange(600) + 0.5) / 600]
    assert np.bincount(values).tolist() == [0, *[100] * 6]
    assert all(type(value) is int for value in values)


def test_integers_survive_exactly() -> None:
    for value in range(10, 10001, 37):
        assert LOG_INTEGER.from_unit(LOG_INTEGER.to_unit(value)) == value


def test_a_space_survives_its_mapping() -> None:
    assert Space.from_mapping(SPACE.to_mapping()) == SPACE


def test_points_of_the_space_keep_the_order_of_its_variables() -> None:
    values: dict[str, Value] = {"numerics.steps": 10, "numerics.layers": 6, "formulation.active_material": 0.9}
    point = SPACE.to_unit({**values, "calendering.pressure": 150})
    assert point[0] == pytest.approx(1)
    assert point[1] == 0
    assert point[2] > point[3]
    assert SPACE.rows([]).shape == (0, 4)


def test_snapping_twice_is_snapping_once() -> None:
    point = np.array([0.3, 0.4, 0.5, 0.6])
    np.testing.assert_array_equal(SPACE.snap(SPACE.snap(point)), SPACE.snap(point))


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        pytest.param({}, "no variable came", id="no variable"),
        pytest.param({"x": 3}, "a mapping was due", id="not a mapping"),
        pytest.param({"x": {"low": 1, "high": 1}}, "low < high was due", id="low equals high"),
        pytest.param({"x": {"low": 2, "high": 1}}, "low < high was due", id="low above high"),
        pytest.param({"x": {"low": 0, "high": math.inf}}, "finite bounds", id="unbounded"),
        pytest.param({"x": {"low": 0, "high": math.nan}}, "finite bounds", id="not a number"),
        pytest.param({"x": {"low": 0, "high": 1, "scale": "log"}}, "a positive low was due", id="log from zero"),
        pytest.param({"x": {"low": -1, "high": 1, "scale": "log"}}, "a positive low was due", id="log below zero"),
        pytest.param({"x": {"low": 0, "high": 1, "scale": "cubic"}}, "linear or log was due", id="unknown scale"),
        pytest.param({"x": {"low": 0, "high": 1, "step": 2}}, "'step', but only low, high", id="unknown key"),
        pytest.param({"x": {"low": 0}}, "no 'high'", id="no high"),
        pytest.param({"x": {"low": "a", "high": 1}}, "a number was due", id="words"),
        pytest.param({"x": {"low": True, "high": 2}}, "a number was due", id="truth"),
        pytest.param({"x": {"low": 0.5, "high": 2, "integer": True}}, "give whole bounds", id="half integer"),
        pytest.param({"x": {"low": 0, "high": 2, "integer": 1}}, "true or false was due", id="integer 1"),
    ],
)
def test_a_wrong_space_is_refused(mapping: Mapping[str, Mapping[str, object]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Space.from_mapping(mapping)


def test_two_variables_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="drop the second"):
        Space((LINEAR, LINEAR))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"calendering.pressure": 200}, "stay within the bounds", id="out of bounds"),
        pytest.param({"calendering.pressure": math.nan}, "stay within the bounds", id="not a number"),
        pytest.param({"calendering.pressure": "much"}, "a number was due", id="words"),
        pytest.param({"seed": 1}, "give just these", id="unknown"),
    ],
)
def test_values_that_do_not_belong_are_refused(change: dict[str, Value], words: str) -> None:
    with pytest.raises(InputError, match=words):
        SPACE.to_unit(SPACE.from_unit(np.full(4, 0.5)) | change)


# Choices


SOURCES = Space.from_mapping({"source": {"choices": ["real", "lumpy", "round"]}, "x": {"low": 0, "high": 1}})


def test_choices_share_the_axis_in_equal_parts_and_come_back() -> None:
    (one, _) = SOURCES.variables
    assert [one.from_unit(unit) for unit in (0, 0.33, 0.34, 0.66, 0.67, 1)] == [
        *("real", "real", "lumpy", "lumpy", "round", "round")
    ]
    assert [one.from_unit(one.to_unit(value)) for value in one.ends] == list(one.ends)
    assert SOURCES.categories == (3, 0)
    assert Space.from_mapping(SOURCES.to_mapping()) == SOURCES
    assert "choices" not in SPACE.to_mapping()["numerics.layers"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"choices": ["a"]}, "a list of two or more", id="one"),
        pytest.param({"choices": "ab"}, "a list of two or more", id="a word"),
        pytest.param({"choices": ["a", "a"]}, "different numbers or words", id="twice"),
        pytest.param({"choices": [1, None]}, "the choice None, but different", id="nothing"),
        pytest.param({"choices": ["a", "b"], "low": 1}, "give choices alone", id="bounds too"),
    ],
)
def test_wrong_choices_are_refused(fields: Mapping[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Space.from_mapping({"x": fields})


def test_a_value_that_is_no_choice_is_refused() -> None:
    with pytest.raises(InputError, match="source is 'flat', but one of real, lumpy, round was due"):
        SOURCES.to_unit({"source": "flat", "x": 0.5})


# What ties variables

BOX: Mapping[str, Mapping[str, object]] = {"a": {"low": 0, "high": 1}, "b": {"low": 1, "high": 100, "scale": "log"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", 2.0),
        ("-a + 3", 1.0),
        ("2*a - 0.5 * b + 1e1", 12.5),
        ("a + a - 2 * a + b", 3.0),
        (" 1.5e-1 * b - .5", -0.05),
    ],
)
def test_an_expression_means_what_it_says_and_survives_its_words(text: str, value: float) -> None:
    found = linear(text)
    assert found.at({"a": 2.0, "b": 3.0}) == pytest.approx(value)
    assert linear(str(found)) == found


@pytest.mark.parametrize("text", ["", "a * 2", "a b", "2 a", "a * b", "a + ", "(a + b)", "a / 2"])
def test_what_is_no_linear_expression_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="a sum such as"):
        linear(text)


@pytest.mark.parametrize(
    ("demands", "words"),
    [
        pytest.param(["a + b"], "one <= or >= was due", id="no sign"),
        pytest.param(["1 <= a <= 2"], "one <= or >= was due", id="two signs"),
        pytest.param(["1 <= 2"], "speaks of no variable", id="no variable"),
        pytest.param(["a + c <= 1"], "speaks of 'c', which is no numeric variable: use one of a, b", id="unknown"),
        pytest.param(["a + b <= 0.5"], "holds nowhere between the variables' bounds", id="nowhere"),
        pytest.param(["a >= 0.6", "a <= 0.5"], "leave less than one part in 4096", id="contradiction"),
    ],
)
def test_wrong_and_contradictory_demands_on_inputs_are_refused(demands: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Space.from_mapping(BOX, demands)


def test_derived_inputs_follow_from_the_variables() -> None:
    space = Space.from_mapping(BOX, derived={"c": "1 - a", "d": "2 * b"})
    assert space.complete({"a": 0.25, "b": 4.0}) == {"a": 0.25, "b": 4.0, "c": 0.75, "d": 8.0}
    with pytest.raises(InputError, match="'a' is a variable and derived too"):
        Space.from_mapping(BOX, derived={"a": "1 - b"})
    with pytest.raises(InputError, match="the derived 'c' speaks of 'source', which is no numeric variable"):
        Space.from_mapping(SOURCES.to_mapping(), derived={"c": "2 * source"})


def test_inequalities_hold_in_user_units_and_a_point_outside_is_pulled_to_the_border() -> None:
    space = Space.from_mapping(BOX, ["10 * a + b <= 20"])
    inside, outside = space.to_unit({"a": 0.2, "b": 2}), space.to_unit({"a": 1, "b": 60})
    assert space.allows(inside)
    assert not space.allows(outside)
    border = space.from_unit(space.pulled(outside, inside))
    assert 10 * float(border["a"]) + float(border["b"]) == pytest.approx(20, abs=1e-6)
    assert space.ties == {"input_constraints": ["10 * a + b <= 20"]}
    assert SPACE.ties == {}
