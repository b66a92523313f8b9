"""Pictures of one electrode from its arrays: cross-section, profile and, off-screen, 3D views of phases and pores.

Phases are 0 pore, 1 active material, 2 carbon-binder domain (CBD) on voxels (nx, ny, nz), z from the current collector
up. Files are PNG, written whole or not at all.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.experiments.canvas import COLOURS, INK, NoPicture, legend, new_figure, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    from mesoforge.physics.microstructure.pores import PoreNetwork
    from mesoforge.physics.voxels import Periodic

PORE, ACTIVE, CBD = 0, 1, 2
LIMIT_S: Final = 120.0
"""How long a 3D view may take."""
_REDS: Final = (0.30, 0.95)  # the part of matplotlib's "Reds" that is neither white nor black


def cross_section(phase: NDArray[Any], particle: NDArray[Any] | None, voxel_um: float, path: Path) -> Path:
    """Draw the x-z plane in the middle of the volume, particles shaded by their equivalent diameter.

    ``phase`` and ``particle`` are (nx, ny, nz); without ``particle`` all active material has one colour.
    """
    check_volume(phase, particle, voxel_um)
    middle = phase.shape[1] // 2
    diameters = None if particle is None else equivalent_diameters(particle, voxel_um)
    plane = phase[:, middle, :].T
    ids = np.zeros_like(plane, dtype=np.int64) if particle is None else particle[:, middle, :].T
    scale = red_scale(diameters)
    colours = _plane_colours(plane, ids, diameters, scale)
    with style():
        figure, (axes,) = new_figure(*_section_size(phase.shape[0], phase.shape[2]))
        _draw_plane(axes, colours, voxel_um)
        _draw_outlines(axes, np.where(plane == ACTIVE, ids, 0), voxel_um)
        _draw_scale_bar(axes, phase.shape[0] * voxel_um)
        axes.set_ylabel("Distance from current collector (µm)")
        _finish_section(figure, axes, scale if diameters is not None else None)
        return save(figure, path)


def phase_profile(z_um: NDArray[Any], fractions: Mapping[str, NDArray[Any]], path: Path) -> Path:
    """Draw volume fractions along the thickness: ``z_um`` (n,), ``fractions`` (n,) each, by "pore" and so on."""
    wrong = [name for name, values in fractions.items() if np.shape(values) != np.shape(z_um)]
    if wrong or not fractions:
        raise InputError(
            f"The profile of {wrong or 'nothing'} came with another length than z: give one value for each z."
        )
    with style():
        figure, (axes,) = new_figure(6.2, 4.2)
        for name, values in fractions.items():
            _draw_profile(axes, z_um, name, 100 * np.asarray(values, dtype=float))
        axes.set(xlabel="Distance from current collector (µm)", ylabel="Volume fraction (%)")
        axes.set_xlim(0, float(np.max(z_um)) + float(np.min(z_um)))  # heights are of the voxels' middles
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, title="Means are dashed", fontsize=10)
        return save(figure, path)


def view_3d(
    phase: NDArray[Any], particle: NDArray[Any] | None, voxel_um: float, path: Path, limit_s: float = LIMIT_S
) -> Path | NoPicture:
    """Render the volume, cut open at a corner, in a child process: graphics drivers may hang or crash.

    Returns:
        The picture, or why there is none: no driver, no memory, more than ``limit_s`` seconds.
    """
    check_volume(phase, particle, voxel_um)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "arrays.npz"
        ids = np.zeros(phase.shape, np.int32) if particle is None else particle
        np.savez(arrays, phase=phase, particle=ids, voxel_um=voxel_um)
        return _render(arrays, path, limit_s)


def pore_network_3d(
    net: PoreNetwork | None, sides: NDArray[np.float64], periodic: Periodic, path: Path
) -> Path | NoPicture:
    """Render pores as spheres and throats as sticks, coloured by radius; ``sides`` (3,) are the volume's [um].

    A throat through a side that closes is drawn as two stubs, each half of it.

    Returns:
        The picture, or why there is none.
    """
    if net is None or not len(net.radius):
        return NoPicture("There are no pores.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "arrays.npz"
        starts, ends, throat = sticks(net, np.where(periodic, sides, np.inf))
        shown = {"starts": starts, "ends": ends, "throat": throat, "sides": sides}
        np.savez(arrays, coords=net.coords, radius=net.inscribed, **shown)  # type: ignore[arg-type]  # names of arrays
        return _render(arrays, path, LIMIT_S)


def sticks(net: PoreNetwork, period: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return where throats begin and end, (n, 3) each, and their radii (n,); one through a side comes as two halves."""
    here, there = (net.coords[net.conns[:, end]] for end in (0, 1))
    straight = there - here
    way = straight - np.where(np.isfinite(period), period, 0) * np.round(straight / period)
    inside = np.isclose(way, straight).all(axis=1)
    begins = [here[inside], here[~inside], there[~inside]]
    ends = [there[inside], (here + way / 2)[~inside], (there - way / 2)[~inside]]
    radii = net.throat_inscribed
    return np.vstack(begins), np.vstack(ends), np.concatenate([radii[inside], radii[~inside], radii[~inside]])


def _render(arrays: Path, path: Path, limit_s: float) -> Path | NoPicture:
    """Run the renderer on saved arrays; what it says on its way down is the reason."""
    command = [sys.executable, "-m", "mesoforge.experiments.render", str(arrays), str(path)]
    part = arrays.with_name("stderr")
    with part.open("wb") as errors:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            return NoPicture(f"The 3D view took more than {limit_s:g} s.")
    if done.returncode == 0:
        return path
    words = part.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return NoPicture(f"The 3D view could not be rendered (exit status {done.returncode}): {words[-1][-300:]}")


def check_volume(phase: NDArray[Any], particle: NDArray[Any] | None, voxel_um: float) -> None:
    """Check that arrays are a volume of voxels.

    Raises:
        InputError: not three axes, other phases than 0, 1 and 2, ids of another shape, a voxel without size.
    """
    if phase.ndim != 3 or phase.size == 0:
        raise InputError(f"The phases came with shape {phase.shape}: give an array (nx, ny, nz).")
    if not np.isin(np.unique(phase), (PORE, ACTIVE, CBD)).all():
        raise InputError(f"The phases came as {np.unique(phase)[:6]}: give 0 pore, 1 active material, 2 CBD.")
    if particle is not None and particle.shape != phase.shape:
        raise InputError(f"The particle ids came with shape {particle.shape}: give that of the phases, {phase.shape}.")
    if not voxel_um > 0:
        raise InputError(f"The voxel's side came as {voxel_um} um: give a length above 0.")


def equivalent_diameters(particle: NDArray[Any], voxel_um: float) -> NDArray[np.float64]:
    """Return the diameter (um) of the sphere of each particle's volume, by id; nan for ids that no voxel bears."""
    voxels = np.bincount(particle.ravel())
    diameters: NDArray[np.float64] = np.cbrt(6 / math.pi * voxels) * voxel_um
    diameters[(voxels == 0) | (np.arange(voxels.size) == 0)] = np.nan
    return diameters


def red_scale(diameters: NDArray[np.float64] | None) -> ScalarMappable:
    """Return the colours of particles by diameter: small ones light, large ones dark."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    reds = ListedColormap(colormaps["Reds"](np.linspace(*_REDS, 256)))
    known = np.zeros(1) if diameters is None else diameters[np.isfinite(diameters)]
    low, high = (0.0, 1.0) if known.size == 0 else (float(known.min()), float(known.max()))
    return ScalarMappable(Normalize(math.floor(low), math.ceil(high) + (math.floor(low) == math.ceil(high))), reds)


def _section_size(nx: int, nz: int) -> tuple[float, float]:
    """Return the figure's size (inches) for a plane of this shape, neither a stamp nor a banner."""
    width = min(max(4.6 * nx / nz, 2.4), 8.0)
    return width + 2.4, min(max(width * nz / nx, 2.0), 7.0) + 1.2


def _plane_colours(
    plane: NDArray[Any], ids: NDArray[Any], diameters: NDArray[np.float64] | None, scale: ScalarMappable
) -> NDArray[Any]:
    """Return the picture (nz, nx, 3) of a plane of phases."""
    from matplotlib.colors import to_rgb

    table = np.array([to_rgb(COLOURS[name]) for name in ("pore", "active material", "CBD")])
    colours: NDArray[Any] = table[plane]
    if diameters is not None:
        known = (plane == ACTIVE) & (ids > 0)
        colours[known] = scale.to_rgba(diameters[ids[known]])[:, :3]
    return colours


def _draw_plane(axes: Axes, colours: NDArray[Any], voxel_um: float) -> None:
    """Draw a plane above a strip of current collector."""
    from matplotlib.patches import Rectangle

    height, width = (side * voxel_um for side in colours.shape[:2])
    strip = 0.045 * max(height, width)
    axes.imshow(colours, origin="lower", extent=(0, width, 0, height), interpolation="nearest")
    axes.add_patch(Rectangle((0, -strip), width, strip, color=COLOURS["current collector"], lw=0))
    axes.set(xlim=(0, width), ylim=(-strip, height), xticks=[])
    axes.spines[["bottom", "left"]].set_visible(False)


def _draw_outlines(axes: Axes, ids: NDArray[Any], voxel_um: float) -> None:
    """Draw thin lines where two particles touch."""
    from matplotlib.collections import LineCollection

    z, x = np.nonzero((ids[:, 1:] != ids[:, :-1]) & (ids[:, 1:] > 0) & (ids[:, :-1] > 0))
    upright = np.stack([np.stack([x + 1, z], -1), np.stack([x + 1, z + 1], -1)], 1)
    z, x = np.nonzero((ids[1:] != ids[:-1]) & (ids[1:] > 0) & (ids[:-1] > 0))
    level = np.stack([np.stack([x, z + 1], -1), np.stack([x + 1, z + 1], -1)], 1)
    axes.add_collection(
        LineCollection(list(np.concatenate([upright, level]) * voxel_um), colors="white", linewidths=0.7)
    )


def _draw_scale_bar(axes: Axes, width_um: float) -> None:
    """Draw a bar of a round length, about a quarter of the width, below the collector."""
    length = _round_length(width_um / 4)
    y = -0.02
    frame = axes.get_xaxis_transform()
    axes.plot(
        [width_um - length, width_um], [y, y], transform=frame, color=INK, lw=3, clip_on=False, solid_capstyle="butt"
    )
    axes.text(width_um - length / 2, y - 0.015, f"{length:g} µm", transform=frame, ha="center", va="top")


def _round_length(about: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, ... that is not above ``about``."""
    power = 10.0 ** math.floor(math.log10(about))
    return max(step * power for step in (1, 2, 5) if step * power <= about)


def _finish_section(figure: Figure, axes: Axes, scale: ScalarMappable | None) -> None:
    """Say what the colours mean."""
    legend(
        axes, ("CBD", "pore", "current collector") if scale else ("active material", "CBD", "pore", "current collector")
    )
    if scale:
        figure.colorbar(scale, ax=axes, label="Particle's equivalent diameter (µm)", fraction=0.06, pad=0.03, aspect=25)


def _draw_profile(axes: Axes, z_um: NDArray[Any], name: str, percent: NDArray[np.float64]) -> None:
    mean = float(percent.mean())
    colour = {"pore": INK}.get(name) or COLOURS.get(name)
    (line,) = axes.plot(z_um, percent, lw=2, color=colour, label=f"{name} {mean:.1f} %")
    axes.axhline(mean, color=line.get_color(), ls="--", lw=0.9, alpha=0.7)
