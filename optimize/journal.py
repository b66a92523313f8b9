"""The one record of truth of a campaign: events, appended and fsynced, one JSON object to a line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from mesoforge.errors import InputError

Event: TypeAlias = dict[str, object]
FORMAT: Final = 2
"""Version of the events, which the first one bears; those of version 1 bear none, and are read as they are."""


@dataclass(frozen=True, slots=True)
class Journal:
    """An append-only file of events. One process writes it at a time; a line counts once its newline is there."""

    path: Path

    def append(self, event: Mapping[str, object]) -> None:
        """Write one event so that it outlives a power cut; what a killed writer left half-written is cut off first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        with self.path.open("ab") as file:
            file.truncate(len(self._whole()))
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def events(self) -> tuple[Event, ...]:
        """Return all events in order; a last line that was cut short is dropped.

        Raises:
            InputError: A whole line is no event, or one of a newer version.
        """
        return tuple(self._parsed(number, line) for number, line in enumerate(self._whole().splitlines(), start=1))

    def reading(self) -> Journal:
        """Return the journal as one that is only looked at: what is appended to it is forgotten."""
        return _Read(self.path)

    def _whole(self) -> bytes:
        content = self.path.read_bytes() if self.path.exists() else b""
        return content[: content.rfind(b"\n") + 1]

    def _parsed(self, number: int, line: bytes) -> Event:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict) or not isinstance(event.get("event"), str):
            raise InputError(
                f"line {number} of {self.path} is {line[:40]!r}, but a JSON object with an 'event' was due: "
                "restore the file from a copy or start a study of another name"
            )
        if (came := self.format_of(event)) > FORMAT:
            raise InputError(
                f"{self.path} has format {came} but this version reads up to format {FORMAT}: use a newer mesoforge"
            )
        return event

    @staticmethod
    def format_of(event: Mapping[str, object]) -> int:
        """Return the version that an event bears; 1 where it bears none."""
        came = event.get("format", 1)
        return came if isinstance(came, int) else 1


class _Read(Journal):
    """A journal that somebody else may be writing: nothing is written here."""

    __slots__ = ()

    def append(self, event: Mapping[str, object]) -> None:
        """Forget the event."""
