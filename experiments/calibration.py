"""The calibration file: which parameters to fit, in which bounds, to which measured rows."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from mesoforge.errors import InputError
from mesoforge.experiments.record import check_study_name
from mesoforge.optimize.calibration import LEAST_TO_LEARN, Calibrated
from mesoforge.optimize.posterior import Targets
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Value
from mesoforge.physics.balance import MG_PER_CM2, balance
from mesoforge.physics.lammps.execute import version
from mesoforge.physics.manufacture import identity
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.record import Record, read_yaml
from mesoforge.physics.store import digest

LOADING = "calendering.mass_loading"


class Row(Record):
    """One measured value and the conditions that it was measured under."""

    name: str
    """What it is called in tables."""
    property: str
    """The property of the simulation that it is compared with."""
    value: float
    """What was measured, in the property's unit."""
    sd: float = Field(gt=0)
    """Standard deviation of the measurement, in the same unit."""
    conditions: dict[str, Any] = Field(default_factory=dict)
    """Inputs of the recipe by dotted name, as they were when it was measured."""


class Column(Record):
    """A column of the table that sets an input of the recipe."""

    column: str
    """Its heading."""
    times: float = 1.0
    """Factor from the table's unit to the recipe's."""


class Coating(Record):
    """Columns that say how thick the whole coating was, where the simulated volume is thinner."""

    thickness: str
    """Heading of the coating's thickness before calendering [um]."""
    porosity: str
    """Heading of its porosity before calendering."""


class MeasuredTable(Record):
    """Measured rows in a CSV file."""

    file: str
    """Its path, relative to the calibration file."""
    property: str
    """The property of the simulation that is compared."""
    value: str
    """Heading of the measured value."""
    sd: float | str
    """Standard deviation of all values, or the heading of a column of it."""
    columns: dict[str, str | Column] = Field(default_factory=dict)
    """Inputs of the recipe by dotted name, and the heading (with a factor) that sets each."""
    coating: Coating | None = None
    """Sets calendering.mass_loading from the coating's thickness and porosity."""
    label: list[str] = Field(default_factory=list)
    """Headings of which a row's name is made; without them rows are numbered."""


class CalibrationFile(Record):
    """What to calibrate, as the file says it."""

    name: str
    """Name of the calibration: its folder, and its experiment in MLflow."""
    note: str = ""
    """What it is for, in a sentence or more."""
    recipe: dict[str, Any] | str = Field(default_factory=dict)
    """The recipe that all rows start from: what differs from the defaults, or the path of a file."""
    parameters: dict[str, dict[str, Any]]
    """Inputs to fit by dotted name, each with ``low``, ``high`` and perhaps ``scale: log``."""
    measured: list[Row] = Field(default_factory=list)
    """Measured rows, written out."""
    table: MeasuredTable | None = None
    """Measured rows in a file."""
    hold_out: list[str] = Field(default_factory=list)
    """Names of rows that are foretold and not fitted to."""
    budget: dict[str, int] = Field(default_factory=dict)
    """Sets of parameters to try: ``start`` (by default two more than parameters) and ``proposed`` (three for each)."""
    seeds: int = Field(default=1, ge=1, le=100)
    """Electrodes per row and set, of seeds that all sets share, so that stages are shared too."""
    seed: int = Field(default=1, ge=0, lt=2**30)
    """The first of these seeds."""
    workers: int = Field(default=1, ge=1, le=1024)
    """Sets tried at a time, each in a process of its own."""


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """A checked calibration: what it says, its base recipe, its rows, and what is asked and told."""

    said: CalibrationFile
    base: Recipe
    rows: tuple[Row, ...]
    problem: Calibrated

    def recipes(self, values: Mapping[str, Value], *, fresh: bool = False) -> list[list[Recipe]]:
        """Return the recipe of each row and seed for a set of parameters; ``fresh`` seeds are none of the others."""
        first = self.said.seed + (self.said.seeds if fresh else 0)
        return [
            [self.base.with_values({**row.conditions, **values, "seed": first + n}) for n in range(self.said.seeds)]
            for row in self.rows
        ]


def load_calibration(path: Path, changes: Mapping[str, Any]) -> CalibrationPlan:
    """Read a calibration from YAML; ``changes`` replace what the file says.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    said = CalibrationFile.from_mapping({**read_yaml(path), **changes}, str(path))
    check_study_name(said.name)
    base = _base(said, path.parent)
    rows = (*said.measured, *(_tabled(said.table, base, path.parent) if said.table else ()))
    _check_rows(rows, said.hold_out)
    space = Space.from_mapping(said.parameters)
    if "seed" in space.names:
        raise InputError("'seed' cannot be a parameter: all sets share their seeds; remove it, and give 'seeds'.")
    _check_recipes(base, rows, space)
    return CalibrationPlan(said, base, rows, _problem(said, base, rows, space))


def _problem(said: CalibrationFile, base: Recipe, rows: Sequence[Row], space: Space) -> Calibrated:
    budget = {"start": len(space.names) + 2, "proposed": 3 * len(space.names)} | said.budget
    if unknown := set(budget) - {"start", "proposed"}:
        raise InputError(f"budget: '{unknown.pop()}' is not known: use start and proposed.")
    for part, least in (("start", LEAST_TO_LEARN), ("proposed", 0)):
        if budget[part] < least:
            raise InputError(f"the budget's {part} is {budget[part]}, but at least {least} was due: raise it.")
    if space.size < LEAST_TO_LEARN:
        raise InputError(
            f"the parameters have {space.size:.0f} sets of values in all, but at least {LEAST_TO_LEARN} were due: "
            "give more choices, or one more parameter."
        )
    targets = Targets(
        names=tuple(row.name for row in rows),
        values=np.array([row.value for row in rows]),
        sds=np.array([row.sd for row in rows]),
        held=np.array([row.name in said.hold_out for row in rows]),
    )
    conditions = digest({row.name: [row.property, row.conditions] for row in rows})
    versions = ", ".join(f"{stage} {inputs['version']}" for stage, inputs in identity(base).items())
    context: dict[str, Value] = {
        "physics": f"{versions}, LAMMPS {version()}",
        "recipe": digest(identity(base)["measurement"]),
        "conditions": conditions,
        "seeds": said.seeds,
    }
    return Calibrated(said.name, space, targets, budget["start"], budget["proposed"], said.seed, context=context)


def _base(said: CalibrationFile, folder: Path) -> Recipe:
    if isinstance(said.recipe, str):
        return load_recipe(folder / said.recipe)
    return Recipe.from_mapping(said.recipe, "recipe", folder).beside(folder)


def _check_rows(rows: Sequence[Row], held: Sequence[str]) -> None:
    names = [row.name for row in rows]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two measured rows are called '{twice}': give each a name of its own, or a longer label.")
    for name in held:
        if name not in names:
            raise InputError(f"hold_out names '{name}', but the rows are {', '.join(names)}: name one of them.")
    if len(set(names) - set(held)) < 1:
        raise InputError("no measured row is left to fit to: give rows as 'measured' or 'table', or hold out fewer.")
    for row in rows:
        if row.property not in PROPERTIES:
            raise InputError(f"row '{row.name}': '{row.property}' is not a property: use one of 'mesoforge make'.")


def _check_recipes(base: Recipe, rows: Sequence[Row], space: Space) -> None:
    """Check that every row is a recipe at the middle and at each parameter's bounds."""
    middle = space.from_unit(np.full(len(space.names), 0.5))
    ends: list[dict[str, Value]] = [{one.name: end} for one in space.variables for end in (one.low, one.high)]
    for row, change in product(rows, [{}, *ends]):
        try:
            base.with_values({**row.conditions, **middle, **change})
        except InputError as error:
            where = "".join(f" at {name} {value:g}" for name, value in change.items())
            raise InputError(f"row '{row.name}'{where} is no recipe: {error}") from None


def _tabled(table: MeasuredTable, base: Recipe, folder: Path) -> list[Row]:
    path = folder / table.file
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        detail = error.strerror if isinstance(error, OSError) else "not a text file"
        raise InputError(f"cannot read '{path}' ({detail}): give the path of a CSV file.") from None
    return [_row(table, base, line, f"{path}, row {number}", number) for number, line in enumerate(lines, start=1)]


def _row(table: MeasuredTable, base: Recipe, line: Mapping[str, str], where: str, number: int) -> Row:
    columns = {name: Column(column=one) if isinstance(one, str) else one for name, one in table.columns.items()}
    conditions: dict[str, Any] = {name: one.times * _cell(line, one.column, where) for name, one in columns.items()}
    if table.coating:
        conditions[LOADING] = _loading(table.coating, _at(base, conditions, where), line, where)
    name = ", ".join(f"{heading} {line.get(heading, '').strip()}" for heading in table.label) or str(number)
    return Row(
        name=name,
        property=table.property,
        value=_cell(line, table.value, where),
        sd=table.sd if isinstance(table.sd, float | int) else _cell(line, table.sd, where),
        conditions=conditions,
    )


def _at(base: Recipe, conditions: Mapping[str, Any], where: str) -> Recipe:
    try:
        return base.with_values(conditions)
    except InputError as error:
        raise InputError(f"{where} is no recipe: {error}") from None


def _loading(coating: Coating, recipe: Recipe, line: Mapping[str, str], where: str) -> float:
    """Return the whole coating's mass loading [mg/cm2]."""
    amounts = balance(recipe)
    mass = amounts.active_mass + amounts.cbd_mass
    height = _cell(line, coating.thickness, where) * (1 - _cell(line, coating.porosity, where))
    return mass / amounts.solid_volume * height / MG_PER_CM2


def _cell(line: Mapping[str, str], heading: str, where: str) -> float:
    if heading not in line:
        known = ", ".join(str(one) for one in line)
        raise InputError(f"{where}: there is no column '{heading}': use one of {known}.")
    try:
        value = float(line[heading])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: '{heading}' is '{line[heading]}' but must be a finite number: correct it.")
    return value
