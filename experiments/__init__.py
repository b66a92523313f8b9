"""Studies: the physics run, recorded, learned from and reported.

>>> from mesoforge.experiments import Home
>>> Home.__doc__
"The folder that holds the store, the studies, the portraits and MLflow's database."

``run_study("study.yaml")`` runs a study or goes on with it; ``open_study("quickstart")`` looks at one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if not __name__.startswith("mesoforge."):
    raise ImportError("this folder is installed as mesoforge.experiments: import it by that name")

if TYPE_CHECKING:
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.notebook import Studied, open_study, run_calibration, run_study

__all__ = ["Home", "Studied", "open_study", "run_calibration", "run_study"]
_HOMES = {"home": ("Home",), "notebook": ("Studied", "open_study", "run_calibration", "run_study")}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names
    """Import a name where it is first used."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
