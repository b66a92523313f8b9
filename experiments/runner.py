"""The runner: asks the campaign, has the physics run, tells it, and lets others watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mesoforge.errors import InputError
from mesoforge.experiments.pool import Pool
from mesoforge.experiments.study import Plan
from mesoforge.experiments.work import outcome_of
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.trial import Failed, Trial

RETRIES = 2
"""How often a trial is run again when not the physics but a worker or a disk failed."""
Work = Callable[..., dict[str, Any]]
Watch = Callable[[Trial], None]


def run(campaign: Campaign, plan: Plan, root: Path, pool: Pool, work: Work, watch: Watch) -> None:
    """Run a campaign to its end; what was asked before and has not ended runs first.

    Args:
        campaign: what to ask and to tell.
        plan: turns a trial into a recipe.
        root: the home folder, for the workers.
        pool: where the work runs.
        work: makes the electrode of a recipe (plain values) in a home.
        watch: told each trial when it starts and when it has ended.
    """
    waiting, running, retried = list(campaign.pending), set[int](), Counter[int]()

    def start(trial: Trial) -> None:
        try:
            recipe = plan.recipe(trial)
        except InputError as error:  # bounds were checked in pairs; more of them together may still be no recipe
            campaign.fail(trial.number, Failed("not_allowed", "recipe", str(error)))
            return
        pool.submit(trial.number, work, recipe.model_dump(mode="json"), str(root))
        running.add(trial.number)

    while True:
        while len(running) < pool.slots and (trial := waiting.pop(0) if waiting else campaign.ask()):
            start(trial)
            watch(campaign.trials[trial.number])
        if not running:
            return
        number, value = pool.next()
        running.discard(number)
        outcome = outcome_of(value, plan.problem.objectives.outputs)
        if isinstance(outcome, Failed) and outcome.kind == "infrastructure" and retried[number] < RETRIES:
            retried[number] += 1
            start(campaign.trials[number])
            continue
        campaign.end(number, outcome)
        watch(campaign.trials[number])
