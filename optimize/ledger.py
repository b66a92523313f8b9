"""What the journal of a campaign says: its trials, how they ended, and what was frozen or told on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import cast

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.fidelity import counts
from mesoforge.optimize.journal import FORMAT, Event, Journal
from mesoforge.optimize.learning import measured
from mesoforge.optimize.problem import Budget, OtherProblemError, Problem, check_extension, difference
from mesoforge.optimize.record import trial_of, with_outcome
from mesoforge.optimize.trial import Trial
from mesoforge.surrogate.table import Array


class Ledger:
    """A problem's trials as its journal has them; every change is an event that is written first.

    Raises:
        InputError: the journal is of another problem, its budget was larger, or a line is no whole event.
    """

    def __init__(self, problem: Problem, journal: Journal) -> None:
        self.problem = problem
        self._journal = journal
        self._trials: dict[int, Trial] = {}
        self._ended: list[int] = []
        self._reference: Array | None = None
        self._chosen: tuple[int, ...] = ()
        self.shifts: dict[str, tuple[float, float]] = {}
        """Measured minus simulated by property, mean and sd, as last told."""
        self.objectives = problem.objectives
        """What is wanted of simulated properties: of measured ones less their shift."""
        self._resume()

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials, by number."""
        return tuple(self._trials.values())

    @property
    def pending(self) -> tuple[Trial, ...]:
        """Trials that were asked and have not ended."""
        return tuple(trial for trial in self.trials if trial.pending)

    @property
    def measured(self) -> tuple[Trial, ...]:
        """Trials that have properties, by number."""
        return measured(self.trials)

    @property
    def counted(self) -> tuple[Trial, ...]:
        """Those of them that count, by number: made in the size that decides, where there are several."""
        return tuple(trial for trial in self.measured if counts(self.problem.fidelity, trial))

    @property
    def ended(self) -> tuple[Trial, ...]:
        """Trials that have ended, measured or failed, in the order in which they did."""
        return tuple(self._trials[number] for number in self._ended)

    @property
    def _names(self) -> tuple[str, ...]:
        return self.problem.objectives.names

    @property
    def _outputs(self) -> tuple[str, ...]:
        return self.problem.objectives.outputs

    def _resume(self) -> None:
        events = self._journal.events()
        if not events:
            began: Event = {"event": "problem", "format": FORMAT, "name": self.problem.name}
            self._journal.append(began | self.problem.definition())
        else:
            self._check_problem(events[0])
        for line, event in enumerate(events, start=1):
            self._replay(line, event)
        self._extend([event for event in events if event["event"] == "budget"][-1:])

    def _replay(self, line: int, event: Event) -> None:
        try:
            self._apply(event)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"line {line} of {self._journal.path} is no whole '{event['event']}' event ({error!r}): "
                "restore the file from a copy or start a study of another name"
            ) from error

    def _extend(self, last: list[Event]) -> None:
        for event in last:
            check_extension(Budget(**cast("dict[str, int]", event["budget"])), self.problem.budget)
        budget = asdict(self.problem.budget)
        if not any(event["budget"] == budget for event in last):
            self._record({"event": "budget", "budget": budget})

    def _record(self, event: Event) -> None:
        self._journal.append(event)
        self._apply(event)

    def _apply(self, event: Event) -> None:
        kind = event["event"]
        if self._says_more_of_recipes(event):
            self._chosen = ()
        if kind == "ask":
            trial = trial_of(event)
            self._check_next(trial.number)
            self._trials[trial.number] = trial
        elif kind in ("tell", "fail"):
            number = cast("int", event["number"])
            self._check_pending(number)
            self._trials[number] = with_outcome(self._trials[number], event)
            self._ended.append(number)
        elif kind == "measured":
            told = cast("Mapping[str, Sequence[float]]", event["shifts"])
            self.shifts = {name: (one[0], one[1]) for name, one in told.items()}
            self.objectives = self.problem.objectives.shifted({name: one[0] for name, one in self.shifts.items()})
        elif kind == "retry":
            number = cast("int", event["number"])
            self._trials[number] = replace(self._trials[number], outcome=None, ended_at=None)
            self._ended.remove(number)
        elif kind == "reference":
            scores = cast("dict[str, float]", event["scores"])
            self._reference = np.array([scores[name] for name in self._names])
        elif kind == "chosen":
            self._chosen = tuple(cast("Sequence[int]", event["numbers"]))

    def _says_more_of_recipes(self, event: Event) -> bool:
        """Whether other recipes than those that were chosen to be confirmed may be the best after an event."""
        if event["event"] == "ask":
            return event["confirms"] is None
        if event["event"] in ("tell", "fail", "retry"):
            return self._trials[cast("int", event["number"])].confirms is None
        return event["event"] in ("measured", "budget")

    def _check_problem(self, first: Event) -> None:
        given = self.problem.definition()
        keys = dict.fromkeys([*given, *({"fidelity"} & set(first))])
        if found := difference({key: first.get(key, "absent") for key in keys}, given):
            raise OtherProblemError(
                f"{self._journal.path} holds another problem: {found}; "
                "give this study a name of its own, or restore what it was"
            )

    def _check_next(self, number: int) -> None:
        if number != len(self._trials):
            raise InputError(
                f"{self._journal.path} asks trial {number} after {len(self._trials)} trials: two campaigns wrote it at "
                "once; keep its lines up to there and run one at a time"
            )

    def _check_pending(self, number: int) -> None:
        if number not in self._trials:
            raise InputError(f"trial {number} came, but {len(self._trials)} were asked so far: tell one that was asked")
        if not self._trials[number].pending:
            raise InputError(f"trial {number} has ended, but a pending one was due: tell each trial once")
