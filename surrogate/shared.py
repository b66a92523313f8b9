"""Errors that measurements share: electrodes made from one slurry have one error in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from mesoforge.surrogate.door import (
    DenseLinearOperator,
    DiagLinearOperator,
    GaussianLikelihoodBase,
    GreaterThan,
    Noise,
    NormalPrior,
    SingleTaskGP,
    Standardize,
    calm,
    tensor,
)
from mesoforge.surrogate.kernel import FIRST_NOISE, LEAST_NOISE, NOISE, NOISE_OF_FEW
from mesoforge.surrogate.scale import in_units
from mesoforge.surrogate.table import Array, Groups
from mesoforge.surrogate.validation import LeaveOneOut

if TYPE_CHECKING:
    from mesoforge.surrogate.gp import GaussianProcess

SHARE = NormalPrior(0.0, 1.5)  # of the share's log odds: nearly even between 0 and 1
LEAST_TOLD, TINY = 1e-4, 1e-12
ENOUGH = 6  # rows of groups of several from which their error is told


class SharedNoise(Noise):  # type: ignore[misc]
    """Cov(e_i, e_j) = s_i s_j ((1 - r) [i = j] + r [same group]): a random effect of the group beside each own error.

    The total variance s^2 is inferred, or ``known`` (n,) of each row; the share r that a group has in common always is
    inferred. What is measured anew is of a new group: its variance is s^2, the mean of those known. With ``levels``
    above 0 the last coordinate of a point is its level, and each level has a variance of its own.
    """

    def __init__(self, X: Tensor, groups: Tensor, known: Tensor | None, levels: int = 0) -> None:
        super().__init__()
        self._X, self._groups, self._known, self._levels = X, groups, known, levels
        if known is None:
            start = torch.full((max(levels, 1),), FIRST_NOISE).double()
            self.register_parameter("raw_noise", torch.nn.Parameter(start))
            self.register_constraint("raw_noise", GreaterThan(LEAST_NOISE, transform=None))
            self.register_prior("noise_prior", NOISE_OF_FEW if levels else NOISE, lambda noise: noise.raw_noise, None)
        self.register_parameter("raw_share", torch.nn.Parameter(torch.zeros(1).double()))
        self.register_prior("share_prior", SHARE, lambda noise: noise.raw_share, None)

    @property
    def share(self) -> Tensor:
        """The share (1,) of the variance that a group has in common."""
        return torch.sigmoid(self.raw_share)

    @property
    def totals(self) -> Tensor:
        """The variances (n,) of the rows, of standardized outputs."""
        return self._at(self._X, (len(self._X),)) if self._known is None else self._known

    @property
    def total(self) -> Tensor:
        """The variance of a new measurement."""
        return self.totals.mean()

    def forward(self, *params: Any, shape: torch.Size, **_: Any) -> object:  # noqa: ANN401
        """Return the covariance of the rows' errors where these are the inputs, else that of new groups."""
        inputs = [one for some in params for one in ([some] if torch.is_tensor(some) else some)]
        if any(torch.equal(one, self._X) for one in inputs):
            return DenseLinearOperator(self.rows())
        return DiagLinearOperator(self._at(inputs[0], shape) if self._levels else self.total.expand(shape))

    def variances(self, X: Tensor) -> Tensor:
        """Return the inferred variances (n,) of new measurements at X (n, d), each of a new group."""
        return self._at(X, (len(X),))

    def _at(self, X: Tensor, shape: Sequence[int]) -> Tensor:
        """Return the inferred variances (shape) of new measurements at X (..., d)."""
        by_point: Tensor = self.raw_noise[X[..., -1].round().long()] if self._levels else self.raw_noise
        return by_point.expand(shape)

    def rows(self) -> Tensor:
        """Return the covariance (n, n) of the rows' errors."""
        return self.between(self._groups, torch.sqrt(self.totals))

    def between(self, groups: Tensor, sds: Tensor) -> Tensor:
        """Return the covariance (n, n) of errors with these standard deviations (n,), of these groups (n,)."""
        same = (groups.unsqueeze(-1) == groups).to(sds)
        own = (1 - self.share) * torch.eye(len(sds)).to(sds) + self.share * same
        return sds.unsqueeze(-1) * own * sds


def shared_likelihood(X: Array, y: Array, groups: Groups, known: Array | None) -> GaussianLikelihoodBase:
    """Return the likelihood of an output y (n,) at X (n, d) whose rows share errors; ``known`` (n,) are variances."""
    spread = float(np.std(y, ddof=1))
    scale = spread if spread >= 1e-8 else 1.0  # as BoTorch standardizes
    variances = None if known is None else tensor(known / scale**2)
    return GaussianLikelihoodBase(SharedNoise(tensor(X), torch.as_tensor(groups), variances))


def level_likelihood(X: Array, groups: Groups | None, cheaper: int) -> GaussianLikelihoodBase:
    """Return the likelihood at X (n, d + 1), whose last coordinate is the level: 0 or one of the ``cheaper`` ones."""
    own = np.arange(len(X)) if groups is None else groups
    return GaussianLikelihoodBase(SharedNoise(tensor(X), torch.as_tensor(own), None, 1 + cheaper))


def predict_within(gp: GaussianProcess, X: Array, group: int) -> tuple[Array, Array]:
    """Return mean (k, m) and standard deviation (k, m) of one new measurement at X (k, d) that is of a known group."""
    means, variances = zip(*(_predicted(model, _learned(model, gp), X, group) for model in gp.models), strict=True)
    return in_units(np.column_stack(means), np.column_stack(variances), gp.table.logged)


def telling(gp: GaussianProcess, X: Array, group: int, pending: tuple[Array, Groups] | None = None) -> Array:
    """Return how much a measurement of a known group tells of the function at X (k, d), by that of a new group, (k,).

    One measurement y moves the mean of f by Cov(f, y) / sqrt(Var y), one standard deviation; the ratio is the mean over
    the outputs. It is below 1 since the group's error is in what was measured of it already.

    Args:
        gp: of a table with groups.
        X: where to measure.
        group: whose error the measurement has.
        pending: points (p, d) and groups (p,) of what is being measured.
    """
    ratios = [_telling(model, _with_pending(model, _learned(model, gp), pending), X, group) for model in gp.models]
    return np.asarray(np.clip(np.mean(ratios, axis=0), LEAST_TOLD, 1.0))


def left_out_within(gp: GaussianProcess) -> LeaveOneOut | None:
    """Return rows as foretold with others of their group, of groups of several; none where these are few."""
    groups = cast("Groups", gp.table.groups)
    _, which, counts = np.unique(groups, return_inverse=True, return_counts=True)
    rows = counts[which.reshape(-1)] > 1
    if rows.sum() < ENOUGH:
        return None
    alone = np.arange(len(groups))
    means, variances = zip(*(left_out(model, gp, alone) for model in gp.models), strict=True)
    mean, sd = in_units(np.column_stack(means), np.column_stack(variances), gp.table.logged)
    return LeaveOneOut(gp.table.names, gp.table.Y[rows], mean[rows], sd[rows])


def left_out(model: SingleTaskGP, gp: GaussianProcess, parts: Groups) -> tuple[Array, Array]:
    """Return mean (n,) and variance (n,) of each row, of the output as learned, from rows of other ``parts`` (n,).

    Formula: of a part G, y_G - (A^-1_GG)^-1 (A^-1 y)_G and (A^-1_GG)^-1, with A the covariance of what was measured.
    """
    with torch.no_grad(), calm():
        known = _learned(model, gp)
        inverse = torch.linalg.inv(known.covariance)
        pull = inverse @ known.y
        mean, variance = torch.empty_like(known.y), torch.empty_like(known.y)
        for part in np.unique(parts):
            rows = torch.as_tensor(np.flatnonzero(parts == part))
            own = torch.linalg.inv(inverse[rows][:, rows])
            mean[rows], variance[rows] = known.y[rows] - own @ pull[rows], torch.diagonal(own)
        return _unstandardized(model, mean, variance)


@dataclass(frozen=True, eq=False, slots=True)
class _Learned:
    """What was measured: places (n, d), groups (n,), standardized values less the mean, their covariance and sds."""

    X: Tensor
    groups: Groups
    y: Tensor
    covariance: Tensor
    sds: Tensor


def _learned(model: SingleTaskGP, gp: GaussianProcess) -> _Learned:
    with torch.no_grad(), calm():
        X, noise = model.train_inputs[0], _noise(model)
        covariance = model.covar_module(X).to_dense() + noise.rows()
        y = model.train_targets - model.mean_module.constant
        return _Learned(X, cast("Groups", gp.table.groups), y, covariance, torch.sqrt(noise.totals))


def _with_pending(model: SingleTaskGP, known: _Learned, pending: tuple[Array, Groups] | None) -> _Learned:
    """Return the same with what is being measured: its values are open, not what they will be worth."""
    if pending is None or not len(pending[0]):
        return known
    with torch.no_grad(), calm():
        X, groups = torch.cat([known.X, tensor(pending[0])]), np.concatenate([known.groups, pending[1]])
        noise = _noise(model)
        sds = torch.cat([known.sds, torch.sqrt(noise.total).expand(len(pending[0]))])
        covariance = model.covar_module(X).to_dense() + noise.between(torch.as_tensor(groups), sds)
        return _Learned(X, groups, known.y, covariance, sds)


def _across(model: SingleTaskGP, known: _Learned, X: Array, group: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the covariances (k, n) of f and of a measurement at X with what was measured, and the variance of f."""
    of_f = model.covar_module(tensor(X), known.X).to_dense()
    noise = _noise(model)
    same = torch.as_tensor(known.groups == group).to(of_f)
    of_y = of_f + noise.share * same * known.sds * torch.sqrt(noise.total)
    return of_f, of_y, model.covar_module(tensor(X), diag=True)


def _predicted(model: SingleTaskGP, known: _Learned, X: Array, group: int) -> tuple[Array, Array]:
    with torch.no_grad(), calm():
        _, of_y, prior = _across(model, known, X, group)
        solved = torch.linalg.solve(known.covariance, of_y.T)
        variance = prior + _noise(model).total - (of_y * solved.T).sum(-1)
        return _unstandardized(model, solved.T @ known.y, variance)


def _telling(model: SingleTaskGP, known: _Learned, X: Array, group: int) -> Array:
    with torch.no_grad(), calm():
        of_f, of_y, prior = _across(model, known, X, group)
        total = _noise(model).total
        solved = torch.linalg.solve(known.covariance, torch.cat([of_f, of_y]).T)
        of_f_solved, of_y_solved = solved.T[: len(of_f)], solved.T[len(of_f) :]
        f = torch.clamp(prior - (of_f * of_f_solved).sum(-1), min=TINY)
        here = torch.clamp(prior - (of_f * of_y_solved).sum(-1), min=0)
        moved = here / torch.sqrt(torch.clamp(prior + total - (of_y * of_y_solved).sum(-1), min=TINY))
        return np.asarray((moved / (f / torch.sqrt(f + total))).numpy())


def _noise(model: SingleTaskGP) -> SharedNoise:
    return cast("SharedNoise", model.likelihood.noise_covar)


def _unstandardized(model: SingleTaskGP, mean: Tensor, variance: Tensor) -> tuple[Array, Array]:
    standardize = cast("Standardize", model.outcome_transform)
    scale = standardize.stdvs.flatten()
    moved = (mean + model.mean_module.constant) * scale + standardize.means.flatten()
    return moved.numpy(), (variance * scale**2).numpy()
