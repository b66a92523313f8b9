"""Which targets no trial reached, and how near any came."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.trial import Measured, Trial


def unreached(objectives: Objectives, trials: Sequence[Trial]) -> list[str]:
    """Return a sentence for each target that no measured trial met within its tolerance, with the nearest there is.

    Where each target was met by some trial but no trial met all, the sentence is on the trial that misses by least.
    """
    known = [(t.number, objectives.row(t.outcome.properties)) for t in trials if isinstance(t.outcome, Measured)]
    if not known:
        return []
    numbers, Y = [number for number, _ in known], np.array([row for _, row in known])
    said = []
    for one, column in zip(objectives.each, Y.T, strict=True):
        nearest = int(np.argmax(one.score(column)))
        if one.goal == "match" and one.score(float(column[nearest])) < -1:
            said.append(
                f"{one.name} {one.target:g} ± {one.tolerance:g} was not reached: of {len(known)} trials the nearest is "
                f"{column[nearest]:.4g} (trial {numbers[nearest]}); widen the variables, or move the target."
            )
    shortfall = objectives.shortfall(Y)
    if not said and shortfall.min() > 0:
        best = int(np.argmin(shortfall))
        said.append(
            f"each target was reached, but no trial met all: trial {numbers[best]} misses the worst of them by "
            f"{1 + shortfall[best]:.2g} tolerances; widen the variables, or a tolerance."
        )
    return said
