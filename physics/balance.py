"""Mass balance of a recipe: how many beads of what mass, and the densities that follow from volumes alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.beads import Beads
from mesoforge.physics.recipe import Formulation, Materials, Recipe

FILLED = 0.95
"""Share of the room beside the active material that the CBD may take with its nanopores; beyond, nanopores close."""
MG_PER_CM2 = 10.0
"""1 mg/cm2 in pg/um2."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Bead counts and masses of one recipe, in um and pg; 1 pg/um3 is 1 g/cm3."""

    active_beads: int
    """Number of primary beads of active material."""
    cbd_beads: int
    """Number of CBD beads."""
    active_bead_volume: float
    """Volume that one primary bead stands for in the mean: the cube of its pitch [um3]."""
    active_density: float
    """Density of the active material [g/cm3]."""
    cbd_bead_volume: float
    """Volume of one dried CBD bead, nanopores included [um3]."""
    cbd_solid_density: float
    """Density of carbon and binder without pores [g/cm3]."""
    cbd_bead_mass: float
    """Mass of one dried CBD bead [pg]."""
    solvent_per_bead: float
    """Solvent that one CBD bead carries in the slurry [pg]."""
    solvent_density: float
    """Density of the solvent [g/cm3]."""

    @property
    def active_mass(self) -> float:
        """Mass of the active material [pg]."""
        return self.active_beads * self.active_bead_volume * self.active_density

    @property
    def cbd_mass(self) -> float:
        """Mass of carbon and binder [pg]."""
        return self.cbd_beads * self.cbd_bead_mass

    @property
    def dry_mass(self) -> float:
        """Mass of the dried coating [pg]."""
        return self.active_mass + self.cbd_mass

    @property
    def wet_mass(self) -> float:
        """Mass of the slurry [pg]."""
        return self.dry_mass + self.cbd_beads * self.solvent_per_bead

    @property
    def wet_bead_volume(self) -> float:
        """Volume of carbon, binder and solvent in one slurry bead [um3]."""
        return self.cbd_bead_mass / self.cbd_solid_density + self.solvent_per_bead / self.solvent_density

    @property
    def wet_bead_diameter(self) -> float:
        """Diameter of the sphere of that volume [um]."""
        return math.cbrt(6 * self.wet_bead_volume / math.pi)

    @property
    def additive_slurry_volume(self) -> float:
        """Volume of the slurry if volumes just add [um3]."""
        return self.active_beads * self.active_bead_volume + self.cbd_beads * self.wet_bead_volume

    @property
    def additive_slurry_density(self) -> float:
        """Density of the slurry if volumes just add [g/cm3]."""
        return self.wet_mass / self.additive_slurry_volume

    @property
    def solid_volume(self) -> float:
        """Volume of all solids without any pore [um3]."""
        return self.active_beads * self.active_bead_volume + self.cbd_mass / self.cbd_solid_density

    def porosity(self, volume: float) -> float:
        """Return pores plus nanopores as a fraction of a volume [um3] that holds the dried coating."""
        return 1 - self.solid_volume / volume


def balance(recipe: Recipe) -> Balance:
    """Work out the beads of a recipe; counts are rounded to whole beads."""
    materials, formulation = recipe.materials, recipe.formulation
    additives = formulation.carbon + formulation.binder
    solid_density = additives / (
        formulation.carbon / materials.carbon.density + formulation.binder / materials.binder.density
    )
    bead_volume = math.pi / 6 * recipe.drying.cbd_diameter**3
    bead_mass = bead_volume * solid_density * (1 - recipe.drying.cbd_nanoporosity)
    dry_mass = recipe.volume.mass_loading * MG_PER_CM2 * recipe.volume.side**2
    active_volume = recipe.particles.primary_diameter**3
    active_beads = round(dry_mass * formulation.active_material / (materials.active.density * active_volume))
    active_mass = active_beads * active_volume * materials.active.density
    cbd_mass = active_mass * additives / formulation.active_material
    cbd_beads = max(1, round(cbd_mass / bead_mass))
    solvent = (active_mass + cbd_mass) * (1 / formulation.solids_content - 1)
    return Balance(
        active_beads=active_beads,
        cbd_beads=cbd_beads,
        active_bead_volume=active_volume,
        active_density=materials.active.density,
        cbd_bead_volume=bead_volume,
        cbd_solid_density=solid_density,
        cbd_bead_mass=cbd_mass / cbd_beads,
        solvent_per_bead=solvent / cbd_beads,
        solvent_density=materials.solvent.density,
    )


def masses(beads: Beads, recipe: Recipe, cbd_bead: float | None = None) -> NDArray[np.float64]:
    """Return the mass of each bead, (n,) [pg]; of CBD dry, or what a bead is said to have [pg]."""
    amounts = balance(recipe)
    own = amounts.cbd_bead_mass if cbd_bead is None else cbd_bead
    return beads.by_volume(amounts.active_bead_volume * amounts.active_density, own)


def nanoporosity_left(recipe: Recipe, kept: float) -> float:
    """Return the nanoporosity of the CBD once its beads have only this share of their volume; solids cannot shrink."""
    solid = 1 - recipe.drying.cbd_nanoporosity
    return max(0.0, 1 - solid / kept)


def most_nanoporosity(recipe: Recipe, volume: float) -> float:
    """Return the nanoporosity at which the CBD fills what the active material leaves of a volume [um3]."""
    amounts = balance(recipe)
    room = volume - amounts.active_beads * amounts.active_bead_volume
    return max(0.0, 1 - amounts.cbd_mass / amounts.cbd_solid_density / (FILLED * room)) if room > 0 else 0.0


def consolidated(recipe: Recipe, nanoporosity: float) -> Recipe:
    """Return the recipe whose CBD beads have the same mass but another nanoporosity, and so another diameter.

    Both may lie outside what a user may give: they came out.
    """
    before = recipe.drying
    if math.isclose(nanoporosity, before.cbd_nanoporosity, rel_tol=1e-12):
        return recipe
    shrunk = before.cbd_diameter * ((1 - before.cbd_nanoporosity) / (1 - nanoporosity)) ** (1 / 3)
    drying = before.model_copy(update={"cbd_diameter": shrunk, "cbd_nanoporosity": nanoporosity})
    return recipe.model_copy(update={"drying": drying})


def as_dried(recipe: Recipe) -> Recipe:
    """Return a user's recipe with the CBD that drying leaves of its slurry: what all after the slurry is made of.

    Once only: what it returns has dried.

    Carbon and binder set to a gel whose modulus goes with the power t of the concentration c at which it sets, and then
    with the power m of its density while the solvent's capillary pressure shrinks it; it stops shrinking where its
    modulus bears that pressure, at a density that goes with c^(1 - t / m). The exponent is ``gel_memory``; the recipe's
    nanoporosity is that of a slurry like the paper's. Where the dried porosity is imposed the CBD is too.

    Source of the powers: Scherer, J. Non-Cryst. Solids 215 (1997) 155, m of 3; de Gennes, Scaling Concepts in Polymer
    Physics (1979), t of 9/4.
    """
    if recipe.drying.model == "to_porosity":
        return recipe
    over = _concentration(recipe.formulation, recipe.materials) / _concentration(Formulation(), Materials())
    solid = (1 - recipe.drying.cbd_nanoporosity) * over**recipe.force_field.gel_memory
    return consolidated(recipe, max(0.0, 1 - solid))


def _concentration(formulation: Formulation, materials: Materials) -> float:
    """Return the share of carbon and binder in a slurry's liquid, by volume."""
    carbon, binder = formulation.carbon / materials.carbon.density, formulation.binder / materials.binder.density
    solvent = (1 / formulation.solids_content - 1) / materials.solvent.density
    return (carbon + binder) / (carbon + binder + solvent)


def foretold(recipe: Recipe) -> dict[str, float]:
    """Return the properties that mass balance alone foretells, without any simulation, by name and in user units.

    Volumes are taken to add and the coating to keep its lateral size. Under a pressure or a gap no balance says how far
    the coating is compressed: its porosity and density are not among them.
    """
    amounts, loading = balance(recipe), recipe.volume.mass_loading
    share = amounts.active_mass / amounts.dry_mass
    known = {
        "slurry_density": amounts.additive_slurry_density,
        "mass_loading": loading,
        "areal_capacity": loading / 1000 * share * (recipe.materials.active.capacity or 0.0),
    }
    compression = recipe.calendering.compression
    return known if compression is None else known | {"compression_under_load": compression}
