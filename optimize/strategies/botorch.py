"""Bayesian optimization: noisy improvement of the scores, sampled through Gaussian processes of the raw outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from mesoforge.optimize.linear import Linear
from mesoforge.optimize.objectives import together
from mesoforge.optimize.space import ENOUGH
from mesoforge.optimize.strategies.sobol import sobol_points
from mesoforge.optimize.trial import Origin
from mesoforge.optimize.view import NoProposal, View
from mesoforge.surrogate.door import NUMERICS, calm, tensor
from mesoforge.surrogate.gp import GaussianProcess, fit_gp
from mesoforge.surrogate.table import Array

if TYPE_CHECKING:
    from botorch.acquisition.acquisition import AcquisitionFunction
    from botorch.sampling.base import MCSampler

    from mesoforge.surrogate.viability import Viability

MOST_BY_HYPERVOLUME = 4  # its cost grows steeply with the number of objectives
SAMPLES, FEW_SAMPLES = 128, 64
MANY_ROWS = 150  # beyond, fronts are long and each sample's costs tell: fewer samples serve
RESTARTS = 8
RAW_POINTS = 256
ITERATIONS = 50


@dataclass(frozen=True, slots=True)
class BoTorch:
    """qLogNEI for one objective, qLogNEHVI for two to four, qLogNParEGO for more.

    Improvement counts where the samples keep every limit; as long as no trial does, the probability that all are kept
    is followed alone. Where physics failed before, all is weighed with the learned probability that it works.

    Objectives are composite (Astudillo and Frazier 2019): the processes model the raw properties, and a match is scored
    inside the Monte Carlo samples, since |y - target| is no Gaussian process. Noise is part of the model; pending
    points are integrated over.
    """

    origin: Origin = "bo"

    def propose(self, view: View) -> Array:
        """Return the best admissible local optimum of the acquisition function, else the best of many Sobol points.

        Raises:
            NoProposal: A kernel matrix could not be factorized.
        """
        gp = view.surrogate if isinstance(view.surrogate, GaussianProcess) else fit_gp(view.table)
        try:
            with calm(view.seed):
                acquisition = _acquisition(gp, view)
                return _best(acquisition if view.viability is None else _viable(acquisition, view.viability), view)
        except NUMERICS as error:
            raise NoProposal(str(error)) from error


def _best(acquisition: AcquisitionFunction, view: View) -> Array:
    chosen = view.first_admissible(_local_optima(acquisition, view))
    return _best_of_many(acquisition, view) if chosen is None else chosen


def _best_of_many(acquisition: AcquisitionFunction, view: View) -> Array:
    ordered = _ordered(acquisition, view)
    chosen = view.first_admissible(ordered)
    return np.asarray(ordered[0] if chosen is None else chosen)


def _ordered(acquisition: AcquisitionFunction, view: View) -> Array:
    """Return allowed Sobol points (n, d), the best first."""
    points = view.space.allowed(sobol_points(view.dimensions, view.seed, RAW_POINTS))
    if not len(points):
        points = view.space.allowed(sobol_points(view.dimensions, view.seed, ENOUGH))
    points = np.vstack([points, view.X[view.objectives.excess(view.Y) == 0]]) if view.space.inequalities else points
    with torch.no_grad():
        values = acquisition(tensor(points).unsqueeze(1))
    return np.asarray(points[torch.argsort(values, descending=True, stable=True).numpy()])


def _searched(acquisition: AcquisitionFunction, view: View) -> dict[str, Any]:
    """Return where the search starts; where inequalities bind the space, from allowed points and within them."""
    if not view.space.inequalities:
        return {"raw_samples": RAW_POINTS, "options": {"maxiter": ITERATIONS, "sample_around_best": True}}
    starts = _ordered(acquisition, view)[:RESTARTS]
    return {
        "batch_initial_conditions": tensor(starts).unsqueeze(1),
        "nonlinear_inequality_constraints": [(_slack(view, one.lesser), True) for one in view.space.inequalities],
        "options": {"maxiter": ITERATIONS, "batch_limit": 1},
    }


def _slack(view: View, lesser: Linear) -> Callable[[Tensor], Tensor]:
    """Return what is left of an inequality at a point (d,) in its own size; at least 0 where it holds."""
    terms = [(view.space.names.index(name), factor) for name, factor in lesser.terms]
    ends = [
        abs(factor * end) for axis, factor in terms for end in map(view.space.variables[axis].unrounded, (0.0, 1.0))
    ]
    size = max(abs(lesser.constant), *ends)

    def slack(x: Tensor) -> Tensor:
        kept = [factor * view.space.variables[axis].unrounded(x[..., axis]) for axis, factor in terms]
        left: Tensor = (-lesser.constant - torch.stack(kept).sum(dim=0)) / size
        return left

    return slack


def _local_optima(acquisition: AcquisitionFunction, view: View) -> list[Array]:
    from botorch.optim.optimize import optimize_acqf

    cube = torch.stack([torch.zeros(view.dimensions), torch.ones(view.dimensions)]).double()
    points, values = optimize_acqf(
        acquisition,
        cube,
        q=1,
        num_restarts=RESTARTS,
        return_best_only=False,
        **_searched(acquisition, view),
    )
    order = torch.argsort(cast("Tensor", values), descending=True, stable=True)
    return [view.pulled(point) for point in points[order].squeeze(1).clamp(0, 1).numpy()]


def _acquisition(gp: GaussianProcess, view: View) -> AcquisitionFunction:
    from botorch.sampling.normal import SobolQMCNormalSampler

    sampler = SobolQMCNormalSampler(torch.Size([SAMPLES if len(view.X) <= MANY_ROWS else FEW_SAMPLES]), seed=view.seed)
    if len(view.X) and not view.objectives.feasible(view.Y).any():
        return _feasibility(gp, view, sampler)
    if view.objectives.one_aim:
        return _improvement(gp, view, sampler)
    if len(view.objectives) <= MOST_BY_HYPERVOLUME:
        return _hypervolume_improvement(gp, view, sampler)
    return _random_scalarization(gp, view, sampler)


def _viable(inner: AcquisitionFunction, viability: Viability) -> AcquisitionFunction:
    """Return the acquisition function times the probability of success, both as logarithms: failures bring nothing."""
    from botorch.acquisition.acquisition import AcquisitionFunction

    class Viable(AcquisitionFunction):
        """The inner function's value plus log P(success) of a point."""

        def forward(self, X: Tensor) -> Tensor:
            value: Tensor = inner(X) + viability.log_probability(X).sum(-1)
            return value

    made = Viable(inner.model)
    if hasattr(inner, "X_baseline"):
        made.X_baseline = inner.X_baseline
    return made


def _feasibility(gp: GaussianProcess, view: View, sampler: MCSampler) -> AcquisitionFunction:
    from botorch.acquisition.logei import qLogProbabilityOfFeasibility

    return qLogProbabilityOfFeasibility(gp.model, _limits(view) or [], sampler=sampler, X_pending=_pending(view))


def _improvement(gp: GaussianProcess, view: View, sampler: MCSampler) -> AcquisitionFunction:
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.acquisition.objective import GenericMCObjective

    scores, alone = _scores(view), len(view.objectives) == 1
    single = len(view.objectives.outputs) == 1

    def followed(samples: Tensor, X: Tensor | None = None) -> Tensor:
        each = scores(samples, X)
        return each[..., 0] if alone else together(each)

    return qLogNoisyExpectedImprovement(
        gp.models[0] if single else gp.model,
        tensor(view.X),
        sampler=sampler,
        objective=GenericMCObjective(followed),
        X_pending=_pending(view),
        constraints=_limits(view),
        prune_baseline=True,
    )


def _hypervolume_improvement(gp: GaussianProcess, view: View, sampler: MCSampler) -> AcquisitionFunction:
    from botorch.acquisition.multi_objective import logei
    from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective

    # BoTorch 0.18 would compile a C++ kernel for this very processor on first use: a minute and 1.5 GB where there is a
    # compiler, and other proposals than where there is none. Its own Python path serves every machine alike.
    logei._load_attempted = True
    return logei.qLogNoisyExpectedHypervolumeImprovement(
        gp.model,
        tensor(view.reference),
        tensor(view.X),
        sampler=sampler,
        objective=GenericMCMultiOutputObjective(_scores(view)),
        X_pending=_pending(view),
        constraints=_limits(view),
        prune_baseline=True,
    )


def _random_scalarization(gp: GaussianProcess, view: View, sampler: MCSampler) -> AcquisitionFunction:
    from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
    from botorch.acquisition.multi_objective.parego import qLogNParEGO

    return qLogNParEGO(
        gp.model,
        tensor(view.X),
        sampler=sampler,
        objective=GenericMCMultiOutputObjective(_scores(view)),
        X_pending=_pending(view),
        constraints=_limits(view),
        prune_baseline=True,
    )


def _scores(view: View) -> Callable[[Tensor, Tensor | None], Tensor]:
    def scores(samples: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: ARG001
        columns = [one.score(samples[..., column]) for column, one in enumerate(view.objectives.each)]
        return torch.stack(columns, dim=-1)

    return scores


def _limits(view: View) -> list[Callable[[Tensor], Tensor]] | None:
    """Return what BoTorch takes as constraints, negative where kept, in standard deviations of what was measured."""
    spread = view.Y.std(axis=0)
    made: list[Callable[[Tensor], Tensor]] = []
    for one in view.objectives.limits.each:
        column = view.objectives.outputs.index(one.name)
        scale = float(spread[column]) or 1.0
        if np.isfinite(one.low):
            made.append(lambda y, c=column, low=one.low, s=scale: (low - y[..., c]) / s)  # type: ignore[misc]
        if np.isfinite(one.high):
            made.append(lambda y, c=column, high=one.high, s=scale: (y[..., c] - high) / s)  # type: ignore[misc]
    return made or None


def _pending(view: View) -> Tensor | None:
    return tensor(view.pending) if len(view.pending) else None


BOTORCH = BoTorch()
