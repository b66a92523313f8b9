"""Balls from a file become a labelled image, so that an electrode made elsewhere gets the same measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.microstructure.bead_files import Balls, Floats, read_balls
from mesoforge.physics.microstructure.image_files import Reading, require_memory
from mesoforge.physics.microstructure.stamping import stamp
from mesoforge.physics.voxels import SIDES, Sizes, Voxels, filled

SOLID: Final = {"active": ACTIVE, "cbd": CBD}
OURS: Final = {"1": "active", "2": "cbd", "AM": "active", "CBD": "cbd"}
"""What types stand for in the files that ``mesoforge export`` writes."""


def read_beads(path: Path, reading: Reading | None = None) -> Voxels:
    """Read balls and stamp them into voxels.

    Balls are stamped as they are, active material over CBD. Where the file has each bead's ``volume``, as those of
    ``mesoforge export`` have, and its sides are periodic, gaps inside particles close as in our own electrodes. A
    closed thickness ends at the outermost balls where the box reaches beyond them.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    how = reading or Reading()
    if how.voxel is None or not 0 < how.voxel < 1e3:
        came = "not given" if how.voxel is None else f"{how.voxel:g}"
        raise InputError(f"'{path}': the voxel's edge is {came} but a length in um is due: give it with --voxel.")
    balls = _upright(read_balls(path), how.thickness_axis)
    phase = _phases(balls, how.types or OURS, str(path))
    diameter = _diameters(balls, how.diameters, str(path))
    periodic = how.periodic or balls.periodic or SIDES
    require_memory(int(np.prod(balls.box / how.voxel)), str(path))
    if "volume" in balls.columns and periodic == SIDES and np.ptp(balls.box[:2]) < 1e-6:
        return _as_ours(balls, phase, diameter, how.voxel)
    return _stamped(_trimmed(replace(balls, periodic=periodic), diameter), phase, diameter, how.voxel)


def _upright(balls: Balls, axis: int) -> Balls:
    """Return the balls with the thickness along z."""
    order = [*(one for one in range(3) if one != axis), axis]
    flags = balls.periodic and (balls.periodic[order[0]], balls.periodic[order[1]], balls.periodic[order[2]])
    return replace(balls, position=balls.position[:, order], box=balls.box[order], periodic=flags)


def _phases(balls: Balls, types: Mapping[str, str], name: str) -> NDArray[np.int32]:
    """Return the phase of each ball, (n,)."""
    if wrong := [word for word in types.values() if word not in SOLID]:
        raise InputError(f"a type stands for '{wrong[0]}' but must be active or cbd, as in --types 1=active,2=cbd.")
    if unknown := sorted(set(balls.kind.tolist()) - set(types)):
        raise InputError(
            f"'{name}': type {', '.join(unknown[:5])} is in it but only {', '.join(types)} have a meaning: say what "
            "they are, as in --types 1=active,2=cbd."
        )
    return np.array([SOLID[types[kind]] for kind in balls.kind.tolist()], dtype=np.int32)


def _diameters(balls: Balls, given: Mapping[str, float], name: str) -> Floats:
    """Return the diameter of each ball [um], (n,): as given by type, else as in the file."""
    if not given and "diameter" not in balls.columns:
        raise InputError(f"'{name}' has neither radius nor diameter: give them by type, as in --diameters 1=5,2=1.3.")
    found = balls.columns.get("diameter", np.full(len(balls.kind), np.nan)).copy()
    for kind, diameter in given.items():
        found[balls.kind == kind] = diameter
    if not bool(np.all(found > 0)):
        kind = balls.kind[~(found > 0)][0]
        raise InputError(f"'{name}': a ball of type {kind} has no positive diameter: give it with --diameters.")
    return found


def _trimmed(balls: Balls, diameter: Floats) -> Balls:
    """Cut a closed thickness to where there are balls."""
    z, radius = balls.position[:, 2], diameter / 2
    if balls.periodic is None or balls.periodic[2]:
        return balls
    low = max(0.0, float((z - radius).min()))
    high = min(float(balls.box[2]), float((z + radius).max()))
    return replace(balls, position=balls.position - [0, 0, low], box=np.array([*balls.box[:2], high - low]))


def _as_ours(balls: Balls, phase: NDArray[np.int32], diameter: Floats, edge: float) -> Voxels:
    """Let each particle and the CBD take the voxels of their own volume."""
    volume, active = balls.columns["volume"], phase == ACTIVE
    if not active.any():
        raise InputError("no ball is active material but some is due: correct --types.")
    mean = float(volume[active].mean())
    beads = Beads(balls.position, phase, _particles(balls, phase), balls.box, np.where(active, volume / mean, 1.0))
    cbd = float(diameter[~active].mean()) if (~active).any() else edge
    return filled(beads, Sizes(float(diameter[active].mean()), mean, cbd, float(volume[~active].sum())), edge)


def _particles(balls: Balls, phase: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the number of each ball's particle from 1, without gaps; 0 for CBD; each ball its own without ``mol``."""
    active = phase == ACTIVE
    names = balls.columns.get("mol", np.arange(len(phase), dtype=float))
    found = np.zeros(len(phase), dtype=np.int32)
    found[active] = np.unique(names[active], return_inverse=True)[1] + 1
    return found


def _stamped(balls: Balls, phase: NDArray[np.int32], diameter: Floats, wanted: float) -> Voxels:
    """Stamp balls as they are, in a box stretched to whole voxels, by half a voxel at most."""
    periodic = balls.periodic or SIDES
    edge = float(balls.box[0]) / max(2, round(float(balls.box[0]) / wanted))
    shape = np.maximum(2, np.round(balls.box / edge)).astype(int)
    stretch = shape * edge / balls.box
    position, radius = balls.position * stretch, diameter / 2 * float(np.prod(stretch)) ** (1 / 3)
    # Beyond closed sides, where stamping would go round, lies room that is cut off again.
    room = np.where(periodic, 0, int(np.ceil(radius.max() / edge)) + 1)
    order = np.concatenate([np.flatnonzero(phase == CBD), np.flatnonzero(phase == ACTIVE)])
    places, rows = _repeated(position[order], radius[order], shape * edge, upwards=periodic[2])
    whole = tuple(int(n) for n in shape + 2 * room)
    label = (rows + 1).astype(np.int32)
    ball = stamp(places + room * edge, radius[order][rows], label, edge, (whole[0], whole[1], whole[2]))
    inside = tuple(slice(int(before), int(before + n)) for before, n in zip(room, shape, strict=True))
    return _labelled(ball[inside], order, phase, _particles(balls, phase), edge, periodic)


def _repeated(position: Floats, radius: Floats, box: Floats, *, upwards: bool) -> tuple[Floats, NDArray[np.int64]]:
    """Return positions and the balls that they are of; in a periodic thickness some stand at both ends."""
    rows = np.arange(len(position))
    if not upwards:
        return position, rows
    inside = position.copy()
    inside[:, 2] %= box[2]
    low, high = np.flatnonzero(inside[:, 2] < radius), np.flatnonzero(inside[:, 2] > box[2] - radius)
    turn = np.array([0, 0, box[2]])
    found = np.vstack([inside, inside[low] + turn, inside[high] - turn])
    owner = np.concatenate([rows, low, high])
    by_owner = np.argsort(owner, kind="stable")  # later balls lie over earlier ones on both sides alike
    return found[by_owner], owner[by_owner]


def _labelled(
    ball: NDArray[np.int32],
    order: NDArray[np.int64],
    phase: NDArray[np.int32],
    particle: NDArray[np.int32],
    edge: float,
    periodic: tuple[bool, bool, bool],
) -> Voxels:
    """Turn the number of each voxel's ball into phase and particle."""
    phases = np.concatenate([[0], phase[order]]).astype(np.uint8)
    particles = np.concatenate([[0], particle[order]]).astype(np.int32)
    return Voxels(phases[ball], particles[ball], edge, periodic, whole=not periodic[2])
