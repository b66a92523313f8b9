"""Which inputs matter: Sobol indices of a Gaussian process, with error bars for what it does not know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from mesoforge.errors import InputError
from mesoforge.surrogate.door import GPyTorchPosterior, SingleTaskGP, calm, tensor
from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.scale import expected
from mesoforge.surrogate.table import Array

BASE = 256  # points of each of the two base samples
DRAWS = 64  # functions drawn from the posterior


@dataclass(frozen=True, eq=False, slots=True)
class Indices:
    """Sobol indices of one output by input, each (d,): share of the variance, and its sd over drawn functions.

    ``first`` is what an input does alone, ``total`` what it does alone and together with others. Inputs vary uniformly
    over the unit cube. ``known`` is false for an output that does not vary.
    """

    first: Array
    first_sd: Array
    total: Array
    total_sd: Array
    known: bool = True


def sobol_indices(gp: GaussianProcess, seed: int = 0) -> dict[str, Indices]:
    """Return the Sobol indices of each output, by Jansen's estimators on functions drawn from the posterior.

    A, B are base samples, A_i is A with column i of B: S_i = 1 - <(f(B) - f(A_i))^2> / 2V, T_i = <(f(A) - f(A_i))^2> /
    2V (Jansen 1999; Saltelli et al. 2010). Each draw has indices of its own: their spread is what the data leave open.

    Raises:
        InputError: A posterior could not be drawn from.
    """
    inputs = gp.table.X.shape[1]
    points = _design(inputs, seed)
    return {name: _indices(one, inputs) for name, one in zip(gp.table.names, drawn(gp, points, seed), strict=True)}


def _design(inputs: int, seed: int) -> Array:
    """Return A, B and all A_i below each other, ((inputs + 2) BASE, inputs)."""
    from scipy.stats import qmc

    both = qmc.Sobol(2 * inputs, rng=np.random.default_rng(seed)).random(BASE)
    first, second = both[:, :inputs], both[:, inputs:]
    mixed = [np.where(np.arange(inputs) == axis, second, first) for axis in range(inputs)]
    return np.vstack([first, second, *mixed])


def _indices(functions: Array, inputs: int) -> Indices:
    curves = functions.reshape(DRAWS, inputs + 2, BASE)
    a, b, mixed = curves[:, 0], curves[:, 1], curves[:, 2:]
    variance = curves[:, :2].reshape(DRAWS, -1).var(axis=1)[:, None]
    if not bool(np.all(variance > 0)):
        nothing = np.zeros(inputs)
        return Indices(nothing, nothing, nothing, nothing, known=False)
    first = 1 - ((b[:, None] - mixed) ** 2).mean(axis=2) / (2 * variance)
    total = ((a[:, None] - mixed) ** 2).mean(axis=2) / (2 * variance)
    return Indices(first.mean(axis=0), first.std(axis=0), total.mean(axis=0), total.std(axis=0))


def drawn(gp: GaussianProcess, points: Array, seed: int) -> Array:
    """Return what the outputs' means over seeds may be at points (k, d), drawn from the posterior, (m, DRAWS, k)."""
    functions = torch.tensor(np.stack([_drawn(model, points, seed) for model in gp.models], axis=-1))
    return np.asarray(np.moveaxis(expected(gp)(functions).numpy(), -1, 0))


def _drawn(model: SingleTaskGP, points: Array, seed: int) -> Array:
    """Return functions drawn from the noise-free posterior of an output as it is learned, (DRAWS, k)."""
    with torch.no_grad(), calm(seed):
        posterior = cast("GPyTorchPosterior", model.posterior(tensor(points)))
        mean = posterior.mean.flatten().numpy()
        covariance = posterior.distribution.covariance_matrix.numpy()
    # The covariance has far less rank than points: its eigenvectors serve where a Cholesky factor would not exist.
    values, vectors = np.linalg.eigh(covariance)
    if not bool(np.all(np.isfinite(values))):
        raise InputError("a posterior holds numbers that are not finite: look for extreme values in the training table")
    kept = values > values.max(initial=0) * 1e-12
    normal = np.random.default_rng(seed).standard_normal((DRAWS, int(kept.sum())))
    return np.asarray(mean + normal * np.sqrt(values[kept]) @ vectors[:, kept].T)
