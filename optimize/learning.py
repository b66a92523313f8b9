"""What a campaign's record says as numbers: points, outputs, training data, where the physics works, estimates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import numpy as np

from mesoforge.optimize.fidelity import levels
from mesoforge.optimize.problem import Problem
from mesoforge.optimize.reuse import slurries
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import ENOUGH, Space
from mesoforge.optimize.strategies.sobol import SOBOL
from mesoforge.optimize.trial import Estimate, Measured, Trial
from mesoforge.optimize.view import View
from mesoforge.surrogate.table import Array, Groups, Surrogate, Table
from mesoforge.surrogate.validation import least_sd

if TYPE_CHECKING:
    from mesoforge.surrogate.gp import GaussianProcess
    from mesoforge.surrogate.viability import Viability

TRIES = 64  # Sobol points that may stand in for a proposal that is not admissible


def in_steps(rows: int, growth: float) -> int:
    """Return how many of so many rows are learned from, where a surrogate is fitted anew when they grew by a share."""
    fitted = 0
    while (following := max(fitted + 1, int(fitted * (1 + growth)))) <= rows:
        fitted = following
    return fitted


def measured(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Return the trials that have properties."""
    return tuple(trial for trial in trials if isinstance(trial.outcome, Measured))


def points(problem: Problem, trials: Iterable[Trial]) -> Array:
    """Return trials as points (n, d) of the unit cube."""
    return problem.space.rows([trial.values for trial in trials])


def properties(problem: Problem, trials: tuple[Trial, ...]) -> Array:
    """Return the outputs (n, k) of measured trials."""
    rows = [problem.objectives.row(cast("Measured", trial.outcome).properties) for trial in trials]
    return np.array(rows).reshape(len(rows), len(problem.objectives.outputs))


def groups(problem: Problem, known: tuple[Trial, ...], reuse: bool = False) -> Groups | None:
    """Return numbers (n,) of the trials' slurries, where some share one, or with ``reuse`` may come to."""
    found = slurries(problem.stages, known)
    return found if reuse or len(np.unique(found)) < len(found) else None


def training_table(problem: Problem, known: tuple[Trial, ...], reuse: bool = False) -> Table:
    """Return measured trials as training data, with their slurries, and the noise that enough replicates show.

    Where trials are of several sizes, the noise of each is inferred along.
    """
    outputs, categories = problem.objectives.outputs, problem.space.categories
    shared, sizes = groups(problem, known, reuse), levels(problem.fidelity, known)
    X, Y = points(problem, known), properties(problem, known)
    logs = problem.objectives.logs(Y)
    table = Table(X, Y, outputs, categories=categories, groups=shared, levels=sizes, logs=logs)
    if sizes is not None or len({tuple(trial.values.values()) for trial in known}) == len(known):
        return table
    from mesoforge.surrogate.replicates import with_known_noise

    return with_known_noise(table, [trial.seed for trial in known] if shared is None else shared.tolist())


def viability(space: Space, trials: tuple[Trial, ...]) -> Viability | None:
    """Return where the physics works, as failures and successes say; none until it did both."""
    failed = [trial for trial in trials if trial.failed_in_physics]
    worked = measured(trials)
    if not failed or not worked:
        return None
    from mesoforge.surrogate.viability import fit_viability

    succeeded, broken = (space.rows([trial.values for trial in some]) for some in (worked, failed))
    return fit_viability(succeeded, broken, space.categories)


def estimates(
    problem: Problem, surrogate: Surrogate, point: Array, group: int | None = None, level: int = 0
) -> dict[str, Estimate]:
    """Return what is foretold of one new electrode at a point (d,), by output, never surer than leave-one-out.

    With ``group`` it is made of that slurry of the surrogate's table, with ``level`` in the cheaper size of that level.
    """
    if level:
        from mesoforge.surrogate.likeness import at_level

        surrogate = at_level(cast("GaussianProcess", surrogate), level)
    means, sds, least = _foretold(surrogate, point, group)
    cautious = np.maximum(sds, least)
    pairs = zip(means[0].tolist(), cautious[0].tolist(), strict=True)
    return {name: Estimate(mean, sd) for name, (mean, sd) in zip(problem.objectives.outputs, pairs, strict=True)}


def _foretold(surrogate: Surrogate, point: Array, group: int | None) -> tuple[Array, Array, Array]:
    """Return means and standard deviations (1, m), and what the latter must not fall below (1, m)."""
    from mesoforge.surrogate.gp import GaussianProcess
    from mesoforge.surrogate.shared import left_out_within, predict_within

    groups = surrogate.table.groups
    if not isinstance(surrogate, GaussianProcess) or groups is None or group is None or group not in groups:
        mean, sd = surrogate.predict(point[None])
        return mean, sd, least_sd(surrogate, mean)
    mean, sd = predict_within(surrogate, point[None], group)
    within = left_out_within(surrogate)
    least = least_sd(surrogate, mean) if within is None else within.spread_at(mean, surrogate.table.logged)
    return mean, sd, least


def stand_in(view: View) -> Array:
    """Return the Sobol point in place of a proposal: admissible if one is, else where most viable."""
    count = ENOUGH if view.space.inequalities else TRIES
    some = view.space.allowed(sobol_points(view.dimensions, view.seed, count))
    chosen = view.first_admissible(some)
    if chosen is not None:
        return chosen
    return np.asarray(some[np.argmax(view.viable(some))]) if len(some) else SOBOL.propose(view)
