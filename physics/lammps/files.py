"""What LAMMPS reads and writes: data files from beads, dumps back to positions."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.beads import Beads
from mesoforge.physics.bonds import STIFFNESS, Bonds
from mesoforge.physics.failure import PhysicsError

MARGIN = 3.0
"""Room beyond collector and plane [um], so that no bead leaves the box."""
Reals = NDArray[np.float64]
DATA, DUMP = "beads.data", "final.dump"
FAMILIES = len(STIFFNESS)
UNITS = "units           micro\natom_style      hybrid sphere bond\ncomm_modify     vel yes\n"


def write_data(
    beads: Beads, diameters: Reals, masses: Reals, path: Path, walls: bool = False, bonds: Bonds | None = None
) -> None:
    """Write a data file for ``atom_style hybrid sphere bond``.

    Args:
        beads: what to write, n beads.
        diameters: contact diameter of each bead, (n,) [um].
        masses: mass of each bead, (n,) [pg].
        path: the file.
        walls: whether z ends at walls, with a margin beyond them, instead of being periodic.
        bonds: between beads, if any.
    """
    lows, highs, images = _frame(beads, walls)
    density = masses / (np.pi / 6 * diameters**3)
    inside = beads.position - images * beads.box
    numbers = np.arange(1, len(beads) + 1)
    rows = np.column_stack([numbers, beads.kind, inside, diameters, density, beads.particle, images])
    text = StringIO()
    text.write(f"beads of an electrode, units micro\n\n{len(beads)} atoms\n2 atom types\n")
    text.write("\n" if bonds is None else f"{len(bonds)} bonds\n{FAMILIES} bond types\n\n")
    for axis, low, high in zip("xyz", lows, highs, strict=True):
        text.write(f"{low:.10g} {high:.10g} {axis}lo {axis}hi\n")
    text.write("\nAtoms # hybrid\n\n")
    np.savetxt(text, rows, fmt="%d %d %.10g %.10g %.10g %.10g %.10g %d %d %d %d")
    if bonds is not None:
        text.write("\nBonds\n\n")
        np.savetxt(text, np.column_stack([np.arange(1, len(bonds) + 1), bonds.family, bonds.pair + 1]), fmt="%d")
    path.write_text(text.getvalue(), encoding="utf-8")


def read_rows(path: Path, columns: int) -> Reals:
    """Read all rows of so many numbers from a dump of one or many times, (rows, columns)."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("ITEM")]
    return np.array([row for row in rows if len(row) == columns], dtype=np.float64).reshape(-1, columns)


def _frame(beads: Beads, walls: bool) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the box's lower and upper corners and each bead's periodic image."""
    margin = np.array([0.0, 0.0, MARGIN if walls else 0.0])
    periodic = np.array([1, 1, 0 if walls else 1])
    images = np.floor(beads.position / beads.box).astype(np.int64) * periodic
    return -margin, beads.box + margin, images


def read_positions(path: Path, expected: int) -> NDArray[np.float64]:
    """Read unwrapped positions (n, 3) [um], in the order of the data file.

    Raises:
        PhysicsError: beads are missing, or a position is not a number.
    """
    rows = np.loadtxt(path, skiprows=9, ndmin=2)
    if len(rows) != expected:
        raise PhysicsError("lost_beads", f"{expected - len(rows)} of {expected} beads were lost")
    if not np.isfinite(rows).all():
        raise PhysicsError("unstable", "a bead's position is not a number")
    return rows[np.argsort(rows[:, 0]), 1:4]


def read_curve(path: Path) -> NDArray[np.float64]:
    """Read a table that a script printed row by row, (rows, columns)."""
    return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
