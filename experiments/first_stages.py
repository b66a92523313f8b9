"""Which stage of making an electrode reads which variable of a study first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.reuse import Stages
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import Space
from mesoforge.physics.manufacture import STAGES, Identity, identity
from mesoforge.physics.recipe import Recipe
from mesoforge.surrogate.table import Array

SHARES: Final = {"packing": 0.01, "slurry": 0.14, "drying": 0.23, "calendering": 0.34, "measurement": 0.28}
"""Shares of the stages in the time of a whole electrode (docs/performance.md, the paper's)."""
TRIES: Final = 8
PLACES: Final = (0.0, 0.5, 1.0)


def stages_of(base: Recipe, space: Space) -> Stages:
    """Return the stages, the first that each variable is an input of, and their documented costs.

    A variable is tried at several values: the first stage whose inputs then differ is its own. Where no two values make
    recipes it counts as an input of the first stage, so that nothing is shared by mistake.
    """
    middle = np.full((1, len(space.names)), 0.5)
    some = np.vstack([middle, sobol_points(len(space.names), 0, TRIES)])
    first = {name: _first_stage(base, space, axis, some) for axis, name in enumerate(space.names)}
    return Stages(STAGES, first, SHARES)


def _first_stage(base: Recipe, space: Space, axis: int, some: Array) -> str:
    for point in some:
        one, *others = [*_chains(base, space, axis, point)] or [{}]
        if others:
            differing = (stage for stage in STAGES if any(other[stage] != one[stage] for other in others))
            return next(differing, STAGES[-1])
    return STAGES[0]


def _chains(base: Recipe, space: Space, axis: int, point: Array) -> Iterator[Identity]:
    """Yield what the recipes are made of that differ from a point along one axis."""
    count = space.categories[axis]
    for place in [(number + 0.5) / count for number in range(count)] or PLACES:
        there = np.where(np.arange(len(point)) == axis, place, point)
        try:
            yield identity(base.with_values(space.complete(space.from_unit(there))))
        except InputError:  # bounds that no recipe allows are refused elsewhere, by name
            continue
