"""A new study begins with what was made before, as far as it might have made it itself."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import toys
import yaml

from mesoforge.experiments import pool as pools
from mesoforge.experiments.drive import drive
from mesoforge.experiments.home import Home
from mesoforge.experiments.known import known_electrodes
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.work import electrode_name
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.physics.recipe import Recipe


def portray(recipe: Recipe, home: Home, name: str = "") -> None:
    """Leave behind what an electrode leaves behind."""
    folder = home.portrait(name or electrode_name(recipe))
    folder.mkdir(parents=True)
    text = yaml.safe_dump(recipe.model_dump(mode="json", exclude_none=True), sort_keys=False)
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    (folder / "properties.json").write_text(json.dumps({"properties": toys.properties(recipe)}), encoding="utf-8")


def made(seed: int = 11, **inputs: Any) -> Recipe:  # noqa: ANN401
    values = {"calendering.pressure": 60.0, "formulation.active_material": 0.95}
    return toys.plan().recipe_at({**values, **{name.replace("__", "."): v for name, v in inputs.items()}}, seed)


def test_only_what_the_study_might_have_made_is_known(tmp_path: Path) -> None:
    home = Home(tmp_path)
    portray(made(), home)
    portray(made(12, calendering__pressure=900.0), home)
    portray(made(13).with_values({"formulation.solids_content": 0.6}), home)
    portray(made(14), home, name="0" * 64)  # as an older physics would have named it
    home.portrait("f" * 64).mkdir(parents=True)
    (home.portrait("f" * 64) / "properties.json").write_text("{", encoding="utf-8")
    (one,) = known_electrodes(toys.plan(), home)
    assert one.values == {"calendering.pressure": 60.0, "formulation.active_material": pytest.approx(0.95)}
    assert (one.seed, one.outcome.electrode) == (11, electrode_name(made()))
    assert one.outcome.properties["porosity"] == toys.properties(made())["porosity"]


def test_a_new_study_learns_from_them_and_spends_its_whole_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "local_pool", lambda _: nullcontext(HerePool()))
    home, plan = Home(tmp_path), toys.plan(budget={"start": 3, "proposed": 1, "confirmations": 1})
    for seed, pressure in ((1, 40.0), (2, 80.0), (3, 160.0)):
        portray(made(seed, calendering__pressure=pressure), home)
    found = drive(plan, home, lambda _: lambda _: None, lambda _: None, toys.make)
    campaign = Campaign(plan.problem, Journal(home.journal("toy")))
    assert [trial.origin for trial in campaign.trials] == [*["known"] * 3, *["sobol"] * 3, "bo", "confirm"]
    assert found["measured"] == 8
    assert len(toys.seeds_made(home.root)) == 5
    alone = Campaign(plan.problem, Journal(tmp_path / "alone"), learn=None)
    first = alone.ask()
    assert first is not None
    assert campaign.trials[3].values == first.values
    again = drive(plan, home, lambda _: lambda _: None, lambda _: None, toys.make)
    assert again["measured"] == 8


def test_a_study_may_begin_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "local_pool", lambda _: nullcontext(HerePool()))
    home, plan = Home(tmp_path), toys.plan(start_from_known=False, budget={"start": 2})
    portray(made(), home)
    assert drive(plan, home, lambda _: lambda _: None, lambda _: None, toys.make)["measured"] == 2
