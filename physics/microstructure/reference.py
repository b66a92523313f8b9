"""The field's reference for the tortuosity factor, TauFactor, under the interface of our own solver."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.microstructure.paths import THROUGH, joined
from mesoforge.physics.microstructure.transport import Transport, conductivity_table

CONVERGENCE = 1e-3
"""TauFactor's criterion: largest relative difference between the fluxes through any two layers."""
ITERATIONS = 100000


def taufactor_transport(
    phase: NDArray[np.uint8], conductivity: Mapping[int, float], axis: int = 2, convergence: float = CONVERGENCE
) -> Transport:
    """Measure how an image conducts along one axis with TauFactor (Cooper et al., SoftwareX 5 (2016) 203).

    Sides are closed. Potentials are fixed on the end faces where one phase conducts, and a full voxel outside them
    where several do. It runs on a GPU where torch finds one.

    Raises:
        PhysicsError: ``not_converged`` if TauFactor gives up.
    """
    table = conductivity_table(conductivity, axis)
    along = np.moveaxis(phase, axis, 2)
    state = joined(table[along] > 0, (False, False))
    through, conducting = np.count_nonzero(state == THROUGH), np.count_nonzero(state)
    if not through:
        return Transport(axis, 0.0, 0.0, 0.0, 0.0)
    values = np.unique(table[along][state == THROUGH])
    labels = np.where(state == THROUGH, np.searchsorted(values, table[along]) + 1, 0).astype(np.uint8)
    found, error = _solve(np.ascontiguousarray(np.moveaxis(labels, 2, 0)), values, convergence)
    return Transport(axis, found, through / conducting, float("nan"), error)


def _solve(labels: NDArray[np.uint8], values: NDArray[np.float32], convergence: float) -> tuple[float, float]:
    import torch
    from taufactor import MultiPhaseSolver, Solver

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if len(values) == 1:
        solver, scale = Solver(labels, device=device), float(values[0])
    else:
        solver = MultiPhaseSolver(labels, cond=dict(enumerate(values.tolist(), start=1)), device=device)
        scale = 1.0
    solver.solve(iter_limit=ITERATIONS, verbose=False, conv_crit=convergence)
    if not solver.converged:
        raise PhysicsError("not_converged", f"TauFactor did not converge in {ITERATIONS} iterations")
    return float(np.asarray(solver.D_eff).item()) * scale, convergence
