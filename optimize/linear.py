"""Linear expressions of a campaign's variables, as people write them: what must hold, and what follows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mesoforge.errors import InputError

_NUMBER: Final = r"\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?"
_NAME: Final = r"[A-Za-z_][\w.]*"
_TERM: Final = re.compile(rf"\s*([-+])\s*(?:({_NUMBER})\s*\*\s*({_NAME})|({_NAME})|({_NUMBER}))")
SIDES: Final = re.compile(r"<=|>=")
SLACK: Final = 1e-9
"""Share of an inequality's largest term by which rounding may break it."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A sum of multiples of variables and a constant: ``terms`` holds (name, factor), each name once."""

    terms: tuple[tuple[str, float], ...]
    constant: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that it depends on."""
        return tuple(name for name, _ in self.terms)

    def at(self, values: Mapping[str, float]) -> float:
        """Return its value."""
        return self.constant + sum(factor * values[name] for name, factor in self.terms)

    def __str__(self) -> str:
        """Write it as it is read."""
        words = [f"{'-' if factor < 0 else '+'} {abs(factor):.12g} * {name}" for name, factor in self.terms]
        words += (
            [f"{'-' if self.constant < 0 else '+'} {abs(self.constant):.12g}"] if self.constant or not words else []
        )
        return " ".join(words).removeprefix("+ ")

    def minus(self, other: Linear) -> Linear:
        """Return the difference of two."""
        return _gathered([*self.terms, *((name, -factor) for name, factor in other.terms)], other, self.constant)


@dataclass(frozen=True, slots=True)
class Inequality:
    """A demand on inputs, ``lesser`` <= 0, with the words that it was given in."""

    words: str
    lesser: Linear

    def holds(self, values: Mapping[str, float]) -> bool:
        """Say whether values meet it, but for rounding."""
        size = max(abs(factor * values[name]) for name, factor in self.lesser.terms)
        return self.lesser.at(values) <= SLACK * max(size, abs(self.lesser.constant))


def linear(text: str) -> Linear:
    """Read an expression such as ``2 * a + b - 0.5``.

    Raises:
        InputError: It is none.
    """
    terms, constant, place = [], 0.0, 0
    signed = text if text.lstrip().startswith(("+", "-")) else f"+{text}"
    while place < len(signed.rstrip()):
        found = _TERM.match(signed, place)
        if not found:
            raise InputError(
                f"the expression is {text!r}, but a sum such as '2 * a.b + c.d - 0.5' was due: numbers stand before "
                "names, and products of names are not linear"
            )
        sign = -1.0 if found[1] == "-" else 1.0
        if found[5]:
            constant += sign * float(found[5])
        else:
            terms.append((found[3] or found[4], sign * float(found[2] or 1)))
        place = found.end()
    return _gathered(terms, Linear((), 0.0), constant)


def inequality(text: str) -> Inequality:
    """Read a demand such as ``a + 2 * b <= 3``.

    Raises:
        InputError: It is none, or names no variable.
    """
    sides = SIDES.split(text)
    if len(sides) != 2:
        raise InputError(f"the constraint on inputs is {text!r}, but one <= or >= was due: write '2 * a + b <= 3'")
    left, right = (linear(side) for side in sides)
    lesser = left.minus(right) if "<=" in text else right.minus(left)
    if not lesser.terms:
        raise InputError(f"the constraint on inputs is {text!r}, but speaks of no variable: name one")
    return Inequality(" ".join(text.split()), lesser)


def _gathered(terms: list[tuple[str, float]], other: Linear, constant: float) -> Linear:
    totals: dict[str, float] = {}
    for name, factor in terms:
        totals[name] = totals.get(name, 0.0) + factor
    return Linear(tuple((name, factor) for name, factor in totals.items() if factor), constant - other.constant)
