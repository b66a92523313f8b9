"""Calendering as pictures: the curve of pressure against thickness with its spring-back, and the stroke as a film."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.experiments.canvas import COLOURS, INK, legend, new_figure, save, style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import EllipseCollection

    from mesoforge.physics.beads import Beads

Reals = NDArray[np.float64]
_WINDOW: Final = 0.04  # of the points of a stroke, over which its mean runs
_FRAMES, _FRAME_MS, _LAST_MS = 36, 90, 1200
_SLAB: Final = 1.5  # half thickness of the slab that the film shows (um)
_DPI: Final = 110


def stress_thickness(
    thickness_um: NDArray[Any], pressure_mpa: NDArray[Any], path: Path, loading: int | None = None
) -> Path:
    """Draw a calendering curve: ``pressure_mpa`` (n,) against ``thickness_um`` (n,) in the order of time.

    ``loading`` is the number of points until the release begins; by default until the highest pressure. Thin lines are
    the readings, which swing while the plane seeks its pressure, thick ones their running mean.
    """
    if np.shape(thickness_um) != np.shape(pressure_mpa) or np.size(pressure_mpa) < 2:
        raise InputError(
            f"The calendering curve came with {np.size(thickness_um)} thicknesses and {np.size(pressure_mpa)} "
            "pressures: give as many of each, at least two."
        )
    thickness, pressure = np.asarray(thickness_um, dtype=float), np.asarray(pressure_mpa, dtype=float)
    turn = (int(np.argmax(pressure)) + 1) if loading is None else loading
    with style():
        figure, (axes,) = new_figure(6.2, 4.4)
        strokes = [("loading", slice(0, turn), COLOURS["active material"], "-")]
        strokes += [("release", slice(max(turn - 1, 0), None), COLOURS["CBD"], "--")] if turn < pressure.size else []
        for name, part, colour, dash in strokes:
            axes.plot(thickness[part], pressure[part], color=colour, lw=0.5, alpha=0.3)
            axes.plot(*_running(thickness[part], pressure[part]), color=colour, lw=2, ls=dash, label=name)
        top = float(pressure[max(turn - 1, 0)])
        _mark(axes, thickness[turn - 1], top, f"{thickness[turn - 1]:.1f} µm at the end of loading, {top:.3g} MPa")
        if turn < pressure.size:
            _draw_spring_back(axes, thickness[max(turn - 1, 0) :], float(pressure[-1]))
        axes.set(xlabel="Thickness (µm)", ylabel="Pressure on the coating (MPa)")
        axes.set_ylim(bottom=min(0.0, float(pressure.min())), top=1.1 * float(pressure.max()) or None)
        axes.legend(loc="upper right", fontsize=10)
        return save(figure, path)


def _running(x: Reals, y: Reals) -> tuple[Reals, Reals]:
    """Return both as running means over a small share of the points; the ends stay where they are."""
    width = max(1, round(_WINDOW * len(x)))
    if width < 3:
        return x, y
    kernel = np.ones(width) / width
    means = [np.convolve(np.pad(one, width // 2, mode="edge"), kernel, mode="valid")[: len(one)] for one in (x, y)]
    for mean, one in zip(means, (x, y), strict=True):
        mean[0], mean[-1] = one[0], one[-1]
    return means[0], means[1]


def _draw_spring_back(axes: Axes, released: Reals, pressure: float) -> None:
    """Draw how far the coating springs back from its thinnest."""
    thinnest, end = float(released.min()), float(released[-1])
    back = f"{end - thinnest:.2g} µm, {100 * (end / thinnest - 1):.1f} %"
    _mark(axes, end, pressure, f"{end:.1f} µm after release\n(springs back {back})", "s")


def _mark(axes: Axes, x: float, y: float, words: str, shape: str = "o") -> None:
    """Mark a point that the legend explains: words beside it would lie on a curve sooner or later."""
    axes.plot([x], [y], shape, color=INK, ms=6, zorder=5, label=words, clip_on=False)


@dataclass(frozen=True, slots=True)
class Pressing:
    """What the film shows: beads before, under load and after release; the curve's strokes, heights and pressures.

    ``curve`` (n, 3): stroke (1 is loading), height of the plane [um], pressure [MPa]; ``diameters``: of an active
    and of a CBD bead [um].
    """

    dried: Beads
    loaded: Beads
    released: Beads
    curve: Reals
    diameters: tuple[float, float]


def calendering_film(pressing: Pressing, path: Path) -> Path:
    """Write the stroke as an animated GIF: a slab of the volume beside the curve.

    Beads are stored at three moments; between these each is drawn on the straight line that joins its places.
    """
    from PIL import Image

    frames = [Image.fromarray(one).quantize(64) for one in _frames(pressing)]
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    lasting = [_FRAME_MS] * (len(frames) - 1) + [_LAST_MS]
    frames[0].save(part, format="GIF", save_all=True, append_images=frames[1:], duration=lasting, loop=0)
    return part.replace(path)


def _moments(curve: Reals) -> NDArray[np.int64]:
    """Return rows of the curve evenly spread over the way that the plane goes."""
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(curve[:, 1])))])
    found = np.searchsorted(way, np.linspace(0, way[-1], _FRAMES))
    return np.unique(np.minimum(found, len(curve) - 1))


def _places(pressing: Pressing, row: int) -> Reals:
    """Return the beads' places (n, 3) at a row of the curve."""
    stroke, height, _ = pressing.curve[row]
    pressed, before, after = pressing.loaded, pressing.dried, pressing.released
    here, there = (before, pressed) if stroke == 1 else (pressed, after)
    span = there.thickness - here.thickness
    share = float(np.clip((height - here.thickness) / span, 0, 1)) if abs(span) > 1e-9 else 1.0
    return (1 - share) * here.position + share * there.position


def _frames(pressing: Pressing) -> Iterator[NDArray[np.uint8]]:
    """Draw one moment after another as pictures (rows, columns, RGB); what stands still is drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with style():
        figure, (volume, chart) = new_figure(7.4, 4.0, 1, 2)
        figure.set_dpi(_DPI)
        canvas: Any = FigureCanvasAgg(figure)  # matplotlib does not type it
        slab, curve = _Slab(volume, pressing), _Curve(chart, pressing.curve)
        canvas.draw()  # the first moment's room serves all
        figure.set_layout_engine("none")
        for artist in (*slab.moving, *curve.moving):
            artist.set_animated(True)
        canvas.draw()
        still = canvas.copy_from_bbox(figure.bbox)
        for row in _moments(pressing.curve):
            canvas.restore_region(still)
            slab.show(row)
            curve.show(row)
            for artist in (*slab.moving, *curve.moving):
                figure.draw_artist(artist)
            yield np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


class _Slab:
    """The beads about the middle plane, the plane above them and the collector below."""

    def __init__(self, axes: Axes, pressing: Pressing) -> None:
        from matplotlib.patches import Rectangle

        self.pressing = pressing
        self.width, self.depth = (float(side) for side in pressing.dried.box[:2])
        self.ceiling = 1.12 * float(pressing.curve[:, 1].max())
        strip = 0.04 * self.ceiling
        axes.add_patch(Rectangle((0, -strip), self.width, strip, color=COLOURS["current collector"], lw=0))
        names = zip(("active material", "CBD"), pressing.diameters, strict=True)
        self.beads = [self._balls(axes, *one) for one in names]
        self.plane = axes.add_patch(Rectangle((0, 0), self.width, 0, color="#c9ccd1", lw=0))
        axes.set(xlim=(0, self.width), ylim=(-strip, self.ceiling), aspect="equal")
        axes.set(ylabel="Height (µm)", xlabel="Width (µm)")
        legend(axes, ("active material", "CBD"))
        self.moving: tuple[Artist, ...] = (*self.beads, self.plane)

    def _balls(self, axes: Axes, name: str, diameter: float) -> EllipseCollection:
        from matplotlib.collections import EllipseCollection

        balls = EllipseCollection(
            diameter,
            diameter,
            0.0,
            units="xy",
            offsets=np.empty((0, 2)),
            offset_transform=axes.transData,
            facecolor=COLOURS[name],
            edgecolor="white",
            lw=0.3,
        )
        axes.add_collection(balls, autolim=False)
        return balls

    def show(self, row: int) -> None:
        """Go to the moment of a row of the curve."""
        place, height = _places(self.pressing, row), float(self.pressing.curve[row, 1])
        inside = np.abs(place[:, 1] % self.depth - self.depth / 2) < _SLAB
        for kind, balls in enumerate(self.beads, start=1):
            some = place[inside & (self.pressing.dried.kind == kind)]
            balls.set_offsets(np.column_stack([some[:, 0] % self.width, some[:, 2]]))
        self.plane.set(y=height, height=self.ceiling - height)


class _Curve:
    """The curve so far, on axes that hold all of it."""

    def __init__(self, axes: Axes, curve: Reals) -> None:
        self.curve, (self.thickness, self.pressure) = curve, _running(curve[:, 1], curve[:, 2])
        axes.plot(self.thickness, self.pressure, color="#cccccc", lw=1)
        turn = int(np.sum(curve[:, 0] == 1))
        self.strokes = (slice(0, turn), slice(turn - 1, None))
        colours = (COLOURS["active material"], COLOURS["CBD"])
        self.lines = [axes.plot([], [], color=colour, lw=2)[0] for colour in colours]
        (self.dot,) = axes.plot([], [], "o", color=INK, ms=6)
        self.title = axes.set_title(self._words(0), fontsize=11)
        axes.set(xlabel="Thickness (µm)", ylabel="Pressure on the coating (MPa)")
        self.moving: tuple[Artist, ...] = (*self.lines, self.dot, self.title)

    def show(self, row: int) -> None:
        """Go to the moment of a row of the curve."""
        for line, stroke in zip(self.lines, self.strokes, strict=True):
            line.set_data(self.thickness[: row + 1][stroke], self.pressure[: row + 1][stroke])
        self.dot.set_data([self.thickness[row]], [self.pressure[row]])
        self.title.set_text(self._words(row))

    def _words(self, row: int) -> str:
        stroke, height, _ = self.curve[row]
        return f"{'loading' if stroke == 1 else 'release'}: {height:.1f} µm, {self.pressure[row]:.3g} MPa"
