"""What does an electrode of the paper's size cost, and how does the cost grow with the number of beads?

``python benchmarks/paper_scale.py [--beads 14204,...] [--ranks N] [--published] [--keep FOLDER]`` makes the 96/4
electrode from packing to relaxation and measurement and prints, per stage, seconds, steps and particle-steps, the peak
memory and the core-hours beside the paper's (Xu et al.: 44 to 72 h on 28 cores). Volumes differ in side, not in mass
per area; a side below 35 um cuts the size distribution at side / 2.5. With several numbers of beads a chart of the cost
per bead is drawn.

``--published`` times some hundred steps of the field's published kind of schedule on the same beads and the same ranks
(every bead on its own, Lennard-Jones with granular contacts, a step of 1e-3 us), and multiplies by its steps: 2e7 for
the slurry, 7e7 for drying, 1e7 for calendering. It is an estimate: the published runs themselves are not made.

Nothing is reused: a kept folder must be empty. The load of the machine is printed, since it is part of any time.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from mesoforge.experiments.canvas import new_figure, save, style
from mesoforge.physics.balance import balance, masses
from mesoforge.physics.beads import Beads
from mesoforge.physics.contact import diameters
from mesoforge.physics.failure import Failure
from mesoforge.physics.lammps.execute import LOG, execute
from mesoforge.physics.lammps.files import DATA, UNITS, write_data
from mesoforge.physics.manufacture import BEADS, STAGES, Electrode, manufacture
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.slurry import pair_sigmas, write_slurry
from mesoforge.physics.store import Store

PAPER_BEADS, PAPER_SIDE = 14207, 36.0
"""Beads of the paper's 96 % electrode, and about the side of its slurry [um]."""
PAPER_CORE_HOURS = (44 * 28, 72 * 28)
SIMULATED = ("slurry", "drying", "calendering")
PUBLISHED_STEPS = {"slurry": 2e7, "drying": 7e7, "calendering": 1e7}
"""Steps of the field's published schedule."""
CONTACT = "hertz/material 1e5 0.1 0.25 tangential linear_history 1e5 0.5 0.1"
"""Contact of any two beads there: kind and cost as published, values soft enough for its step."""
TIMED = 300
"""Steps that are timed of it."""
RAN = re.compile(r"^Loop time of (\S+) .* for (\d+) steps", re.MULTILINE)
PEAK_UNIT = 2**20 if sys.platform == "darwin" else 2**10
"""ru_maxrss in a mebibyte: it counts bytes on macOS and KiB on Linux."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One electrode: its beads, and by stage the wall-clock seconds and the steps."""

    beads: int
    side: float
    seconds: dict[str, float]
    steps: dict[str, int]

    @property
    def particle_steps(self) -> float:
        """Return beads times steps over all simulations."""
        return float(self.beads * sum(self.steps.values()))

    @property
    def total_s(self) -> float:
        """Return the seconds of all stages."""
        return sum(self.seconds.values())


def recipe_of(beads: int, ranks: int, voxel: float) -> Recipe:
    """Return the recipe whose volume holds about so many beads, at the mass per area of the paper's electrode."""
    unit = Recipe().with_values({"volume.side": PAPER_SIDE})
    amounts = balance(unit)
    loading = unit.volume.mass_loading * PAPER_BEADS / (amounts.active_beads + amounts.cbd_beads)
    side = PAPER_SIDE * (beads / PAPER_BEADS) ** 0.5
    changes = {"volume.side": side, "volume.mass_loading": loading, "numerics.ranks": ranks}
    return unit.with_values(changes | {"numerics.voxel": voxel, "numerics.time_limit": 1e5})


def made(recipe: Recipe, root: Path) -> tuple[Electrode, Cost] | Failure:
    """Make an electrode and say what it cost, or why it failed."""
    began: dict[str, float] = {}

    def on_stage(stage: str) -> None:
        began[stage] = time.monotonic()

    electrode = manufacture(recipe, Store(root / "store"), on_stage)
    if isinstance(electrode, Failure):
        return electrode
    if any(electrode.found.values()):
        raise SystemExit(f"'{root}' holds this electrode already: give an empty folder, what is found costs nothing.")
    ends = [*list(began.values())[1:], time.monotonic()]
    seconds = {stage: end - began[stage] for stage, end in zip(STAGES, ends, strict=True)}
    steps = {stage: steps_in(electrode.stages[stage]) for stage in SIMULATED}
    beads = len(Beads.load(electrode.stages["packing"] / BEADS))
    return electrode, Cost(beads, recipe.volume.side, seconds, steps)


def steps_in(folder: Path) -> int:
    """Return the steps of all simulations in a stage's folder, as LAMMPS counted them."""
    return sum(int(steps) for log in folder.rglob(LOG) for _, steps in RAN.findall(log.read_text(encoding="utf-8")))


def published_script(recipe: Recipe, wet: bool) -> str:
    """Write some steps of the published kind: every bead on its own, Lennard-Jones and granular contacts overlaid.

    The cutoff is ours, so that no difference in range is counted as one in cost; the potential is weak and small, lest
    the beads of a particle, free here, fly apart.
    """
    sigmas, depth = pair_sigmas(recipe), recipe.force_field.slurry_well_depth
    if not wet:
        active, cbd = recipe.particles.primary_diameter, recipe.drying.cbd_diameter
        sigmas = {"1 1": active, "1 2": (active + cbd) / 2, "2 2": cbd}
    force = "\n".join(
        f"pair_coeff {pair} lj/smooth/linear {depth / 1000:.6g} {sigma / 2:.6g} {2 * sigma:.6g}"
        for pair, sigma in sigmas.items()
    )
    wall = "" if wet else f"fix low all wall/gran granular {CONTACT} zplane 0.0 NULL\n"
    press = "fix press all press/berendsen iso 100 100 10 modulus 1000\n" if wet else ""
    return f"""{UNITS}boundary p p {"p" if wet else "m"}
read_data {DATA}
pair_style hybrid/overlay granular lj/smooth/linear {2 * sigmas["2 2"]:.6g}
pair_coeff * * granular {CONTACT}
{force}
neighbor 0.6 bin
neigh_modify delay 0 every 2 check yes
timestep 1e-3
fix move all nve/sphere
fix drag all viscous 100
{wall}{press}run 20
run {TIMED}
print "done" file done
"""


def published_seconds(electrode: Electrode, folder: Path) -> dict[str, float]:
    """Return the seconds per step of the published kind of schedule on the same beads, by stage."""
    recipe, found = electrode.recipe, dict[str, float]()
    for stage in ("slurry", "drying"):
        place = folder / f"published_{stage}"
        place.mkdir(parents=True)
        beads = Beads.load(electrode.stages[stage] / BEADS)
        if stage == "slurry":
            write_slurry(beads, recipe, place / DATA)
        else:
            write_data(beads, diameters(beads, recipe), masses(beads, recipe), place / DATA, walls=True)
        execute(published_script(recipe, stage == "slurry"), place, recipe.numerics.time_limit, recipe.numerics.ranks)
        seconds, steps = RAN.findall((place / LOG).read_text(encoding="utf-8"))[-1]
        found[stage] = float(seconds) / int(steps)
    return found | {"calendering": found["drying"]}


def peak_mib(who: int) -> float:
    """Return the largest resident memory of this process or of any that it waited for [MiB]."""
    return resource.getrusage(who).ru_maxrss / PEAK_UNIT


def report(cost: Cost, ranks: int) -> None:
    """Print the cost of one electrode as Markdown."""
    print(f"\n{cost.beads} beads, side {cost.side:.1f} um, {ranks} rank(s); load {os.getloadavg()[0]:.1f}\n")
    print("| stage | seconds | steps | particle-steps | us per particle-step |\n|---|---|---|---|---|")
    for stage, seconds in cost.seconds.items():
        steps = cost.steps.get(stage, 0)
        each = f"{1e6 * seconds / (steps * cost.beads):.2f}" if steps else "-"
        print(f"| {stage} | {seconds:.1f} | {steps or '-'} | {steps * cost.beads:.3g} | {each} |")
    print(f"| all | {cost.total_s:.1f} | {sum(cost.steps.values())} | {cost.particle_steps:.3g} | - |")
    hours = ranks * cost.total_s / 3600
    low, high = PAPER_CORE_HOURS
    times = f"{low / hours:.0f} to {high / hours:.0f} times as many"
    print(f"\nAt most {hours:.3f} core-hours; the paper {low} to {high}, {times}.")
    mine, child = peak_mib(resource.RUSAGE_SELF), peak_mib(resource.RUSAGE_CHILDREN)
    print(f"Peak memory so far: {mine:.0f} MiB here, {child:.0f} MiB in the largest child.", flush=True)


def report_published(cost: Cost, each: dict[str, float]) -> None:
    """Print what the published schedule would take at the time per step that was measured."""
    print("\n| stage | published: s per step | steps | hours | ours: s | ratio |\n|---|---|---|---|---|---|")
    for stage, steps in PUBLISHED_STEPS.items():
        took, ours = each[stage] * steps, cost.seconds[stage]
        print(f"| {stage} | {each[stage]:.3g} | {steps:.0e} | {took / 3600:.1f} | {ours:.1f} | {took / ours:.0f} |")
    total = sum(each[stage] * steps for stage, steps in PUBLISHED_STEPS.items())
    ours = sum(cost.seconds[stage] for stage in PUBLISHED_STEPS)
    print(f"| all | - | 1e+08 | {total / 3600:.1f} | {ours:.1f} | {total / ours:.0f} |", flush=True)


def draw(costs: list[Cost], path: Path) -> None:
    """Draw seconds per bead and steps against the number of beads, by stage."""
    beads = [cost.beads for cost in costs]
    with style():
        figure, (left, right) = new_figure(10, 4.2, 1, 2)
        for stage in STAGES:
            left.plot(
                beads,
                [1e3 * cost.seconds[stage] / cost.beads for cost in costs],
                "o-",
                color=f"C{STAGES.index(stage)}",
                label=stage,
            )
        for stage in SIMULATED:
            right.plot(beads, [cost.steps[stage] for cost in costs], "o-", color=f"C{STAGES.index(stage)}", label=stage)
        left.set(xscale="log", yscale="log", xlabel="Beads", ylabel="Milliseconds per bead")
        right.set(xscale="log", yscale="log", xlabel="Beads", ylabel="Steps")
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(STAGES))
        save(figure, path)


def run(given: argparse.Namespace, root: Path) -> None:
    """Make and report every electrode."""
    costs = []
    for beads in map(int, given.beads.split(",")):
        outcome = made(recipe_of(beads, given.ranks, given.voxel), root)
        if isinstance(outcome, Failure):
            print(f"\n{beads} beads failed in {outcome.stage} ({outcome.kind}): {outcome.reason}", flush=True)
            continue
        electrode, cost = outcome
        costs.append(cost)
        report(cost, given.ranks)
        if given.published:
            report_published(cost, published_seconds(electrode, root / f"beads_{beads}"))
    if len(costs) > 1:
        draw(costs, given.chart)
        print(f"\nChart: {given.chart}")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beads", default=str(PAPER_BEADS), help="numbers of beads, parted by commas")
    parser.add_argument("--ranks", type=int, default=1, help="MPI ranks of each simulation")
    parser.add_argument("--voxel", type=float, default=0.2, help="edge of a voxel in the measurement [um]")
    parser.add_argument("--published", action="store_true", help="time the published kind of schedule too")
    parser.add_argument("--chart", type=Path, default=Path("paper_scale.png"), help="chart of the cost against beads")
    parser.add_argument("--keep", type=Path, help="empty folder in which all that is made stays")
    given = parser.parse_args()
    if given.keep:
        run(given, given.keep)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(given, Path(folder))


if __name__ == "__main__":
    main()
