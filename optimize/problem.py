"""What a campaign is about: its variables, its objectives, its budget and its seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from mesoforge.errors import InputError
from mesoforge.optimize.fidelity import Fidelity
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.reuse import Stages
from mesoforge.optimize.space import Space
from mesoforge.optimize.tolerances import Tolerances
from mesoforge.optimize.trial import Value


class OtherProblemError(InputError):
    """A journal holds another problem than the one that was given."""


SEEDS = 2**31 - 1  # seeds are 1 to this: what LAMMPS takes


@dataclass(frozen=True, slots=True)
class Budget:
    """How many trials: a start that fills the space, proposals that learn, and confirmations with new seeds.

    Each of ``confirmations`` points is run ``replicates`` times. Failed trials count.

    Raises:
        InputError: A number is not whole or too small.
    """

    start: int
    proposed: int
    confirmations: int
    replicates: int = 1

    def __post_init__(self) -> None:
        for name, least in (("start", 1), ("proposed", 0), ("confirmations", 0), ("replicates", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(
                    f"the budget's {name} is {value!r}, but a whole number from {least} was due: correct it"
                )

    @property
    def explored(self) -> int:
        """Trials before the confirmations."""
        return self.start + self.proposed


@dataclass(frozen=True, slots=True)
class Planned:
    """A trial of the start that was laid down beforehand: its values, and whose seed it has if not its own."""

    values: Mapping[str, Value]
    seed_of: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A campaign's definition; ``context`` holds whatever else its outcomes depend on, such as the fixed recipe.

    The first trials of the start are those of ``plan``; the rest are a Sobol sequence.
    With ``tolerances`` of inputs, what is best is so on average over them. ``stages`` say what trials can share. With
    ``fidelity`` trials may be made in several sizes, of which one decides.

    Raises:
        InputError: The seed is no whole number from 0.
    """

    name: str
    space: Space
    objectives: Objectives
    budget: Budget
    seed: int = 0
    context: Mapping[str, Value] = field(default_factory=dict)
    plan: tuple[Planned, ...] = ()
    tolerances: Tolerances | None = None
    stages: Stages | None = None
    fidelity: Fidelity | None = None

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"the campaign's seed is {self.seed!r}, but a whole number from 0 was due: correct it")

    def definition(self) -> dict[str, object]:
        """Return all that must stay the same for a journal to be continued, ready for JSON."""
        limits = self.objectives.limits.to_mapping()
        sizes = {} if self.fidelity is None else {self.fidelity.name: list(self.fidelity.values)}
        return {
            "variables": {"order": list(self.space.names), **self.space.to_mapping()},
            "objectives": {"order": list(self.objectives.names), **self.objectives.to_mapping()},
            **({"constraints": limits} if limits else {}),
            **self.space.ties,
            **({"tolerances": self.tolerances.to_mapping()} if self.tolerances else {}),
            **({"fidelity": sizes} if sizes else {}),
            "seed": self.seed,
            "context": dict(self.context),
        }

    def trial_seed(self, number: int) -> int:
        """Return the seed of a trial's physics: fresh for each number, the same in each replay."""
        return _seed(self.seed, number, stream=0)

    def strategy_seed(self, number: int) -> int:
        """Return the seed of what proposes a trial."""
        return _seed(self.seed, number, stream=1)


def difference(recorded: object, given: object, path: str = "") -> str:
    """Return the first difference of two definitions as words, or nothing if there is none."""
    if not (isinstance(recorded, Mapping) and isinstance(given, Mapping)):
        return "" if recorded == given else f"{path} was {recorded!r} and is now {given!r}"
    return next(filter(None, _differences(recorded, given, path)), "")


def check_extension(recorded: Budget, given: Budget) -> None:
    """Refuse a budget that is smaller than the recorded one in any part.

    Raises:
        InputError: It is.
    """
    for name, old in asdict(recorded).items():
        new = getattr(given, name)
        if new < old:
            raise InputError(
                f"the budget's {name} was {old} and is now {new}, but a budget can only grow: give {old} or more"
            )


def _differences(recorded: Mapping[str, object], given: Mapping[str, object], path: str) -> Iterator[str]:
    for key in dict.fromkeys([*recorded, *given]):
        where = f"{path}.{key}" if path else key
        yield difference(recorded.get(key, "absent"), given.get(key, "absent"), where)


def _seed(campaign: int, number: int, stream: int) -> int:
    return int(np.random.SeedSequence([campaign, number, stream]).generate_state(1)[0]) % SEEDS + 1
