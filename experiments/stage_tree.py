"""Stages that several electrodes share: each is made once, by the first that needs it, and the others wait for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mesoforge.optimize.trial import INFRASTRUCTURE, Failed, Measured, Outcome
from mesoforge.physics.manufacture import STAGES, identity
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import RESULT, Store, digest

_BY_CHANCE = INFRASTRUCTURE | {"timeout", "crashed"}
"""Failures that another try might not meet."""
Chain = dict[str, str]


def chain_of(recipe: Recipe) -> Chain:
    """Return the hash that names each stage of a recipe."""
    return {stage: digest(inputs) for stage, inputs in identity(recipe).items()}


@dataclass
class StageTree:
    """Who is making which stage now, and which stages cannot be made."""

    store: Store
    _makers: dict[str, int] = field(default_factory=dict)
    _failed: dict[str, tuple[int, Failed]] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def blocked(self, chain: Chain) -> bool:
        """Whether a stage of this chain is being made for another trial."""
        return any(name in self._makers and not self._made(stage, name) for stage, name in chain.items())

    def begin(self, number: int, chain: Chain) -> None:
        """Note that a trial makes what is missing of its chain."""
        self._makers |= {name: number for stage, name in chain.items() if not self._made(stage, name)}

    def end(self, number: int, chain: Chain, outcome: Outcome) -> None:
        """Note that a trial has ended; what it could not make, none that shares it can."""
        self._makers = {name: maker for name, maker in self._makers.items() if maker != number}
        if isinstance(outcome, Measured):  # where workers have folders of their own, none of it is in this store
            self._done.update(chain.values())
        elif outcome.kind not in _BY_CHANCE and outcome.stage in STAGES:
            self._failed.setdefault(chain[outcome.stage], (number, outcome))

    def foregone(self, chain: Chain) -> Failed | None:
        """Return the failure of a stage that this chain shares with a trial that failed in it, if there is one."""
        number, failure = next((self._failed[name] for name in chain.values() if name in self._failed), (0, None))
        return failure and replace(failure, reason=f"{failure.reason} (in trial {number}, which shares this stage)")

    def _made(self, stage: str, name: str) -> bool:
        return name in self._done or (self.store.folder(stage, name) / RESULT).exists()
