"""Laws of drying: what its models have in common, and what sets each apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from making import small

from mesoforge.errors import InputError
from mesoforge.physics.balance import as_dried, balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.contact import drying_law
from mesoforge.physics.drying.migration import FASTEST, JOLT, MEMORY, SLOWEST, Film, film, peclet
from mesoforge.physics.drying.models import MODELS, dry, note
from mesoforge.physics.drying.motion import heavy_mass, stable_step
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.manufacture import BEADS, Electrode
from mesoforge.physics.measurement import dried
from mesoforge.physics.recipe import Drying, Recipe

Make = Callable[[Recipe], Electrode]
BASE = small()
IMPOSED = small(drying__model="to_porosity", drying__porosity=0.52)
MIGRATING = small(drying__model="migration", drying__rate=20.0)


def test_the_registry_has_the_models_that_a_recipe_may_name() -> None:
    assert set(MODELS) == set(get_args(Drying.model_fields["model"].annotation))


@pytest.fixture(scope="session")
def wet(make: Make) -> Beads:
    return Beads.load(make(BASE).stages["slurry"] / BEADS)


@pytest.mark.parametrize("recipe", [BASE, IMPOSED, MIGRATING], ids=MODELS)
def test_every_model_keeps_every_bead_and_rests_in_balance(wet: Beads, recipe: Recipe, tmp_path: Path) -> None:
    found = dry(wet, recipe, tmp_path)
    np.testing.assert_array_equal(found.beads.kind, wet.kind)
    np.testing.assert_array_equal(found.beads.particle, wet.particle)
    assert found.beads.box[:2] == pytest.approx(wet.box[:2])
    assert (found.beads.position[:, 2] > 0).all()
    assert (found.beads.position[:, 2] < found.beads.thickness).all()
    top, low = found.curve.pressure[-10:].mean(), found.curve.collector_pressure[-10:].mean()
    assert low == pytest.approx(top, rel=0.05, abs=0.005)


def test_an_imposed_porosity_is_reached_exactly(wet: Beads, tmp_path: Path) -> None:
    found = dry(wet, IMPOSED, tmp_path)
    assert balance(IMPOSED).porosity(found.beads.volume) == pytest.approx(0.52)
    assert found.curve.height[-1] == pytest.approx(found.beads.thickness, abs=1e-4)


def test_a_porosity_above_the_slurry_s_is_a_failure(wet: Beads, tmp_path: Path) -> None:
    with pytest.raises(PhysicsError, match=r"drying.porosity of 0.88 asks for a thickness of .* um, but the slurry is"):
        dry(wet, IMPOSED.with_values({"drying.porosity": 0.88}), tmp_path)


def test_more_capillary_pressure_draws_closer_together(wet: Beads, tmp_path: Path) -> None:
    heights = []
    for pressure in (0.05, 0.5):
        (tmp_path / str(pressure)).mkdir()
        found = dry(wet, BASE.with_values({"drying.pressure": pressure}), tmp_path / str(pressure))
        heights.append(found.beads.thickness)
    assert heights[1] < heights[0]


def test_a_thin_slurry_s_cbd_stays_looser_to_the_end(make: Make) -> None:
    thin = small(formulation__solids_content=0.62)
    made = make(thin)
    loose = as_dried(thin).drying
    assert loose.cbd_nanoporosity > 0.51
    assert made.properties["cbd_nanoporosity"] == pytest.approx(loose.cbd_nanoporosity)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "imposed_without_porosity": (
        {"model": "to_porosity"},
        "drying: porosity is missing but the model to_porosity needs it: add it.",
    ),
    "migration_without_rate": (
        {"model": "migration"},
        "drying: rate is missing but the model migration needs it: add it.",
    ),
    "porosity_for_another_model": (
        {"porosity": 0.5},
        (
            "drying: porosity is 0.5 but only the model to_porosity reads it, and the model is capillary: leave it "
            "out, or choose to_porosity."
        ),
    ),
    "rate_for_another_model": (
        {"model": "to_porosity", "porosity": 0.5, "rate": 1.0},
        (
            "drying: rate is 1 but only the model migration reads it, and the model is to_porosity: leave it out, or "
            "choose migration."
        ),
    ),
}


@pytest.mark.parametrize(("values", "words"), WRONG.values(), ids=WRONG)
def test_an_input_of_another_model_is_refused_in_one_sentence(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        Recipe.from_mapping({"drying": values})
    assert str(error.value) == words


def test_what_was_imposed_is_said_to_be_imposed() -> None:
    assert note(IMPOSED) == "Drying: thickness and porosity are imposed by drying.porosity, not predicted."
    assert "predicted" in note(BASE)
    assert "fitted" in note(BASE)


def test_the_time_step_grows_with_the_inertia_and_shrinks_with_the_adhesion() -> None:
    def longest(mass: float, **values: float) -> float:
        hard = {"cbd_wet_modulus": 50.0, "wet_adhesion": 300.0} | values
        recipe = BASE.with_values({f"force_field.{name}": value for name, value in hard.items()})
        return stable_step(recipe, drying_law(recipe), mass)

    mass = heavy_mass(BASE)
    assert longest(mass / 4) < longest(mass)
    assert longest(mass, wet_adhesion=1000.0) < longest(mass, wet_adhesion=100.0)


def test_the_peclet_number_is_speed_times_thickness_over_diffusivity() -> None:
    recipe = MIGRATING.with_values({"drying.wet_thickness": 120.0, "drying.binder_diffusivity": 50.0})
    speed = 20.0 / recipe.materials.solvent.density
    assert peclet(recipe, 30.0) == pytest.approx(speed * 120 / 50)


@pytest.mark.parametrize("rate", [0.01, 1.0, 10.0, 100.0])
def test_the_simulated_film_has_the_peclet_number_of_the_real_one_and_stays_slow(rate: float) -> None:
    recipe, thickness = MIGRATING.with_values({"drying.rate": rate, "drying.wet_thickness": 100.0}), 25.0
    found: Film = film(recipe, thickness)
    number = found.speed * thickness / found.diffusivity
    assert number == pytest.approx(max(peclet(recipe, thickness), SLOWEST))
    assert found.speed <= FASTEST * (1 + 1e-9)
    assert found.diffusivity <= JOLT**2 * MEMORY * (1 + 1e-9)
    assert found.step < MEMORY / 10


def column(heights: list[float]) -> Beads:
    """Return CBD beads at some heights in a coating of 30 um, and one bead of active material."""
    position = np.zeros((len(heights) + 1, 3))
    position[1:, 2] = heights
    kind = np.array([ACTIVE] + [CBD] * len(heights), dtype=np.int32)
    return Beads(position, kind, np.zeros(len(kind), dtype=np.int32), np.array([10.0, 10.0, 30.0]))


def test_the_ratio_of_cbd_at_the_surface_counts_spheres_by_the_volume_in_either_third() -> None:
    ratio = {
        "even": dried(column([3.0, 15.0, 27.0]), BASE),
        "twice": dried(column([3.0, 25.0, 27.0]), BASE),
        "cut": dried(column([3.0, 20.0, 27.0]), BASE),
        "mirrored": dried(column([5.0, 10.0, 27.0]), BASE),
    }
    found = {name: one["cbd_surface_to_bottom"] for name, one in ratio.items()}
    assert found["even"] == pytest.approx(1)
    assert found["twice"] == pytest.approx(2)
    assert found["cut"] == pytest.approx(1.5)
    assert found["mirrored"] == pytest.approx(1 / 1.5)
    assert math.isfinite(dried(column([27.0]), BASE)["cbd_surface_to_bottom"])
