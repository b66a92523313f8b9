"""The names that notebooks import: few, typed, light until used; their examples run, their pictures in words hold."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from mesoforge.physics import Electrode, Properties, Recipe
from mesoforge.physics.microstructure.quantity import Property, quantity

ROOMS = ("physics", "surrogate", "optimize", "experiments")
MOST = 12
SHOWN = [f"mesoforge.{room}" for room in ROOMS]


@pytest.mark.parametrize("name", SHOWN)
def test_the_examples_in_a_rooms_docstring_run(name: str) -> None:
    module = importlib.import_module(name)
    found = doctest.testmod(module)
    assert found.attempted > 1
    assert found.failed == 0


@pytest.mark.parametrize("name", SHOWN)
def test_a_room_offers_a_handful_of_names_and_each_is_there(name: str) -> None:
    module = importlib.import_module(name)
    assert 1 <= len(module.__all__) <= MOST
    assert [getattr(module, one).__name__ for one in module.__all__] == module.__all__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing


def test_the_function_is_found_before_and_after_the_module_of_its_name_is_loaded() -> None:
    script = (
        "import sys; import mesoforge.physics; assert 'numba' not in sys.modules\n"
        "from mesoforge.physics import manufacture; assert callable(manufacture), manufacture\n"
        "from mesoforge.physics.manufacture import STAGES\n"
        "from mesoforge.physics import manufacture as again; assert again is manufacture\n"
    )
    came = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert came.returncode == 0, came.stderr


def test_a_recipe_is_written_as_what_makes_it_again() -> None:
    recipe = Recipe().with_values({"calendering.gap": 15.0, "seed": 7})
    assert repr(Recipe()) == "Recipe()"
    assert eval(repr(recipe), {"Recipe": Recipe}) == recipe  # noqa: S307 - our own text
    assert "<td style='text-align:left'>calendering.gap</td>" in recipe._repr_html_()


def test_an_electrode_and_its_properties_show_numbers_with_units() -> None:
    electrode = Electrode(
        Recipe(), {"porosity": 0.31234, "thickness": 40.0}, {}, {}, 1.0, "3f9a2c" + "0" * 58, ("a < b",)
    )
    assert repr(electrode) == "Electrode 3f9a2c000000: porosity 0.3123, thickness 40"
    assert "<p>a &lt; b</p>" in electrode._repr_html_()
    found = Properties(
        {name: quantity(name, Property("um", "so long"), v) for name, v in (("a", 1.23456), ("b", "none"))}
    )
    assert repr(found) == "Properties of 2: a 1.235 um"
    assert "<td style='text-align:left'>none</td>" in found._repr_html_()


def test_a_store_may_be_given_by_its_folder(tmp_path: Path) -> None:
    from mesoforge.errors import InputError
    from mesoforge.physics import manufacture

    (tmp_path / "something").touch()
    with pytest.raises(InputError, match="is not empty and no mesoforge store"):
        manufacture(Recipe(), str(tmp_path))
