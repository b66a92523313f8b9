"""The flow curve of a slurry: sheared, kept as CSV, drawn."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from mesoforge.experiments.canvas import COLOURS, new_figure, save, style
from mesoforge.experiments.home import Home
from mesoforge.physics.failure import Failure
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.rheology import RATES, Flow, medium_viscosity, slurry_name, viscosity
from mesoforge.physics.store import Store


def flow_curve(
    recipe: Recipe, rates: Sequence[float], home: Home, on_stage: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Shear the slurry of a recipe with each rate [1/s], by default three, and keep the curve in the home.

    Returns:
        The flows, notes and files; or kind, stage and reason of a failure.
    """
    flows = viscosity(recipe, tuple(rates) or RATES, Store(home.store), on_stage)
    if isinstance(flows, Failure):
        return {"kind": flows.kind, "stage": flows.stage, "reason": flows.reason}
    folder = home.root / "viscosity" / slurry_name(recipe)[:24]
    return {
        "flows": [asdict(flow) for flow in flows],
        "medium_viscosity": medium_viscosity(recipe),
        "notes": notes(recipe, flows),
        "curve": str(write_curve(flows, folder / "viscosity.csv")),
        "picture": str(draw(flows, folder / "viscosity.png")),
    }


def notes(recipe: Recipe, flows: Sequence[Flow]) -> list[str]:
    """Say what a reader must know of the numbers."""
    said = [
        (
            f"{recipe.force_field.said('slurry_drag')}; the drag alone has a viscosity of about "
            f"{medium_viscosity(recipe):.2g} Pa s. Without inertia the stress hangs on drag times rate "
            "only: a medium so many times as viscous gives the same stress at a rate so many times as slow."
        ),
        f"Drag over attraction at these rates: {', '.join(f'{flow.reduced_rate:.2g}' for flow in flows)}.",
    ]
    if not all(flow.steady for flow in flows):
        said.append("Where 'steady' is no, the stress still drifted: take the mean of several seeds.")
    return said


def write_curve(flows: Sequence[Flow], path: Path) -> Path:
    """Write one row a rate as CSV, the columns named as the fields of ``Flow``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Flow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(flow) for flow in flows)
    return part.replace(path)


def draw(flows: Sequence[Flow], path: Path) -> Path:
    """Draw viscosity and stress against the shear rate, both with their standard errors."""
    with style():
        figure, (left, right) = new_figure(9, 3.8, columns=2)
        rates = [flow.rate for flow in flows]
        looks: dict[str, Any] = {"fmt": "o-", "color": COLOURS["CBD"], "capsize": 3}
        left.errorbar(rates, [f.viscosity for f in flows], [f.viscosity_error for f in flows], **looks)
        right.errorbar(rates, [f.stress for f in flows], [f.stress_error for f in flows], **looks)
        left.set(xscale="log", yscale="log", xlabel="shear rate (1/s)", ylabel="viscosity (Pa s)")
        right.set(xscale="log", xlabel="shear rate (1/s)", ylabel="shear stress (kPa)", ylim=(0, None))
        for axis in (left.xaxis, left.yaxis, right.xaxis):
            axis.set_minor_formatter("{x:.3g}" if axis is left.yaxis else "")
        limits = (min(rates) / 2, max(rates) * 2)
        left.set_xlim(*limits)
        right.set_xlim(*limits)
        return save(figure, path)
