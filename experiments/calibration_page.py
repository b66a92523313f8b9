"""The report on a calibration: one HTML page of what was fitted, how well, and what it foretells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mesoforge.experiments.calibration_result import too_few_points
from mesoforge.experiments.printing import number
from mesoforge.experiments.report_page import Figure, Section, cards, figures, folded, items, page, paragraph, table
from mesoforge.experiments.report_page import code as lines
from mesoforge.experiments.report_parts import input_text, label, shown
from mesoforge.experiments.units import quantity

Json = Mapping[str, Any]
PICTURES: Final = {
    "fit.png": "Each measured row (95 % interval) beside the simulation with the fitted parameters, and beside what "
    "the other rows foretell of it.",
    "posterior.png": "How probable each parameter's values are within the searched bounds; bars at the dotted line say "
    "that the rows tell nothing of it. The red line is the most probable value.",
}


def calibration_report(folder: Path) -> str:
    """Return the page on the calibration whose results lie in a folder."""
    found = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    fitted = folder / "force_field.yaml"
    pictures = figures(Figure(folder / name, said, wide=True) for name, said in PICTURES.items())
    sections = [
        Section("Fitted parameters", _parameters(found)),
        Section("Measured and simulated", pictures + _rows(found)),
        Section("How far it misses", _errors(found)),
        Section("Limits", items(_limits(found))),
        Section("How to use it", _use(fitted)),
    ]
    lead = cards(
        {"sets of parameters": str(found["sets"]), "rows": str(len(found["rows"])), "seeds": str(found["seeds"])}
    )
    return page(f"Calibration {found['calibration']}", lead, sections)


def _parameters(found: Json) -> str:
    rows = [
        (
            f"`{one['name']}`",
            input_text(one["name"], one["value"]),
            f"{number(one['low95'])} to {number(one['high95'])}",
            f"{number(one['from'])} to {number(one['to'])}",
            f"{100 * one['determined']:.0f} %",
            "at the border of what was searched" if one["at_border"] else "",
        )
        for one in found["parameters"]
    ]
    said = paragraph("Most probable values; determined: by how much the rows narrow what was searched.")
    return said + table(("parameter", "value", "95 % interval", "searched", "determined", "to mind"), rows)


def _rows(found: Json) -> str:
    rows = [
        (
            f"{one['name']}{' (held out)' if one['held_out'] else ''}",
            label(one["property"]),
            _told(one, "measured", "sd"),
            shown(one["property"], one["fit"]),
            _told(one, "foretold", "foretold_sd"),
            shown(one["property"], one.get("confirmed")),
        )
        for one in found["rows"]
    ]
    head = ("row", "property", "measured", "fitted", "foretold by the others", "simulated, new seeds")
    return table(head, rows) + paragraph("± is one standard deviation.", "soft")


def _told(row: Json, key: str, spread: str) -> str:
    """Return a number with its standard deviation and its unit."""
    about = quantity(row["property"])
    return f"{number(row[key] * about.scale)} ± {row[spread] * about.scale:.2g} {about.unit}".strip()


def _errors(found: Json) -> str:
    keys = ("fit", "foretold", "confirmed", "mean", "held_out")
    rows = [(label(name), *(shown(name, one.get(key)) for key in keys)) for name, one in found["errors"].items()]
    said = paragraph(
        "Root mean square errors: of the fit, of each row foretold from the others, of a simulation with new seeds, of "
        "foretelling each row by the mean of the others (which needs no simulation), and of rows held out."
    )
    return said + table(("property", "fit", "foretold", "new seeds", "mean of the others", "held out"), rows)


def _limits(found: Json) -> list[str]:
    failed = [f"set {one['set']}: {one['kind']} in {one['stage']}: {one['reason']}" for one in found["failed"]]
    used = sum(not row["held_out"] for row in found["rows"])
    return [
        f"**Fitted** to {used} rows: what the fit reproduces is no prediction; foretold and held-out rows are.",
        "A parameter that is hardly determined may have any value within its interval, at no cost to the fit.",
        *filter(None, [too_few_points(found)]),
        *(f"Failed, and left out: {one}." for one in failed),
    ]


def _use(fitted: Path) -> str:
    if not fitted.is_file():
        return paragraph("Nothing of a force field was fitted: give the values above in a recipe.")
    text = fitted.read_text(encoding="utf-8")
    return lines("mesoforge make --set force_field=force_field.yaml") + folded("force_field.yaml", lines(text))
