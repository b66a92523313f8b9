"""What every input record of the physics has in common: frozen, checked at construction, errors as one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mesoforge.errors import InputError


class Record(BaseModel):
    """A frozen record that cannot be wrong: unknown keys, missing fields and values out of range are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], origin: str = "", folder: Path = Path()) -> Self:
        """Build the record from plain values.

        Args:
            values: nested mapping as read from YAML or JSON.
            origin: where it came from, named in the error.
            folder: where the relative path of another file that it names begins.

        Raises:
            InputError: one sentence on the first thing that is wrong.
        """
        try:
            return cls.model_validate(values, context={"folder": folder})
        except ValidationError as error:
            raise InputError(sentence(cls, error, origin)) from None


_DUE: Final = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "names with values, as in {name: value}",
    "model_type": "names with values, as in {name: value}",
    "list_type": "a list, as in [1, 2]",
    "tuple_type": "a list, as in [1, 2]",
}
"""What pydantic says of its types in words for those who write files."""


def sentence(kind: type[BaseModel], error: ValidationError, origin: str = "") -> str:
    """Say in one sentence what came, what was due and what to do."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"] if not str(part).startswith("function-"))
    where = f"{origin}: " if origin else ""
    if first["type"] == "extra_forbidden":
        known = ", ".join(_fields_at(kind, first["loc"][:-1]))
        return f"{where}'{place}' is not a known key: use one of {known}, or remove it."
    if first["type"] == "missing":
        return f"{where}'{place}' is missing: add it."
    due = _DUE.get(first["type"]) or first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] in ("value_error", "assertion_error"):
        return f"{where}{f'{place}: ' if place else ''}{due}"
    return f"{where}'{place}' is {first['input']!r} but must be {due}: correct it."


def _fields_at(kind: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Name the fields of the record that lies at a path of field names."""
    for part in path:
        field = kind.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        kind = annotation
    return list(kind.model_fields)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        InputError: the file is missing, is no YAML, or holds no mapping.
    """
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        detail = error.strerror if isinstance(error, OSError) else "not a text file"
        raise InputError(f"cannot read '{path}' ({detail}): give the path of a YAML file.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise InputError(f"'{path}' is not valid YAML{line}: correct its syntax.") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise InputError(f"'{path}' holds a {type(loaded).__name__} but must hold 'key: value' lines: see examples/.")
    return loaded
