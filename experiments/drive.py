"""The verbs behind the command line: make one electrode, drive a study, rebuild the view."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, cast

from mesoforge.errors import InputError
from mesoforge.experiments.assessing import assess_finished
from mesoforge.experiments.cluster import Demand, pool_at
from mesoforge.experiments.home import Home
from mesoforge.experiments.known import known_electrodes
from mesoforge.experiments.rates import check_installed, rated, rates_of
from mesoforge.experiments.report import study_report
from mesoforge.experiments.report_page import write_page
from mesoforge.experiments.runner import Watch, Work, run
from mesoforge.experiments.study import FORMAT as STUDY_FORMAT
from mesoforge.experiments.study import SINGLE, Kind, Plan, Study, check_format
from mesoforge.experiments.tracking import Tracker, TrackingError
from mesoforge.experiments.unshared import gallery
from mesoforge.experiments.verdict import verdict, winner, write_verdict
from mesoforge.experiments.view import Follower, electrode_run
from mesoforge.experiments.work import electrode_name, make_electrode, outcome_of
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import FORMAT, Event, Journal
from mesoforge.optimize.problem import OtherProblemError
from mesoforge.optimize.trial import Measured, Trial, Value
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.record import read_yaml
from mesoforge.physics.store import Store

PATIENCE_S = 60.0
"""How long an electrode that was made waits for another to be recorded."""
Say = Callable[[str], None]


def make(recipe: Recipe, home: Home, on_stage: Say, complain: Say) -> dict[str, Any]:
    """Make, measure, draw and record the electrode of a recipe; return what a worker returns."""
    Store(home.store)
    _check_tracking(home, complain)
    started = time.time()
    value = make_electrode(recipe.model_dump(mode="json"), str(home.root), on_stage)
    event: Event = {
        "event": "made",
        "format": FORMAT,
        "recipe": recipe.model_dump(mode="json"),
        "started": started,
        "at": time.time(),
        "outcome": {key: value[key] for key in value if key not in ("notes", "stages", "found", "portrait")},
    }
    on_stage("record")
    with home.only_driver(SINGLE, PATIENCE_S):
        Journal(home.journal(SINGLE)).append(event)
        try:
            _record_single(Tracker(home.root, SINGLE), event, home)
        except TrackingError as error:
            complain(str(error))
    return value


def _check_tracking(home: Home, complain: Say) -> None:
    """Meet what is wrong with MLflow's database before anything is simulated."""
    with home.only_driver(SINGLE, PATIENCE_S):
        try:
            Tracker(home.root, SINGLE)
        except TrackingError as error:
            complain(str(error))


def _record_single(tracker: Tracker, event: Any, home: Home) -> str:  # noqa: ANN401 - what JSON held
    """Write one electrode's run and return its key: who makes an electrode again finds its run."""
    recipe = Recipe.from_mapping(event["recipe"])
    outcome = outcome_of(event["outcome"])
    name = (isinstance(outcome, Measured) and outcome.electrode) or electrode_name(recipe)
    key = f"electrode-{name[:12]}"
    tracker.record(electrode_run(key, "user", recipe, home, event["started"], event["at"], outcome))
    return key


def drive(
    plan: Plan,
    home: Home,
    watch: Callable[[Campaign], Watch],
    complain: Say,
    work: Work = make_electrode,
    tracking_uri: str | None = None,
    retry: Collection[str] = (),
) -> dict[str, Any]:
    """Run a study to its end, or go on with it where it was left; return its verdict.

    Args:
        plan: the checked study.
        home: where it is recorded.
        watch: given the campaign, returns what is told each trial.
        complain: told when MLflow cannot be written.
        work: what a worker does.
        tracking_uri: an MLflow server in place of the home's own database.
        retry: kinds of failures; trials that failed in one of them are made again.

    Raises:
        InputError: the study's journal is of another problem, another process drives it, or PyBaMM is missing for it.
    """
    Store(home.store)
    home.check_writable()
    check_installed(plan.problem.objectives.outputs)
    _mind_cores(plan, complain)
    name = plan.study.name
    with home.only_driver(name):
        campaign = _campaign(plan, home)
        campaign.retry(retry)
        keep_study(plan, home.study(name))
        _begin_with_known(campaign, plan, home)
        follower = Follower(plan, campaign, home, tracking_uri, complain)
        follower.begin()
        try:
            pictures = [gallery(plan, home, complain)] if plan.study.where.scratch else []
            _run(campaign, plan, home, [*pictures, follower, watch(campaign)], work, complain)
        except BaseException:
            follower.finish("interrupted", None)
            raise
        return conclude(plan, campaign, home, follower)


def _begin_with_known(campaign: Campaign, plan: Plan, home: Home) -> None:
    """Tell a new campaign of the electrodes that it might have made itself."""
    if plan.study.start_from_known and plan.kind == "optimize" and not campaign.trials:
        for one in known_electrodes(plan, home):
            campaign.know(one.values, one.seed, one.outcome, one.fidelity)


def _campaign(plan: Plan, home: Home) -> Campaign:
    """Return the campaign of a plan; where the study has changed since it began, a free name is offered."""
    try:
        return Campaign(
            plan.problem,
            Journal(home.journal(plan.study.name)),
            plan.study.strategy,
            stop=plan.stop,
            repeat=plan.study.repeat,
            reuse=plan.study.reuse,
        )
    except OtherProblemError as error:
        free = next(name for n in count(2) if not home.study(name := f"{plan.study.name}-{n}").exists())
        raise InputError(f"{error}: 'name: {free}' in the study or --name {free} is free") from None


def _mind_cores(plan: Plan, complain: Say) -> None:
    workers, ranks, cores = plan.study.workers, plan.base.numerics.ranks, os.cpu_count() or 1
    if plan.study.where.kind == "local" and ranks > 1 and workers * ranks > cores:
        complain(
            f"{workers} workers with {ranks} ranks each share {cores} cores: lower one of them, or each rank waits "
            "for the others."
        )


def _run(campaign: Campaign, plan: Plan, home: Home, watches: list[Watch], work: Work, complain: Say) -> None:
    if campaign.done:
        return

    def tell_all(trial: Trial) -> None:
        for watch in watches:
            watch(trial)

    demand = Demand(plan.study.workers, plan.base.numerics.ranks, home.root.resolve(), complain)
    with pool_at(plan.study.where, demand) as pool:
        if dashboard := getattr(pool, "dashboard", ""):
            complain(f"Dask's dashboard is at {dashboard}")
        run(campaign, plan, home.root.resolve(), pool, _with_rates(plan, work), tell_all)


def _with_rates(plan: Plan, work: Work) -> Work:
    """Return the work of a worker, with the discharges that the study's aims need."""
    rates = rates_of(plan.problem.objectives.outputs)
    return partial(rated, rates, work) if rates else work


def conclude(plan: Plan, campaign: Campaign, home: Home, follower: Follower) -> dict[str, Any]:
    """Write a campaign's findings to its folder and to MLflow, and return them."""
    found = verdict(plan, campaign)
    folder = home.study(plan.study.name)
    write_verdict(found, plan, campaign, folder)
    assess_finished(plan, campaign, folder)
    write_page(study_report(found, plan, campaign, home), folder / "report.html")
    follower.finish("finished" if campaign.done else "interrupted", winner(campaign))
    return found


def keep_study(plan: Plan, folder: Path) -> None:
    """Keep the study's definition beside its journal, so that the view can be rebuilt from there."""
    import yaml

    kept = (
        {"format": STUDY_FORMAT}
        | plan.study.model_dump(mode="json")
        | {
            "recipe": plan.base.model_dump(mode="json", exclude_none=True),
            "kind": plan.kind,
            **({} if plan.draws is None else {"average_over": str(plan.draws.path)}),
        }
    )
    if plan.study.points:
        kept["points"] = list(plan.points)  # a file's, too
    temporary = folder / "study.yaml.tmp"
    temporary.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")
    temporary.replace(folder / "study.yaml")


def kept_plan(home: Home, name: str, changes: Mapping[str, Any] | None = None) -> Plan:
    """Return the plan of a study that was driven before, with some of its keys changed."""
    path = home.study(name) / "study.yaml"
    kept = read_yaml(path)
    check_format(kept, path)
    kept.pop("format", None)
    kind: Kind = "sample" if kept.pop("kind", "optimize") == "sample" else "optimize"
    return Plan(Study.from_mapping({**kept, **(changes or {})}, name), kind)


def resumed_plan(home: Home, name: str, changes: Mapping[str, Any]) -> Plan:
    """Return the plan of a study to go on with.

    Raises:
        InputError: there is no such study.
    """
    names = [one for one in home.studies() if one != SINGLE]
    if name not in names:
        raise InputError(
            f"there is no study '{name}' in '{home.root}' to go on with: use one of {', '.join(names) or 'none yet'}, "
            "or another --home."
        )
    return kept_plan(home, name, changes)


def kept_campaign(plan: Plan, home: Home) -> Campaign:
    """Return the campaign of a study as its journal has it, be it of an older version of the physics; to look at."""
    journal = Journal(home.journal(plan.study.name)).reading()
    began = next(iter(journal.events()), {})
    context = cast("dict[str, Value]", began.get("context", plan.problem.context))
    return Campaign(
        replace(plan.problem, context=context),
        journal,
        plan.study.strategy,
        stop=plan.stop,
        repeat=plan.study.repeat,
        reuse=plan.study.reuse,
    )


def sync(home: Home, name: str, tracking_uri: str | None = None) -> int:
    """Write one study's view from its journal and the store; return how many electrodes it shows.

    Raises:
        InputError: another process drives the study.
        TrackingError: MLflow cannot be written.
    """
    with home.only_driver(name):
        if name == SINGLE:
            events = Journal(home.journal(name)).events()
            tracker = Tracker(home.root, SINGLE, tracking_uri)
            return len({_record_single(tracker, event, home) for event in events})
        plan = kept_plan(home, name)
        campaign = kept_campaign(plan, home)
        conclude(plan, campaign, home, Follower(plan, campaign, home, tracking_uri, _give_up))
        return len(campaign.trials)


def _give_up(message: str) -> None:
    raise TrackingError(message)
