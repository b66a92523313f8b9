"""From a library and a size distribution to the particles of one packing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.shapes.beading import FEWEST, Cast, beads_for, cast
from mesoforge.physics.shapes.figures import Reals
from mesoforge.physics.shapes.library import Library, open_library
from mesoforge.physics.shapes.sizes import SPHERE, Law, LogNormal, Table, pick, read_table

CLASS, FEW = 0.1, 5
"""Half width of a size class, relative; and fewest particles of a library that make one up."""
LIGHTEST = 0.36
"""Least share of a bead's due volume: time steps go as its root, and are chosen for a bead of its due."""
QUANTILES = 4000
"""Particles that a distribution is spread over when it is laid on a library's own sizes."""
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which particles a packing has, largest first, and what could not be had as wanted."""

    rows: Rows
    """The library's particle of each, (p,)."""
    scales: Reals
    """Factor on its lengths, (p,)."""
    mirrored: NDArray[np.bool_]
    """Whether it is a mirror image, (p,)."""


def law_of(recipe: Recipe, library: Library) -> Law:
    """Return the size distribution that a recipe asks for, cut at its smallest and largest particle."""
    wanted, low, high = recipe.particles, recipe.particles.min_diameter, recipe.largest_diameter
    volume = wanted.weighting == "volume"
    if wanted.sizes == "lognormal":
        make = LogNormal.weighted_by_volume if volume else LogNormal
        return make(wanted.median_diameter, wanted.log_sd, low, high)
    if wanted.sizes == "library":
        return Table.of(library.diameters, np.ones(len(library))).between(low, high)
    return read_table(Path(wanted.sizes), volume=volume).between(low, high)


def candidates(library: Library, diameter: float) -> tuple[Rows, bool]:
    """Return the particles of about a diameter [um], and whether they are enough; if not, the nearest few."""
    apart = np.abs(np.log(library.diameters / diameter))
    near = np.flatnonzero(apart <= np.log1p(CLASS))
    if len(near) >= FEW:
        return near, True
    return np.sort(np.argsort(apart, kind="stable")[:FEW]), False


def laid_on(law: Law, library: Library, low: float, high: float) -> Table:
    """Return a distribution as shares of a library's particles, each class's evenly over its particles."""
    weights = np.zeros(len(library))
    for diameter in law.quantile((np.arange(QUANTILES) + 0.5) / QUANTILES).tolist():
        rows, _ = candidates(library, diameter)
        weights[rows] += 1 / len(rows)
    return Table.of(library.diameters, weights).between(
        min(low, float(library.diameters.max())), max(high, float(library.diameters.min()))
    )


def choose(recipe: Recipe, library: Library, volume: float, rng: np.random.Generator) -> Choice:
    """Choose particles by the recipe's size distribution until they have a volume [um3].

    Scaled copies have exactly the diameters picked; others their own, and the distribution is laid on these first.
    """
    law = law_of(recipe, library)
    if recipe.particles.scaled:
        picked = pick(law, volume, rng)
        rows = np.array([rng.choice(candidates(library, size)[0]) for size in picked.tolist()], dtype=np.int64)
        scales = picked / library.diameters[rows]
    else:
        table = laid_on(law, library, recipe.particles.min_diameter, recipe.largest_diameter)
        picked = pick(table, volume, rng)
        rows = np.array([_row_of(library, size, rng) for size in picked.tolist()], dtype=np.int64)
        scales = np.ones(len(rows))
    mirrored = rng.random(len(rows)) < 0.5 if recipe.particles.mirrored else np.zeros(len(rows), dtype=bool)
    return Choice(rows, scales, mirrored)


def _row_of(library: Library, diameter: float, rng: np.random.Generator) -> int:
    """Return a particle of exactly this diameter, one of several by chance."""
    return int(rng.choice(np.flatnonzero(library.diameters == diameter)))


def library_casts(recipe: Recipe, beads: int, rng: np.random.Generator) -> list[Cast]:
    """Return the particles of a packing, together of exactly so many beads, largest first.

    Bead counts are rounded from the particles' volumes; what then lacks, or is too much, the largest particles take up,
    one bead each. Each shape has a pitch of its own, the cube root of its volume over its beads.
    """
    library = open_library(Path(str(recipe.shapes)))
    pitch = recipe.particles.primary_diameter
    choice = choose(recipe, library, beads * pitch**3, rng)
    counts = bead_counts(library.volumes[choice.rows] * choice.scales**3, pitch, beads)
    copies = zip(choice.rows.tolist(), choice.scales.tolist(), choice.mirrored.tolist(), strict=True)
    needed = np.unique(choice.rows).tolist()
    masks = dict(zip(needed, library.masks(needed), strict=True))
    return [
        cast(masks[copy[0]], library.voxel_um, count, rng, copy)
        for copy, count in zip(copies, counts.tolist(), strict=True)
    ]


def bead_counts(volumes: Reals, pitch: float, total: int) -> Rows:
    """Return beads (p,) for volumes in falling order [um3] that add up to the total.

    Raises:
        PhysicsError: ``no_particle``, if particles are so small that a bead would hardly weigh anything.
    """
    counts = np.array([beads_for(volume, pitch) for volume in volumes], dtype=np.int64)
    if total < FEWEST * len(counts) or float((volumes / counts).min()) < LIGHTEST * pitch**3:
        least = float(np.cbrt(volumes.min() / SPHERE))
        raise PhysicsError(
            "no_particle",
            f"particles of {least:.3g} um came, but of beads of {pitch:g} um a particle has at least {FEWEST}: raise "
            "particles.min_diameter, or lower particles.primary_diameter",
        )
    place = 0
    while (missing := total - int(counts.sum())) != 0:
        step = 1 if missing > 0 else -1
        if counts[place] + step >= FEWEST:
            counts[place] += step
        place = (place + 1) % len(counts)
    return counts


def note(recipe: Recipe) -> str:
    """Say where the particles come from, which sizes the library had too few of, and what was done about it."""
    library = open_library(Path(str(recipe.shapes)))
    law, pitch = law_of(recipe, library), recipe.particles.primary_diameter
    wanted = law.quantile((np.arange(400) + 0.5) / 400)
    lacking = np.array([not candidates(library, size)[1] for size in wanted.tolist()])
    counts = sorted(beads_for(SPHERE * size**3, pitch) for size in (wanted[0], wanted[-1]))
    said = (
        f"Shapes: {len(library)} particles of {library.path.name} ({library.diameters.min():.3g} to "
        f"{library.diameters.max():.3g} um, from {library.origin.source}), {counts[0]} to {counts[1]} beads each; a "
        f"bead has its particle's volume over its beads, which differs from the mean by up to {0.5 / counts[0]:.0%}"
    )
    if recipe.particles.scaled:
        said += "; every copy is scaled to the diameter drawn for it, most by less than a tenth"
    if lacking.any():
        span = f"{wanted[lacking].min():.3g} to {wanted[lacking].max():.3g} um"
        done = "are larger or smaller particles scaled" if recipe.particles.scaled else "are replaced by the nearest"
        said += (
            f"; {lacking.mean():.0%} of the wanted particles ({span}) have fewer than {FEW} of their size in the "
            f"library and {done}"
        )
    return said + "."
