"""Does CBD gather at the surface the more, the faster the coating dries?

``python benchmarks/drying_migration.py [--seeds N] [--rates R ...]`` dries the same slurries by the model
``migration`` at several rates, as coatings of 100 um wet thickness and with the default diffusivity, and by
``capillary``, which knows no rate. It prints CBD in the top third over that in the bottom third, the same of active
material, and how far a slurry's ratio moves from the slowest rate, each with the standard error of its mean over seeds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mesoforge.physics.balance import as_dried, balance
from mesoforge.physics.beads import ACTIVE, Beads
from mesoforge.physics.drying.migration import peclet
from mesoforge.physics.drying.models import dry
from mesoforge.physics.measurement import dried
from mesoforge.physics.packing import pack
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.slurry import make_slurry

SMALL = Recipe().with_values({"volume.side": 12.0, "volume.mass_loading": 3.0})
WET = 100.0
"""Thickness of the wet coating [um]."""


def at_rate(rate: float) -> Recipe:
    """Return the recipe that dries at a rate [g/m2/s]."""
    return SMALL.with_values({"drying.model": "migration", "drying.rate": rate, "drying.wet_thickness": WET})


def slurry(seed: int) -> Beads:
    """Make the slurry of a seed."""
    recipe = SMALL.with_values({"seed": seed})
    with tempfile.TemporaryDirectory() as place:
        return make_slurry(pack(recipe), recipe, Path(place)).beads


def measured(wet: Beads, recipe: Recipe) -> tuple[float, float, float]:
    """Dry a slurry; return the ratio of CBD, that of active material, and the porosity."""
    recipe = as_dried(recipe)
    with tempfile.TemporaryDirectory() as place:
        beads = dry(wet, recipe, Path(place)).beads
    heights = beads.position[beads.kind == ACTIVE, 2] / beads.thickness
    active = float((heights > 2 / 3).sum() / (heights < 1 / 3).sum())
    return dried(beads, recipe)["cbd_surface_to_bottom"], active, balance(recipe).porosity(beads.volume)


def said(values: np.ndarray) -> str:
    """Write a mean with its standard error."""
    return f"{values.mean():.2f} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="slurries, two at least")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.1, 1.0, 10.0], help="g/m2/s, slowest first")
    given = parser.parse_args()
    wet = [slurry(seed) for seed in range(1, given.seeds + 1)]
    recipes = {"capillary": SMALL} | {f"{rate:g} g/m2/s": at_rate(rate) for rate in given.rates}
    print("| drying | Peclet number | cbd_surface_to_bottom | over the slowest | active material | porosity |")
    print("|---|---|---|---|---|---|")
    slowest: np.ndarray | None = None
    for name, recipe in recipes.items():
        rows = [measured(one, recipe.with_values({"seed": seed})) for seed, one in enumerate(wet, start=1)]
        cbd, active, porosity = np.array(rows).T
        number, moved = "", ""
        if recipe is not SMALL:
            slowest = cbd if slowest is None else slowest
            number = f"{peclet(recipe, WET):.2g}"
            moved = "" if slowest is cbd else said(cbd - slowest)
        print(f"| {name} | {number} | {said(cbd)} | {moved} | {said(active)} | {porosity.mean():.3f} |", flush=True)


if __name__ == "__main__":
    main()
