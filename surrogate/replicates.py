"""What replicates say of the noise, and when it pays to repeat a point rather than to try a new one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from mesoforge.surrogate.door import GPyTorchPosterior, SingleTaskGP, calm, tensor
from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.scale import Moves
from mesoforge.surrogate.table import Array, Table
from mesoforge.surrogate.validation import conditions

ENOUGH = 6  # degrees of freedom from which the variance of replicates is taken for the noise
LEAST = 1e-10  # of an output's variance: below, replicates differ by rounding
DUST = 1e-3  # of the range of worths: a smaller gain is none
DRAWS = 128  # what one more measurement may give


def pooled_variance(table: Table, slurries: Sequence[int] | None = None) -> tuple[Array, int]:
    """Return the variance (m,) from seed to seed, pooled over all conditions, and its degrees of freedom.

    s^2 = sum_c sum_i (y_ci - mean_c)^2 / sum_c (n_c - 1), over the n_c slurries of condition c: electrodes made from
    one slurry share its error, so that their mean counts once. ``slurries`` (n,) names each row's; by default each row
    has one of its own.
    """
    kinds = conditions(table.X)
    made = np.arange(len(table)) if slurries is None else np.asarray(slurries)
    pairs, rows = np.unique(np.column_stack([kinds, made]), axis=0, return_inverse=True)
    means = np.array([table.Y[rows.reshape(-1) == pair].mean(axis=0) for pair in range(len(pairs))])
    centres = np.array([means[pairs[:, 0] == kind].mean(axis=0) for kind in pairs[:, 0]])
    freedom = len(pairs) - len(np.unique(kinds))
    squares = np.sum((means - centres) ** 2, axis=0)
    return np.asarray(squares / freedom if freedom else np.full(table.Y.shape[1], np.nan)), freedom


def with_known_noise(table: Table, slurries: Sequence[int] | None = None) -> Table:
    """Return the table with the noise that its replicates show, where these are enough and do vary.

    Each row has the pooled variance s^2, which says of the mean of n replicates s^2 / n; nothing is ever 0. Of an
    output that is learned by its logarithm it is that of the logarithm.
    """
    variance, freedom = pooled_variance(replace(table, Y=table.learned, logs=()), slurries)
    variance = np.where(variance > LEAST * table.learned.var(axis=0), variance, 0.0)
    if freedom < ENOUGH or not bool(np.all(variance > 0)):
        return table
    return replace(table, noise_variance=np.tile(variance, (len(table), 1)))


def worth_repeating(
    gp: GaussianProcess,
    known: Array,
    point: Array,
    worth: Callable[[Array], Array],
    draws: int = DRAWS,
    pending: Array | None = None,
) -> int | None:
    """Return which known point (k, d) is better measured once more than a new one (d,) for the first time, if one is.

    Both are judged by the same measure, the knowledge gradient over these points: E worth(mu + s z) - worth(mu), s_j =
    Cov(f_j, f_i) / sqrt(Var f_i + noise) for a measurement at i (Frazier et al. 2009). With the best one's aim for
    worth it is the usual one, with the hypervolume that of several aims (Daulton et al. 2023). Of logarithms
    the means move by a factor, as `Moves` has it.

    Args:
        gp: of all outputs.
        known: points that were measured.
        point: what would be tried instead.
        worth: maps the outputs (n, j, m) of n sets of j points to the worth (n,) of each set, larger is better.
        draws: pairs of values that one more measurement may give, which are averaged over.
        pending: points (p, d) that are being measured: they will tell, but not yet what.
    """
    X, running = np.vstack([known, point]), np.zeros((0, len(point))) if pending is None else pending
    moves = _moves(gp, X, running)
    normal = np.random.default_rng(0).standard_normal((draws, 1, moves.mean.shape[1]))
    normal = np.vstack([normal, -normal])
    before = worth(moves.mean[None])[0]
    gains = [float(worth(moves.after(place, range(len(X)), normal)).mean() - before) for place in range(len(X))]
    best = int(np.argmax(gains[:-1]))
    return best if gains[best] > max(gains[-1], DUST * float(np.ptp(worth(moves.mean[:, None])))) else None


def _moves(gp: GaussianProcess, X: Array, pending: Array) -> Moves:
    """Return how a measurement at each of X (k, d) moves the means there, which do not wait for what is pending."""
    by = [_moves_of(model, X, pending) for model in gp.models]
    return Moves(gp.predict(X)[0], np.stack(by, axis=-1), gp.table.logged)


def _moves_of(model: SingleTaskGP, X: Array, pending: Array) -> Array:
    """Return by how much one standard deviation of a measurement at i moves the mean at j, (i, j), as it is learned."""
    with torch.no_grad(), calm():
        posterior = cast("GPyTorchPosterior", model.posterior(tensor(np.vstack([pending, X]))))
        noisy = cast("GPyTorchPosterior", model.posterior(tensor(np.vstack([pending, X])), observation_noise=True))
        covariance = posterior.distribution.covariance_matrix.numpy()
        noise = noisy.variance.flatten().numpy() - posterior.variance.flatten().numpy()
    first = len(pending)
    across, rest = covariance[:first, first:], covariance[first:, first:]
    rest = rest - across.T @ np.linalg.solve(covariance[:first, :first] + np.diag(noise[:first]), across)
    by: Array = rest / np.sqrt(np.diag(rest) + noise[first:])[:, None]
    return by
