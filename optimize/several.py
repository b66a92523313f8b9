"""What is wanted of several properties: one thing for each, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from mesoforge.errors import InputError
from mesoforge.optimize.trial import Value


class Wanted(Protocol):
    """What is wanted of one property."""

    @property
    def name(self) -> str:
        """The property."""
        ...

    def to_mapping(self) -> dict[str, Value]:
        """Return how a study says it."""
        ...


One = TypeVar("One", bound=Wanted)


@dataclass(frozen=True, slots=True)
class Several(Generic[One]):
    """Wishes of different properties."""

    each: tuple[One, ...] = ()

    def __len__(self) -> int:
        return len(self.each)

    @property
    def names(self) -> tuple[str, ...]:
        """The properties, in order."""
        return tuple(one.name for one in self.each)

    def to_mapping(self) -> dict[str, dict[str, Value]]:
        """Return them by property, as ``from_mapping`` reads them."""
        return {one.name: one.to_mapping() for one in self.each}


def number(name: str, key: str, value: object) -> float:
    """Return a number that a study says.

    Raises:
        InputError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} has {key} {value!r}, but a number was due: write one")
    return float(value)


def check_keys(name: str, fields: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Refuse what a study says under a key that is not known.

    Raises:
        InputError: There is such a key.
    """
    if unknown := set(fields) - set(known):
        raise InputError(
            f"{name} has the key {sorted(unknown)[0]!r}, but only {', '.join(known)} are known: correct it"
        )
