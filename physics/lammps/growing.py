"""Beads that grow while LAMMPS runs: a fix of style ``external`` calls back here after each step.

LAMMPS 2025 changes radii one by one with its command ``set`` only, and that ends the process where there are rigid
bodies. What beads come to is read from a file, by their numbers; the script says by how much they grow in a step and
against which pressure. Radii are a bead's own; its images on other ranks follow with the next step.

Soft beads bounce off both planes here too. A fix that asks for a variable in each step, as LAMMPS's own for this does,
lets it tally the virial of all bonds and contacts in each step wherever a virial is wanted in any: a fifth of the time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesoforge.physics.beads import CBD

if TYPE_CHECKING:
    from lammps import lammps

MARK = "# beads grow from here on\n"
"""Line of a script before which the fix must be there, and after which it is called."""
GROWTH, REST = "growth.npz", "in.growing"
PER_ATOM, VECTOR = 1, 1
"""How LAMMPS's library numbers what is asked of it."""
AT_WALL = 0.3
"""Distance within which beads may reach a wall in a step, by far [um]."""
NEAR = 1
"""Type of the bonds at one pitch."""


def run_growing(engine: lammps, text: str, first: bool) -> None:
    """Run a script that has MARK; the first rank writes what comes after it as a file, since loops need one."""
    head, _, rest = text.partition(MARK)
    engine.commands_string(head)
    if first:
        Path(REST).write_text(rest, encoding="utf-8")
    engine.set_fix_external_callback("grow", grower(engine), engine)
    engine.file(REST)


def grower(engine: lammps) -> Any:  # noqa: ANN401 - the library's callback
    """Return what LAMMPS calls after each step.

    Soft beads bounce off both planes. Beads that lost a neighbour at one pitch are set back to the size at which
    they were bound; those that are short of their size and not pressed too much grow. Bonds are read where LAMMPS keeps
    them: its computes count them all anew, which took a sixth of the time of a step.
    """
    with np.load(GROWTH) as file:
        bound, whole, less = file["bound"], file["whole"], file["less"]
    ask = engine.numpy
    order = due = np.empty(0)

    def bounce(count: int, x: np.ndarray) -> None:
        dt = engine.extract_global("dt")
        plane = engine.extract_variable("plane") + dt * engine.extract_variable("speed")
        close = np.flatnonzero((x[:count, 2] < AT_WALL) | (x[:count, 2] > plane - AT_WALL))
        close = close[ask.extract_atom("type")[close] == CBD]
        push, v = ask.extract_atom("f")[close, 2] / ask.extract_atom("rmass")[close], ask.extract_atom("v")
        x[close, 2], v[close, 2] = bounced(x[close, 2], v[close, 2], push, plane, dt)

    def grow(_: object, __: int, count: int, tag: np.ndarray, x: np.ndarray, *___: object) -> None:
        nonlocal order, due
        bounce(count, x)
        growth, against = (engine.extract_variable(name) for name in ("growth", "against"))
        radius, last = ask.extract_atom("radius")[:count], ask.extract_atom("i_held")[:count]
        held = np.ctypeslib.as_array(engine.extract_atom("num_bond"), (count,))
        lost = np.flatnonzero(held != last)
        if len(lost) or not np.array_equal(tag[:count], order):
            order = tag[:count].copy()
            due = whole[order - 1] - less[order - 1] * held
            set_back(lost, held, bound[order - 1] / 2, radius)
        last[:] = held
        pressure = ask.extract_fix("pressure", PER_ATOM, VECTOR)[:count]
        radius += growth / 2 * ((2 * radius < due) & (pressure < against))

    def set_back(lost: np.ndarray, held: np.ndarray, first: np.ndarray, radius: np.ndarray) -> None:
        near, kind = ask.extract_atom("i_near"), engine.extract_atom("bond_type")
        for bead in lost:
            now = sum(kind[bead][place] == NEAR for place in range(held[bead]))
            if now < near[bead]:
                radius[bead] = first[bead]
            near[bead] = now

    return grow


def bounced(
    height: np.ndarray, speed: np.ndarray, push: np.ndarray, plane: float, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return height and speed from which the next step ends as if beads had bounced off the plane or the collector.

    A wall does not feel a bead whose centre lies behind it, so none may be there when forces are taken. Only the middle
    of a step can be reached, after its forces: a bead that the rest of it and the next step would bring to x' behind a
    wall at w, with the speed v', shall come to 2 w - x' and -v'. The forces tell both.

    Args:
        height: of soft beads' centres, (n,) [um].
        speed: their vertical velocity half a step ago, (n,) [um/us].
        push: vertical force over mass, (n,) [um/us2].
        plane: where the plane will be; the collector is at 0 [um].
        dt: time step [us].
    """
    ahead = speed + dt * push
    there = height + dt * ahead
    out, wall = (there > plane) | (there < 0), np.where(there > plane, plane, 0.0)
    return np.where(out, 2 * wall - height, height), np.where(out, -ahead - dt * push, speed)
