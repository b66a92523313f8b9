"""What is reported as best: the mean over new seeds, never the observation that was chosen for its luck."""

from __future__ import annotations

from collections import Counter
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

    The first run is left out. With ``failed`` more seeds the physics failed. ``sd`` is the standard deviation from seed
    to seed; not a number where there is one seed.
    """

    number: int
    seeds: int
    mean: Array
    sd: Array
    failed: int = 0

    @property
    def mostly_fails(self) -> bool:
        """Whether the physics failed with as many seeds as not, or more."""
        return self.failed >= self.seeds


def confirmed(objectives: Objectives, trials: Iterable[Trial], reference: Array | None) -> list[Confirmed]:
    """Return the confirmed recipes, best first.

    First come those whose mean keeps every limit and meets every target, then those that miss by least. Where there are
    targets only, the nearest to them leads; else the one with most hypervolume above the reference point. Recipes that
    fail with half of their seeds or more come last: what is left of these is chosen by its luck.
    """
    rows: dict[int, list[Array]] = {}
    failed: Counter[int] = Counter()
    for trial in trials:
        if trial.confirms is not None and isinstance(trial.outcome, Measured):
            rows.setdefault(trial.confirms, []).append(objectives.row(trial.outcome.properties))
        elif trial.confirms is not None and trial.failed_in_physics:
            failed[trial.confirms] += 1
    each = [_confirmed(number, np.array(found), failed[number]) for number, found in rows.items()]
    if not each or not len(objectives):
        return []
    means = np.array([one.mean for one in each])
    above = reference_point(objectives, means) if reference is None else reference
    ordered = [each[row] for row in best_first(objectives, means, above)]
    return sorted(ordered, key=lambda one: one.mostly_fails)


def _confirmed(number: int, found: Array, failed: int) -> Confirmed:
    sd = found.std(axis=0, ddof=1) if len(found) > 1 else np.full(found.shape[1], np.nan)
    return Confirmed(number, len(found), found.mean(axis=0), sd, failed)
