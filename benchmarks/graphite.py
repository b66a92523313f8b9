"""How does graphite calender beside NMC, and what do its flakes do?

``python benchmarks/graphite.py [--seeds N] [--pressures 25,100] [--home FOLDER] [--out FILE]`` calenders three coatings
of equal volume of solids and equal sizes of particles: NMC; graphite with NMC's shapes, so that the material alone
differs; and the flakes of examples/graphite.yaml. Prints porosity, spring-back, order of the long axes and the
tortuosity factor along and across the thickness before and after, as means and standard deviations over seeds, and
draws the curves.
What was simulated before is found again in the home.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mesoforge.experiments.canvas import new_figure, save, style
from mesoforge.experiments.converge import loading_curve
from mesoforge.experiments.home import Home
from mesoforge.physics.balance import as_dried
from mesoforge.physics.beads import Beads
from mesoforge.physics.failure import Failure
from mesoforge.physics.manufacture import BEADS, VOXELS, Electrode, manufacture
from mesoforge.physics.microstructure.measure import measure
from mesoforge.physics.microstructure.quantity import Conductors
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.store import Store
from mesoforge.physics.voxels import Voxels, voxelise

EXAMPLE = Path(__file__).parents[1] / "examples" / "graphite.yaml"
MEASURES = ("phases", "transport", "particles")
MEASURED = (
    "porosity_voxels",
    "tortuosity_factor_z",
    "tortuosity_factor_x",
    "tortuosity_factor_y",
    "orientation_order",
)
COLOURS = ("#8a8f98", "#2c6fbb", "#c0392b")
TOUCHED = 0.5
"""Pressure up to which the plane only settles the loose beads at the surface, in jerks [MPa]."""
Values = dict[str, Any]


def recipes(given: argparse.Namespace) -> dict[str, Recipe]:
    """Return the three coatings; of one formulation by volume of active material, one side and the same sizes."""
    size = {"volume.side": given.side, "volume.mass_loading": given.loading, "numerics.voxel": given.voxel}
    flakes = load_recipe(EXAMPLE).with_values(size)
    shapes = {"source": "synthetic", "sphericity": 0.75, "sphericity_sd": 0.04, "roughness": 0.12}
    lumps = flakes.with_values({f"particles.{name}": value for name, value in shapes.items()})
    nmc = {"materials.active": "nmc111", **heavier(flakes)}
    return {"NMC, lumps": lumps.with_values(nmc), "graphite, lumps": lumps, "graphite, flakes": flakes}


def heavier(graphite: Recipe) -> Values:
    """Return what keeps the volumes of all components where the active material is as heavy as NMC."""
    share, own = graphite.formulation, graphite.materials.active.density
    active = share.active_material * Recipe().materials.active.density / own
    total = active + share.carbon + share.binder
    solids = total / (total + 1 / share.solids_content - 1)
    return {
        "formulation.active_material": active / total,
        "formulation.carbon": share.carbon / total,
        "formulation.binder": share.binder / total,
        "formulation.solids_content": solids,
        "volume.mass_loading": graphite.volume.mass_loading * total,
    }


def states(made: Electrode) -> Values:
    """Return the numbers of the dried and of the calendered state, the curve under load and all properties."""
    recipe = as_dried(made.recipe)
    conductors = Conductors(nanoporosity=recipe.drying.cbd_nanoporosity)
    dried = voxelise(Beads.load(made.stages["drying"] / BEADS), recipe)
    pressed = Voxels.load(made.stages["measurement"] / VOXELS)
    porosity, pressure = loading_curve(made)
    return {
        "dried": measure(dried, conductors, MEASURES).numbers,
        "calendered": measure(pressed, conductors, MEASURES).numbers,
        "curve": (pressure, porosity),
        "properties": made.properties,
    }


def study(given: argparse.Namespace) -> dict[str, dict[float, list[Values]]]:
    """Make all electrodes: per coating and pressure [MPa] one for each seed."""
    store, found = Store(Home(given.home).store), dict[str, dict[float, list[Values]]]()
    for name, recipe in recipes(given).items():
        for pressure in given.pressures:
            for seed in range(1, given.seeds + 1):
                made = manufacture(recipe.with_values({"calendering.pressure": pressure, "seed": seed}), store)
                if isinstance(made, Failure):
                    print(f"{name}, seed {seed}: {made.stage} failed ({made.kind}): {made.reason}", flush=True)
                    continue
                found.setdefault(name, {}).setdefault(pressure, []).append(states(made))
                print(f"{name}, {pressure:g} MPa, seed {seed}: {made.wall_s:.0f} s", flush=True)
    return found


def said(values: Sequence[float]) -> str:
    """Return mean and standard deviation over the seeds."""
    known = np.array(values, dtype=np.float64)
    return f"{known.mean():.3f} ± {known.std(ddof=1):.3f}" if len(known) > 1 else f"{known.mean():.3f}"


def rows(kept: Sequence[Values]) -> dict[str, str]:
    """Return what is told of electrodes of one coating and pressure."""
    told = {
        words: said([one["properties"][name] for one in kept])
        for words, name in (
            ("dried porosity", "dried_porosity"),
            ("porosity under load", "porosity_under_load"),
            ("porosity after release", "porosity"),
        )
    }
    back = [one["properties"]["thickness"] / one["properties"]["thickness_under_load"] - 1 for one in kept]
    told["spring-back, of the loaded thickness"] = said(back)
    for when in ("dried", "calendered"):
        for name in MEASURED:
            told[f"{name}, {when}"] = said([one[when][name] for one in kept])
        told[f"tau z over mean of x and y, {when}"] = said([anisotropy(one[when]) for one in kept])
    return told


def anisotropy(numbers: Mapping[str, float]) -> float:
    """Return the tortuosity factor along the thickness over that across it."""
    across = (numbers["tortuosity_factor_x"] + numbers["tortuosity_factor_y"]) / 2
    return float(numbers["tortuosity_factor_z"] / across)


def report(found: Mapping[str, Mapping[float, Sequence[Values]]]) -> None:
    """Print a table for each pressure as Markdown."""
    for pressure in sorted({level for levels in found.values() for level in levels}):
        columns = {name: rows(levels[pressure]) for name, levels in found.items() if pressure in levels}
        print(f"\n{pressure:g} MPa\n\n| | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
        for words in next(iter(columns.values())):
            print(f"| {words} | " + " | ".join(column[words] for column in columns.values()) + " |")


def draw(found: Mapping[str, Mapping[float, Sequence[Values]]], path: Path) -> None:
    """Draw porosity against pressure; order of the long axes, and anisotropy of the tortuosity factor, by porosity."""
    with style():
        figure, (left, middle, right) = new_figure(13, 4.2, columns=3)
        for (name, levels), colour in zip(found.items(), COLOURS, strict=False):
            farthest = levels[max(levels)]
            for place, one in enumerate(farthest):
                pressure, porosity = one["curve"]
                on = slice(int(np.flatnonzero(pressure < TOUCHED).max(initial=-1)) + 1, None)
                left.plot(pressure[on], porosity[on], color=colour, lw=1.2, label=None if place else name)
            for kept in levels.values():
                after = [(one["properties"]["calendering_pressure"], one["properties"]["porosity"]) for one in kept]
                left.plot(*np.array(after).T, "o", color=colour, ms=5)
            every = [one for kept in levels.values() for one in kept]
            for when, fill in (("dried", "white"), ("calendered", colour)):
                porosity = [one[when]["porosity_voxels"] for one in every]
                middle.plot(porosity, [one[when]["orientation_order"] for one in every], "o", color=colour, mfc=fill)
                right.plot(porosity, [anisotropy(one[when]) for one in every], "o", color=colour, mfc=fill)
        left.set(xscale="log", xlabel="Pressure of the plane (MPa)", ylabel="Porosity; points: after release")
        middle.set(xlabel="Porosity", ylabel="Order of the long axes (-0.5: flat)")
        right.set(xlabel="Porosity", ylabel="Tortuosity, along over across")
        left.legend(fontsize=8.5)
        save(figure, path)


def numbers(text: str) -> list[float]:
    """Read numbers parted by commas."""
    return [float(word) for word in text.split(",")]


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pressures", type=numbers, default=[25.0, 100.0], help="MPa, parted by commas")
    parser.add_argument("--side", type=float, default=14.0, help="of the volume [um]")
    parser.add_argument("--loading", type=float, default=2.3, help="of the graphite coatings [mg/cm2]")
    parser.add_argument("--voxel", type=float, default=0.25, help="edge [um]")
    parser.add_argument("--home", type=Path, default=Path("mlruns"), help="where results are kept")
    parser.add_argument("--out", type=Path, default=Path("graphite.png"), help="figure")
    given = parser.parse_args()
    found = study(given)
    report(found)
    draw(found, given.out)
    print(f"\nFigure: {given.out}")


if __name__ == "__main__":
    main()
