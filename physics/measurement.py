"""The properties of one finished electrode, by name and in user units."""

from __future__ import annotations

import numpy as np

from mesoforge.physics.balance import MG_PER_CM2, balance
from mesoforge.physics.beads import CBD, Beads
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.fragments import CRACKING
from mesoforge.physics.microstructure.bulk import bulk_porosity, share_below
from mesoforge.physics.microstructure.measure import IMAGE_PROPERTIES, measure
from mesoforge.physics.microstructure.quantity import Conductors, Property
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.shapes.shape import krumbein_sphericity
from mesoforge.physics.voxels import Voxels

UM_PER_CM = 1e4
SHAPED = 20
"""Fewest beads of a particle whose shape is reported."""

OWN: dict[str, Property] = {
    "porosity": Property("", "pores and nanopores, by mass balance over the released thickness"),
    "porosity_voxels": Property("", "the same, counted in voxels"),
    "porosity_bulk": Property("", "the same without the loose layer of 1 um at collector and surface"),
    "porosity_under_load": Property("", "pores and nanopores at maximum load"),
    "porosity_bulk_under_load": Property("", "the same without the loose layer of 1 um at collector and surface"),
    "dried_porosity": Property("", "pores and nanopores before calendering"),
    "dried_porosity_bulk": Property("", "the same without the loose layer of 1 um at collector and surface"),
    "tortuosity_factor_z": Property("", "tau = eps D0/Deff through pores and nanoporous CBD along the thickness"),
    "macmullin_number_z": Property("", "D0/Deff along the thickness"),
    "electrode_density": Property("g/cm3", "dry mass over the released volume"),
    "slurry_density": Property("g/cm3", "simulated density of the slurry"),
    "slurry_density_error": Property("g/cm3", "standard error of slurry_density: small volume and convergence"),
    "slurry_heterogeneity": Property("", "uneven spread of active material over cells of 6 um; random mix: 1"),
    "slurry_heterogeneity_cbd": Property("", "uneven spread of CBD over cells of 6 um; random mix: 1"),
    "slurry_density_additive": Property("g/cm3", "density of the slurry if volumes just add"),
    "mass_loading": Property("mg/cm2", "dry mass per area of collector"),
    "areal_capacity": Property("mAh/cm2", "capacity of the active material per area of collector"),
    "volumetric_capacity": Property("mAh/cm3", "capacity of the active material per volume of coating"),
    "thickness": Property("um", "after release, read at gauge pressure"),
    "thickness_under_load": Property("um", "at maximum load"),
    "dried_thickness": Property("um", "before calendering, read under the drying pressure"),
    "cbd_surface_to_bottom": Property("", "CBD in the top third of the dried electrode over that in the bottom third"),
    "compression_under_load": Property("", "thickness reduction at maximum load over the dried thickness"),
    "compression_after_release": Property("", "thickness reduction after release over the dried thickness"),
    "calendering_pressure": Property("MPa", "pressure on the electrode at maximum load"),
    "cbd_nanoporosity": Property("", "nanopores inside the CBD after calendering, by volume"),
    "pore_diameter_mean": Property("um", "mean local thickness of the pores, by volume"),
    "krumbein_sphericity_mean": Property(
        "", "mean (bc/a^2)^(1/3) of the inertia ellipsoids of particles of 20 beads and more"
    ),
    "secondary_particles": Property("", "number of secondary particles"),
    "largest_particle": Property("um", "equivalent-sphere diameter of the largest secondary particle"),
} | CRACKING
"""What every electrode has; the sphericity where a particle has beads enough; cracking where particles are bonded."""
PROPERTIES: dict[str, Property] = OWN | {name: what for name, what in IMAGE_PROPERTIES.items() if name not in OWN}
"""All that may be known of an electrode, and be an objective; what has no value in one electrode is left out there."""


def coating(beads: Beads, recipe: Recipe, prefix: str = "") -> dict[str, float]:
    """Return thickness [um], porosity and bulk porosity of beads between collector and plane, under prefixed names.

    Raises:
        PhysicsError: ``unstable``, if beads overlap so much that their solids do not fit between the planes.
    """
    share = balance(recipe).porosity(beads.volume)
    if share <= 0:
        raise PhysicsError(
            "unstable", f"the coating was pressed to {beads.thickness:.3g} um, less than its solids fill"
        )
    bulk = bulk_porosity(beads, recipe)
    return {f"{prefix}thickness": beads.thickness, f"{prefix}porosity": share, f"{prefix}porosity_bulk": bulk}


def dried(beads: Beads, recipe: Recipe) -> dict[str, float]:
    """Return how much more CBD the dried electrode has near its surface than near its collector."""
    own, third = beads.position[beads.kind == CBD, 2], beads.thickness / 3
    radius = np.full_like(own, recipe.drying.cbd_diameter / 2)
    below = share_below(third - own, radius).sum()
    above = share_below(own - 2 * third, radius).sum()
    return {"cbd_surface_to_bottom": float(above / max(below, 1.0))}  # a tiny volume may have none below


def loads(beads: Beads, recipe: Recipe) -> dict[str, float]:
    """Return what a square centimetre of the coating weighs and holds."""
    amounts = balance(recipe)
    loading = amounts.dry_mass / beads.area / MG_PER_CM2
    capacity = loading / 1000 * amounts.active_mass / amounts.dry_mass * (recipe.materials.active.capacity or 0.0)
    return {
        "electrode_density": amounts.dry_mass / beads.volume,
        "mass_loading": loading,
        "areal_capacity": capacity,
        "volumetric_capacity": capacity / beads.thickness * UM_PER_CM,
    }


def structure(voxels: Voxels, recipe: Recipe) -> dict[str, float]:
    """Return all that is measured on the voxels; what has no value is left out.

    Raises:
        PhysicsError: no path crosses the electrode, or the solver did not converge.
    """
    found = measure(voxels, Conductors(nanoporosity=recipe.drying.cbd_nanoporosity))
    if "tortuosity_factor_z" not in found.numbers:
        raise PhysicsError("no_percolation", "no path through pores and CBD joins collector and surface")
    return found.numbers


def particles(beads: Beads, recipe: Recipe) -> dict[str, float]:
    """Return number, size and shape of the secondary particles; no shape where none has SHAPED beads."""
    counts = np.bincount(beads.particle)[1:]
    volumes = np.bincount(beads.particle, weights=beads.by_volume(1.0, 0.0))[1:]
    numbers = np.flatnonzero(counts >= SHAPED) + 1
    shapes = [krumbein_sphericity(beads.position[beads.particle == number]) for number in numbers]
    return {
        "secondary_particles": float(np.count_nonzero(counts)),
        "largest_particle": float((6 / np.pi * volumes.max()) ** (1 / 3) * recipe.particles.primary_diameter),
    } | ({"krumbein_sphericity_mean": float(np.mean(shapes))} if shapes else {})
