"""Sizes in which a trial may be made: cheaper ones are learned from, the last one decides."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.trial import Measured, Trial
from mesoforge.surrogate.table import Array, Groups

if TYPE_CHECKING:
    from mesoforge.optimize.view import View
    from mesoforge.surrogate.viability import Viability

LEAST_S: Final = 2.0
"""Seconds below which a trial was found and not made, so that it says nothing of its cost."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """What a trial can be made in: values of the input ``name``, cheapest first; the last is the target and decides.

    ``costs`` are those of trials in any unit, by value, which count until trials of each value have told theirs. Levels
    count from the target: it is level 0, and the cheapest value has the highest.

    Raises:
        InputError: There are fewer than two values, or they do not become dearer from one to the next.
    """

    name: str
    values: tuple[float, ...]
    costs: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len(set(self.values)) < len(self.values):
            raise InputError(
                f"fidelity has {self.name} {_list(self.values)}, but two or more different values were due: name a "
                "cheaper one before the one that decides"
            )
        if len(self.costs) != len(self.values) or not _rising((0.0, *self.costs)):
            raise InputError(
                f"fidelity has {self.name} {_list(self.values)}, at costs of {_list(self.costs)}, but each was due to "
                "be dearer than the one before: name the cheapest first, and last the one that decides"
            )

    @property
    def target(self) -> float:
        """The value that decides."""
        return self.values[-1]

    @property
    def cheaper(self) -> tuple[float, ...]:
        """All others, cheapest first."""
        return self.values[:-1]

    @property
    def least_start(self) -> int:
        """Trials of the start from which each cheaper value is made once and the target twice."""
        return 2 * len(self.values) - 1

    def level(self, value: float | None) -> int:
        """Return the level of a trial's value.

        Raises:
            InputError: It is none of these.
        """
        if value not in self.values:
            raise InputError(f"a trial of {self.name} {value} came, but one of {_list(self.values)} was due")
        return len(self.values) - 1 - self.values.index(value)

    def value(self, level: int) -> float:
        """Return the value of a level."""
        return self.values[len(self.values) - 1 - level]

    def of_start(self, number: int) -> int:
        """Return the level of a trial of the start: every other one is the target, between them the cheaper in turn."""
        return 0 if number % 2 == 0 else len(self.cheaper) - number // 2 % len(self.cheaper)

    def shares(self, trials: Iterable[Trial]) -> tuple[float, ...]:
        """Return the cost of a trial of each level, as a share of one of the target: by medians of what trials took."""
        took: dict[float, list[float]] = {value: [] for value in self.values}
        for trial in trials:
            if isinstance(trial.outcome, Measured) and trial.outcome.wall_s > LEAST_S and trial.fidelity in took:
                took[trial.fidelity].append(trial.outcome.wall_s)
        known = all(took.values())
        costs = [statistics.median(took[value]) for value in self.values] if known else [*self.costs]
        return tuple(cost / costs[-1] for cost in reversed(costs))


@dataclass(frozen=True, eq=False, slots=True)
class Offers:
    """What the next trial may be made in: the cost of each level (l,), and what runs, points and levels (p, d + 1).

    ``viable`` says by level where the physics works, as far as it failed at that level.
    """

    shares: tuple[float, ...]
    pending: Array
    viable: tuple[Viability | None, ...] = ()

    def chance(self, level: int, point: Array) -> float:
        """Return the probability that a trial of a level at a point (d,) comes to an end."""
        learned = self.viable[level] if self.viable else None
        return 1.0 if learned is None else float(learned.probability(point[None])[0])


class Weighing(Protocol):
    """A strategy that weighs in what to make a trial by what it costs."""

    def propose_at(self, view: View, offers: Offers) -> tuple[Array, int]:
        """Return the next point (d,) of the unit cube, and the level to make it at.

        Raises:
            NoProposal: The numerics failed.
        """
        ...


def levels(fidelity: Fidelity | None, trials: Sequence[Trial]) -> Groups | None:
    """Return the levels (n,) of trials; none where all are made alike."""
    if fidelity is None:
        return None
    return np.array([fidelity.level(trial.fidelity) for trial in trials], dtype=np.int64)


def counts(fidelity: Fidelity | None, trial: Trial) -> bool:
    """Whether a trial is one that decides."""
    return fidelity is None or trial.fidelity == fidelity.target


def check_fidelity(fidelity: Fidelity, start: int, strategy: object, name: str) -> None:
    """Refuse a start that does not make each size, and a strategy that cannot weigh them.

    Raises:
        InputError: The start is too small, or the strategy knows no costs.
    """
    if not hasattr(strategy, "propose_at"):
        raise InputError(
            f"fidelity has several {fidelity.name}, but the strategy {name!r} weighs no costs: use botorch, or drop "
            "fidelity"
        )
    if start < fidelity.least_start:
        raise InputError(
            f"the budget's start is {start}, but {fidelity.least_start} were due to make {len(fidelity.values)} values "
            f"of {fidelity.name}, the last one twice or more: raise it"
        )


def _rising(costs: Sequence[float]) -> bool:
    return all(one < other for one, other in pairwise(costs))


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"
