"""Ways of proposing the next point, each behind the same protocol; a new one is a file and a line here."""

from __future__ import annotations

from importlib import import_module

from mesoforge.errors import InputError
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.view import Strategy

STRATEGIES = {
    "botorch": ("mesoforge.optimize.strategies.botorch", "BOTORCH"),
    "cma-es": ("mesoforge.optimize.strategies.cma_es", "CMA_ES"),
    "optuna-gp": ("mesoforge.optimize.strategies.optuna", "GP"),
    "optuna-nsga2": ("mesoforge.optimize.strategies.optuna", "NSGA2"),
    "optuna-tpe": ("mesoforge.optimize.strategies.optuna", "TPE"),
    "pso": ("mesoforge.optimize.strategies.pso", "PSO"),
    "random": ("mesoforge.optimize.strategies.random", "RANDOM"),
    "sobol": ("mesoforge.optimize.strategies.sobol", "SOBOL"),
    "thompson": ("mesoforge.optimize.strategies.thompson", "THOMPSON"),
}
ONE_AIM = ("cma-es", "pso")
"""Strategies that follow one number."""


def follows(name: str, objectives: Objectives) -> bool:
    """Whether the strategy of that name can follow these objectives."""
    return objectives.one_aim or name not in ONE_AIM


def check_follows(name: str, objectives: Objectives) -> None:
    """Refuse a strategy for a single aim where there are several.

    Raises:
        InputError: It is.
    """
    if not follows(name, objectives):
        raise InputError(
            f"the strategy {name!r} follows one aim, but {', '.join(objectives.names)} came: use another strategy"
        )


def strategy(name: str) -> Strategy:
    """Return the strategy of that name; its libraries load now.

    Raises:
        InputError: There is none of that name.
    """
    if name not in STRATEGIES:
        raise InputError(f"the strategy is {name!r}, but one of {', '.join(STRATEGIES)} was due: choose one")
    module, attribute = STRATEGIES[name]
    found: Strategy = getattr(import_module(module), attribute)
    return found
