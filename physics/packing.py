"""Packing: draw the secondary particles, turn them at random and scatter them with the CBD in a dilute box."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mesoforge.physics.balance import Balance, balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads, wrapped
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.recipe import Particles, Recipe
from mesoforge.physics.shapes.beading import FEWEST, Cast
from mesoforge.physics.shapes.casting import library_casts
from mesoforge.physics.shapes.fitted import FittedShapes
from mesoforge.physics.shapes.shape import Points, Shape, ShapeSource, random_rotation
from mesoforge.physics.shapes.synthetic import PlateletShapes, SyntheticShapes

DILUTION = 5.0
"""Volume of the starting box over the additive volume of the slurry."""
TRIES = 20000

SOURCES: dict[str, Callable[[Particles], ShapeSource]] = {
    "synthetic": SyntheticShapes,
    "platelets": PlateletShapes,
    "fitted": FittedShapes,
}
"""Where shapes come from, by the name that ``particles.source`` gives."""


def bead_counts(recipe: Recipe, total: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw particles from the size distribution until their beads are exactly ``total``; largest first, (p,).

    The distribution is log-normal by number, cut at the smallest and at the largest particle that the volume holds.
    """
    pitch = recipe.particles.primary_diameter
    low, high = recipe.particles.min_diameter, recipe.largest_diameter
    smallest = max(FEWEST, round(math.pi / 6 * (low / pitch) ** 3))
    counts: list[int] = []
    while sum(counts) < total:
        diameter = _draw_diameter(recipe, low, high, rng)
        counts.append(max(smallest, round(math.pi / 6 * (diameter / pitch) ** 3)))
    counts[-1] -= sum(counts) - total
    if counts[-1] < smallest and len(counts) > 1:
        rest = counts.pop()
        counts[int(np.argmin(counts))] += rest
    return np.sort(np.array(counts, dtype=np.int64))[::-1]


def _draw_diameter(recipe: Recipe, low: float, high: float, rng: np.random.Generator) -> float:
    for _ in range(TRIES):
        diameter = float(rng.lognormal(math.log(recipe.particles.median_diameter), recipe.particles.log_sd))
        if low <= diameter <= high:
            return diameter
    raise PhysicsError(
        "no_particle", f"the size distribution has almost no particle between {low:g} and {high:g} um: widen its limits"
    )


def pack(recipe: Recipe) -> Beads:
    """Scatter the recipe's beads without overlap in a box periodic in all directions.

    Source: Xu et al., Scheme 1 (particles drawn by size, randomly rotated and displaced).
    """
    rng = np.random.default_rng(recipe.seed)
    amounts = balance(recipe)
    shapes = _shapes(recipe, amounts.active_beads, rng)
    box = _box(recipe, amounts)
    active = _place_particles(shapes, box, rng)
    cbd = _place_cbd(active, amounts, recipe, box, rng)
    owner = np.repeat(np.arange(1, len(shapes) + 1), [len(shape.beads) for shape in shapes])
    return Beads(
        position=np.vstack([active, cbd]),
        kind=np.repeat(np.array([ACTIVE, CBD], dtype=np.int32), [len(active), len(cbd)]),
        particle=np.concatenate([owner, np.zeros(len(cbd))]).astype(np.int32),
        box=box,
        share=None if recipe.shapes is None else np.concatenate([_bead_shares(shapes), np.ones(len(cbd))]),
    )


def _bead_shares(shapes: list[Shape]) -> NDArray[np.float64]:
    """Return the volume of each bead over that of the mean bead, (n,): its particle's over its particle's beads."""
    volumes = np.repeat([shape.pitch**3 for shape in shapes], [len(shape.beads) for shape in shapes])
    return np.asarray(volumes / volumes.mean())


def casts(recipe: Recipe) -> list[Cast]:
    """Return the library's particles that a packing of the recipe is made of, in its order: the same for one seed."""
    return library_casts(recipe, balance(recipe).active_beads, np.random.default_rng(recipe.seed))


def _shapes(recipe: Recipe, beads: int, rng: np.random.Generator) -> list[Shape]:
    """Return the particles of a packing, largest first, cut from a library or generated."""
    if recipe.shapes is not None:
        return [one.shape for one in library_casts(recipe, beads, rng)]
    source = SOURCES[recipe.particles.source](recipe.particles)
    return [source.shape(int(n), rng) for n in bead_counts(recipe, beads, rng)]


def _box(recipe: Recipe, amounts: Balance) -> Points:
    """Return edges: the recipe's, or such that densification to the additive density ends at its lateral side."""
    if recipe.volume.start_box is not None:
        return np.array(recipe.volume.start_box, dtype=np.float64)
    height = amounts.additive_slurry_volume / recipe.volume.side**2
    return np.array([recipe.volume.side, recipe.volume.side, height], dtype=np.float64) * math.cbrt(DILUTION)


class _Crowd:
    """Beads placed so far, in trees of falling size: each bead enters few trees, so that the cost stays near linear."""

    def __init__(self, box: Points) -> None:
        self._box, self._trees = box, list[cKDTree]()

    def add(self, beads: Points) -> None:
        """Take beads in, joined with all trees that are no larger."""
        inside = wrapped(beads, self._box)
        while self._trees and self._trees[-1].n <= len(inside):
            inside = np.vstack([self._trees.pop().data, inside])
        self._trees.append(cKDTree(inside, boxsize=self._box))

    def touches(self, beads: Points, clearance: float) -> bool:
        """Say whether any of these beads lies closer than the clearance to one placed before."""
        inside = wrapped(beads, self._box)
        return any(np.isfinite(tree.query(inside, distance_upper_bound=clearance)[0]).any() for tree in self._trees)


def _place_particles(shapes: list[Shape], box: Points, rng: np.random.Generator) -> Points:
    """Place whole particles one by one where their beads keep clear of all beads placed before, (n, 3)."""
    placed, crowd = list[Points](), _Crowd(box)
    for shape in shapes:
        placed.append(_place(shape, crowd, box, rng))
        crowd.add(placed[-1])
    return np.vstack(placed)


def _place(shape: Shape, crowd: _Crowd, box: Points, rng: np.random.Generator) -> Points:
    for _ in range(TRIES):
        beads = shape.beads @ random_rotation(rng).T + rng.random(3) * box
        if not crowd.touches(beads, shape.pitch * 1.4):
            return beads
    raise PhysicsError("packing", "a particle found no free place in the starting box: lower volume.mass_loading")


def _place_cbd(active: Points, amounts: Balance, recipe: Recipe, box: Points, rng: np.random.Generator) -> Points:
    """Scatter CBD beads that keep clear of the active material and, where they can, of one another, (m, 3)."""
    diameter = amounts.wet_bead_diameter * recipe.force_field.slurry_bead_factor
    tree = cKDTree(wrapped(active, box), boxsize=box)
    chosen = np.empty((0, 3))
    for _ in range(TRIES):
        candidates = rng.random((amounts.cbd_beads, 3)) * box
        near = tree.query(candidates, distance_upper_bound=(diameter + recipe.particles.primary_diameter) / 2)[0]
        chosen = _apart(np.vstack([chosen, candidates[~np.isfinite(near)]]), diameter, box)
        if len(chosen) >= amounts.cbd_beads:
            return chosen[: amounts.cbd_beads]
    raise PhysicsError("packing", "the CBD found no free place in the starting box: lower volume.mass_loading")


def _apart(points: Points, distance: float, box: Points) -> Points:
    """Keep, in order, each point that is at least ``distance`` from every point kept before."""
    pairs = cKDTree(points, boxsize=box).query_pairs(distance, output_type="ndarray")
    keep = np.ones(len(points), dtype=bool)
    for first, second in pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]:
        if keep[first]:
            keep[second] = False
    return points[keep]
