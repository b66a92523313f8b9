"""A space, objectives, and a record of what was asked and told.

>>> import tempfile
>>> from pathlib import Path
>>> from mesoforge.optimize import Budget, Campaign, Journal, Measured, Objectives, Problem, Space
>>> from mesoforge.optimize import run_sequentially
>>> space = Space.from_mapping({"x": {"low": 0, "high": 2}})
>>> objectives = Objectives.from_mapping({"y": "minimize"})
>>> problem = Problem("parabola", space, objectives, Budget(start=8, proposed=0, confirmations=0))
>>> with tempfile.TemporaryDirectory() as folder:
...     campaign = Campaign(problem, Journal(Path(folder) / "journal.jsonl"), "sobol")
...     run_sequentially(campaign, lambda trial: Measured({"y": (trial.values["x"] - 1) ** 2}))
...     best = campaign.pareto()[0]
>>> bool(abs(best.values["x"] - 1) < 0.2)
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if not __name__.startswith("mesoforge."):
    raise ImportError("this folder is installed as mesoforge.optimize: import it by that name")

if TYPE_CHECKING:
    from mesoforge.optimize.campaign import Campaign, run_sequentially
    from mesoforge.optimize.journal import Journal
    from mesoforge.optimize.objectives import Objectives
    from mesoforge.optimize.problem import Budget, Problem
    from mesoforge.optimize.space import Space
    from mesoforge.optimize.trial import Failed, Measured, Trial

__all__ = [
    "Budget",
    "Campaign",
    "Failed",
    "Journal",
    "Measured",
    "Objectives",
    "Problem",
    "Space",
    "Trial",
    "run_sequentially",
]
_HOMES = {
    "campaign": ("Campaign", "run_sequentially"),
    "journal": ("Journal",),
    "objectives": ("Objectives",),
    "problem": ("Budget", "Problem"),
    "space": ("Space",),
    "trial": ("Failed", "Measured", "Trial"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names
    """Import a name where it is first used."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
