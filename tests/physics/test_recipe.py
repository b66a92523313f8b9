"""What a recipe refuses, in which words, and what it promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mesoforge.errors import InputError
from mesoforge.physics.balance import balance
from mesoforge.physics.materials import Material, shipped
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.record import read_yaml

DENSE = {"name": "mine", "density": 5.0}

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "fractions_above_one": (
        {"formulation": {"active_material": 0.96, "carbon": 0.12, "binder": 0.12}},
        "formulation: active_material + carbon + binder is 1.2 but must be 1: correct one of the three fractions.",
    ),
    "one_fraction_above_one": (
        {"formulation": {"active_material": 1.4}},
        "'formulation.active_material' is 1.4 but must be less than 1: correct it.",
    ),
    "no_additives": (
        {"formulation": {"active_material": 0.9995, "carbon": 0.0005, "binder": 0.0}},
        "formulation: carbon + binder is below 0.001 but a carbon-binder domain is due: lower active_material.",
    ),
    "compression_of_1.2": (
        {"calendering": {"compression": 1.2}},
        "'calendering.compression' is 1.2 but must be less than 0.7: correct it.",
    ),
    "two_drives": (
        {"calendering": {"pressure": 100, "gap": 30}},
        "calendering: pressure and gap are given but exactly one of them may drive the calender: keep one.",
    ),
    "unknown_key": (
        {"slurry": {"presure": 0.1}},
        "'slurry.presure' is not a known key: use one of pressure, tolerance, or remove it.",
    ),
    "unknown_section": (
        {"coating": {}},
        (
            "'coating' is not a known key: use one of formulation, materials, particles, shapes, volume, slurry, "
            "drying, calendering, force_field, numerics, seed, or remove it."
        ),
    ),
    "volume_without_particle": (
        {"volume": {"side": 4}},
        (
            "volume.side is 4 um and holds particles up to 1.6 um, but the smallest particle is 2 um: "
            "raise volume.side to "
            "5 um or more."
        ),
    ),
    "volume_without_mass": (
        {"volume": {"side": 6, "mass_loading": 0.21}, "particles": {"min_diameter": 2.4, "primary_diameter": 2.4}},
        (
            "volume.mass_loading is 0.21 mg/cm2, less active material than one smallest particle needs: raise it to "
            "0.376 mg/cm2 or more, or volume.side."
        ),
    ),
    "start_box_too_small_for_the_slurry": (
        {"volume": {"start_box": [20, 20, 40]}},
        (
            "volume.start_box is 20 x 20 x 40 um but must hold 18384 um3, 1.5 times the slurry's volume, and have "
            "edges of 18 um or more: enlarge it, or leave it out."
        ),
    ),
    "start_box_too_narrow_for_a_particle": (
        {"volume": {"start_box": [10, 80, 120]}},
        (
            "volume.start_box is 10 x 80 x 120 um but must hold 18384 um3, 1.5 times the slurry's volume, and have "
            "edges of 18 um or more: enlarge it, or leave it out."
        ),
    ),
    "beads_bigger_than_particles": (
        {"particles": {"primary_diameter": 3}},
        (
            "particles: min_diameter is 2 but must be at least the primary_diameter of 3: raise it, or "
            "choose smaller beads."
        ),
    ),
    "sizes_upside_down": (
        {"particles": {"min_diameter": 5, "max_diameter": 4}},
        "particles: min_diameter is 5 and max_diameter 4 but the first must be smaller: correct one of them.",
    ),
    "unknown_material": (
        {"materials": {"active": "unobtainium"}},
        (
            "materials.active: 'unobtainium' is no shipped material: use one of carbon_black, graphite, "
            "nmc111, nmp, pvdf, "
            "water, or write its record."
        ),
    ),
    "material_in_the_wrong_role": (
        {"materials": {"active": "pvdf"}},
        "materials: 'active' is PVdF, whose role is additive, but active is due: choose another.",
    ),
    "material_without_density": (
        {"materials": {"binder": {"name": "glue"}}},
        "'materials.binder.density' is missing: add it.",
    ),
    "unknown_property_of_a_material": (
        {"materials": {"active": DENSE | {"colour": "black"}}},
        (
            "'materials.active.colour' is not a known key: use one of name, density, role, "
            "young_modulus, poisson_ratio, "
            "hardness, capacity, source, or remove it."
        ),
    ),
    "active_material_without_modulus": (
        {"materials": {"active": DENSE}},
        "materials.active (mine) has no young_modulus but the process needs it: add it.",
    ),
    "not_a_number": (
        {"seed": "many"},
        "'seed' is 'many' but must be a whole number: correct it.",
    ),
    "not_finite": (
        {"drying": {"pressure": float("nan")}},
        "'drying.pressure' is nan but must be a finite number: correct it.",
    ),
}


@pytest.mark.parametrize(("values", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_recipe_is_refused_in_one_sentence(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        Recipe.from_mapping(values)
    assert str(error.value) == words


FILES = {
    "missing": (None, "cannot read '{path}' (No such file or directory): give the path of a YAML file."),
    "not_yaml": (b"volume: [1,\nslurry: 2", "'{path}' is not valid YAML at line 2: correct its syntax."),
    "a_list": (b"- 1\n- 2\n", "'{path}' holds a list but must hold 'key: value' lines: see examples/."),
    "binary": (b"\xff\xfe\x00\x01", "cannot read '{path}' (not a text file): give the path of a YAML file."),
    "wrong_inside": (b"seed: -1\n", "{path}: 'seed' is -1 but must be greater than or equal to 0: correct it."),
}


@pytest.mark.parametrize(("content", "words"), FILES.values(), ids=FILES)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "recipe.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_recipe(path)
    assert str(error.value) == words.format(path=path)


def test_what_a_file_leaves_out_has_its_default(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("", encoding="utf-8")
    assert load_recipe(path) == Recipe()
    path.write_text("drying:\n  pressure: 0.2\n", encoding="utf-8")
    assert load_recipe(path) == Recipe().with_values({"drying.pressure": 0.2})


NO_INPUTS = {
    "unknown_setting": (
        {"slurry.presure": 1},
        "'slurry.presure' is not an input of a recipe: use one of pressure, tolerance in place of 'presure'.",
    ),
    "unknown_section": (
        {"nowhere.to.go": 1},
        "'nowhere.to.go' is not an input of a recipe: use a dotted name such as calendering.pressure.",
    ),
    "out_of_range": (
        {"formulation.active_material": 1.1},
        "'formulation.active_material' is 1.1 but must be less than 1: correct it.",
    ),
    "two_drives": (
        {"calendering.gap": 20, "calendering.compression": 0.2},
        "calendering: compression and gap are given but exactly one of them may drive the calender: keep one.",
    ),
    "no_number": (
        {"formulation.active_material": "most"},
        "'formulation.active_material' is 'most' but must be a number: correct it.",
    ),
}


@pytest.mark.parametrize(("values", "words"), NO_INPUTS.values(), ids=NO_INPUTS)
def test_values_that_fit_no_recipe_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        Recipe().with_values(values)
    assert str(error.value) == words


@pytest.mark.parametrize("active", [0.5, 0.9, 0.94, 0.985])
def test_more_active_material_keeps_the_ratio_of_carbon_to_binder(active: float) -> None:
    base = Recipe.from_mapping({"formulation": {"active_material": 0.95, "carbon": 0.03, "binder": 0.02}})
    changed = base.with_values({"formulation.active_material": active}).formulation
    assert changed.active_material == active
    assert changed.carbon / changed.binder == pytest.approx(1.5)
    assert changed.active_material + changed.carbon + changed.binder == pytest.approx(1)


@pytest.mark.parametrize(("drive", "value"), [("compression", 0.3), ("pressure", 50.0), ("gap", 25.0)])
def test_choosing_a_drive_unsets_the_others(drive: str, value: float) -> None:
    for before in ({"calendering.compression": 0.1}, {"calendering.pressure": 9.0}, {"calendering.gap": 40.0}):
        changed = Recipe().with_values(before).with_values({f"calendering.{drive}": value}).calendering
        assert changed.drive == drive
        assert getattr(changed, drive) == value


def test_a_calender_without_a_drive_presses_with_a_pressure() -> None:
    assert Recipe.from_mapping({"calendering": {"stiffness": 5}}).calendering.drive == "pressure"


def test_a_recipe_survives_the_way_to_a_flat_table_and_back() -> None:
    values = {"formulation.active_material": 0.93, "calendering.gap": 20.0, "seed": 9, "materials.active": "graphite"}
    recipe = Recipe().with_values(values)
    flat = recipe.flat()
    assert {type(value) for value in flat.values()} == {bool, float, int, str}
    assert Recipe().with_values(flat) == recipe
    assert flat["materials.active"] == "graphite"


def test_nothing_changes_a_recipe() -> None:
    recipe = Recipe()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(recipe, "seed", 2)  # noqa: B010 - mypy knows it is frozen, pydantic has to
    with pytest.raises(ValidationError, match="frozen"):
        setattr(recipe.slurry, "pressure", 2.0)  # noqa: B010 - as above
    recipe.with_values({"seed": 5, "slurry.pressure": 2.0})
    assert recipe == Recipe()


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_material_is_a_record_with_a_role_and_a_source(name: str) -> None:
    place = {"active": "active", "additive": "binder", "solvent": "solvent"}
    record = Material.from_mapping(read_yaml(shipped()[name]))
    assert record.role is not None
    assert record.source != "given in the recipe"
    assert (
        getattr(Recipe.from_mapping({"materials": {place[record.role]: name}}).materials, place[record.role]) == record
    )


def test_a_recipe_may_bring_its_own_material() -> None:
    own = DENSE | {"young_modulus": 90.0, "capacity": 200.0}
    assert Recipe.from_mapping({"materials": {"active": own}}).materials.active.density == 5.0


def test_a_small_volume_cuts_the_sizes_and_a_large_one_does_not() -> None:
    assert Recipe().with_values({"volume.side": 20}).largest_diameter == 8.0
    assert Recipe().with_values({"volume.side": 50}).largest_diameter == Recipe().particles.max_diameter


PAPER = {"paper_96.yaml": (10330, 3877), "paper_94.yaml": (9494, 5458)}


@pytest.mark.parametrize(("file", "beads"), PAPER.items(), ids=PAPER)
def test_the_paper_s_electrodes_have_its_beads_in_its_box_and_end_at_the_recipe_s_side(
    file: str, beads: tuple[int, int]
) -> None:
    recipe = load_recipe(Path(__file__).resolve().parents[2] / "examples" / file)
    amounts = balance(recipe)
    assert (amounts.active_beads, amounts.cbd_beads) == beads
    assert recipe.flat()["volume.start_box"] == "80.0 x 80.0 x 120.0"
    assert amounts.cbd_bead_mass / amounts.cbd_bead_volume == pytest.approx(0.95, rel=1e-3)
    assert recipe.foretold_edges[0] == pytest.approx(recipe.volume.side, rel=1e-3)
    assert recipe.slurry_volume == pytest.approx(amounts.additive_slurry_volume, rel=1e-3)
    assert recipe.with_values({"seed": 2}).volume == recipe.volume
