"""``mesoforge calibrate``: its arguments and how its result is printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mesoforge.errors import InputError
from mesoforge.experiments.options import (
    Explained,
    home_option,
    json_option,
    print_result,
    tracking_option,
    where_option,
)


class CalibrationError(Exception):
    """Too few sets of parameters could be simulated."""


@click.command(cls=Explained)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--budget", metavar="START+PROPOSED", help="Sets of parameters to try, e.g. 8+8.")
@click.option("--seeds", type=click.IntRange(1, 100), help="Electrodes per row and set.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Sets tried at a time.")
@click.option("--hold-out", metavar="ROW", multiple=True, help="Foretell this row, do not fit to it.")
@click.option("--name", help="Another name than the file's, e.g. where rows are held out.")
@where_option
@home_option
@tracking_option
@json_option
def calibrate(
    file: Path, hold_out: tuple[str, ...], budget: str | None, home: Path, tracking_uri: str | None, *,
    as_json: bool, **said: Any,  # noqa: ANN401 - options of several types
) -> None:  # fmt: skip
    r"""Fit parameters of nature to measured values, and say how surely the data determine them.

    FILE names parameters with bounds, and measured rows with their conditions. Every row is simulated for each set of
    parameters; Gaussian processes propose the next set. The result is a force field that a recipe can name, each row
    foretold from all others, and the posterior of each parameter. Ctrl-C stops; the same command goes on.

    \b
    mesoforge calibrate examples/calibrate_slurry.yaml
    mesoforge calibrate calender.yaml --budget 8+8 --hold-out "gap 44" --name without_44
    mesoforge make --set force_field=mlruns/calibrations/slurry/force_field.yaml
    """
    from mesoforge.experiments.calibrating import calibrate as run
    from mesoforge.experiments.calibration import load_calibration
    from mesoforge.experiments.cluster import Demand, pool_said
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.shift_table import electrodes

    place = said.pop("where")
    changes = {key: value for key, value in said.items() if value is not None}
    changes |= ({"budget": _budget(budget)} if budget else {}) | ({"hold_out": list(hold_out)} if hold_out else {})
    plan = load_calibration(file, changes)
    demand = Demand(plan.said.workers, 1, home.resolve(), _warn)
    with electrodes(quiet=as_json) as watch, pool_said(place, demand) as pool:
        found = run(plan, Home(home), pool, watch, _warn, tracking_uri)
    print_result(found, show, as_json=as_json)
    if "parameters" not in found:
        raise CalibrationError(f"only {found['measured']} sets of parameters could be simulated, and 3 are needed")


def _budget(text: str) -> dict[str, int]:
    parts = [part.strip() for part in text.split("+")]
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise InputError(f"the budget is '{text}' but must be two whole numbers like 8+8: correct it.")
    return dict(zip(("start", "proposed"), map(int, parts), strict=True))


def _warn(message: str) -> None:
    click.echo(f"Note: {message}", err=True)


def show(found: dict[str, Any]) -> None:
    """Print parameters, rows, errors and failures."""
    from rich.console import Console
    from rich.markup import escape

    from mesoforge.experiments.calibration_result import too_few_points

    console = Console()
    if "parameters" in found:
        console.print(_parameters(found))
        console.print(_rows(found))
        if mind := too_few_points(found):
            console.print(mind)
        for name, one in found["errors"].items():
            said = ", ".join(f"{WORDS[key]} {value:.3g}" for key, value in one.items())
            console.print(f"Root mean square errors of {name}: {said}.")
        if "force_field" in found:
            console.print(f"Force field: {escape(found['force_field'])}")
        console.print(f"Figures and posterior: {escape(found['folder'])}")
    for one in found["failed"]:
        console.print(escape(f"Set {one['set']} failed in {one['stage']} ({one['kind']}): {one['reason']}"))


WORDS = {
    "fit": "of the fit",
    "foretold": "each row foretold from the others",
    "confirmed": "simulated with new seeds",
    "mean": "the others' mean in place of a model",
    "held_out": "of rows held out",
}
"""How each error is called."""


def _parameters(found: dict[str, Any]) -> Any:  # noqa: ANN401 - rich is imported late
    from rich.table import Table

    seeds = found["seeds"]
    title = f"{found['calibration']}: {found['sets']} sets of parameters, {seeds} seed{'s' * (seeds > 1)} per row"
    table = Table(title=title, box=None, title_justify="left")
    for heading in ("parameter", "fitted", "95 % interval", "searched", "determined"):
        table.add_column(heading, justify="left" if heading == "parameter" else "right", overflow="fold")
    for one in found["parameters"]:
        table.add_row(
            one["name"],
            f"{one['value']:.4g}{' (border)' if one['at_border'] else ''}",
            f"{one['low95']:.4g} to {one['high95']:.4g}",
            f"{one['from']:g} to {one['to']:g}",
            f"{100 * max(one['determined'], 0):.0f} %",
        )
    return table


def _rows(found: dict[str, Any]) -> Any:  # noqa: ANN401 - rich is imported late
    from rich.table import Table

    table = Table(box=None, title="Rows", title_justify="left")
    headings = ["row", "property", "measured", "fitted", "foretold by the others"]
    confirmed = "confirmed" in found["rows"][0]
    for heading in [*headings, *(["new seeds"] if confirmed else [])]:
        table.add_column(heading, justify="left" if heading in ("row", "property") else "right")
    for row in found["rows"]:
        table.add_row(
            row["name"] + (" (held out)" if row["held_out"] else ""),
            row["property"],
            f"{row['measured']:.4g} ± {row['sd']:.2g}",
            f"{row['fit']:.4g}",
            f"{row['foretold']:.4g} ± {row['foretold_sd']:.2g}",
            *([f"{row['confirmed']:.4g}"] if confirmed else []),
        )
    return table
