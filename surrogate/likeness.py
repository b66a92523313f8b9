"""What cheaper likenesses of an output tell of it: predictions of either, and how far one more measurement moves it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from mesoforge.surrogate.door import AppendFeatures, SingleTaskGP, Standardize, calm, tensor
from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.scale import Moves
from mesoforge.surrogate.shared import SharedNoise
from mesoforge.surrogate.table import Array, Groups, check_inputs

TINY = 1e-12


def at_level(gp: GaussianProcess, level: int) -> GaussianProcess:
    """Return the same processes, of a table with levels, foretelling another level."""
    models = copy.deepcopy(gp.models)
    for model in models:
        model.input_transform = AppendFeatures(torch.full((1, 1), float(level)).double())
        model.eval()
    return replace(gp, models=models, level=level)


def moves(gp: GaussianProcess, X: Array, measured: Array, pending: Array) -> Moves:
    """Return how measurements would move the means of level 0 at X (k, d); they do not wait for what is pending.

    Args:
        gp: of a table with levels, foretelling level 0.
        X: points of the unit cube.
        measured: rows (h, d + 1) of points and levels, each of which might be measured alone.
        pending: rows (p, d + 1) that are being measured: their values are open, not what they will be worth.
    """
    check_inputs(X, gp.table.X.shape[1])
    by = [_moves(model, _aimed(X), tensor(measured), tensor(pending)) for model in gp.models]
    return Moves(gp.predict(X)[0], np.stack(by, axis=-1), gp.table.logged)


def with_level(X: Array, levels: Groups) -> Array:
    """Return points (n, d) with their levels (n,) as rows (n, d + 1)."""
    return np.column_stack([X, levels])


def _aimed(X: Array) -> Tensor:
    return tensor(with_level(X, np.zeros(len(X), dtype=np.int64)))


def _moves(model: SingleTaskGP, X: Tensor, measured: Tensor, pending: Tensor) -> Array:
    """Return moves (h, k) of one output, as it is learned."""
    with torch.no_grad(), calm():
        known, count = torch.cat([model.train_inputs[0], pending]), len(model.train_inputs[0])
        noise = cast("SharedNoise", model.likelihood.noise_covar)
        own = noise.variances(known)
        A = _covariance(model, known, known) + torch.diag(own)
        A[:count, :count] += noise.rows() - torch.diag(own[:count])
        to_known = _covariance(model, measured, known)
        solved = torch.linalg.solve(A, to_known.T)
        between = _covariance(model, measured, X) - solved.T @ _covariance(model, known, X)
        variance = model.covar_module(measured, diag=True) + noise.variances(measured) - (to_known * solved.T).sum(-1)
        scale = cast("Standardize", model.outcome_transform).stdvs.flatten()
        by: Tensor = between / torch.sqrt(torch.clamp(variance, min=TINY)).unsqueeze(-1) * scale
        return by.numpy()


def _covariance(model: SingleTaskGP, one: Tensor, other: Tensor) -> Tensor:
    found: Tensor = model.covar_module(one, other).to_dense()
    return found
