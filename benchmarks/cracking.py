"""How do particles crack with the pressure of the calender and with their strength?

``python benchmarks/cracking.py [--strengths 250,500,1000] [--seeds 3] [--pressure 150] [--home FOLDER] [--chart FILE]``
calenders electrodes of bonded particles, each seed's one dried coating with every strength, and prints per strength
the means and standard deviations over seeds; rigid particles of the same coatings stand beside them. One stroke tells
of all pressures up to its own, since breaks are noted as they happen: the chart shows broken bonds against pressure,
and the same with the pressure divided by the strength.

``--rig`` crushes single particles instead: modulus and strength in three directions for several strengths.
What was simulated before is found again in the home.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from matplotlib.ticker import NullFormatter

from mesoforge.experiments.canvas import SERIES, new_figure, save, style
from mesoforge.experiments.crushing import READ, crushing
from mesoforge.experiments.home import Home
from mesoforge.physics.failure import Failure
from mesoforge.physics.fragments import COURSE, PROFILE
from mesoforge.physics.manufacture import obtain
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store, Stored

STAGES = ("packing", "slurry", "drying", "calendering")
SHOWN = (
    "cracking_onset_pressure",
    "broken_bonds_under_load",
    "broken_bonds",
    "cracked_particles",
    "cracked_volume",
    "fragments",
    "crack_surface",
    "crack_height",
    "krumbein_sphericity_change",
    "particle_flattening",
    "porosity_under_load",
    "porosity",
)


def base(given: argparse.Namespace) -> Recipe:
    """Return the recipe of all electrodes but for seed and strength."""
    values = {"volume.side": given.side, "volume.mass_loading": given.loading, "calendering.pressure": given.pressure}
    return Recipe().with_values(values | {"particles.bonded": True, "numerics.time_limit": 1e5})


def calendered(recipe: Recipe, store: Store) -> Stored | None:
    """Return the calendered electrode, or None where it failed, and say why."""
    done = obtain(recipe, store, STAGES)
    if isinstance(done, Failure):
        print(f"seed {recipe.seed}: {done.stage} failed ({done.kind}): {done.reason}", flush=True)
        return None
    return done["calendering"]


def mean_and_sd(found: list[Stored], name: str) -> str:
    """Return mean and standard deviation over the electrodes that have a property, and of how many if not of all."""
    values = [one.result[name] for one in found if name in one.result]
    if not values:
        return "-"
    sd = f" ± {np.std(values, ddof=1):.2g}" if len(values) > 1 else ""
    return f"{np.mean(values):.3g}{sd}" + (f" ({len(values)})" if len(values) < len(found) else "")


def study(given: argparse.Namespace) -> dict[float, list[Stored]]:
    """Calender every seed's coating with every strength and with rigid particles (0)."""
    store, recipe = Store(Home(given.home).store), base(given)
    found: dict[float, list[Stored]] = {0.0: [], **{strength: [] for strength in given.strengths}}
    for seed in range(1, given.seeds + 1):
        for strength, kept in found.items():
            began, busy = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            change = {"particles.bonded": False} if not strength else {"force_field.particle_strength": strength}
            one = calendered(recipe.with_values(change | {"seed": seed}), store)
            if one is not None:
                kept.append(one)
            cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - busy
            print(
                f"seed {seed}, strength {strength:g} MPa: {time.monotonic() - began:.0f} s, CPU {cpu:.0f} s", flush=True
            )
    return found


def report(found: dict[float, list[Stored]], given: argparse.Namespace) -> None:
    """Print the table as Markdown."""
    names = ["rigid" if not strength else f"{strength:g} MPa" for strength in found]
    print(f"\nSide {given.side:g} um, {given.loading:g} mg/cm2, {given.pressure:g} MPa, {given.seeds} seeds\n")
    print("| property | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for name in SHOWN:
        print(f"| {name} | " + " | ".join(mean_and_sd(kept, name) for kept in found.values()) + " |")


def table(found: Stored, name: str) -> np.ndarray:
    """Read a CSV file of a calendered electrode."""
    return np.loadtxt(found.folder / name, delimiter=",", skiprows=1)


def draw(found: dict[float, list[Stored]], given: argparse.Namespace) -> None:
    """Draw broken bonds against pressure, and against pressure over strength; and where they broke."""
    with style():
        figure, (left, middle, right) = new_figure(13, 4, columns=3)
        for colour, (strength, kept) in zip(SERIES, [pair for pair in found.items() if pair[0]], strict=False):
            for number, one in enumerate(kept):
                pressure, broken = table(one, COURSE).T
                label = f"{strength:g} MPa" if number == 0 else None
                left.plot(pressure, 100 * broken, color=colour, lw=1.2, label=label)
                middle.plot(pressure / strength, 100 * broken, color=colour, lw=1.2)
            if kept:
                profile = sum(table(one, PROFILE) for one in kept)
                right.plot(
                    100 * profile[:, 2] / np.maximum(profile[:, 1], 1),
                    profile[:, 0] / len(kept),
                    color=colour,
                    marker="o",
                    ms=4,
                )
        for panel, label in ((left, "Pressure (MPa)"), (middle, "Pressure / strength")):
            panel.set(xlabel=label, ylabel="Broken bonds (%)", xscale="log", yscale="log", ylim=(0.01, 100))
            panel.xaxis.set_minor_formatter(NullFormatter())  # or numbers between the decades cover each other
        left.set_xlim(1, 1.3 * given.pressure)
        middle.set_xlim(0.01, 1.3 * given.pressure / min(given.strengths))
        right.set(xlabel="Broken bonds (%)", ylabel="Height over thickness", ylim=(0, 1), xlim=(0, None))
        left.legend(title="Strength of particles")
        save(figure, given.chart)


def rig(given: argparse.Namespace) -> None:
    """Print modulus and strengths along three directions for each strength as Markdown."""
    for strength in given.strengths:
        recipe = Recipe().with_values({"force_field.particle_strength": strength})
        value = crushing(recipe, given.width, given.repeats, Home(given.home))
        names = [name for name, _, _ in READ]
        print(f"\nStrength {strength:g} MPa, {given.width:g} um, {given.repeats} specimens each\n")
        print("| along | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
        for row in value["directions"]:
            cells = [
                f"{row[name]:.4g}" + (f" ± {row[f'{name}_sd']:.2g}" if row[f"{name}_sd"] else "") for name in names
            ]
            print(f"| <{row['direction']}> | " + " | ".join(cells) + " |")
        print("| largest/least | " + " | ".join(f"{value['largest_over_least'][name]:.3f}" for name in names) + " |")
        print(f"\nPicture: {value['picture']}", flush=True)


def numbers(text: str) -> list[float]:
    """Read numbers parted by commas."""
    return [float(word) for word in text.split(",")]


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strengths", type=numbers, default=[250.0, 500.0, 1000.0], help="MPa, parted by commas")
    parser.add_argument("--seeds", type=int, default=3, help="coatings")
    parser.add_argument("--side", type=float, default=14.0, help="of the volume [um]")
    parser.add_argument("--loading", type=float, default=4.0, help="of the volume [mg/cm2]")
    parser.add_argument("--pressure", type=float, default=150.0, help="of the calender [MPa]")
    parser.add_argument("--rig", action="store_true", help="crush single particles instead")
    parser.add_argument("--width", type=float, default=12.0, help="of specimens in the rig [um]")
    parser.add_argument("--repeats", type=int, default=8, help="specimens of each kind in the rig")
    parser.add_argument("--home", type=Path, default=Path("mlruns"), help="where results are kept")
    parser.add_argument("--chart", type=Path, default=Path("cracking.png"), help="chart of the study")
    given = parser.parse_args()
    if given.rig:
        rig(given)
        return
    found = study(given)
    report(found, given)
    draw(found, given)
    print(f"\nChart: {given.chart}")


if __name__ == "__main__":
    main()
