"""What cracks made of the particles: fragments, new surface, where, and the particles' shapes before and after."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesoforge.physics.beads import Beads
from mesoforge.physics.bonds import Bonds, Ints, pieces
from mesoforge.physics.cracking import Cracks
from mesoforge.physics.lammps.files import Reals
from mesoforge.physics.microstructure.interfaces import DIRECTIONS, WEIGHTS
from mesoforge.physics.microstructure.quantity import Property
from mesoforge.physics.shapes.shape import inertia_axes

ONSET = 1e-3
"""Share of the bonds whose breaking counts as the onset of cracking."""
LAYERS = 10
"""Layers of the profile along the thickness."""
SHAPED = 20
"""Fewest beads of a particle whose shape is compared."""
TABLE, PROFILE, COURSE = "particles.csv", "cracks_by_height.csv", "cracks_by_pressure.csv"
CRACKING: dict[str, Property] = {
    "broken_bonds": Property("", "bonds of bonded particles that calendering broke, over all"),
    "broken_bonds_under_load": Property("", "the same at maximum load"),
    "cracked_particles": Property("", "bonded particles that fell into two pieces or more, over all bonded ones"),
    "cracked_volume": Property("", "the same by volume"),
    "fragments": Property("", "pieces of a bonded particle in the mean; 1: none cracked"),
    "crack_surface": Property("1/um", "area of both faces of all cracks per volume of the released coating"),
    "crack_height": Property("", "mean height of the broken bonds over the thickness: 0 collector, 1 surface"),
    "cracking_onset_pressure": Property("MPa", "pressure at which a thousandth of the bonds had broken"),
    "bonded_volume": Property("", "active material in particles that may crack, over all; flat small ones stay rigid"),
    "krumbein_sphericity_change": Property("", "mean change of (bc/a^2)^(1/3) of bonded particles of 20 beads or more"),
    "particle_flattening": Property("", "mean relative loss of such particles' extent along the thickness"),
}
"""What electrodes of bonded particles have besides."""


@dataclass(frozen=True, slots=True)
class Fates:
    """What became of each particle, by number from 1: each field (p,)."""

    particle: Ints
    beads: Ints
    bonded: NDArray[np.bool_]
    height: Reals
    """Of its centre in the dried coating, over the thickness."""
    bonds: Ints
    broken: Ints
    pieces: Ints
    largest: Reals
    """Share of its beads in the largest piece."""
    surface: Reals
    """Area of both faces of its cracks [um2]."""
    before: Reals = field(repr=False)
    """Semi-axes a >= b >= c [um], Krumbein's sphericity, angle of a to z [degrees], spread in z [um]; (p, 6)."""
    after: Reals = field(repr=False)

    def save(self, path: Path) -> None:
        """Write one row a particle as CSV."""
        own = [one.name for one in fields(self) if one.name not in ("before", "after")]
        shape = ("a_um", "b_um", "c_um", "krumbein", "angle_to_z", "spread_z_um")
        names = own + [f"{name}_{when}" for when in ("before", "after") for name in shape]
        columns = np.column_stack([*(getattr(self, name) for name in own), self.before, self.after])
        np.savetxt(path, columns, delimiter=",", header=",".join(names), comments="", fmt="%.7g")


def crack_area(broken: Bonds, pitch: float) -> Reals:
    """Return the area of both faces of the cracks that each broken bond stands for, (b,) [um2].

    Crofton's formula, S = 2 sum w N a^3 / l per face: N bonds of length l along one of 13 directions of weight w.
    """
    shells = np.array([0, *(float(WEIGHTS[(DIRECTIONS**2).sum(axis=1) == square].mean()) for square in (1, 2, 3))])
    return np.asarray(2 * 2 * shells[broken.family] * pitch**2 / np.sqrt(broken.family))


def fates(cracks: Cracks, released: Beads, pitch: float) -> Fates:
    """Follow each particle from the dried to the released electrode."""
    beads, many = cracks.beads, int(cracks.beads.particle.max(initial=0))
    gone = cracks.bonds.only(~cracks.bonds.among(cracks.released.pair))
    owner, lost = (beads.particle[some.pair[:, 0]] for some in (cracks.bonds, gone))
    number = np.arange(1, many + 1)
    count, largest = _pieces(cracks.released, beads)
    start, _ = _pieces(cracks.bonds, beads)
    size = np.bincount(beads.particle, minlength=many + 1)
    height = np.bincount(beads.particle, weights=beads.position[:, 2], minlength=many + 1) / np.maximum(size, 1)
    bonded = ~np.isin(number, cracks.stiff)
    return Fates(
        particle=number,
        beads=size[1:],
        bonded=bonded,
        height=height[1:] / beads.thickness,
        bonds=np.bincount(owner, minlength=many + 1)[1:],
        broken=np.bincount(lost, minlength=many + 1)[1:],
        pieces=np.where(bonded, count[1:] - start[1:] + 1, 1),
        largest=np.where(bonded, largest[1:], 1.0),
        surface=np.bincount(lost, weights=crack_area(gone, pitch), minlength=many + 1)[1:].astype(np.float64),
        before=_shapes(beads, many),
        after=_shapes(released, many),
    )


def _pieces(bonds: Bonds, beads: Beads) -> tuple[Ints, Reals]:
    """Return per particle by number in how many pieces it is, and the share of its beads in the largest, (p + 1,)."""
    many = int(beads.particle.max(initial=0)) + 1
    first, size = np.unique(pieces(bonds, len(beads)), return_index=True, return_counts=True)[1:]
    owner, largest = beads.particle[first], np.zeros(many)
    np.maximum.at(largest, owner, size)
    return np.bincount(owner, minlength=many), largest / np.maximum(np.bincount(beads.particle, minlength=many), 1)


def _shapes(beads: Beads, many: int) -> Reals:
    """Return axes, sphericity, angle and spread of each particle as ``Fates`` has them, (p, 6)."""
    return np.array([_shape(beads.position[beads.particle == number]) for number in range(1, many + 1)])


def _shape(places: Reals) -> Reals:
    a, b, c = inertia_axes(places)
    centred = places - places.mean(axis=0)
    longest = np.linalg.eigh(centred.T @ centred)[1][:, 2]
    angle = np.degrees(np.arccos(min(1.0, abs(float(longest[2])))))
    return np.array([a, b, c, (b * c / max(a, 1e-12) ** 2) ** (1 / 3), angle, places[:, 2].std()])


def numbers(cracks: Cracks, found: Fates, released: Beads) -> dict[str, float]:
    """Return the electrode's cracking as properties; what has no value is left out."""
    many, own = max(len(cracks.bonds), 1), found.bonded
    volume = np.bincount(cracks.beads.particle, weights=cracks.beads.by_volume(1.0, 0.0))[1:]
    cracked = own & (found.pieces > 1)
    gone = cracks.bonds.only(~cracks.bonds.among(cracks.released.pair))
    middle = cracks.beads.position[gone.pair, 2].mean(axis=1) / cracks.beads.thickness
    shaped = own & (found.beads >= SHAPED)
    told: dict[str, float] = {
        "broken_bonds": len(gone) / many,
        "broken_bonds_under_load": 1 - len(cracks.loaded) / many if len(cracks.bonds) else 0.0,
        "bonded_volume": float(volume[own].sum() / volume.sum()),
        "crack_surface": float(found.surface.sum() / released.volume),
    }
    if own.any():
        told["cracked_particles"] = float(cracked.sum() / own.sum())
        told["cracked_volume"] = float(volume[cracked].sum() / volume[own].sum())
        told["fragments"] = float(found.pieces[own].mean())
    if len(gone):
        told["crack_height"] = float(middle.mean())
    if (cracks.broken >= ONSET).any():
        told["cracking_onset_pressure"] = float(cracks.pressure[np.argmax(cracks.broken >= ONSET)])
    if shaped.any():
        told["krumbein_sphericity_change"] = float((found.after - found.before)[shaped, 3].mean())
        told["particle_flattening"] = float(1 - (found.after[shaped, 5] / found.before[shaped, 5]).mean())
    return told


def save(cracks: Cracks, found: Fates, folder: Path) -> None:
    """Write the particles, the cracks along the thickness and their course under load as CSV."""
    found.save(folder / TABLE)
    gone = ~cracks.bonds.among(cracks.released.pair)
    layer = np.clip(cracks.beads.position[cracks.bonds.pair, 2].mean(axis=1) / cracks.beads.thickness, 0, 1 - 1e-9)
    where = (layer * LAYERS).astype(np.int64)
    rows = np.column_stack(
        [
            (np.arange(LAYERS) + 0.5) / LAYERS,
            np.bincount(where, minlength=LAYERS),
            np.bincount(where[gone], minlength=LAYERS),
        ]
    )
    np.savetxt(folder / PROFILE, rows, delimiter=",", header="height,bonds,broken", comments="", fmt="%.7g")
    course = np.column_stack([cracks.pressure, cracks.broken])
    np.savetxt(folder / COURSE, course, delimiter=",", header="pressure_MPa,broken_bonds", comments="", fmt="%.7g")
