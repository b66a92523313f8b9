"""How much of each phase there is, in the whole volume and layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.beads import ACTIVE, CBD
from mesoforge.physics.voxels import PORE, Voxels

NAMES = {PORE: "pore", ACTIVE: "active_material", CBD: "cbd"}


@dataclass(frozen=True, slots=True)
class Profile:
    """Volume fractions of the phases in each layer of voxels, (nz,), and the layers' middle heights [um]."""

    height: NDArray[np.float64]
    fractions: dict[str, NDArray[np.float64]]


def fractions(voxels: Voxels) -> dict[str, float]:
    """Return the volume fraction of each phase; CBD with its nanopores."""
    return {name: float(np.mean(voxels.phase == label)) for label, name in NAMES.items()}


def porosity(shares: dict[str, float], nanoporosity: float) -> float:
    """Return pores plus the nanopores inside the CBD, from phase fractions."""
    return shares["pore"] + nanoporosity * shares["cbd"]


def profile(voxels: Voxels) -> Profile:
    """Return the phase profile along the thickness, from the collector up (Xu et al., figure 2d and g)."""
    layers = voxels.phase.shape[2]
    return Profile(
        height=np.asarray((np.arange(layers) + 0.5) * voxels.edge, dtype=np.float64),
        fractions={name: np.mean(voxels.phase == label, axis=(0, 1)) for label, name in NAMES.items()},
    )
