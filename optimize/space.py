"""The variables of a campaign, their bounds, what ties them, and the unit cube that models see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.linear import Inequality, Linear, inequality, linear
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.several import check_keys, number
from mesoforge.optimize.trial import Value
from mesoforge.surrogate.table import Array

Scale: TypeAlias = Literal["linear", "log"]
SCALES = ("linear", "log")
KEYS = ("low", "high", "scale", "integer", "choices")
HALVINGS = 40
ENOUGH = 2**12  # points of the box of which at least one must keep the inequalities


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable between ``low`` and ``high``, in user units, both reachable; integers have bins of equal width.

    With ``choices`` it is one of these, in no order, and ``low`` to ``high`` are their places: `choice` makes it.

    Raises:
        InputError: The bounds are not finite or not in order, or a log scale meets a bound that is not positive.
    """

    name: str
    low: float
    high: float
    scale: Scale = "linear"
    integer: bool = False
    choices: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        _check_bounds(self)
        _check_scale(self)

    @property
    def ends(self) -> tuple[Value, ...]:
        """The bounds as values, or all choices."""
        if self.choices:
            return self.choices
        return (int(self.low), int(self.high)) if self.integer else (self.low, self.high)

    def __str__(self) -> str:
        """Say between what it varies."""
        if self.choices:
            return f"{self.name}: {', '.join(map(str, self.choices))}"
        return f"{self.name}: {self.low:g} to {self.high:g}{' (log)' if self.scale == 'log' else ''}"

    def to_mapping(self) -> dict[str, Any]:
        """Return what a study says of it, with every key."""
        if self.choices:
            return {"choices": list(self.choices)}
        return {key: value for key, value in asdict(self).items() if key not in ("name", "choices")}

    def to_unit(self, value: Value) -> float:
        """Return where a value lies between the bounds on this scale, in [0, 1].

        Raises:
            InputError: The value is no number, out of bounds, or none of the choices.
        """
        if self.choices:
            return (_place(self, value) + 0.5) / len(self.choices)
        return self._within(number(self.name, "value", value))

    def _within(self, value: float) -> float:
        if not self.low <= value <= self.high:
            raise InputError(f"{self.name} is {value}, but {self.low} to {self.high} was due: stay within the bounds")
        start, end = self._edges()
        return (self._scaled(value) - start) / (end - start)

    def from_unit(self, unit: float) -> Value:
        """Return the value at a place in [0, 1]: the inverse of `to_unit`, within the bounds to the last bit."""
        if self.choices:
            return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]
        start, end = self._edges()
        value = self.high if unit == 1 else self._unscaled(start + unit * (end - start))
        return int(self._clip(round(value))) if self.integer else self._clip(value)

    def unrounded(self, unit: Any) -> Any:  # noqa: ANN401 - a float, an array or a tensor
        """Return the number at places in [0, 1], integers not rounded: smooth in ``unit``, for searches by slope."""
        start, end = self._edges()
        inner = start + unit * (end - start)
        return math.e**inner if self.scale == "log" else inner

    def _edges(self) -> tuple[float, float]:
        margin = 0.5 if self.integer else 0.0
        return self._scaled(self.low - margin), self._scaled(self.high + margin)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.scale == "log" else float(value)

    def _unscaled(self, value: float) -> float:
        return math.exp(value) if self.scale == "log" else value

    def _clip(self, value: float) -> float:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Space:
    """The variables of a campaign, in order; inequalities that they keep; further inputs that follow from them.

    Raises:
        InputError: There is no variable, or two of one name; an inequality or a derived input speaks of what is no
            numeric variable; or the inequalities leave nothing of the box.
    """

    variables: tuple[Variable, ...]
    inequalities: tuple[Inequality, ...] = ()
    derived: tuple[tuple[str, Linear], ...] = ()

    def __post_init__(self) -> None:
        _check_names(self)
        _check_ties(self)
        _check_room(self)

    @classmethod
    def from_mapping(
        cls,
        mapping: Mapping[str, Mapping[str, object]],
        inequalities: Sequence[str] = (),
        derived: Mapping[str, str] | None = None,
    ) -> Space:
        """Read a study's variables, as in ``{"calendering.pressure": {"low": 5, "high": 150, "scale": "log"}}``.

        ``inequalities`` are like ``"2 * a + b <= 3"``, ``derived`` like ``{"c": "1 - a - b"}``.

        Raises:
            InputError: A key is unknown or missing, a bound is no number, or a variable or an expression is wrong.
        """
        return cls(
            tuple(_variable(name, fields) for name, fields in mapping.items()),
            tuple(inequality(text) for text in inequalities),
            tuple((name, linear(text)) for name, text in (derived or {}).items()),
        )

    def to_mapping(self) -> dict[str, dict[str, Any]]:
        """Return the variables as `from_mapping` reads them, with every key."""
        return {one.name: one.to_mapping() for one in self.variables}

    @property
    def ties(self) -> dict[str, object]:
        """Return what ties the variables, ready for JSON; nothing where they are free."""
        demands = [one.words for one in self.inequalities]
        follow = {name: [*map(list, one.terms), one.constant] for name, one in self.derived}
        return {key: value for key, value in (("input_constraints", demands), ("derived", follow)) if value}

    @property
    def categories(self) -> tuple[int, ...]:
        """The number of choices of each variable; 0 for a number."""
        return tuple(len(one.choices) for one in self.variables)

    @property
    def size(self) -> float:
        """How many sets of values the bounds hold, inequalities aside; infinite where a variable is continuous."""
        return math.prod(one.high - one.low + 1 if one.integer else math.inf for one in self.variables)

    def every(self) -> Array:
        """Return all sets of values as points (size, d) of the unit cube; of variables none of which is continuous."""
        values = [one.choices or range(int(one.low), int(one.high) + 1) for one in self.variables]
        return self.rows([dict(zip(self.names, each, strict=True)) for each in product(*values)])

    def complete(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values of the variables with those of the derived inputs."""
        return {**values, **{name: one.at(_numbers(values, one.names)) for name, one in self.derived}}

    def allows(self, point: Array) -> bool:
        """Say whether the values of a point (d,) of the unit cube keep every inequality."""
        values = self.from_unit(point) if self.inequalities else {}
        return all(one.holds(_numbers(values, one.lesser.names)) for one in self.inequalities)

    def allowed(self, points: Array) -> Array:
        """Return those of many points (n, d) that keep every inequality."""
        return points[[self.allows(point) for point in points]] if self.inequalities else points

    def pulled(self, point: Array, inside: Array) -> Array:
        """Return the last allowed point on the way from an allowed one to another, by bisection."""
        if self.allows(point):
            return point
        near, far = inside, point
        for _ in range(HALVINGS):
            middle = (near + far) / 2
            near, far = (middle, far) if self.allows(middle) else (near, middle)
        return near

    @property
    def names(self) -> tuple[str, ...]:
        """The variables' names, in the order of the unit cube's axes."""
        return tuple(one.name for one in self.variables)

    def to_unit(self, values: Mapping[str, Value]) -> Array:
        """Return values by name as a point (d,) of the unit cube.

        Raises:
            InputError: A variable is missing, unknown, no number or out of bounds.
        """
        if set(values) != set(self.names):
            raise InputError(
                f"values came for {sorted(values)}, but were due for {sorted(self.names)}: give just these"
            )
        return np.array([one.to_unit(values[one.name]) for one in self.variables])

    def from_unit(self, point: Array) -> dict[str, Value]:
        """Return a point (d,) of the unit cube as values by name, in user units."""
        return {one.name: one.from_unit(float(unit)) for one, unit in zip(self.variables, point, strict=True)}

    def snap(self, point: Array) -> Array:
        """Return the point of the unit cube whose values a proposal at ``point`` would get."""
        return self.to_unit(self.from_unit(point))

    def rows(self, many: Sequence[Mapping[str, Value]]) -> Array:
        """Return many values by name as points (n, d) of the unit cube."""
        return np.array([self.to_unit(values) for values in many]).reshape(len(many), len(self.variables))


def _check_names(space: Space) -> None:
    if not space.variables:
        raise InputError("no variable came, but at least one was due: name one with its low and high bound")
    if len(set(space.names)) < len(space.names):
        raise InputError(f"the variables are {', '.join(space.names)}, but each was due once: drop the second")
    for name in (name for name, _ in space.derived if name in space.names):
        raise InputError(f"'{name}' is a variable and derived too, but only one of both was due: drop one")


def _check_ties(space: Space) -> None:
    numeric = [one.name for one in space.variables if not one.choices]
    expressions = [(one.words, one.lesser) for one in space.inequalities]
    expressions += [(f"the derived '{name}'", one) for name, one in space.derived]
    for words, one in expressions:
        for name in (name for name in one.names if name not in numeric):
            raise InputError(f"{words} speaks of '{name}', which is no numeric variable: use one of {_list(numeric)}")


def _check_room(space: Space) -> None:
    """Refuse inequalities that nothing, or next to nothing, of the box keeps."""
    bounds = {one.name: (one.low, one.high) for one in space.variables}
    for one in space.inequalities:
        terms = one.lesser.terms
        least = one.lesser.constant + sum(min(factor * end for end in bounds[name]) for name, factor in terms)
        if least > 0:
            raise InputError(f"{one.words} holds nowhere between the variables' bounds: correct it, or widen a bound")
    if space.inequalities and not len(space.allowed(_spread(len(space.variables)))):
        words = " and ".join(one.words for one in space.inequalities)
        raise InputError(
            f"{words} leave less than one part in {ENOUGH} of the space between the bounds, if anything: "
            "correct them, or narrow the bounds to where they hold"
        )


def _spread(dimensions: int) -> Array:
    return sobol_points(dimensions, 0, ENOUGH)


def _numbers(values: Mapping[str, Value], names: Sequence[str]) -> dict[str, float]:
    return {name: float(values[name]) for name in names}


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none there is"


def _place(one: Variable, value: Value) -> int:
    same = [place for place, each in enumerate(one.choices) if each == value and type(each) is type(value)]
    if not same:
        due = ", ".join(map(str, one.choices))
        raise InputError(f"{one.name} is {value!r}, but one of {due} was due: choose one")
    return same[0]


def choice(name: str, choices: Sequence[Value]) -> Variable:
    """Return the variable that is one of several values, in no order.

    Raises:
        InputError: There are fewer than two, one stands twice, or one is neither number nor word nor truth.
    """
    if not isinstance(choices, list | tuple) or len(choices) < 2:
        raise InputError(f"{name} has the choices {choices!r}, but a list of two or more was due: write one")
    for one in choices:
        if not isinstance(one, bool | int | float | str) or sum(other == one for other in choices) > 1:
            raise InputError(f"{name} has the choice {one!r}, but different numbers or words were due: correct it")
    return Variable(name, 0, len(choices) - 1, integer=True, choices=tuple(choices))


def _check_bounds(one: Variable) -> None:
    if not (math.isfinite(one.low) and math.isfinite(one.high) and one.low < one.high):
        raise InputError(
            f"{one.name} goes from {one.low} to {one.high}, but low < high was due: give finite bounds in order"
        )
    if one.integer and not (float(one.low).is_integer() and float(one.high).is_integer()):
        raise InputError(f"{one.name} goes from {one.low} to {one.high}, but is an integer: give whole bounds")


def _check_scale(one: Variable) -> None:
    if one.scale not in SCALES:
        raise InputError(f"{one.name} has scale {one.scale!r}, but {' or '.join(SCALES)} was due: choose one")
    if one.scale == "log" and one.low <= 0:
        raise InputError(
            f"{one.name} has a log scale from {one.low}, but a positive low was due: raise it or use linear"
        )


def _variable(name: str, fields: object) -> Variable:
    if not isinstance(fields, Mapping):
        raise InputError(f"{name} is {fields!r}, but a mapping was due: give it low and high")
    check_keys(name, fields, KEYS)
    if "choices" in fields:
        if len(fields) > 1:
            raise InputError(f"{name} has choices and {sorted(set(fields) - {'choices'})[0]!r}: give choices alone")
        return choice(name, fields["choices"])
    if missing := {"low", "high"} - set(fields):
        raise InputError(f"{name} has no {sorted(missing)[0]!r}, but low and high were due: give both")
    if not isinstance(fields.get("integer", False), bool):
        raise InputError(f"{name} has integer {fields['integer']!r}, but true or false was due: choose one")
    low, high = (number(name, key, fields[key]) for key in ("low", "high"))
    return Variable(name, low, high, fields.get("scale", "linear"), fields.get("integer", False))
