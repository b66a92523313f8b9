"""When a campaign has learned enough: a rule that reads as its user would say it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from mesoforge.errors import InputError
from mesoforge.optimize.objectives import Objectives

Measure: TypeAlias = Literal["hypervolume", "targets"]
_GAIN: Final = re.compile(
    r"(?:the )?hypervolume (?:has )?gained less than (\d+\.?\d*) ?% "
    r"(?:over|in) (?:the last )?(\d+) (?:simulations|trials)"
)
_MET: Final = re.compile(r"(\d+) (?:simulations|trials|electrodes) (?:meet|met) (?:all|every) (?:aims?|targets?)")
EXAMPLES: Final = "'hypervolume gained less than 1 % over 8 simulations' or '2 simulations meet all targets'"


@dataclass(frozen=True, slots=True)
class Stop:
    """A rule to end the proposals early, before the budget is spent; confirmations follow.

    With "hypervolume" they end when the last ``count`` simulations raised it by less than ``share`` of itself; with
    "targets" when ``count`` explored simulations meet every target and keep every limit.

    Raises:
        InputError: The share is not between 0 and 1, or the count is below 1.
    """

    measure: Measure
    count: int
    share: float = 0.0

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.share < 1:
            raise InputError(
                f"the stopping rule has {self.count} simulations and {100 * self.share:g} %, but at least 1 and less "
                "than 100 % were due: correct it"
            )

    def __str__(self) -> str:
        """Say the rule as it is read."""
        if self.measure == "targets":
            return f"{self.count} simulations meet all targets"
        return f"hypervolume gained less than {100 * self.share:g} % over {self.count} simulations"

    def reached(self, outcomes: int, hypervolume: Callable[[int], float], met: int) -> bool:
        """Say whether the rule holds.

        Args:
            outcomes: how many trials have ended since the hypervolume could first be counted.
            hypervolume: its value so many outcomes ago.
            met: how many explored trials meet everything that is asked.
        """
        if self.measure == "targets":
            return met >= self.count
        if outcomes < self.count:
            return False
        now, then = hypervolume(0), hypervolume(self.count)
        return now > 0 and now - then < self.share * now


def check_stop(rule: Stop | None, objectives: Objectives) -> None:
    """Refuse a rule that waits for targets where none is set: each simulation would meet them all.

    Raises:
        InputError: It does.
    """
    aimed = objectives.limits.each or any(one.goal == "match" for one in objectives.each)
    if rule is not None and rule.measure == "targets" and not aimed:
        raise InputError(
            f"the stopping rule is '{rule}', but no objective is a match and nothing is limited: "
            "write 'hypervolume gained less than 1 % over 8 simulations', or set a target"
        )


def stop(text: str) -> Stop:
    """Read a rule in words.

    Raises:
        InputError: It is none that is known.
    """
    words = " ".join(text.lower().split()).removeprefix("when ").rstrip(".")
    if found := _GAIN.fullmatch(words):
        return Stop("hypervolume", int(found[2]), float(found[1]) / 100)
    if found := _MET.fullmatch(words):
        return Stop("targets", int(found[1]))
    raise InputError(f"the stopping rule is {text!r}, but {EXAMPLES} was due: write one of these with your numbers")
