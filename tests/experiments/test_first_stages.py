"""Which stage reads which variable, and studies that use slurries and coatings again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments.first_stages import stages_of
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.runner import run
from mesoforge.experiments.work import outcome_of
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Measured
from mesoforge.physics.manufacture import STAGES, identity
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store

BOUNDS: dict[str, dict[str, Any]] = {
    "formulation.active_material": {"low": 0.92, "high": 0.97},
    "slurry.pressure": {"low": 0.1, "high": 0.2},
    "drying.cbd_nanoporosity": {"low": 0.4, "high": 0.6},
    "drying.pressure": {"low": 0.02, "high": 0.06},
    "calendering.pressure": {"low": 10, "high": 300, "scale": "log"},
    "particles.bonded": {"choices": [False, True]},
    "particles.source": {"choices": ["synthetic", "fitted"]},
}


def test_each_variable_is_of_the_first_stage_whose_inputs_change_with_it() -> None:
    found = stages_of(Recipe(), Space.from_mapping(BOUNDS))
    assert found.names == STAGES
    assert found.first == {
        "formulation.active_material": "packing",
        "slurry.pressure": "slurry",
        "drying.cbd_nanoporosity": "packing",
        "drying.pressure": "drying",
        "calendering.pressure": "calendering",
        "particles.bonded": "calendering",
        "particles.source": "packing",
    }
    assert found.cuts == (1, 2, 3)


def test_what_follows_from_a_variable_counts_too_and_what_no_recipe_allows_is_shared_with_nothing() -> None:
    bounds = {"calendering.pressure": {"low": 10, "high": 300}, "drying.pressure": {"low": 2000, "high": 3000}}
    derived = {"formulation.active_material": "0.9 + 0.0002 * calendering.pressure"}
    found = stages_of(Recipe(), Space.from_mapping(bounds, derived=derived))
    assert found.first == {"calendering.pressure": "packing", "drying.pressure": "packing"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            {"variables": {"formulation.active_material": BOUNDS["formulation.active_material"]}},
            "all variables are inputs of the first stage .packing.",
            id="nothing to share",
        ),
        pytest.param(
            {"strategy": "optuna-tpe"}, "the strategy 'optuna-tpe' weighs no costs: use botorch", id="strategy"
        ),
    ],
)
def test_a_study_that_can_reuse_nothing_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        toys.plan("optimize", reuse=True, **change)


def test_a_study_that_reuses_makes_each_slurry_once(tmp_path: Path) -> None:
    plan = toys.plan(reuse=True, budget={"start": 5, "proposed": 2, "confirmations": 0})
    campaign = Campaign(plan.problem, Journal(tmp_path / "j"), reuse=True)
    run(campaign, plan, tmp_path, HerePool(), toys.make_in_stages, lambda _: None)
    again = [trial for trial in campaign.trials if trial.reuses is not None]
    made, count = toys.stages_made(tmp_path), len(campaign.trials)
    assert again
    assert made["slurry"] == made["drying"] == count - len(again)
    assert made["calendering"] == made["measurement"] == count
    for trial in again:
        assert trial.reuses is not None
        one, other = (identity(plan.recipe(found)) for found in (trial, campaign.trials[trial.reuses]))
        assert one["drying"] == other["drying"]
        assert one["calendering"] != other["calendering"]


def test_the_seconds_of_stages_are_told_where_they_were_made(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    made = store.obtain("packing", {"seed": 1}, lambda _: {"beads": 1})
    assert made.made_s > 0
    assert store.obtain("packing", {"seed": 1}, lambda _: {"beads": 1}).made_s == 0
    value = {"properties": {"porosity": 0.3}, "electrode": "e", "wall_s": 2.0, "stage_s": {"slurry": 1.5}}
    outcome = outcome_of(value)
    assert isinstance(outcome, Measured)
    assert outcome.stage_s == {"slurry": 1.5}
