"""The size of the pores."""

from __future__ import annotations

import numpy as np

from mesoforge.physics.voxels import PORE, Voxels


def mean_pore_diameter(voxels: Voxels) -> float:
    """Return the mean local thickness of the pores, weighted by volume [um].

    The local thickness at a point is the diameter of the largest sphere that holds it and fits into the pores
    (PoreSpy); nanopores inside the CBD are not resolved.
    """
    pores = voxels.phase == PORE
    if not pores.any():
        return 0.0
    from porespy.filters import local_thickness

    radii = np.asarray(local_thickness(pores, sizes=25))
    return float(2 * radii[radii > 0].mean() * voxels.edge)
