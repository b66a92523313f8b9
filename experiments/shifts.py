"""How far an answer moves from the base to a variant: paired by seed, with its interval, against a tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError

CONFIDENCE = 0.95
MANY = 1000
"""Beyond so many more seeds no number is told."""
WITHIN, MOVES, OPEN = "within tolerance", "moves", "not decided"
DEFAULTS = {
    "slurry_density": "0.3%",
    "dried_porosity": "0.01",
    "porosity_under_load": "0.01",
    "porosity": "0.01",
    "calendering_pressure": "5%",
    "spring_back": "0.01",
    "tortuosity_factor_z": "5%",
    "stress_at_porosity": "10%",
}
"""What is compared, and how far it may move if nothing else is said (assumed: about what measurements resolve)."""
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a property may move: absolutely, or relative to the mean of both values of one seed.

    Relative to the base alone, two equal but noisy settings would seem to differ: the mean of ratios lies above 1.
    """

    value: float
    relative: bool

    def difference(self, refined: Reals, base: Reals) -> Reals:
        """Return how far each seed moved, (seeds,); nan where one of both failed."""
        moved: Reals = (refined - base) / ((refined + base) / 2 if self.relative else 1.0)
        return moved

    def shown(self, value: float) -> str:
        """Write a difference with its sign, relative ones in per cent."""
        return f"{_digits(100 * value)} %" if self.relative else _digits(value)

    def width(self, value: float) -> str:
        """Write a half width or the tolerance itself."""
        return self.shown(abs(value)).lstrip("+")


@dataclass(frozen=True, slots=True)
class Shift:
    """The mean difference over ``seeds`` pairs, half its confidence interval, the verdict, and seeds still needed."""

    mean: float
    half: float
    seeds: int
    verdict: str
    more: int = 0

    @property
    def words(self) -> str:
        """Say the verdict, with the number of seeds that would decide an open one."""
        if self.verdict != OPEN:
            return self.verdict
        return f"{OPEN}: needs {f'about {self.more}' if self.more <= MANY else f'over {MANY}'} more seeds"


def tolerances(given: Sequence[str]) -> dict[str, Tolerance]:
    """Read tolerances like porosity=0.01 or slurry_density=0.3%; what is not given has its default.

    Raises:
        InputError: a name or a value is wrong.
    """
    said = dict(DEFAULTS)
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or name not in DEFAULTS:
            raise InputError(f"--tolerance is '{text}' but must be NAME=VALUE with a name of {', '.join(DEFAULTS)}.")
        said[name] = value
    return {name: _tolerance(name, value) for name, value in said.items()}


def _tolerance(name: str, text: str) -> Tolerance:
    relative = text.endswith("%")
    try:
        value = float(text.rstrip("% "))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(f"the tolerance of {name} is '{text}' but must be a positive number like 0.01 or 0.3%.")
    return Tolerance(value / 100 if relative else value, relative)


def interval(differences: Reals) -> tuple[float, float]:
    """Return the mean of paired differences (n,) and half the width of its 95 % t-interval; nan below two."""
    count = len(differences)
    if count < 2:
        return (float(differences.mean()) if count else math.nan), math.nan
    spread = float(differences.std(ddof=1))
    return float(differences.mean()), _quantile(count) * spread / math.sqrt(count)


def shift(refined: Reals, base: Reals, tolerance: Tolerance) -> Shift:
    """Judge how far a variant's values (seeds,) lie from the base's; seeds that failed in either are left out."""
    moved = tolerance.difference(refined, base)
    moved = moved[np.isfinite(moved)]
    mean, half = interval(moved)
    if math.isnan(half):
        return Shift(mean, half, len(moved), OPEN, 2 - len(moved))
    if abs(mean) + half <= tolerance.value:
        return Shift(mean, half, len(moved), WITHIN)
    if abs(mean) - half > tolerance.value:
        return Shift(mean, half, len(moved), MOVES)
    return Shift(mean, half, len(moved), OPEN, _more(moved, tolerance.value))


def _more(moved: Reals, tolerance: float) -> int:
    """Return how many more seeds would decide, if mean and spread stayed as they are."""
    room, spread = abs(tolerance - abs(float(moved.mean()))), float(moved.std(ddof=1))
    for count in range(len(moved) + 1, len(moved) + MANY + 1):
        if _quantile(count) * spread <= room * math.sqrt(count):
            return count - len(moved)
    return MANY + 1


def _digits(value: float) -> str:
    """Write two digits with a sign, without an exponent where the number is large."""
    return f"{value:+.0f}" if abs(value) >= 100 else f"{value:+.2g}"


def _quantile(count: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, (1 + CONFIDENCE) / 2))
