"""The state that one process stage hands to the next: beads in a box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ACTIVE, CBD = 1, 2


@dataclass(frozen=True, slots=True)
class Beads:
    """Beads in a box that is periodic in x and y.

    ``position`` (n, 3) [um] is unwrapped, so that a secondary particle is whole; ``kind`` (n,) is 1 for a primary bead
    of active material and 2 for CBD; ``particle`` (n,) is the secondary particle's number from 1, or 0 for CBD.
    """

    position: NDArray[np.float64]
    kind: NDArray[np.int32]
    particle: NDArray[np.int32]
    box: NDArray[np.float64]
    """Edges lx, ly and height [um]; z runs from the collector at 0 to the plane."""
    share: NDArray[np.float64] | None = None
    """Volume of each bead over that of a mean bead of its kind, (n,), where a library's particles have their own: V / n
    over the cube of the pitch, and 1 for CBD. None: 1 throughout."""

    def __len__(self) -> int:
        """Count the beads."""
        return len(self.kind)

    @property
    def area(self) -> float:
        """Area of collector [um2]."""
        return float(self.box[0] * self.box[1])

    @property
    def thickness(self) -> float:
        """Height of the box [um]."""
        return float(self.box[2])

    @property
    def volume(self) -> float:
        """Volume between collector and plane [um3]."""
        return self.area * self.thickness

    def by_kind(self, active: float, cbd: float) -> NDArray[np.float64]:
        """Return per bead the one value or the other, (n,)."""
        return np.where(self.kind == ACTIVE, active, cbd)

    def by_volume(self, active: float, cbd: float) -> NDArray[np.float64]:
        """Return per bead its share of what a mean bead of the one kind or the other has, (n,)."""
        mean = self.by_kind(active, cbd)
        return mean if self.share is None else mean * self.share

    def moved(self, position: NDArray[np.float64], box: NDArray[np.float64]) -> Beads:
        """Return the same beads at other places (n, 3) [um] in another box (3,) [um]."""
        return replace(self, position=position, box=box)

    def save(self, path: Path) -> None:
        """Write the arrays as NPZ; shares only where there are any."""
        names = ("position", "kind", "particle", "box", "share")
        arrays: dict[str, Any] = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Beads:
        """Read what ``save`` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**arrays)


def wrapped(points: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points (n, d) folded into a periodic box, each coordinate at least 0 and below its edge."""
    inside: NDArray[np.float64] = points % edges
    return np.where(inside < edges, inside, 0.0)  # a tiny negative number's remainder rounds to the edge itself
