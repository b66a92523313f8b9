"""Electrodes that somebody made and measured: a table of them, told to a study."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from mesoforge.errors import InputError
from mesoforge.experiments.drive import kept_plan
from mesoforge.experiments.home import Home
from mesoforge.experiments.study import Plan
from mesoforge.experiments.units import quantity
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.space import Variable
from mesoforge.optimize.trial import Value
from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.shift import Shift, shifts

Row = dict[str, Any]
SD: Final = ".sd"
"""Ends the column of a property's standard deviation."""
LEAST: Final = 4
"""Simulated electrodes from which they are compared with measured ones."""
TOO_FAR: Final = 2.0
"""Standard deviations of what one shift leaves, from which it is said not to explain the measurements."""


def tell(home: Home, study: str, path: Path) -> dict[str, Any]:
    """Compare measured electrodes with a study's simulations; from then on it aims at what would be measured.

    The shift of each property, measured minus simulated, is one number with its uncertainty. It is kept in the journal:
    targets, bounds and thresholds are met where the simulation plus the shift meets them. Telling again replaces it.

    Raises:
        InputError: no such study, another process drives it, too few simulations, or a wrong table.
    """
    if study not in home.studies():
        raise InputError(f"there is no study '{study}' in '{home.root}': use one of {', '.join(home.studies())}.")
    plan = kept_plan(home, study)
    rows = read_measured(path, plan)
    with home.only_driver(study):
        campaign = Campaign(
            plan.problem,
            Journal(home.journal(study)),
            plan.study.strategy,
            stop=plan.stop,
            repeat=plan.study.repeat,
            reuse=plan.study.reuse,
        )
        gp = campaign.surrogate()
        if not isinstance(gp, GaussianProcess) or len(gp.table) < LEAST:
            raise InputError(
                f"'{study}' has {len(campaign.measured)} simulated electrodes, but {LEAST} were due to compare with: "
                "let it run on, then tell it again."
            )
        found = _shifts(rows, gp, plan)
        campaign.shift({name: (one.mean, one.sd) for name, one in found.items()}, rows)
    properties = {name: asdict(one) | {"explained": one.z < TOO_FAR} for name, one in found.items()}
    return {"study": study, "electrodes": len(rows), "simulated": len(gp.table), "properties": properties}


def read_measured(path: Path, plan: Plan) -> list[Row]:
    """Read a CSV table: a column for each variable, columns for properties, and ``NAME.sd`` for their uncertainty.

    Raises:
        InputError: a column is unknown or missing, a cell is no number, or a value lies outside the study's bounds.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = list(csv.DictReader(line for line in file if line.strip() and not line.startswith("#")))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read '{path}' ({error}): give a CSV table of measured electrodes.") from None
    if not table:
        raise InputError(f"'{path}' holds no electrode: give a heading and a row for each.")
    _check_columns(list(table[0]), path, plan)
    return [_row(cells, f"{path}, row {number}", plan) for number, cells in enumerate(table, start=1)]


def _check_columns(columns: Sequence[str], path: Path, plan: Plan) -> None:
    variables, outputs = plan.problem.space.names, plan.problem.objectives.outputs
    if missing := [name for name in variables if name not in columns]:
        raise InputError(f"'{path}' has no column '{missing[0]}', which '{plan.study.name}' varies: add it.")
    known = {*variables, *outputs, *(name + SD for name in outputs)}
    if unknown := [name for name in columns if name not in known]:
        raise InputError(
            f"'{path}' has the column '{unknown[0]}', but '{plan.study.name}' knows {', '.join(sorted(known))}: "
            "rename or remove it."
        )
    if not set(columns) & set(outputs):
        raise InputError(f"'{path}' has no property, but one of {', '.join(outputs)} was due: add what was measured.")


def _row(cells: dict[str, str], where: str, plan: Plan) -> Row:
    space, outputs = plan.problem.space, plan.problem.objectives.outputs
    values = {one.name: _value(one, cells[one.name] or "", where) for one in space.variables}
    try:
        space.to_unit(values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    said = {name: _number(cells[name], name, where) for name in cells if name not in space.names and cells[name]}
    for name in outputs:
        if said.get(name, 0) > 1 and quantity(name).unit == "%":
            raise InputError(f"{where}: {name} is {said[name]:g}, but is a fraction, at most 1: divide by 100.")
    for name in (name for name in said if name.endswith(SD) and said[name] <= 0):
        raise InputError(f"{where}: {name} is {said[name]:g}, but a positive number was due: correct it.")
    return {"values": values, "properties": said}


def _value(variable: Variable, text: str, where: str) -> Value:
    if variable.choices:
        return next((one for one in variable.choices if str(one) == text.strip()), text)
    number = _number(text, variable.name, where)
    return int(number) if variable.integer and number.is_integer() else number


def _number(text: str, name: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where}: {name} is '{text}', but a number was due: correct it.")
    return number


def _shifts(rows: Sequence[Row], gp: GaussianProcess, plan: Plan) -> dict[str, Shift]:
    X = plan.problem.space.rows([row["values"] for row in rows])
    Y, sds = (
        np.array([[row["properties"].get(name + end, math.nan) for name in gp.table.names] for row in rows])
        for end in ("", SD)
    )
    return shifts(gp, X, Y, sds)
