"""The paper that all pictures are drawn on: colours, style, files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = {
    "pore": "#f2f2f2",
    "active material": "#c0392b",
    "CBD": "#2c6fbb",
    "current collector": "#8a8f98",
}
"""Told apart by colour-blind people too."""

SERIES: Final = ("#2c6fbb", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#7d5a00")
"""Curves beside one another (Okabe and Ito's colours), with `MARKERS` for who sees no colours."""
MARKERS: Final = "osD^vX"
INK: Final = "#222222"
FIGURE_KINDS: Final = (".png", ".svg")
"""What charts are written as: for screens, and for papers and slides."""
_DPI: Final = 180
_STYLE: Final[Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "legend.frameon": False,
    "svg.hashsalt": "mesoforge",
}


@dataclass(frozen=True, slots=True)
class NoPicture:
    """A picture that could not be made here, and why."""

    reason: str


def save(figure: Figure, path: Path) -> Path:
    """Write a figure by way of a temporary name as the path ends, or as every kind where it has no ending.

    Same figures give same bytes.

    Returns:
        The path; that of the first kind where there are several.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    written = [path] if path.suffix else [path.with_suffix(kind) for kind in FIGURE_KINDS]
    for one in written:
        part = one.with_name(f".{one.name}.{os.getpid()}")
        dated = {"Date": None} if one.suffix == ".svg" else {"Software": None}
        figure.savefig(part, format=one.suffix[1:], dpi=_DPI, metadata=dated, facecolor="white")
        part.replace(one)
        figure.set_layout_engine("none")  # the room that one kind found serves the next
    return written[0]


def style() -> AbstractContextManager[None]:
    """Return the context in which all pictures look alike."""
    from matplotlib import rc_context

    return rc_context(_STYLE)


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure (inches) and its axes row by row, outside pyplot: nobody has to close it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(rows * columns)]


def legend(axes: Axes, names: Sequence[str]) -> None:
    """Draw a legend of phases above the axes."""
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=COLOURS[name], edgecolor="#999999", lw=0.6, label=name) for name in names]
    axes.legend(
        handles=patches,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=len(names),
        handlelength=1,
        columnspacing=1.2,
    )
