"""Charts of what a study's surrogate learned: slices along each input, and which inputs matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mesoforge.experiments.canvas import COLOURS, INK, NoPicture, new_figure, save, style
from mesoforge.experiments.slices import Slice, rests
from mesoforge.experiments.study_charts import input_unit
from mesoforge.experiments.units import quantity, rounded, with_unit
from mesoforge.optimize.space import Variable
from mesoforge.optimize.trial import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOGETHER: Final = "#e69f00"
_TALL: Final = 0.38
_SIDES: Final[tuple[Literal["left", "center", "right"], ...]] = ("left", "center", "right")


def slices_chart(
    cuts: Mapping[str, Slice], variables: Sequence[Variable], through: Mapping[str, Value], path: Path
) -> Path | NoPicture:
    """Draw each output along each variable, the others held ``through`` one recipe: mean and 95 % of new electrodes."""
    outputs = list(next(iter(cuts.values())).mean) if cuts else []
    if not outputs:
        return NoPicture("Nothing was learned yet.")
    with style():
        rows, columns = len(outputs), len(variables)
        figure, panels = new_figure(max(6.5, 3.0 * columns + 0.6), 2.6 * rows, rows, columns)
        for row, output in enumerate(outputs):
            some = panels[row * columns : (row + 1) * columns]
            for axes, one in zip(some, variables, strict=True):
                _draw_slice(axes, cuts[one.name], one, output, through)
            _share_height(some, quantity(output).axis)
            for axes, one in zip(some, variables, strict=True):
                axes.set_xlabel(input_label(one.name) if row == rows - 1 else "")
        return save(figure, path)


def _draw_slice(axes: Axes, cut: Slice, one: Variable, output: str, through: Mapping[str, Value]) -> None:
    scale = quantity(output).scale
    mean, low, high = (scale * each[output] for each in (cut.mean, cut.low, cut.high))
    if one.choices:
        at: Any = np.array(rests(one))
        axes.errorbar(at, mean, [mean - low, high - mean], fmt="o", color=COLOURS["active material"], capsize=3)
        axes.set_xticks(at, [str(choice) for choice in one.choices])
        axes.set_xlim(0, 1)
        here = one.to_unit(through[one.name])
    else:
        at, here = np.array(cut.values, dtype=float), float(through[one.name])
        axes.fill_between(at, low, high, color=COLOURS["active material"], alpha=0.18, lw=0)
        axes.plot(at, mean, color=COLOURS["active material"], lw=2)
        draw_ends(axes, one)
    axes.axvline(here, color=INK, lw=0.9, ls=":")


def draw_ends(axes: Axes, one: Variable) -> None:
    """Let an axis reach from bound to bound of a variable, with numbers at the ends and in the middle."""
    ends = [float(one.from_unit(place)) for place in (0.0, 0.5, 1.0)]
    axes.set(xscale=one.scale, xlim=(one.low, one.high))
    axes.set_xticks(ends, [rounded(end) for end in ends])
    axes.minorticks_off()
    for label, side in zip(axes.get_xticklabels(), _SIDES, strict=True):
        label.set_horizontalalignment(side)  # or the ends of neighbours would meet


def _share_height(some: Sequence[Axes], name: str) -> None:
    """Give the panels of one output one scale, and its name to the first."""
    limits = [axes.get_ylim() for axes in some]
    for axes in some:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        axes.tick_params(labelleft=axes is some[0])
    some[0].set_ylabel(wrapped_axis(name), fontsize=10)


def wrapped_axis(name: str) -> str:
    """Return the label of an axis in short lines, its unit on the last."""
    words, bracket, unit = name.partition(" (")
    return _wrapped(words) + (f"\n({unit}" if bracket else "")


def sensitivity_chart(found: Mapping[str, Any], path: Path) -> Path | NoPicture:
    """Draw the Sobol indices of ``learned.sensitivity`` by output and input, with two standard deviations."""
    outputs = found["properties"]
    if not outputs:
        return NoPicture("Nothing was learned yet.")
    inputs = list(next(iter(outputs.values())))
    with style():
        figure, panels = new_figure(max(6.5, 1.6 + 3.0 * len(outputs)), 1.3 + 0.62 * len(inputs), 1, len(outputs))
        for axes, (output, by_input) in zip(panels, outputs.items(), strict=True):
            _draw_indices(axes, by_input)
            axes.set_title(_wrapped(quantity(output).label), fontsize=10)
            axes.set_yticklabels([input_label(name, unit=False) if axes is panels[0] else "" for name in inputs])
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=10)
        return save(figure, path)


def _draw_indices(axes: Axes, by_input: Mapping[str, Mapping[str, float]]) -> None:
    places = np.arange(len(by_input), dtype=float)
    for shift, key, colour, words in (
        (-0.2, "first", COLOURS["CBD"], "alone"),
        (0.2, "total", _TOGETHER, "with others"),
    ):
        values = 100 * np.array([one[key] for one in by_input.values()])
        bars = 200 * np.array([one[f"{key}_sd"] for one in by_input.values()])
        axes.barh(places + shift, values, _TALL, color=colour, label=words)
        axes.errorbar(values, places + shift, xerr=bars, fmt="none", ecolor=INK, capsize=2, lw=1)
    axes.set(xlim=(0, 105), ylim=(len(by_input) - 0.5, -0.5), xlabel="Share of the variance (%)", yticks=places)


def input_label(name: str, *, unit: bool = True) -> str:
    """Return the label of an input's axis."""
    last = name.split(".")[-1].replace("_", " ").capitalize()
    return with_unit(last, input_unit(name)) if unit else last


def _wrapped(words: str, longest: int = 22) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(words, longest))
