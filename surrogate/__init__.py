"""Models that learn from numbers: inputs, outputs and their noise.

>>> import numpy as np
>>> from mesoforge.surrogate import Table, fit_gp
>>> X = np.linspace(0, 1, 9)[:, None]
>>> model = fit_gp(Table(X, np.sin(3 * X), ("y",)))
>>> mean, sd = model.predict(np.array([[0.55]]))
>>> bool(abs(mean[0, 0] - np.sin(3 * 0.55)) < 0.05)
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if not __name__.startswith("mesoforge."):
    raise ImportError("this folder is installed as mesoforge.surrogate: import it by that name")

if TYPE_CHECKING:
    from mesoforge.surrogate.gp import GaussianProcess, fit_gp, loo
    from mesoforge.surrogate.sensitivity import sobol_indices
    from mesoforge.surrogate.table import Table

__all__ = ["GaussianProcess", "Table", "fit_gp", "loo", "sobol_indices"]
_HOMES = {"gp": ("GaussianProcess", "fit_gp", "loo"), "sensitivity": ("sobol_indices",), "table": ("Table",)}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names
    """Import a name where it is first used: torch takes seconds."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
