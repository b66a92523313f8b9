"""How many slurries does it take until both measured densities are met within 0.5 %?

``python benchmarks/slurry_search.py [--home FOLDER] [--paper | --side UM --loading MG] [--starts N] [--sets N]
[--seeds N]`` searches the box of ``examples/calibrate_slurry.yaml``: bead factor 0.70 to 0.90, well depth 200 to 1,500
fJ. Each set of the two parameters costs two slurries, one for each measured formulation, all of one seed. With
``--paper`` these are ``examples/paper_94.yaml`` and ``paper_96.yaml``, of the paper's volume, and no more is done than
the first part.

First the loop of ``mesoforge calibrate`` asks for real slurries, from some Sobol starts. Then N sets that fill the box
are simulated, a Gaussian process learns both densities from them, and on it each method runs with many seeds, which
would take days of real slurries: 4 Sobol sets, the same for all of one seed, then the method's own. Methods see
densities with the process's noise; a set counts where the noise-free ones are met. Finished slurries are kept in the
folder and found again.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from slurry_trend import MEASURED

from mesoforge.optimize.calibration import Calibrated, Calibration
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.posterior import Targets
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Measured, Trial
from mesoforge.physics.failure import Failure
from mesoforge.physics.manufacture import obtain
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.store import Store
from mesoforge.surrogate.table import Array

SPACE = Space.from_mapping({
    "force_field.slurry_bead_factor": {"low": 0.70, "high": 0.90},
    "force_field.slurry_well_depth": {"low": 200, "high": 1500, "scale": "log"},
})  # fmt: skip
NAMES = ("94 %", "96 %")
VALUES = np.array([density for _, density in MEASURED.values()])
WITHIN, SD = 0.005, 0.005  # of a density; of a measured one [g/cm3]
START, MOST = 4, 60
EXAMPLES = Path(__file__).parents[1] / "examples"
METHODS = ("botorch", "sobol", "random", "pso", "cma-es", "optuna-tpe", "optuna-gp")


def recipes(given: argparse.Namespace) -> list[Recipe]:
    """Return the recipes of both measured slurries: the paper's, or the default's mixed so in a volume of its own."""
    if given.paper:
        return [load_recipe(EXAMPLES / f"paper_{round(100 * active)}.yaml") for active in MEASURED]
    volume = {"volume.side": given.side or 12.0, "volume.mass_loading": given.loading or 3.0}
    mixes = [
        {"formulation.active_material": active, "formulation.solids_content": solids}
        for active, (solids, _) in MEASURED.items()
    ]
    return [Recipe().with_values({**volume, **mix}) for mix in mixes]


def slurries(point: Array, given: argparse.Namespace) -> Array:
    """Return both densities (2,) [g/cm3] at a point (2,) of the unit cube, simulated or found."""
    found = []
    for recipe in recipes(given):
        done = obtain(recipe.with_values(SPACE.from_unit(point)), Store(given.home / "store"), ("packing", "slurry"))
        if isinstance(done, Failure):
            raise SystemExit(f"failed: {done}")
        found.append(float(done["slurry"].result["slurry_density"]))
    return np.array(found)


def misses(densities: Array) -> float:
    """Return the larger deviation of both, as a fraction."""
    return float(np.abs(densities / VALUES - 1).max())


def calibration(seed: int, folder: Path) -> Calibration:
    """Return the loop of ``mesoforge calibrate``."""
    targets = Targets(NAMES, VALUES, np.full(2, SD), np.zeros(2, dtype=bool))
    problem = Calibrated("slurry", SPACE, targets, START, MOST - START, seed, confirm=False)
    return Calibration(problem, Journal(folder / "journal.jsonl"))


def campaign(method: str, seed: int, folder: Path) -> Campaign:
    """Return the loop of a strategy, which follows the rms mismatch of both densities."""
    aims = {
        name: {"match": value, "tolerance": WITHIN * value} for name, value in zip(NAMES, VALUES.tolist(), strict=True)
    }
    problem = Problem("slurry", SPACE, Objectives.from_mapping(aims), Budget(START, MOST - START, 0), seed)
    return Campaign(problem, Journal(folder / "journal.jsonl"), method, learn=None)


def searched(
    loop: Calibration | Campaign, truth: Callable[[Array], Array], seen: Callable[[Trial], Array] | None = None
) -> int:
    """Return after how many sets a loop, which by default sees the truth, meets both densities; ``MOST`` if never."""
    while (trial := loop.ask()) is not None:
        here = truth(SPACE.to_unit(trial.values))
        told = here if seen is None else seen(trial)
        loop.end(trial.number, Measured(dict(zip(NAMES, told.tolist(), strict=True))))
        if misses(here) <= WITHIN:
            return trial.number + 1
    return MOST


class Emulator:
    """What a Gaussian process per density learned from sets that fill the box."""

    def __init__(self, X: Array, Y: Array) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        kernel = ConstantKernel(10.0) * Matern([1.0, 3.0], (0.1, 100), nu=2.5) + WhiteKernel(1e-3, (1e-8, 1e-1))
        self.models = [
            GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=3, random_state=0).fit(X, y)
            for y in Y.T
        ]
        noise = np.array([model.kernel_.k2.noise_level for model in self.models])
        self.noise = np.sqrt(noise) * Y.std(axis=0)

    def __call__(self, point: Array) -> Array:
        """Return both densities (2,) at a point (2,)."""
        return np.array([float(model.predict(point[None])[0]) for model in self.models])

    def seen(self, trial: Trial, seed: int) -> Array:
        """Return the same of a trial, with noise."""
        errors = np.random.default_rng([seed, trial.number]).standard_normal(2)
        return np.asarray(self(SPACE.to_unit(trial.values)) + self.noise * errors)


def compare(truth: Emulator, seeds: int) -> None:
    """Print how many slurries each method needs."""
    print("\n| method | seeds | slurries until both are met, median (quartiles) | never |\n|---|---|---|---|")
    for method in ("calibrate", *METHODS):
        began = calibration if method == "calibrate" else partial(campaign, method)
        counts = []
        for seed in range(1, seeds + 1):
            with tempfile.TemporaryDirectory() as folder:
                counts.append(searched(began(seed, Path(folder)), truth, partial(truth.seen, seed=seed)))
        low, middle, high = 2 * np.percentile(counts, [25, 50, 75])
        never = sum(count == MOST for count in counts)
        print(f"| {method} | {seeds} | {middle:g} ({low:g} to {high:g}) | {never} of {seeds} |", flush=True)


def main() -> None:
    """Search with real slurries, then compare on what was learned of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("mlruns"))
    parser.add_argument("--paper", action="store_true", help="the paper's volume and recipes")
    parser.add_argument("--side", type=float, help="12 um by default")
    parser.add_argument("--loading", type=float, help="3 mg/cm2 by default")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--sets", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args()
    if given.paper and (given.side or given.loading):
        parser.error("--paper has a volume of its own: leave out --side and --loading")
    real = partial(slurries, given=given)
    for seed in range(1, given.starts + 1):
        with tempfile.TemporaryDirectory() as folder:
            count = searched(calibration(seed, Path(folder)), real)
        print(f"seed {seed}: real slurries until both densities are within {100 * WITHIN:g} %: {2 * count}", flush=True)
    if given.paper:
        return
    X = sobol_points(2, 0, given.sets)
    Y = np.array([real(point) for point in X])
    emulator = Emulator(X, Y)
    print(f"\nemulator of {given.sets} sets; noise {100 * emulator.noise / VALUES} %")
    compare(emulator, given.seeds)


if __name__ == "__main__":
    main()
