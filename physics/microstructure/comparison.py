"""An electrode beside a tomogram: the same voxels, the same two phases, sub-volumes of the same size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.beads import ACTIVE, CBD
from mesoforge.physics.microstructure.correlation import correlation_length, mean_chord, two_point
from mesoforge.physics.microstructure.interfaces import surface_areas
from mesoforge.physics.microstructure.phases import fractions, profile
from mesoforge.physics.microstructure.pores import mean_pore_diameter
from mesoforge.physics.microstructure.quantity import Property
from mesoforge.physics.microstructure.spread import piece
from mesoforge.physics.microstructure.transport import transport
from mesoforge.physics.voxels import PORE, Voxels

Reals = NDArray[np.float64]
COMPARED: dict[str, Property] = {
    "pores": Property("", "volume fraction of everything but active material"),
    "tortuosity_factor_x": Property("", "through everything but active material, along x"),
    "tortuosity_factor_y": Property("", "the same along y"),
    "tortuosity_factor_z": Property("", "the same along the thickness"),
    "specific_surface": Property("1/um", "surface of the active material per volume"),
    "pore_diameter_mean": Property("um", "mean local thickness, by volume"),
    "pore_correlation_length": Property("um", "integral of the normalized covariance to its first zero"),
    "pore_chord_z": Property("um", "mean chord of the pores along the thickness"),
    "active_chord_x": Property("um", "mean chord of the active material along x"),
    "active_chord_z": Property("um", "mean chord of the active material along the thickness"),
}
"""What is compared, all of it on two phases and with closed sides."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An electrode beside sub-volumes of a tomogram.

    ``electrode`` and ``typical``, the sub-volume nearest to the mean, are images of two phases; ``numbers`` those of
    the electrode; ``table`` (sub-volumes, names) those of the tomogram; profiles are the active material's along z,
    (nz,) and (sub-volumes, nz).
    """

    electrode: Voxels
    typical: Voxels
    names: tuple[str, ...]
    numbers: Reals
    table: Reals
    profile: Reals
    profiles: Reals

    @property
    def mean(self) -> Reals:
        """Mean over the tomogram's sub-volumes, per name."""
        return np.asarray(np.nanmean(self.table, axis=0))

    @property
    def sd(self) -> Reals:
        """Standard deviation over the tomogram's sub-volumes, per name."""
        return np.asarray(np.nanstd(self.table, axis=0, ddof=1))


def compare(electrode: Voxels, tomogram: Voxels, subvolumes: int = 20, seed: int = 0) -> Comparison:
    """Compare an electrode with random sub-volumes of its size out of a tomogram.

    Both are brought to the coarser of their voxels; where one is shorter along an axis, both are cut to that.

    Raises:
        InputError: fewer than two sub-volumes, or a common size below eight voxels.
    """
    edge = max(electrode.edge, tomogram.edge)
    model, real = (resampled(two_phases(one), edge) for one in (electrode, tomogram))
    size = [min(a, b) for a, b in zip(model.phase.shape, real.phase.shape, strict=True)]
    if subvolumes < 2 or min(size) < 8:
        raise InputError(
            f"{subvolumes} sub-volumes of {' x '.join(map(str, size))} voxels were asked for but at least 2 of 8 x 8 "
            "x 8 are due: give more, or a larger image."
        )
    rng = np.random.default_rng(seed)
    corners = [
        [int(rng.integers(0, n - m + 1)) for n, m in zip(real.phase.shape, size, strict=True)]
        for _ in range(subvolumes)
    ]
    parts = [piece(real, corner, size) for corner in corners]
    own = piece(model, [(n - m) // 2 for n, m in zip(model.phase.shape, size, strict=True)], size)
    table = np.array([two_phase_numbers(part) for part in parts])
    deviation = np.nanmean(np.abs(table - np.nanmean(table, axis=0)) / (np.nanstd(table, axis=0) + 1e-12), axis=1)
    return Comparison(
        electrode=own,
        typical=parts[int(np.argmin(deviation))],
        names=tuple(COMPARED),
        numbers=two_phase_numbers(own),
        table=table,
        profile=profile(own).fractions["active_material"],
        profiles=np.array([profile(part).fractions["active_material"] for part in parts]),
    )


def two_phases(voxels: Voxels) -> Voxels:
    """Count the CBD as pore, as a tomogram that does not see it."""
    phase = np.where(voxels.phase == CBD, PORE, voxels.phase).astype(np.uint8)
    return Voxels(phase, voxels.particle, voxels.edge, voxels.periodic, voxels.whole)


def resampled(voxels: Voxels, edge: float) -> Voxels:
    """Return a two-phase image in larger voxels, the active material's share kept to a voxel; particles are lost."""
    if np.isclose(edge, voxels.edge, rtol=1e-3):
        return voxels
    from scipy.ndimage import gaussian_filter, map_coordinates

    ratio = edge / voxels.edge
    solid = voxels.phase == ACTIVE
    shape = [int(n / ratio) for n in solid.shape]
    modes = ["wrap" if closes else "nearest" for closes in voxels.periodic]
    smooth = gaussian_filter(solid.astype(np.float32), ratio / 3, mode=modes)
    places = np.meshgrid(*((np.arange(n) + 0.5) * ratio - 0.5 for n in shape), indexing="ij")
    filled = map_coordinates(smooth, places, order=1, mode="nearest")
    wanted = round(float(solid.mean()) * filled.size)
    phase = np.zeros(filled.shape, dtype=np.uint8)
    if wanted:
        phase.reshape(-1)[np.argpartition(-filled.ravel(), wanted - 1)[:wanted]] = ACTIVE
    return Voxels(phase, np.broadcast_to(np.int32(0), phase.shape), edge, voxels.periodic, voxels.whole)


def two_phase_numbers(voxels: Voxels) -> Reals:
    """Return the numbers of COMPARED, in order; NaN where no path crosses."""
    pore, active = voxels.phase == PORE, voxels.phase == ACTIVE
    share = fractions(voxels)["pore"]
    taus = [transport(voxels.phase, {PORE: 1.0}, axis).tortuosity_factor(share) for axis in range(3)]
    mixed = 0 < share < 1
    length = correlation_length(two_point(pore, voxels.periodic), share) if mixed else np.nan
    found = (
        share,
        *(tau if np.isfinite(tau) else np.nan for tau in taus),
        surface_areas(voxels)[ACTIVE, PORE],
        mean_pore_diameter(voxels),
        length * voxels.edge,
        mean_chord(pore, 2) * voxels.edge,
        mean_chord(active, 0) * voxels.edge,
        mean_chord(active, 2) * voxels.edge,
    )
    return np.array(found, dtype=float)
