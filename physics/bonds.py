"""Bonds between the beads of a secondary particle: springs on a cubic lattice that answer alike in all directions.

Each bead is bound to its 26 neighbours at 1, sqrt(2) and sqrt(3) pitches a by central springs of stiffness k1, k2, k3.
The lattice's moduli are C11 = (k1 + 2 k2 + 4/3 k3) / a and C12 = C44 = (k2 + 4/3 k3) / a: a Poisson's ratio of 1/4 as
soon as it is isotropic, C11 = 3 C12, which is k1 = k2 + 8/3 k3; then E = 5/2 C12. Of the ratios left, k3 = 3/8 k2 makes
the energy to part the lattice along {100}, {110} and {111} alike within 1.5 %. So k1 : k2 : k3 = 8/15 : 4/15 : 1/10 of
E a. A bond breaks at one extension, whatever its length, and never in compression: in a uniform field none breaks
before the largest principal strain reaches it, however the lattice lies.
Source: M. Born, K. Huang, Dynamical Theory of Crystal Lattices (1954), for moduli of central springs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mesoforge.physics.beads import ACTIVE, Beads

STIFFNESS = {1: 8 / 15, 2: 4 / 15, 3: 1 / 10}
"""Stiffness of a bond over modulus times pitch, by the square of its length in pitches."""
MODULUS_SHARE = 0.93
"""Modulus of a bonded bar 12 um thick over its lattice's, the mean of <100>, <110> and <111> (0.95, 0.94, 0.90): beads
at a surface lack neighbours. Measured with ``crush``, as the next."""
TENSILE_SHARE = 0.72
"""Stress at which the first bond of the weakest of 18 such bars breaks, over the lattice's modulus times the bonds'
greatest extension; 0.87, 0.81 and 0.76 in the mean along the three directions."""
REACH, CLOSE = 1.8, 0.05
"""Longest bond in pitches, with some room; and how exactly a distance must be one of the lattice."""
SPREAD = 1.3
"""Most that a particle's pitch is larger than the nominal one."""
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bonds:
    """Bonds between beads: both beads (b, 2) by their place in the list, the lower first; family (b,) in 1..3."""

    pair: Ints
    family: Ints

    def __len__(self) -> int:
        """Count the bonds."""
        return len(self.pair)

    def only(self, chosen: NDArray[np.bool_]) -> Bonds:
        """Return the chosen ones, (b,)."""
        return Bonds(self.pair[chosen], self.family[chosen])

    def among(self, pairs: Ints) -> NDArray[np.bool_]:
        """Say which of the bonds are among these pairs (n, 2), (b,)."""
        most = int(max(self.pair.max(initial=0), pairs.max(initial=0))) + 1
        keys = np.sort(pairs, axis=1) @ np.array([most, 1])
        return np.isin(self.pair @ np.array([most, 1]), keys)

    def has(self, pairs: Ints) -> NDArray[np.bool_]:
        """Say which of these pairs (n, 2) are bound, (n,)."""
        most = int(max(self.pair.max(initial=0), pairs.max(initial=0))) + 1
        return np.isin(np.sort(pairs, axis=1) @ np.array([most, 1]), self.pair @ np.array([most, 1]))

    def touched(self, count: int) -> Ints:
        """Count the bonds of each of ``count`` beads, (count,)."""
        return np.bincount(self.pair.ravel(), minlength=count)


def bonds_of(beads: Beads, pitch: float) -> Bonds:
    """Bind all neighbours on their particle's lattice, whose pitch is about this one [um]; rigid particles unbound."""
    pair, length = _near(beads, pitch)
    own = own_pitch(beads, pitch, pair, length)[beads.particle[pair[:, 0]]]
    square = (length / own) ** 2
    family = np.rint(square).astype(np.int64)
    fits = (np.abs(np.sqrt(square) - np.sqrt(family)) < CLOSE) & np.isin(family, list(STIFFNESS))
    whole = ~flat(beads, pitch)[beads.particle[pair[:, 0]]]
    chosen = fits & whole
    return Bonds(pair[chosen], family[chosen])


def _near(beads: Beads, pitch: float) -> tuple[Ints, NDArray[np.float64]]:
    """Return the pairs of beads of one particle that may be bound, (n, 2), and their distances (n,) [um]."""
    active = np.flatnonzero(beads.kind == ACTIVE)
    place = beads.position[active]
    found = cKDTree(place).query_pairs(REACH * SPREAD * pitch, output_type="ndarray").astype(np.int64)
    pair = np.sort(active[found], axis=1)
    pair = pair[beads.particle[pair[:, 0]] == beads.particle[pair[:, 1]]]
    pair = pair[np.lexsort((pair[:, 1], pair[:, 0]))]
    return pair, np.linalg.norm(beads.position[pair[:, 0]] - beads.position[pair[:, 1]], axis=1)


def own_pitch(beads: Beads, pitch: float, pair: Ints, length: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pitch of each particle by number, (p + 1,) [um]: its least distance, if that is about the nominal."""
    least = np.full(int(beads.particle.max(initial=0)) + 1, np.inf)
    np.minimum.at(least, beads.particle[pair[:, 0]], length)
    return np.where((least > pitch / SPREAD) & (least < pitch * SPREAD), least, pitch)


def pitches(beads: Beads, pitch: float) -> NDArray[np.float64]:
    """Return the pitch of the particle that each bead is of, (n,) [um]; the nominal one for CBD."""
    own = own_pitch(beads, pitch, *_near(beads, pitch))
    return np.where(beads.kind == ACTIVE, own[beads.particle], pitch)


def flat(beads: Beads, pitch: float) -> NDArray[np.bool_]:
    """Say of each particle by number if its beads lie in a plane or on a line, (p + 1,): springs cannot hold it."""
    many = int(beads.particle.max(initial=0)) + 1
    found = np.ones(many, dtype=np.bool_)
    order = np.argsort(beads.particle, kind="stable")
    ends = np.cumsum(np.bincount(beads.particle, minlength=many))
    for number in range(1, many):
        own = beads.position[order[ends[number - 1] : ends[number]]]
        found[number] = len(own) < 4 or np.linalg.svd(own - own.mean(axis=0), compute_uv=False)[2] < pitch / 4
    return found


def pieces(bonds: Bonds, count: int) -> Ints:
    """Number the pieces that hang together by bonds, (count,), one number per bead."""
    ones = np.ones(len(bonds), dtype=np.int8)
    graph = coo_array((ones, (bonds.pair[:, 0], bonds.pair[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
