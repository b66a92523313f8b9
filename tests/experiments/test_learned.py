"""What a study's surrogate says of recipes, at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys
from click.testing import CliRunner

from mesoforge.errors import InputError
from mesoforge.experiments.canvas import NoPicture
from mesoforge.experiments.cli import app
from mesoforge.experiments.drive import keep_study
from mesoforge.experiments.home import Home
from mesoforge.experiments.learned import assess, indices, learned, predict, sensitivity
from mesoforge.experiments.learned_charts import sensitivity_chart, slices_chart
from mesoforge.experiments.slices import chosen_inputs, cut
from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Measured
from mesoforge.physics.recipe import Recipe


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a study of 14 toy electrodes."""
    home = Home(tmp_path_factory.mktemp("learned"))
    plan = toys.plan(budget={"start": 14})
    home.study("toy").mkdir(parents=True, exist_ok=True)
    campaign = Campaign(plan.problem, Journal(home.journal("toy")), "sobol", learn=None)
    run_sequentially(campaign, lambda trial: Measured(toys.properties(plan.recipe(trial))))
    keep_study(plan, home.study("toy"))
    return home


def recipe(pressure: float, **more: Any) -> Recipe:  # noqa: ANN401
    return Recipe().with_values({"calendering.pressure": pressure, "formulation.active_material": 0.95, **more})


def test_a_recipe_is_foretold_within_its_interval(home: Home) -> None:
    here = recipe(80.0, seed=999)
    found = predict(here, home, "toy")
    assert (found["notes"], found["outside"], found["measured"]) == ([], False, 14)
    for name, one in found["properties"].items():
        assert one["low"] < toys.properties(here)[name] < one["high"]
        assert one["loo_r2"] > 0.9


def test_a_recipe_outside_what_was_learned_is_said_to_be(home: Home) -> None:
    (note,) = predict(recipe(900.0), home, "toy")["notes"]
    assert note.startswith("calendering.pressure is 900, outside the 10 to 300 that was learned")
    (note,) = predict(recipe(80.0, **{"formulation.solids_content": 0.6}), home, "toy")["notes"]
    assert note.startswith("formulation.solids_content is 0.6, but was 0.6")


def test_the_input_that_moves_porosity_is_named(home: Home) -> None:
    found = sensitivity(home, "toy")["properties"]["porosity"]
    assert found["calendering.pressure"]["total"] > 0.9
    assert found["formulation.active_material"]["total"] < 0.05


def test_the_command_line_prints_both(home: Home, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("calendering: {pressure: 80}\n", encoding="utf-8")
    place = ["--home", str(home.root)]
    said = CliRunner().invoke(app, ["predict", str(tmp_path / "mine.yaml"), "--study", "toy", *place, "--json"])
    assert json.loads(said.output)["properties"]["porosity"]["mean"] == pytest.approx(0.55 - 0.12 * 1.903, abs=0.01)
    said = CliRunner().invoke(app, ["sensitivity", "toy", *place], terminal_width=120)
    assert "Sobol indices" in said.output


def test_what_was_learned_is_drawn_as_slices_and_bars(home: Home, tmp_path: Path) -> None:
    plan, campaign, gp = learned(home, "toy")
    through, space = chosen_inputs(plan, campaign), plan.problem.space
    cuts = {name: cut(gp, space, through, name) for name in space.names}
    slices = str(slices_chart(cuts, space.variables, through, tmp_path / "slices.svg"))
    bars = str(sensitivity_chart(indices(plan, gp), tmp_path / "bars.png"))
    assert [Path(one).stat().st_size > 5000 for one in (slices, bars)] == [True, True]
    mean = cuts["calendering.pressure"].mean["porosity"]
    assert (np.diff(mean) < 0).all()
    assert mean[0] - mean[-1] == pytest.approx(0.12 * np.log10(30), abs=0.02)
    assert isinstance(slices_chart({}, (), {}, tmp_path / "none.png"), NoPicture)


def test_a_study_that_is_not_there_is_refused(home: Home) -> None:
    with pytest.raises(InputError, match="no study 'other'"):
        sensitivity(home, "other")


def test_a_surrogate_is_assessed_in_words_and_figures(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    found = assess(home, "toy")
    assert found["recipes"] == 14
    assert found["properties"]["porosity"]["verdict"] == "usable"
    assert found["properties"]["porosity"]["r2"] > 0.9
    assert all(Path(name).stat().st_size > 5000 for name in found["figures"])
    monkeypatch.setattr("mesoforge.experiments.learned.assess", lambda *_: found)  # it takes seven fits: once is enough
    result = CliRunner().invoke(app, ["assess", "toy", "--home", str(home.root)])
    assert "usable" in result.output
    assert result.exit_code == 0


def test_too_few_recipes_are_not_assessed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    plan = toys.plan(budget={"start": 4})
    home.study("toy").mkdir(parents=True, exist_ok=True)
    campaign = Campaign(plan.problem, Journal(home.journal("toy")), "sobol", learn=None)
    run_sequentially(campaign, lambda trial: Measured(toys.properties(plan.recipe(trial))))
    keep_study(plan, home.study("toy"))
    with pytest.raises(InputError, match="4 conditions were measured, but 6 were due"):
        assess(home, "toy")
