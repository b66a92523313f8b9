"""Cracks of bonded particles under the calender: what binds them, and what broke, when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesoforge.physics.beads import ACTIVE, Beads
from mesoforge.physics.bonding import SETTLING, breaks, holding, left
from mesoforge.physics.bonds import Bonds, Ints, bonds_of, flat, pitches
from mesoforge.physics.contact import Holding, Law
from mesoforge.physics.lammps.files import DATA, Reals, read_rows, write_data
from mesoforge.physics.loosening import SIZES, write_growth
from mesoforge.physics.plane import CHUNK, Curve
from mesoforge.physics.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Cracks:
    """What broke: beads as they were bound, all bonds, those left at maximum load and after release; and when.

    ``pressure`` (n,) [MPa] is the greatest that the plane had felt at each look of the loading stroke, ``broken`` (n,)
    the share of bonds broken by then.
    """

    beads: Beads
    bonds: Bonds
    loaded: Bonds
    released: Bonds
    pressure: Reals
    broken: Reals
    stiff: Ints
    """Numbers of the particles that were kept rigid."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What binds an electrode's particles: beads where they were bound, the bonds that hold, beads' pitches [um]."""

    beads: Beads
    bonds: Bonds
    pitch: Reals
    stiff: Ints
    """Numbers of the particles that stay rigid: flat ones, which springs cannot hold."""

    @classmethod
    def of(cls, beads: Beads, recipe: Recipe) -> Skeleton:
        """Bind an electrode whose particles have been rigid so far."""
        pitch = recipe.particles.primary_diameter
        stiff = np.flatnonzero(flat(beads, pitch)[1:]) + 1
        return cls(beads, bonds_of(beads, pitch), pitches(beads, pitch), stiff)

    def sizes(self, size: Reals) -> Reals:
        """Return contact diameters [um] of which none is wider than its lattice: a crack would set its overlap free."""
        return np.where(self.beads.kind == ACTIVE, np.minimum(size, self.pitch), size)

    def holding(self, recipe: Recipe, law: Law) -> Holding:
        """Return the lines of a script that hold the particles together."""
        return holding(recipe, law, self.stiff)

    def write(self, size: Reals, masses: Reals, folder: Path) -> None:
        """Write the beads as they were bound, with their bonds."""
        write_data(self.beads, size, masses, folder / DATA, walls=True, bonds=self.bonds)
        write_growth(self.bonds.touched(len(self.beads)), np.minimum(size, self.pitch), self.pitch, folder)

    def grown(self, folder: Path) -> Reals:
        """Return the contact diameters that beads had at maximum load, (n,) [um]."""
        return read_rows(folder / SIZES, 3)[:, 2]  # two columns would take in the box

    def cracks(self, folder: Path, loading: Curve) -> Cracks:
        """Return what a simulation broke; ``loading`` is what the plane felt until maximum load."""
        looks = SETTLING + CHUNK * (1 + np.arange(len(loading.pressure)))
        found = breaks(folder)
        broken = np.searchsorted(np.sort(found.step), looks, side="right") / max(len(self.bonds), 1)
        return Cracks(
            beads=self.beads,
            bonds=self.bonds,
            loaded=self.bonds.only(~self.bonds.among(found.pair[found.step <= looks[-1]])),
            released=left(self.bonds, folder),
            pressure=np.maximum.accumulate(loading.pressure),
            broken=broken,
            stiff=self.stiff,
        )
