"""Structure of the wet slurry: how evenly it is filled and mixed, and how its beads are placed about one another.

For mixing, volumes are counted by the cell that a bead's centre lies in, in the slurry as in the random mixes that it
is compared with, so that this coarseness cancels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mesoforge.physics.beads import ACTIVE, CBD, Beads, wrapped

CELL = 6.0
"""Wanted edge of a sub-cell [um]; the box is cut evenly, in two at least."""
MIXES = 40
"""Random mixes that a slurry is compared with."""
CUTS, SMEAR = 3, 40
"""Cells per edge for the error of the density, and points that a bead's volume is spread over there."""
BIN, REACH = 0.1, 10.0
"""Width of a bin of the pair distribution and its greatest distance, or half the shortest edge [um]."""
KINDS = (ACTIVE, CBD)
PAIRS = ("active_active", "active_cbd", "cbd_cbd")
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """How unevenly active material and CBD are spread over sub-cells.

    ``spread`` is sd/mean of each kind's volume over the cells, (2,); ``random`` the same of random mixes of the same
    particles, root of the mean square; ``random_sd`` its standard deviation from mix to mix.
    """

    cells: tuple[int, int, int]
    spread: Reals
    random: Reals
    random_sd: Reals

    @property
    def ratio(self) -> Reals:
        """Spread over that of a random mix, (2,): below 1 more even than chance, above 1 clustered."""
        return self.spread / self.random


@dataclass(frozen=True, slots=True)
class PairDistribution:
    """g(r) at the middle of each bin: distance (n,) [um] and ``g`` (n, 3), columns as in ``PAIRS``."""

    distance: Reals
    g: Reals

    def save(self, path: Path) -> None:
        """Write distance_um and one column for each pair of kinds as CSV."""
        header = ",".join(["distance_um", *PAIRS])
        np.savetxt(
            path, np.column_stack([self.distance, self.g]), delimiter=",", header=header, comments="", fmt="%.6g"
        )


def homogeneity(beads: Beads, seed: int) -> Homogeneity:
    """Compare the spread of each kind over sub-cells with that of random mixes, periodic in all directions.

    A random mix has every secondary particle as a whole, and every CBD bead, at a place drawn uniformly.
    """
    cells = sub_cells(beads)
    mixes = np.array([_spread(mix, beads, cells) for mix in _mixes(beads, np.random.default_rng(seed))])
    random = np.sqrt((mixes**2).mean(axis=0))
    return Homogeneity(cells, _spread(beads.position, beads, cells), random, mixes.std(axis=0, ddof=1))


def sub_cells(beads: Beads) -> tuple[int, int, int]:
    """Return into how many cells each edge of the box is cut."""
    x, y, z = (max(2, round(float(edge) / CELL)) for edge in beads.box)
    return x, y, z


def _mixes(beads: Beads, rng: np.random.Generator) -> Iterator[Reals]:
    """Yield bead positions (n, 3) with every particle moved as a whole to a random place."""
    owner = np.where(beads.particle > 0, beads.particle, beads.particle.max() + 1 + np.arange(len(beads)))
    _, owner = np.unique(owner, return_inverse=True)
    for _ in range(MIXES):
        yield beads.position + (rng.random((owner.max() + 1, 3)) * beads.box)[owner]


def _spread(position: Reals, beads: Beads, cells: tuple[int, int, int]) -> Reals:
    """Return sd/mean over the cells of the volume of each kind, (2,)."""
    share = beads.by_volume(1.0, 1.0)
    counts = [_count(position[own], share[own], beads.box, cells) for own in (beads.kind == kind for kind in KINDS)]
    return np.array([count.std() / count.mean() for count in counts])


def _count(position: Reals, share: Reals, box: Reals, cells: tuple[int, int, int]) -> Reals:
    """Return how many mean beads lie in each cell, (cells,)."""
    index = np.minimum((wrapped(position, box) / box * cells).astype(np.int64), np.array(cells) - 1)
    place = np.ravel_multi_index(tuple(index.T), cells)
    return np.asarray(np.bincount(place, weights=share, minlength=int(np.prod(cells))), dtype=np.float64)


def sampling_error(beads: Beads, volumes: tuple[float, float]) -> float:
    """Return the relative standard error of the density that so small a sample has.

    The volume that the contents of 27 cells take up is fitted as a sum over kinds, so that a cell's composition does
    not count; what is left of filling above or below the mean, from cell to cell, is averaged over the cells.

    Args:
        beads: the slurry, periodic in all directions.
        volumes: of a mean bead of active material and of CBD with solvent [um3].
    """
    cells = CUTS**3
    amounts = np.array([_smeared(beads, kind, volume) for kind, volume in zip(KINDS, volumes, strict=True)]).T
    per_bead, *_ = np.linalg.lstsq(amounts, np.full(cells, 1.0), rcond=None)
    residual = amounts @ per_bead - 1
    return float(np.sqrt((residual**2).sum() / (cells - len(KINDS)) / cells))


def _smeared(beads: Beads, kind: int, volume: float) -> Reals:
    """Return how many mean beads of a kind lie in each cell, (cells,), each spread over the ball of its volume."""
    own, rng = beads.kind == kind, np.random.default_rng(0)
    centres, share = beads.position[own], beads.by_volume(1.0, 1.0)[own]
    directions = rng.normal(size=(len(centres), SMEAR, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    radius = (3 * volume / (4 * np.pi) * rng.random((len(centres), SMEAR, 1)) * share[:, None, None]) ** (1 / 3)
    points = (centres[:, None] + radius * directions).reshape(-1, 3)
    return np.asarray(_count(points, np.repeat(share, SMEAR), beads.box, (CUTS, CUTS, CUTS)) / SMEAR)


def pair_distribution(beads: Beads) -> PairDistribution:
    """Return g(r) of beads periodic in all directions; pairs within one secondary particle are left out.

    g is the number of pairs in a shell over what beads without any correlation would give.
    """
    bins = int(min(REACH, float(beads.box.min()) / 2) / BIN)
    edges = np.array([BIN * edge for edge in range(bins + 1)])
    shells = 4 / 3 * np.pi * np.diff(edges**3) / beads.volume
    points = wrapped(beads.position, beads.box)
    trees = [cKDTree(points[beads.kind == kind], boxsize=beads.box) for kind in KINDS]
    own = np.bincount(beads.particle)[1:]
    inner = _within(beads, edges)
    active, cbd = trees[0].n, trees[1].n
    columns = [
        (_pairs(trees[0], trees[0], edges) - inner) / max(active**2 - int((own**2).sum()), 1),
        _pairs(trees[0], trees[1], edges) / (active * cbd),
        _pairs(trees[1], trees[1], edges) / max(cbd * (cbd - 1), 1),
    ]
    return PairDistribution((edges[1:] + edges[:-1]) / 2, np.array(columns).T / shells[:, None])


def _pairs(first: cKDTree, second: cKDTree, edges: Reals) -> Reals:
    """Count ordered pairs by distance, (bins,); a bead's pair with itself lies below the first bin."""
    counts = first.count_neighbors(second, np.asarray(edges), cumulative=False)
    return np.asarray(counts[1:], dtype=np.float64)


def _within(beads: Beads, edges: Reals) -> Reals:
    """Count ordered pairs within secondary particles by distance to the nearest image, (bins,)."""
    found = np.zeros(len(edges) - 1)
    for number in range(1, int(beads.particle.max()) + 1):
        own = wrapped(beads.position[beads.particle == number], beads.box)
        tree = cKDTree(own, boxsize=beads.box)
        found += _pairs(tree, tree, edges)
    return found
