"""Pictures of one electrode's structure that take longer: pore sizes, orientation of particles, pore network, film.

They are drawn when a report asks for them, into the electrode's folder; those of its pores beside other work by
``-m mesoforge.experiments.structure_charts HOME FOLDER RECIPE``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.experiments.calender_charts import Pressing, calendering_film
from mesoforge.experiments.canvas import COLOURS, INK, NoPicture, new_figure, save, style
from mesoforge.experiments.home import Home
from mesoforge.experiments.pictures import pore_network_3d
from mesoforge.physics.balance import as_dried
from mesoforge.physics.beads import Beads
from mesoforge.physics.manufacture import BEADS, CURVE, LOADED, VOXELS, identity
from mesoforge.physics.microstructure.particles import order_parameter, particle_table
from mesoforge.physics.microstructure.pores import PoreNetwork, local_diameters, pore_network
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store, digest
from mesoforge.physics.voxels import Voxels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_PARTICLES = 5
"""Particles below which an orientation is no distribution."""
PORES, OTHERS = ("pore_sizes.png", "pore_network.png"), ("orientation.png", "calendering.gif")
"""The pictures, and which of them take most of the time."""
_BINS, _BARS = 9, 10
_CHANCE = "95 % of bars without order"


def draw_structure(recipe: Recipe, home: Home, folder: Path, names: tuple[str, ...] = PORES + OTHERS) -> list[Path]:
    """Draw what is not there yet of an electrode's structure; return the pictures, none where its arrays are gone."""
    places = {stage: Store(home.store).folder(stage, digest(own)) for stage, own in identity(recipe).items()}
    image = places["measurement"] / VOXELS
    if not image.is_file():
        return []
    voxels = Voxels.load(image)
    net, sides = cache(partial(_network, voxels)), np.array(voxels.phase.shape) * voxels.edge
    tasks: dict[str, Callable[[], Path | NoPicture]] = {
        "pore_sizes.png": lambda: pore_sizes(local_diameters(voxels), net(), folder / "pore_sizes"),
        "orientation.png": lambda: orientation_rose(particle_table(voxels).direction, folder / "orientation"),
        "pore_network.png": lambda: pore_network_3d(net(), sides, voxels.periodic, folder / "pore_network.png"),
        "calendering.gif": lambda: _film(recipe, places, folder / "calendering.gif"),
    }
    for name in names:
        if not (folder / name).exists():
            tasks[name]()
    return [folder / name for name in names if (folder / name).exists()]


def _network(voxels: Voxels) -> PoreNetwork | None:
    return pore_network(voxels) if (voxels.phase == 0).any() else None


def _film(recipe: Recipe, places: dict[str, Path], path: Path) -> Path | NoPicture:
    files = [places["drying"] / BEADS, *(places["calendering"] / name for name in (LOADED, BEADS, CURVE))]
    if not all(file.is_file() for file in files):
        return NoPicture("The beads are no longer there.")
    dried, loaded, released = (Beads.load(file) for file in files[:3])
    curve = np.loadtxt(files[3], delimiter=",", skiprows=1)[:, :3]
    sizes = (recipe.particles.primary_diameter, as_dried(recipe).drying.cbd_diameter)
    return calendering_film(Pressing(dried, loaded, released, curve, sizes), path)


def pore_sizes(local: NDArray[np.float64], net: PoreNetwork | None, path: Path) -> Path | NoPicture:
    """Draw the distribution of pore diameters by volume (local thickness), and of pores and throats by number.

    ``local`` (n,) is the local thickness at each voxel of the pores [um].
    """
    if not len(local) or net is None:
        return NoPicture("There are no pores.")
    with style():
        figure, (volumes, numbers) = new_figure(6.0, 6.4, 2, 1)
        _draw_volumes(volumes, local)
        _draw_numbers(numbers, net)
        return save(figure, path)


def _draw_volumes(axes: Axes, local: NDArray[np.float64]) -> None:
    edges = _edges(local)
    axes.hist(local, edges, weights=np.full(len(local), 100 / len(local)), color="#9aa0a6", edgecolor="white")
    axes.axvline(float(local.mean()), color=INK, ls="--", lw=1, label=f"mean {local.mean():.2f} µm")
    axes.set(xlabel="Pore diameter, local thickness (µm)", ylabel="Share of the pore volume (%)", xlim=(0, edges[-1]))
    axes.legend()


def _edges(values: NDArray[np.float64]) -> list[float]:
    """Return edges of about ten bars for values that come in steps: a bar without any step would look like a gap."""
    levels = np.unique(np.round(values, 6))
    step = float(np.diff(levels).min()) if len(levels) > 1 else float(levels[0])
    width = step * max(1, round((levels[-1] - levels[0]) / step / _BARS))
    count = int((levels[-1] - levels[0]) / width) + 2
    return [float(levels[0] - step / 2 + width * place) for place in range(count)]


def _draw_numbers(axes: Axes, net: PoreNetwork) -> None:
    top = float(max(net.inscribed.max(), net.throat_inscribed.max(initial=0.0)))
    edges = np.linspace(0, top, _BARS + 1).tolist()
    for values, name, colour in (
        (net.inscribed, "pores", COLOURS["CBD"]),
        (net.throat_inscribed, "throats", "#e69f00"),
    ):
        shares, words = np.full(len(values), 100 / max(len(values), 1)), f"{len(values)} {name}"
        axes.hist(values, edges, weights=shares, histtype="step", lw=2, color=colour, label=words)
    axes.set(xlabel="Inscribed radius in the network (µm)", ylabel="Share of the number (%)", xlim=(0, 1.03 * top))
    axes.legend()


def orientation_rose(direction: NDArray[np.float64], path: Path) -> Path | NoPicture:
    """Draw how particles lie: the angle of their long axes to the thickness, beside a mix without any order.

    ``direction`` (n, 3) are unit vectors. Bars are number densities over that of random directions: 1 all around where
    there is no order.
    """
    if len(direction) < LEAST_PARTICLES:
        return NoPicture(f"There are fewer than {LEAST_PARTICLES} whole particles.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    edges = np.linspace(0, np.pi / 2, _BINS + 1)
    angles = np.arccos(np.clip(np.abs(direction[:, 2]), 0, 1))
    random = -np.diff(np.cos(edges))
    ratio = np.histogram(angles, edges)[0] / len(angles) / random
    with style():
        figure = Figure(figsize=(5.2, 4.9), layout="constrained")
        FigureCanvasAgg(figure)
        axes: Any = figure.add_subplot(projection="polar")
        axes.set_theta_zero_location("N")
        axes.set_theta_direction(-1)
        axes.set_thetalim(0, np.pi / 2)
        axes.bar(edges[:-1], ratio, np.diff(edges), align="edge", color=COLOURS["active material"], edgecolor="white")
        _draw_chance(axes, edges, np.sqrt((1 - random) / random / len(angles)))
        axes.set_ylim(0, 1.05 * float(max(ratio.max(), 1.5)))
        axes.set_thetagrids(range(0, 91, 15), [f"{angle}°" for angle in range(0, 91, 15)])
        order = f"{order_parameter(direction):+.2f}".replace("-", "−")
        axes.set_title(
            f"Long axes of {len(direction)} particles, angle to the thickness: density over random\n"
            f"Order {order} (flat −0.5, upright 1)",
            fontsize=10,
        )
        figure.legend(loc="outside lower center", ncols=2, fontsize=10)
        return save(figure, path)


def _draw_chance(axes: Axes, edges: NDArray[np.float64], spread: NDArray[np.float64]) -> None:
    """Draw where bars of particles without any order would lie, 19 of 20 times: few particles look ordered easily."""
    angle = np.concatenate([np.linspace(low, high, 12) for low, high in pairwise(edges)])
    low, high = (np.repeat(np.maximum(1 + side * spread, 0), 12) for side in (-2, 2))
    axes.fill_between(angle, low, high, color=COLOURS["current collector"], alpha=0.25, lw=0, zorder=0.5, label=_CHANCE)
    for bound in (low, high):
        axes.plot(angle, bound, color=INK, ls=":", lw=1, zorder=4)
    axes.plot(angle, np.ones(len(angle)), color=INK, ls="--", lw=1, label="no order", zorder=4)


if __name__ == "__main__":
    draw_structure(Recipe.model_validate_json(sys.argv[3]), Home(Path(sys.argv[1])), Path(sys.argv[2]), PORES)
