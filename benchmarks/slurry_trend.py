"""How do a slurry's density and viscosity move with its solids content, and which bead factor meets the densities?

``python benchmarks/slurry_trend.py [--home FOLDER] [--seeds N] [--rate R] [--measured FILE]`` makes and shears slurries
of 55 to 72 % solids in a small volume and prints density beside what volumes alone give, and viscosity. FILE is a table
of measured viscosities with the columns am_wt_pct, solid_to_liquid_pct, comma_gap_um and viscosity_Pa_s; the mean of
what was measured at one formulation, one gap and within one point of a solids content is printed beside the simulated.

``--fit`` makes the slurries of the two formulations whose density is known instead, with several bead factors, and says
where the larger of the two deviations is least. Finished slurries are kept in the folder and found again.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mesoforge.physics.balance import balance
from mesoforge.physics.failure import Failure
from mesoforge.physics.manufacture import obtain
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.rheology import Flow, viscosity
from mesoforge.physics.store import Store

SOLIDS = (0.55, 0.60, 0.64, 0.68, 0.72)
ACTIVE = 0.94
SMALL = {"volume.side": 12.0, "volume.mass_loading": 3.0, "formulation.active_material": ACTIVE}
FACTORS = (0.770, 0.7803, 0.790)
MEASURED = {0.94: (0.650, 2.03), 0.96: (0.679, 2.14)}
"""Active mass fraction: solids content, inferred from the density, and the measured density [g/cm3] (Xu et al.)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One slurry: density [g/cm3], steps of densification, and its flow, if it was sheared."""

    density: float
    steps: int
    flow: Flow | None


def made(recipe: Recipe, store: Store, rate: float | None) -> Sample:
    """Make a slurry, and shear it where a rate [1/s] is given."""
    done = obtain(recipe, store, ("packing", "slurry"))
    flows = [] if rate is None else viscosity(recipe, [rate], store)
    if isinstance(done, Failure) or isinstance(flows, Failure):
        raise SystemExit(f"failed: {done if isinstance(done, Failure) else flows}")
    numbers = done["slurry"].result
    return Sample(numbers["slurry_density"], int(numbers["slurry_steps"]), flows[0] if flows else None)


def spread(values: list[float]) -> str:
    """Write mean and standard error over seeds."""
    return f"{np.mean(values):.4g} ± {np.std(values, ddof=1) / math.sqrt(len(values)):.2g}"


def trend(store: Store, seeds: range, rate: float, measured: Path | None) -> Iterator[str]:
    """Yield the rows of the trend with the solids content."""
    yield "| solids | additive g/cm3 | density g/cm3 | rate 1/s | stress kPa | viscosity Pa s | measured (gap um) |"
    yield "|---|---|---|---|---|---|---|"
    for solids in SOLIDS:
        base = Recipe().with_values(SMALL | {"formulation.solids_content": solids})
        samples = [made(base.with_values({"seed": seed}), store, rate) for seed in seeds]
        flows = [sample.flow for sample in samples if sample.flow]
        cells = [
            f"{100 * solids:g} %",
            f"{balance(base).additive_slurry_density:.3f}",
            spread([sample.density for sample in samples]),
            f"{np.mean([flow.rate for flow in flows]):.2g}",
            spread([flow.stress for flow in flows]),
            spread([flow.viscosity for flow in flows]),
            seen(measured, 100 * solids) if measured else "-",
        ]
        yield f"| {' | '.join(cells)} |"


def seen(path: Path, solids: float, gap: float = 200.0) -> str:
    """Return the mean viscosity measured within one point of a solids content [%], and its gap."""
    with path.open(encoding="utf-8", newline="") as file:
        found = [
            float(row["viscosity_Pa_s"])
            for row in csv.DictReader(file)
            if abs(float(row["am_wt_pct"]) - 100 * ACTIVE) < 0.1
            and abs(float(row["solid_to_liquid_pct"]) - solids) <= 1
            and float(row["comma_gap_um"]) == gap
        ]
    return f"{np.mean(found):.3g} ({gap:g})" if found else "-"


def fit(store: Store, seeds: range) -> Iterator[str]:
    """Yield density and deviation for each bead factor and formulation, and the factor between them that fits best."""
    yield "| bead factor | active | additive g/cm3 | density g/cm3 | measured g/cm3 | deviation | steps |"
    yield "|---|---|---|---|---|---|---|"
    off = np.empty((len(FACTORS), len(MEASURED)))
    for row, factor in enumerate(FACTORS):
        for column, (active, (solids, due)) in enumerate(MEASURED.items()):
            inputs = {"formulation.active_material": active, "formulation.solids_content": solids}
            base = Recipe().with_values(inputs | {"force_field.slurry_bead_factor": factor})
            samples = [made(base.with_values({"seed": seed}), store, None) for seed in seeds]
            densities = [sample.density for sample in samples]
            off[row, column] = np.mean(densities) / due - 1
            yield (
                f"| {factor:g} | {active:g} | {balance(base).additive_slurry_density:.3f} | {spread(densities)} | "
                f"{due:g} | {100 * off[row, column]:+.2f} % | {np.mean([sample.steps for sample in samples]):.0f} |"
            )
    fine = np.linspace(FACTORS[0], FACTORS[-1], 401)
    lines = [np.interp(fine, FACTORS, off[:, column]) for column in range(len(MEASURED))]
    worst = np.abs(lines).max(axis=0)
    yield f"\nbest factor {fine[worst.argmin()]:.4f}, larger deviation {100 * worst.min():.2f} %"


def main() -> None:
    """Print the table as Markdown, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("mlruns") / "slurry_trend", help="where slurries are kept")
    parser.add_argument("--seeds", type=int, default=2, help="slurries per point, two at least")
    parser.add_argument("--rate", type=float, default=3e4, help="shear rate of the walls [1/s]")
    parser.add_argument("--measured", type=Path, help="table of measured viscosities")
    parser.add_argument("--fit", action="store_true", help="fit the bead factor to two measured densities")
    given = parser.parse_args()
    store, seeds = Store(given.home / "store"), range(1, max(2, given.seeds) + 1)
    for line in fit(store, seeds) if given.fit else trend(store, seeds, given.rate, given.measured):
        print(line, flush=True)


if __name__ == "__main__":
    main()
