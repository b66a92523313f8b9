"""What do realistic shapes do, at equal recipe? Spheres of the same sizes beside lumpy and beside a real electrode's.

``python benchmarks/shape_effect.py [--seeds N] [--workers N] [--home FOLDER] [--voxel UM] [--library FILE]`` makes the
default electrode with spheres, with the plain generated shapes, with generated shapes that have a real NMC electrode's
statistics (and with a library's own particles where one is given), with the same seeds, and prints how each property
differs from that of spheres: mean over the seeds and half a 95 % interval. Volumes and numbers of beads are drawn from
one size distribution, so that only shapes differ; the library's, which has few small particles, is scaled to it. A
sphere of beads is one in the lattice: that of 17 beads is a lump too. Draws porosity against pressure under load.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import t

from mesoforge.experiments.canvas import new_figure, save, style
from mesoforge.experiments.converge import make_measured
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import each, local_pool
from mesoforge.physics.recipe import Recipe

SPHERES = "spheres"
SHAPES: dict[str, dict[str, Any]] = {
    SPHERES: {"particles.sphericity": 1.0, "particles.sphericity_sd": 0.0, "particles.roughness": 0.0},
    "lumpy and elongated": {},
    "a real electrode's statistics": {"particles.source": "fitted"},
}
COLOURS = ("#8a8f98", "#c0392b", "#2c6fbb", "#e69f00")
TOUCHED = 0.5
"""Pressure up to which the plane only settles the loose beads at the surface, in jerks [MPa]."""
SHOWN = {
    "dried_porosity": "dried porosity",
    "porosity_under_load": "porosity under load",
    "porosity": "porosity",
    "spring_back": "spring-back, of the dried thickness",
    "tortuosity_factor_z": "tortuosity factor",
    "specific_surface": "specific surface, 1/um",
    "active_surface": "active surface, 1/um",
    "heterogeneity_active_material_bulk": "unevenness of the profile, bulk",
    "surface_sa": "roughness Sa of the surface, um",
    "krumbein_sphericity_voxels": "Krumbein's sphericity",
    "orientation_order": "order of the long axes",
}


def made(recipes: Sequence[Recipe], home: Home, workers: int) -> list[dict[str, Any]]:
    """Make all electrodes; return what ``converge`` would."""
    calls = [(recipe.model_dump(mode="json"), str(home.root.resolve())) for recipe in recipes]
    with local_pool(workers) as pool:
        return each(pool, make_measured, calls, lambda _, done: print(f"  {done} of {len(recipes)}", flush=True))


def column(electrodes: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Return a property of each electrode, nan where it failed or has none."""
    return np.array([one.get("values", {}).get(name, np.nan) for one in electrodes], dtype=np.float64)


def interval(values: np.ndarray) -> str:
    """Return the mean and half its 95 % interval."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return "-"
    half = t.ppf(0.975, len(known) - 1) * known.std(ddof=1) / len(known) ** 0.5
    return f"{known.mean():+.4f} ± {half:.4f}"


def table(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Print spheres' means, and how much the others differ seed by seed."""
    others = [name for name in results if name != SPHERES]
    print("| | spheres | " + " | ".join(others) + " |\n|" + "---|" * (len(others) + 2))
    for name, words in SHOWN.items():
        base = column(results[SPHERES], name)
        cells = [interval(column(results[other], name) - base) for other in others]
        print(f"| {words} | {np.nanmean(base):.4f} (sd {np.nanstd(base, ddof=1):.4f}) | " + " | ".join(cells) + " |")


def draw(results: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> Path:
    """Draw porosity under load against pressure: the mean over the seeds, and their spread."""
    with style():
        figure, (axes,) = new_figure(6.4, 4.6)
        level = np.geomspace(1, 90, 60)
        for (name, electrodes), colour in zip(results.items(), COLOURS, strict=False):
            curves = np.array([loaded(one, level) for one in electrodes if "values" in one])
            mean, sd = curves.mean(axis=0), curves.std(axis=0, ddof=1)
            axes.fill_between(level, mean - sd, mean + sd, color=colour, alpha=0.2, lw=0)
            axes.plot(level, mean, color=colour, label=f"{name} ({len(curves)} seeds)")
        axes.set(xscale="log", xlabel="Pressure of the plane (MPa)", ylabel="Porosity under load")
        axes.legend()
        return save(figure, path)


def loaded(electrode: Mapping[str, Any], level: np.ndarray) -> np.ndarray:
    """Return the porosity at which an electrode first bore each pressure, (n,), once the coating bears at all."""
    pressure, porosity = np.array(electrode["pressure"]), np.array(electrode["porosity"])
    start = int(np.flatnonzero(pressure < TOUCHED).max(initial=-1)) + 1
    return np.asarray(np.interp(level, np.maximum.accumulate(pressure[start:]), porosity[start:]))


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--voxel", type=float, default=0.3)
    parser.add_argument("--home", type=Path, default=Path("mlruns"))
    parser.add_argument("--library", type=Path)
    parser.add_argument("--out", type=Path, default=Path("shape_effect.png"))
    given = parser.parse_args()
    shapes = dict(SHAPES)
    if given.library:
        shapes["a tomogram's particles"] = {"shapes": str(given.library.absolute()), "particles.scaled": True}
    base = Recipe().with_values({"numerics.voxel": given.voxel})
    recipes = [
        base.with_values(values | {"seed": seed}) for values in shapes.values() for seed in range(1, given.seeds + 1)
    ]
    found = iter(made(recipes, Home(given.home), given.workers))
    results = {name: [next(found) for _ in range(given.seeds)] for name in shapes}
    table(results)
    print(f"figure: {draw(results, given.out)}")


if __name__ == "__main__":
    main()
