"""Calendering: a plane loads the dried electrode at constant speed, dwells, lets go, and the electrode relaxes.

What drives it is in ``drives``. Contacts are elastic with the materials' own moduli. A share p of each contact's
flattening at maximum load is permanent; small as flattenings are, where beads go is linear in them, so that the
electrode goes the share 1 - p of the way on which it would spring back elastically. Source: Xu et al., calendering
step; the permanent share follows the idea of Walton and Braun (J. Rheol. 30 (1986) 949) that a plastic contact unloads
along a stiffer branch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
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
    drag_script,
    drying_law,
    timestep,
)
from mesoforge.physics.cracking import Cracks, Skeleton
from mesoforge.physics.drives import LOOKS, Task, loading
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.lammps.files import DATA, DUMP, Reals, read_curve, read_positions, write_data
from mesoforge.physics.plane import (
    CHUNK,
    CURVE,
    FINISH,
    GAVE_UP,
    Curve,
    execute_plane,
    plane_script,
    read_strokes,
    release_to,
    stroke_script,
)
from mesoforge.physics.pose import part_way
from mesoforge.physics.recipe import Recipe

LOAD, RELEASE = 1, 2
STROKES, LOADED = "strokes", "loaded.dump"
"""Folder of the simulation, and its file of the electrode at maximum load."""
REACH = 0.6
"""Share of the dried height from which a bead may come to a wall: beads hardly pass one another."""
LEAST_SIZE = 0.3
"""Share of its contact diameter that a bead keeps, squeezed as it may be: it stays where the wall can feel it."""
CROWDED = 120.0
"""Pressure beyond which the time step shrinks [MPa]: at 0.4 Rayleigh times beads began to rattle at 200 MPa."""
LEAST_GAUGE = 0.02
"""Least pressure that the plane is steered to [MPa]: a coating that was hardly touched carries about none."""


@dataclass(frozen=True, slots=True)
class CalenderedResult:
    """The electrode after release and at maximum load, the pressure there [MPa], and the plane's curve.

    Heights of the release are those of the electrode, not of the elastic simulation.

    ``cbd_volume_kept`` is the share of the CBD beads' volume that their permanent flattening left them.
    """

    beads: Beads
    loaded: Beads
    pressure: float
    curve: Curve
    cbd_volume_kept: float
    cracks: Cracks | None = None
    """What broke, of bonded particles."""


def calendering_script(recipe: Recipe, dried: float, holding: Holding = RIGID) -> str:
    """Write the LAMMPS input that loads an electrode of a dried thickness [um], and lets go."""
    law, numerics = calendering_law(recipe), recipe.numerics
    kpa, step = KPA_PER_MPA / law.scale, timestep(recipe, law) if holding is RIGID else bonded_step(recipe, law)
    stroke, finer = loading(Task(recipe, law, dried)), _finer(step, CROWDED * kpa)
    way = math.ceil(dried / (numerics.plane_speed * CHUNK * step))  # a thick coating takes as long as it takes
    load = stroke_script(LOAD, replace(stroke, most=stroke.most + way, step=finer))
    back = release_to("v_gauge", numerics.release_speed, "release and relax")
    release = stroke_script(RELEASE, replace(back, step=finer))
    between = f"""{holding.eased}{drag_script(numerics.release_drag)}write_dump      all custom {LOADED} id xu yu zu &
   modify sort id format float %.12g
variable        peak equal $(v_load)
variable        gauge equal $({_least(_most("v_load", LEAST_GAUGE * kpa), numerics.gauge_pressure * kpa)})
"""
    return _head(recipe, law, dried, step, holding) + load + between + release + holding.end + FINISH


def _least(this: str, number: float) -> str:
    return f"ternary({this}<{number:.10g},{this},{number:.10g})"


def _most(this: str, number: float) -> str:
    return f"ternary({this}>{number:.10g},{this},{number:.10g})"


def _finer(step: float, crowded: float) -> str:
    """Write the formula of a time step [us] that shrinks beyond a load [kPa].

    A bead vibrates the faster the stiffer its contacts are, each as the third root of its force, and the more it has.
    """
    return f"{step:.10g}*ternary(v_load>{crowded:.10g},({crowded:.10g}/v_load)^(1/3),1)"


def _head(recipe: Recipe, law: Law, start: float, step: float, holding: Holding) -> str:
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
    return np.maximum(size - (1 - kept) * flattening(dried, size), LEAST_SIZE * size)


def _kept(soft: float, hard: float) -> float:
    return float(min(1.0, soft / hard) ** (2 / 3))


def flattened(before: Reals, more: Reals, share: float) -> Reals:
    """Return the contact diameter of each bead, (n,) [um], of which a share of its flattening has become permanent.

    Args:
        before: the diameters before, (n,) [um].
        more: by how much the load flattened each bead beyond what drying had, (n,) [um].
        share: the permanent share.
    """
    left: Reals = np.maximum(before - share * np.maximum(more, 0), np.minimum(before, LEAST_SIZE * before.max()))
    return left


def flattening(beads: Beads, size: Reals) -> Reals:
    """Return by how much the contacts of each bead, of diameters ``size``, flatten it, (n,) [um].

    It is the mean overlap of its contacts, each weighted by itself since the deep ones carry the load. Half of an
    overlap is the bead's own, but all of one with a wall, which therefore counts twice.
    """
    total, square = np.zeros(len(beads)), np.zeros(len(beads))
    first, second, overlap = overlaps(beads, size)
    walls = [(owners, 2 * depth) for owners, depth in _wall_overlaps(beads, size)]
    for owners, depth in ((first, overlap), (second, overlap), *walls):
        np.add.at(total, owners, depth)
        np.add.at(square, owners, depth**2)
    return np.divide(square, total, out=np.zeros_like(total), where=total > 0)


def overlaps(beads: Beads, size: Reals) -> tuple[np.ndarray, np.ndarray, Reals]:
    """Return the contacts between beads of different particles: both beads (c,) and the overlap (c,) [um]."""
    inside = beads.position - [0, 0, beads.position[:, 2].min()]
    inside[:, :2] = wrapped(inside[:, :2], beads.box[:2])
    frame = np.array([beads.box[0], beads.box[1], 10 * beads.box[2]])
    pairs = cKDTree(inside, boxsize=frame).query_pairs(float(size.max()), output_type="ndarray")
    first, second = pairs[:, 0], pairs[:, 1]
    apart = (beads.particle[first] != beads.particle[second]) | (beads.particle[first] == 0)
    gap = inside[first] - inside[second]
    gap[:, :2] -= beads.box[:2] * np.round(gap[:, :2] / beads.box[:2])
    depth = (size[first] + size[second]) / 2 - np.linalg.norm(gap, axis=1)
    touching = apart & (depth > 0)
    return first[touching], second[touching], depth[touching]


def _wall_overlaps(beads: Beads, size: Reals) -> list[tuple[np.ndarray, Reals]]:
    """Return the contacts with collector and plane: the beads and their overlaps [um], both walls."""
    height = beads.position[:, 2]
    depths = (size / 2 - height, height + size / 2 - beads.thickness)
    return [(np.flatnonzero(depth > 0), depth[depth > 0]) for depth in depths]


def calender(dried: Beads, recipe: Recipe, folder: Path) -> CalenderedResult:
    """Load a dried electrode in LAMMPS and release it; part of what it flattened under load is permanent.

    Raises:
        PhysicsError: a simulation failed, or the plane did not come to rest.
    """
    skeleton = Skeleton.of(dried, recipe) if recipe.particles.bonded else None
    before = as_set(dried, recipe) if skeleton is None else skeleton.sizes(as_set(dried, recipe))
    elastic = _stroked(dried, before, recipe, folder / STROKES, skeleton)
    share = recipe.force_field.plasticity
    under_load = before if skeleton is None else skeleton.grown(folder / STROKES)
    more = flattening(elastic.loaded, under_load) - flattening(dried, before)
    size = flattened(before, more, share)
    rigid = range(1, int(dried.particle.max(initial=0)) + 1) if skeleton is None else skeleton.stiff
    return CalenderedResult(
        beads=part_way(elastic.loaded, elastic.released, 1 - share, rigid),
        loaded=elastic.loaded,
        pressure=elastic.curve.end_of(LOAD, LOOKS)[1],
        curve=elastic.curve.sprung_back(LOAD, 1 - share),
        cbd_volume_kept=float(np.mean((size / before)[dried.kind == CBD] ** 3)),
        cracks=skeleton.cracks(folder / STROKES, elastic.curve.of(LOAD)) if skeleton else None,
    )


@dataclass(frozen=True, slots=True)
class Stroked:
    """An electrode under load and after an elastic release, and what the plane felt."""

    loaded: Beads
    released: Beads
    curve: Curve


def _stroked(dried: Beads, size: Reals, recipe: Recipe, folder: Path, skeleton: Skeleton | None) -> Stroked:
    """Load and release a dried electrode; where the load is out of reach, say how far it got."""
    law = calendering_law(recipe)
    script = calendering_script(recipe, dried.thickness, skeleton.holding(recipe, law) if skeleton else RIGID)
    _must_hold_solids(dried, recipe)
    folder.mkdir()
    if skeleton is None:
        write_data(dried, size, masses(dried, recipe), folder / DATA, walls=True)
    else:
        skeleton.write(size, masses(dried, recipe), folder)
    try:
        execute_plane(script, recipe, folder)
    except PhysicsError as error:
        if error.kind in GAVE_UP and not (folder / LOADED).exists():
            lowest = float(read_curve(folder / CURVE)[:, 1].min())
            share, reached = balance(recipe).porosity(dried.area * lowest), 1 - lowest / dried.thickness
            far = f"the lowest porosity reached was {share:.3f}, at a compression of {reached:.3f}"
            raise PhysicsError(error.kind, f"{error.reason}; {far}") from None
        raise
    curve = read_strokes(folder, law.scale)
    loaded, released = (
        dried.moved(read_positions(folder / dump, len(dried)), np.array([*dried.box[:2], curve.last(stroke)]))
        for dump, stroke in ((LOADED, LOAD), (DUMP, RELEASE))
    )
    return Stroked(loaded, released, curve)


def _must_hold_solids(dried: Beads, recipe: Recipe) -> None:
    """Refuse a height at which the solids alone would not fit."""
    settings = recipe.calendering
    if settings.compression is not None and balance(recipe).porosity(dried.volume * (1 - settings.compression)) <= 0:
        share = balance(recipe).porosity(dried.volume)
        raise PhysicsError(
            "unreachable", f"the dried coating's porosity is {share:.3f}: no compression beyond that can be reached"
        )
