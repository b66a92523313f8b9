"""Transport through the phases of an image: effective conductivity, tortuosity factor, paths and dead ends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.microstructure.multigrid import ITERATIONS, TOLERANCE, conduct
from mesoforge.physics.microstructure.paths import THROUGH, joined, through_values
from mesoforge.physics.voxels import CLOSED, Periodic

AXES = "xyz"
SOLVERS = ("multigrid", "taufactor")


@dataclass(frozen=True, slots=True)
class Transport:
    """How an image conducts along one axis, relative to free electrolyte."""

    axis: int
    """0, 1 or 2: x, y or z."""
    conductivity: float
    """Effective conductivity; 0 where no path crosses."""
    percolating: float
    """Share of the conducting voxels that paths from face to face can reach."""
    dead_ends: float
    """Share of these that carry less than a hundredth of their mean current."""
    error: float
    """Relative error that the solver expects of the conductivity."""

    @property
    def percolates(self) -> bool:
        """Whether any path crosses."""
        return self.conductivity > 0

    @property
    def macmullin(self) -> float:
        """Conductivity of free electrolyte over the effective one; infinite where no path crosses."""
        return 1 / self.conductivity if self.percolates else math.inf

    def tortuosity_factor(self, porosity: float) -> float:
        """Return tau = eps D0 / Deff (not its root); infinite where no path crosses."""
        return porosity * self.macmullin

    def bruggeman_exponent(self, porosity: float) -> float:
        """Return the alpha of Deff / D0 = eps^alpha; infinite where no path crosses."""
        return math.log(self.macmullin) / -math.log(porosity) if porosity < 1 else 1.0

    def __str__(self) -> str:
        """Say in words whether anything passes, and how well."""
        if not self.percolates:
            return f"does not percolate along {AXES[self.axis]}: no path joins the two faces"
        return f"percolates along {AXES[self.axis]}: Deff/D0 = {self.conductivity:.4g}"


def nanopore_conductivity(nanoporosity: float) -> float:
    """Return the CBD's conductivity relative to free pore by Bruggeman's relation, eps^1.5 (0.354 at 0.5)."""
    return float(nanoporosity**1.5)


def transport(
    phase: NDArray[np.uint8],
    conductivity: Mapping[int, float],
    axis: int = 2,
    periodic: Periodic = CLOSED,
    tolerance: float = TOLERANCE,
) -> Transport:
    """Measure how an image conducts along one axis; potentials are fixed on its two end faces.

    Args:
        phase: (nx, ny, nz) labels.
        conductivity: of each label that conducts, relative to free electrolyte; all others block.
        axis: 0, 1 or 2.
        periodic: which axes close upon themselves; that of the current never does.
        tolerance: relative error of the conductivity to aim at.

    Raises:
        InputError: a conductivity below zero, or an axis that is none.
        PhysicsError: ``not_converged`` if the solver gave up.
    """
    table = conductivity_table(conductivity, axis)
    along, sides = np.moveaxis(phase, axis, 2), _sides(periodic, axis)
    state = joined((table > 0)[along], sides)
    through, conducting = np.count_nonzero(state == THROUGH), np.count_nonzero(state)
    if not through:
        return Transport(axis, 0.0, 0.0, 0.0, 0.0)
    local = through_values(along, state, table)
    del state
    several = len({value for value in conductivity.values() if value > 0}) > 1
    found = conduct(local, sides, tolerance, agreeing=2 if several else 1)
    if not found.converged:
        raise PhysicsError("not_converged", f"the tortuosity factor did not converge in {ITERATIONS} steps")
    nx, ny, nz = along.shape
    whole = found.conductance * nz / (nx * ny)
    return Transport(axis, whole, through / conducting, found.idle / through, found.error)


def conductivity_table(conductivity: Mapping[int, float], axis: int) -> NDArray[np.float32]:
    """Return the conductivity of every label from 0 to 255.

    Raises:
        InputError: a conductivity below zero or not a number, a label out of range, or an axis that is none.
    """
    if axis not in (0, 1, 2):
        raise InputError(f"the axis is {axis} but must be 0, 1 or 2: choose one of x, y, z by its number.")
    table = np.zeros(256, dtype=np.float32)
    for label, value in conductivity.items():
        if not (0 <= label < len(table) and math.isfinite(value) and value >= 0):
            raise InputError(
                f"label {label} has conductivity {value:g} but labels are 0 to 255 and conductivities finite and not "
                "negative: correct it."
            )
        table[label] = value
    return table


def _sides(periodic: Periodic, axis: int) -> tuple[bool, bool]:
    first, second = (closes for place, closes in enumerate(periodic) if place != axis)
    return first, second
