"""A physics failure: raised where it happens, handed on as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an electrode could not be made: ``kind`` is one word, ``stage`` where, ``reason`` one sentence.

    Kinds: ``crashed``, ``timeout``, ``unstable``, ``lost_beads``, ``not_converged``, ``no_particle``, ``packing``,
    ``no_contact``, ``no_percolation``.
    """

    kind: str
    stage: str
    reason: str


class PhysicsError(Exception):
    """The physics of one run went wrong; the manufacture turns it into a ``Failure``."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
