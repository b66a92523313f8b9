"""Ways of proposing the next point, each behind the same protocol; a new one is a file and a line here."""

from __future__ import annotations

from importlib import import_module

from mesoforge.errors import InputError
from mesoforge.optimize.view import Strategy

STRATEGIES = {
    "botorch": ("mesoforge.optimize.strategies.botorch", "BOTORCH"),
    "optuna-gp": ("mesoforge.optimize.strategies.optuna", "GP"),
    "optuna-nsga2": ("mesoforge.optimize.strategies.optuna", "NSGA2"),
    "optuna-tpe": ("mesoforge.optimize.strategies.optuna", "TPE"),
    "random": ("mesoforge.optimize.strategies.random", "RANDOM"),
    "sobol": ("mesoforge.optimize.strategies.sobol", "SOBOL"),
}


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
