"""Ionic and electronic transport through an electrode, along all three axes."""

from __future__ import annotations

import math

from mesoforge.physics.beads import ACTIVE, CBD
from mesoforge.physics.microstructure.multigrid import TOLERANCE
from mesoforge.physics.microstructure.phases import fractions, porosity
from mesoforge.physics.microstructure.quantity import Conductors, Found, Measure, Property
from mesoforge.physics.microstructure.transport import Transport, transport
from mesoforge.physics.voxels import PORE, Voxels

SHARP = 1e-7
"""Tolerance where dead ends are counted: at 1e-5 what still flows by error in them moves their share by a quarter."""


def _measure(voxels: Voxels, conductors: Conductors) -> Found:
    """Return tortuosity factors and what belongs to them."""
    shares = fractions(voxels)
    whole = porosity(shares, conductors.nanoporosity)
    ions = {PORE: 1.0, CBD: conductors.ionic_cbd}
    along = [
        transport(voxels.phase, ions, axis, voxels.periodic, tolerance)
        for axis, tolerance in enumerate((TOLERANCE, TOLERANCE, SHARP))
    ]
    x, y, z = (one.tortuosity_factor(whole) for one in along)
    blocking = transport(voxels.phase, {PORE: 1.0}, 2, voxels.periodic)
    free = transport(voxels.phase, {PORE: 1.0, CBD: 1.0}, 2, voxels.periodic)
    without = free.tortuosity_factor(shares["pore"] + shares["cbd"])
    electrons = transport(voxels.phase, {ACTIVE: conductors.active, CBD: 1.0}, 2, voxels.periodic)
    return {
        "tortuosity_factor_x": _said(along[0], x),
        "tortuosity_factor_y": _said(along[1], y),
        "tortuosity_factor_z": _said(along[2], z),
        "macmullin_number_z": _said(along[2], along[2].macmullin),
        "bruggeman_exponent_z": _said(along[2], along[2].bruggeman_exponent(whole)),
        "anisotropy": _said(along[2], z / math.sqrt(x * y) if along[0].percolates and along[1].percolates else 0.0),
        "percolating_z": along[2].percolating,
        "dead_ends_z": along[2].dead_ends,
        "tortuosity_factor_z_blocking": _said(blocking, blocking.tortuosity_factor(shares["pore"])),
        "tortuosity_factor_z_without_cbd": _said(free, without),
        "cbd_hindrance": _said(along[2], z / without),
        "electronic_conductivity_z": electrons.conductivity,
    }


def _said(found: Transport, value: float) -> float | str:
    """Return a value, or in words that nothing passes."""
    return value if found.percolates else str(found)


CONDUCTION = Measure(
    "transport",
    {
        "tortuosity_factor_x": Property("", "tau = eps D0/Deff through pores and nanoporous CBD along x"),
        "tortuosity_factor_y": Property("", "the same along y"),
        "tortuosity_factor_z": Property("", "tau = eps D0/Deff through pores and nanoporous CBD along the thickness"),
        "macmullin_number_z": Property("", "D0/Deff along the thickness"),
        "bruggeman_exponent_z": Property("", "alpha of Deff/D0 = eps^alpha along the thickness"),
        "anisotropy": Property("", "tortuosity factor along the thickness over the geometric mean of those across"),
        "percolating_z": Property("", "share of pores and CBD that paths from collector to surface reach"),
        "dead_ends_z": Property("", "share of these that carry less than a hundredth of their mean current"),
        "tortuosity_factor_z_blocking": Property("", "the same through pores alone, eps without nanopores"),
        "tortuosity_factor_z_without_cbd": Property("", "the same with CBD counted as free pore, eps with all of it"),
        "cbd_hindrance": Property("", "tortuosity_factor_z over that without CBD"),
        "electronic_conductivity_z": Property(
            "", "through active material and CBD along the thickness, over the CBD's"
        ),
    },
    _measure,
)
