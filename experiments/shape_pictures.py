"""Pictures of particle libraries: slices of a separation, distributions, a sheet of rendered particles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mesoforge.experiments.canvas import COLOURS, INK, save, style
from mesoforge.physics.shapes.extract import Extracted
from mesoforge.physics.shapes.figures import Mask
from mesoforge.physics.shapes.library import Library
from mesoforge.physics.shapes.likeness import columns_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FINER: Final = 3  # pixels per voxel
_LIGHT: Final = np.array([0.45, -0.5, 0.74])


def slices_picture(found: Extracted, path: Path) -> Path:
    """Draw the stack's middle slice across each axis, kept particles in colours, dropped ones grey."""
    edge = found.library.voxel_um
    with style():
        figure = empty_figure(13, 5.2)
        for axis, place in enumerate(figure.subplots(1, 3)):
            draw_labels(place, found.slices[axis], edge)
            place.set_title(f"middle slice across axis {axis}")
        figure.suptitle(
            f"{found.kept} particles kept; grey: dropped ({found.cut_off} cut by a face, {found.small} too small)"
        )
        return save(figure, path)


def draw_labels(axes: Axes, labels: NDArray[np.int64], edge: float) -> None:
    """Draw a slice of particle numbers: one colour each, -1 grey, 0 the pores' colour; thin lines between two."""
    axes.imshow(painted(labels), origin="lower", interpolation="nearest", extent=extent(labels, edge))
    axes.set(xlabel="µm", aspect="equal")


def extent(labels: NDArray[Any], edge: float) -> tuple[float, float, float, float]:
    """Return the bounds of a slice in um."""
    return 0.0, labels.shape[1] * edge, 0.0, labels.shape[0] * edge


def painted(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the picture (rows, columns, RGB) of a slice of particle numbers."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    shades = colormaps["tab20"](np.delete(np.arange(20), [14, 15]))[:, :3]  # without its greys
    picture: NDArray[np.float64] = shades[labels * 7 % len(shades)]
    picture[labels == 0] = to_rgb(COLOURS["pore"])
    picture[labels < 0] = 0.62
    picture[boundary(labels)] = to_rgb(INK)
    return picture


def boundary(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the voxels of a slice whose right or upper neighbour is another particle."""
    edge = np.zeros(labels.shape, dtype=bool)
    for axis in (0, 1):
        here, there = (np.moveaxis(labels, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        np.moveaxis(edge, axis, 0)[:-1] |= (here != there) & (here != 0) & (there != 0)
    return edge


def library_picture(library: Library, path: Path) -> Path:
    """Draw a library's sizes by number and volume, its sphericities and solidity, and a sheet of its particles."""
    with style():
        figure = empty_figure(13, 12)
        parts: Any = figure.subfigures(2, 1, height_ratios=(3.4, 8.6))
        top, bottom = parts
        sizes, shape, solid = top.subplots(1, 3)
        _draw_sizes(sizes, library)
        _draw_histograms(shape, {"Krumbein": library.figures["krumbein"], "Wadell": library.figures["wadell"]})
        shape.set_xlabel("Sphericity")
        _draw_histograms(solid, {"solidity": library.figures["solidity"]})
        solid.set_xlabel("Solidity")
        _draw_sheet(bottom, library)
        figure.suptitle(f"{library.path.name}: {len(library)} particles, voxels of {library.voxel_um:g} µm")
        return save(figure, path)


def likeness_picture(first: Library, second: Library, path: Path) -> Path:
    """Draw the cumulative distributions of two libraries' figures, and twelve particles of each."""
    ours, theirs = columns_of(first), columns_of(second)
    with style():
        figure = empty_figure(13, 10)
        parts: Any = figure.subfigures(2, 1, height_ratios=(3, 4))
        names = ("diameter", "krumbein", "solidity", "specific_surface")
        for axes, name in zip(parts[0].subplots(1, 4), names, strict=True):
            for values, words, colour in (
                (ours[name], first.path.stem, INK),
                (theirs[name], second.path.stem, COLOURS["active material"]),
            ):
                axes.plot(np.sort(values), np.linspace(0, 1, len(values)), color=colour, lw=1.8, label=words)
            axes.set_xlabel(
                {"diameter": "Equivalent diameter (µm)", "krumbein": "Krumbein sphericity", "solidity": "Solidity"}.get(
                    name, "Surface over volume (1/µm)"
                )
            )
        parts[0].axes[0].set_ylabel("Share of particles below")
        parts[0].axes[0].legend()
        for place, (part, library) in enumerate(zip(parts[1].subfigures(1, 2), (first, second), strict=True)):
            _draw_sheet(part, library, (3, 4))
            part.suptitle(("left: " if place == 0 else "right: ") + library.path.stem)
        return save(figure, path)


def empty_figure(width: float, height: float) -> Figure:
    """Return a figure (inches) without axes, outside pyplot: nobody has to close it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw_sizes(axes: Axes, library: Library) -> None:
    bins = np.geomspace(library.diameters.min() * 0.99, library.diameters.max() * 1.01, 25)
    for words, weights, colour in (
        ("by number", np.ones(len(library)), COLOURS["CBD"]),
        ("by volume", library.volumes, COLOURS["active material"]),
    ):
        axes.hist(
            library.diameters, bins.tolist(), weights=weights / weights.sum(), color=colour, alpha=0.55, label=words
        )
    ticks = [tick for tick in (0.5, 1, 2, 3, 4, 6, 8, 10, 12, 15, 20, 30, 50, 100) if bins[0] <= tick <= bins[-1]]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlabel="Equivalent diameter (µm)", ylabel="Share per bin")
    axes.legend()


def _draw_histograms(axes: Axes, columns: dict[str, NDArray[Any]]) -> None:
    colours = (COLOURS["active material"], COLOURS["CBD"])
    joined = np.concatenate(list(columns.values()))
    bins = np.linspace(joined.min(), joined.max(), 41).tolist()
    for (words, values), colour in zip(columns.items(), colours, strict=False):
        axes.hist(values, bins, color=colour, alpha=0.55, label=f"{words}, mean {values.mean():.3f}")
    axes.set_ylabel("Particles")
    axes.margins(y=0.25)
    axes.legend(loc="upper left")


def _draw_sheet(figure: Any, library: Library, shape: tuple[int, int] = (4, 6)) -> None:  # noqa: ANN401 - a SubFigure
    """Draw particles at even ranks of size, all at one scale."""
    order = np.argsort(library.diameters)
    rows = order[np.unique(np.linspace(0, len(order) - 1, shape[0] * shape[1]).round().astype(int))]
    pictures = [shaded(mask) for mask in library.masks(rows.tolist())]
    side = max(max(picture.shape[:2]) for picture in pictures)
    for axes, picture, row in zip(figure.subplots(*shape).flat, pictures, rows, strict=False):
        low = [(side - size) // 2 for size in picture.shape[:2]]
        canvas = np.ones((side, side, 3))
        canvas[low[0] : low[0] + picture.shape[0], low[1] : low[1] + picture.shape[1]] = picture
        axes.imshow(canvas, origin="lower")
        axes.set_title(f"{library.diameters[row]:.1f} µm, {library.figures['krumbein'][row]:.2f}", fontsize=9)
    for axes in figure.axes:
        axes.set_axis_off()
    figure.suptitle("Diameter and Krumbein sphericity, from the smallest to the largest, all at one scale", fontsize=10)


def shaded(mask: Mask) -> NDArray[np.float64]:
    """Return the picture (rows, columns, RGB) of a particle seen along axis 0, lit from the side.

    The surface is where the blurred mask crosses one half; its normal is the blur's gradient there.
    """
    from scipy.ndimage import gaussian_filter, zoom

    blurred = gaussian_filter(np.pad(mask, 3).astype(np.float32), 0.8)
    field = zoom(blurred, _FINER, order=1)
    solid = field > 0.5
    hit = solid.any(axis=0)
    depth = np.where(hit, solid.argmax(axis=0), 0)
    slopes = np.gradient(gaussian_filter(field, _FINER / 1.5))
    places = np.indices(hit.shape)
    normal = -np.stack([slope[depth, places[0], places[1]] for slope in slopes], axis=-1)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    facing = normal[..., 1] * _LIGHT[1] + normal[..., 2] * _LIGHT[0] - normal[..., 0] * _LIGHT[2]
    light = 0.45 + 0.65 * np.clip(facing, -0.2, 1)
    far = 1 - 0.35 * depth / max(1, depth.max())
    colour = np.array([0.80, 0.33, 0.25]) * (light * far)[..., None]
    return np.where(hit[..., None], np.clip(colour + 0.15 * np.clip(facing, 0, 1)[..., None] ** 12, 0, 1), 1.0)
