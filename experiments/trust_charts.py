"""Charts of a surrogate: how often the truth lies within its intervals, and how outputs move with each input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mesoforge.experiments.canvas import COLOURS, INK, MARKERS, SERIES, new_figure, save, style
from mesoforge.experiments.learned_charts import draw_ends, input_label, wrapped_axis
from mesoforge.experiments.units import quantity
from mesoforge.optimize.space import Space, Variable
from mesoforge.surrogate.dependence import Dependence, partial_dependence
from mesoforge.surrogate.gp import GaussianProcess
from mesoforge.surrogate.trust import Trust, band, calibration_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEVELS: Final = np.linspace(0.05, 0.95, 19)
_GREY: Final = "#b8bcc2"
_COLUMNS: Final = 3


def calibration_chart(found: Trust, path: Path) -> Path:
    """Draw the share of unseen electrodes within the central intervals of each level; the diagonal is right."""
    curves = calibration_curve(found.all_points, _LEVELS)
    chance = np.array([band(float(level), found.points) for level in _LEVELS])
    with style():
        figure, (axes,) = new_figure(5.6, 5.2)
        low, high = (100 * (_LEVELS + side * chance) for side in (-2, 2))
        axes.fill_between(100 * _LEVELS, low, high, color=_GREY, alpha=0.35, lw=0, label="by chance, 95 %")
        axes.plot([0, 100], [0, 100], color=INK, lw=0.8, ls=":")
        for place, (name, curve) in enumerate(curves.items()):
            colour, mark = SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]
            axes.plot(100 * _LEVELS, 100 * curve, f"{mark}-", color=colour, ms=4, lw=1.4, label=quantity(name).label)
        axes.set(xlabel="Level of the interval (%)", ylabel="Share of unseen electrodes within it (%)")
        axes.set(xlim=(0, 100), ylim=(0, 102))
        axes.legend(fontsize=9, frameon=False)
        return save(figure, path)


def dependence_chart(gp: GaussianProcess, space: Space, path: Path) -> Path:
    """Draw each output against each input, the others averaged over their bounds, with two standard deviations."""
    found = [partial_dependence(gp, axis) for axis in range(len(space.variables))]
    rows, columns = len(gp.table.names), len(space.variables)
    with style():
        figure, panels = new_figure(3.0 * columns + 0.8, 2.5 * rows + 0.3, rows, columns)
        for row, name in enumerate(gp.table.names):
            for column, variable in enumerate(space.variables):
                axes = panels[row * columns + column]
                _draw(axes, found[column][name], variable, quantity(name).scale)
                axes.set(xlabel=input_label(variable.name) if row == rows - 1 else "")
                axes.set_ylabel(wrapped_axis(quantity(name).axis) if column == 0 else "", fontsize=10)
                axes.tick_params(labelleft=column == 0)
        _level(panels, rows, columns)
        return save(figure, path)


def _draw(axes: Axes, one: Dependence, variable: Variable, scale: float) -> None:
    mean, width = scale * one.mean, 2 * scale * one.sd
    if variable.choices:
        axes.errorbar(range(len(mean)), mean, width, fmt="o", color=COLOURS["CBD"], capsize=3)
        axes.set_xticks(range(len(mean)), [str(each) for each in variable.choices], fontsize=8)
        return
    places = [float(variable.unrounded(float(place))) for place in one.places]
    axes.fill_between(places, mean - width, mean + width, color=COLOURS["CBD"], alpha=0.2, lw=0)
    axes.plot(places, mean, color=COLOURS["CBD"], lw=1.8)
    draw_ends(axes, variable)


def _level(panels: list[Axes], rows: int, columns: int) -> None:
    """Give the panels of one output the same span, so that what matters is seen."""
    for row in range(rows):
        some = panels[row * columns : (row + 1) * columns]
        low, high = min(one.get_ylim()[0] for one in some), max(one.get_ylim()[1] for one in some)
        for axes in some:
            axes.set_ylim(low, high)
