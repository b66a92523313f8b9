"""Properties of finished electrodes, from beads alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from making import small

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import Beads
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.measurement import PROPERTIES, coating, loads, particles
from mesoforge.physics.packing import pack

RECIPE = small(seed=4)


def slab(thickness: float) -> Beads:
    """Return nothing but a box, of the recipe's side."""
    side = RECIPE.volume.side
    nothing = np.empty(0, dtype=np.int32)
    return Beads(np.empty((0, 3)), nothing, nothing, np.array([side, side, thickness]))


@pytest.mark.parametrize("porosity", [0.01, 0.3, 0.9])
def test_the_porosity_of_a_coating_is_what_its_solids_leave(porosity: float) -> None:
    thickness = balance(RECIPE).solid_volume / RECIPE.volume.side**2 / (1 - porosity)
    found = coating(slab(thickness), RECIPE, "dried_")
    assert found["dried_thickness"] == pytest.approx(thickness)
    assert found["dried_porosity"] == pytest.approx(porosity)


def test_a_coating_thinner_than_its_solids_is_a_physics_failure() -> None:
    thickness = 0.99 * balance(RECIPE).solid_volume / RECIPE.volume.side**2
    with pytest.raises(PhysicsError, match=r"the coating was pressed to 5\.\d+ um, less than its solids fill") as error:
        coating(slab(thickness), RECIPE)
    assert error.value.kind == "unstable"


def test_twice_the_thickness_halves_what_is_counted_by_volume_and_nothing_else() -> None:
    thin, thick = loads(slab(10), RECIPE), loads(slab(20), RECIPE)
    halved = {"electrode_density", "volumetric_capacity"}
    assert {name: thick[name] / thin[name] for name in thin} == pytest.approx(
        {name: 0.5 if name in halved else 1.0 for name in thin}
    )


def test_capacity_is_that_of_the_active_material_that_was_weighed_in() -> None:
    found, active = loads(slab(10), RECIPE), RECIPE.materials.active
    milligrams = balance(RECIPE).active_mass / RECIPE.volume.side**2 / 10
    assert found["areal_capacity"] == pytest.approx(milligrams / 1000 * (active.capacity or 0))


def test_particles_are_counted_and_the_largest_is_found() -> None:
    recipe = small(particles__primary_diameter=0.8)
    packed = pack(recipe)
    found = particles(packed, recipe)
    beads = np.bincount(packed.particle)[1:]
    assert found["secondary_particles"] == len(beads)
    assert np.pi / 6 * found["largest_particle"] ** 3 == pytest.approx(beads.max() * balance(recipe).active_bead_volume)
    assert 0.6 < found["krumbein_sphericity_mean"] < 0.85


def test_particles_of_fewer_than_twenty_beads_have_no_shape() -> None:
    packed = pack(RECIPE)
    few = replace(packed, particle=np.where(packed.particle > 0, np.arange(len(packed)) // 19 + 1, 0).astype(np.int32))
    assert "krumbein_sphericity_mean" not in particles(few, RECIPE)


def test_every_property_has_a_meaning_and_units_are_the_ones_of_the_field() -> None:
    assert all(entry.meaning for entry in PROPERTIES.values())
    assert {entry.unit for entry in PROPERTIES.values()} == {
        "", "um", "1/um", "MPa", "g/cm3", "mg/cm2", "mAh/cm2", "mAh/cm3",
    }  # fmt: skip
