"""Targets that nothing reached."""

from __future__ import annotations

import pytest

from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.reach import unreached
from mesoforge.optimize.trial import Failed, Measured, Trial

TARGETS = Objectives.from_mapping(
    {"porosity": {"match": 0.3, "tolerance": 0.01}, "capacity": {"match": 3.0, "tolerance": 0.1}}
)
FAILED = Trial(9, "sobol", {}, 1, 0.0, outcome=Failed("unstable", "slurry", "no"))


def trials(*rows: tuple[float, float]) -> list[Trial]:
    made = [
        Trial(number, "sobol", {}, 1, 0.0, outcome=Measured({"porosity": porosity, "capacity": capacity}))
        for number, (porosity, capacity) in enumerate(rows)
    ]
    return [*made, FAILED]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param([], [], id="all failed"),
        pytest.param([(0.305, 3.05)], [], id="met"),
        pytest.param(
            [(0.35, 3.0), (0.33, 3.0)],
            ["porosity 0.3 ± 0.01 was not reached: of 2 trials the nearest is 0.33 (trial 1)"],
            id="one out of reach",
        ),
        pytest.param(
            [(0.3, 3.5), (0.325, 3.0)], ["each target was reached, but no trial met all: trial 1"], id="joint"
        ),
    ],
)
def test_what_was_not_reached_is_said_with_the_nearest(rows: list[tuple[float, float]], words: list[str]) -> None:
    said = unreached(TARGETS, trials(*rows))
    assert len(said) == len(words)
    assert all(one.startswith(start) for one, start in zip(said, words, strict=True))
