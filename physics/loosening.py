"""A cracked particle keeps its volume: beads that lose their bonds grow to balls of the volume that they stand for.

A bead stands for a cube of its pitch a. While bonds hold it in a lattice it touches as the ball inside, of diameter a:
the lattice fills its particle, and a crack frees no compressed contact. Loose balls of that size are only pi/6 of their
cubes and would pack denser than solid. So a bead with only n bonds, fewer than the FREE ones at the corner of a cube of
beads, comes to the diameter a + ((6/pi)^(1/3) - 1) a (1 - n / FREE): without bonds, the ball of its cube's volume.

It grows slowly, and only while it is pressed less than a share of the stress that breaks bonds: crushed material
dilates where it has room, and does not burst what is still whole. Bound beads do not touch; one that loses a neighbour
at one pitch is set back to the size at which it was bound, lest their contact begin compressed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mesoforge.physics.bonds import Ints
from mesoforge.physics.lammps.files import Reals
from mesoforge.physics.lammps.growing import GROWTH, MARK
from mesoforge.physics.plane import INSIDE

if TYPE_CHECKING:
    from mesoforge.physics.bonding import Spring

FULL = (6 / math.pi) ** (1 / 3)
"""Diameter of the ball that has a cube's volume, over the cube's edge."""
FREE = 7
"""Bonds of a bead at the corner of a cube of beads: with as many it counts as held."""
BULKING = 0.3
"""Pressure against which loose beads grow, over modulus times the bonds' greatest extension."""
GROWING = 300.0
"""Least time in which a bead grows from held to loose, in times that sound takes from bead to bead."""
EVERY = 10
"""Steps between two readings of the pressure on beads."""
SIZES = "sizes.dump"
GROWN = f"write_dump      all custom {SIZES} id type diameter modify sort id format float %.12g\n"
"""Writes the sizes that beads have come to."""


def wanted(first: Ints, held: Ints, start: Reals, pitch: Reals) -> Reals:
    """Return the diameter that beads come to, (n,) [um].

    Args:
        first: bonds of each bead when it was bound, (n,).
        held: bonds that it has now, (n,).
        start: its diameter when it was bound, (n,) [um].
        pitch: edge of the cube that it stands for, (n,) [um].
    """
    whole, less = sizes(first, start, pitch)
    return np.maximum(start, whole - less * held)


def sizes(first: Ints, start: Reals, pitch: Reals) -> tuple[Reals, Reals]:
    """Return the diameter of each bead without bonds, and what a bond takes off it, both (n,) [um]."""
    gain = np.where(first > 0, FULL * pitch - start, 0.0)
    return start + gain, gain / np.clip(first, 1, FREE)


def write_growth(first: Ints, start: Reals, pitch: Reals, folder: Path) -> None:
    """Write what beads come to, for the process that lets them grow."""
    whole, less = sizes(first, start, pitch)
    np.savez(folder / GROWTH, bound=start, whole=whole, less=less)


def growing(material: Spring) -> str:
    """Write that beads grow as they lose bonds, up to the line MARK; where ``growth`` is 0, they are only set back.

    What lets them grow bounces soft beads off the planes as well, in place of LAMMPS's fix.
    """
    speed = (FULL - 1) * material.pitch / (GROWING * material.travel)
    return f"""compute         stress bound stress/atom NULL pair bond
variable        pressure atom -(c_stress[1]+c_stress[2]+c_stress[3])/{3 * material.pitch**3:.10g}
fix             pressure bound ave/atom {EVERY} 1 {EVERY} v_pressure
fix             last all property/atom i_near i_held
variable        growth equal {speed:.10g}*dt
variable        against equal {BULKING * material.modulus * material.extension:.10g}
unfix           {INSIDE}
fix             grow bound external pf/callback 1 1
{MARK}"""
