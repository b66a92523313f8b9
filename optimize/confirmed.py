"""What is reported as best: the mean over new seeds, never the observation that was chosen for its luck."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import best_first, reference_point
from mesoforge.optimize.trial import Measured, Trial
from mesoforge.surrogate.table import Array


@dataclass(frozen=True, eq=False, slots=True)
class Confirmed:
    """A trial's recipe made again: ``mean`` and ``sd`` (k,) of the outputs over ``seeds`` confirmations.

    The first run is left out.

    ``sd`` is the standard deviation from seed to seed; not a number where there is one seed.
    """

    number: int
    seeds: int
    mean: Array
    sd: Array


def confirmed(objectives: Objectives, trials: Iterable[Trial], reference: Array | None) -> list[Confirmed]:
    """Return the confirmed recipes, best first.

    First come those whose mean keeps every limit and meets every target, then those that miss by least. Where there are
    targets only, the nearest to them leads; else the one with most hypervolume above the reference point.
    """
    rows: dict[int, list[Array]] = {}
    for trial in trials:
        if trial.confirms is not None and isinstance(trial.outcome, Measured):
            rows.setdefault(trial.confirms, []).append(objectives.row(trial.outcome.properties))
    each = [_confirmed(number, np.array(found)) for number, found in rows.items()]
    if not each or not len(objectives):
        return []
    means = np.array([one.mean for one in each])
    above = reference_point(objectives, means) if reference is None else reference
    return [each[row] for row in best_first(objectives, means, above)]


def _confirmed(number: int, found: Array) -> Confirmed:
    sd = found.std(axis=0, ddof=1) if len(found) > 1 else np.full(found.shape[1], np.nan)
    return Confirmed(number, len(found), found.mean(axis=0), sd)
