"""Several ranks simulate the same physics as one: the same forces and motion, up to the order of summation."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import STEPS, counts, moved, pressed_steps, small, wet_steps

from mesoforge.physics.balance import masses
from mesoforge.physics.beads import Beads
from mesoforge.physics.contact import calendering_law, contact_script, diameters
from mesoforge.physics.drying.migration import SMALL, film_script
from mesoforge.physics.drying.stage import settle_on_collector
from mesoforge.physics.failure import Failure
from mesoforge.physics.lammps.execute import execute
from mesoforge.physics.lammps.files import DATA, DUMP, read_positions, write_data
from mesoforge.physics.manufacture import BEADS, STAGES, Electrode, identity, obtain
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store

Make = Callable[[Recipe], Electrode]
BASE = small(calendering__pressure=100)
FILM = small(drying__model="migration", drying__rate=1.0, drying__wet_thickness=200.0)
SHARED = BASE.with_values({"numerics.ranks": 2})


def test_a_few_steps_of_slurry_end_in_the_same_positions_on_two_ranks(make: Make, tmp_path: Path) -> None:
    beads = Beads.load(make(BASE).stages["packing"] / BEADS)
    one, two = (
        moved(wet_steps(recipe), beads, recipe, tmp_path / str(recipe.numerics.ranks), wet=True)
        for recipe in (BASE, SHARED)
    )
    assert np.abs(one - beads.position).max() > 1e-3
    np.testing.assert_allclose(two, one, atol=1e-6)


def test_a_few_steps_under_the_plane_end_in_the_same_positions_on_two_ranks(make: Make, tmp_path: Path) -> None:
    beads = Beads.load(make(BASE).stages["drying"] / BEADS)
    one, two = (
        moved(pressed_steps(recipe, beads.thickness), beads, recipe, tmp_path / str(recipe.numerics.ranks))
        for recipe in (BASE, SHARED)
    )
    assert np.abs(one - beads.position).max() > 1e-3
    np.testing.assert_allclose(two, one, atol=1e-6)


def film_steps(recipe: Recipe, coating: Beads) -> str:
    """Write a few steps of a film that shrinks without chance, whose CBD then grows in a few steps."""
    whole = film_script(recipe, coating.thickness, coating.area)
    still = re.sub(r"(fix +shake cbd langevin) \S+ \S+", r"\1 0 0", whole.split("# film shrinkage")[0])
    grown = re.sub(r"run +\d+", f"run {STEPS}", whole.split("# growth to the dried size")[1])
    return f"{still}variable speed equal -0.5\nrun {STEPS}\n{grown}"


def test_a_few_steps_of_a_film_whose_cbd_grows_end_in_the_same_positions_on_two_ranks(
    make: Make, tmp_path: Path
) -> None:
    coating = settle_on_collector(Beads.load(make(BASE).stages["slurry"] / BEADS), BASE)
    ends = []
    for ranks in (1, 2):
        recipe = FILM.with_values({"numerics.ranks": ranks})
        folder = tmp_path / str(ranks)
        folder.mkdir()
        small_cbd = coating.by_kind(1.0, SMALL) * diameters(coating, recipe)
        write_data(coating, small_cbd, masses(coating, recipe), folder / DATA, walls=True)
        execute(film_steps(recipe, coating), folder, 60, ranks)
        ends.append(read_positions(folder / DUMP, len(coating)))
    assert np.abs(ends[0] - coating.position).max() > 1e-3
    np.testing.assert_allclose(ends[1], ends[0], atol=1e-6)


def test_two_ranks_dry_a_film_at_a_rate_to_an_electrode_within_the_noise(make: Make, store: Store) -> None:
    one = make(FILM)
    two = obtain(FILM.with_values({"numerics.ranks": 2}), store, STAGES[:3])
    assert not isinstance(two, Failure), two
    # over eight seeds of this volume two ranks differed from one by -.003 in the mean, sd .027, and seeds by .036
    assert two["drying"].result["dried_porosity"] == pytest.approx(one.properties["dried_porosity"], abs=0.1)
    beads = [Beads.load(folder / BEADS) for folder in (one.stages["drying"], two["drying"].folder)]
    assert counts(beads[0]) == counts(beads[1])


def test_two_ranks_make_an_electrode_of_the_same_density_and_porosities_within_the_noise(make: Make) -> None:
    one, two = make(BASE).properties, make(SHARED).properties
    # over six seeds of this volume half differed by less than 0.1 %, the others by 0.7 to 1.9 %, with either sign
    assert two["slurry_density"] == pytest.approx(one["slurry_density"], rel=0.03)
    for name in ("dried_porosity", "porosity_under_load", "porosity"):
        assert two[name] == pytest.approx(one[name], abs=0.06), name
    assert two["calendering_pressure"] == pytest.approx(100, rel=0.03)


def test_ranks_name_the_stages_that_they_simulate_and_leave_the_packing_alone() -> None:
    one, two = identity(BASE), identity(SHARED)
    assert one["packing"] == two["packing"]
    assert [two[stage]["ranks"] for stage in two] == [1, 2, 2, 2, 1]
    assert [one[stage]["ranks"] for stage in one] == [1] * 5


def test_ranks_stand_side_by_side_under_the_plane() -> None:
    law = calendering_law(BASE)
    head = contact_script(BASE, law, 5.0)
    assert contact_script(SHARED, law, 5.0) == head.replace("read_data", "processors      * * 1\nread_data")
