"""The points of a sample: a Sobol sequence, a Latin hypercube, a grid or a list, each perhaps with several seeds."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.problem import Planned
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Value
from mesoforge.physics.store import digest

Name: TypeAlias = Literal["sobol", "latin-hypercube", "grid", "list"]
Point: TypeAlias = dict[str, Value]
Variables: TypeAlias = dict[str, dict[str, Any]]
MOST: Final = 100_000
"""Points that a plan may have; a grid reaches more by mistake."""


def read_points(given: Sequence[Mapping[str, Any]] | str, folder: Path) -> list[Point]:
    """Return the points of a list, or of a CSV file whose first line names the variables.

    Raises:
        InputError: the file cannot be read, or a value is no number.
    """
    if not isinstance(given, str):
        return [{name: _number(number, name, value) for name, value in one.items()} for number, one in _each(given)]
    try:
        with (folder / given).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the points in '{folder / given}' ({error}): give a CSV file.") from None
    return [{name.strip(): _number(number, name, value) for name, value in row.items()} for number, row in _each(rows)]


def _each(points: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    return list(enumerate(points, start=1))


def _number(point: int, name: str, value: object) -> Value:
    """Return a value as the number that it is, be it written as text."""
    try:
        found = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except ValueError:
        found = None
    if found is None or not np.isfinite(found):
        raise InputError(f"point {point} has {name} {value!r}, but a number was due: write one.")
    return int(found) if isinstance(value, int) else found


def listed_space(points: Sequence[Point]) -> Variables:
    """Return the variables of a list of points, each from its smallest to its largest value.

    Raises:
        InputError: there are no points, they name different variables, or one is the same in all of them.
    """
    if not points:
        raise InputError("the design is a list but 'points' has none: give at least two.")
    for number, point in enumerate(points, start=1):
        if set(point) != set(points[0]):
            raise InputError(
                f"point {number} names {', '.join(point)}, but {', '.join(points[0])} was due as in the first: name "
                "the same variables in each."
            )
    bounds = {name: [point[name] for point in points] for name in points[0]}
    for name, values in bounds.items():
        if min(values) == max(values):
            raise InputError(f"{name} is {values[0]:g} in all points: move it into the recipe.")
    return {name: {"low": min(values), "high": max(values)} for name, values in bounds.items()}


def gridded_space(variables: Mapping[str, Mapping[str, Any]]) -> tuple[Variables, dict[str, list[Value]]]:
    """Return the variables of a grid without what makes it one, and the levels of each.

    A variable has ``values``, or ``low``, ``high`` and ``levels`` that lie evenly between them on its scale.

    Raises:
        InputError: a variable has neither, or fewer than two levels.
    """
    plain, levels = dict[str, dict[str, Any]](), dict[str, list[Value]]()
    for name, said in variables.items():
        rest = {key: value for key, value in said.items() if key not in ("levels", "values")}
        given = [_number(0, name, value) for value in said.get("values", ())]
        many = said.get("levels", 0)
        if len(set(given)) < 2 and not (isinstance(many, int) and many >= 2):
            raise InputError(f"{name} is a variable of a grid: give it 'values: [...]', or low, high and 'levels: 3'.")
        plain[name] = {"low": min(given), "high": max(given), **rest} if given else rest
        levels[name] = given or _evenly(name, rest, int(many))
    return plain, levels


def _evenly(name: str, said: Mapping[str, Any], many: int) -> list[Value]:
    (variable,) = Space.from_mapping({name: said}).variables
    if variable.integer:
        return [int(value) for value in dict.fromkeys(np.linspace(variable.low, variable.high, many).round().tolist())]
    between = [float(f"{variable.from_unit(place):.12g}") for place in np.linspace(0, 1, many)[1:-1]]
    return [variable.low, *between, variable.high]


def grid(levels: Mapping[str, Sequence[Value]]) -> list[Point]:
    """Return every combination of levels, the last variable's changing fastest.

    Raises:
        InputError: they are too many.
    """
    count = int(np.prod([len(one) for one in levels.values()], dtype=np.float64))
    if count > MOST:
        raise InputError(f"the grid has {count} points, but {MOST} are the most: give fewer levels.")
    return [dict(zip(levels, values, strict=True)) for values in itertools.product(*levels.values())]


def spread(design: Name, space: Space, count: int, seed: int) -> list[Point]:
    """Return points that fill a space: of a Sobol sequence, or of a Latin hypercube."""
    from scipy.stats import qmc

    if design == "sobol":
        even = 2 ** max(0, count - 1).bit_length()
        return [space.from_unit(point) for point in sobol_points(len(space.names), seed, even)[:count]]
    cube = qmc.LatinHypercube(len(space.names), rng=np.random.default_rng(seed))
    return [space.from_unit(point) for point in np.asarray(cube.random(count))]


def with_seeds(points: Sequence[Point], replicates: int, *, shared: bool) -> tuple[Planned, ...]:
    """Return each point so many times, with fresh seeds, or with the same few seeds for all points."""
    return tuple(Planned(point, number if shared else None) for point in points for number in range(replicates))


def named(design: Name, points: Sequence[Point], replicates: int, *, shared: bool) -> str:
    """Say in a few words what a plan is; none but a longer Sobol sequence is named the same."""
    fixed = "" if design == "sobol" else f" of {len(points)} points {digest({'points': list(points)})[:8]}"
    return f"{design}{fixed}, {replicates} seeds a point, {'the same for all' if shared else 'fresh'}"
