"""Does dried porosity move with solids content and formulation as in measured coatings?

``python benchmarks/drying_trend.py [--data FILE] [--seeds N]`` regresses the measured porosities of uncalendered NMC111
coatings (one average per condition) on the solids content of the slurry, the active mass fraction and, as a covariate,
one over the mass loading, since loose layers at the faces count the more the thinner a coating is; makes 3 x 3 coatings
with several seeds by the model ``capillary``; regresses those on the same with a level per seed; and prints both slopes
with 95 % intervals. Where the measured table is absent, only the simulated ones.
The table's ratio of solid to liquid is the slurry's mass fraction of solids: as a ratio of masses the slurries would be
of 35 to 42 % solids, too thin for the viscosities that the table reports.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import t

from mesoforge.physics.balance import as_dried, balance
from mesoforge.physics.drying.models import dry
from mesoforge.physics.packing import pack
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.slurry import make_slurry

DATA = Path("..") / "shared" / "data" / "nmc_coating_porosity_measured.csv"
SMALL = {"volume.side": 12.0, "volume.mass_loading": 3.0}
SOLIDS = (0.60, 0.66, 0.72)
ACTIVE = (0.93, 0.945, 0.96)


@dataclass(frozen=True, slots=True)
class Slopes:
    """Slope and half width of its 95 % interval, in points of porosity per point, by name; residual sd in points."""

    slope: dict[str, tuple[float, float]]
    residual: float


def fitted(columns: dict[str, np.ndarray], level: np.ndarray, porosity: np.ndarray) -> Slopes:
    """Fit porosity [points] by least squares to columns (n,) and levels (n, groups)."""
    table = np.column_stack([*columns.values(), level])
    best, *_ = np.linalg.lstsq(table, porosity, rcond=None)
    free = len(porosity) - table.shape[1]
    variance = float(((porosity - table @ best) ** 2).sum()) / free
    error = np.sqrt(variance * np.diag(np.linalg.inv(table.T @ table))) * t.ppf(0.975, free)
    pairs = [(float(b), float(e)) for b, e in zip(best, error, strict=True)]
    return Slopes(dict(zip(columns, pairs, strict=False)), variance**0.5)


def measured(path: Path) -> tuple[Slopes, int]:
    """Regress the measured coatings, one average per condition; return also how many conditions there are."""
    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    _, owner = np.unique(rows[:, :4], axis=0, return_inverse=True)
    means = np.array([rows[owner == one].mean(axis=0) for one in range(owner.max() + 1)])
    columns = {"solids": means[:, 1], "active": means[:, 0], "1/loading": 1 / means[:, 4]}
    return fitted(columns, np.ones((len(means), 1)), means[:, 5]), len(means)


def porosity(recipe: Recipe) -> float:
    """Make a slurry, dry it and return the porosity in points."""
    with tempfile.TemporaryDirectory() as place:
        for name in ("slurry", "drying"):
            (Path(place) / name).mkdir()
        wet = make_slurry(pack(recipe), recipe, Path(place) / "slurry").beads
        beads = dry(wet, as_dried(recipe), Path(place) / "drying").beads
        return 100 * balance(recipe).porosity(beads.volume)


def simulated(base: Recipe, seeds: int) -> Slopes:
    """Make the design and regress it, with a level of its own per seed."""
    rows = []
    for active in ACTIVE:
        for solids in SOLIDS:
            values = {"formulation.active_material": active, "formulation.solids_content": solids}
            found = [porosity(base.with_values(values | {"seed": seed})) for seed in range(1, seeds + 1)]
            print(f"  {100 * active:.1f} % active, {100 * solids:.0f} % solids: {np.mean(found):.2f}", flush=True)
            rows += [(100 * solids, 100 * active, seed, value) for seed, value in enumerate(found)]
    solids, active, seed, value = np.array(rows).T
    return fitted({"solids": solids, "active": active}, np.eye(seeds)[seed.astype(int)], value)


def verdict(name: str, real: tuple[float, float], model: tuple[float, float]) -> str:
    """Say in words whether the model's slope is the measured one."""
    if abs(real[0]) < real[1]:
        return f"{name}: the measured slope cannot be told from none."
    if abs(model[0]) < model[1]:
        return f"{name}: measured a slope, simulated none that can be told from zero."
    if real[0] * model[0] < 0:
        return f"{name}: the model has the wrong sign."
    overlap = abs(real[0] - model[0]) < real[1] + model[1]
    return f"{name}: the sign is right and the intervals {'overlap' if overlap else 'do not overlap'}."


def main() -> None:
    """Print both regressions and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="measured coatings, CSV")
    parser.add_argument("--seeds", type=int, default=3, help="coatings per formulation and solids content")
    given = parser.parse_args()
    model = simulated(Recipe().with_values(SMALL), given.seeds)
    report("simulated", model)
    if not given.data.exists():
        print(f"no measured table at {given.data}")
        return
    real, conditions = measured(given.data)
    report(f"measured, {conditions} conditions", real)
    for name in model.slope:
        print(verdict(name, real.slope[name], model.slope[name]))


def report(title: str, found: Slopes) -> None:
    """Print the slopes of one regression."""
    print(f"{title} (residual sd {found.residual:.2f} points of porosity)")
    for name, (slope, half) in found.slope.items():
        unit = "cm2/mg" if name == "1/loading" else "%"
        print(f"  {name:9s} {slope:+.3f} ± {half:.3f} points per {unit}")


if __name__ == "__main__":
    main()
