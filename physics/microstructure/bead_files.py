"""Electrodes made elsewhere, as balls in a file: LAMMPS dumps and data files, extended XYZ; lengths in um."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.voxels import Periodic

Floats = NDArray[np.float64]
DUMP: Final = (".dump", ".lammpstrj")
DATA: Final = (".data", ".lmp")
XYZ: Final = (".xyz", ".extxyz")
SUFFIXES: Final = (*DUMP, *DATA, *XYZ)
STYLES: Final = {
    "sphere": ("id", "type", "diameter", "density", "x", "y", "z"),
    "atomic": ("id", "type", "x", "y", "z"),
    "bond": ("id", "mol", "type", "x", "y", "z"),
    "molecular": ("id", "mol", "type", "x", "y", "z"),
}
"""Columns of a data file's atoms by style."""
ALIKE: Final = {"c_mol": "mol", "molecule": "mol", "particle": "mol", "species": "type", "element": "type"}
"""Other names that columns have."""


@dataclass(frozen=True, eq=False, slots=True)
class Balls:
    """What a file says of its balls: columns by name, each (n,), types as words, in a box that begins at 0."""

    kind: NDArray[np.str_]
    position: Floats
    """(n, 3) [um]"""
    columns: Mapping[str, Floats]
    """Of ``diameter``, ``mol`` (number of the particle) and ``volume`` [um3], those that the file has."""
    box: Floats
    """Edges [um], (3,)"""
    periodic: Periodic | None
    """None: the file does not say."""


def read_balls(path: Path) -> Balls:
    """Read the last frame of a file.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' cannot be read ({error}): give a text file of LAMMPS or extended XYZ.") from error
    read = {**dict.fromkeys(DUMP, _dump), **dict.fromkeys(DATA, _data), **dict.fromkeys(XYZ, _xyz)}
    try:
        return read[path.suffix.lower()](lines)
    except InputError as error:
        raise InputError(f"'{path}': {error}") from None
    except (ValueError, IndexError, KeyError) as error:
        raise InputError(f"'{path}' breaks off or is no such file ({error}): write it again.") from error


def _dump(lines: Sequence[str]) -> Balls:
    """Read the last frame of a LAMMPS dump in text."""
    starts = [number for number, line in enumerate(lines) if line.startswith("ITEM: TIMESTEP")]
    if not starts:
        raise InputError("there is no 'ITEM: TIMESTEP' in it: give a dump in text form.")
    frame = lines[starts[-1] :]
    heads = {line[6:].split()[0]: number for number, line in enumerate(frame) if line.startswith("ITEM: ")}
    bounds, atoms, many = heads["BOX"], heads["ATOMS"], int(frame[heads["NUMBER"] + 1])
    flags = frame[bounds].split()[3:]
    if len(flags) > 3:
        raise InputError("its box is skewed but must be upright: remap it first.")
    low, high = np.array([line.split()[:2] for line in frame[bounds + 1 : bounds + 4]], float).T
    rows = [line.split() for line in frame[atoms + 1 : atoms + 1 + many]]
    periodic = tuple(flag == "pp" for flag in flags) if flags else None
    return _balls(frame[atoms].split()[2:], rows, (low, high), periodic)  # type: ignore[arg-type]


def _data(lines: Sequence[str]) -> Balls:
    """Read a LAMMPS data file whose section of atoms names its style."""
    atoms = next((number for number, line in enumerate(lines) if re.match(r"Atoms\b", line.strip())), None)
    if atoms is None:
        raise InputError("there is no section 'Atoms' in it: give a data file.")
    style = lines[atoms].partition("#")[2].strip()
    if style not in STYLES:
        raise InputError(
            f"its atoms' style is '{style}' but one of {', '.join(STYLES)} is due: write 'Atoms # sphere'."
        )
    many = int(next(line for line in lines if re.search(r"^\s*\d+\s+atoms\b", line)).split()[0])
    edges = [next(line for line in lines if f"{axis}lo {axis}hi" in line).split()[:2] for axis in "xyz"]
    low, high = np.array(edges, float).T
    rows = [line.split() for line in lines[atoms + 1 :] if line.strip()][:many]
    return _balls(STYLES[style], rows, (low, high), None)


def _xyz(lines: Sequence[str]) -> Balls:
    """Read the last frame of extended XYZ with an upright lattice."""
    start = 0
    while start + 2 + int(lines[start]) < len(lines) and lines[start + 2 + int(lines[start])].strip():
        start += 2 + int(lines[start])
    many, head = int(lines[start]), lines[start + 1]
    said = {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|(\S+))', head)}
    if "Lattice" not in said or "Properties" not in said:
        raise InputError("its second line has no Lattice or no Properties: give extended XYZ.")
    lattice = np.array(said["Lattice"].split(), float).reshape(3, 3)
    if np.abs(lattice - np.diag(np.diag(lattice))).max() > 1e-9 * lattice.max():
        raise InputError("its lattice is skewed but must be upright: remap it first.")
    parts = said["Properties"].split(":")
    names = [
        name if count == "1" else f"{name}{axis}"
        for name, count in zip(parts[::3], parts[2::3], strict=True)
        for axis in range(int(count))
    ]
    names = [{"pos0": "x", "pos1": "y", "pos2": "z"}.get(name, name) for name in names]
    flags = said.get("pbc", "").split()
    rows = [line.split() for line in lines[start + 2 : start + 2 + many]]
    periodic = tuple(flag in ("T", "1", "True") for flag in flags) if len(flags) == 3 else None
    return _balls(names, rows, (np.zeros(3), np.diag(lattice)), periodic)  # type: ignore[arg-type]


def _balls(
    names: Sequence[str], rows: Sequence[Sequence[str]], bounds: tuple[Floats, Floats], periodic: Periodic | None
) -> Balls:
    """Make balls of rows of words, whose columns have names, in a box from ``bounds`` to ``bounds``."""
    named = [ALIKE.get(name, name) for name in names]
    if not rows or any(len(row) < len(named) for row in rows):
        raise InputError(f"a row of atoms has fewer than the {len(named)} columns {', '.join(names)}: write it whole.")
    words = dict(zip(named, np.array([row[: len(named)] for row in rows]).T, strict=True))
    low, high = bounds
    if "type" not in words:
        raise InputError(f"its columns are {', '.join(names)} but 'type' is due: dump it as well.")
    columns: dict[str, Floats] = {
        name: words[name].astype(float) for name in ("diameter", "mol", "volume") if name in words
    }
    if "radius" in words:
        columns["diameter"] = 2 * words["radius"].astype(float)
    return Balls(words["type"], _places(words, low, high) - low, columns, high - low, periodic)


def _places(words: Mapping[str, NDArray[np.str_]], low: Floats, high: Floats) -> Floats:
    """Return positions (n, 3), plain, unwrapped or scaled to the box."""
    for ending in ("", "u", "s", "su"):
        if all(f"{axis}{ending}" in words for axis in "xyz"):
            places = np.column_stack([words[f"{axis}{ending}"].astype(float) for axis in "xyz"])
            return low + places * (high - low) if ending.startswith("s") else places
    raise InputError(f"its columns are {', '.join(words)} but x, y and z are due: dump them as well.")
