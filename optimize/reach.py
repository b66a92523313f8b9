"""Which targets and limits no trial reached, and how near any came."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.trial import Measured, Trial
from mesoforge.surrogate.table import Array


def unreached(objectives: Objectives, trials: Sequence[Trial]) -> list[str]:
    """Return a sentence for each target or limit that no measured trial met, with the nearest there is.

    Where each was met by some trial but no trial met all, the sentence is on the trial that misses by least.
    """
    known = [(t.number, objectives.row(t.outcome.properties)) for t in trials if isinstance(t.outcome, Measured)]
    if not known:
        return []
    numbers, Y = [number for number, _ in known], np.array([row for _, row in known])
    said = []
    for one, column in zip(objectives.each, Y.T, strict=False):
        nearest = int(np.argmax(one.score(column)))
        if one.goal == "match" and one.score(float(column[nearest])) < -1:
            said.append(
                f"{one.name} {one.target:g} ± {one.tolerance:g} was not reached: of {len(known)} trials the nearest is "
                f"{column[nearest]:.4g} (trial {numbers[nearest]}); widen the variables, or move the target."
            )
    said += _unkept(objectives, numbers, Y)
    shortfall, kept = objectives.shortfall(Y), objectives.feasible(Y)
    if not said and not kept.any():
        best = int(np.argmin(objectives.excess(Y)))
        said.append(
            f"each constraint was kept by some trial, but none kept all: trial {numbers[best]} breaks them by least; "
            "widen the variables, or relax a constraint."
        )
    elif not said and shortfall[kept].min() > 0 and shortfall.min() == 0:
        best = int(np.flatnonzero(kept)[np.argmin(shortfall[kept])])
        said.append(
            f"no trial met the targets and kept the constraints at once: of those that kept them trial {numbers[best]} "
            f"misses the worst target by {1 + shortfall[best]:.2g} tolerances; widen the variables, or relax one."
        )
    elif not said and shortfall.min() > 0:
        best = int(np.argmin(shortfall))
        said.append(
            f"each target was reached, but no trial met all: trial {numbers[best]} misses the worst of them by "
            f"{1 + shortfall[best]:.2g} tolerances; widen the variables, or a tolerance."
        )
    return said


def _unkept(objectives: Objectives, numbers: Sequence[int], Y: Array) -> list[str]:
    """Return a sentence for each limit that no trial kept."""
    said = []
    for limit in objectives.limits.each:
        column = Y[:, objectives.outputs.index(limit.name)]
        nearest = int(np.argmin(limit.excess(column)))
        if limit.excess(column)[nearest] > 0:
            said.append(
                f"{limit} was not reached: of {len(numbers)} trials the nearest is {column[nearest]:.4g} "
                f"(trial {numbers[nearest]}); widen the variables, or move the constraint."
            )
    return said
