"""Cheap problems with a known truth, for campaigns in tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.space import Space
from mesoforge.optimize.strategies import botorch
from mesoforge.optimize.trial import Failed, Measured, Trial, Value
from mesoforge.surrogate.table import Array, Builder

SPACE = Space.from_mapping(
    {"pressure": {"low": 5, "high": 150, "scale": "log"}, "active_material": {"low": 0.9, "high": 0.97}}
)
OBJECTIVES = Objectives.from_mapping({"porosity": {"match": 0.3, "tolerance": 0.01}, "tortuosity": "minimize"})


@contextmanager
def little_care() -> Iterator[None]:
    """Let BoTorch search with few samples and starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("SAMPLES", 32), ("RESTARTS", 2), ("RAW_POINTS", 32), ("ITERATIONS", 15)):
            patch.setattr(botorch, name, value)
        yield


def truth(values: dict[str, Value]) -> dict[str, float]:
    """Return the noise-free properties: porosity falls with pressure, tortuosity with porosity and with less binder."""
    pressure = math.log(float(values["pressure"]) / 5) / math.log(30)
    material = (float(values["active_material"]) - 0.9) / 0.07
    porosity = 0.5 - 0.25 * pressure - 0.08 * material
    return {"porosity": porosity, "tortuosity": 1.7 - porosity + 0.8 * (material - 0.6) ** 2}


def measure(trial: Trial) -> Measured:
    """Return the truth with noise that the trial's seed determines."""
    porosity, tortuosity = np.random.default_rng(trial.seed).normal(0, (0.003, 0.02))
    exact = truth(trial.values)
    properties = {"porosity": exact["porosity"] + porosity, "tortuosity": exact["tortuosity"] + tortuosity}
    return Measured(properties, electrode=f"electrode-{trial.seed}", wall_s=1.5)


def problem(budget: Budget, seed: int = 0, objectives: Objectives = OBJECTIVES, space: Space = SPACE) -> Problem:
    """Return the problem with that budget and seed."""
    return Problem("cheap", space, objectives, budget, seed)


def ticking() -> Callable[[], float]:
    """Return a clock that counts seconds from 0."""
    ticks = count()
    return lambda: float(next(ticks))


def campaign(given: Problem, path: Path, strategy: str = "random", learn: Builder | None = None) -> Campaign:
    """Return a campaign whose clock is its own; by default it is as fast as can be."""
    return Campaign(given, Journal(path), strategy, learn=learn, clock=ticking())


BUDGET = Budget(start=4, proposed=3, confirmations=2)
UNSTABLE = Failed("unstable", "slurry", "The pressure rose beyond all bounds.")


def ask(running: Campaign) -> Trial:
    """Return the next trial, of which there must be one."""
    trial = running.ask()
    assert trial is not None
    return trial


def finished(path: Path, budget: Budget = BUDGET) -> Campaign:
    """Return a campaign that has run to its end."""
    running = campaign(problem(budget), path)
    run_sequentially(running, measure)
    return running


def places(trials: tuple[Trial, ...]) -> Array:
    """Return the trials' points of the unit cube."""
    return SPACE.rows([trial.values for trial in trials])


def least_distance(X: Array, Z: Array) -> float:
    """Return the distance of the two nearest points, one of each; infinite if there are none."""
    return float(np.min(np.linalg.norm(X[:, None] - Z[None], axis=2), initial=np.inf))
