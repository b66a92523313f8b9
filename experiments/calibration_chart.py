"""The charts of a calibration: each measured row beside the simulation, and what is known of each parameter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mesoforge.experiments.canvas import COLOURS, INK, new_figure, save, style
from mesoforge.experiments.study_charts import input_unit
from mesoforge.experiments.units import quantity, rounded, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mesoforge.experiments.calibration import CalibrationPlan
    from mesoforge.optimize.posterior import Posterior

_BARS: Final = 24
_FORETOLD: Final = "#e69f00"
_NORMAL_95: Final = 1.96
_COLUMNS: Final = 4
_NUMBERS: Final = ("measured", "sd", "fit", "foretold", "foretold_sd", "confirmed")


def fit_chart(found: Mapping[str, Any], path: Path) -> Path:
    """Draw the rows of a calibration: measured, fitted, and foretold from the other rows with 95 % intervals."""
    names = list(dict.fromkeys(row["property"] for row in found["rows"]))
    tallest = max(sum(row["property"] == name for row in found["rows"]) for name in names)
    with style():
        figure, panels = new_figure(6.6 * len(names), 1.4 + 0.4 * tallest, 1, len(names))
        for axes, name in zip(panels, names, strict=True):
            _rows(axes, [row for row in found["rows"] if row["property"] == name], name)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=10)
        return save(figure, path)


def _rows(axes: Axes, rows: list[Any], name: str) -> None:
    places, about = np.arange(len(rows), dtype=float), quantity(name)
    values = {key: about.scale * np.array([row[key] for row in rows]) for key in _NUMBERS if key in rows[0]}
    bars: dict[str, Any] = {"capsize": 3, "ms": 6}
    axes.errorbar(values["measured"], places - 0.15, xerr=_NORMAL_95 * values["sd"], fmt="o", color=INK,
                  label="measured", **bars)  # fmt: skip
    axes.errorbar(values["foretold"], places + 0.15, xerr=_NORMAL_95 * values["foretold_sd"], fmt="s", color=_FORETOLD,
                  label="foretold by the others", **bars)  # fmt: skip
    axes.plot(values["fit"], places, "D", color=COLOURS["CBD"], ms=6, label="fitted")
    if "confirmed" in values:
        look: dict[str, Any] = {"color": COLOURS["active material"], "ms": 8, "mew": 2}
        axes.plot(values["confirmed"], places, "x", label="simulated, new seeds", **look)
    labels = [f"{row['name']}{' (held out)' if row['held_out'] else ''}" for row in rows]
    axes.set(ylim=(len(rows) - 0.5, -0.5), yticks=places, yticklabels=labels, xlabel=about.axis)


def posterior_chart(plan: CalibrationPlan, known: Posterior, path: Path) -> Path:
    """Draw how probable each parameter's values are within the searched bounds; even bars say nothing is known."""
    variables = plan.problem.space.variables
    columns = min(_COLUMNS, len(variables))
    lines = -(-len(variables) // columns)
    with style():
        figure, panels = new_figure(3.2 * columns, 2.8 * lines, lines, columns)
        for place, (axes, one) in enumerate(zip(panels, variables, strict=False)):
            heights, edges = np.histogram(known.points[:, place], _BARS, (0, 1), weights=known.weight)
            ends = [float(one.from_unit(float(edge))) for edge in edges]
            axes.bar(ends[:-1], heights * _BARS, np.diff(ends), align="edge", color=COLOURS["CBD"], alpha=0.8)
            axes.axhline(1, color=INK, lw=0.8, ls=":")
            axes.axvline(float(one.from_unit(float(known.best[place]))), color=COLOURS["active material"], lw=1.5)
            axes.set(xlim=(one.low, one.high), xscale=one.scale, ylabel="Density over an even one")
            axes.set_xlabel(with_unit(one.name, input_unit(one.name)), fontsize=10)
            if one.scale == "log":
                ticks = np.geomspace(one.low, one.high, 4)
                axes.set_xticks(ticks, [rounded(tick, 2) for tick in ticks])
                axes.minorticks_off()
        for axes in panels[len(variables) :]:
            axes.remove()
        return save(figure, path)
