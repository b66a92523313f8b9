"""How a study is watched: progress in a terminal, nothing, or one JSON object a line for the logs of batch jobs."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from mesoforge.experiments.study import Plan
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.trial import Failed, Measured, Trial

Watch = Callable[[Trial], None]
Say = Callable[[str], None]


@contextmanager
def watching(plan: Plan, log: str | None, *, quiet: bool) -> Iterator[tuple[Callable[[Campaign], Watch], Say]]:
    """Open what shows a study's trials; yield what is given the campaign, and what is told of complaints."""
    from mesoforge.experiments import printing

    chosen = log or ("quiet" if quiet else "progress")
    if chosen == "lines":
        lines = Lines(plan)
        yield lines.follow, lines.complain
        return
    with printing.Trials(plan, quiet=chosen == "quiet") as trials:
        yield trials.follow, _warn


def _warn(message: str) -> None:
    click.echo(f"Note: {message}", err=True)


@dataclass
class Tally:
    """Where a study stands: trials done, running and failed, core-hours spent, time left."""

    campaign: Campaign
    ranks: int
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Remember what was done before, which says nothing of the pace now."""
        self._before = len(self.campaign.ended)

    @property
    def total(self) -> int:
        """Trials of the whole budget; those that took a share of it leave room for more."""
        budget = self.campaign.problem.budget
        spared = math.floor(self.campaign.spared)
        return max(budget.explored + budget.confirmations * budget.replicates + spared, self.done)

    @property
    def done(self) -> int:
        """Trials that ended, measured or failed."""
        return len(self.campaign.ended)

    @property
    def failed(self) -> int:
        """Trials that failed."""
        return sum(isinstance(trial.outcome, Failed) for trial in self.campaign.ended)

    @property
    def core_hours(self) -> float:
        """Core-hours that the measured trials took; what was found in the store counts as it was found."""
        seconds = sum(trial.outcome.wall_s for trial in self.campaign.ended if isinstance(trial.outcome, Measured))
        return seconds * self.ranks / 3600

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest will take at the pace since this driver began; none before a trial has ended."""
        ended = self.done - self._before
        return (time.monotonic() - self.began) / ended * (self.total - self.done) if ended else None

    def numbers(self, running: int) -> dict[str, Any]:
        """Return all of it as plain values."""
        left = self.left_s
        return {
            "done": self.done,
            "running": running,
            "failed": self.failed,
            "total": self.total,
            "core_hours": round(self.core_hours, 4),
            "left_s": None if left is None else round(left, 1),
        }

    def best(self) -> dict[str, float] | None:
        """Return the properties of the best confirmed recipe, or before there is one of the first of the Pareto set."""
        names = self.campaign.problem.objectives.names
        for one in self.campaign.confirmed()[:1]:
            return dict(zip(self.campaign.problem.objectives.outputs, one.mean.tolist(), strict=True))
        for trial in self.campaign.pareto()[:1] if names else ():
            if isinstance(trial.outcome, Measured):
                return {name: trial.outcome.properties[name] for name in names}
        return None


class Lines:
    """One JSON object to a line on standard error: each trial's start and end, and every complaint."""

    def __init__(self, plan: Plan) -> None:
        """Prepare to write."""
        self._plan = plan

    def follow(self, campaign: Campaign) -> Watch:
        """Return what is told each trial."""
        tally, running = Tally(campaign, self._plan.base.numerics.ranks), set[int]()
        self._write("began", study=self._plan.study.name, process=os.getpid(), **tally.numbers(0))

        def told(trial: Trial) -> None:
            (running.add if trial.pending else running.discard)(trial.number)
            self._write("started" if trial.pending else "ended", **_about(trial), **tally.numbers(len(running)))

        return told

    def complain(self, message: str) -> None:
        """Write a complaint."""
        self._write("note", message=message)

    def _write(self, event: str, **about: object) -> None:
        click.echo(json.dumps({"event": event, "at": round(time.time(), 3), **about}), err=True)


def _about(trial: Trial) -> dict[str, Any]:
    outcome = trial.outcome
    said: dict[str, Any] = {"trial": trial.number, "origin": trial.origin, "values": trial.values}
    said |= {} if trial.fidelity is None else {"fidelity": trial.fidelity}
    if isinstance(outcome, Failed):
        said |= {"failure": {"kind": outcome.kind, "stage": outcome.stage, "reason": outcome.reason}}
    if isinstance(outcome, Measured):
        said |= {"properties": outcome.properties, "wall_s": outcome.wall_s}
    return said
