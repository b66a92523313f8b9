"""Points that fill the unit cube evenly."""

from __future__ import annotations

import numpy as np

from mesoforge.surrogate.table import Array


def sobol_points(dimensions: int, seed: int, count: int, first: int = 0) -> Array:
    """Return points (count, d) of a scrambled Sobol sequence; ``count`` is a power of 2, as its balance asks."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(seed))
    if first:
        sequence.fast_forward(first)
    return np.asarray(sequence.random(count), dtype=np.float64)
