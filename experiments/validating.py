"""All that is wrong in a study or recipe file, each with its line, found without a simulation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from mesoforge.errors import InputError
from mesoforge.experiments.locating import Mistake, Node, advised, nodes, twice, where, without
from mesoforge.experiments.rates import AT_1C
from mesoforge.experiments.study import Kind, Plan, Study, load_study
from mesoforge.experiments.where import Where
from mesoforge.optimize.problem import Budget
from mesoforge.optimize.strategies import STRATEGIES
from mesoforge.physics.force_fields import shipped as shipped_force_fields
from mesoforge.physics.materials import shipped as shipped_materials
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.record import read_yaml

FileKind = Literal["optimize", "sample", "recipe"]
KEYS: Final = (
    *("low", "high", "scale", "integer", "choices", "linear", "log"),
    *("at_least", "at_most", "between"),
    *("goal", "match", "tolerance", "threshold", "weight", "minimize", "maximize"),
)
"""What variables, objectives and constraints are made of."""
MOST: Final = 20
"""Mistakes that are told of one file; more have one cause."""
Tree = dict[str, Any]


def kind_of(said: Mapping[str, Any]) -> FileKind:
    """Say what a file is: without variables and objectives a recipe, without objectives a sample."""
    if not {"variables", "objectives", "budget", "recipe"} & set(said):
        return "recipe"
    return "optimize" if said.get("objectives") else "sample"


def mistakes(path: Path, kind: FileKind | None = None) -> list[Mistake]:
    """Return what is wrong in a file, in the order of its lines.

    What was found wrong is set aside and the rest is checked again, so that one mistake does not hide the next.

    Raises:
        InputError: there is no such file.
    """
    try:
        said = read_yaml(path)
    except InputError as error:
        if not path.is_file():
            raise
        return [_syntax(path, error)]
    found = nodes(path.read_text(encoding="utf-8"))
    check = _checker(kind or kind_of(said), path.parent)
    wrong = [*twice(found), *_one_by_one(said, found, check)]
    return sorted(wrong, key=lambda one: one.line or 0)


def _syntax(path: Path, error: InputError) -> Mistake:
    """Say where YAML stopped and why."""
    try:
        yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        tab = "a tab stands here: indent with spaces" if "\\t" in str(broken.problem) else f"{broken.problem}"
        return Mistake(f"this is not valid YAML: {tab}.", mark.line + 1 if mark else None)
    except (yaml.YAMLError, UnicodeDecodeError):
        return Mistake(str(error))
    return Mistake(str(error))


def _checker(kind: FileKind, folder: Path) -> Callable[[Tree], object]:
    """Return what raises on the first mistake of a file's content."""
    if kind == "recipe":
        return lambda said: Recipe.from_mapping(said, "", folder).beside(folder)
    study_kind: Kind = kind
    return lambda said: Plan(Study.from_mapping(said), study_kind, folder)


def _one_by_one(said: Tree, found: Sequence[Node], check: Callable[[Tree], object]) -> list[Mistake]:
    wrong: list[Mistake] = []
    seen: set[tuple[str, ...]] = set()
    while len(wrong) < MOST:
        try:
            check(said)
        except InputError as error:
            node = where(str(error), found)
            if node is None or node.path in seen:
                return wrong or [Mistake(_advised(str(error)))]
            wrong.append(Mistake(_advised(str(error)), node.line))
            seen.add(node.path)
            said = without(
                said, node.path[:2] if node.path[0] in ("variables", "objectives", "constraints") else node.path
            )
        else:
            return wrong
    return wrong


def load_checked_study(path: Path, kind: Kind, changes: Mapping[str, Any]) -> Plan:
    """Read a study as `load_study` does; an error names the line and what may have been meant.

    Raises:
        InputError: the file cannot be read, or something in it is wrong.
    """
    try:
        return load_study(path, kind, changes)
    except InputError as error:
        raise InputError(_placed(str(error), path)) from None


def _placed(message: str, path: Path) -> str:
    """Return a message on a file with the line that it speaks of; one on the command line's changes stays as it is."""
    try:
        node = where(message, nodes(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return message
    plain = _advised(message.removeprefix(f"{path}: "))
    return Mistake(plain, node.line).at(path) if node else _advised(message)


def _advised(message: str) -> str:
    """Return a message with advice; a key of the recipe that stands at the top is told where it belongs."""
    stray = re.match(r"'(\w+)' is not a known key: use one of name, note", message)
    if stray and stray[1] in Recipe.model_fields:
        return f"'{stray[1]}' belongs to the recipe: put it below 'recipe:'."
    return advised(message, known_names())


def known_names() -> set[str]:
    """Return every name that a study or a recipe may use."""
    return {
        *Study.model_fields,
        *Where.model_fields,
        *_recipe_names(),
        *PROPERTIES,
        *AT_1C,
        *Budget.__dataclass_fields__,
        *STRATEGIES,
        *shipped_force_fields(),
        *shipped_materials(),
        *KEYS,
    }


def _recipe_names() -> Iterable[str]:
    """Yield the sections of a recipe and every input under its dotted name."""
    for section, content in Recipe().model_dump(exclude={"force_field": {"name", "note", "basis"}}).items():
        yield section
        if isinstance(content, dict):
            yield from (f"{section}.{name}" for name in content)
