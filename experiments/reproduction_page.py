"""The paper beside ours on one page: HTML that stands alone, Markdown beside it, and all numbers as CSV and JSON."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesoforge import __version__
from mesoforge.experiments import report_page as html
from mesoforge.experiments.claims import Claim, claims, cost
from mesoforge.experiments.paper import DRIED, IMPOSED_BONDED, PREDICTED_BONDED, Scope
from mesoforge.experiments.reproduction_charts import draw
from mesoforge.physics.force_fields import DEFAULT, load_force_field
from mesoforge.physics.lammps.execute import version
from mesoforge.physics.manufacture import VERSIONS

Json = dict[str, Any]
TITLE = "Xu et al., number by number"
HEADINGS = (
    "in the paper",
    "what",
    "measured there",
    "simulated there",
    "ours, mean ± sd over seeds",
    "what ours rests on",
)
WORDS: Mapping[str, str] = {
    "compaction": "Figure 2a. Porosity against compression. Lines are loadings, points electrodes at rest.",
    "pressure": "Porosity against pressure, which the paper does not give; lines and points as above.",
    "tortuosity": "Figure 2b. Tortuosity factor against porosity; open points are dried, filled ones calendered.",
    "profiles": "Figures 2d and g. Phases along the thickness, dried and calendered; a line is a seed.",
    "pores": "Figure 3. Pore network (watershed) before and after: radii, and coordination along the thickness.",
    "sphericity": "Figure 4. Krumbein's sphericity of the particles before and after calendering.",
    "flatness": "Surface flatness against compression; open points are dried.",
    "comparison": "Figure 1. An electrode beside a tomogram, both at the coarser voxel and in two phases.",
}


def write(found: Sequence[Json], scope: Scope, folder: Path, comparison: Path | None = None) -> Json:
    """Write page, figures and tables into a folder; return what was written and how the claims came out."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = draw(found, folder) | ({"comparison": comparison} if comparison else {})
    table, said = claims(found), lead(found, scope)
    page = html.write_page(_html(table, said, pictures, found, scope), folder / "index.html")
    html.write_page(_markdown(table, said, pictures, found), folder / "paper.md")
    html.write_page(json.dumps(list(found)), folder / "electrodes.json")
    _write_csv(folder / "electrodes.csv", found)
    return {
        "page": str(page),
        "markdown": str(folder / "paper.md"),
        "electrodes": len(found),
        "failed": [row for row in found if "kind" in row],
        "claims": [{name: getattr(one, name) for name in Claim.__slots__} for one in table],
        "cost": cost(found),
    }


def lead(found: Sequence[Json], scope: Scope) -> list[str]:
    """Say what was made, what it rests on and where it departs from the paper."""
    spent, failed = cost(found), [row for row in found if "kind" in row]
    shapes = f"cut out of a tomogram ({scope.shapes.name})" if scope.shapes else "generated, lumpy and elongated"
    said = [
        f"{len(found)} electrodes, {scope.seeds} seeds each"
        + (f", {len(failed)} of them failed" if failed else "")
        + ".",
        f"Shapes are {shapes}; the paper's were cut out of its own tomogram, which is not public, at 0.642 um.",
        f"**Imposed** as in the paper: the dried porosity of {DRIED} and the compression.",
        "**Predicted**: a drying pressure and the calender's pressure are given, thickness and porosity follow.",
        *_cracking(found),
        f"Voxels of {scope.voxel:g} um before and after. The paper does not give its own for simulated electrodes.",
        "**Fitted**: the slurry beads' size, both solids contents, the drying pressure, the friction while drying.",
        "**Fitted to the paper's dried electrode**: how far a pore's peak of depth rises above the pass to the next.",
        "**Fitted to other electrodes**: adhesion under the calender, the memory of dried CBD.",
        "**Assumed** under the calender: friction, which those leave open, and a contact's permanent flattening.",
        f"{spent['simulations']:.0f} simulations took {spent['core_hours']:.2f} core-hours.",
        f"As many of the paper's take {spent['published_least']:,.0f} to {spent['published_most']:,.0f} core-hours.",
        "Where the paper prints no number the table says so; figures' points were not read off.",
    ]
    if scope.shrink != 1:
        said.insert(
            0, f"**A rehearsal**: the volume's sides are {scope.shrink:g} of the paper's. Its numbers mean nothing."
        )
    return said


def _cracking(found: Sequence[Json]) -> list[str]:
    """Say what bonded particles rest on, if there are any."""
    some = [row for row in found if row["route"] in (IMPOSED_BONDED, PREDICTED_BONDED)]
    if not some:
        return []
    strength = load_force_field(DEFAULT).particle_strength
    said = f"**Bonded** particles ({len(some)} electrodes) deform and crack under the calender (docs/cracking.md); "
    return [f"{said}their strength of {strength:g} MPa is assumed. The paper's are rigid."]


def _html(
    table: Sequence[Claim], said: Sequence[str], pictures: Mapping[str, Path], found: Sequence[Json], scope: Scope
) -> str:
    command = f"mesoforge reproduce paper --seeds {scope.seeds} --voxel {scope.voxel:g}"
    command += "" if scope.particles == "both" else f" --particles {scope.particles}"
    command += f" --shapes {scope.shapes}" if scope.shapes else ""
    stages = ", ".join(f"{stage} {number}" for stage, number in VERSIONS.items())
    versions = [("mesoforge", __version__), ("LAMMPS", version()), ("versions of the stages", stages)]
    shown = [html.Figure(pictures[name], text) for name, text in WORDS.items() if name in pictures]
    sections = [
        html.Section("Numbers", html.table(HEADINGS, [_cells(one) for one in table])),
        html.Section("Figures", html.figures(shown)),
        html.Section("Failures", html.items(failures(found))),
        html.Section("How to make it again", html.code(command) + html.table(("what", "which"), versions)),
    ]
    return html.page(TITLE, html.items(said), sections)


def _cells(one: Claim) -> tuple[str, ...]:
    return tuple(getattr(one, name) for name in Claim.__slots__)


def failures(found: Sequence[Json]) -> list[str]:
    """Return a line for each electrode that failed, or that none did."""
    return [
        f"{row['formulation']} %, {row['route']}, {row['level']:g}, seed {row['seed']}: {row['reason']}"
        for row in found
        if "kind" in row
    ] or ["None."]


def _markdown(table: Sequence[Claim], said: Sequence[str], pictures: Mapping[str, Path], found: Sequence[Json]) -> str:
    rows = ["| " + " | ".join(cell.replace("|", "/") for cell in _cells(one)) + " |" for one in table]
    head = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    shown = [f"![{text}]({pictures[name].name})\n\n{text}" for name, text in WORDS.items() if name in pictures]
    parts = [f"# {TITLE}", "\n".join(f"- {line}" for line in said), "\n".join([*head, *rows]), *shown]
    return "\n\n".join([*parts, "## Failures", "\n".join(f"- {line}" for line in failures(found))]) + "\n"


def _write_csv(path: Path, found: Sequence[Json]) -> None:
    """Write a row for each electrode that was made: what was asked, and all properties."""
    made = [row for row in found if "properties" in row]
    names = sorted({name for row in made for name in row["properties"]})
    asked = ["formulation", "route", "level", "seed", "electrode"]
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow([*asked, *names])
        out.writerows([*(row[key] for key in asked), *(row["properties"].get(name) for name in names)] for row in made)
    part.replace(path)
