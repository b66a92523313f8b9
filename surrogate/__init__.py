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
    from mesoforge.surrogate.forest import fit_forest
    from mesoforge.surrogate.gp import GaussianProcess, fit_gp, loo
    from mesoforge.surrogate.polynomial import fit_polynomial
    from mesoforge.surrogate.sensitivity import sobol_indices
    from mesoforge.surrogate.table import Table
    from mesoforge.surrogate.twin import fit_twin

__all__ = ["GaussianProcess", "Table", "fit_forest", "fit_gp", "fit_polynomial", "fit_twin", "loo", "sobol_indices"]
_HOMES = {
    "forest": ("fit_forest",),
    "gp": ("GaussianProcess", "fit_gp", "loo"),
    "polynomial": ("fit_polynomial",),
    "sensitivity": ("sobol_indices",),
    "table": ("Table",),
    "twin": ("fit_twin",),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names
    """Import a name where it is first used: torch takes seconds."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
