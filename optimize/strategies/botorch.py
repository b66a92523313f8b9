"""Bayesian optimization: noisy improvement of the scores, sampled through Gaussian processes of the outputs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from mesoforge.optimize.fidelity import Offers
from mesoforge.optimize.linear import Linear
from mesoforge.optimize.reuse import Branch, Reuse
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import ENOUGH
from mesoforge.optimize.tolerances import Tolerances
from mesoforge.optimize.trial import Origin
from mesoforge.optimize.view import NoProposal, View
from mesoforge.surrogate.door import NUMERICS, calm, tensor
from mesoforge.surrogate.gp import GaussianProcess, fit_gp
from mesoforge.surrogate.scale import expected
from mesoforge.surrogate.table import Array

Objective = TypeVar("Objective", bound=Any)

if TYPE_CHECKING:
    from botorch.acquisition.acquisition import AcquisitionFunction
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.sampling.base import MCSampler

    from mesoforge.surrogate.viability import Viability

MOST_BY_HYPERVOLUME = 4  # its cost grows steeply with the number of objectives
SAMPLES, FEW_SAMPLES = 128, 64
MANY_ROWS = 150  # beyond, fronts are long and each sample and start costs: fewer of both serve
RESTARTS, FEW_RESTARTS = 8, 4
AROUND = 8  # places within the tolerances of inputs for which a point stands
RAW_POINTS, FEW_RAW_POINTS = 256, 64
ITERATIONS = 50
LOWER = 1e-3  # by how much a point that breaks limits is worse than any other, at least
APART = 0.02  # of the unit cube's side: local optima nearer than this are one


@dataclass(frozen=True, slots=True)
class BoTorch:
    """qLogNEI for one objective, qLogNEHVI for two to four, qLogNParEGO for more.

    Improvement counts where the samples keep every limit; as long as no trial does, the probability that all are kept
    is followed alone. With tolerances of inputs all of it is of means over what an input may turn out to be. Where
    physics failed before, all is weighed with the learned probability that it works.

    Objectives are composite (Astudillo and Frazier 2019): the processes model the properties, and a match is scored
    inside the Monte Carlo samples, since |y - target| is no Gaussian process. Noise is part of the model; pending
    points are integrated over.
    """

    origin: Origin = "bo"

    def propose(self, view: View) -> Array:
        """Return the best admissible local optimum of the acquisition function, else the best of many Sobol points.

        Raises:
            NoProposal: A kernel matrix could not be factorized.
        """
        gp = _process(view)
        try:
            with calm(view.seed):
                return _best(_weighed(gp, view), view)
        except NUMERICS as error:
            raise NoProposal(str(error)) from error

    def propose_among(self, view: View, reuse: Reuse) -> tuple[Array, Branch | None]:
        """Return the same, or a point that goes on from what was made before, where that gains more for its cost.

        Raises:
            NoProposal: A kernel matrix could not be factorized.
        """
        from mesoforge.optimize.strategies.branches import best_for_its_cost

        gp = _process(view)
        try:
            with calm(view.seed):
                acquisition = _weighed(gp, view)
                return best_for_its_cost(acquisition, gp, view, reuse, _best(acquisition, view))
        except NUMERICS as error:
            raise NoProposal(str(error)) from error

    def propose_at(self, view: View, offers: Offers) -> tuple[Array, int]:
        """Return a point that is best or nearly so, and its level: what gains most at the target for its cost.

        Raises:
            NoProposal: A kernel matrix could not be factorized.
        """
        from mesoforge.optimize.strategies.sizes import CANDIDATES, best_for_its_cost

        gp = _process(view)
        try:
            with calm(view.seed):
                points = _best_few(_weighed(gp, view), view, CANDIDATES)
            return best_for_its_cost(gp, view, offers, points)
        except NUMERICS as error:
            raise NoProposal(str(error)) from error


def _process(view: View) -> GaussianProcess:
    return view.surrogate if isinstance(view.surrogate, GaussianProcess) else fit_gp(view.table)


def _weighed(gp: GaussianProcess, view: View) -> AcquisitionFunction:
    """Return the acquisition function, over the tolerances of inputs and by where the physics works."""
    acquisition = _acquisition(gp if view.tolerances is None else _spread_out(gp, view.tolerances), view)
    return acquisition if view.viability is None else _viable(acquisition, view.viability)


def _best(acquisition: AcquisitionFunction, view: View) -> Array:
    chosen = view.first_admissible(_local_optima(acquisition, view))
    return _best_of_many(acquisition, view) if chosen is None else chosen


def _best_few(acquisition: AcquisitionFunction, view: View, count: int) -> Array:
    """Return up to so many admissible local optima (k, d) that lie apart, the best first; else the best of many."""
    found: list[Array] = []
    for point in _local_optima(acquisition, view):
        apart = all(np.linalg.norm(point - other) > APART for other in found)
        if len(found) < count and apart and view.admissible(point):
            found.append(point)
    return np.array(found) if found else _best_of_many(acquisition, view)[None]


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
        raw = RAW_POINTS if len(view.X) <= MANY_ROWS else FEW_RAW_POINTS
        return {"raw_samples": raw, "options": {"maxiter": ITERATIONS, "sample_around_best": True}}
    return within(view, _ordered(acquisition, view)[:RESTARTS])


def within(view: View, starts: Array) -> dict[str, Any]:
    """Return the settings of a search that starts from allowed points (k, d) and keeps the inequalities."""
    settings: dict[str, Any] = {"batch_initial_conditions": tensor(starts).unsqueeze(1)}
    if not view.space.inequalities:
        return settings | {"options": {"maxiter": ITERATIONS}}
    demands = [(_slack(view, one.lesser), True) for one in view.space.inequalities]
    return settings | {
        "nonlinear_inequality_constraints": demands,
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
        num_restarts=RESTARTS if len(view.X) <= MANY_ROWS else FEW_RESTARTS,
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


def _spread_out(gp: GaussianProcess, tolerances: Tolerances) -> GaussianProcess:
    """Return the processes with each point standing for ``AROUND`` places within the tolerances."""
    from botorch.models.transforms.input import ChainedInputTransform, InputPerturbation

    directions = tensor(tolerances.directions(AROUND))
    dimensions = directions.shape[1]

    def moves(X: Tensor) -> Tensor:
        width: Tensor = tolerances.widths(X)
        return width.unsqueeze(-2) * directions

    models = tuple(copy.deepcopy(model) for model in gp.models)
    for model in models:
        cube = torch.stack([torch.zeros(dimensions), torch.ones(dimensions)]).double()
        around, level = InputPerturbation(moves, bounds=cube), getattr(model, "input_transform", None)
        model.input_transform = around if level is None else ChainedInputTransform(around=around, level=level)
        model.eval()
    return replace(gp, models=models)


def _averaged(values: Tensor, view: View) -> Tensor:
    """Return means over the places for which each point stands, if points do."""
    if view.tolerances is None:
        return values
    found: Tensor = values.reshape(*values.shape[:-1], -1, AROUND).mean(-1)
    return found


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

    return qLogProbabilityOfFeasibility(gp.model, _limits(gp, view) or [], sampler=sampler, X_pending=_pending(view))


def _improvement(gp: GaussianProcess, view: View, sampler: MCSampler) -> AcquisitionFunction:
    from botorch.acquisition.objective import GenericMCObjective

    scores = _scores(gp, view)
    single = len(view.objectives.outputs) == 1

    def followed(samples: Tensor, X: Tensor | None = None) -> Tensor:
        return _averaged(view.objectives.joined(scores(samples, X)), view)

    return _noisy_improvement()(
        gp.models[0] if single else gp.model,
        tensor(view.X),
        sampler=sampler,
        objective=_unchecked(GenericMCObjective(followed)),
        X_pending=_pending(view),
        constraints=_limits(gp, view),
        prune_baseline=view.tolerances is None,
    )


def _noisy_improvement() -> type[qLogNoisyExpectedImprovement]:
    """Return BoTorch's noisy improvement, with another worth of the best where no measured point keeps the limits.

    Its own is six standard deviations below all, which of a logarithm is beyond measure; and it needs as many limits as
    points, which is not so where several places stand for one point and limits are of their means.
    """
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement

    class Bounded(qLogNoisyExpectedImprovement):
        """Finds the best of points that keep the limits; where none does, everything improves."""

        def _compute_best_feasible_objective(self, samples: Tensor, obj: Tensor) -> Tensor:
            low = obj.min() - (obj.max() - obj.min()).clamp(min=LOWER)
            for limit in self._constraints or []:
                obj = torch.where(limit(samples) < 0, obj, low)
            return obj.amax(dim=-1)

    return Bounded


def _hypervolume_improvement(gp: GaussianProcess, view: View, sampler: MCSampler) -> AcquisitionFunction:
    from botorch.acquisition.multi_objective import logei
    from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective

    # BoTorch 0.18 would compile a C++ kernel for this very processor on first use: a minute and 1.5 GB where there is a
    # compiler, and other proposals than where there is none. Its own Python path serves every machine alike.
    logei._load_attempted = True
    many = len(view.X) > MANY_ROWS
    return logei.qLogNoisyExpectedHypervolumeImprovement(
        gp.model,
        tensor(view.reference),
        _contenders(gp, view) if many else tensor(view.X),
        sampler=sampler,
        objective=_unchecked(GenericMCMultiOutputObjective(_mean_scores(gp, view))),
        X_pending=_pending(view),
        constraints=_limits(gp, view),
        prune_baseline=view.tolerances is None and not many,
    )


def _contenders(gp: GaussianProcess, view: View) -> Tensor:
    """Return the measured points (n, d) that some sample holds for Pareto-optimal: BoTorch's pruning of fewer samples.

    Its own 2,048 take a fifth of a late proposal, and what they keep for one sample in a thousand slows the rest.
    """
    from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
    from botorch.acquisition.multi_objective.utils import prune_inferior_points_multi_objective

    found: Tensor = prune_inferior_points_multi_objective(
        gp.model,
        tensor(view.X),
        tensor(view.reference),
        objective=_unchecked(GenericMCMultiOutputObjective(_mean_scores(gp, view))),
        constraints=_limits(gp, view),
        num_samples=FEW_SAMPLES,
    )
    return found if len(found) else tensor(view.X)


def _random_scalarization(gp: GaussianProcess, view: View, sampler: MCSampler) -> AcquisitionFunction:
    from botorch.acquisition.multi_objective.objective import GenericMCMultiOutputObjective
    from botorch.acquisition.multi_objective.parego import qLogNParEGO

    return qLogNParEGO(
        gp.model,
        tensor(view.X),
        sampler=sampler,
        objective=_unchecked(GenericMCMultiOutputObjective(_mean_scores(gp, view))),
        X_pending=_pending(view),
        constraints=_limits(gp, view),
        prune_baseline=view.tolerances is None,
    )


def _scores(gp: GaussianProcess, view: View) -> Callable[[Tensor, Tensor | None], Tensor]:
    means = expected(gp)

    def scores(samples: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: ARG001
        outputs = means(samples)
        columns = [one.score(outputs[..., column]) for column, one in enumerate(view.objectives.each)]
        return torch.stack(columns, dim=-1)

    return scores


def _mean_scores(gp: GaussianProcess, view: View) -> Callable[[Tensor, Tensor | None], Tensor]:
    scores = _scores(gp, view)

    def mean_scores(samples: Tensor, X: Tensor | None = None) -> Tensor:
        return torch.stack([_averaged(column, view) for column in scores(samples, X).unbind(-1)], dim=-1)

    return mean_scores


def _unchecked(objective: Objective) -> Objective:
    """Return an objective that may give fewer points than it was given: those that places were averaged to."""
    objective._verify_output_shape = False  # as BoTorch's own risk measures have it
    return objective


def _limits(gp: GaussianProcess, view: View) -> list[Callable[[Tensor], Tensor]] | None:
    """Return what BoTorch takes as constraints, negative where kept, in standard deviations of what was measured."""
    spread, means = view.Y.std(axis=0), expected(gp)
    made: list[Callable[[Tensor], Tensor]] = []
    for one in view.objectives.limits.each:
        column = view.objectives.outputs.index(one.name)
        scale = float(spread[column]) or 1.0
        if np.isfinite(one.low):
            made.append(lambda y, c=column, low=one.low, s=scale: _averaged((low - means(y)[..., c]) / s, view))  # type: ignore[misc]
        if np.isfinite(one.high):
            made.append(lambda y, c=column, high=one.high, s=scale: _averaged((means(y)[..., c] - high) / s, view))  # type: ignore[misc]
    return made or None


def _pending(view: View) -> Tensor | None:
    return tensor(view.pending) if len(view.pending) else None


BOTORCH = BoTorch()
