"""Studies in volumes of several sizes, from the file to the report."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import toys
import yaml
from click.testing import CliRunner

from mesoforge.errors import InputError
from mesoforge.experiments import pool as pools
from mesoforge.experiments.cli import app
from mesoforge.experiments.cost import seen_rate, study_cost
from mesoforge.experiments.drive import drive, kept_campaign, kept_plan
from mesoforge.experiments.home import Home
from mesoforge.experiments.known import known_electrodes
from mesoforge.experiments.learned import assess, predict
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.schema import study_schema
from mesoforge.experiments.study import Plan
from mesoforge.experiments.watching import Lines
from mesoforge.experiments.work import electrode_name
from mesoforge.optimize.strategies import botorch
from mesoforge.optimize.trial import Measured
from mesoforge.physics.recipe import Recipe

SIZES = {"volume.side": [12, 18]}
SMALL, LARGE = 12.0, 18.0
BUDGET = {"start": 8, "proposed": 2, "confirmations": 1}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Plan, dict[str, Any]]:
    """Drive a toy study in two sizes to its end: its home, its plan and its verdict."""
    home, plan = Home(tmp_path_factory.mktemp("sizes")), toys.plan(fidelity=SIZES, budget=BUDGET)
    shutil.copy(toys.template(tmp_path_factory), home.root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pools, "local_pool", lambda _: nullcontext(HerePool()))
        for name, value in (("SAMPLES", 32), ("RESTARTS", 2), ("RAW_POINTS", 32), ("ITERATIONS", 15)):
            patch.setattr(botorch, name, value)
        return home, plan, drive(plan, home, lambda _: lambda _: None, _refuse, toys.make_sized)


def _refuse(message: str) -> None:
    raise AssertionError(message)


Done = tuple[Home, Plan, dict[str, Any]]


# What a study says


def test_trials_are_made_in_their_size_and_costs_go_by_beads() -> None:
    plan = toys.plan(fidelity=SIZES)
    fidelity = plan.problem.fidelity
    assert fidelity is not None
    assert plan.base.volume.side == LARGE
    assert fidelity.shares([])[1] == pytest.approx((SMALL / LARGE) ** 2, rel=0.02)
    values = plan.problem.space.from_unit(
        plan.problem.space.to_unit({"calendering.pressure": 50.0, "formulation.active_material": 0.95})
    )
    assert plan.recipe_at(values, 3).volume.side == LARGE
    assert plan.recipe_at(values, 3, SMALL).volume.side == SMALL


def test_the_recipe_is_that_of_the_size_that_decides() -> None:
    plan = toys.plan(fidelity={"volume.side": [12, 16]})
    assert plan.base.volume.side == 16.0
    assert toys.plan().problem.fidelity is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"fidelity": {"volume.side": [18]}}, "fidelity has volume.side 18, but two", id="one size"),
        pytest.param({"fidelity": {"volume.side": 18}}, "fidelity has volume.side 18, but two or more", id="no list"),
        pytest.param({"fidelity": {"volume.side": [18, 12]}}, "dearer than the one before", id="dearest first"),
        pytest.param({"fidelity": {"volume.side": [12, 12]}}, "two or more different values", id="twice"),
        pytest.param({"fidelity": {"volume.side": [12, "big"]}}, "'big' but numbers were due", id="word"),
        pytest.param({"fidelity": {"volume.side": [1, 18]}}, "volume.side 1, which no recipe allows", id="impossible"),
        pytest.param({"fidelity": {"numerics.voxel": [0.4, 0.2]}}, "'numerics.voxel' but volumes", id="field"),
        pytest.param({"fidelity": {**SIZES, "target": 18}}, "has 'target' but volumes may differ", id="key"),
        pytest.param({"fidelity": SIZES, "reuse": True}, "drop reuse or fidelity", id="reuse"),
        pytest.param({"fidelity": SIZES, "strategy": "sobol"}, "the strategy 'sobol' weighs no costs", id="strategy"),
        pytest.param({"fidelity": SIZES, "budget": {"start": 2}}, "start is 2, but 3 were due", id="start"),
        pytest.param(
            {"fidelity": SIZES, "variables": {**toys.STUDY["variables"], "volume.side": {"low": 12, "high": 18}}},
            "'volume.side' is varied and in fidelity too",
            id="varied",
        ),
        pytest.param({"fidelity": SIZES, "recipe": {"volume": {"side": 14}}}, "volume.side is 14 but", id="recipe"),
        pytest.param(
            {"fidelity": SIZES, "recipe": {"volume": {"start_box": [60, 60, 60]}}}, "start_box are given", id="box"
        ),
        pytest.param(
            {"fidelity": {"volume.side": [6, 18]}, "variables": {"particles.min_diameter": {"low": 2, "high": 3}}},
            "'volume.side' 6, which no recipe allows",
            id="at a bound",
        ),
    ],
)
def test_wrong_sizes_are_refused_in_a_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        toys.plan(**change)


def test_samples_have_no_fidelity() -> None:
    with pytest.raises(InputError, match=r"'fidelity' is of studies that are optimized: vary volume\.side to sample"):
        toys.plan("sample", fidelity=SIZES)


def test_editors_know_the_key() -> None:
    assert study_schema()["properties"]["fidelity"]["properties"]["volume.side"]["minItems"] == 2


# What comes of it


def test_a_study_in_two_sizes_ends_with_an_answer_of_the_large_one(done: Done) -> None:
    home, plan, verdict = done
    campaign = kept_campaign(plan, home)
    made = Counter(trial.fidelity for trial in campaign.measured)
    assert made[SMALL] >= 4
    assert verdict["sizes"] == {
        "input": "volume.side",
        "decides": LARGE,
        "measured": {"12": made[SMALL], "18": made[LARGE]},
    }
    front = {row["trial"] for row in verdict["pareto"]}
    assert front <= {f"trial-{trial.number:04d}" for trial in campaign.counted}
    (confirmation,) = verdict["confirmations"]
    last = campaign.trials[-1]
    assert plan.recipe(last).volume.side == LARGE
    assert confirmation["properties"]["porosity"]["physics"] == toys.sized_properties(plan.recipe(last))["porosity"]


def test_every_electrode_was_made_in_the_size_that_the_journal_says(done: Done) -> None:
    home, plan, _ = done
    for trial in kept_campaign(plan, home).measured:
        assert isinstance(trial.outcome, Measured)
        assert trial.outcome.properties == toys.sized_properties(plan.recipe(trial))


def test_the_same_command_goes_on_and_finds_the_same(done: Done) -> None:
    home, _, verdict = done
    found = drive(kept_plan(home, "toy"), home, lambda _: lambda _: None, _refuse, toys.stumble)
    assert json.dumps(found, sort_keys=True) == json.dumps(verdict, sort_keys=True)


def test_the_table_and_the_report_say_the_size(done: Done) -> None:
    home, _, _ = done
    folder = home.study("toy")
    heading, *rows = (folder / "trials.csv").read_text(encoding="utf-8").splitlines()
    assert heading.startswith("trial,origin,confirms,reuses,seed,state,volume.side,calendering.pressure,")
    assert {row.split(",")[6] for row in rows} == {"12.0", "18.0"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "volume.side 18 µm decides; volumes of 12 µm are learned from" in page


def test_lines_of_the_log_say_the_size(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    home, plan, _ = done
    campaign = kept_campaign(plan, home)
    told = Lines(plan).follow(campaign)
    told(campaign.trials[1])
    began, ended = map(json.loads, capsys.readouterr().err.splitlines())
    assert ended["fidelity"] == SMALL
    assert began["total"] >= began["done"] == len(campaign.trials)


def test_runs_bear_their_size(done: Done) -> None:
    runs = toys.runs(done[0].root, "toy")
    assert {run.data.params["volume.side"] for key, run in runs.items() if key != "campaign"} == {"12", "18"}
    assert "18 um decides" in runs["campaign"].data.params["fidelity"]


def test_what_is_foretold_is_the_large_volume(done: Done) -> None:
    home, plan, _ = done
    recipe = plan.recipe_at({"calendering.pressure": 60.0, "formulation.active_material": 0.95}, 77)
    found = predict(recipe, home, "toy")
    assert found["size"] == {"volume.side": LARGE}
    assert found["notes"] == []
    assert found["properties"]["porosity"]["mean"] == pytest.approx(toys.properties(recipe)["porosity"], abs=0.02)
    small = predict(recipe.with_values({"volume.side": SMALL}), home, "toy")
    assert "volume.side is 12.0, but what is foretold is for 18" in small["notes"][0]


def test_what_is_assessed_is_the_large_volume(done: Done) -> None:
    home, plan, _ = done
    campaign = kept_campaign(plan, home)
    assert assess(home, "toy")["measured"] == len(campaign.counted)


# What it costs


def test_a_dry_run_counts_small_volumes_of_the_start(tmp_path: Path) -> None:
    home = Home(tmp_path)
    alone = study_cost(toys.plan(budget=BUDGET), home)
    both = study_cost(toys.plan(fidelity=SIZES, budget=BUDGET), home)
    share = both["sizes"]["shares"]["12"]
    assert both["core_hours"] == pytest.approx(alone["core_hours"] * (11 - 4 * (1 - share)) / 11)
    assert both["simulations"] == alone["simulations"] == 11
    assert "sizes" not in alone


def test_what_is_left_counts_what_was_made(done: Done) -> None:
    assert study_cost(done[1], done[0])["simulations"] == 0


def test_the_command_line_says_what_a_small_volume_counts(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump({**toys.STUDY, "fidelity": SIZES, "budget": BUDGET}), encoding="utf-8")
    said = CliRunner().invoke(app, ["optimize", str(file), "--dry-run", "--home", str(tmp_path)])
    assert said.exit_code == 0
    assert "volume.side 18 um decides; one of 12 um counts 0.44 of a proposal, so there may be more" in said.output


def test_seconds_per_bead_go_by_the_size_of_each_electrode(tmp_path: Path) -> None:
    home, plan = Home(tmp_path), toys.plan(fidelity=SIZES)
    folder = home.study("toy")
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(
        yaml.safe_dump({"recipe": plan.base.model_dump(mode="json", exclude_none=True)}), encoding="utf-8"
    )
    events = [{"event": "ask", "number": 0, "fidelity": SMALL}, {"event": "tell", "number": 0, "wall_s": 100.0}]
    home.journal("toy").write_text("".join(json.dumps(one) + "\n" for one in events), encoding="utf-8")
    small = seen_rate(plan.base.with_values({"volume.side": SMALL}), home).core_s_per_bead
    assert small == pytest.approx(100.0 / 1080, rel=0.05)


# What was made before


def test_electrodes_of_either_size_are_known_and_no_others(tmp_path: Path) -> None:
    home, plan = Home(tmp_path), toys.plan(fidelity=SIZES)
    values = {"calendering.pressure": 60.0, "formulation.active_material": 0.95}
    for seed, side in enumerate((SMALL, 14.0, LARGE), start=1):
        _portray(plan.recipe_at(values, seed, side), home)
    found = sorted(known_electrodes(plan, home), key=lambda one: one.seed)
    assert [(one.seed, one.fidelity) for one in found] == [(1, SMALL), (3, LARGE)]
    assert [one.fidelity for one in known_electrodes(toys.plan(), home)] == [None]


def _portray(recipe: Recipe, home: Home) -> None:
    folder = home.portrait(electrode_name(recipe))
    folder.mkdir(parents=True)
    text = yaml.safe_dump(recipe.model_dump(mode="json", exclude_none=True), sort_keys=False)
    (folder / "recipe.yaml").write_text(text, encoding="utf-8")
    (folder / "properties.json").write_text(json.dumps({"properties": toys.properties(recipe)}), encoding="utf-8")
