"""Optuna's samplers as rivals: each proposal asks a study in memory, rebuilt from the record."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.trial import TrialState, create_trial

from mesoforge.optimize.trial import Origin
from mesoforge.optimize.view import View
from mesoforge.surrogate.door import calm
from mesoforge.surrogate.table import Array

LEAST_POPULATION = 2
GENERATION = "NSGAIISampler:generation"  # where the sampler looks for a trial's generation
TRIES = 8  # a bred point may be its parent unchanged


@dataclass(frozen=True, slots=True)
class Optuna:
    """One of Optuna's samplers over the scores; ``bred`` ones count generations: the start, then as many at a time."""

    sampler: Callable[[View], BaseSampler]
    bred: bool = False
    origin: Origin = "bo"

    def propose(self, view: View) -> Array:
        """Return what the sampler suggests after the measured, pending and failed trials."""
        with calm(view.seed):
            # Optuna advises its GPSampler for at most four objectives; more are slow, not wrong.
            warnings.filterwarnings("ignore", message="Box decomposition", category=UserWarning)
            study = _study(self.sampler(view), view.aims.shape[1])
            _add(study, view, max(view.start, LEAST_POPULATION) if self.bred else 0)
            return _first_admissible(study, view)


def _first_admissible(study: optuna.Study, view: View) -> Array:
    points = (_asked(study, view) for _ in range(TRIES))
    chosen = view.first_admissible(points)
    return _asked(study, view) if chosen is None else chosen


def _asked(study: optuna.Study, view: View) -> Array:
    params = study.ask(_distributions(view)).params
    places = [(params[name] + 0.5) / count if count else params[name] for name, count in _counted(view)]
    return np.array(places)


def _study(sampler: BaseSampler, objectives: int) -> optuna.Study:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or each proposal announces a new study
    try:
        return optuna.create_study(sampler=sampler, directions=["maximize"] * objectives)
    finally:
        optuna.logging.set_verbosity(before)


def _add(study: optuna.Study, view: View, population: int) -> None:
    """Tell a study the record; a ``population`` above 0 counts the rows' generations."""
    axes = _distributions(view)
    for row, (point, scores, limits) in enumerate(zip(view.X, view.aims, _limits(view), strict=True)):
        study.add_trial(
            create_trial(
                params=_params(view, point),
                distributions=axes,
                values=scores.tolist(),
                constraints=limits or None,
                system_attrs={GENERATION: row // population} if population else None,
            )
        )
    for points, state in ((view.failed, TrialState.FAIL), (view.pending, TrialState.RUNNING)):
        for point in points:
            study.add_trial(create_trial(params=_params(view, point), distributions=axes, state=state))


def _limits(view: View) -> list[dict[str, float]]:
    """Return by limit how far each measured trial lies outside, at most 0 within, as Optuna counts."""
    names, limits = view.objectives.outputs, view.objectives.limits.each
    return [{one.name: one.margin(float(row[names.index(one.name)])) for one in limits} for row in view.Y]


def _counted(view: View) -> list[tuple[str, int]]:
    return [(f"x{axis}", count) for axis, count in enumerate(view.space.categories)]


def _distributions(view: View) -> dict[str, BaseDistribution]:
    """Return the axes of the unit cube; one that is divided among choices is categorical, by their places."""
    return {
        name: CategoricalDistribution(tuple(range(count))) if count else FloatDistribution(0, 1)
        for name, count in _counted(view)
    }


def _params(view: View, point: Array) -> dict[str, float]:
    pairs = zip(_counted(view), point.tolist(), strict=True)
    return {name: min(int(place * count), count - 1) if count else place for (name, count), place in pairs}


def _tpe(view: View) -> BaseSampler:
    with warnings.catch_warnings():
        # Both options are the documented way for parallel trials and dependent variables; only their future is open.
        warnings.filterwarnings("ignore", category=ExperimentalWarning)
        return TPESampler(seed=view.seed, n_startup_trials=len(view.X), multivariate=True, constant_liar=True)


def _gp(view: View) -> BaseSampler:
    return GPSampler(seed=view.seed, n_startup_trials=len(view.X))


def _nsga2(view: View) -> BaseSampler:
    return NSGAIISampler(seed=view.seed, population_size=max(view.start, LEAST_POPULATION))


TPE = Optuna(_tpe)
GP = Optuna(_gp)
NSGA2 = Optuna(_nsga2, bred=True)
