"""The size of the pores."""

from __future__ import annotations

import numpy as np

from mesoforge.physics.voxels import PORE, Voxels


def mean_pore_diameter(voxels: Voxels) -> float:
    """Return the mean local thickness of the pores, weighted by volume [um].

    The local thickness at a point is the diameter of the largest sphere that holds it and fits into the pores
    (PoreSpy); nanopores inside the CBD are not resolved.
    """
    from porespy.filters import local_thickness

    radii = np.asarray(local_thickness(voxels.phase == PORE, sizes=25))
    inside = radii[radii > 0]
    return float(2 * inside.mean() * voxels.edge) if inside.size else 0.0
