"""A report by the name of what it is on: gathers what the page needs from journal, store and portraits."""

from __future__ import annotations

from typing import Any

from mesoforge.experiments.drive import kept_campaign, kept_plan
from mesoforge.experiments.home import Home
from mesoforge.experiments.report import chosen_trial, electrode_report, find_electrode, hash_of, study_report
from mesoforge.experiments.structure_charts import draw_structure
from mesoforge.experiments.study import SINGLE, Plan
from mesoforge.experiments.verdict import verdict, write_verdict
from mesoforge.optimize.campaign import Campaign
from mesoforge.physics.recipe import load_recipe


def report_on(target: str, home: Home) -> str:
    """Return the page on a study or an electrode; pictures that are missing are drawn first.

    Raises:
        InputError: there is no such study or electrode, or the electrode failed.
    """
    if target in home.studies() and target != SINGLE:
        plan = kept_plan(home, target)
        campaign = kept_campaign(plan, home)
        found = verdict(plan, campaign)
        write_verdict(found, plan, campaign, home.study(target))
        _draw_chosen(found, plan, campaign, home)
        return study_report(found, plan, campaign, home)
    folder = find_electrode(target, home)
    draw_structure(load_recipe(folder / "recipe.yaml"), home, folder)
    return electrode_report(folder)


def _draw_chosen(found: dict[str, Any], plan: Plan, campaign: Campaign, home: Home) -> None:
    """Draw the structure of the electrode that the answer speaks of."""
    trial = chosen_trial(found, campaign)
    if trial is not None and (folder := home.portrait(hash_of(trial, plan))).is_dir():
        draw_structure(plan.recipe(trial), home, folder)
