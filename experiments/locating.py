"""Where in a YAML file a mistake lies, and what may have been meant: line numbers and neighbours of misspelt names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

Place = tuple[str, ...]
_QUOTED: Final = re.compile(r"'([^']+)'")
_UNKNOWN: Final = re.compile(
    r"'([^']+)' (?:is not a known key|is not an input of a recipe|is not a property|is not known|is no strategy|"
    r"is no shipped)|has the (?:key|goal) '([^']+)'|has scale '([^']+)'|strategy is '([^']+)'"
)
_LISTS: Final = (": use one of", ": use ", ", but one of", ", but only", ", but minimize", ", but linear")
"""Where what was due begins in our messages: names after it are not what the message speaks of."""
_EXPONENT: Final = re.compile(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d+|[-+]?\.?\d+[eE]\d+")
_WITH_UNIT: Final = re.compile(r"([-+]?\d+(?:\.\d+)?)\s*(%|[A-Za-zµ°][\w/%µ°]*)")


@dataclass(frozen=True, slots=True)
class Node:
    """One key of a YAML file: the keys that lead to it, its line (from 1), and its value if that is a plain word."""

    path: Place
    line: int
    value: str | None

    def bears(self, name: str) -> bool:
        """Say whether a dotted name ends where this node lies."""
        dotted = ".".join(self.path)
        return dotted == name or dotted.endswith(f".{name}")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a file, with its line if it is known, and what to do about it."""

    message: str
    line: int | None = None

    def at(self, path: Path) -> str:
        """Return the mistake with its place, as editors and terminals follow it."""
        return f"{path}:{self.line}: {self.message}" if self.line else f"{path}: {self.message}"


def nodes(text: str) -> tuple[Node, ...]:
    """Return every key of a YAML text in order; none where the text is no mapping."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return tuple(_walk(root, ())) if root is not None else ()


def _walk(node: yaml.Node, path: Place) -> Iterator[Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield Node(here, key.start_mark.line + 1, value.value if isinstance(value, yaml.ScalarNode) else None)
            yield from _walk(value, here)


def twice(found: Sequence[Node]) -> list[Mistake]:
    """Return the keys that stand twice in one mapping: YAML would take the last and say nothing."""
    first: dict[Place, int] = {}
    wrong = []
    for node in found:
        if node.path in first:
            name, line = ".".join(node.path), first[node.path]
            wrong.append(Mistake(f"'{name}' stands here and at line {line}: keep one of them.", node.line))
        first.setdefault(node.path, node.line)
    return wrong


def where(message: str, found: Sequence[Node]) -> Node | None:
    """Return the key of which a message speaks: what it quotes first, else what it names most fully."""
    told = min((message.split(end)[0] for end in _LISTS), key=len)
    for name in _QUOTED.findall(told):
        named = [node for node in found if node.bears(name)] or [
            node for node in found if node.value and f"/{name}".endswith(f"/{node.value}")
        ]
        if named:
            return _fitting(named, told)
    spoken = [node for node in found if _mentions(told, node.path[-1])]
    return max(spoken, key=lambda node: _fullness(node, told), default=None)


def _fitting(named: Sequence[Node], message: str) -> Node:
    """Return the one of several keys of a name whose parents the message speaks of; else the outermost."""
    return max(named, key=lambda node: (sum(_mentions(message, part) for part in node.path[:-1]), -len(node.path)))


def _fullness(node: Node, message: str) -> tuple[int, int, int]:
    return sum(_mentions(message, part) for part in node.path), len(node.path[-1]), -len(node.path)


def _mentions(message: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?![\w]|\.\w)", message) is not None


def meant(word: str, known: Iterable[str]) -> str:
    """Return the known words that a misspelt one may stand for, in quotes; nothing where none is near."""
    names = sorted(set(known))
    last = word.rsplit(".", 1)[-1]
    near = [name for name in names if "." not in word and name.endswith(f".{last}")]
    near = near or difflib.get_close_matches(word, names, n=1, cutoff=0.75)
    near = near or [name for name in names if name.rsplit(".", 1)[-1] in difflib.get_close_matches(last, _lasts(names))]
    return " or ".join(f"'{name}'" for name in near[:3])


def _lasts(names: Iterable[str]) -> list[str]:
    return sorted({name.rsplit(".", 1)[-1] for name in names})


def advised(message: str, known: Iterable[str]) -> str:
    """Return a message with what may have been meant: a near name, a number that YAML took for a word, a lost unit."""
    if unknown := _UNKNOWN.search(message):
        word = next(group for group in unknown.groups() if group)
        near = meant(word, set(known) - {word})
        return f"{min((message.split(end)[0] for end in _LISTS), key=len)}: did you mean {near}?" if near else message
    for word in _QUOTED.findall(message):
        if _EXPONENT.fullmatch(word):
            return f"{_ended(message)} YAML takes {word} for a word: write {_safe(word)}."
        if unit := _WITH_UNIT.fullmatch(word):
            fixed = "The unit is fixed ('mesoforge recipe' has it)"
            return f"{_ended(message)} {fixed}: write the number alone, not {unit[0]}."
    return message


def _ended(message: str) -> str:
    return message if message.endswith((".", "?")) else f"{message}."


def _safe(word: str) -> str:
    """Write a number with an exponent so that YAML 1.1 knows it for one."""
    mantissa, _, exponent = f"{float(word):e}".partition("e")
    shown = mantissa.rstrip("0")
    return f"{shown}{'0' if shown.endswith('.') else ''}e{exponent[0]}{exponent[1:]}"


def without(tree: dict[str, Any], path: Place) -> dict[str, Any]:
    """Return a mapping without the key at a path."""
    first, *rest = path
    inner = tree.get(first)
    if rest and isinstance(inner, dict):
        return tree | {first: without(inner, tuple(rest))}
    return {key: value for key, value in tree.items() if key != first}
