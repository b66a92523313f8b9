"""Calibration: ask for parameters, tell what the simulations gave for every measured row; it never runs anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.components import components
from mesoforge.optimize.importance import posterior
from mesoforge.optimize.journal import FORMAT, Event, Journal
from mesoforge.optimize.learning import TRIES, stand_in, viability
from mesoforge.optimize.objectives import Objective, Objectives
from mesoforge.optimize.posterior import Posterior, Targets
from mesoforge.optimize.problem import difference
from mesoforge.optimize.record import asked, ended, trial_of, with_outcome
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import ENOUGH, Space
from mesoforge.optimize.strategies import strategy
from mesoforge.optimize.trial import Estimate, Failed, Measured, Origin, Outcome, Trial, Value
from mesoforge.optimize.view import NoProposal, View
from mesoforge.surrogate.table import Array, Table

if TYPE_CHECKING:
    from mesoforge.surrogate.gp import GaussianProcess

Phase: TypeAlias = Literal["start", "proposals", "confirmation", "done"]
SPREAD = "/seed_sd"
"""Ends the name under which a row's standard deviation over seeds is told."""
LEAST_TO_LEARN = 3
STRATEGY = "botorch"
ONE_SET = 1e-3
"""Sets nearer than this in the unit cube tell one thing: all have the same seeds."""


@dataclass(frozen=True, eq=False, slots=True)
class Calibrated:
    """What is calibrated: the parameters' space, what was measured, and how many sets of parameters are tried."""

    name: str
    space: Space
    targets: Targets
    start: int
    proposed: int
    seed: int = 1
    confirm: bool = True
    context: Mapping[str, Value] = field(default_factory=dict)

    @property
    def most(self) -> int:
        """How many sets are tried at most, the confirmation among them, if no worker is lost."""
        return int(min(self.start + self.proposed, self.space.size)) + self.confirm

    def definition(self) -> dict[str, object]:
        """Return all that must stay the same for a journal to be continued, ready for JSON."""
        rows = zip(self.targets.names, self.targets.values.tolist(), self.targets.sds.tolist(), strict=True)
        return {
            "parameters": {"order": list(self.space.names), **self.space.to_mapping()},
            "measured": {name: {"value": value, "sd": sd} for name, value, sd in rows},
            "seed": self.seed,
            "context": dict(self.context),
        }


def _many(space: Space) -> Array:
    """Return all points (n, d) of a space of few, of any other very many."""
    return space.every() if space.size <= ENOUGH else sobol_points(len(space.names), 0, ENOUGH)


class Calibration:
    """A calibration that runs: all of it is in the journal, which at construction is replayed.

    First points of a Sobol sequence, then those of the default strategy, to which the components of what the rows miss
    by are targets: where the rows' rms of (y - m) / s is expected to improve most. At the end the most probable
    parameters once more, with other seeds.

    Raises:
        InputError: the journal is of another calibration.
    """

    def __init__(self, problem: Calibrated, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self.problem = problem
        self._journal, self._clock = journal, clock
        self.trials: dict[int, Trial] = {}
        self._fitted: tuple[int, GaussianProcess] | None = None
        self._known: tuple[int, Posterior] | None = None
        events = journal.events()
        if not events:
            began = {"event": "calibration", "format": FORMAT, "name": problem.name}
            journal.append(began | problem.definition())
        else:
            given = problem.definition()
            if found := difference({key: events[0].get(key, "absent") for key in given}, given):
                raise InputError(
                    f"{journal.path} holds another calibration: {found}; give this one a name of its own, or restore "
                    "what it was."
                )
        for event in events[1:]:
            self._apply(event)

    @property
    def pending(self) -> tuple[Trial, ...]:
        """Trials that were asked and have not ended."""
        return tuple(trial for trial in self.trials.values() if trial.pending)

    @property
    def explored(self) -> tuple[Trial, ...]:
        """All trials but the confirmation."""
        return tuple(trial for trial in self.trials.values() if trial.origin != "confirm")

    @property
    def measured(self) -> tuple[Trial, ...]:
        """Explored trials that have values, by number."""
        return tuple(trial for trial in self.explored if isinstance(trial.outcome, Measured))

    @property
    def confirmation(self) -> Trial | None:
        """The most probable parameters once more, if they were asked."""
        return next((trial for trial in self.trials.values() if trial.origin == "confirm"), None)

    @property
    def phase(self) -> Phase:
        """Which kind of trial comes next."""
        count = len(self.explored)
        if len(self._tried) < self.problem.space.size:
            if count < self.problem.start:
                return "start"
            if count < self.problem.start + self.problem.proposed:
                return "proposals"
        waits = self.pending or (self.problem.confirm and self.confirmation is None and self._can_learn)
        return "confirmation" if waits else "done"

    def ask(self) -> Trial | None:
        """Return the next trial to run; none if something pending must end first, or all is done."""
        phase = self.phase
        if phase == "start":
            return self._asked("sobol", self._sobol())
        if phase == "proposals":
            if self._can_learn:
                return self._asked(*self._proposal())
            return None if self.pending else self._asked("sobol", self._sobol())
        if phase == "confirmation" and not self.pending:
            return self._asked("confirm", self.posterior().best)
        return None

    def end(self, number: int, outcome: Outcome) -> None:
        """Record what came of a trial: the rows' values by name, or why there are none.

        Raises:
            InputError: a row is missing or not finite.
        """
        if isinstance(outcome, Measured):
            for name in self.problem.targets.names:
                if not np.isfinite(outcome.properties.get(name, np.nan)):
                    raise InputError(f"no finite value came for the row '{name}': tell a failure where one failed.")
        self._record(ended(number, outcome, self._clock()))

    def table(self) -> Table:
        """Return parameters and rows of the trials that have values."""
        X = self.problem.space.rows([trial.values for trial in self.measured])
        Y = np.array([self._row(trial) for trial in self.measured])
        return Table(X, Y, self.problem.targets.names, categories=self.problem.space.categories)

    def posterior(self) -> Posterior:
        """Return what is known of the parameters now, worked out once for each state of the record."""
        count = len(self.measured)
        if self._known is None or self._known[0] != count:
            found = posterior(self.surrogate(), self.problem.targets, self.problem.seed, self.seed_variance())
            self._known = (count, found)
        return self._known[1]

    def surrogate(self) -> GaussianProcess:
        """Return the surrogate of all that is measured, fitted once for each state of the record."""
        count = len(self.measured)
        if self._fitted is None or self._fitted[0] != count:
            from mesoforge.surrogate.gp import fit_gp

            self._fitted = (count, fit_gp(self.table()))
        return self._fitted[1]

    def seed_variance(self) -> Array | None:
        """Return the variance (m,) of the rows' means from their seeds, pooled; none where each had one seed."""
        found = [
            [cast("Measured", trial.outcome).properties.get(name + SPREAD, np.nan) for name in self._names]
            for trial in self.measured
        ]
        variance = np.mean(np.square(found), axis=0)
        return variance if np.all(np.isfinite(variance)) else None

    def misfit(self, trial: Trial) -> float:
        """Return the root mean square of (simulated - measured) / sd over the rows that are fitted to."""
        return float(np.sqrt(np.mean(self.problem.targets.misses(self._row(trial)) ** 2)))

    @property
    def _names(self) -> tuple[str, ...]:
        return self.problem.targets.names

    @property
    def _can_learn(self) -> bool:
        return len(self.measured) >= LEAST_TO_LEARN

    def _row(self, trial: Trial) -> Array:
        found = cast("Measured", trial.outcome).properties
        return np.array([found[name] for name in self._names])

    @property
    def _tried(self) -> set[tuple[Value, ...]]:
        """The sets that run, or of which something is known: a lost worker says nothing of its set."""
        told = (trial for trial in self.explored if not isinstance(trial.outcome, Failed) or trial.failed_in_physics)
        return {tuple(trial.values.values()) for trial in told}

    def _untried(self, points: Array) -> Array:
        """Return those of the points (n, d) whose sets were not tried."""
        tried, space = self._tried, self.problem.space
        return points[[tuple(space.from_unit(point).values()) not in tried for point in points]]

    def _sobol(self) -> Array:
        """Return the next Sobol point that was not tried: of few choices the same ones come again."""
        space = self.problem.space
        points = self._untried(sobol_points(len(space.names), self.problem.seed, TRIES, len(self.explored)))
        return np.asarray(points[0] if len(points) else self._untried(_many(space))[0])

    def _stand_in(self, view: View) -> Array:
        """Return the point in place of a proposal: where all admissible ones were tried, the most viable other."""
        point = stand_in(view)
        if len(self._untried(point[None])):
            return point
        left = self._untried(_many(view.space))
        return np.asarray(left[np.argmax(view.viable(left))])

    def _asked(self, origin: Origin, point: Array) -> Trial:
        number = len(self.trials)
        values = self.problem.space.from_unit(point)
        foretold = self._foretold(values) if self._can_learn else {}
        trial = Trial(number, origin, values, self.problem.seed, self._clock(), foretold)
        self._record(asked(trial, STRATEGY))
        return trial

    def _foretold(self, values: Mapping[str, Value]) -> dict[str, Estimate]:
        mean, sd = self.surrogate().predict(self.problem.space.rows([values]))
        return {
            name: Estimate(float(one), float(width))
            for name, one, width in zip(self._names, mean[0], sd[0], strict=True)
        }

    def _proposal(self) -> tuple[Origin, Array]:
        """Return the strategy's point, or if it has none or one that is known a Sobol point in its place."""
        view = self._view()
        with suppress(NoProposal):
            point = strategy(STRATEGY).propose(view)
            if view.admissible(point):
                return "bo", point
        return "sobol", self._stand_in(view)

    def _view(self) -> View:
        """Return what the strategy sees: each component of what the rows miss by is a target of zero."""
        from mesoforge.surrogate.gp import fit_gp

        space, table = self.problem.space, self.table()
        missed = components(self.problem.targets.misses(table.Y))
        objectives = Objectives(
            tuple(Objective(f"component {number + 1}", "match", 0.0, 1.0) for number in range(missed.shape[1]))
        )
        failed = [trial.values for trial in self.explored if trial.failed_in_physics]
        return View(
            space=space,
            objectives=objectives,
            X=table.X,
            Y=missed,
            pending=space.rows([trial.values for trial in self.pending]),
            failed=space.rows(failed),
            reference=np.zeros(missed.shape[1]),
            number=len(self.trials),
            seed=self.problem.seed + 1000 * len(self.trials),
            campaign_seed=self.problem.seed,
            start=self.problem.start,
            surrogate=fit_gp(replace(table, Y=missed, names=objectives.outputs)),
            viability=viability(space, self.explored),
            same=ONE_SET,
        )

    def _record(self, event: Event) -> None:
        self._journal.append(event)
        self._apply(event)

    def _apply(self, event: Event) -> None:
        if event["event"] == "ask":
            trial = trial_of(event)
            self.trials[trial.number] = trial
        elif event["event"] in ("tell", "fail"):
            number = cast("int", event["number"])
            self.trials[number] = replace(with_outcome(self.trials[number], event))
