"""Does the answer move when the equations are solved more finely, or the volume is larger?

``python benchmarks/convergence.py [--quick] [--home FOLDER] [--workers N]`` makes one electrode with several seeds,
again with one numerical setting refined at a time, and prints how far the mean of each property moves. Shifts are given
in standard deviations of single electrodes over the base's seeds; "±" is the standard error of the mean shift of a seed
in that unit: a shift within twice that is none.
Finished stages are kept in the folder, so that an interrupted benchmark goes on where it stopped.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mesoforge.physics.failure import Failure
from mesoforge.physics.manufacture import manufacture
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store

NAMES = ("slurry_density", "dried_porosity", "porosity_under_load", "porosity", "tortuosity_factor_z")
REFINED = {
    "half the time step of the slurry": (0.5, ["numerics.slurry_timestep"]),
    "half the time step of the contacts": (0.5, ["numerics.rayleigh_fraction"]),
    "half the speed of the plane": (0.5, ["numerics.plane_speed", "numerics.drying_speed"]),
    "half the drag": (0.5, ["numerics.viscous_drag", "numerics.drying_drag"]),
    "half the softening": (0.5, ["numerics.calendering_softening"]),
    "half the tolerance of the slurry": (0.5, ["slurry.tolerance"]),
    "half the voxel": (0.5, ["numerics.voxel"]),
    "a quarter of the voxel": (0.25, ["numerics.voxel"]),
}
"""What is refined, by which factor, and the settings that are multiplied by it."""


@dataclass(frozen=True, slots=True)
class Row:
    """The properties of one variant, (seeds, names), nan where the physics failed."""

    name: str
    values: np.ndarray

    @property
    def failed(self) -> int:
        """Count the seeds whose electrode failed."""
        return int(np.isnan(self.values).any(axis=1).sum())


def variants(base: Recipe) -> Iterator[tuple[str, Recipe]]:
    """Yield the base and what is refined of it, by name."""
    inputs = base.flat()
    yield "base", base
    for name, (factor, settings) in REFINED.items():
        yield name, base.with_values({setting: factor * float(inputs[setting]) for setting in settings})
    yield "twice the volume", base.with_values({"volume.side": base.volume.side * math.sqrt(2)} | cut_as(base))
    yield "the same, larger particles too", base.with_values({"volume.side": base.volume.side * math.sqrt(2)})


def cut_as(base: Recipe) -> dict[str, float]:
    """Keep the sizes that the base's volume holds, so that a larger volume changes nothing else."""
    return {"particles.max_diameter": base.largest_diameter}


def measured(task: tuple[Recipe, Path]) -> list[float]:
    """Make one electrode."""
    recipe, root = task
    made = manufacture(recipe, Store(root))
    return [math.nan if isinstance(made, Failure) else made.properties[name] for name in NAMES]


def rows(base: Recipe, seeds: int, root: Path, workers: int) -> Iterator[Row]:
    """Make every variant with every seed, and yield each as it is finished."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for name, recipe in variants(base):
            tasks = [(recipe.with_values({"seed": seed}), root) for seed in range(1, seeds + 1)]
            yield Row(name, np.array(list(pool.map(measured, tasks))))


def shift(row: Row, base: Row) -> list[str]:
    """Say how far a seed moves in the mean, in standard deviations over the base's seeds, with the standard error."""
    moved = (row.values - base.values) / np.nanstd(base.values, axis=0, ddof=1)
    counted = np.sum(~np.isnan(moved), axis=0)
    errors = np.nanstd(moved, axis=0, ddof=1) / np.sqrt(counted)
    return [f"{mean:+.1f} ± {error:.1f}" for mean, error in zip(np.nanmean(moved, axis=0), errors, strict=True)]


def main() -> None:
    """Print the table as Markdown, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a volume of about 600 beads, not 2,300")
    parser.add_argument("--home", type=Path, default=Path("mlruns") / "convergence", help="where stages are kept")
    parser.add_argument("--seeds", type=int, default=6, help="electrodes per variant")
    parser.add_argument("--workers", type=int, default=1, help="electrodes made at once")
    given = parser.parse_args()
    small = {"volume.side": 12.0, "volume.mass_loading": 3.0}
    base = Recipe().with_values(small if given.quick else {})
    print(f"| variant | {' | '.join(NAMES)} | failed |\n|---|{'---|' * (len(NAMES) + 1)}")
    first: Row | None = None
    for row in rows(base, given.seeds, given.home, given.workers):
        if first is None:
            first = row
            cells = [f"{m:.4g} (sd {s:.2g})" for m, s in zip(*spread_of(row), strict=True)]
        else:
            cells = shift(row, first)
        print(f"| {row.name} | {' | '.join(cells)} | {row.failed} |", flush=True)


def spread_of(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation over the seeds, (names,) each."""
    return np.nanmean(row.values, axis=0), np.nanstd(row.values, axis=0, ddof=1)


if __name__ == "__main__":
    main()
