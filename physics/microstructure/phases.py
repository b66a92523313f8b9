"""How much of each phase there is, in the whole volume and layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.beads import ACTIVE, CBD
from mesoforge.physics.microstructure.bulk import FACE
from mesoforge.physics.microstructure.paths import open_to_ends
from mesoforge.physics.microstructure.quantity import Conductors, Measure, Property
from mesoforge.physics.voxels import PORE, Voxels

NAMES = {PORE: "pore", ACTIVE: "active_material", CBD: "cbd"}


@dataclass(frozen=True, slots=True)
class Profile:
    """Volume fractions of the phases in each layer of voxels, (nz,), and the layers' middle heights [um]."""

    height: NDArray[np.float64]
    fractions: dict[str, NDArray[np.float64]]


def fractions(voxels: Voxels) -> dict[str, float]:
    """Return the volume fraction of each phase; CBD with its nanopores."""
    counts = np.bincount(voxels.phase.ravel(), minlength=len(NAMES))
    return {name: float(counts[label] / voxels.phase.size) for label, name in NAMES.items()}


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


def heterogeneity(voxels: Voxels, face: float = 0.0) -> dict[str, float]:
    """Return the standard deviation of each phase's profile over its mean, without ``face`` [um] at both ends.

    A coating too thin to have a bulk is taken whole.
    """
    along = profile(voxels)
    cut = round(face / voxels.edge) if voxels.phase.shape[2] > 4 * face / voxels.edge else 0
    inner = {name: values[cut : len(values) - cut] for name, values in along.fractions.items()}
    return {name: float(values.std() / values.mean()) if values.any() else 0.0 for name, values in inner.items()}


def _measure(voxels: Voxels, conductors: Conductors) -> dict[str, float]:
    shares = fractions(voxels)
    reached = np.count_nonzero(open_to_ends(voxels.phase == PORE, voxels.periodic[:2])) / voxels.phase.size
    own = {
        "porosity_voxels": porosity(shares, conductors.nanoporosity),
        "porosity_resolved": shares["pore"],
        "porosity_open": reached,
        "porosity_closed": shares["pore"] - reached,
        "active_fraction": shares["active_material"],
        "cbd_fraction": shares["cbd"],
    }
    uneven = {f"heterogeneity_{name}": value for name, value in heterogeneity(voxels).items()}
    bulk = {f"heterogeneity_{name}_bulk": value for name, value in heterogeneity(voxels, FACE).items()}
    return own | uneven | bulk


def _uneven(name: str) -> dict[str, Property]:
    said = f"standard deviation over mean of the {name.replace('_', ' ')}'s profile along the thickness"
    return {
        f"heterogeneity_{name}": Property("", said),
        f"heterogeneity_{name}_bulk": Property("", f"{said}, without {FACE:g} um at both ends"),
    }


PHASES = Measure(
    "phases",
    {
        "porosity_voxels": Property("", "pores and nanopores, counted in voxels"),
        "porosity_resolved": Property("", "pores without the nanopores of the CBD"),
        "porosity_open": Property("", "pores that a path through pores joins to collector or surface"),
        "porosity_closed": Property("", "pores that no such path reaches"),
        "active_fraction": Property("", "volume fraction of active material"),
        "cbd_fraction": Property("", "volume fraction of CBD with its nanopores"),
        **_uneven("pore"),
        **_uneven("active_material"),
        **_uneven("cbd"),
    },
    _measure,
)
