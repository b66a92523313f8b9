"""Drainage, imbibition and porosimetry of the pores: which pressure fills how much."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.voxels import PORE, Voxels

Reals = NDArray[np.float64]
KPA_PER_MNM_UM = 1.0
"""1 mN/m over 1 um is 1 kPa."""
STEPS = 25


@dataclass(frozen=True, slots=True)
class Wetting:
    """Curves of the resolved pores, entered from the free surface; nanopores of the CBD are left out.

    ``drainage`` and ``imbibition`` (n, 2): capillary pressure [kPa] and the share of the pores that the fluid which
    does not wet then holds, in the order of the process; ``porosimetry`` (n, 2): pore diameter [um] and the share of
    the pores that is reached through openings at least so wide (mercury porosimetry).
    """

    drainage: Reals
    imbibition: Reals
    porosimetry: Reals

    def save(self, path: Path) -> None:
        """Write the curves as CSV: curve, pressure or diameter, share."""
        rows = [
            f"{name},{x:.8g},{share:.6g}"
            for name in ("drainage", "imbibition", "porosimetry")
            for x, share in getattr(self, name)
        ]
        head = "curve,pressure_kPa_or_diameter_um,share"
        path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")


def wetting(voxels: Voxels, tension: float = 41.0, angle: float = 0.0) -> Wetting:
    """Drain and soak the pores by inserting spheres (PoreSpy), steps of the pressure slow enough for equilibrium.

    Args:
        voxels: the image; its free surface is the last layer.
        tension: surface tension of the liquid [mN/m].
        angle: contact angle of the wetting fluid [degrees].

    Raises:
        PhysicsError: ``no_percolation`` if no pore is open to the surface.
    """
    pores = voxels.phase == PORE
    inlets = np.zeros_like(pores)
    inlets[:, :, -1] = pores[:, :, -1]
    if not inlets.any():
        raise PhysicsError("no_percolation", "no pore is open to the free surface")
    from porespy.filters import porosimetry
    from porespy.simulations import drainage, imbibition

    scale = tension * abs(np.cos(np.radians(angle))) / voxels.edge * KPA_PER_MNM_UM
    drained, soaked = drainage(pores, inlets=inlets, steps=STEPS), imbibition(pores, inlets=inlets, steps=STEPS)
    reached = np.asarray(porosimetry(pores, inlets=inlets, sizes=STEPS))[pores]
    radii = np.unique(reached[reached > 0])[::-1]
    share = [np.mean(reached >= radius) for radius in radii]
    return Wetting(
        drainage=_curve(drained, scale),
        imbibition=_curve(soaked, scale),
        porosimetry=np.column_stack([2 * radii * voxels.edge, share]),
    )


def _curve(found: object, scale: float) -> Reals:
    """Return pressure [kPa] and share of the fluid that does not wet; PoreSpy's pressure is 2 / radius in voxels."""
    pressure = np.asarray(getattr(found, "pc"), dtype=float)  # noqa: B009 - PoreSpy has no types
    share = np.asarray(getattr(found, "snwp"), dtype=float)  # noqa: B009
    finite = np.isfinite(pressure)
    return np.column_stack([pressure[finite] * scale, share[finite]])
