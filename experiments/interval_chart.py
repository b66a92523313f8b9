"""The chart of a convergence study: per property the shift of each variant with its interval, on the tolerance band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mesoforge.experiments.canvas import COLOURS, INK, NoPicture, new_figure, save, style
from mesoforge.experiments.shifts import MOVES, OPEN, WITHIN
from mesoforge.experiments.units import with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS: Final = 2  # more, and their type is too small to read on a page
_BAND: Final = "#009e73"
_MARKS: Final = {WITHIN: (_BAND, "o"), MOVES: (COLOURS["active material"], "D"), OPEN: ("#e69f00", "s")}


def intervals(rows: Sequence[Mapping[str, Any]], path: Path) -> Path | NoPicture:
    """Draw the rows of a convergence study; one whose interval is not known is left out."""
    if not rows:
        return NoPicture("Nothing was refined.")
    properties = list(dict.fromkeys(str(row["property"]) for row in rows))
    variants = list(dict.fromkeys(str(row["words"]) for row in rows))
    columns = min(_COLUMNS, len(properties))
    lines = -(-len(properties) // columns)
    with style():
        figure, panels = new_figure(3.1 * columns + 2.2, (0.32 * len(variants) + 1.2) * lines + 0.5, lines, columns)
        for place, (axes, name) in enumerate(zip(panels, properties, strict=False)):
            _draw(axes, [row for row in rows if row["property"] == name], variants, named=place % columns == 0)
        for axes in panels[len(properties) :]:
            axes.remove()
        figure.legend(*_key(), loc="outside upper center", ncols=4, fontsize=10)
        return save(figure, path)


def _draw(axes: Axes, rows: Sequence[Mapping[str, Any]], variants: Sequence[str], *, named: bool) -> None:
    scale = 100.0 if rows[0]["relative"] else 1.0
    band = scale * float(rows[0]["tolerance"])
    axes.axvspan(-band, band, color=_BAND, alpha=0.15, lw=0)
    axes.axvline(0, color=INK, lw=0.8, ls=":")
    for row in rows:
        if row["half_width"] is None:
            continue
        colour, shape = _MARKS[row["verdict"]]
        place = variants.index(row["words"])
        axes.errorbar(
            scale * row["mean"], place, xerr=scale * row["half_width"], fmt=shape, color=colour, ms=5, capsize=2
        )
    axes.set(ylim=(len(variants) - 0.5, -0.5), yticks=range(len(variants)))
    axes.set_yticklabels(variants if named else [""] * len(variants))
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel(with_unit(f"Change of {str(rows[0]['property']).replace('_', ' ')}", "%" * rows[0]["relative"]))


def _key() -> tuple[list[Any], list[str]]:
    """Return the marks of the verdicts and of the band, and their names."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks: list[Any] = [Line2D([], [], marker=shape, color=colour, lw=1.2) for colour, shape in _MARKS.values()]
    return [*marks, Patch(facecolor=_BAND, alpha=0.15)], [*_MARKS, "tolerance"]
