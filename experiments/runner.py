"""The runner: asks the campaign, has the physics run, tells it, and lets others watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import RETRIES, Pool
from mesoforge.experiments.stage_tree import Chain, StageTree, chain_of
from mesoforge.experiments.study import Plan
from mesoforge.experiments.work import outcome_of
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.trial import Failed, Outcome, Trial
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store

PATIENCE_S: Final = 1.0
"""How often is looked whether a stage that others wait for has been made."""
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
    runner = Runner(campaign, plan, root, pool, work)
    fill = runner.fill_together if plan.study.synchronous else runner.fill
    while True:
        fill()
        while runner.show_one(watch):  # only now that the free workers have something to do, and one thing at a time
            while runner.settle(0.0):
                fill()
        if not runner.running:
            return
        runner.settle(PATIENCE_S)


@dataclass
class Runner:
    """What is under way: trials that run, trials that wait for a stage that another one makes, and results."""

    campaign: Campaign
    plan: Plan
    root: Path
    pool: Pool
    work: Work
    running: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Take up what was asked before and has not ended."""
        self._waiting = list(self.campaign.pending)
        self._tree = StageTree(Store(Home(self.root).store))
        self._recipes: dict[int, tuple[Recipe, Chain]] = {}
        self._retried: Counter[int] = Counter()
        self._together: dict[int, Outcome] = {}
        self._news: list[Trial] = []

    def fill(self) -> None:
        """Give the free workers something to do."""
        while len(self.running) < self.pool.slots and (trial := self._next()):
            self._start(trial)
        short_of_work = len(self.running) < self.pool.slots
        self.pool.want(len(self.running) if short_of_work else self.plan.study.workers)

    def fill_together(self) -> None:
        """Ask for as many trials as the study has workers, but only when all of the last ones have ended.

        They are told in the order of their numbers: whatever ran them, the next proposals are the same.
        """
        if self.running:
            return
        for number in sorted(self._together):
            self._end(number, self._together.pop(number))
        while len(self.running) < self.plan.study.workers and (trial := self._next()):
            self._start(trial)

    def settle(self, patience_s: float) -> bool:
        """Wait for a result for a while, and tell the campaign; whether there was one."""
        if (found := self.pool.news(patience_s)) is None:
            return False
        number, value = found
        outcome = outcome_of(value, self.plan.problem.objectives.outputs)
        if isinstance(outcome, Failed) and outcome.kind == "infrastructure" and self._retried[number] < RETRIES:
            self._retried[number] += 1
            self._submit(number)
            return True
        self.running.discard(number)
        self._tree.end(number, self._recipes.pop(number)[1], outcome)
        if self.plan.study.synchronous:
            self._together[number] = outcome
        else:
            self._end(number, outcome)
        return True

    def _next(self) -> Trial | None:
        """Return the next trial that needs no stage that is being made just now; those that do, wait."""
        for trial in self._waiting:
            if self._free(trial):
                self._waiting.remove(trial)
                return trial
        while len(self._waiting) < self._most_waiting and (trial_or_none := self.campaign.ask()):
            if self._free(trial_or_none):
                return trial_or_none
            self._waiting.append(trial_or_none)
        return None

    @property
    def _most_waiting(self) -> int:
        """How far to look ahead: where seeds are shared far enough to find other slurries, else not at all."""
        return self.campaign.problem.budget.explored if self.plan.study.seeds == "shared" else self.pool.slots

    def _free(self, trial: Trial) -> bool:
        """Whether a trial can start; one that can be no recipe can, and fails at once."""
        try:
            return not self._tree.blocked(self._made_of(trial)[1])
        except InputError:
            return True

    def _made_of(self, trial: Trial) -> tuple[Recipe, Chain]:
        if trial.number not in self._recipes:
            recipe = self.plan.recipe(trial)
            self._recipes[trial.number] = recipe, chain_of(recipe)
        return self._recipes[trial.number]

    def _start(self, trial: Trial) -> None:
        """Submit a trial, unless it is known to fail."""
        try:
            _, chain = self._made_of(trial)
        except InputError as error:  # bounds were checked in pairs; more of them together may still be no recipe
            self._end(trial.number, Failed("not_allowed", "recipe", str(error)))
            return
        if foregone := self._tree.foregone(chain):
            del self._recipes[trial.number]
            self._end(trial.number, foregone)
            return
        self.running.add(trial.number)
        self._tree.begin(trial.number, chain)
        self._news.append(trial)
        self._submit(trial.number)

    def _submit(self, number: int) -> None:
        self.pool.submit(number, self.work, self._recipes[number][0].model_dump(mode="json"), str(self.root))

    def _end(self, number: int, outcome: Outcome) -> None:
        self.campaign.end(number, outcome)
        self._news.append(self.campaign.trials[number])

    def show_one(self, watch: Watch) -> bool:
        """Tell who watches the next thing that began or ended; whether there was one."""
        if not self._news:
            return False
        watch(self._news.pop(0))
        return True
