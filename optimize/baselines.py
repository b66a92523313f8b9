"""What one would have said without a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Measured, Trial, Value


def nearest(space: Space, trials: Iterable[Trial], values: Mapping[str, Value]) -> dict[str, float]:
    """Return the properties of the measured trial that is nearest to ``values`` in the unit cube, the first of equals.

    Raises:
        InputError: No trial was measured.
    """
    known = [(trial.values, trial.outcome) for trial in trials if isinstance(trial.outcome, Measured)]
    if not known:
        raise InputError("no trial was measured, but a nearest one was due: simulate one first")
    distances = np.linalg.norm(space.rows([place for place, _ in known]) - space.to_unit(values), axis=1)
    return dict(known[int(np.argmin(distances))][1].properties)
