"""How far a campaign has come: what it spent of its budget, what counts, what is best, and what comes next."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, cast

import numpy as np

from mesoforge.optimize.confirmed import Confirmed, confirmed
from mesoforge.optimize.fidelity import counts
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.learning import measured, properties
from mesoforge.optimize.ledger import Ledger
from mesoforge.optimize.pareto import hypervolume, pareto_mask, reference_point, standing
from mesoforge.optimize.problem import Problem
from mesoforge.optimize.stopping import Stop, check_stop
from mesoforge.optimize.trial import Trial, recipe
from mesoforge.surrogate.table import Array

Phase: TypeAlias = Literal["start", "proposals", "confirmations", "done"]

LEAST_SHARE = 1e-3  # of an electrode: a smaller rest of the budget is none


class Progress(Ledger):
    """A ledger read as a campaign: all here follows from its trials, and nothing here changes them.

    ``stop`` may end the proposals before the budget is spent.

    Raises:
        InputError: as ``Ledger`` does, or the stopping rule waits for targets and none is set.
    """

    def __init__(self, problem: Problem, journal: Journal, stop: Stop | None = None) -> None:
        check_stop(stop, problem.objectives)
        self._stop = stop
        super().__init__(problem, journal)

    @property
    def phase(self) -> Phase:
        """Which kind of trial comes next, or is being waited for."""
        explored = self._explored()
        if len(explored) < self.problem.budget.start:
            return "start"
        if any(trial.pending for trial in explored) or not (self._explored_all() or self._stopped()):
            return "proposals"
        return "confirmations" if self.pending or self._confirmations_left() else "done"

    @property
    def stopped(self) -> bool:
        """Whether the stopping rule ended the proposals before the budget was spent."""
        return self.phase in ("confirmations", "done") and not self._explored_all()

    @property
    def done(self) -> bool:
        """Whether the budget is spent and nothing is pending."""
        return self.phase == "done"

    @property
    def reference_point(self) -> dict[str, float] | None:
        """The scores that the hypervolume is counted from, frozen when the start has ended; none before."""
        return None if self._reference is None else dict(zip(self._names, self._reference.tolist(), strict=True))

    def pareto(self) -> tuple[Trial, ...]:
        """Return the feasible trials whose scores, as measured and so with their noise, no other trial's dominate.

        Those that meet every target come first, then those that miss by least; where there is one aim, the best.
        """
        known = self.feasible()
        front = tuple(trial for trial, best in zip(known, pareto_mask(self._scores(known)), strict=True) if best)
        found = standing(self.objectives, properties(self.problem, front))
        last = -found.aims[:, 0] if self.objectives.one_aim else np.zeros(len(front))
        return tuple(front[row] for row in np.lexsort((last, found.shortfall)))

    def feasible(self, trials: Iterable[Trial] | None = None) -> tuple[Trial, ...]:
        """Return the measured trials that count and keep every limit, of all or of some."""
        known = self.counted if trials is None else self._counted(trials)
        kept = self.objectives.feasible(properties(self.problem, known))
        return tuple(trial for trial, good in zip(known, kept, strict=True) if good)

    def hypervolume(self, outcomes: int | None = None) -> float | None:
        """Return the hypervolume of the feasible trials' scores after so many outcomes, failures included; else of all.

        It counts from the frozen reference point, so values over time compare; none before that is frozen.
        """
        if self._reference is None:
            return None
        return self._volume(self._ended[:outcomes])

    def _volume(self, numbers: Sequence[int]) -> float:
        known = self.feasible(self._trials[number] for number in numbers)
        return hypervolume(self._scores(known), cast("Array", self._reference))

    def confirmed(self, outcomes: int | None = None) -> list[Confirmed]:
        """Return what new seeds confirmed after so many outcomes, or all, best first."""
        some = (self._trials[number] for number in self._ended[:outcomes])
        return confirmed(self.objectives, some, self._reference)

    def _explored(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self._first() if trial.origin != "known")

    @property
    def spent(self) -> float:
        """What start and proposals took of the budget, in whole electrodes.

        A proposal that reuses stages, or is made in a cheaper size, counts its share; a trial of the start counts one.
        """
        return len(self._explored()) - self.spared

    @property
    def spared(self) -> float:
        """What proposals left of the budget, in whole electrodes: by reusing stages, or in a cheaper size."""
        return math.fsum(1 - trial.share for trial in self._explored() if trial.origin != "sobol")

    def _explored_all(self) -> bool:
        return self.spent > self.problem.budget.explored - LEAST_SHARE

    def _stopped(self) -> bool:
        """Say whether the stopping rule holds, of what was explored until the confirmations began."""
        if self._stop is None or self._reference is None:
            return False
        fidelity = self.problem.fidelity
        numbers = [trial.number for trial in self.ended if trial.confirms is None and counts(fidelity, trial)]
        proposals = {trial.number for trial in self._explored()[self.problem.budget.start :]}
        after = len(proposals.intersection(numbers))
        met = sum(self._meets(trial) for trial in self.counted if trial.confirms is None)
        return self._stop.reached(after, lambda ago: self._volume(numbers[: len(numbers) - ago]), met)

    def _meets(self, trial: Trial) -> bool:
        Y = properties(self.problem, (trial,))
        return bool(self.objectives.feasible(Y)[0] and self.objectives.shortfall(Y)[0] == 0)

    def _first(self) -> tuple[Trial, ...]:
        """Return all trials but confirmations."""
        return tuple(trial for trial in self.trials if trial.confirms is None)

    def _counted(self, trials: Iterable[Trial]) -> tuple[Trial, ...]:
        return tuple(trial for trial in measured(trials) if counts(self.problem.fidelity, trial))

    def _confirmed(self) -> Counter[int]:
        return Counter(trial.confirms for trial in self.trials if trial.confirms is not None)

    def _confirmations_left(self) -> int:
        """Return how many confirmations are left, of the chosen recipes; until these are chosen, at most."""
        budget, made = self.problem.budget, self._confirmed()
        if self._chosen:
            return sum(max(budget.replicates - made[number], 0) for number in self._chosen)
        recipes = min(budget.confirmations, len({recipe(trial) for trial in self._counted(self._first())}))
        last = max((trial.number for trial in self._first()), default=-1)
        since = sum(trial.confirms is not None for trial in self.trials[last + 1 :])
        return max(recipes * budget.replicates - since, 0)

    def _reference_or_inferred(self, Y: Array) -> Array:
        if self._reference is not None:
            return self._reference
        return reference_point(self.objectives, Y) if len(Y) else np.zeros(len(self._names))

    def _scores(self, trials: tuple[Trial, ...]) -> Array:
        return self.objectives.scores(properties(self.problem, trials))
