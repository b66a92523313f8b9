"""3D views of an electrode or its pores, by a process of its own: ``-m mesoforge.experiments.render IN.npz OUT.png``.

VTK ends the process where no graphics driver can be had, hence no other module imports this one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mesoforge.experiments.canvas import COLOURS, legend, new_figure, save, style
from mesoforge.experiments.pictures import ACTIVE, CBD, equivalent_diameters, red_scale

if TYPE_CHECKING:
    import pyvista as pv

_VOXELS: Final = 1.5e6  # more are thinned out first: no eye sees them, and the processor does all the work
_WINDOW: Final = (1300, 1200)
_MARGIN: Final = 12  # pixels


def render(source: Path, path: Path) -> Path:
    """Render what ``source`` holds: a volume (phase, particle, voxel_um) or a network (coords, radius, conns, ...)."""
    if sys.platform == "linux":
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # needs no display
    with np.load(source, allow_pickle=False) as arrays:
        if "coords" in arrays:
            return _network(dict(arrays), path)
        phase, particle, voxel_um = arrays["phase"], arrays["particle"], float(arrays["voxel_um"])
    diameters = equivalent_diameters(particle, voxel_um) if particle.any() else None
    sides = tuple(side * voxel_um for side in phase.shape)
    step = max(1, round((phase.size / _VOXELS) ** (1 / 3)))
    thin = (slice(None, None, step),) * 3
    labels, colours = _labels(phase[thin], particle[thin], diameters)
    picture = _picture(_surfaces(labels, colours, voxel_um * step), sides)
    return _compose(picture, sides, diameters, path)


def _labels(
    phase: NDArray[Any], particle: NDArray[Any], diameters: NDArray[np.float64] | None
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return one label per particle and one for the CBD (0: pore), and the colour (RGB) of each label."""
    from matplotlib.colors import to_rgb

    top = int(particle.max()) + 2
    labels = np.where(phase == ACTIVE, np.where(particle > 0, particle, top - 1), 0)
    labels[phase == CBD] = top
    colours = np.tile(to_rgb(COLOURS["active material"]), (top + 1, 1))
    if diameters is not None:
        known = np.flatnonzero(np.isfinite(diameters))
        colours[known] = red_scale(diameters).to_rgba(diameters[known])[:, :3]
    colours[top] = to_rgb(COLOURS["CBD"])
    return labels.astype(np.int32), (255 * colours).astype(np.uint8)


def _surfaces(labels: NDArray[np.int32], colours: NDArray[np.uint8], voxel_um: float) -> pv.PolyData:
    """Return the smooth surfaces of all labels, without the corner that faces the viewer."""
    import pyvista as pv

    nx, ny, nz = labels.shape
    labels[nx // 2 :, : ny // 2, nz // 2 :] = 0
    padded = np.pad(labels, 1)
    grid = pv.ImageData(dimensions=padded.shape, spacing=(voxel_um,) * 3, origin=(-voxel_um / 2,) * 3)
    grid.point_data["labels"] = padded.ravel(order="F")
    mesh = grid.contour_labels("external", scalars="labels", smoothing=True, output_mesh_type="triangles")
    sides = np.atleast_2d(mesh.cell_data["boundary_labels"].T).T
    mesh.cell_data["colour"] = colours[sides.max(axis=1)]
    return mesh


def _picture(mesh: pv.PolyData, sides: tuple[float, ...]) -> NDArray[np.uint8]:
    """Return the picture (rows, columns, RGB), cropped to what is on it."""
    import pyvista as pv

    plotter: Any = pv.Plotter(off_screen=True, window_size=list(_WINDOW))
    plotter.set_background("white")
    plotter.add_mesh(mesh, scalars="colour", rgb=True, ambient=0.35, diffuse=0.75, specular=0.15)
    strip = 0.03 * max(sides)
    collector = pv.Box((0, sides[0], 0, sides[1], -1.2 * strip, -0.2 * strip))
    plotter.add_mesh(collector, color=COLOURS["current collector"], ambient=0.3)
    plotter.add_mesh(pv.Box((0, sides[0], 0, sides[1], 0, sides[2])).extract_all_edges(), color="#555555", line_width=1)
    plotter.view_vector((1.0, -1.25, 0.85), viewup=(0, 0, 1))
    plotter.enable_ssao(radius=0.08 * max(sides), kernel_size=32)
    plotter.enable_anti_aliasing("fxaa")
    picture: NDArray[np.uint8] = np.asarray(plotter.screenshot(return_img=True))
    plotter.close()
    return _crop(picture)


def _crop(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = np.nonzero((picture < 255).any(axis=2))
    low = np.maximum([rows.min() - _MARGIN, columns.min() - _MARGIN], 0)
    return picture[low[0] : rows.max() + _MARGIN, low[1] : columns.max() + _MARGIN]


def _compose(
    picture: NDArray[np.uint8], sides: tuple[float, ...], diameters: NDArray[np.float64] | None, path: Path
) -> Path:
    """Put the picture beside what its colours and lengths mean."""
    with style():
        figure, (axes,) = new_figure(6.4, 5.1 * picture.shape[0] / picture.shape[1] + 0.8)
        axes.imshow(picture)
        axes.set_axis_off()
        axes.text(
            0.5, -0.01, "{:.0f} × {:.0f} × {:.0f} µm".format(*sides), ha="center", va="top", transform=axes.transAxes
        )
        legend(
            axes,
            ("CBD", "current collector") if diameters is not None else ("active material", "CBD", "current collector"),
        )
        if diameters is not None:
            label = "Particle's equivalent diameter (µm)"
            figure.colorbar(red_scale(diameters), ax=axes, label=label, fraction=0.05, pad=0.02, shrink=0.8)
        return save(figure, path)


def _network(arrays: dict[str, NDArray[Any]], path: Path) -> Path:
    """Render pores as spheres and throats as sticks, both of half their inscribed radius, coloured by it."""
    import pyvista as pv

    sides, radius, throat = tuple(map(float, arrays["sides"])), arrays["radius"], arrays["throat"]
    pores = pv.PolyData(arrays["coords"])
    pores["radius"] = radius
    spheres = pores.glyph(
        scale="radius", factor=1.0, geom=pv.Sphere(radius=0.5, theta_resolution=16, phi_resolution=16)
    )
    plotter: Any = pv.Plotter(off_screen=True, window_size=list(_WINDOW))
    plotter.set_background("white")
    limits = (0.0, float(max(radius.max(), throat.max(initial=0.0))))
    shown: dict[str, Any] = {"cmap": "viridis", "clim": limits, "show_scalar_bar": False, "ambient": 0.3}
    plotter.add_mesh(spheres, scalars="radius", **shown)
    if number := len(throat):
        cells = np.column_stack([np.full(number, 2), np.arange(number), number + np.arange(number)]).ravel()
        throats = pv.PolyData(np.vstack([arrays["starts"], arrays["ends"]]), lines=cells)
        throats.cell_data["radius"] = throat
        plotter.add_mesh(throats, scalars="radius", line_width=3, **shown)
    plotter.add_mesh(pv.Box((0, sides[0], 0, sides[1], 0, sides[2])).extract_all_edges(), color="#555555", line_width=1)
    strip = 0.03 * max(sides)
    plotter.add_mesh(pv.Box((0, sides[0], 0, sides[1], -strip, 0)), color=COLOURS["current collector"], ambient=0.3)
    plotter.view_vector((1.0, -1.25, 0.85), viewup=(0, 0, 1))
    plotter.enable_anti_aliasing("fxaa")
    picture: NDArray[np.uint8] = np.asarray(plotter.screenshot(return_img=True))
    plotter.close()
    return _compose_network(_crop(picture), sides, limits, path)


def _compose_network(
    picture: NDArray[np.uint8], sides: tuple[float, ...], limits: tuple[float, float], path: Path
) -> Path:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    with style():
        figure, (axes,) = new_figure(6.4, 5.1 * picture.shape[0] / picture.shape[1] + 0.6)
        axes.imshow(picture)
        axes.set_axis_off()
        words = "{:.0f} × {:.0f} × {:.0f} µm, drawn at half size".format(*sides)
        axes.text(0.5, -0.01, words, ha="center", va="top", transform=axes.transAxes)
        scale = ScalarMappable(Normalize(limits[0], limits[1]), "viridis")
        label = "Inscribed radius of pore or throat (µm)"
        figure.colorbar(scale, ax=axes, label=label, fraction=0.05, pad=0.02, shrink=0.8)
        return save(figure, path)


if __name__ == "__main__":
    render(Path(sys.argv[1]), Path(sys.argv[2]))
