"""Fit the calender and the contacts to measured porosities, and say how well that foretells what was left out.

``python benchmarks/calibrate_calendering.py DATA [--home FOLDER] [--seeds N] [--friction VALUE] [--foretell]
[--write FILE]`` reads measured rows (CSV: am_wt_frac, solid_to_liquid_pct, calender_gap_um, porosity_before,
thickness_before_um, porosity_after), makes each row's coating (share of active material, solids content), calenders it
over a grid of friction, pressure and adhesion, and fits three numbers: the machine's stiffness k in P = k (h - gap),
the friction, and the adhesion of the carbon-binder domain (CBD); the permanent share of a contact's flattening is given
(``--share``). Friction and stiffness lie in one valley: with ``--friction`` the first is given, and two numbers are
fitted. For each coating a polynomial of second degree in friction and log pressure, and of first in log adhesion,
averages over the seeds' noise between the points of the grid. Heights are those of the whole coating, which keeps its
mass: h = loading / (solid density (1 - porosity)); porosities are bulk ones, since the loose faces of a thin volume are
nothing beside a coating of 100 um. Leave-one-out errors stand beside those of two models without particles: the mean,
and an exponential porosity-pressure law with the same machine.
``--foretell`` simulates formulations of 93 to 97 % with the fitted numbers and prints what the same calender would make
of coatings of other thicknesses. ``--write`` keeps friction, adhesion and share as a force field that a recipe can
name, with what they were fitted to; the stiffness is the machine's own.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.optimize import brentq, least_squares
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from mesoforge.physics.failure import Failure
from mesoforge.physics.force_fields import ForceField, fitted, write_force_field
from mesoforge.physics.manufacture import manufacture
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store

FRICTIONS, PRESSURES, ADHESIONS = (0.08, 0.16, 0.3), (4.0, 20.0, 100.0, 250.0), (500.0, 2000.0)
Bounds = tuple[list[float], list[float]]
INSIDE: Bounds = ([0.01, FRICTIONS[0], ADHESIONS[0]], [20.0, FRICTIONS[-1], ADHESIONS[-1]])
"""Bounds of stiffness, friction and adhesion: neither of the last is extrapolated beyond the grid."""
FITTED = ("friction", "adhesion")
"""Parameters of the force field among the fitted numbers, which the stiffness precedes."""
FORMULATIONS, STARTS, GAPS = (0.93, 0.94, 0.95, 0.96, 0.97), (100.0, 150.0, 200.0), (1.0, 44.0, 100.0)
"""Shares of active material, thicknesses before [um] and roll gaps [um] that are foretold on request."""
SOLIDS, START_POROSITY = 0.645, 0.47
"""Their solids content, and their porosity before calendering, which says only how much mass a thickness has."""
NAMES = ("calendering_pressure", "porosity_bulk_under_load", "porosity_bulk")
LEAST, MOST = 1.0, 300.0
"""Pressures between which the balance of machine and electrode is sought [MPa]."""

Coating = tuple[float, float]
"""Share of active material among the solids, and solids content of the slurry."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measured electrode: its coating, roll gap and thickness before [um], porosity before and after."""

    coating: Coating
    gap: float
    thickness: float
    before: float
    after: float
    name: str

    def height(self, porosity: float) -> float:
        """Return the height at a porosity [um]: solids stay, the area too."""
        return self.thickness * (1 - self.before) / (1 - porosity)


Law = Callable[[Coating, np.ndarray, float], tuple[float, float]]
"""From a coating, fitted numbers and a pressure [MPa]: the porosities under load and after release."""


def read(path: Path) -> list[Row]:
    """Read the measured rows."""
    with path.open(encoding="utf-8") as file:
        return [
            Row(
                (float(row["am_wt_frac"]), float(row["solid_to_liquid_pct"]) / 100),
                float(row["calender_gap_um"]),
                float(row["thickness_before_um"]),
                float(row["porosity_before"]),
                float(row["porosity_after"]),
                f"{row['am_wt_frac']} active, {row['solid_to_liquid_pct']} % solids, gap {row['calender_gap_um']} um",
            )
            for row in csv.DictReader(file)
        ]


def simulated(task: tuple[dict[str, float], Path]) -> list[float]:
    """Make one electrode."""
    values, root = task
    made = manufacture(Recipe().with_values({"numerics.voxel": 0.6} | values), Store(root))
    return [math.nan] * len(NAMES) if isinstance(made, Failure) else [made.properties[name] for name in NAMES]


def made_of(tasks: Sequence[tuple[dict[str, float], Path]], workers: int) -> list[list[float]]:
    """Make the electrodes of some recipes, several at once."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(simulated, tasks))


def coatings_of(rows: Sequence[Row]) -> list[Coating]:
    """Return the coatings of some rows, each once."""
    return sorted({row.coating for row in rows})


def prepared(coating: Coating) -> dict[str, float]:
    """Return the inputs of a coating."""
    return {"formulation.active_material": coating[0], "formulation.solids_content": coating[1]}


def grid(coatings: Sequence[Coating], seeds: int, root: Path, workers: int, share: float) -> np.ndarray:
    """Simulate all of the grid, (coatings, frictions, pressures, adhesions, seeds, names)."""
    points = list(itertools.product(coatings, FRICTIONS, PRESSURES, ADHESIONS, range(1, seeds + 1)))
    tasks = [
        (
            prepared(coating)
            | {
                "force_field.friction": friction,
                "force_field.adhesion": adhesion,
                "force_field.plasticity": share,
                "calendering.pressure": pressure,
                "seed": seed,
            },
            root,
        )
        for coating, friction, pressure, adhesion, seed in points
    ]
    order = sorted(range(len(tasks)), key=lambda i: points[i][-1])  # a seed's coatings are made once, first
    made = dict(zip(order, made_of([tasks[i] for i in order], workers), strict=True))
    values = np.array([made[i] for i in range(len(tasks))])
    return values.reshape(len(coatings), len(FRICTIONS), len(PRESSURES), len(ADHESIONS), seeds, len(NAMES))


def terms(friction: np.ndarray, pressure: np.ndarray, adhesion: np.ndarray) -> np.ndarray:
    """Return what the porosities are linear in, (n, 9): second degree, but for the two adhesions first."""
    f, p, a = friction, np.log(pressure), np.log(adhesion)
    return np.column_stack([np.ones_like(f), f, p, a, f * f, p * p, f * p, f * a, p * a])


def particle_law(coatings: Sequence[Coating], found: np.ndarray) -> Law:
    """Return porosities under load and after release, each coating's by least squares over the grid and its seeds."""
    axes = np.meshgrid(FRICTIONS, PRESSURES, ADHESIONS, range(found.shape[4]), indexing="ij")
    places = terms(*(axis.ravel() for axis in axes[:3]))

    def weights(values: np.ndarray) -> np.ndarray:
        made = np.isfinite(values).all(axis=1)
        fitted, _, rank, _ = np.linalg.lstsq(places[made], values[made, 1:], rcond=None)
        if rank < places.shape[1]:
            raise SystemExit(f"too many simulations failed ({len(made) - made.sum()} of {len(made)} of one coating)")
        return np.asarray(fitted)

    known = {coating: weights(values.reshape(-1, len(NAMES))) for coating, values in zip(coatings, found, strict=True)}

    def law(coating: Coating, numbers: np.ndarray, pressure: float) -> tuple[float, float]:
        place = terms(*(np.array([one]) for one in (numbers[1], pressure, numbers[2])))[0]
        loaded, released = place @ known[coating]
        return float(loaded), float(released)

    return law


def exponential(_: Coating, numbers: np.ndarray, pressure: float) -> tuple[float, float]:
    """Return a porosity that falls by the same amount with each factor in pressure; two numbers, no particles."""
    share = float(np.clip(numbers[1] - numbers[2] * math.log(pressure), 0.01, 0.95))
    return share, share


def foretold(law: Law, numbers: np.ndarray, row: Row) -> float:
    """Return the released porosity where the machine, P = k (h - gap), and the electrode are in balance."""

    def excess(log_pressure: float) -> float:
        pressure = math.exp(log_pressure)
        return float(numbers[0] * (row.height(law(row.coating, numbers, pressure)[0]) - row.gap) - pressure)

    low, high = math.log(LEAST), math.log(MOST)
    if excess(low) <= 0 or excess(high) >= 0:
        return law(row.coating, numbers, LEAST if excess(low) <= 0 else MOST)[1]
    return law(row.coating, numbers, math.exp(brentq(excess, low, high)))[1]


def inside(friction: float | None) -> Bounds:
    """Return the bounds of what is fitted; a given friction leaves it the rounding that a bound needs."""
    if friction is None:
        return INSIDE
    low, high = ([k, friction + shift, adhesion] for (k, _, adhesion), shift in zip(INSIDE, (-1e-6, 1e-6), strict=True))
    return low, high


def fit(law: Law, rows: Sequence[Row], start: Sequence[float], bounds: Bounds) -> np.ndarray:
    """Fit a law's numbers to measured porosities after calendering; several starts of k, the best fit wins."""

    def misses(numbers: np.ndarray) -> list[float]:
        return [foretold(law, numbers, row) - row.after for row in rows]

    starts = [[k, *start[1:]] for k in (0.1, 0.5, 2.0)]
    tried = [
        least_squares(misses, one, bounds=bounds, x_scale=np.abs(one), diff_step=1e-3, ftol=1e-12, xtol=1e-12)
        for one in starts
    ]
    numbers: np.ndarray = min(tried, key=lambda found: found.cost).x
    return numbers


def left_out(law: Law, rows: Sequence[Row], start: Sequence[float], bounds: Bounds) -> float:
    """Return the root mean square error of each row foretold from all others."""
    misses = [
        foretold(law, fit(law, [*rows[:i], *rows[i + 1 :]], start, bounds), row) - row.after
        for i, row in enumerate(rows)
    ]
    return float(np.sqrt(np.mean(np.square(misses))))


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted stiffness, friction and adhesion, and the errors of the fit and of each row foretold by others."""

    numbers: np.ndarray
    rmse: float
    left_out: float


def force_field(found: Fit, rows: Sequence[Row], given: argparse.Namespace) -> ForceField:
    """Return the default force field with what was fitted, what was given, and what the fitted rests on."""
    data, seeds = given.data.name, given.seeds
    fitted_to = (
        f"released bulk porosity of {len(rows)} calendered electrodes ({data}), {seeds} seeds: RMSE {found.rmse:.4f}, "
        f"leave-one-out {found.left_out:.4f}"
    )
    if given.friction is not None:
        fitted_to += f", friction given as {given.friction:g}"
    values = {key: float(f"{value:.4g}") for key, value in zip(FITTED, found.numbers[1:], strict=True)}
    spans = dict(zip(values, zip(*(bounds[1:] for bounds in INSIDE), strict=True), strict=True))
    sources = {key: f"{fitted_to}; {searched(value, *spans[key])}" for key, value in values.items()}
    note = f"Holds together with calendering.stiffness {found.numbers[0]:.4g} MPa/um, which was fitted along."
    known = {"force_field.plasticity": given.share}
    base = Recipe().with_values(known).force_field
    if given.friction is not None:
        del values["friction"], sources["friction"]
        others = tuple(one for one in base.basis if one.of != "friction")  # the default may rest on other rows
        base = base.model_copy(update={"friction": given.friction, "basis": others})
    return fitted(base, values, sources, given.write.stem, note)


def searched(value: float, low: float, high: float) -> str:
    """Say between which bounds a value was sought, and whether it lies at one of them."""
    border = min(value - low, high - value) < 0.01 * (high - low)
    return f"searched from {low:g} to {high:g}{', found at the border' if border else ''}"


def report(rows: Sequence[Row], found: np.ndarray, friction: float | None = None) -> Fit:
    """Print fits, errors and predictions; return the fit of the particles, at a friction if one is given."""
    after = np.array([row.after for row in rows])
    mean = np.array([np.delete(after, i).mean() - value for i, value in enumerate(after)])
    whole = found[..., 2][np.isfinite(found[..., 2]).sum(axis=-1) > 1]
    if len(whole):
        print(f"standard deviation of seeds, released bulk porosity: {np.nanstd(whole, axis=1, ddof=1).mean():.4f}")
    print(f"{int(np.isnan(found[..., 0]).sum())} of {found[..., 0].size} simulations failed")
    start = (0.5, 0.15 if friction is None else friction, 1000.0)
    models = {
        "particles": (particle_law(coatings_of(rows), found), start, inside(friction)),
        "exponential": (exponential, (0.5, 0.4, 0.03), ([0.01, 0.1, 0.0], [20.0, 0.9, 0.3])),
    }
    print("\n| model | fitted numbers | RMSE of the fit | leave-one-out RMSE |\n|---|---|---|---|")
    print(f"| mean | 1 | {after.std():.4f} | {np.sqrt(np.mean(mean**2)):.4f} |")
    fits, errors = {}, {}
    for name, (law, start, bounds) in models.items():
        fits[name] = fit(law, rows, start, bounds)
        rmse = np.sqrt(np.mean([(foretold(law, fits[name], row) - row.after) ** 2 for row in rows]))
        numbers = ", ".join(f"{value:.4g}" for value in fits[name])
        errors[name] = float(rmse), left_out(law, rows, start, bounds)
        print(f"| {name} | {numbers} | {rmse:.4f} | {errors[name][1]:.4f} |")
    print("\nparticles: k [MPa/um], friction, adhesion [mJ/m2]; exponential: k, porosity at 1 MPa, slope per e-fold\n")
    print("| row | measured | particles | exponential |\n|---|---|---|---|")
    for row in rows:
        cells = [f"{foretold(models[name][0], fits[name], row):.4f}" for name in models]
        print(f"| {row.name} | {row.after:.4f} | {' | '.join(cells)} |")
    return Fit(fits["particles"], *errors["particles"])


def foretell(found: Fit, given: argparse.Namespace) -> None:
    """Simulate other formulations with the fitted numbers, and print what a calender would make of them."""
    nature = {
        "force_field.friction": found.numbers[1],
        "force_field.adhesion": found.numbers[2],
        "force_field.plasticity": given.share,
    }
    points = list(itertools.product(range(1, given.seeds + 1), FORMULATIONS, PRESSURES))
    tasks = [
        (nature | prepared((active, SOLIDS)) | {"calendering.pressure": pressure, "seed": seed}, given.home)
        for seed, active, pressure in points
    ]
    values = np.array(made_of(tasks, given.workers))
    made = np.isfinite(values).all(axis=1)
    axes = np.array([[active, math.log(pressure)] for _, active, pressure in points])
    surface = make_pipeline(PolynomialFeatures(2), LinearRegression()).fit(axes[made], values[made, 1:])
    error = float(np.std(values[made, 2] - surface.predict(axes[made])[:, 1], ddof=6))
    print(f"\nForetold released bulk porosities; single electrodes scatter by {error:.3f} around them\n")
    print(f"| active material | thickness before, um | {' | '.join(f'gap {gap:g} um' for gap in GAPS)} |")
    print("|---" * (2 + len(GAPS)) + "|")
    for active, start in itertools.product(FORMULATIONS, STARTS):

        def law(coating: Coating, _: np.ndarray, pressure: float) -> tuple[float, float]:
            loaded, released = surface.predict([[coating[0], math.log(pressure)]])[0]
            return float(loaded), float(released)

        rows = [Row((active, SOLIDS), gap, start, START_POROSITY, math.nan, "") for gap in GAPS]
        cells = [f"{foretold(law, found.numbers, row):.3f}" if row.gap < start else "untouched" for row in rows]
        print(f"| {active:g} | {start:g} | {' | '.join(cells)} |")


def main() -> None:
    """Simulate, fit, print, and write the force field where that is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="measured rows")
    parser.add_argument("--home", type=Path, default=Path("mlruns") / "calibration", help="where stages are kept")
    parser.add_argument("--seeds", type=int, default=3, help="electrodes per point of the grid")
    parser.add_argument("--share", type=float, default=0.9, help="permanent share of a contact's flattening")
    parser.add_argument("--friction", type=float, help="given friction; fitted without one")
    parser.add_argument("--workers", type=int, default=1, help="electrodes made at once")
    parser.add_argument("--foretell", action="store_true", help="also simulate other formulations, with the fit")
    parser.add_argument("--write", type=Path, metavar="FILE", help="YAML file for the fitted force field")
    given = parser.parse_args()
    least, most = FRICTIONS[0], FRICTIONS[-1]
    if given.friction is not None and not least <= given.friction <= most:
        parser.error(f"--friction is {given.friction:g} but must lie in the grid, {least:g} to {most:g}")
    rows = read(given.data)
    best = report(rows, grid(coatings_of(rows), given.seeds, given.home, given.workers, given.share), given.friction)
    if given.foretell:
        foretell(best, given)
    if given.write:
        write_force_field(force_field(best, rows, given), given.write)
        print(f"\nForce field: {given.write}; mesoforge forcefield show {given.write}")


if __name__ == "__main__":
    main()
