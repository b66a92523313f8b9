"""Studies that average over what a calibration left open."""

from __future__ import annotations

from pathlib import Path

import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments.draws import Draws
from mesoforge.experiments.study import Plan, Study

NAMES = "force_field.adhesion,force_field.friction"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def plan(folder: Path, text: str) -> Plan:
    written(folder / "posterior.csv", text)
    return Plan(Study.from_mapping({**toys.STUDY, "average_over": "posterior.csv"}), "optimize", folder)


def test_each_simulation_has_the_draw_of_its_seed(tmp_path: Path) -> None:
    rows = [f"{200 + place},{0.1 + place / 1000}" for place in range(40)]
    study = plan(tmp_path, "\n".join([NAMES, *rows]))
    values = {"calendering.pressure": 60.0, "formulation.active_material": 0.95}
    recipes = [study.recipe_at(dict(values), seed) for seed in range(200)]
    adhesions = [recipe.force_field.adhesion for recipe in recipes]
    assert adhesions == [study.recipe_at(dict(values), seed).force_field.adhesion for seed in range(200)]
    assert len(set(adhesions)) > 30
    assert all(
        recipe.force_field.friction == pytest.approx(0.1 + (recipe.force_field.adhesion - 200) / 1000)
        for recipe in recipes
    )
    assert {recipe.calendering.pressure for recipe in recipes} == {60.0}


def test_other_draws_are_another_problem(tmp_path: Path) -> None:
    first = plan(tmp_path, f"{NAMES}\n200,0.1\n210,0.2").problem.definition()
    second = plan(tmp_path, f"{NAMES}\n200,0.1\n210,0.3").problem.definition()
    assert first != second
    assert "average_over" not in toys.plan().problem.context


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "as draws of a posterior", id="empty"),
        pytest.param(f"{NAMES}\n200,high", "as draws of a posterior", id="words"),
        pytest.param(f"{NAMES}\n200,0.1", "holds 1 draws, but 2 rows", id="one"),
        pytest.param(f"{NAMES}\n200,0.1\nnan,0.1", "rows of finite numbers", id="nan"),
        pytest.param("volume.side\n15\n16", "average over parameters of nature alone", id="manufacturer's"),
        pytest.param("force_field.friction\n0.1\n99", "which no recipe allows", id="out of range"),
    ],
)
def test_wrong_draws_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        plan(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv"):
        Draws.read(tmp_path / "absent.csv")
