"""One trial of a campaign: what was asked, what was foretold, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Origin: TypeAlias = Literal["sobol", "bo", "confirm", "sample", "user", "known", "repeat"]
Value: TypeAlias = float | int | str
Recipe: TypeAlias = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A predicted property of one new electrode: mean and standard deviation, in the property's own unit."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The trial's properties by name, in user units, and where the electrode that bears them lies.

    ``stage_s`` holds the seconds of each stage that was made, and not found.
    """

    properties: dict[str, float]
    electrode: str = ""
    wall_s: float = 0.0
    stage_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a trial has no properties: ``kind`` is one word, ``stage`` where it broke, ``reason`` one sentence."""

    kind: str
    stage: str
    reason: str


Outcome: TypeAlias = Measured | Failed
INFRASTRUCTURE = frozenset({"interrupted", "infrastructure"})
"""Kinds of failure that say nothing about a point."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: ``values`` in user units by variable; ``confirms`` is the trial that it repeats with a new seed.

    ``reuses`` is the trial whose first stages it goes on from, with its seed; ``share`` is what is left to make, of the
    cost of a whole electrode as it was known when the trial was asked: so much of the budget it takes. ``fidelity`` is
    the size that it is made in, where a campaign has several; a cheaper one takes its share too.
    """

    number: int
    origin: Origin
    values: dict[str, Value]
    seed: int
    asked_at: float
    prediction: dict[str, Estimate] = field(default_factory=dict)
    confirms: int | None = None
    outcome: Outcome | None = None
    ended_at: float | None = None
    reuses: int | None = None
    share: float = 1.0
    fidelity: float | None = None

    @property
    def pending(self) -> bool:
        """Whether nothing was told of it yet."""
        return self.outcome is None

    @property
    def failed_in_physics(self) -> bool:
        """Whether the physics failed, and not a worker or a disk."""
        return isinstance(self.outcome, Failed) and self.outcome.kind not in INFRASTRUCTURE


def recipe(trial: Trial) -> Recipe:
    """Return what trials of one recipe have in common."""
    return tuple(trial.values.items())
