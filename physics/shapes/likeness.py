"""How alike two libraries are: distances between the distributions of their particles' figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesoforge.physics.shapes.figures import Reals
from mesoforge.physics.shapes.library import Library

COMPARED = ("diameter", "axis_ratio_b", "axis_ratio_c", "krumbein", "wadell", "solidity", "specific_surface")
HALVES = 20
"""Times that a library is parted at random to learn how far apart two samples of it are."""


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two samples of a figure are apart."""

    first: tuple[float, float]
    """Mean and standard deviation in the first sample."""
    second: tuple[float, float]
    """The same in the second."""
    ks: float
    """Kolmogorov and Smirnov's: the greatest difference of the two cumulative distributions."""
    wasserstein: float
    """Mean difference of the two quantiles, over the first sample's standard deviation."""
    halves: float
    """Kolmogorov and Smirnov's between random samples of the first library, of the sizes compared: chance alone."""


def columns_of(library: Library) -> dict[str, Reals]:
    """Return the figures that are compared, (n,) each."""
    axes = library.figures["axes"]
    plain = {name: library.figures[name] for name in ("diameter", "krumbein", "wadell", "solidity")}
    shape = {"axis_ratio_b": axes[:, 1] / axes[:, 0], "axis_ratio_c": axes[:, 2] / axes[:, 1]}
    found = plain | shape | {"specific_surface": library.specific_surface}
    return {name: np.asarray(found[name], dtype=np.float64) for name in COMPARED}


def likeness(first: Library, second: Library, seed: int = 1) -> dict[str, Distance]:
    """Compare two libraries figure by figure.

    The specific surface is multiplied by the diameter, so that it compares surfaces and not sizes again: 6 is a ball.
    """
    rng, ours, theirs = np.random.default_rng(seed), columns_of(first), columns_of(second)
    for columns in (ours, theirs):
        columns["specific_surface"] = columns["specific_surface"] * columns["diameter"]
    return {name: distance(ours[name], theirs[name], rng) for name in COMPARED}


def distance(first: Reals, second: Reals, rng: np.random.Generator) -> Distance:
    """Compare two samples."""
    from scipy.stats import ks_2samp, wasserstein_distance

    size = min(len(second), len(first) // 2)
    chance = [
        ks_2samp(*np.split(rng.permutation(first)[: 2 * size], 2), method="asymp").statistic for _ in range(HALVES)
    ]
    return Distance(
        first=(float(first.mean()), float(first.std())),
        second=(float(second.mean()), float(second.std())),
        ks=float(ks_2samp(first, second, method="asymp").statistic),
        wasserstein=float(wasserstein_distance(first, second) / max(float(first.std()), 1e-12)),
        halves=float(np.mean(chance)),
    )
