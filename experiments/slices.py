"""Slices through a study's surrogate: one input varies, the others are held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from mesoforge.experiments.learned import within
from mesoforge.experiments.study import Plan
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.space import Space, Variable
from mesoforge.optimize.trial import Value
from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.validation import NORMAL_95, least_sd

SLICE: Final = 33
"""Points of a slice along a number."""


@dataclass(frozen=True, eq=False, slots=True)
class Slice:
    """The surrogate along one variable, all others held: mean and 95 % interval of new electrodes by output, (k,)."""

    values: list[Value]
    mean: Mapping[str, np.ndarray]
    low: Mapping[str, np.ndarray]
    high: Mapping[str, np.ndarray]


def chosen_inputs(plan: Plan, campaign: Campaign) -> dict[str, Value]:
    """Return the inputs of the best electrode, confirmed or of the Pareto set; without one those in the middle."""
    best = [one.number for one in campaign.confirmed()] or [one.number for one in campaign.pareto()]
    if best:
        return dict(campaign.trials[best[0]].values)
    return plan.problem.space.from_unit(np.full(len(plan.problem.space.variables), 0.5))


def cut(gp: GaussianProcess, space: Space, values: Mapping[str, Value], name: str) -> Slice:
    """Return the surrogate along one variable through some inputs, within what was learned."""
    point, axis = space.to_unit(within(space, dict(values))[0]), space.names.index(name)
    places = rests(space.variables[axis]) or tuple(np.linspace(0, 1, SLICE))
    line = np.tile(point, (len(places), 1))
    line[:, axis] = places
    mean, sd = gp.predict(line)
    half = NORMAL_95 * np.maximum(sd, least_sd(gp, mean))
    columns = [dict(zip(gp.table.names, each.T, strict=True)) for each in (mean, mean - half, mean + half)]
    return Slice([space.from_unit(row)[name] for row in line], *columns)


def rests(variable: Variable) -> tuple[float, ...]:
    """Return where choices lie in the unit interval; nothing for a number."""
    return tuple(variable.to_unit(one) for one in variable.choices)
