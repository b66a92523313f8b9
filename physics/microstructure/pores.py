"""The size of the pores, and the network of pores and throats."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.beads import wrapped
from mesoforge.physics.microstructure.quantity import Conductors, Found, Measure, Property
from mesoforge.physics.microstructure.separation import MARGIN, NEAR, separated
from mesoforge.physics.microstructure.unrolled import cut_back, depths, origin, unrolled
from mesoforge.physics.voxels import PORE, Periodic, Voxels

RESOLVED = 1.0
"""Radius above which the paper counts pores and throats [um]."""
UM_PER_M = 1e6
POINTS = ("pore.coords", "pore.local_peak", "pore.global_peak", "pore.geometric_centroid", "throat.global_peak")
"""What of PoreSpy's network is a place."""
Reals = NDArray[np.float64]
Raw = dict[str, NDArray[Any]]
Markers: TypeAlias = Literal["snow", "h_maxima"]


def local_diameters(voxels: Voxels) -> Reals:
    """Return the local thickness of the pores at each of their voxels [um], (n,).

    It is the diameter of the largest sphere that holds the point and fits into the pores (PoreSpy), across sides that
    close; nanopores inside the CBD are not resolved.
    """
    pores = voxels.phase == PORE
    if not pores.any():
        return np.zeros(0)
    from porespy.filters import local_thickness

    deep = depths(pores, voxels.periodic)
    margin = 2 * int(np.ceil(deep.max())) if any(voxels.periodic) and not pores.all() else 0
    wide, far = (unrolled(one, voxels.periodic, margin) for one in (pores, deep))
    radii = cut_back(np.asarray(local_thickness(wide, dt=far, sizes=25)), voxels.periodic, margin)
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
    raw: Raw

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


def pore_network(voxels: Voxels, markers: Markers = "snow") -> PoreNetwork:
    """Extract the network of the pores by a watershed of their depth; nanopores are not resolved.

    A pore across a side that closes counts once, and a throat through that side joins its two pores.

    Args:
        voxels: the image.
        markers: where a pore begins. ``snow``: at the peaks that SNOW leaves (Gostick, Phys. Rev. E 96 (2017) 023307).
            ``h_maxima``: at peaks that rise far enough (``separation.separated``), as programs for images separate
            objects, and with them the paper its pores.

    Raises:
        InputError: the image has no solid, so that no pore has a size.
    """
    pores = voxels.phase == PORE
    if pores.all():
        raise InputError(
            "the image is all pores, but a network needs solid between them: choose another phase or image."
        )
    if not pores.any():
        return _network_of({"pore.coords": np.zeros((0, 3)), "throat.conns": np.zeros((0, 2), dtype=np.int64)})
    return _network_of(_snow(voxels) if markers == "snow" else _separated(voxels))


def _network_of(raw: Raw) -> PoreNetwork:
    return PoreNetwork(
        coords=raw["pore.coords"] * UM_PER_M,
        radius=_radii(raw, "pore.equivalent_diameter"),
        inscribed=_radii(raw, "pore.inscribed_diameter"),
        conns=raw["throat.conns"].astype(np.int64).reshape(-1, 2),
        throat_radius=_radii(raw, "throat.equivalent_diameter"),
        throat_inscribed=_radii(raw, "throat.inscribed_diameter"),
        raw=raw,
    )


def _radii(raw: Raw, name: str) -> Reals:
    return np.asarray(raw.get(name, np.zeros(0)) / 2 * UM_PER_M)


def _separated(voxels: Voxels) -> Raw:
    """Return the network of separated pores in OpenPNM's words and SI units."""
    edge, pores = voxels.edge / UM_PER_M, separated(voxels)
    conns, area, deep = pores.throats()
    return {
        "pore.all": np.ones(pores.count, dtype=bool),
        "pore.coords": pores.middle * edge,
        "pore.volume": pores.volume * edge**3,
        "pore.equivalent_diameter": 2 * np.cbrt(3 / (4 * np.pi) * pores.volume) * edge,
        "pore.inscribed_diameter": 2 * pores.inscribed * edge,
        "throat.all": np.ones(len(conns), dtype=bool),
        "throat.conns": conns,
        "throat.cross_sectional_area": area * edge**2,
        "throat.equivalent_diameter": 2 * np.sqrt(area / np.pi) * edge,
        "throat.inscribed_diameter": 2 * deep * edge,
    }


def _snow(voxels: Voxels) -> Raw:
    """Run SNOW on the pores, unrolled beyond the sides that close, and join what is the same pore."""
    from porespy.networks import snow2

    # It warns that a small image is not shared out among processes, which was not asked for.
    logging.getLogger("porespy.networks._snow2").setLevel(logging.ERROR)
    pores, edge = voxels.phase == PORE, voxels.edge / UM_PER_M
    start = origin(pores, voxels.periodic)
    margin = MARGIN * int(np.ceil(depths(pores, voxels.periodic).max())) + NEAR if any(voxels.periodic) else 0
    wide = unrolled(np.roll(pores, np.negative(start), (0, 1, 2)), voxels.periodic, margin)
    found = snow2(wide, boundary_width=0, voxel_size=edge, parallel_kw=None).network
    raw = {name: np.asarray(values) for name, values in found.items() if name.startswith(("pore.", "throat."))}
    return _rolled_up(raw, np.array(start) * edge, np.array(pores.shape) * edge, voxels.periodic, margin * edge)


def _rolled_up(raw: Raw, start: Reals, size: Reals, periodic: Periodic, margin: float) -> Raw:
    """Keep of an unrolled network the pores whose middle lies in the image, and each of their throats once; in m.

    A throat to a copy beyond a side is found twice, from either pore: that of the pore with the lesser number stays. A
    pore that meets its own copy has no throat for that.
    """
    closes = np.array(periodic)
    place = raw["pore.coords"] - np.where(closes, margin, 0)
    inside = ((place >= 0) & (place < size) | ~closes).all(axis=1)
    number = _numbered(place, inside, np.where(closes, size, 0))
    ends = raw["throat.conns"].astype(np.int64).reshape(-1, 2)
    own, same = inside[ends], number[ends]
    lesser = np.where(same[:, 0] < same[:, 1], own[:, 0], own[:, 1]) & (same[:, 0] != same[:, 1])
    kept = {name: values[lesser if name.startswith("throat.") else inside] for name, values in raw.items()}
    moved = np.where(closes, start - margin, 0)
    for name in POINTS:
        kept[name] = np.where(closes, (kept[name] + moved) % size, kept[name])
    return kept | {"throat.conns": np.sort(same[lesser], axis=1)}


def _numbered(place: Reals, inside: NDArray[np.bool_], period: Reals) -> NDArray[np.int64]:
    """Return the number of each pore's original: the pore inside that is nearest across the sides, (pores,)."""
    from scipy.spatial import cKDTree

    folded = np.where(period > 0, wrapped(place, np.where(period > 0, period, np.inf)), place)
    tree = cKDTree(folded[inside], boxsize=period)
    number: NDArray[np.int64] = np.cumsum(inside) - 1
    number[~inside] = tree.query(folded[~inside])[1]
    return number


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
