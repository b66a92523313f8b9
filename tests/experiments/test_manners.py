"""Files and installation: what is typically wrong in a study is told with its line, and what a study costs before."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import toys
import yaml

from mesoforge.experiments.cli import status_of
from mesoforge.experiments.cost import CORE_S_PER_BEAD, beads, make_cost, study_cost
from mesoforge.experiments.home import Home
from mesoforge.experiments.schema import SCHEMAS, inputs
from mesoforge.experiments.starting import starter
from mesoforge.experiments.study import Study, load_study
from mesoforge.experiments.validating import known_names, mistakes
from mesoforge.optimize.journal import Journal
from mesoforge.physics.manufacture import STAGES
from mesoforge.physics.recipe import Recipe

GOOD = """\
name: mine
recipe:
  volume: {side: 16, mass_loading: 5}
variables:
  formulation.active_material: {low: 0.92, high: 0.97}
  calendering.pressure: {low: 10, high: 200, scale: log}
objectives:
  porosity: {match: 0.30, tolerance: 0.01}
  tortuosity_factor_z: minimize
budget: {start: 6, proposed: 6, confirmations: 2}
seed: 1
"""
REACH = "the variables reach 'calendering.presure' 10, which no recipe allows: 'calendering.presure' is not an input"
TYPICAL = [
    ("misspelt variable", "calendering.pressure:", "calendering.presure:",
     f"6: {REACH} of a recipe: did you mean 'calendering.pressure'?"),
    ("variable without its section", "calendering.pressure:", "pressure:",
     ("6: the variables reach 'pressure' 10, which no recipe allows: 'pressure' is not an input of a recipe: did you "
     "mean 'calendering.pressure' or 'drying.pressure' or 'slurry.pressure'?")),
    ("misspelt property", "  porosity: {m", "  porosty: {m",
     "8: objective 'porosty' is not a property: did you mean 'porosity'?"),
    ("misspelt key", "objectives:", "objective:", "7: 'objective' is not a known key: did you mean 'objectives'?"),
    ("misspelt section of the recipe", "  volume:", "  volum:",
     "3: recipe: 'volum' is not a known key: did you mean 'volume'?"),
    ("misspelt input of the recipe", "{side: 16", "{sid: 16",
     "3: recipe: 'volume.sid' is not a known key: did you mean 'volume.side'?"),
    ("number with an exponent", "high: 200", "high: 2e2",
     ("6: calendering.pressure has high '2e2', but a number was due: write one. YAML takes 2e2 for a word: write "
     "2.0e+02.")),
    ("number with a unit", "low: 10,", "low: 10 MPa,",
     ("6: calendering.pressure has low '10 MPa', but a number was due: write one. The unit is fixed ('mesoforge "
     "recipe' has it): write the number alone, not 10 MPa.")),
    ("bounds the wrong way round", "low: 10, high: 200", "low: 200, high: 10",
     "6: calendering.pressure goes from 200.0 to 10.0, but low < high was due: give finite bounds in order"),
    ("log scale from nothing", "low: 10,", "low: 0,",
     "6: calendering.pressure has a log scale from 0.0, but a positive low was due: raise it or use linear"),
    ("percent for a mass fraction", "high: 0.97", "high: 97",
     ("5: the variables reach 'formulation.active_material' 97, which no recipe allows: 'formulation.active_material' "
     "is 97.0 but must be less than 1: correct it.")),
    ("percent for a target", "match: 0.30", "match: 30",
     ("8: objective 'porosity' is to match 30 but is a fraction, at most 1: write 0.3 for 30 %, and the tolerance "
     "likewise.")),
    ("target without tolerance", ", tolerance: 0.01", "",
     "8: porosity is to be matched, but no target with a tolerance above 0 came: give both"),
    ("British goal", "z: minimize", "z: minimise",
     "9: tortuosity_factor_z has the goal 'minimise': did you mean 'minimize'?"),
    ("misspelt part of the budget", "start: 6", "strat: 6",
     "10: budget: 'strat' is not known: did you mean 'start'?"),
    ("word for a number", "start: 6", "start: six",
     "10: 'budget.start' is 'six' but must be a whole number: correct it."),
    ("key twice", "seed: 1", "seed: 1\nseed: 2", "12: 'seed' stands here and at line 11: keep one of them."),
    ("tab", "  volume:", "\tvolume:", "3: this is not valid YAML: a tab stands here: indent with spaces."),
    ("brace left open", "high: 0.97}", "high: 0.97",
     "6: this is not valid YAML: expected ',' or '}', but got ':'."),
    ("misspelt strategy", "seed: 1", "strategy: botorsh", "11: the strategy is 'botorsh': did you mean 'botorch'?"),
    ("list for bounds", "calendering.pressure: {low: 10, high: 200, scale: log}", "calendering.pressure: [10, 200]",
     ("6: 'variables.calendering.pressure' is [10, 200] but must be names with values, as in {name: value}: correct "
     "it.")),
    ("spaces in the name", "name: mine", "name: my study",
     ("1: The study's name came as 'my study': use up to 100 letters, digits, '.', '_' and '-', a letter or digit "
     "first, and not 'Default', which MLflow keeps for itself.")),
    ("material that is not shipped", "mass_loading: 5}", "mass_loading: 5}\n  materials: {active: nmc811}",
     "4: recipe: materials.active: 'nmc811' is no shipped material: did you mean 'nmc111'?"),
    ("recipe's key at the top", "seed: 1", "force_field: nmc111",
     "11: 'force_field' belongs to the recipe: put it below 'recipe:'."),
    ("nature as a variable", "calendering.pressure: {low: 10", "force_field.friction: {low: 0.1",
     ("6: 'force_field.friction' is no manufacturing parameter and cannot be optimized: use 'mesoforge sample' to vary "
     "it.")),
    ("two drives of the calender", "mass_loading: 5}", "mass_loading: 5}\n  calendering: {pressure: 50, gap: 20}",
     "4: recipe: calendering: pressure and gap are given but exactly one of them may drive the calender: keep one."),
]  # fmt: skip


def written(folder: Path, text: str, name: str = "study.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("old", "new", "due"), [pytest.param(*row[1:], id=row[0]) for row in TYPICAL])
def test_a_typical_mistake_is_told_with_its_line(old: str, new: str, due: str, tmp_path: Path) -> None:
    assert GOOD.count(old) >= 1
    (found,) = mistakes(written(tmp_path, GOOD.replace(old, new, 1)))
    assert f"{found.line}: {found.message}" == due


def test_a_study_without_mistake_has_none(tmp_path: Path) -> None:
    assert mistakes(written(tmp_path, GOOD)) == []


def test_one_mistake_does_not_hide_the_next(tmp_path: Path) -> None:
    text = GOOD.replace("side: 16", "sid: 16").replace("low: 0.92", "low: 0.99").replace("z: minimize", "z: least")
    assert [one.line for one in mistakes(written(tmp_path, text))] == [3, 5, 9]


def test_validate_is_status_2_with_lines_that_editors_follow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, GOOD.replace("objectives:", "objective:"))
    assert status_of(["validate", str(path), "--as", "optimize"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"Error: one mistake in {path}\n{path}:7: 'objective' is not a known key")
    assert status_of(["validate", str(written(tmp_path, GOOD))]) == 0


def test_optimize_tells_the_line_too_and_validate_misses_a_missing_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, GOOD.replace("start: 6", "strat: 6"))
    assert status_of(["optimize", str(path), "--home", str(tmp_path / "home")]) == 2
    assert capsys.readouterr().err == f"Error: {path}:10: budget: 'strat' is not known: did you mean 'start'?\n"
    assert status_of(["validate", "away.yaml"]) == 2
    assert "cannot read 'away.yaml'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["study", "sample", "recipe"])
def test_what_init_writes_is_valid_and_is_not_written_over(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    assert status_of(["init", kind, "-o", str(path)]) == 0
    assert mistakes(path) == []
    assert status_of(["init", kind, "-o", str(path)]) == 2
    assert "is there already: give another name, or --force" in capsys.readouterr().err
    assert status_of(["init", kind, "-o", str(path), "--force"]) == 0


def test_the_study_to_begin_with_shows_every_key() -> None:
    text = starter("study", Path("mine.yaml"))
    shown = re.findall(r"^(?:# )?(\w+):", text, flags=re.MULTILINE)
    assert sorted(shown) == sorted(set(Study.model_fields) - {"design", "points", "seeds"})
    assert set(yaml.safe_load(text)) < set(Study.model_fields)


@pytest.mark.parametrize("other", ["# reuse", "# fidelity"])
def test_what_the_study_to_begin_with_has_in_comments_is_valid_too(tmp_path: Path, other: str) -> None:
    lines = starter("study", Path("mine.yaml")).splitlines()
    begins = next(place for place, line in enumerate(lines) if line.startswith("# constraints:"))
    left_out = ("# average_over", "# repeat", other)  # of both one alone may be said
    bare = [line.removeprefix("# ").removeprefix("#") for line in lines[begins:] if not line.startswith(left_out)]
    path = tmp_path / "mine.yaml"
    path.write_text("\n".join([*lines[:begins], *bare]), encoding="utf-8")
    assert "derived" in yaml.safe_load(path.read_text(encoding="utf-8"))
    assert mistakes(path) == []


def test_schemas_name_what_files_may_hold() -> None:
    study = SCHEMAS["study"]()
    assert set(study["properties"]) == set(Study.model_fields)
    assert set(yaml.safe_load(GOOD)["variables"]) <= set(study["properties"]["variables"]["properties"])
    assert set(inputs()) <= known_names()
    assert "nmc111" in study["$defs"]["Materials"]["properties"]["active"]["anyOf"][0]["enum"]
    references = {word for word in json.dumps(study).split('"') if word.startswith("#/$defs/")}
    assert {word.removeprefix("#/$defs/") for word in references} <= set(study["$defs"])


def test_a_dry_run_costs_what_beads_cost_and_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    assert status_of(["make", "--dry-run", "--json", "--home", str(home)]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["missing"] == list(STAGES)
    assert value["core_hours"] == pytest.approx(CORE_S_PER_BEAD * beads(Recipe()) / 3600)
    path = written(tmp_path, GOOD)
    assert status_of(["optimize", str(path), "--dry-run", "--home", str(home)]) == 0
    assert capsys.readouterr().out.startswith("Simulations: 14, 17")
    assert not home.exists()


def test_a_study_costs_what_like_electrodes_cost_here(tmp_path: Path) -> None:
    plan, home = load_study(written(tmp_path, GOOD), "optimize", {}), Home(tmp_path / "home")
    journal = Journal(home.journal("mine"))
    for wall in (30.0, 40.0, 90.0):
        journal.append({"event": "tell", "wall_s": wall})
    kept: dict[str, Any] = plan.study.model_dump(mode="json") | {"recipe": plan.base.model_dump(mode="json")}
    written(home.study("mine"), yaml.safe_dump(kept))
    cost = study_cost(plan, home)
    assert (cost["simulations"], cost["done"]) == (11, 3)
    assert cost["core_hours"] == pytest.approx(11 * 40 / 3600)
    larger = make_cost(Recipe().with_values({"volume.side": 36.0}), home)
    assert "documented" in larger["basis"]


def test_the_doctor_finds_lammps_and_says_what_is_wrong_with_a_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").mkdir()
    written(tmp_path / "store", "{}", "store.json")
    assert status_of(["doctor", "--json", "--home", str(tmp_path)]) == 1
    checks = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["LAMMPS"]["state"] == "good"
    assert checks["store"]["state"] == "wrong"
    assert "its format is unreadable" in checks["store"]["found"]
    assert checks["MLflow"]["state"] == "good"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_learns_to_complete(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["completion", shell]) == 0
    assert "_MESOFORGE_COMPLETE" in capsys.readouterr().out


def test_verbs_are_completed() -> None:
    ask = "from mesoforge.experiments.cli import main; main()"
    words = {"_MESOFORGE_COMPLETE": "bash_complete", "COMP_WORDS": "mesoforge va", "COMP_CWORD": "1"}
    came = subprocess.run(
        [sys.executable, "-c", ask], env=os.environ | words, capture_output=True, text=True, timeout=60
    )
    assert came.stdout.split() == ["plain,validate"]


def test_toys_are_a_valid_study(tmp_path: Path) -> None:
    assert mistakes(written(tmp_path, yaml.safe_dump(toys.STUDY))) == []
