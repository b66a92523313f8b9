"""What the making of an electrode consists of: stages in order, which input each reads first, and what it costs."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.fidelity import Fidelity
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Failed, Measured, Trial, Value
from mesoforge.surrogate.table import Array, Groups

if TYPE_CHECKING:
    from mesoforge.optimize.view import View


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of a trial in order; the seed is an input of the first.

    ``first`` names, by variable, the first stage that it is an input of; ``costs`` are the stages' costs in any unit,
    which count until trials have told theirs.

    Raises:
        InputError: A variable's stage is unknown, or a stage has no positive cost.
    """

    names: tuple[str, ...]
    first: Mapping[str, str]
    costs: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, stage in self.first.items():
            if stage not in self.names:
                raise InputError(f"{name} is of stage {stage!r}, but one of {', '.join(self.names)} was due: name one")
        for stage in self.names:
            if not self.costs.get(stage, 0.0) > 0:
                raise InputError(f"stage {stage} costs {self.costs.get(stage)}, but more than 0 was due: correct it")

    @property
    def cuts(self) -> tuple[int, ...]:
        """Numbers of the stages before which two trials of one seed may part: those that read a variable first."""
        found = {self.names.index(stage) for stage in self.first.values()}
        return tuple(sorted(found - {0}))

    def shared(self, cut: int) -> tuple[str, ...]:
        """Return the variables that trials have in common which part before stage ``cut``."""
        return tuple(name for name, stage in self.first.items() if self.names.index(stage) < cut)

    def key(self, trial: Trial, cut: int) -> tuple[Value, ...]:
        """Return what a trial's stages before ``cut`` are made of."""
        size = () if trial.fidelity is None else (trial.fidelity,)
        return (trial.seed, *(trial.values[name] for name in self.shared(cut)), *size)

    def cost_from(self, cut: int, trials: Iterable[Trial]) -> float:
        """Return the cost of the stages from ``cut`` on as a share of all: by medians of what trials told."""
        told = [trial.outcome.stage_s for trial in trials if isinstance(trial.outcome, Measured)]
        seen = {name: [one[name] for one in told if name in one] for name in self.names}
        known = all(seen.values())
        costs = [statistics.median(seen[name]) if known else self.costs[name] for name in self.names]
        return float(sum(costs[cut:]) / sum(costs))

    def made(self, trial: Trial) -> int:
        """Return how many stages of a trial were made, or are being made."""
        outcome = trial.outcome
        if not isinstance(outcome, Failed):
            return len(self.names)
        return self.names.index(outcome.stage) if trial.failed_in_physics and outcome.stage in self.names else 0


@dataclass(frozen=True, eq=False, slots=True)
class Branch:
    """What a trial made, or is making, that another may go on from, with any values along the axes ``free``.

    ``point`` (d,) is the trial's place, ``group`` names its slurry, ``share`` is the cost of what is left to make, of
    that of a whole electrode.
    """

    trial: int
    group: int
    point: Array
    free: tuple[int, ...]
    share: float


@dataclass(frozen=True, eq=False, slots=True)
class Reuse:
    """What proposals may go on from; the slurries of the measured trials (n,) and of those that run (p,)."""

    branches: tuple[Branch, ...]
    measured: Groups
    pending: Groups


class Sparing(Protocol):
    """A strategy that weighs what to go on from by what it costs."""

    def propose_among(self, view: View, reuse: Reuse) -> tuple[Array, Branch | None]:
        """Return the next point (d,) of the unit cube, and the branch that it goes on from, if it does.

        Raises:
            NoProposal: The numerics failed.
        """
        ...


def slurries(stages: Stages | None, trials: Sequence[Trial]) -> Groups:
    """Return a number (n,) that trials of one slurry have in common: of all before the first stage where two may part.

    It follows from the seed and the inputs, so that any selection of trials has the same numbers.
    """
    if stages is None or not stages.cuts:
        return np.array([trial.number for trial in trials], dtype=np.int64)
    return np.array([_number(stages.key(trial, stages.cuts[0])) for trial in trials], dtype=np.int64)


def _number(key: tuple[Value, ...]) -> int:
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:7])


def reusable(stages: Stages, space: Space, trials: Sequence[Trial]) -> Reuse:
    """Return what was made in some trials, or is being made, that another trial may go on from."""
    groups = slurries(stages, trials)
    branches: dict[tuple[int, tuple[Value, ...]], Branch] = {}
    for cut in stages.cuts:
        shared, cost = stages.shared(cut), stages.cost_from(cut, trials)
        free = tuple(axis for axis, name in enumerate(space.names) if name not in shared)
        for trial, group in zip(trials, groups.tolist(), strict=True):
            if stages.made(trial) >= cut:
                branch = Branch(trial.number, group, space.to_unit(trial.values), free, cost)
                branches.setdefault((cut, stages.key(trial, cut)), branch)
    measured, pending = (np.array([test(trial) for trial in trials], dtype=bool) for test in (_measured, _pending))
    return Reuse(tuple(branches.values()), groups[measured], groups[pending])


def check_reuse(stages: Stages | None, strategy: object, name: str, fidelity: Fidelity | None = None) -> None:
    """Refuse to go on from what was made before where nothing can be, or where the strategy cannot weigh it.

    Raises:
        InputError: Every variable is an input of the first stage, the strategy knows no costs, or sizes differ too.
    """
    if fidelity is not None:
        raise InputError(
            f"reuse is true and fidelity has several {fidelity.name}, but only one of both can be weighed by its cost: "
            "drop reuse or fidelity"
        )
    if not hasattr(strategy, "propose_among"):
        raise InputError(f"reuse is true, but the strategy {name!r} weighs no costs: use botorch, or drop reuse")
    if stages is None or not stages.cuts:
        first = f" ({stages.names[0]})" if stages else ""
        raise InputError(
            f"reuse is true, but all variables are inputs of the first stage{first}, so that no two electrodes could "
            "share one: vary an input of a later stage too, or drop reuse"
        )


def _measured(trial: Trial) -> bool:
    return isinstance(trial.outcome, Measured)


def _pending(trial: Trial) -> bool:
    return trial.pending
