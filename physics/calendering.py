"""Calendering: a plane loads the dried electrode at constant speed, dwells, lets go, and the electrode relaxes.

What drives it is in ``drives``. Under load contacts are elastic
with the materials' own moduli; at maximum load a share of each contact's flattening becomes permanent, and only the
rest springs back. Source: Xu et al., calendering step; the permanent share follows the idea of Walton and Braun
(J. Rheol. 30 (1986) 949) that a plastic contact unloads along a stiffer branch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mesoforge.physics.balance import balance, masses
from mesoforge.physics.beads import CBD, Beads, wrapped
from mesoforge.physics.bonding import bonded_step
from mesoforge.physics.contact import (
    KPA_PER_MPA,
    RIGID,
    Holding,
    Law,
    calendering_law,
    contact_script,
    diameters,
    drying_law,
    release_law,
)
from mesoforge.physics.cracking import Cracks, Skeleton
from mesoforge.physics.drives import LOOKS, Task, loading
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.lammps.files import DATA, DUMP, Reals, read_curve, read_positions, write_data
from mesoforge.physics.plane import (
    CURVE,
    FINISH,
    GAVE_UP,
    Curve,
    execute_plane,
    plane_script,
    press_to,
    read_strokes,
    release_to,
    stroke_script,
)
from mesoforge.physics.recipe import Recipe

LOAD, HOLD = 1, 2
REACH = 0.6
"""Share of the dried height from which a bead may come to a wall: beads hardly pass one another."""
LEAST_SIZE = 0.3
"""Share of its contact diameter that a bead keeps, squeezed as it may be: it stays where the wall can feel it."""
LEAST_GAUGE = 0.02
"""Least pressure that the plane is steered to [MPa]: a coating that was hardly touched carries about none."""


@dataclass(frozen=True, slots=True)
class CalenderedResult:
    """The electrode after release and at maximum load, the pressure there [MPa], and the plane's curve.

    ``cbd_volume_kept`` is the share of the CBD beads' volume that their permanent flattening left them.
    """

    beads: Beads
    loaded: Beads
    pressure: float
    curve: Curve
    cbd_volume_kept: float
    cracks: Cracks | None = None
    """What broke, of bonded particles."""


@dataclass(frozen=True, slots=True)
class Stroked:
    """What a plane strokes: beads of contact diameters ``size`` (n,) [um], and what binds them if they are bonded."""

    beads: Beads
    size: Reals
    skeleton: Skeleton | None = None


def loading_script(recipe: Recipe, dried: float, holding: Holding = RIGID) -> str:
    """Write the LAMMPS input that loads an electrode of a dried thickness [um]."""
    law = calendering_law(recipe)
    body = stroke_script(LOAD, loading(Task(recipe, law, dried)))
    return _head(recipe, law, dried, holding) + body + holding.end + FINISH


def release_script(recipe: Recipe, loaded: float, pressure: float, holding: Holding = RIGID) -> str:
    """Write the LAMMPS input that holds a loaded thickness [um] at its pressure [MPa], then lets go."""
    law, speed = release_law(recipe), recipe.numerics.plane_speed
    kpa = KPA_PER_MPA / law.scale
    gauge = min(recipe.numerics.gauge_pressure, max(pressure, LEAST_GAUGE))
    strokes = (
        press_to(max(pressure, gauge) * kpa, speed / 4, "hold"),
        release_to(gauge * kpa, speed, "release and relax"),
    )
    body = "".join(stroke_script(number, stroke) for number, stroke in enumerate(strokes, start=HOLD))
    return _head(recipe, law, loaded, holding) + body + holding.end + FINISH


def _head(recipe: Recipe, law: Law, start: float, holding: Holding) -> str:
    step = None if holding is RIGID else bonded_step(recipe, law)
    head = contact_script(recipe, law, recipe.numerics.viscous_drag, step, holding)
    return head + plane_script(law, start, reach=REACH) + holding.start


def as_set(dried: Beads, recipe: Recipe) -> Reals:
    """Return the contact diameter of each bead once the binder has set, (n,) [um].

    The contacts of drying are soft, those of the calender stiff: with the same diameters their overlaps would burst.
    At one force an overlap goes as modulus^(-2/3) (Hertz, JKR); what is beyond that is taken as the set shape.
    """
    size, wet, dry = diameters(dried, recipe), drying_law(recipe), calendering_law(recipe)
    kept = dried.by_kind(
        *(_kept(soft, hard * dry.scale) for soft, hard in ((wet.active, dry.active), (wet.cbd, dry.cbd)))
    )
    return np.maximum(size - (1 - kept) * flattening(Stroked(dried, size)), LEAST_SIZE * size)


def _kept(soft: float, hard: float) -> float:
    return float(min(1.0, soft / hard) ** (2 / 3))


def flattened(loaded: Stroked, dried: Stroked, share: float) -> Reals:
    """Return the contact diameter of each bead after a share of its flattening has become permanent, (n,) [um].

    Only what the load added to the dried electrode's contacts counts.
    """
    more = np.maximum(flattening(loaded) - flattening(dried), 0)
    least = np.minimum(loaded.size, LEAST_SIZE * dried.size.max())
    left: Reals = np.maximum(loaded.size - share * more, least)
    return left


def flattening(what: Stroked) -> Reals:
    """Return by how much the contacts of each bead flatten it, (n,) [um].

    It is the mean overlap of its contacts, each weighted by itself since the deep ones carry the load. Half of an
    overlap is the bead's own, but all of one with a wall, which therefore counts twice.
    """
    total, square = np.zeros(len(what.beads)), np.zeros(len(what.beads))
    first, second, overlap = overlaps(what)
    walls = [(owners, 2 * depth) for owners, depth in _wall_overlaps(what.beads, what.size)]
    for owners, depth in ((first, overlap), (second, overlap), *walls):
        np.add.at(total, owners, depth)
        np.add.at(square, owners, depth**2)
    return np.divide(square, total, out=np.zeros_like(total), where=total > 0)


def overlaps(what: Stroked) -> tuple[np.ndarray, np.ndarray, Reals]:
    """Return the contacts between beads that nothing binds: both beads (c,) and the overlap (c,) [um]."""
    beads, size = what.beads, what.size
    inside = beads.position - [0, 0, beads.position[:, 2].min()]
    inside[:, :2] = wrapped(inside[:, :2], beads.box[:2])
    frame = np.array([beads.box[0], beads.box[1], 10 * beads.box[2]])
    pairs = cKDTree(inside, boxsize=frame).query_pairs(float(size.max()), output_type="ndarray")
    first, second = pairs[:, 0], pairs[:, 1]
    apart = ~what.skeleton.binds(pairs) if what.skeleton else _apart(beads, first, second)
    gap = inside[first] - inside[second]
    gap[:, :2] -= beads.box[:2] * np.round(gap[:, :2] / beads.box[:2])
    depth = (size[first] + size[second]) / 2 - np.linalg.norm(gap, axis=1)
    touching = apart & (depth > 0)
    return first[touching], second[touching], depth[touching]


def _apart(beads: Beads, first: np.ndarray, second: np.ndarray) -> NDArray[np.bool_]:
    """Say which pairs of beads are of different rigid particles, or of none, (c,)."""
    apart: NDArray[np.bool_] = (beads.particle[first] != beads.particle[second]) | (beads.particle[first] == 0)
    return apart


def _wall_overlaps(beads: Beads, size: Reals) -> list[tuple[np.ndarray, Reals]]:
    """Return the contacts with collector and plane: the beads and their overlaps [um], both walls."""
    height = beads.position[:, 2]
    depths = (size / 2 - height, height + size / 2 - beads.thickness)
    return [(np.flatnonzero(depth > 0), depth[depth > 0]) for depth in depths]


def calender(dried: Beads, recipe: Recipe, folder: Path) -> CalenderedResult:
    """Load a dried electrode in LAMMPS, let part of the flattening become permanent, and release it.

    Raises:
        PhysicsError: a simulation failed, or the plane did not come to rest.
    """
    skeleton = Skeleton.of(dried, recipe) if recipe.particles.bonded else None
    before = as_set(dried, recipe) if skeleton is None else skeleton.sizes(as_set(dried, recipe))
    loaded, loading_curve = _load(dried, before, recipe, folder / "load", skeleton)
    height, pressure = loading_curve.end_of(LOAD, LOOKS)
    law = release_law(recipe)
    cracked = skeleton and skeleton.after(folder / "load")
    grown = before if skeleton is None else skeleton.grown(folder / "load")
    strokes = Stroked(loaded, grown, cracked), Stroked(dried, before, skeleton)
    size = flattened(*strokes, recipe.force_field.plasticity)
    script = release_script(recipe, height, pressure, cracked.holding(recipe, law, moved=True) if cracked else RIGID)
    released, release_curve = _stroke(Stroked(loaded, size, cracked), recipe, script, folder / "release", law.scale)
    kept = float(np.mean((size / before)[dried.kind == CBD] ** 3))
    cracks = skeleton.cracks(folder, loading_curve) if skeleton else None
    return CalenderedResult(released, loaded, pressure, loading_curve + release_curve, kept, cracks)


def _load(dried: Beads, size: Reals, recipe: Recipe, folder: Path, skeleton: Skeleton | None) -> tuple[Beads, Curve]:
    """Load a dried electrode; where that is out of reach, say how far it got."""
    law = calendering_law(recipe)
    script = loading_script(recipe, dried.thickness, skeleton.holding(recipe, law) if skeleton else RIGID)
    _must_hold_solids(dried, recipe)
    try:
        return _stroke(Stroked(dried, size, skeleton), recipe, script, folder, law.scale)
    except PhysicsError as error:
        if error.kind in GAVE_UP:
            lowest = float(read_curve(folder / CURVE)[:, 1].min())
            share, reached = balance(recipe).porosity(dried.area * lowest), 1 - lowest / dried.thickness
            far = f"the lowest porosity reached was {share:.3f}, at a compression of {reached:.3f}"
            raise PhysicsError(error.kind, f"{error.reason}; {far}") from None
        raise


def _must_hold_solids(dried: Beads, recipe: Recipe) -> None:
    """Refuse a height at which the solids alone would not fit."""
    settings = recipe.calendering
    if settings.compression is not None and balance(recipe).porosity(dried.volume * (1 - settings.compression)) <= 0:
        share = balance(recipe).porosity(dried.volume)
        raise PhysicsError(
            "unreachable", f"the dried coating's porosity is {share:.3f}: no compression beyond that can be reached"
        )


def _stroke(what: Stroked, recipe: Recipe, script: str, folder: Path, scale: float) -> tuple[Beads, Curve]:
    """Run one script of strokes; return the beads under the plane and its curve."""
    folder.mkdir()
    beads = what.beads
    if what.skeleton is None:
        write_data(beads, what.size, masses(beads, recipe), folder / DATA, walls=True)
    else:
        what.skeleton.write(beads, what.size, masses(beads, recipe), folder)
    execute_plane(script, recipe, folder)
    curve = read_strokes(folder, scale)
    box = np.array([*beads.box[:2], curve.height[-1]])
    return beads.moved(read_positions(folder / DUMP, len(beads)), box), curve
