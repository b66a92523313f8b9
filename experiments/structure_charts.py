"""Pictures of one electrode's structure that take longer: pore sizes, orientation of particles, pore network, film.

They are drawn when a report asks for them, into the electrode's folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.experiments.calender_charts import Pressing, calendering_film
from mesoforge.experiments.canvas import COLOURS, INK, NoPicture, new_figure, save, style
from mesoforge.experiments.home import Home
from mesoforge.experiments.pictures import pore_network_3d
from mesoforge.physics.beads import Beads
from mesoforge.physics.manufacture import BEADS, CURVE, LOADED, VOXELS, identity
from mesoforge.physics.microstructure.particles import order_parameter, particle_table
from mesoforge.physics.microstructure.pores import PoreNetwork, local_diameters, pore_network
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store, digest
from mesoforge.physics.voxels import Voxels

LEAST_PARTICLES = 5
"""Particles below which an orientation is no distribution."""
_BINS = 9


def draw_structure(recipe: Recipe, home: Home, folder: Path) -> list[Path]:
    """Draw what is not there yet of an electrode's structure; return the pictures, none where its arrays are gone."""
    places = {stage: Store(home.store).folder(stage, digest(own)) for stage, own in identity(recipe).items()}
    image = places["measurement"] / VOXELS
    if not image.is_file():
        return []
    voxels = Voxels.load(image)
    tasks: dict[str, Callable[[Path], Path | NoPicture]] = {
        "pore_sizes.png": lambda path: _pore_sizes(voxels, path),
        "orientation.png": lambda path: orientation_rose(particle_table(voxels).direction, path),
        "pore_network.png": lambda path: _network(voxels, path),
        "calendering.gif": lambda path: _film(recipe, places, path),
    }
    for name, draw in tasks.items():
        if not (folder / name).exists():
            draw(folder / name)
    return [folder / name for name in tasks if (folder / name).exists()]


def _pore_sizes(voxels: Voxels, path: Path) -> Path | NoPicture:
    net = pore_network(voxels) if (voxels.phase == 0).any() else None
    return pore_sizes(local_diameters(voxels), net, path)


def _network(voxels: Voxels, path: Path) -> Path | NoPicture:
    if not (voxels.phase == 0).any():
        return NoPicture("There are no pores.")
    nx, ny, nz = (n * voxels.edge for n in voxels.phase.shape)
    return pore_network_3d(pore_network(voxels), (nx, ny, nz), path)


def _film(recipe: Recipe, places: dict[str, Path], path: Path) -> Path | NoPicture:
    files = [places["drying"] / BEADS, *(places["calendering"] / name for name in (LOADED, BEADS, CURVE))]
    if not all(file.is_file() for file in files):
        return NoPicture("The beads are no longer there.")
    dried, loaded, released = (Beads.load(file) for file in files[:3])
    curve = np.loadtxt(files[3], delimiter=",", skiprows=1)[:, :3]
    sizes = (recipe.particles.primary_diameter, recipe.drying.cbd_diameter)
    return calendering_film(Pressing(dried, loaded, released, curve, sizes), path)


def pore_sizes(local: NDArray[np.float64], net: PoreNetwork | None, path: Path) -> Path | NoPicture:
    """Draw the distribution of pore diameters by volume (local thickness), and of pores and throats by number.

    ``local`` (n,) is the local thickness at each voxel of the pores [um].
    """
    if not len(local) or net is None:
        return NoPicture("There are no pores.")
    with style():
        figure, (left, right) = new_figure(9.0, 3.9, 1, 2)
        edges = np.linspace(0, 1.02 * float(local.max()), 11).tolist()
        left.hist(local, edges, weights=np.full(len(local), 100 / len(local)), color="#9aa0a6", edgecolor="white")
        left.axvline(float(local.mean()), color=INK, ls="--", lw=1, label=f"mean {local.mean():.2f} µm")
        left.set(xlabel="Pore diameter, local thickness (µm)", ylabel="Share of the pore volume (%)")
        left.legend()
        top = float(max(net.inscribed.max(), net.throat_inscribed.max(initial=0.0)))
        for values, name, colour in (
            (net.inscribed, "pores", COLOURS["CBD"]),
            (net.throat_inscribed, "throats", "#e69f00"),
        ):
            shares = np.full(len(values), 100 / max(len(values), 1))
            label = f"{len(values)} {name}"
            right.hist(
                values,
                np.linspace(0, top, 16).tolist(),
                weights=shares,
                histtype="step",
                lw=2,
                color=colour,
                label=label,
            )
        right.set(xlabel="Inscribed radius in the network (µm)", ylabel="Share of the number (%)")
        right.legend()
        return save(figure, path)


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
        figure = Figure(figsize=(5.2, 4.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes: Any = figure.add_subplot(projection="polar")
        axes.set_theta_zero_location("N")
        axes.set_theta_direction(-1)
        axes.set_thetalim(0, np.pi / 2)
        axes.bar(edges[:-1], ratio, np.diff(edges), align="edge", color=COLOURS["active material"], edgecolor="white")
        axes.plot(np.linspace(0, np.pi / 2, 60), np.ones(60), color=INK, ls="--", lw=1, label="no order")
        axes.set_thetagrids(range(0, 91, 15), [f"{angle}°" for angle in range(0, 91, 15)])
        axes.set_title(
            f"Long axes of {len(direction)} particles: angle to the thickness\n"
            f"(density over random; order {order_parameter(direction):+.2f}, flat is −0.5, upright 1)",
            fontsize=10,
        )
        axes.legend(loc="upper right")
        return save(figure, path)
