"""Campaigns that learn a property by its logarithm: which do, and that every way of proposing goes on from there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from problems import OBJECTIVES, SPACE, campaign, little_care, measure, problem, truth

from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.fidelity import Fidelity
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.learning import training_table
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.tolerances import Tolerances
from mesoforge.optimize.trial import Measured, Trial
from mesoforge.surrogate.gp import GaussianProcess, fit_gp

TAU = "tortuosity_factor_z"
AIMS: dict[str, object] = {"porosity": {"match": 0.3, "tolerance": 0.01}, TAU: "minimize"}
BUDGET = Budget(start=8, proposed=4, confirmations=0)


@pytest.fixture(autouse=True, scope="module")
def quickly() -> Iterator[None]:
    with little_care():
        yield


def made(trial: Trial) -> Measured:
    """Return a tortuosity factor that varies tenfold and scatters in proportion."""
    properties = measure(trial).properties
    return Measured({"porosity": properties["porosity"], TAU: float(np.exp(5 * properties["tortuosity"] - 5))})


def learned(running: Campaign) -> GaussianProcess:
    return fit_gp(training_table(running.problem, running.measured))


def test_positive_resistances_to_transport_and_nothing_else_are_learned_by_their_logarithm() -> None:
    names = ("porosity", TAU, "macmullin_number_z", "electronic_conductivity_z")
    objectives = Objectives.from_mapping(dict.fromkeys(names, "minimize"))
    Y = np.array([[0.3, 2.0, 2.0, 0.1], [0.4, 3.0, 0.0, 0.2]])
    assert objectives.logs(Y) == (TAU,)


WAYS: dict[str, dict[str, Any]] = {
    "hypervolume": {},
    "one aim": {"aims": {TAU: {"match": 4.0, "tolerance": 0.2}}},
    "two targets": {"aims": {"porosity": {"match": 0.3, "tolerance": 0.01}, TAU: {"match": 4.0, "tolerance": 0.2}}},
    "a limit": {"aims": {"porosity": "maximize"}, "limits": {TAU: {"at_most": 4.0}}},
    "no trial keeps the limit": {"aims": {"porosity": "maximize"}, "limits": {TAU: {"at_most": 0.5}}},
    "tolerances": {"problem": {"tolerances": Tolerances.from_mapping({"pressure": "5 %"}, SPACE)}},
    "thompson": {"strategy": "thompson"},
    "repeats": {"campaign": {"repeat": True}},
    "two sizes": {"problem": {"fidelity": Fidelity("volume", (10.0, 40.0), (1.0, 4.0))}},
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_proposing_follows_what_is_in_units(tmp_path: Path, way: str) -> None:
    given = WAYS[way]
    objectives = Objectives.from_mapping(given.get("aims", AIMS), given.get("limits"))
    posed: Problem = replace(problem(BUDGET, objectives=objectives), **given.get("problem", {}))
    strategy, more = given.get("strategy", "botorch"), given.get("campaign", {})
    running = Campaign(posed, Journal(tmp_path / "journal"), strategy, learn=fit_gp, **more)
    run_sequentially(running, made)
    proposed = [one for one in running.trials if one.origin in {"bo", "repeat"}]
    assert len(proposed) >= BUDGET.proposed
    assert learned(running).table.logs == (TAU,)
    for one in proposed:
        foretold, found = one.prediction[TAU], cast("Measured", one.outcome).properties[TAU]
        assert abs(found - foretold.mean) < 5 * foretold.sd  # in the unit itself: its logarithm is far from it
        assert 0 < foretold.mean < 100


@pytest.mark.parametrize("target", [4.0, 20.0])
def test_small_and_large_targets_are_met_within_their_noise(tmp_path: Path, target: float) -> None:
    objectives = Objectives.from_mapping({TAU: {"match": target, "tolerance": 0.05 * target}})
    running = campaign(problem(Budget(8, 6, 0), objectives=objectives), tmp_path / "journal", "botorch", fit_gp)
    run_sequentially(running, made)
    exact = [np.exp(5 * truth(one.values)["tortuosity"] - 5 + 0.1**2 / 2) for one in running.trials[8:]]
    assert np.median(np.abs(np.array(exact) / target - 1)) < 0.15


def test_what_is_foretold_is_the_mean_over_seeds_and_not_the_median(tmp_path: Path) -> None:
    assert OBJECTIVES.names == ("porosity", "tortuosity")
    running = campaign(
        problem(BUDGET, objectives=Objectives.from_mapping(AIMS)), tmp_path / "journal", "random", fit_gp
    )
    run_sequentially(running, made)
    gp, points = learned(running), SPACE.rows([one.values for one in running.measured])
    mean, sd = gp.predict(points)
    logs = fit_gp(replace(gp.table, Y=gp.table.learned, logs=()))
    assert np.all(mean[:, 1] > np.exp(logs.predict(points)[0][:, 1]))
    assert np.all(sd[:, 1] < mean[:, 1])
