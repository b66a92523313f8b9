"""The reference of every field, as a page written from the records themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesoforge.experiments.study import Study
from mesoforge.experiments.where import Where
from mesoforge.physics.force_fields import PARAMETERS
from mesoforge.physics.materials import Material
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.record import Record

HEAD = """# Every field

Written from the records by `mesoforge fields`; a test keeps it so.
Ranges: ( and ) leave a bound out, [ and ] let it in.
"""


def reference() -> str:
    """Return the page as markdown: the study, each section of the recipe, and the properties."""
    parts = [HEAD, "## Study\n", _record(Study, {"where": Where().kind})]
    parts += ["## Study: where\n", "Where simulations run.\n", _record(Where, {})]
    for name, content in Recipe():
        if isinstance(content, Record):
            kept = {key: getattr(content, key) for key in type(content).model_fields}
            parts += [
                f"## Recipe: {name}\n",
                f"{_line(Recipe.model_fields[name].description)}\n",
                _record(type(content), kept),
            ]
    own = {name: getattr(Recipe(), name) for name in ("shapes", "seed")}
    parts += ["## Recipe: other\n", _record(Recipe, own, only=tuple(own))]
    rows = [f"| `{name}` | {one.unit or '-'} | {_line(one.meaning)} |" for name, one in PROPERTIES.items()]
    parts += ["## Properties\n", "\n".join(["| property | unit | meaning |", "|---|---|---|", *rows, ""])]
    return "\n".join(parts)


def _record(kind: type[Record], values: Mapping[str, Any], only: tuple[str, ...] = ()) -> str:
    rows = list(_rows(kind, values, only))
    return "\n".join(["| field | default | range | meaning |", "|---|---|---|---|", *rows, ""])


def _rows(kind: type[Record], values: Mapping[str, Any], only: tuple[str, ...]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        if (only and name not in only) or (kind.__name__ == "ForceField" and name not in PARAMETERS):
            continue
        value = values.get(name, None if field.is_required() else field.get_default(call_default_factory=True))
        shown = value.name if isinstance(value, Material) else "-" if value in (None, {}, "", [], ()) else value
        yield f"| `{name}` | {shown} | {_range(field.metadata, str(field.annotation))} | {_line(field.description)} |"


def _range(metadata: list[Any], annotation: str) -> str:
    """Return the bounds of a field in brackets, or the words that it takes."""
    if "Literal[" in annotation:
        return annotation.split("Literal[")[1].split("]")[0].replace("'", "")
    found = {key: getattr(one, key) for one in metadata for key in ("gt", "ge", "lt", "le") if hasattr(one, key)}
    if not found:
        return "-"
    low = f"({found['gt']:g}" if "gt" in found else f"[{found['ge']:g}" if "ge" in found else "(-∞"
    high = f"{found['lt']:g})" if "lt" in found else f"{found['le']:g}]" if "le" in found else "∞)"
    return f"{low}, {high}"


def _line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|").replace("``", "`")
