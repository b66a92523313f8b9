"""The nearest neighbour."""

from __future__ import annotations

import pytest
from problems import SPACE

from mesoforge.errors import InputError
from mesoforge.optimize.baselines import nearest
from mesoforge.optimize.trial import Failed, Measured, Outcome, Trial


def trial(number: int, pressure: float, outcome: Outcome | None) -> Trial:
    return Trial(number, "sobol", {"pressure": pressure, "active_material": 0.95}, 1, 0.0, outcome=outcome)


TRIALS = (
    trial(0, 5, Measured({"porosity": 0.5})),
    trial(1, 100, Measured({"porosity": 0.3})),
    trial(2, 30, Failed("unstable", "slurry", "It flew apart.")),
    trial(3, 30, None),
)


@pytest.mark.parametrize(("pressure", "porosity"), [(20, 0.5), (23, 0.3), (150, 0.3)])
def test_the_nearest_measured_trial_on_the_variables_scale_speaks(pressure: float, porosity: float) -> None:
    assert nearest(SPACE, TRIALS, {"pressure": pressure, "active_material": 0.95}) == {"porosity": porosity}


def test_no_measured_trial_is_refused() -> None:
    with pytest.raises(InputError, match="no trial was measured"):
        nearest(SPACE, TRIALS[2:], {"pressure": 20, "active_material": 0.95})
