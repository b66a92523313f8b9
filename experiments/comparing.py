"""Compare an electrode with a tomogram: table, profiles and slices side by side."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mesoforge.experiments.measuring import write_table
from mesoforge.physics.microstructure.comparison import COMPARED, Comparison, compare
from mesoforge.physics.voxels import Voxels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def compared(
    electrode: Voxels, tomogram: Voxels, names: tuple[str, str], subvolumes: int, seed: int, folder: Path
) -> dict[str, Any]:
    """Compare, write table and picture into a folder, and return plain values."""
    found = compare(electrode, tomogram, subvolumes, seed)
    rows = _rows(found)
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "comparison.csv", rows)
    picture = folder / "comparison.png"
    draw(found, names, picture)
    return {
        "electrode": names[0],
        "tomogram": names[1],
        "voxel_um": found.electrode.edge,
        "size_um": [n * found.electrode.edge for n in found.electrode.phase.shape],
        "subvolumes": subvolumes,
        "rows": rows,
        "files": [str(folder / "comparison.csv"), str(picture)],
    }


def _rows(found: Comparison) -> list[dict[str, Any]]:
    columns = zip(found.names, found.numbers, found.mean, found.sd, strict=True)
    return [
        {
            "property": name,
            "unit": COMPARED[name].unit,
            "electrode": _plain(own),
            "tomogram": _plain(mean),
            "sd": _plain(sd),
            "deviation_in_sd": _plain((own - mean) / sd if sd > 0 else math.nan),
        }
        for name, own, mean, sd in columns
    ]


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def draw(found: Comparison, names: tuple[str, str], path: Path) -> None:
    """Draw the middle slice of both, active material in white, and its profiles."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for axes, image, name in ((left, found.electrode, names[0]), (middle, found.typical, f"{names[1]}, most typical")):
        _slice(axes, image, name)
    height = (np.arange(len(found.profile)) + 0.5) * found.electrode.edge
    mean, sd = found.profiles.mean(axis=0), found.profiles.std(axis=0, ddof=1)
    right.fill_betweenx(height, mean - sd, mean + sd, color="0.8", label=f"{names[1]}, mean ± sd")
    right.plot(mean, height, color="0.4")
    right.plot(found.profile, height, color="tab:red", label=names[0])
    right.set(xlabel="volume fraction of active material", ylabel="z (µm)", xlim=(0, 1))
    right.legend(loc="upper center", bbox_to_anchor=(0.5, 1.17), fontsize=8, frameon=False)
    figure.savefig(path, dpi=150)


def _slice(axes: Axes, image: Voxels, name: str) -> None:
    nx, ny, nz = image.phase.shape
    extent = (0, nx * image.edge, 0, nz * image.edge)
    axes.imshow(image.phase[:, ny // 2].T, origin="lower", cmap="gray", extent=extent, interpolation="nearest")
    axes.set(xlabel="x (µm)", ylabel="z (µm)")
    axes.set_title(f"{name}\nwhite: active material", fontsize=8)
