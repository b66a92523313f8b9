"""How long does the report of a study of 100 electrodes take, and how large is it?

``python benchmarks/report_time.py [--home FOLDER] [--electrodes 100] [--repeats 3]`` fills a study with numbers in
closed form, makes the electrode that its answer speaks of with the real physics (15 s, once), and times ``mesoforge
report`` as a user runs it: ``first`` draws the study's figures and the electrode's pore sizes, network, orientation and
film, ``again`` finds the latter.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from mesoforge.experiments.drive import keep_study, kept_campaign
from mesoforge.experiments.home import Home
from mesoforge.experiments.report import chosen_trial
from mesoforge.experiments.study import Plan, Study
from mesoforge.experiments.work import electrode_name, make_electrode
from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Measured, Trial
from mesoforge.physics.recipe import Recipe

NAME = "hundred"
DRAWN_LATER = ("pore_sizes", "orientation", "pore_network", "calendering")
"""Pictures that a report draws where they are not there."""
CONFIRMATIONS = 4
COMMAND = "from mesoforge.experiments.cli import main; main()"


def plan_of(electrodes: int) -> Plan:
    """Return a study of three inputs and three aims."""
    start = electrodes // 3
    return Plan(
        Study.from_mapping(
            {
                "name": NAME,
                "variables": {
                    "formulation.active_material": {"low": 0.92, "high": 0.97},
                    "formulation.solids_content": {"low": 0.62, "high": 0.70},
                    "calendering.pressure": {"low": 10, "high": 200, "scale": "log"},
                },
                "objectives": {
                    "porosity": {"match": 0.30, "tolerance": 0.01},
                    "tortuosity_factor_z": "minimize",
                    "areal_capacity": "maximize",
                },
                "budget": {
                    "start": start,
                    "proposed": electrodes - start - CONFIRMATIONS,
                    "confirmations": CONFIRMATIONS,
                },
            }
        ),
        "optimize",
    )


def stand_in(recipe: Recipe) -> dict[str, float]:
    """Return the properties that the study aims at, in closed form, with some noise."""
    noise = np.random.default_rng(recipe.seed).normal(0, 0.004, 2)
    porosity = 0.50 - 0.10 * math.log10(recipe.calendering.pressure or 1.0) + noise[0]
    capacity = 1.5 * recipe.formulation.active_material + noise[1]
    tortuosity = 1.2 * porosity**-0.8 + 8 * (1 - recipe.formulation.active_material)
    return {"porosity": porosity, "tortuosity_factor_z": tortuosity, "areal_capacity": capacity}


def fill(plan: Plan, home: Home) -> None:
    """Write the study's journal, and make the electrode that its answer speaks of."""
    folder = home.study(NAME)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "study.yaml").exists():
        running = Campaign(plan.problem, Journal(home.journal(NAME)), "sobol", learn=None)

        def measure(trial: Trial) -> Measured:
            recipe = plan.recipe(trial)
            return Measured(stand_in(recipe), electrode_name(recipe))

        run_sequentially(running, measure)
        keep_study(plan, folder)
    campaign = kept_campaign(plan, home)
    best = chosen_trial(campaign)
    if best is None:
        raise SystemExit("the study has no best electrode")
    made = make_electrode(plan.recipe(best).model_dump(mode="json"), str(home.root))
    if "kind" in made:
        raise SystemExit(f"the best electrode failed: {made}")
    portrait = Path(made["portrait"])
    for name in DRAWN_LATER:
        for path in portrait.glob(f"{name}.*"):
            path.unlink()


def timed(home: Home, page: Path) -> tuple[float, float]:
    """Run the command; return its seconds by the clock and of all its processors."""
    began, before = time.monotonic(), _children()
    command = [sys.executable, "-c", COMMAND, "report", NAME, "--home", str(home.root), "-o", str(page)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began, _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print one line for each report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--electrodes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home((given.home or Path(folder)).resolve())
        page, plan = Path(folder) / "page.html", plan_of(given.electrodes)
        for _ in range(given.repeats):
            fill(plan, home)
            for words in ("first", "again"):
                clock, processor = timed(home, page)
                size = page.stat().st_size / 1e6
                print(f"{words}: {clock:.1f} s, {processor:.1f} s of processors, {size:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
