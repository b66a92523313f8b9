"""Charts of a study: the Pareto front, and what was predicted against what the physics made."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mesoforge.experiments.canvas import COLOURS, INK, NoPicture, new_figure, save, style
from mesoforge.experiments.units import quantity, with_unit
from mesoforge.optimize.trial import Measured, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Goal: TypeAlias = str | Mapping[str, Any]
"""As in a study file: "minimize", "maximize", or a mapping with "match" and "tolerance", or with "goal"."""

Front: TypeAlias = Mapping[int, Mapping[str, float]]
_PANELS_A_ROW: Final = 2  # more, and their type is too small to read on a page
_TICKS: Final = 6
_NAMED: Final = 12  # points on the front that get their number; more would cover each other
_TWO_SIGMA: Final = 2.0
_DOT, _RING = 42.0, 120.0  # areas (points squared)
_TARGET: Final = "#009e73"
_PALE: Final = "#7d8590"
_SPREAD: Final = "± 1 sd from seed to seed"
_PLACES: Final = ((7, 6), (7, -13), (-16, 6), (-16, -13), (7, 18))  # where a number may stand beside its ring (points)
_POINTS: Final = 72  # to an inch
_WIDE, _HIGH = 16, 11  # of a number of two digits and the gap beside it (points)
_RADIUS: Final = math.sqrt(_RING / math.pi)  # of a ring (points)


@dataclass(frozen=True, slots=True)
class _Mark:
    """How the trials of one origin are drawn."""

    words: str
    shape: str
    colour: str


_MARKS: Final = {
    "sobol": _Mark("start", "o", "#9aa0a6"),
    "sample": _Mark("sampled", "o", "#9aa0a6"),
    "repeat": _Mark("made again", "v", COLOURS["CBD"]),
    "known": _Mark("made before", "s", "#c0c4c9"),
    "user": _Mark("by hand", "^", "#009e73"),
    "bo": _Mark("proposed", "o", COLOURS["CBD"]),
    "confirm": _Mark("confirmation", "D", "#e69f00"),
}


def pareto_front(trials: Sequence[Trial], objectives: Mapping[str, Goal], front: Front, path: Path) -> Path | NoPicture:
    """Draw the measured trials, objective against objective; one objective alone is drawn against the trial's number.

    ``front`` holds the Pareto-optimal trials by number, each with the standard deviations that another seed would have,
    by objective, as far as they are known. A line leads from each trial to its confirmations.
    """
    shown = _measured(trials, objectives)
    if not shown:
        return NoPicture("No electrode of the study was measured yet.")
    pairs = list(combinations(objectives, 2)) or [("", next(iter(objectives)))]
    with style():
        figure, panels = _panels(len(pairs))
        for axes, pair in zip(panels, pairs, strict=True):
            _draw_pair(axes, shown, pair, objectives, front)
        _draw_legend(figure, panels[0])
        return save(figure, path)


def prediction_against_physics(trials: Sequence[Trial], names: Sequence[str], path: Path) -> Path | NoPicture:
    """Draw each property as predicted (mean and two standard deviations) against what the simulation then gave."""
    shown = [trial for trial in _measured(trials, names) if all(name in trial.prediction for name in names)]
    if not shown or not names:
        return NoPicture("No electrode of the study was both predicted and measured yet.")
    with style():
        figure, panels = _panels(len(names))
        for axes, name in zip(panels, names, strict=True):
            _draw_predictions(axes, shown, name)
        _draw_legend(figure, panels[0])
        return save(figure, path)


def _measured(trials: Sequence[Trial], names: Collection[str]) -> list[Trial]:
    """Return the trials of which all these properties are known."""
    return [t for t in trials if isinstance(t.outcome, Measured) and set(names) <= set(t.outcome.properties)]


def _value(trial: Trial, name: str) -> float:
    """Return a measured property as it is shown; without a name the trial's number."""
    if not name:
        return float(trial.number)
    return trial.outcome.properties[name] * quantity(name).scale if isinstance(trial.outcome, Measured) else math.nan


def _panels(number: int) -> tuple[Figure, list[Axes]]:
    columns = min(number, _PANELS_A_ROW)
    rows = math.ceil(number / columns)
    figure, panels = new_figure(max(5.2 * columns, 6.2), 4.4 * rows + 0.5, rows, columns)
    for axes in panels[number:]:
        axes.remove()
    return figure, panels[:number]


def _draw_pair(
    axes: Axes, trials: list[Trial], pair: tuple[str, str], objectives: Mapping[str, Goal], front: Front
) -> None:
    """Draw one objective against another."""
    _draw_goals(axes, pair, objectives)
    _draw_confirmation_lines(axes, trials, pair)
    for origin, mark in _MARKS.items():
        some = [trial for trial in trials if trial.origin == origin]
        _scatter(axes, some, pair, mark)
    best = [trial for trial in trials if trial.number in front]
    _draw_spread(axes, best, pair, front)
    _ring(axes, best, pair)
    axes.locator_params(axis="x", integer=not pair[0])
    axes.set(xlabel=_goal_label(pair[0], objectives), ylabel=_goal_label(pair[1], objectives))


def _scatter(axes: Axes, trials: list[Trial], pair: tuple[str, str], mark: _Mark) -> None:
    if trials:
        x, y = _points(trials, pair)
        axes.scatter(x, y, s=_DOT, c=mark.colour, marker=mark.shape, lw=0, label=mark.words, zorder=3)


def _points(trials: Sequence[Trial], pair: tuple[str, str]) -> tuple[list[float], list[float]]:
    x, y = pair
    return [_value(trial, x) for trial in trials], [_value(trial, y) for trial in trials]


def _draw_spread(axes: Axes, trials: list[Trial], pair: tuple[str, str], front: Front) -> None:
    """Draw how far another seed's electrode would lie from these."""
    x, y = _points(trials, pair)
    bars = [[front[one.number].get(name, 0.0) * quantity(name).scale for one in trials] for name in pair]
    if any(map(any, bars)):
        axes.errorbar(
            x, y, bars[1], bars[0] if pair[0] else None, fmt="none", ecolor=_PALE, lw=1, zorder=1, label=_SPREAD
        )


def _ring(axes: Axes, trials: list[Trial], pair: tuple[str, str]) -> None:
    """Ring the trials on the front and give their numbers, where these do not cover each other."""
    if not trials:
        return
    x, y = _points(trials, pair)
    axes.scatter(x, y, s=_RING, facecolors="none", edgecolors=INK, lw=1.3, label="Pareto-optimal", zorder=4)
    rings = axes.transData.transform(np.column_stack([x, y])) * _POINTS / axes.figure.dpi
    written: list[tuple[float, float]] = []
    for trial, point, (across, up) in list(zip(trials, zip(x, y, strict=True), rings, strict=True))[:_NAMED]:
        clear = [one for one in _PLACES if not _covers(across + one[0], up + one[1], rings)]
        free = (one for one in clear if not any(_meet(across + one[0], up + one[1], *other) for other in written))
        place = next(free, (clear or _PLACES)[0])
        written.append((across + place[0], up + place[1]))
        axes.annotate(f"{trial.number}", (point[0], point[1]), xytext=place, textcoords="offset points", fontsize=9)


def _covers(x: float, y: float, rings: NDArray[np.float64]) -> bool:
    """Whether a number written at this place (points) would lie on one of the rings (n, 2)."""
    across, up = rings[:, 0] - x, rings[:, 1] - y
    reach = _RADIUS - 1  # the edge of a ring may be touched
    return bool(np.any((across > -reach) & (across < _WIDE - 4 + reach) & (up > -reach) & (up < _HIGH - 3 + reach)))


def _meet(x: float, y: float, other_x: float, other_y: float) -> bool:
    """Whether two numbers written at these places (points) would meet."""
    return abs(x - other_x) < _WIDE and abs(y - other_y) < _HIGH


def _draw_confirmation_lines(axes: Axes, trials: list[Trial], pair: tuple[str, str]) -> None:
    known = {trial.number: trial for trial in trials}
    for trial in trials:
        if trial.confirms in known:
            ends = (known[trial.confirms], trial)
            axes.plot(*_points(ends, pair), color=_MARKS["confirm"].colour, lw=1, zorder=2)


def _draw_goals(axes: Axes, pair: tuple[str, str], objectives: Mapping[str, Goal]) -> None:
    """Draw where properties are to be: the target, and the tolerance about it."""
    ways: tuple[tuple[Callable[..., object], Callable[..., object]], ...] = (
        (axes.axvspan, axes.axvline),
        (axes.axhspan, axes.axhline),
    )
    for name, (span, line) in zip(pair, ways, strict=True):
        goal = objectives.get(name, "")
        if not isinstance(goal, str) and "match" in goal:
            scale = quantity(name).scale
            target, tolerance = scale * goal["match"], scale * goal.get("tolerance", 0.0)
            span(target - tolerance, target + tolerance, color=_TARGET, alpha=0.15, lw=0)
            line(target, color=_TARGET, lw=1, ls="--")


def _goal_label(name: str, objectives: Mapping[str, Goal]) -> str:
    """Return the axis label of an objective, or of the trials' numbers where there is none."""
    if not name:
        return "Trial"
    goal, shown = objectives[name], quantity(name)
    if isinstance(goal, str) or "match" not in goal:
        words = goal if isinstance(goal, str) else str(goal["goal"])
    else:
        words = f"match {goal['match'] * shown.scale:g} {shown.unit}"
    return f"{shown.axis}\n{words.strip()}"


def _draw_predictions(axes: Axes, trials: list[Trial], name: str) -> None:
    """Draw one property's predictions and say how good they were."""
    scale = quantity(name).scale
    for origin, mark in _MARKS.items():
        some = [trial for trial in trials if trial.origin == origin]
        x = [_value(trial, name) for trial in some]
        y = [scale * trial.prediction[name].mean for trial in some]
        bar = [scale * _TWO_SIGMA * trial.prediction[name].sd for trial in some]
        if some:
            axes.errorbar(x, y, bar, fmt=mark.shape, color=mark.colour, ms=6, capsize=2, lw=1.2, label=mark.words)
    low, high = (bound(*axes.get_xlim(), *axes.get_ylim()) for bound in (min, max))
    axes.plot([low, high], [low, high], color=INK, lw=0.8, ls=":", zorder=1)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.locator_params(nbins=_TICKS)
    shown = quantity(name)
    axes.set_xlabel(with_unit(f"{shown.label},\nsimulated", shown.unit))
    axes.set_ylabel(with_unit(f"{shown.label},\npredicted, mean ± 2 sd", shown.unit))
    axes.set_title(_score(trials, name), fontsize=10)


def _score(trials: list[Trial], name: str) -> str:
    """Say the root mean square of the errors, and how many lie within two standard deviations."""
    shown = quantity(name)
    errors = _errors(trials, name)
    bars = np.array([shown.scale * trial.prediction[name].sd for trial in trials])
    within = int(np.sum(np.abs(errors) <= _TWO_SIGMA * bars))
    return (
        f"rms error {np.sqrt(np.mean(errors**2)):.2g} {shown.unit}".strip() + f", {within} of {len(trials)} within 2 sd"
    )


def _errors(trials: list[Trial], name: str) -> NDArray[np.float64]:
    """Return measured minus predicted, as shown."""
    return np.array([_value(trial, name) - quantity(name).scale * trial.prediction[name].mean for trial in trials])


def _draw_legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=10)
