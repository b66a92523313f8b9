"""Ion transport through the pores and the nanoporous CBD: the tortuosity factor, by TauFactor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.beads import CBD
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.voxels import PORE, Voxels

CONVERGENCE = 1e-2
"""TauFactor's criterion: largest relative difference between the fluxes through any two layers."""
ITERATIONS = 40000


def nanopore_conductivity(nanoporosity: float) -> float:
    """Return the CBD's conductivity relative to free pore by Bruggeman's relation, eps^1.5 (0.354 at 0.5)."""
    return float(nanoporosity**1.5)


def relative_conductivity_z(voxels: Voxels, cbd_conductivity: float) -> float:
    """Return the effective conductivity along the thickness, relative to free electrolyte.

    Potentials are fixed one voxel outside collector and plane; the sides are insulating (both TauFactor's conventions).
    Source: Cooper et al., SoftwareX 5 (2016) 203.

    Raises:
        PhysicsError: ``no_percolation`` if no path of pore and CBD crosses, ``not_converged`` if TauFactor gives up.
    """
    labels = conducting(voxels, cbd_conductivity > 0)
    if not labels.any():
        raise PhysicsError("no_percolation", "no path through pores and CBD joins collector and surface")
    import torch
    from taufactor import MultiPhaseSolver

    torch.set_num_threads(1)
    cond = {int(label): {1: 1.0, 2: cbd_conductivity}[int(label)] for label in np.unique(labels) if label}
    solver = MultiPhaseSolver(np.ascontiguousarray(np.moveaxis(labels, 2, 0)), cond=cond, device="cpu")
    solver.solve(iter_limit=ITERATIONS, verbose=False, conv_crit=CONVERGENCE)
    if not solver.converged:
        raise PhysicsError("not_converged", f"the tortuosity factor did not converge in {ITERATIONS} iterations")
    return float(np.asarray(solver.D_eff).item())


def tortuosity_factor(porosity: float, relative_conductivity: float) -> float:
    """Return tau = eps D0 / Deff (not its root)."""
    return porosity / relative_conductivity


def conducting(voxels: Voxels, through_cbd: bool) -> NDArray[np.uint8]:
    """Label what conducts ions and belongs to a path that crosses: 1 pore, 2 CBD, 0 everything else."""
    from scipy.ndimage import label

    labels = np.where(voxels.phase == PORE, 1, np.where(voxels.phase == CBD, 2 if through_cbd else 0, 0))
    clusters, _ = label(labels > 0)
    crossing = np.intersect1d(clusters[:, :, 0], clusters[:, :, -1])
    kept = np.isin(clusters, crossing[crossing > 0])
    return np.where(kept, labels, 0).astype(np.uint8)
