"""Problems whose truth is known, on which strategies are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from structures import STRUCTURES, read

from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.pareto import hypervolume
from mesoforge.surrogate.table import Array

Aims = dict[str, object]


@dataclass(frozen=True, slots=True)
class Case:
    """One problem: its truth on the unit cube, what is wanted, and what a run's record is worth after each trial.

    ``truth`` maps X (n, d) and the seed to Y (n, m); ``worth`` maps all of a run's Y to one number, more is better.
    """

    name: str
    title: str
    dimensions: int
    outputs: tuple[str, ...]
    aims: Callable[[int], Aims]
    truth: Callable[[Array, int], Array]
    noise: tuple[float, ...]
    worth: Callable[[Array, int], float]
    proposed: int
    at_a_time: int = 1
    enough: float = np.inf
    """Where a run ends, for problems that count evaluations."""
    limits: dict[str, dict[str, float]] = field(default_factory=dict, hash=False)
    """Bounds that outputs must keep."""
    data: Path | None = None
    """What the truth was learned from, if from a file."""

    def objectives(self, seed: int) -> Objectives:
        """Return what is wanted."""
        return Objectives.from_mapping(self.aims(seed), self.limits)

    @property
    def start(self) -> int:
        """Sobol points before the first proposal."""
        return 2 * (self.dimensions + 1)

    @property
    def evaluations(self) -> int:
        """Evaluations of one run."""
        return self.start + self.proposed


# Targets: three inputs, three outputs to match within 0.5 % (rms), as when a force field is calibrated

TOLERANCE = 0.005


def _mechanism(X: Array, _: int) -> Array:
    """Return three positive outputs that bend, interact and saturate: density-, viscosity- and porosity-like."""
    a, b, c = X.T
    density = 2 + 0.35 * np.tanh(1.8 * (a - 0.4)) + 0.15 * b * (1 - c)
    viscosity = np.exp(0.9 * b - 0.7 * a + 0.5 * np.sin(3 * c) * b)
    porosity = 0.45 - 0.12 * c**0.7 + 0.08 * (a - 0.5) * b - 0.05 * np.cos(2.5 * b)
    return np.column_stack([density, viscosity, porosity])


def _matching(truth: Callable[[Array, int], Array], names: tuple[str, ...]) -> dict[str, Any]:
    """Return aims, worth and end of a match of all outputs with those of a hidden point of the cube's inner part."""

    def target(seed: int) -> Array:
        hidden = np.random.default_rng([seed, 77]).uniform(0.15, 0.85, (1, 3))
        return truth(hidden, seed)[0]

    def aims(seed: int) -> Aims:
        pairs = zip(names, target(seed).tolist(), strict=True)
        return {name: {"match": value, "tolerance": TOLERANCE * value} for name, value in pairs}

    def worth(Y: Array, seed: int) -> float:
        """Return minus the least rms mismatch, as a fraction of the targets."""
        return -float(np.sqrt(np.mean((Y / target(seed) - 1) ** 2, axis=1)).min())

    return {"outputs": names, "aims": aims, "truth": truth, "worth": worth, "enough": -TOLERANCE}


# An emulator: what a Gaussian process learned from generated electrodes. Its kernels are the most probable ones.

LEARNED = {
    "tliq": (19.4**2, (2.67, 4.62, 2.26), 0.0099),
    "tsol": (14.8**2, (4.25, 26.2, 8.72), 0.00424),
    "Active_Surface": (26.4**2, (6.58, 37.5, 13.0), 0.00361),
}
"""Per output the kernel's variance, lengths by input and noise, all of the scaled output."""
STRUCTURE_OUTPUTS = ("tortuosity_factor_pore", "tortuosity_factor_solid", "active_surface")
"""The same by names that a campaign knows: it learns tortuosity factors by their logarithm."""


@cache
def _emulators() -> list[Any]:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    X, columns = read(STRUCTURES)
    kernels = [ConstantKernel(v) * Matern(lengths, nu=2.5) + WhiteKernel(n) for v, lengths, n in LEARNED.values()]
    return [
        GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True).fit(X, columns[name])
        for name, kernel in zip(LEARNED, kernels, strict=True)
    ]


def _structures(X: Array, _: int) -> Array:
    """Return tortuosity factors of pores and solid, and the active surface [%], by gap, active material, porosity."""
    return np.column_stack([one.predict(X) for one in _emulators()])


# Hypervolume


def _dtlz2(X: Array, _: int) -> Array:
    g = np.sum((X[:, 1:] - 0.5) ** 2, axis=1)
    angle = X[:, 0] * np.pi / 2
    return np.column_stack([(1 + g) * np.cos(angle), (1 + g) * np.sin(angle)])


def _c2dtlz2(X: Array, seed: int) -> Array:
    """Return DTLZ2 with a limit's slack: both ends and the middle of the front are allowed, as BoTorch has it."""
    f = _dtlz2(X, seed)
    ends = np.minimum((f[:, 0] - 1) ** 2 + f[:, 1] ** 2, (f[:, 1] - 1) ** 2 + f[:, 0] ** 2) - 0.2**2
    middle = np.sum((f - 1 / np.sqrt(2)) ** 2, axis=1) - 2 * 0.2**2
    return np.column_stack([f, -np.minimum(ends, middle)])


def _branin_currin(X: Array, _: int) -> Array:
    """Return Branin and Currin as BoTorch scales them."""
    u, v = 15 * X[:, 0] - 5, 15 * X[:, 1]
    branin = (v - 5.1 / (4 * np.pi**2) * u**2 + 5 / np.pi * u - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(u) + 10
    a, b = X.T
    edge = 1 - np.exp(-1 / (2 * np.maximum(b, 1e-12)))
    currin = edge * (2300 * a**3 + 1900 * a**2 + 2092 * a + 60) / (100 * a**3 + 500 * a**2 + 4 * a + 20)
    return np.column_stack([branin, currin])


def _least_two(worst: tuple[float, float]) -> tuple[Callable[[int], Aims], Callable[[Array, int], float]]:
    aims: Aims = {f"f{i}": {"goal": "minimize", "threshold": value} for i, value in enumerate(worst)}
    return lambda _: aims, lambda Y, _: hypervolume(-Y, -np.array(worst))


def _where_slack(Y: Array, seed: int) -> float:
    """Return the hypervolume of the rows whose last output is not negative."""
    allowed = Y[Y[:, -1] >= 0, :-1]
    return DTLZ2_WORTH(allowed, seed) if len(allowed) else 0.0


# One objective

_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_P = 1e-4 * np.array([
    [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
])  # fmt: skip


def _hartmann(X: Array, _: int) -> Array:
    inner = np.sum(_A * (X[:, None] - _P) ** 2, axis=2)
    return -(np.exp(-inner) @ _ALPHA)[:, None]


DTLZ2_AIMS, DTLZ2_WORTH = _least_two((1.1, 1.1))
CURRIN_AIMS, CURRIN_WORTH = _least_two((18.0, 6.0))
CASES = {
    case.name: case
    for case in (
        Case("target", "three targets, 3 inputs", 3, noise=(0.004, 0.002, 0.0008), proposed=52,
             **_matching(_mechanism, ("density", "viscosity", "porosity"))),
        Case("structures", "three targets of electrode structures, 3 inputs", 3, noise=(0.02, 0.004, 0.1), proposed=52,
             data=STRUCTURES, **_matching(_structures, STRUCTURE_OUTPUTS)),
        Case("dtlz2", "DTLZ2, 6 inputs", 6, ("f0", "f1"), DTLZ2_AIMS, _dtlz2, (0.01, 0.01), DTLZ2_WORTH, 40),
        Case("c2dtlz2", "C2-DTLZ2, 4 inputs, a limit, 2 at a time", 4, ("f0", "f1", "slack"), DTLZ2_AIMS, _c2dtlz2,
             (0.01, 0.01, 0.005), _where_slack, 40, 2, limits={"slack": {"at_least": 0.0}}),
        Case("branincurrin", "Branin-Currin, 2 inputs, 4 at a time", 2, ("f0", "f1"), CURRIN_AIMS, _branin_currin,
             (15.19, 0.63), CURRIN_WORTH, 80, 4),
        Case("hartmann6", "Hartmann, 6 inputs", 6, ("f0",), lambda _: {"f0": "minimize"}, _hartmann, (0.02,),
             lambda Y, _: -float(Y.min()), 40),
    )
}  # fmt: skip
