"""Electrodes that somebody measured: told to a study, which then aims at what would be measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toys
from click.testing import CliRunner

from mesoforge.errors import InputError
from mesoforge.experiments.cli import app
from mesoforge.experiments.drive import keep_study, kept_campaign, kept_plan
from mesoforge.experiments.home import Home
from mesoforge.experiments.measured import read_measured, tell
from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Measured, Trial

BIAS = -0.05
TARGET = {"porosity": {"match": 0.3, "tolerance": 0.01}}
HEAD = "calendering.pressure,formulation.active_material,porosity,porosity.sd"


def made(home: Home, start: int = 10, proposed: int = 0) -> Campaign:
    """Return a study of so many toy electrodes, run to its end."""
    plan = toys.plan(budget={"start": start, "proposed": proposed}, objectives=TARGET)
    home.study("toy").mkdir(parents=True, exist_ok=True)
    campaign = Campaign(plan.problem, Journal(home.journal("toy")), "botorch")
    run_sequentially(campaign, lambda trial: Measured(toys.properties(plan.recipe(trial))))
    keep_study(plan, home.study("toy"))
    return campaign


def table(path: Path, *rows: tuple[float, float]) -> Path:
    """Write measured electrodes, whose porosity lies off the toy's by the bias."""
    plan = toys.plan()
    lines = [HEAD]
    for pressure, material in rows:
        values = {"calendering.pressure": pressure, "formulation.active_material": material}
        trial = Trial(0, "user", dict(values), 5, 0.0)
        porosity = toys.properties(plan.recipe(trial))["porosity"] + BIAS
        lines.append(f"{pressure},{material},{porosity},0.004")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_study_that_was_told_aims_at_measured_properties(tmp_path: Path) -> None:
    home = Home(tmp_path)
    made(home)
    measured = table(tmp_path / "measured.csv", (20, 0.93), (60, 0.95), (150, 0.94), (250, 0.96))
    found = tell(home, "toy", measured)
    shift = found["properties"]["porosity"]
    assert shift["mean"] == pytest.approx(BIAS, abs=0.006)
    assert shift["explained"]
    campaign = kept_campaign(kept_plan(home, "toy"), home)
    assert campaign.objectives.each[0].target == pytest.approx(0.3 - shift["mean"])
    assert campaign.problem.objectives.each[0].target == 0.3
    longer = made(home, proposed=3)
    proposed = [trial for trial in longer.trials if trial.origin == "bo"]
    near = [abs(toys.properties(toys.plan().recipe(trial))["porosity"] + BIAS - 0.3) for trial in proposed]
    assert len(near) == 3
    assert max(near) < 0.012


def test_telling_again_replaces_what_was_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    made(home)
    measured = table(tmp_path / "measured.csv", (20, 0.93), (60, 0.95))
    first = tell(home, "toy", measured)
    assert tell(home, "toy", measured) == first
    events = [event["event"] for event in Journal(home.journal("toy")).events()]
    assert events.count("measured") == 2
    assert first["properties"]["porosity"]["mean"] == pytest.approx(
        kept_campaign(kept_plan(home, "toy"), home).shifts["porosity"][0]
    )


def test_the_command_states_the_shift_and_status_repeats_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    made(home)
    measured = table(tmp_path / "measured.csv", (20, 0.93), (60, 0.95), (150, 0.94))
    said = CliRunner().invoke(app, ["tell", "toy", str(measured), "--home", str(home.root)])
    assert said.exit_code == 0
    assert "toy now aims at measured properties" in said.output
    found = json.loads(CliRunner().invoke(app, ["status", "toy", "--home", str(home.root), "--json"]).output)
    assert found["shifts"]["porosity"]["mean"] == pytest.approx(BIAS, abs=0.01)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "holds no electrode", id="empty"),
        pytest.param("porosity\n0.3", "has no column 'calendering.pressure', which 'toy' varies", id="no variable"),
        pytest.param(f"{HEAD},beauty\n50,0.95,0.3,0.01,9", "has the column 'beauty', but 'toy' knows", id="unknown"),
        pytest.param(
            "calendering.pressure,formulation.active_material\n50,0.95", "has no property, but one of", id="no property"
        ),
        pytest.param(f"{HEAD}\n50,0.95,thirty,", "row 1: porosity is 'thirty', but a number was due", id="word"),
        pytest.param(f"{HEAD}\n50,0.95,30,", "row 1: porosity is 30, but is a fraction, at most 1", id="percent"),
        pytest.param(f"{HEAD}\n50,0.95,0.3,0", "porosity.sd is 0, but a positive number was due", id="no spread"),
        pytest.param(f"{HEAD}\n50,0.95,0.3,\n900,0.95,0.3,", "row 2: calendering.pressure is 900.0, but", id="outside"),
    ],
)
def test_a_wrong_table_is_refused_in_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "measured.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_measured(path, toys.plan())


def test_too_few_simulations_and_an_unknown_study_are_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    made(home, start=3)
    measured = table(tmp_path / "measured.csv", (20, 0.93))
    with pytest.raises(InputError, match="'toy' has 3 simulated electrodes, but 4 were due"):
        tell(home, "toy", measured)
    with pytest.raises(InputError, match="there is no study 'toys'"):
        tell(home, "toys", measured)
