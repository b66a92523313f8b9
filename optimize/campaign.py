"""The campaign: ask for trials, tell what came of them; it never runs anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.fidelity import Fidelity, Offers, Weighing, check_fidelity, counts, levels
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.learning import (
    estimates,
    groups,
    in_steps,
    measured,
    points,
    properties,
    stand_in,
    training_table,
    viability,
)
from mesoforge.optimize.pareto import best_first, in_order, reference_point, standing
from mesoforge.optimize.problem import Problem
from mesoforge.optimize.progress import Progress
from mesoforge.optimize.record import asked, ended
from mesoforge.optimize.reuse import Branch, Sparing, Stages, check_reuse, reusable
from mesoforge.optimize.stopping import Stop
from mesoforge.optimize.strategies import check_follows
from mesoforge.optimize.strategies import strategy as strategy_named
from mesoforge.optimize.strategies.sobol import SOBOL
from mesoforge.optimize.trial import Failed, Measured, Origin, Outcome, Recipe, Trial, Value, recipe
from mesoforge.optimize.view import NoProposal, View
from mesoforge.surrogate.table import Array, Builder, Groups, Surrogate, Table

LEAST_TO_LEARN = 2  # measured trials; below, Sobol points are proposed
MOST_TO_REPEAT = 16  # best trials of which one may be made again
MANY_DRAWS, FEW_DRAWS = 128, 16  # for a repetition's worth; few where each hypervolume takes milliseconds
AROUND = 32  # places within the tolerances of inputs


def gaussian_process(table: Table) -> Surrogate:
    """Fit the default surrogate: one Gaussian process for each property."""
    from mesoforge.surrogate.gp import fit_gp

    return fit_gp(table)


class Campaign(Progress):
    """An optimization that runs: the only thing here that changes, and all of it is in the journal.

    At construction the journal is replayed; a new one begins with the problem. Trials asked but not ended are then in
    `pending`: run them again first. The same journal gives the same next trial to the last bit. A larger budget than
    the journal's extends the campaign. Failed trials count against the budget and are never imputed; where the physics
    works is learned from them (any kind but those in ``trial.INFRASTRUCTURE``), and nothing is proposed where it more
    probably fails.

    ``learn`` builds the surrogate that foretells each trial after the start; without it nothing is foretold. ``stop``
    may end the proposals before the budget is spent. With ``repeat`` a measured point is proposed once more where that
    is expected to tell more of the best than the new point. The surrogate's noise is that of replicates
    once these are enough.

    With ``reuse`` a proposal may go on from what an earlier trial made, with its seed, where that is expected to gain
    more for its cost than a trial of its own: the problem's ``stages`` say what can be shared. Such a trial takes its
    share of the budget. The surrogate knows which trials share a slurry's error.

    Where the problem has a ``fidelity`` the start is made in all its sizes, and each proposal in the one that is
    expected to gain most for its cost; cheaper ones take their share of the budget. The surrogate learns from all of
    them and foretells the target. Hypervolume, Pareto set, stopping rule and confirmations are of the target alone.

    Raises:
        InputError: The journal is of another problem, its budget was larger, or nothing can be reused.
    """

    def __init__(
        self,
        problem: Problem,
        journal: Journal,
        strategy: str = "botorch",
        *,
        learn: Builder | None = gaussian_process,
        clock: Callable[[], float] = time.time,
        stop: Stop | None = None,
        repeat: bool = False,
        reuse: bool = False,
    ) -> None:
        self._learn, self._clock, self._repeat = learn, clock, repeat
        check_follows(strategy, problem.objectives)
        self._strategy_name, self._strategy = strategy, strategy_named(strategy)
        if reuse:
            check_reuse(problem.stages, self._strategy, strategy, problem.fidelity)
        if problem.fidelity is not None:
            check_fidelity(problem.fidelity, problem.budget.start, self._strategy, strategy)
        self._reuse = reuse
        self._last_learned: tuple[tuple[int, ...], Surrogate] | None = None
        super().__init__(problem, journal, stop)
        self._freeze_reference()

    def surrogate(self) -> Surrogate | None:
        """Return the surrogate of all measured trials, if it is wanted and they are enough.

        Where the strategy has it be fitted in steps, that of the trials measured first, until all are explored.
        """
        growth: float = getattr(self._strategy, "growth", 0.0)
        if not growth or self._explored_all():
            return self._learned(self.measured)
        first = measured(self.ended)[: in_steps(len(self.measured), growth)]
        return self._learned(tuple(sorted(first, key=lambda trial: trial.number)))

    # What happens

    def ask(self) -> Trial | None:
        """Return the next trial to run; none if something pending must end first, or the campaign is done."""
        draft = {"start": self._start, "proposals": self._proposal, "confirmations": self._confirmation}.get(self.phase)
        trial = draft() if draft is not None else None
        if trial is not None:
            self._record(asked(trial, self._strategy_name))
        return trial

    def tell(self, number: int, outcome: Measured) -> None:
        """Record what a trial measured.

        Raises:
            InputError: The trial is not pending, or an objective's property is missing or not finite.
        """
        self._check_pending(number)
        self.problem.objectives.row(outcome.properties)
        plain = {name: float(value) for name, value in outcome.properties.items()}
        self._record(ended(number, replace(outcome, properties=plain), self._clock()))
        self._freeze_reference()

    def fail(self, number: int, outcome: Failed) -> None:
        """Record why a trial has no properties.

        Raises:
            InputError: The trial is not pending.
        """
        self._check_pending(number)
        self._record(ended(number, outcome, self._clock()))
        self._freeze_reference()

    def know(self, values: Mapping[str, Value], seed: int, outcome: Measured, fidelity: float | None = None) -> None:
        """Record a trial that was made before this campaign: it is learned from, and counts against no budget.

        ``fidelity`` is its size where there are several; without it, the one that decides.

        Raises:
            InputError: The values are outside the space, an output is missing, or the size is none of the problem's.
        """
        self.problem.space.to_unit(values)
        self.problem.objectives.row(outcome.properties)
        trial = Trial(len(self._trials), "known", dict(values), seed, self._clock())
        if (sizes := self.problem.fidelity) is not None:
            level = 0 if fidelity is None else sizes.level(fidelity)
            trial = replace(trial, fidelity=sizes.value(level), share=sizes.shares(self.trials)[level])
        self._record(asked(trial, self._strategy_name))
        self.tell(trial.number, outcome)

    def shift(self, shifts: Mapping[str, tuple[float, float]], rows: Sequence[Mapping[str, object]] = ()) -> None:
        """Record by how much measured properties lie above simulated ones, mean and sd, and the rows that say so.

        From then on the objectives are those of measured properties, and so is the point that hypervolume counts from.

        Raises:
            InputError: A property is no output of the problem.
        """
        for name in shifts:
            if name not in self._outputs:
                raise InputError(f"a shift came for {name}, but one of {', '.join(self._outputs)} was due: drop it")
        plain = {name: [float(mean), float(sd)] for name, (mean, sd) in shifts.items()}
        self._record({"event": "measured", "at": self._clock(), "shifts": plain, "rows": list(rows)})
        if self._reference is not None:
            self._set_reference()

    def end(self, number: int, outcome: Outcome) -> None:
        """Tell or fail, by the kind of outcome."""
        if isinstance(outcome, Failed):
            self.fail(number, outcome)
        else:
            self.tell(number, outcome)

    def retry(self, kinds: Collection[str]) -> tuple[int, ...]:
        """Have those trials be pending again that failed in one of these kinds; return their numbers."""
        outcomes = {number: self._trials[number].outcome for number in self._ended}
        again = [n for n, found in outcomes.items() if isinstance(found, Failed) and found.kind in kinds]
        for number in again:
            self._record({"event": "retry", "number": number, "at": self._clock()})
        return tuple(again)

    def _freeze_reference(self) -> None:
        start = self._explored()[: self.problem.budget.start]
        waiting = len(start) < self.problem.budget.start or any(trial.pending for trial in start)
        if self._names and self._reference is None and not waiting:
            self._set_reference()

    def _set_reference(self) -> None:
        """Count hypervolume from the thresholds, or below the worst of the start, if it says enough; else of all."""
        start = self._explored()[: self.problem.budget.start]
        known = found if len(found := self._counted(start)) >= LEAST_TO_LEARN else self.counted
        if len(known) >= LEAST_TO_LEARN:
            point = reference_point(self.objectives, properties(self.problem, known))
            self._record({"event": "reference", "scores": dict(zip(self._names, point.tolist(), strict=True))})

    # The three kinds of trial

    def _start(self) -> Trial:
        if len(self._trials) < len(self.problem.plan):
            planned = self.problem.plan[len(self._trials)]
            trial = self._trial("sample", self.problem.space.to_unit(planned.values))
            seed = trial.seed if planned.seed_of is None else self.problem.trial_seed(planned.seed_of)
            return replace(trial, values=dict(planned.values), seed=seed)
        sizes, number = self.problem.fidelity, len(self._explored())
        level = sizes.of_start(number) if sizes and number < self.problem.budget.start else 0
        return self._trial("sobol", SOBOL.propose(self._view(None)), None, level)

    def _proposal(self) -> Trial | None:
        if self._explored_all() or self._stopped():
            return None
        if len(self.counted) < LEAST_TO_LEARN:
            return None if self.pending else self._start()
        view = self._view(self.surrogate())
        point, branch, level = self._proposed(view)
        if point is None or not view.admissible(point):
            return self._trial("sobol", stand_in(view), view.surrogate)
        if branch is not None:
            return self._going_on(point, branch, view)
        if level:
            return self._trial(self._strategy.origin, point, view.surrogate, level)
        return self._again(point, view) or self._trial(self._strategy.origin, point, view.surrogate)

    def _going_on(self, point: Array, branch: Branch, view: View) -> Trial:
        """Return a trial with the seed of an earlier one, and its values but those that are free."""
        first, free = self._trials[branch.trial], [self.problem.space.names[axis] for axis in branch.free]
        trial = self._trial(self._strategy.origin, point)
        values = first.values | {name: trial.values[name] for name in free}
        here = self.problem.space.to_unit(values)
        foretold = estimates(self.problem, view.surrogate, here, branch.group) if view.surrogate is not None else {}
        return replace(
            trial, values=values, seed=first.seed, prediction=foretold, reuses=branch.trial, share=branch.share
        )

    def _again(self, point: Array, view: View) -> Trial | None:
        """Return a measured trial's values once more, if that is worth more than a new point."""
        from mesoforge.surrogate.gp import GaussianProcess
        from mesoforge.surrogate.replicates import worth_repeating

        if not self._repeat or not isinstance(view.surrogate, GaussianProcess):
            return None
        best = np.array(best_first(self.objectives, view.Y, view.reference)[:MOST_TO_REPEAT])
        rows = best[np.sort(np.unique(view.X[best], axis=0, return_index=True)[1])]
        draws = MANY_DRAWS if self.objectives.one_aim or len(self.objectives) == 2 else FEW_DRAWS
        chosen = worth_repeating(view.surrogate, view.X[rows], point, view.worth, draws, view.pending)
        if chosen is None:
            return None
        trial = self._trial("repeat", view.X[rows[chosen]], view.surrogate)
        return replace(trial, values=self.counted[rows[chosen]].values)

    def _proposed(self, view: View) -> tuple[Array | None, Branch | None, int]:
        """Return the strategy's point, what it goes on from if anything, and its level; no point if numerics failed."""
        try:
            if self.problem.fidelity is not None:
                point, level = cast("Weighing", self._strategy).propose_at(view, self._offers(self.problem.fidelity))
                return view.pulled(point), None, level
            if self._reuse:
                found = reusable(cast("Stages", self.problem.stages), self.problem.space, self.trials)
                point, branch = cast("Sparing", self._strategy).propose_among(view, found)
                return (view.pulled(point) if branch is None else point), branch, 0
            return view.pulled(self._strategy.propose(view)), None, 0
        except NoProposal:
            return None, None, 0

    def _offers(self, fidelity: Fidelity) -> Offers:
        running = cast("Groups", levels(fidelity, self.pending))
        rows = np.column_stack([points(self.problem, self.pending), running])
        by_level = [tuple(one for one in self.trials if one.fidelity == value) for value in reversed(fidelity.values)]
        return Offers(
            fidelity.shares(self.trials), rows, tuple(viability(self.problem.space, some) for some in by_level)
        )

    def _confirmation(self) -> Trial | None:
        if not self._confirmations_left():
            return None
        surrogate = self._learned(measured(self._first()))
        if not self._chosen:
            self._record({"event": "chosen", "numbers": self._choose(self._counted(self._first()), surrogate)})
            if not self._confirmations_left():
                return None
        number = min(self._chosen, key=lambda number: self._confirmed()[number])
        point = self.problem.space.to_unit(self._trials[number].values)
        return replace(self._trial("confirm", point, surrogate), values=self._trials[number].values, confirms=number)

    def _choose(self, known: tuple[Trial, ...], surrogate: Surrogate | None) -> list[int]:
        """Return the trials to confirm, the best first, one for each recipe: the one confirmed before, if any was."""
        before = {recipe(self._trials[number]): number for number in self._confirmed()}
        first: dict[Recipe, int] = {}
        for row in self._best_first(known, surrogate):
            first.setdefault(recipe(known[row]), known[row].number)
        return [before.get(one, number) for one, number in first.items()][: self.problem.budget.confirmations]

    def _best_first(self, known: tuple[Trial, ...], surrogate: Surrogate | None) -> list[int]:
        """Return the rows of trials, the best first by the model's means, over the tolerances of inputs if given."""
        if surrogate is None:
            Y = properties(self.problem, known)
            return best_first(self.objectives, Y, self._reference_or_inferred(Y))
        X, tolerances = points(self.problem, known), self.problem.tolerances
        if not tolerances:
            Y = surrogate.predict(X)[0]
            return best_first(self.objectives, Y, self._reference_or_inferred(Y))
        around = tolerances.around(X, AROUND)
        Y = surrogate.predict(around.reshape(-1, X.shape[1]))[0]
        return in_order(standing(self.objectives, Y, AROUND), self._reference_or_inferred(Y))

    def _trial(self, origin: Origin, point: Array, surrogate: Surrogate | None = None, level: int = 0) -> Trial:
        number = len(self._trials)
        values = self.problem.space.from_unit(point)
        here = self.problem.space.to_unit(values)
        prediction = {} if surrogate is None else estimates(self.problem, surrogate, here, level=level)
        trial = Trial(number, origin, values, self.problem.trial_seed(number), self._clock(), prediction)
        sizes = self.problem.fidelity
        if sizes is None:
            return trial
        return replace(trial, fidelity=sizes.value(level), share=sizes.shares(self.trials)[level])

    # What they need

    def _view(self, surrogate: Surrogate | None) -> View:
        Y = properties(self.problem, self.counted)
        decide = tuple(trial for trial in self.trials if counts(self.problem.fidelity, trial))
        number = len(self._trials) - sum(trial.origin == "known" for trial in self.trials)
        return View(
            space=self.problem.space,
            objectives=self.objectives,
            X=points(self.problem, self.counted),
            Y=Y,
            pending=points(self.problem, self.pending),
            failed=points(self.problem, [trial for trial in decide if trial.failed_in_physics]),
            reference=self._reference_or_inferred(Y),
            number=number,
            seed=self.problem.strategy_seed(number),
            campaign_seed=self.problem.seed,
            start=self.problem.budget.start,
            surrogate=surrogate,
            viability=viability(self.problem.space, decide),
            tolerances=self.problem.tolerances or None,
            groups=groups(self.problem, self.counted, self._reuse),
            known=self._likenesses(),
        )

    def _likenesses(self) -> Table | None:
        """Return all that was measured as training data, where it is of several sizes."""
        few = self.problem.fidelity is None or len(self.measured) < LEAST_TO_LEARN
        return None if few else training_table(self.problem, self.measured)

    def _learned(self, known: tuple[Trial, ...]) -> Surrogate | None:
        """Return the surrogate of these trials; it is fitted once for several proposals from the same record."""
        if self._learn is None or len(known) < LEAST_TO_LEARN:
            return None
        numbers = tuple(trial.number for trial in known)
        if self._last_learned is None or self._last_learned[0] != numbers:
            fitted = self._learn(training_table(self.problem, known, self._reuse))
            self._last_learned = numbers, fitted
        return self._last_learned[1]


def run_sequentially(campaign: Campaign, evaluate: Callable[[Trial], Outcome]) -> None:
    """Run a campaign to its end, one trial after another: the definition of how a campaign is run."""
    for trial in campaign.pending:
        campaign.end(trial.number, evaluate(trial))
    while (trial_or_none := campaign.ask()) is not None:
        campaign.end(trial_or_none.number, evaluate(trial_or_none))
