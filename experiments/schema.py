"""JSON schemas of study and recipe files, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any, Final

from mesoforge.experiments.rates import AT_1C, PATTERN, property_of
from mesoforge.experiments.sizing import SIDE
from mesoforge.experiments.study import Study
from mesoforge.optimize.problem import Budget
from mesoforge.optimize.strategies import STRATEGIES
from mesoforge.physics.force_fields import shipped as shipped_force_fields
from mesoforge.physics.materials import shipped as shipped_materials
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.microstructure.quantity import Property
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.record import Record

Json = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NUMBER: Final[Json] = {"type": "number"}


def recipe_schema() -> Json:
    """Return the schema of a recipe file; materials and force fields may be given by name."""
    schema = Recipe.model_json_schema()
    materials = schema["$defs"]["Materials"]["properties"]
    for place, record in materials.items():
        materials[place] = _named(record, sorted(shipped_materials()))
    schema["properties"]["force_field"] = _named(schema["properties"]["force_field"], sorted(shipped_force_fields()))
    return {"$schema": DIALECT, **schema, "title": "mesoforge recipe"}


def study_schema() -> Json:
    """Return the schema of a study file, its recipe's included."""
    recipe, schema = recipe_schema(), Study.model_json_schema()
    definitions = (
        schema.pop("$defs") | recipe.pop("$defs") | {"Recipe": {k: v for k, v in recipe.items() if k != "$schema"}}
    )
    fields = schema["properties"]
    fields["recipe"]["anyOf"] = [{"$ref": "#/$defs/Recipe"}, {"type": "string"}]
    fields["variables"] = _listed(fields["variables"], {name: _bounds(said) for name, said in inputs().items()})
    fields["objectives"] = _listed(fields["objectives"], {name: _goal(name) for name in (*PROPERTIES, *AT_1C)})
    fields["constraints"] = _listed(fields["constraints"], {name: _limit(name) for name in (*PROPERTIES, *AT_1C)})
    fields["objectives"]["patternProperties"] = {f"^{PATTERN}$": _goal(AT_1C[0])}
    fields["constraints"]["patternProperties"] = {f"^{PATTERN}$": _limit(AT_1C[0])}
    counts = {name: {"type": "integer", "minimum": 0} for name in Budget.__dataclass_fields__}
    fields["budget"] = _listed(fields["budget"], counts)
    fields["fidelity"] = _listed(fields["fidelity"], {SIDE: {"type": "array", "items": _NUMBER, "minItems": 2}})
    fields["strategy"]["enum"] = sorted(STRATEGIES)
    said = {"description": fields["where"]["description"]}
    fields["where"] = said | {"anyOf": [{"$ref": "#/$defs/Where"}, {"type": "string"}]}
    return {"$schema": DIALECT, **schema, "title": "mesoforge study", "$defs": definitions}


SCHEMAS: Final = {"study": study_schema, "recipe": recipe_schema}


def inputs() -> dict[str, str]:
    """Return every input of a recipe that may be varied, by dotted name, with what it means."""
    found = {}
    for section, content in Recipe():
        if isinstance(content, Record):
            for name, field in type(content).model_fields.items():
                if any(kind in str(field.annotation) for kind in ("float", "int", "bool", "Literal", "Material")):
                    found[f"{section}.{name}"] = " ".join((field.description or "").split())
    return {name: said for name, said in found.items() if name != "volume.start_box"}


def _named(record: Json, names: list[str]) -> Json:
    """Return a schema that takes the name of a shipped thing, or of a file, as well as its record."""
    reference = {key: value for key, value in record.items() if key in ("$ref", "allOf")}
    kept = {key: value for key, value in record.items() if key not in reference}
    return kept | {"anyOf": [{"enum": names}, {"type": "string", "pattern": r"\.ya?ml$"}, reference]}


def _listed(field: Json, properties: Json) -> Json:
    kept = {key: value for key, value in field.items() if key not in ("additionalProperties", "anyOf")}
    return kept | {"type": "object", "properties": properties, "additionalProperties": False}


def _bounds(said: str) -> Json:
    return {
        "type": "object",
        "description": said,
        "properties": {
            "low": _NUMBER,
            "high": _NUMBER,
            "scale": {"enum": ["linear", "log"]},
            "integer": {"type": "boolean"},
            "choices": {"type": "array", "minItems": 2},
            "levels": {"type": "integer", "minimum": 2},
            "values": {"type": "array", "items": _NUMBER, "minItems": 2},
        },
        "anyOf": [{"required": ["low", "high"]}, {"required": ["choices"]}, {"required": ["values"]}],
        "additionalProperties": False,
    }


def _about(name: str) -> Property:
    return property_of(name) or Property("", "")


def _limit(name: str) -> Json:
    about = _about(name)
    pair = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}
    keys = {"at_least": _NUMBER, "at_most": _NUMBER, "between": pair}
    said = f"{about.meaning} [{about.unit}]" if about.unit else about.meaning
    return {"description": said, "type": "object", "properties": keys, "additionalProperties": False}


def _goal(name: str) -> Json:
    about = _about(name)
    keys = {"goal": {"enum": ["minimize", "maximize", "match"]}}
    keys |= dict.fromkeys(("match", "tolerance", "threshold", "weight"), _NUMBER)
    mapping = {"type": "object", "properties": keys, "additionalProperties": False}
    return {
        "description": f"{about.meaning} [{about.unit}]" if about.unit else about.meaning,
        "anyOf": [{"enum": ["minimize", "maximize"]}, mapping],
    }
