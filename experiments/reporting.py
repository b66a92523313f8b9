"""A report by the name of what it is on: gathers what the page needs from journal, store and portraits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mesoforge.experiments.calibration_page import calibration_report
from mesoforge.experiments.drive import kept_campaign, kept_plan
from mesoforge.experiments.home import Home
from mesoforge.experiments.report import chosen_trial, electrode_report, find_electrode, hash_of, study_report
from mesoforge.experiments.structure_charts import OTHERS, draw_structure
from mesoforge.experiments.study import SINGLE, Plan
from mesoforge.experiments.verdict import verdict, write_verdict
from mesoforge.optimize.campaign import Campaign
from mesoforge.physics.recipe import load_recipe


def report_on(target: str, home: Home) -> str:
    """Return the page on a study, a calibration or an electrode; pictures that are missing are drawn first.

    Raises:
        InputError: there is no such study, calibration or electrode, or the electrode failed.
    """
    if target in home.studies() and target != SINGLE:
        plan = kept_plan(home, target)
        campaign = kept_campaign(plan, home)
        with _drawn_beside(plan, campaign, home):
            found = verdict(plan, campaign)
            write_verdict(found, plan, campaign, home.study(target))
        return study_report(found, plan, campaign, home)
    if (folder := _calibrated(target, home)) is not None:
        return calibration_report(folder)
    folder = find_electrode(target, home)
    draw_structure(load_recipe(folder / "recipe.yaml"), home, folder)
    return electrode_report(folder)


def _calibrated(name: str, home: Home) -> Path | None:
    """Return the folder of a calibration that came to a result."""
    folder = home.root / "calibrations" / name
    return folder if Path(name).name == name and (folder / "result.json").is_file() else None


@contextmanager
def _drawn_beside(plan: Plan, campaign: Campaign, home: Home) -> Iterator[None]:
    """Draw the structure of the electrode that the answer speaks of in a process beside; it is there in the end.

    Half of a report's time goes into its pores, which need nothing of the rest.
    """
    trial = chosen_trial(campaign)
    folder = None if trial is None else home.portrait(hash_of(trial, plan))
    if trial is None or folder is None or not folder.is_dir():
        yield
        return
    command = [sys.executable, "-m", "mesoforge.experiments.structure_charts", str(home.root.resolve()), str(folder)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, plan.recipe(trial).model_dump_json()], **quiet) as beside:  # type: ignore[call-overload]
        try:
            yield
            draw_structure(plan.recipe(trial), home, folder, OTHERS)
        except BaseException:
            beside.terminate()
            raise
    draw_structure(plan.recipe(trial), home, folder)  # where it failed beside, this says why
