"""What a study's keys make of its space, its budget and the points that are laid down beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesoforge.errors import InputError
from mesoforge.experiments.design import (
    Point,
    grid,
    gridded_space,
    listed_space,
    named,
    read_points,
    spread,
    with_seeds,
)
from mesoforge.optimize.problem import Budget, Planned
from mesoforge.optimize.space import Space

if TYPE_CHECKING:
    from mesoforge.experiments.study import Study


@dataclass(frozen=True, slots=True)
class Layout:
    """A space, a budget, and of a plan its points, its trials and its name in words."""

    space: Space
    budget: Budget
    points: tuple[Point, ...] = ()
    plan: tuple[Planned, ...] = ()
    name: str = ""


def lay_down(study: Study, kind: str, budget: Mapping[str, int], folder: Path) -> Layout:
    """Return the layout of a study.

    Raises:
        InputError: keys that do not go together, or points that are wrong.
    """
    if not study.variables and study.design != "list":
        raise InputError("'variables' is missing: add it.")
    if kind != "sample":
        return _optimization(study, budget)
    space, points = _given(study, folder)
    return _plain(study, space, budget) if points is None else _planned(study, space, points, budget)


def _optimization(study: Study, budget: Mapping[str, int]) -> Layout:
    odd = {"design": study.design != "sobol", "points": bool(study.points), "seeds": study.seeds != "fresh"}
    if wrong := next((key for key, is_odd in odd.items() if is_odd), ""):
        raise InputError(f"'{wrong}' is of samples, and this study is optimized: remove it, or use 'mesoforge sample'.")
    space = _space(study, study.variables)
    given = {"start": _default(space), "proposed": 0, "confirmations": 0} | dict(budget)
    return Layout(space, Budget(**given))


def _space(study: Study, variables: Mapping[str, Mapping[str, Any]]) -> Space:
    return Space.from_mapping(variables, study.input_constraints, study.derived)


def _default(space: Space) -> int:
    return 2 * (len(space.names) + 1)


def _given(study: Study, folder: Path) -> tuple[Space, list[Point] | None]:
    """Return the space, and the points that the file itself lists."""
    if (study.design == "list") is not bool(study.points):
        raise InputError("a design that is a list, and no other, has points: give both 'design: list' and 'points'.")
    if study.design == "list":
        points = read_points(study.points, folder)
        return _space(study, {**listed_space(points), **study.variables}), points
    if study.design == "grid":
        plain, levels = gridded_space(study.variables)
        return _space(study, plain), grid(levels)
    return _space(study, study.variables), None


def _parts(budget: Mapping[str, int], default: int) -> int:
    """Return the points of a sample: the parts of an optimization's budget add up to one."""
    given = [budget[part] for part in ("start", "proposed", "confirmations") if part in budget]
    return sum(given) if given else default


def _plain(study: Study, space: Space, budget: Mapping[str, int]) -> Layout:
    """Return the layout of points that fill a space; a plain Sobol sequence needs none laid down."""
    count, replicates = _parts(budget, _default(space)), budget.get("replicates", 1)
    if study.design == "sobol" and replicates == 1 and study.seeds == "fresh":
        return Layout(space, Budget(count, 0, 0))
    Budget(count, 0, 0, replicates)
    if space.ties:
        raise InputError(
            "a sample with input_constraints is a plain Sobol sequence with fresh seeds: leave out design, replicates "
            "and seeds, or list the points."
        )
    return _planned(study, space, spread(study.design, space, count, study.seed), {"replicates": replicates})


def _planned(study: Study, space: Space, points: list[Point], budget: Mapping[str, int]) -> Layout:
    replicates, shared = budget.get("replicates", 1), study.seeds == "shared"
    if (count := _parts(budget, len(points))) != len(points):
        raise InputError(
            f"the {study.design} has {len(points)} points, but the budget's start is {count}: leave the start out."
        )
    whole = Budget(len(points) * replicates, 0, 0, replicates)
    for point in points:
        space.to_unit(point)
    plan = with_seeds(points, replicates, shared=shared)
    return Layout(space, whole, tuple(points), plan, named(study.design, points, replicates, shared=shared))
