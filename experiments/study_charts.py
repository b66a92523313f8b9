"""Charts of how a study went: hypervolume against simulations, and every recipe as a line across its axes."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mesoforge.experiments.canvas import COLOURS, INK, NoPicture, new_figure, save, style
from mesoforge.experiments.units import quantity, rounded, typeset, with_unit
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.trial import Measured, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS: Final = 5
_GREY: Final = "#b8bcc2"
_AXIS_WIDTH: Final = 1.75
Shown = float | str


def hypervolume_chart(campaign: Campaign, path: Path) -> Path | NoPicture:
    """Draw the hypervolume of the measured objectives after each simulation, failures included."""
    values = [campaign.hypervolume(count) for count in range(1, len(campaign.ended) + 1)]
    known = [(count, value) for count, value in enumerate(values, start=1) if value is not None]
    if not known:
        return NoPicture("The start has not ended yet: there is no point to measure the hypervolume from.")
    start = campaign.problem.budget.start
    with style():
        figure, (axes,) = new_figure(6.6, 4.0)
        counts, shown = zip(*known, strict=True)
        axes.step(counts, shown, where="post", color=COLOURS["CBD"], lw=2)
        axes.plot(counts, shown, "o", color=COLOURS["CBD"], ms=4)
        axes.axvspan(0.5, start + 0.5, color=_GREY, alpha=0.3, lw=0)
        axes.text(start / 2 + 0.5, 1.01, "start", ha="center", va="bottom", transform=axes.get_xaxis_transform())
        axes.set(xlabel="Simulations", ylabel="Hypervolume of the measured objectives")
        axes.set_xlim(0.5, len(values) + 0.5)
        axes.set_ylim(bottom=0, top=1.1 * max(shown) or 1)
        axes.locator_params(axis="x", integer=True)
        return save(figure, path)


def parallel_coordinates(
    trials: Sequence[Trial], names: Sequence[str], logarithmic: Collection[str], front: Collection[int], path: Path
) -> Path | NoPicture:
    """Draw each measured trial as a line across its variables and objectives; Pareto-optimal ones stand out.

    ``names`` are the axes in order; those in ``logarithmic`` have a log scale.
    """
    rows = [(trial, _values(trial, names)) for trial in trials if isinstance(trial.outcome, Measured)]
    if not rows:
        return NoPicture("No electrode of the study was measured yet.")
    logs = [name in logarithmic for name in names]
    words = _words([row for _, row in rows])
    scaled = np.array([[_scaled(*one) for one in zip(row, logs, words, strict=True)] for _, row in rows])
    low, high = scaled.min(axis=0), scaled.max(axis=0)
    high = np.where(high > low, high, low + 1)
    heights = (scaled - low) / (high - low)
    with style():
        figure, (axes,) = new_figure(max(6.5, _AXIS_WIDTH * len(names)), 4.6)
        for (trial, _), line in sorted(zip(rows, heights, strict=True), key=lambda one: one[0][0].number in front):
            best = trial.number in front
            colour, width = (COLOURS["active material"], 1.8) if best else (_GREY, 0.9)
            axes.plot(line, color=colour, lw=width, zorder=2 + best)
        for place, name in enumerate(names):
            span = (float(low[place]), float(high[place]))
            if words[place]:
                _write_axis(axes, place, span, words[place])
            else:
                _draw_axis(axes, place, span, log=name in logarithmic)
        _finish(axes, names)
        return save(figure, path)


def _values(trial: Trial, names: Sequence[str]) -> list[Shown]:
    """Return a trial's variables and properties as they are shown."""
    known: Mapping[str, Any] = trial.values | (trial.outcome.properties if isinstance(trial.outcome, Measured) else {})
    return [
        known[name] if isinstance(known[name], str) else float(known[name]) * quantity(name).scale for name in names
    ]


def _words(rows: Sequence[Sequence[Shown]]) -> list[list[str]]:
    """Return the words that stand on each axis in order; none on an axis of numbers."""
    return [sorted({value for value in column if isinstance(value, str)}) for column in zip(*rows, strict=True)]


def _scaled(value: Shown, log: bool, words: Sequence[str]) -> float:
    if isinstance(value, str):
        return float(words.index(value))
    return math.log10(value) if log else value


def _draw_axis(axes: Axes, place: int, span: tuple[float, float], *, log: bool) -> None:
    """Draw one upright axis with its own numbers."""
    axes.axvline(place, color=INK, lw=0.9, zorder=1)
    for height in np.linspace(0, 1, _TICKS):
        value = span[0] + height * (span[1] - span[0])
        words = rounded(10**value if log else value)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        axes.text(place + 0.03, height, words, fontsize=8.5, va="center", zorder=5, bbox=box)


def _write_axis(axes: Axes, place: int, span: tuple[float, float], words: Sequence[str]) -> None:
    """Draw one upright axis with words."""
    axes.axvline(place, color=INK, lw=0.9, zorder=1)
    for count, word in enumerate(words):
        axes.text(place + 0.03, (count - span[0]) / (span[1] - span[0]), word, fontsize=8.5, va="center", zorder=5)


def _finish(axes: Axes, names: Sequence[str]) -> None:
    """Name the axes below, and say what the colours mean."""
    from matplotlib.lines import Line2D

    axes.set_xticks(range(len(names)), [_title(name) for name in names], fontsize=9)
    axes.set(yticks=[], xlim=(-0.15, len(names) - 0.6), ylim=(-0.05, 1.05))
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", length=0)
    marks = [Line2D([], [], color=COLOURS["active material"], lw=2), Line2D([], [], color=_GREY, lw=2)]
    axes.legend(marks, ["Pareto-optimal", "other electrodes"], loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def _title(name: str) -> str:
    """Return a name with its unit in short lines."""
    if "." in name:
        section, _, last = name.partition(".")
        return with_unit(f"{section}\n{last.replace('_', ' ')}", input_unit(name)).replace(" (", "\n(")
    words, lines = quantity(name).label.split(), [""]
    for word in words:
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < 15 else [*lines, word]
    return "\n".join([*lines, *([f"({unit})"] if (unit := quantity(name).unit) else [])])


def input_unit(name: str) -> str:
    """Return the unit of a recipe's input as its documentation gives it in brackets; none for a plain number."""
    from mesoforge.physics.recipe import Recipe

    section, _, last = name.partition(".")
    record: Any = getattr(Recipe(), section, None)
    field = type(record).model_fields.get(last) if hasattr(type(record), "model_fields") else None
    found = re.search(r"\[(.+?)\]", (field.description or "") if field else "")
    return typeset(found[1]) if found else ""


def axes_of(campaign: Campaign) -> tuple[list[str], set[str]]:
    """Return the names of a campaign's variables and objectives in order, and which have a log scale."""
    variables = campaign.problem.space.variables
    names = [*campaign.problem.space.names, *campaign.problem.objectives.names]
    return list(dict.fromkeys(names)), {one.name for one in variables if one.scale == "log"}
