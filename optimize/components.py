"""Rows that rise and fall together as few numbers: their principal components, of what each misses by."""

from __future__ import annotations

import numpy as np

from mesoforge.surrogate.table import Array

LEAST = 0.01
"""Root mean square over the sets, in standard deviations of a measurement, below which a component counts as none."""


def components(misses: Array) -> Array:
    """Return misses (n, m) as uncorrelated columns (n, k) that keep each line's sum of squares, but for ``LEAST``.

    The misses are (simulated - measured) / sd. They are turned onto the principal axes of their differences from the
    mean line, so that independent processes of the columns know that one row's error is another's, too: what all rows
    have in common is one column, by what they differ is others (Higdon et al., J. Am. Stat. Assoc. 103 (2008) 570).
    Axes along which the lines differ by less than ``LEAST`` are left out; what lies along them is one more column, its
    root mean square over the lines, the same for all.
    """
    _, spread, axes = np.linalg.svd(misses - misses.mean(axis=0), full_matrices=False)
    axes = axes[spread > LEAST * np.sqrt(len(misses))]
    turned = misses @ axes.T
    rest = float(np.sqrt(np.mean(((misses - turned @ axes) ** 2).sum(axis=1))))
    if rest <= LEAST and len(axes):
        return np.asarray(turned)
    return np.column_stack([turned, np.full(len(misses), rest)])
