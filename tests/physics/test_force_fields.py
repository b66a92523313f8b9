"""Force fields as files: a value, its unit, what it rests on, and how a recipe takes it."""

from __future__ import annotations

import importlib.util
import math
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mesoforge.errors import InputError
from mesoforge.physics.force_fields import (
    DEFAULT,
    GIVEN,
    PARAMETERS,
    ForceField,
    allowed,
    fitted,
    load_force_field,
    shipped,
    table,
    unit,
    write_force_field,
)
from mesoforge.physics.manufacture import identity, notes
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.record import read_yaml

ENTRY = {"value": 120.0, "unit": "mJ/m2", "basis": "measured", "source": "a peel test"}
RUBBED = {"value": 0.4, "unit": 1, "basis": "measured", "source": "a shear test"}
DEFAULT_VALUES = {
    "slurry_bead_factor": 0.78,
    "slurry_well_depth": 500.0,
    "slurry_drag": 100.0,
    "cbd_modulus": 2.0,
    "cbd_thermal_softening": 0.01,
    "cbd_wet_modulus": 2.0,
    "wet_friction": 0.5,
    "wet_adhesion": 10.0,
    "gel_memory": 0.4,
    "friction": 0.27,
    "adhesion": 2000.0,
    "plasticity": 0.9,
    "particle_strength": 500.0,
}
"""Given again here: who changes a default means to, and renames what was made with it."""


def keep(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def values(field: ForceField) -> dict[str, float]:
    return {name: getattr(field, name) for name in PARAMETERS}


def test_the_default_has_the_values_that_electrodes_were_made_with() -> None:
    assert values(Recipe().force_field) == DEFAULT_VALUES
    assert set(PARAMETERS) == set(DEFAULT_VALUES)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_force_field_says_of_every_value_its_unit_and_what_it_rests_on(name: str) -> None:
    content, field = read_yaml(shipped()[name]), load_force_field(name)
    assert field.name == name
    for parameter in PARAMETERS:
        assert content[parameter]["unit"] == unit(parameter)
        basis = field.basis_of(parameter)
        assert basis is not None, parameter
        assert len(basis.source) > 10
    assert Recipe.from_mapping({"force_field": name}).force_field == field


def test_a_name_a_path_and_a_mapping_give_the_same_force_field(tmp_path: Path) -> None:
    path = keep(tmp_path / "soft.yaml", {"base": DEFAULT, "adhesion": ENTRY, "friction": 0.2})
    by_path = Recipe.from_mapping({"force_field": str(path)}).force_field
    by_name_and_values = Recipe.from_mapping(
        {"force_field": {"base": DEFAULT, "name": "soft", "adhesion": ENTRY, "friction": 0.2}}
    ).force_field
    assert by_path == by_name_and_values
    assert values(by_path) == DEFAULT_VALUES | {"adhesion": 120.0, "friction": 0.2}
    assert by_path.name == "soft"
    changed = Recipe.from_mapping({"force_field": {"base": str(path), "friction": 0.27}}).force_field
    assert values(changed) == DEFAULT_VALUES | {"adhesion": 120.0}


def test_a_relative_path_begins_where_the_recipe_lies(tmp_path: Path) -> None:
    keep(tmp_path / "soft.yaml", {"adhesion": 120.0})
    recipe = load_recipe(keep(tmp_path / "recipe.yaml", {"force_field": "soft.yaml"}))
    assert recipe.force_field.adhesion == 120.0
    part = load_recipe(keep(tmp_path / "part.yaml", {"force_field": {"base": "soft.yaml", "friction": 0.3}}))
    assert (part.force_field.adhesion, part.force_field.friction) == (120.0, 0.3)


def test_dotted_names_change_single_values_after_the_force_field_was_named(tmp_path: Path) -> None:
    path = keep(tmp_path / "soft.yaml", {"adhesion": ENTRY, "friction": 0.2})
    for order in ((0, 1), (1, 0)):
        changes = [("force_field", str(path)), ("force_field.friction", 0.4)]
        field = Recipe().with_values(dict(changes[i] for i in order)).force_field
        assert values(field) == DEFAULT_VALUES | {"adhesion": 120.0, "friction": 0.4}


def test_a_value_that_is_changed_no_longer_rests_on_what_the_old_one_did() -> None:
    changed = Recipe().with_values({"force_field.adhesion": 299.0}).force_field
    assert changed.basis_of("adhesion") is None
    assert changed.basis_of("friction") == Recipe().force_field.basis_of("friction")
    assert changed.said("adhesion") == "force_field.adhesion (299 mJ/m2) is given in the recipe"
    back = Recipe().with_values({"force_field.adhesion": 299.0}).with_values({"force_field.adhesion": 2000.0})
    assert back == Recipe()


def test_an_electrode_is_named_by_values_and_not_by_their_basis(tmp_path: Path) -> None:
    other = {name: ENTRY | {"value": value, "unit": unit(name)} for name, value in DEFAULT_VALUES.items()}
    renamed = Recipe().with_values({"force_field": str(keep(tmp_path / "mine.yaml", other | {"note": "all measured"}))})
    assert renamed.force_field != Recipe().force_field
    assert identity(renamed) == identity(Recipe())
    assert renamed.flat() == Recipe().flat()


def test_what_an_electrode_s_notes_say_of_a_value_is_what_it_rests_on() -> None:
    said = " ".join(notes(Recipe()))
    assert "force_field.slurry_bead_factor (0.78) is fitted to two measured slurry densities" in said
    assert "force_field.plasticity (0.9) is assumed (" in said
    measured = " ".join(notes(Recipe.from_mapping({"force_field": {"wet_friction": RUBBED, "plasticity": 0.5}})))
    assert "force_field.wet_friction (0.4) is measured (a shear test)" in measured
    assert "force_field.plasticity (0.5) is given in the recipe" in measured
    imposed = Recipe().with_values({"drying.model": "to_porosity", "drying.porosity": 0.5})
    assert "force_field.wet_friction" not in " ".join(notes(imposed))


def test_a_fitted_force_field_survives_its_file_and_the_way_through_a_recipe(tmp_path: Path) -> None:
    fit = fitted(load_force_field(DEFAULT), {"friction": 0.37}, {"friction": "seven rows"}, "mine", "with k 5")
    path = tmp_path / "mine.yaml"
    write_force_field(fit, path)
    recipe = Recipe.from_mapping({"force_field": str(path)})
    assert values(recipe.force_field) == DEFAULT_VALUES | {"friction": 0.37}
    assert recipe.force_field.said("friction") == "force_field.friction (0.37) is fitted to seven rows"
    assert recipe.force_field.said("adhesion") == Recipe().force_field.said("adhesion")
    assert (recipe.force_field.name, recipe.force_field.note) == ("mine", "with k 5")
    assert Recipe.from_mapping(recipe.model_dump(mode="json")) == recipe
    assert list(tmp_path.iterdir()) == [path]


def test_the_table_has_a_row_for_every_parameter_with_its_value_inside_its_range() -> None:
    rows = table(Recipe().with_values({"force_field.slurry_drag": 50}).force_field)["parameters"]
    assert [row["name"] for row in rows] == list(PARAMETERS)
    assert all(row["least"] <= row["value"] <= row["most"] for row in rows)
    assert {row["name"]: row["basis"] for row in rows}["slurry_drag"] == GIVEN
    assert {row["basis"] for row in rows} == {"fitted", "assumed", GIVEN}
    assert allowed("plasticity") == (0, 1)
    assert (unit("slurry_drag"), unit("friction")) == ("nN us/um", "1")


WRONG: dict[str, tuple[Any, str]] = {
    "unknown_name": (
        "lfp",
        (
            "force_field: 'lfp' is no shipped force field: use one of nmc111, the path of a YAML file, or write its "
            "record."
        ),
    ),
    "missing_file": (
        "away.yaml",
        "force_field: cannot read 'away.yaml' (No such file or directory): give the path of a YAML file.",
    ),
    "value_out_of_range": (
        {"friction": 2},
        "'force_field.friction' is 2 but must be less than or equal to 1: correct it.",
    ),
    "entry_out_of_range": (
        {"adhesion": ENTRY | {"value": -1}},
        "'force_field.adhesion' is -1.0 but must be greater than or equal to 0: correct it.",
    ),
    "another_unit": (
        {"adhesion": ENTRY | {"unit": "J/m2"}},
        "force_field: adhesion: 'unit' is 'J/m2' but must be 'mJ/m2': convert the value.",
    ),
    "no_source": (
        {"adhesion": {"value": 1, "unit": "mJ/m2", "basis": "fitted"}},
        "force_field: adhesion: 'source' is missing: add it.",
    ),
    "another_basis": (
        {"adhesion": ENTRY | {"basis": "guessed"}},
        "force_field: adhesion: 'basis' is 'guessed' but must be 'fitted', 'measured' or 'assumed': correct it.",
    ),
    "unknown_parameter": (
        {"stickiness": 1},
        (
            "'force_field.stickiness' is not a known key: use one of slurry_bead_factor, slurry_well_depth, "
            "slurry_drag, cbd_modulus, cbd_thermal_softening, cbd_wet_modulus, wet_friction, wet_adhesion, gel_memory, "
            "friction, adhesion, plasticity, particle_strength, name, note, basis, or remove it."
        ),
    ),
    "base_that_is_no_name": (
        {"base": 3},
        "force_field: 'base' is 3 but must be a shipped force field: use nmc111.",
    ),
    "basis_that_is_no_list": (
        {"basis": 3, "adhesion": ENTRY},
        "'force_field.basis' is 3 but must be a list, as in [1, 2]: correct it.",
    ),
    "a_number": (3, "'force_field' is 3 but must be names with values, as in {name: value}: correct it."),
}


@pytest.mark.parametrize(("given", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_force_field_is_refused_in_one_sentence(given: object, words: str) -> None:
    with pytest.raises(InputError) as error:
        Recipe.from_mapping({"force_field": given})
    assert str(error.value) == words


FILES: dict[str, tuple[dict[str, Any], str]] = {
    "out_of_range": ({"friction": 2}, "{path}: 'friction' is 2 but must be less than or equal to 1: correct it."),
    "another_unit": (
        {"adhesion": ENTRY | {"unit": "eV"}},
        "{path}: adhesion: 'unit' is 'eV' but must be 'mJ/m2': convert the value.",
    ),
    "base_in_a_file_that_is_no_shipped_one": (
        {"base": "other.yaml"},
        "{path}: 'base' is 'other.yaml' but must be a shipped force field: use nmc111.",
    ),
}


@pytest.mark.parametrize(("content", "words"), FILES.values(), ids=FILES)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, content: dict[str, Any], words: str) -> None:
    path = keep(tmp_path / "mine.yaml", content)
    with pytest.raises(InputError) as error:
        load_force_field(str(path))
    assert str(error.value) == words.format(path=path)


def test_a_fit_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"'plasticity' is 1\.05 but must be less than or equal to 1"):
        fitted(load_force_field(DEFAULT), {"plasticity": 1.05}, {"plasticity": "seven rows"}, "mine", "")


def calibration() -> Any:  # noqa: ANN401 - a script, loaded by its path
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "calibrate_calendering.py"
    spec = importlib.util.spec_from_file_location("calibrate_calendering", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def straight(_: tuple[float, float], numbers: np.ndarray, pressure: float) -> tuple[float, float]:
    """Return porosities under load and after release: friction, adhesion and pressure each change another part."""
    loaded = (
        0.42 - 0.04 * math.log(pressure) + 0.2 * numbers[1] - 0.01 * math.log(numbers[2] / 1000) * math.log(pressure)
    )
    return loaded, loaded + 0.05 * numbers[1] * math.log(pressure) ** 2


def test_a_calibration_finds_the_numbers_that_made_its_data_and_writes_them_for_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, truth = calibration(), np.array([1.5, 0.2, 1500.0])
    monkeypatch.setattr(script, "particle_law", lambda coatings, found: straight)
    blank = [script.Row((0.94, 0.6), gap, 150.0, 0.47, 0.0, f"gap {gap}") for gap in (1.0, 40.0, 60.0, 80.0)]
    rows = [replace(row, after=script.foretold(straight, truth, row)) for row in blank]

    best = script.report(rows, np.random.default_rng(1).uniform(0.2, 0.4, (1, 3, 4, 2, 2, 3)))
    assert best.numbers == pytest.approx(truth, rel=0.03)
    assert best.rmse < 1e-4
    given = Namespace(data=Path("rows.csv"), seeds=2, share=0.8, friction=None, write=tmp_path / "fit.yaml")
    write_force_field(script.force_field(best, rows, given), given.write)
    field = Recipe.from_mapping({"force_field": str(tmp_path / "fit.yaml")}).force_field
    assert (field.friction, field.adhesion, field.plasticity) == pytest.approx((0.2, 1500, 0.8), rel=0.03)
    assert "fitted to released bulk porosity of 4 calendered electrodes (rows.csv), 2 seeds" in field.said("friction")
    assert field.said("friction").endswith("searched from 0.08 to 0.3")
    assert "calendering.stiffness 1.5" in field.note
    assert "| particles |" in capsys.readouterr().out

    held = script.report(rows, np.random.default_rng(1).uniform(0.2, 0.4, (1, 3, 4, 2, 2, 3)), 0.27)
    assert held.numbers[1] == pytest.approx(0.27, abs=2e-6)
    assert held.rmse > 10 * best.rmse, "a friction that did not make the data fits worse"
    field = script.force_field(held, rows, Namespace(**vars(given) | {"friction": 0.27}))
    assert field.said("friction") == "force_field.friction (0.27) is given in the recipe", (
        "as the default's, given here"
    )
    assert "friction given as 0.27" in field.said("adhesion")


def test_a_calibration_gives_each_coating_its_own_law() -> None:
    script, coatings = calibration(), [(0.94, 0.6), (0.96, 0.69)]
    places = np.meshgrid(script.FRICTIONS, script.PRESSURES, script.ADHESIONS, [1, 2], indexing="ij")[:3]
    laws = [np.arange(9) / 10, -np.arange(9) / 20]
    made = [script.terms(*(place.ravel() for place in places)) @ law for law in laws]
    found = np.repeat(np.stack(made).reshape(2, *places[0].shape, 1), 3, axis=-1)
    law = script.particle_law(coatings, found)
    for coating, weights in zip(coatings, laws, strict=True):
        due = (script.terms(*(np.array([one]) for one in (0.2, 50.0, 1000.0))) @ weights)[0]
        assert law(coating, np.array([1.0, 0.2, 1000.0]), 50.0) == pytest.approx((due, due))
    found[1, 1:] = np.nan
    with pytest.raises(SystemExit, match="32 of 48 of one coating"):
        script.particle_law(coatings, found)


def test_a_calibration_says_that_it_ended_at_the_border_of_what_it_searched() -> None:
    assert calibration().searched(0.4, 0.05, 0.4) == "searched from 0.05 to 0.4, found at the border"
