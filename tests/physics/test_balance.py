"""Mass balance against closed forms and against the counts of a published pair of electrodes."""

from __future__ import annotations

import math

import pytest

from mesoforge.physics.balance import as_dried, balance, consolidated, foretold, nanoporosity_left
from mesoforge.physics.manufacture import identity
from mesoforge.physics.recipe import Recipe

PUBLISHED = {"96 %": (0.96, 0.679, 10330, 3877, 2.14), "94 %": (0.94, 0.650, 9494, 5458, 2.03)}
"""Active material, solids content, beads of active material, CBD beads (Xu et al.), additive density of the slurry."""


def published(active: float, solids: float, beads: int) -> Recipe:
    """Return the recipe of as many active beads as published, with a CBD of 0.95 g/cm3 at half its volume."""
    recipe = Recipe().with_values({"formulation.active_material": active, "formulation.solids_content": solids})
    glue = {"name": "binder of 1.9 g/cm3", "density": 1.9}
    recipe = recipe.with_values({"materials.carbon": glue, "materials.binder": glue})
    volume = beads * recipe.particles.primary_diameter**3
    loading = volume * recipe.materials.active.density / active / recipe.volume.side**2 / 10
    return recipe.with_values({"volume.mass_loading": loading})


@pytest.mark.parametrize(("active", "solids", "beads", "cbd", "_"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_published_bead_counts_follow(active: float, solids: float, beads: int, cbd: int, _: float) -> None:
    amounts = balance(published(active, solids, beads))
    assert amounts.active_beads == beads
    assert amounts.cbd_beads == pytest.approx(cbd, rel=0.002)


@pytest.mark.parametrize(("active", "solids", "beads", "_", "density"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_slurry_density_follows_from_volumes_that_add(
    active: float, solids: float, beads: int, _: int, density: float
) -> None:
    values = {"formulation.active_material": active, "formulation.solids_content": solids}
    assert balance(Recipe().with_values(values)).additive_slurry_density == pytest.approx(density, abs=0.006)


def test_the_additive_density_is_the_harmonic_mean_of_the_components_densities() -> None:
    recipe = Recipe().with_values({"volume.side": 200})
    formulation, materials = recipe.formulation, recipe.materials
    solids = formulation.solids_content
    specific = (1 - solids) / materials.solvent.density + solids * (
        formulation.active_material / materials.active.density
        + formulation.carbon / materials.carbon.density
        + formulation.binder / materials.binder.density
    )
    assert balance(recipe).additive_slurry_density == pytest.approx(1 / specific, rel=1e-9)


@pytest.mark.parametrize("active", [0.85, 0.94, 0.98])
def test_components_keep_the_formulations_proportions(active: float) -> None:
    recipe = Recipe().with_values({"formulation.active_material": active})
    amounts = balance(recipe)
    assert amounts.active_mass / amounts.dry_mass == pytest.approx(active)
    assert amounts.dry_mass / amounts.wet_mass == pytest.approx(recipe.formulation.solids_content)
    weighed = recipe.volume.mass_loading * 10 * recipe.volume.side**2
    assert amounts.dry_mass == pytest.approx(weighed, rel=0.5 / amounts.active_beads)


def test_a_slurry_bead_has_the_volume_of_what_it_holds() -> None:
    amounts = balance(Recipe())
    volume = math.pi / 6 * amounts.wet_bead_diameter**3
    assert amounts.active_beads * amounts.active_bead_volume + amounts.cbd_beads * volume == pytest.approx(
        amounts.additive_slurry_volume
    )


def test_a_volume_of_solids_alone_has_no_porosity_and_twice_that_has_half() -> None:
    amounts = balance(Recipe())
    assert amounts.porosity(amounts.solid_volume) == pytest.approx(0)
    assert amounts.porosity(2 * amounts.solid_volume) == pytest.approx(0.5)


def test_nanopores_make_more_beads_of_the_same_mass() -> None:
    dense, porous = (balance(Recipe().with_values({"drying.cbd_nanoporosity": n})) for n in (0.0, 0.5))
    assert porous.cbd_mass == pytest.approx(dense.cbd_mass)
    assert porous.cbd_beads == pytest.approx(2 * dense.cbd_beads, abs=1)


def test_no_balance_foretells_what_a_pressure_does() -> None:
    assert set(foretold(Recipe())) == {"slurry_density", "mass_loading", "areal_capacity"}
    assert foretold(Recipe().with_values({"calendering.compression": 0.2}))["compression_under_load"] == 0.2


def test_the_foretold_capacity_is_that_of_the_active_material_alone() -> None:
    recipe = Recipe().with_values({"volume.mass_loading": 10, "volume.side": 100})
    assert foretold(recipe)["areal_capacity"] == pytest.approx(10e-3 * 0.96 * 155.0, rel=1e-4)


def test_cbd_that_loses_nanopores_keeps_its_mass_and_its_beads() -> None:
    recipe = Recipe()
    left = nanoporosity_left(recipe, 0.8)
    assert left == pytest.approx(1 - 0.5 / 0.8)
    before, after = balance(recipe), balance(consolidated(recipe, left))
    assert after.cbd_beads == before.cbd_beads
    assert after.cbd_mass == pytest.approx(before.cbd_mass)
    assert after.cbd_bead_volume == pytest.approx(0.8 * before.cbd_bead_volume)
    assert after.porosity(1e6) == pytest.approx(before.porosity(1e6))


def test_solids_of_the_cbd_cannot_shrink() -> None:
    assert nanoporosity_left(Recipe(), 1.0) == pytest.approx(Recipe().drying.cbd_nanoporosity)
    assert nanoporosity_left(Recipe(), 0.3) == 0


def gelled(**values: float) -> Recipe:
    return Recipe().with_values({name.replace("__", "."): value for name, value in values.items()})


def test_a_slurry_like_the_paper_s_dries_to_cbd_as_the_recipe_has_it() -> None:
    assert as_dried(Recipe()) == Recipe()


def test_cbd_is_the_looser_the_more_solvent_its_gel_set_in() -> None:
    thin = gelled(formulation__solids_content=0.5)
    shares = {}
    for name, recipe in (("usual", Recipe()), ("thin", thin)):
        amounts = balance(recipe)
        solid = amounts.cbd_bead_mass / amounts.cbd_solid_density
        shares[name] = solid / amounts.wet_bead_volume
    expected = 1 - 0.5 * (shares["thin"] / shares["usual"]) ** 0.4
    dried = as_dried(thin)
    assert dried.drying.cbd_nanoporosity == pytest.approx(expected)
    assert expected > 0.55
    assert balance(dried).cbd_beads == balance(thin).cbd_beads
    assert balance(dried).cbd_mass == pytest.approx(balance(thin).cbd_mass)


def test_a_gel_without_memory_forgets_its_slurry() -> None:
    thin = gelled(formulation__solids_content=0.5, force_field__gel_memory=0)
    assert as_dried(thin) is thin


def test_no_gel_dries_to_more_than_its_solids() -> None:
    thick = gelled(formulation__solids_content=0.88, force_field__gel_memory=1, drying__cbd_nanoporosity=0.1)
    assert as_dried(thick).drying.cbd_nanoporosity == 0


def test_an_imposed_porosity_imposes_the_cbd_too() -> None:
    imposed = Recipe().with_values(
        {"formulation.solids_content": 0.5, "drying.model": "to_porosity", "drying.porosity": 0.5}
    )
    assert as_dried(imposed) is imposed
    forgetful = imposed.with_values({"force_field.gel_memory": 0})
    assert identity(imposed) == identity(forgetful)


def test_only_what_is_dried_by_a_pressure_depends_on_the_gel_s_memory() -> None:
    thin = 0.6
    one, other = (
        identity(gelled(formulation__solids_content=thin)),
        identity(gelled(formulation__solids_content=thin, force_field__gel_memory=0)),
    )
    assert {stage: one[stage] == other[stage] for stage in one} == {
        "packing": True,
        "slurry": True,
        "drying": False,
        "calendering": False,
        "measurement": False,
    }


def test_where_nothing_is_remembered_an_electrode_keeps_its_name() -> None:
    assert identity(Recipe()) == identity(gelled(force_field__gel_memory=0))


@pytest.mark.parametrize(
    "values",
    [
        {"formulation__solids_content": 0.4, "drying__cbd_nanoporosity": 0.88},
        {"formulation__solids_content": 0.5, "drying__cbd_diameter": 9.9},
        {"formulation__solids_content": 0.88, "drying__cbd_diameter": 0.21},
    ],
)
def test_what_comes_out_of_drying_may_lie_beyond_what_a_recipe_may_ask_for(values: dict[str, float]) -> None:
    recipe = gelled(**values)
    dried = as_dried(recipe)
    assert 0 <= dried.drying.cbd_nanoporosity < 1
    assert balance(dried).cbd_mass == pytest.approx(balance(recipe).cbd_mass)
    assert balance(dried).cbd_beads == balance(recipe).cbd_beads
