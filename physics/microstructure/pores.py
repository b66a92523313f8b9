"""The size of the pores, and the network of pores and throats."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.microstructure.quantity import Conductors, Found, Measure, Property
from mesoforge.physics.voxels import PORE, Voxels

RESOLVED = 1.0
"""Radius above which the paper counts pores and throats [um]."""
UM_PER_M = 1e6
Reals = NDArray[np.float64]


def local_diameters(voxels: Voxels) -> Reals:
    """Return the local thickness of the pores at each of their voxels [um], (n,).

    It is the diameter of the largest sphere that holds the point and fits into the pores (PoreSpy); nanopores inside
    the CBD are not resolved.
    """
    pores = voxels.phase == PORE
    if not pores.any():
        return np.zeros(0)
    from porespy.filters import local_thickness

    radii = np.asarray(local_thickness(pores, sizes=25))
    return np.asarray(2 * radii[radii > 0] * voxels.edge, dtype=np.float64)


def mean_pore_diameter(voxels: Voxels) -> float:
    """Return the mean local thickness of the pores, weighted by volume [um]; 0 without pores."""
    found = local_diameters(voxels)
    return float(found.mean()) if len(found) else 0.0


@dataclass(frozen=True, slots=True)
class PoreNetwork:
    """Pores and throats of an image by PoreSpy's SNOW; lengths in um.

    ``radius`` and ``inscribed`` (pores,): of the sphere of equal volume, and of the largest that fits;
    ``throat_radius`` and ``throat_inscribed`` (throats,): of the circle of equal area, and of the largest that fits;
    ``conns`` (throats, 2): the pores that a throat joins; ``coords`` (pores, 3); ``raw``: the network in OpenPNM's
    words and SI units.
    """

    coords: Reals
    radius: Reals
    inscribed: Reals
    conns: NDArray[np.int64]
    throat_radius: Reals
    throat_inscribed: Reals
    raw: dict[str, NDArray[np.generic]]

    @property
    def coordination(self) -> NDArray[np.int64]:
        """Number of throats of each pore, (pores,)."""
        return np.bincount(self.conns.ravel(), minlength=len(self.radius))

    def along(self, thickness: float, layers: int) -> Reals:
        """Return per layer of the thickness [um]: pores, their mean radius [um], their mean coordination, (layers, 3).

        NaN for the means of a layer without pores.
        """
        place = np.clip((self.coords[:, 2] / thickness * layers).astype(np.int64), 0, layers - 1)
        count = np.bincount(place, minlength=layers)
        some = np.where(count > 0, count, np.nan)
        sums = [np.bincount(place, weights=what, minlength=layers) for what in (self.radius, self.coordination)]
        return np.column_stack([count, sums[0] / some, sums[1] / some])

    def save(self, path: Path) -> None:
        """Write the network as NPZ under OpenPNM's names; ``openpnm.io.network_from_porespy(dict(np.load(path)))``."""
        np.savez_compressed(path, **self.raw)  # type: ignore[arg-type]  # names are file entries


def pore_network(voxels: Voxels) -> PoreNetwork:
    """Extract the network of the pores (Gostick, Phys. Rev. E 96 (2017) 023307); nanopores are not resolved.

    Sides are not joined where they are periodic: a pore across a side counts twice.
    """
    from porespy.networks import snow2

    # It warns that a small image is not shared out among processes, which was not asked for.
    logging.getLogger("porespy.networks._snow2").setLevel(logging.ERROR)
    found = snow2(voxels.phase == PORE, boundary_width=0, voxel_size=voxels.edge / UM_PER_M, parallel_kw=None).network
    raw = {name: np.asarray(values) for name, values in found.items() if name.startswith(("pore.", "throat."))}
    return PoreNetwork(
        coords=raw["pore.coords"] * UM_PER_M,
        radius=raw["pore.equivalent_diameter"] / 2 * UM_PER_M,
        inscribed=raw["pore.inscribed_diameter"] / 2 * UM_PER_M,
        conns=raw["throat.conns"].astype(np.int64).reshape(-1, 2),
        throat_radius=raw["throat.equivalent_diameter"] / 2 * UM_PER_M,
        throat_inscribed=raw["throat.inscribed_diameter"] / 2 * UM_PER_M,
        raw=raw,
    )


def _sizes(voxels: Voxels, _: Conductors) -> Found:
    """Return mean and spread of the local thickness."""
    found = local_diameters(voxels)
    if not len(found):
        return dict.fromkeys(PORE_SIZES.properties, "there are no pores")
    return {
        "pore_diameter_mean": float(found.mean()),
        "pore_diameter_sd": float(found.std()),
        "pore_diameter_median": float(np.median(found)),
    }


def _network(voxels: Voxels, _: Conductors) -> Found:
    """Return means over pores and throats, whole and above the paper's resolution."""
    if not (voxels.phase == PORE).any():
        return dict.fromkeys(PORE_NETWORK.properties, "there are no pores")
    net = pore_network(voxels)
    large, wide = net.radius > RESOLVED, net.throat_radius > RESOLVED
    return {
        "network_pores": float(len(net.radius)),
        "network_pore_radius_mean": _mean(net.radius),
        "network_pore_inscribed_mean": _mean(net.inscribed),
        "network_throat_radius_mean": _mean(net.throat_radius),
        "network_throat_inscribed_mean": _mean(net.throat_inscribed),
        "network_coordination_mean": _mean(net.coordination),
        "network_large_pore_radius_mean": _mean(net.radius[large]),
        "network_large_throat_radius_mean": _mean(net.throat_radius[wide]),
        "network_large_coordination_mean": _mean(net.coordination[large]),
    }


def _mean(values: NDArray[np.generic]) -> float | str:
    return float(np.asarray(values, dtype=float).mean()) if len(values) else "there are none"


PORE_SIZES = Measure(
    "pore_sizes",
    {
        "pore_diameter_mean": Property("um", "mean local thickness of the pores, by volume"),
        "pore_diameter_sd": Property("um", "standard deviation of the local thickness of the pores, by volume"),
        "pore_diameter_median": Property("um", "median local thickness of the pores, by volume"),
    },
    _sizes,
)
PORE_NETWORK = Measure(
    "pore_network",
    {
        "network_pores": Property("", "number of pores of the network (SNOW)"),
        "network_pore_radius_mean": Property("um", "mean radius of the spheres of the pores' volumes"),
        "network_pore_inscribed_mean": Property("um", "mean radius of the largest spheres in the pores"),
        "network_throat_radius_mean": Property("um", "mean radius of the circles of the throats' areas"),
        "network_throat_inscribed_mean": Property("um", "mean radius of the largest circles in the throats"),
        "network_coordination_mean": Property("", "mean number of throats of a pore"),
        "network_large_pore_radius_mean": Property("um", f"the same of pores above {RESOLVED:g} um of radius"),
        "network_large_throat_radius_mean": Property("um", f"the same of throats above {RESOLVED:g} um of radius"),
        "network_large_coordination_mean": Property("", f"the same of pores above {RESOLVED:g} um of radius"),
    },
    _network,
)
