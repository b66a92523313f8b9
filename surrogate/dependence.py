"""Partial dependence: how an output moves with one input, averaged over all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.sensitivity import drawn
from mesoforge.surrogate.table import Array

PLACES = 15
"""Places along the input."""
OTHERS = 32
"""Points over which the others are averaged."""


@dataclass(frozen=True, eq=False, slots=True)
class Dependence:
    """An output averaged over the other inputs, ``mean`` and ``sd`` (k,) of what is known of it, at ``places`` (k,)."""

    places: Array
    mean: Array
    sd: Array


def partial_dependence(gp: GaussianProcess, axis: int, seed: int = 0) -> dict[str, Dependence]:
    """Return the dependence of each output on the input of an axis, others uniform over the unit cube (Friedman 2001).

    Functions drawn from the posterior each have a curve of their own: the spread of these is what the data leave open.

    Raises:
        InputError: A posterior could not be drawn from.
    """
    places = _places(gp, axis)
    points = np.repeat(_others(gp.table.X.shape[1], seed)[None], len(places), axis=0)
    points[:, :, axis] = places[:, None]
    functions = drawn(gp, points.reshape(-1, points.shape[-1]), seed)
    curves = functions.reshape(*functions.shape[:2], len(places), OTHERS).mean(axis=3)
    return {
        name: Dependence(places, one.mean(axis=0), one.std(axis=0))
        for name, one in zip(gp.table.names, curves, strict=True)
    }


def _places(gp: GaussianProcess, axis: int) -> Array:
    choices = gp.table.categories[axis] if gp.table.categories else 0
    return (np.arange(choices) + 0.5) / choices if choices else np.linspace(0, 1, PLACES)


def _others(dimensions: int, seed: int) -> Array:
    from scipy.stats import qmc

    return np.asarray(qmc.Sobol(dimensions, rng=np.random.default_rng(seed)).random(OTHERS))
