"""Size distributions: what diameters particles have, by number; and picking from them until a volume is met."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.shapes.figures import Reals

SPHERE = math.pi / 6
SWAPS = 200
"""Most particles exchanged to meet a volume."""


class Law(Protocol):
    """A distribution of equivalent-sphere diameters by number."""

    def quantile(self, share: Reals) -> Reals:
        """Return the diameters [um] below which these shares of the particles lie."""
        ...

    def by_volume(self) -> Law:
        """Return the distribution of the same particles weighted by their volume."""
        ...

    @property
    def mean_volume(self) -> float:
        """Mean volume of a particle [um3]."""
        ...

    def nearest(self, diameter: float) -> float:
        """Return the diameter that occurs and is nearest to one that is asked for [um]."""
        ...


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A log-normal distribution by number, cut at two diameters [um]."""

    median: float
    log_sd: float
    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse one of which next to nothing lies between its limits."""
        if self._bounds[1] - self._bounds[0] < 1e-6:
            raise InputError(
                f"the size distribution (median {self.median:g} um) has almost no particle between {self.low:g} and "
                f"{self.high:g} um: widen its limits."
            )

    @classmethod
    def weighted_by_volume(cls, median: float, log_sd: float, low: float, high: float) -> Self:
        """Return the distribution by number of particles whose volume is distributed so (Hatch and Choate)."""
        return cls(median * math.exp(-3 * log_sd**2), log_sd, low, high)

    @property
    def _bounds(self) -> tuple[float, float]:
        return self._below(self.low), self._below(self.high)

    def _below(self, diameter: float) -> float:
        if self.log_sd == 0:
            return float(diameter >= self.median)
        return 0.5 * math.erfc(-math.log(diameter / self.median) / self.log_sd / math.sqrt(2))

    def quantile(self, share: Reals) -> Reals:
        """Return the diameters [um] below which these shares of the particles lie."""
        from scipy.special import ndtri

        low, high = self._bounds
        inside = np.clip(low + np.asarray(share) * (high - low), 1e-300, 1 - 1e-16)
        found: Reals = np.clip(self.median * np.exp(self.log_sd * ndtri(inside)), self.low, self.high)
        return found

    def by_volume(self) -> LogNormal:
        """Return the distribution of the same particles weighted by their volume."""
        return LogNormal(self.median * math.exp(3 * self.log_sd**2), self.log_sd, self.low, self.high)

    @property
    def mean_volume(self) -> float:
        """Mean volume of a particle [um3]: the third moment, of the part between the cuts."""
        weighted = self.by_volume()
        share = (weighted._bounds[1] - weighted._bounds[0]) / (self._bounds[1] - self._bounds[0])
        return SPHERE * self.median**3 * math.exp(4.5 * self.log_sd**2) * share

    def nearest(self, diameter: float) -> float:
        """Return the diameter that occurs and is nearest to one that is asked for [um]."""
        return self.median if self.log_sd == 0 else min(max(diameter, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Table:
    """Diameters, ascending (n,) [um], with the share of the particles that has each, (n,)."""

    diameters: Reals
    shares: Reals

    @classmethod
    def of(cls, diameters: Reals, weights: Reals, *, volume: bool = False) -> Self:
        """Return a table of weights by number or by volume; rows of no weight are left out."""
        counts = weights / diameters**3 if volume else weights
        some = counts > 0
        order = np.argsort(diameters[some], kind="stable")
        return cls(diameters[some][order], (counts[some] / counts[some].sum())[order])

    def between(self, low: float, high: float) -> Table:
        """Return the part between two diameters [um].

        Raises:
            InputError: there is none.
        """
        inside = (self.diameters >= low) & (self.diameters <= high)
        if not inside.any():
            raise InputError(
                f"the sizes ({self.diameters.min():.3g} to {self.diameters.max():.3g} um) have none between {low:g} "
                f"and {high:g} um: change particles.min_diameter, particles.max_diameter or volume.side."
            )
        return Table.of(self.diameters[inside], self.shares[inside])

    def rows(self, share: Reals) -> NDArray[np.int64]:
        """Return which rows of the table are at these shares."""
        found = np.searchsorted(np.cumsum(self.shares), share, side="right")
        return np.minimum(found, len(self.shares) - 1).astype(np.int64)

    def quantile(self, share: Reals) -> Reals:
        """Return the diameters [um] below which these shares of the particles lie."""
        return self.diameters[self.rows(share)]

    def by_volume(self) -> Table:
        """Return the distribution of the same particles weighted by their volume."""
        return Table.of(self.diameters, self.shares * self.diameters**3)

    @property
    def mean_volume(self) -> float:
        """Mean volume of a particle [um3]."""
        return float(SPHERE * (self.shares * self.diameters**3).sum())

    def nearest(self, diameter: float) -> float:
        """Return the diameter that occurs and is nearest to one that is asked for [um]."""
        return float(self.diameters[np.argmin(np.abs(self.diameters - diameter))])


def read_table(path: Path, *, volume: bool) -> Table:
    """Read diameters [um], one a line, perhaps with a weight behind each; ``#`` begins a remark.

    Raises:
        InputError: it cannot be read, or a number is none or not above zero.
    """
    try:
        lines = path.read_text(encoding="utf-8").replace(",", " ").replace(";", " ").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"cannot read the sizes '{path}': give a text file of diameters in um.") from None
    rows = [line.split("#")[0].split() for line in lines]
    try:
        numbers = np.array([[float(word) for word in row] for row in rows if row], dtype=np.float64)
    except ValueError:
        raise InputError(
            f"'{path}' is no table of numbers: give one diameter in um a line, or a diameter and its weight."
        ) from None
    if numbers.ndim != 2 or numbers.shape[1] not in (1, 2) or not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise InputError(f"'{path}' must hold one or two columns of numbers above zero: correct it.")
    if numbers[:, 0].min() <= 0 or numbers[:, -1].sum() <= 0:
        raise InputError(f"'{path}' has a diameter, or a sum of weights, of zero: correct it.")
    weights = numbers[:, 1] if numbers.shape[1] == 2 else np.ones(len(numbers))
    return Table.of(numbers[:, 0], weights, volume=volume)


def pick(law: Law, volume: float, rng: np.random.Generator) -> Reals:
    """Pick diameters (p,) [um] whose spheres' volumes add up to one [um3], within half the smallest particle.

    Particles are laid behind one another along a line of volume, endlessly to both sides; those whose middle lies in a
    stretch of the wanted length are picked. Their mean number is then the volume over the mean particle's; drawing
    until the volume is full would exceed it, for the particle that crosses the end is likely a large one. What is
    missing or too much is then made up by exchanging the particle that it changes least.
    """
    first = float(law.by_volume().quantile(rng.random(1))[0])
    end = SPHERE * first**3 * rng.random()
    sizes, middles = [first], [end - SPHERE * first**3 / 2]
    while end < volume:
        sizes.append(float(law.quantile(rng.random(1))[0]))
        step = SPHERE * sizes[-1] ** 3
        middles.append(end + step / 2)
        end += step
    inside = (np.array(middles) > 0) & (np.array(middles) <= volume)
    return closed(np.array(sizes)[inside], law, volume)


def closed(sizes: Reals, law: Law, volume: float) -> Reals:
    """Exchange, add or leave out as few particles as bring the volume within half the smallest particle."""
    smallest = SPHERE * float(law.quantile(np.zeros(1))[0]) ** 3
    for _ in range(SWAPS):
        missing = volume - SPHERE * float((sizes**3).sum())
        if abs(missing) <= smallest / 2:
            break
        sizes = _nearer(sizes, law, missing)
    return np.sort(sizes)[::-1]


def _nearer(sizes: Reals, law: Law, missing: float) -> Reals:
    """Return sizes with one exchanged, added or left out, such that least is missing; the largest one if several do."""
    volumes = SPHERE * sizes**3
    wanted = np.cbrt(np.maximum(volumes + missing, 0) / SPHERE)
    replaced = np.array([law.nearest(float(size)) for size in wanted])
    left = np.abs(missing - SPHERE * (replaced**3 - sizes**3))
    left = np.append(left, [abs(missing - SPHERE * law.nearest(float(np.cbrt(max(missing, 0) / SPHERE))) ** 3)])
    drop = np.abs(missing + volumes) if len(sizes) > 1 else np.array([np.inf])
    least = min(left.min(), drop.min())
    if drop.min() <= least:
        return np.delete(sizes, int(drop.argmin()))
    if left[-1] <= least or not len(sizes):
        return np.append(sizes, law.nearest(float(np.cbrt(max(missing, 0) / SPHERE))))
    good = np.flatnonzero(left[:-1] <= least + 1e-9 * abs(missing))
    chosen = good[np.argmax(sizes[good])]
    changed = sizes.copy()
    changed[chosen] = replaced[chosen]
    return changed
