"""Particle libraries as people read them in a terminal, and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mesoforge.physics.shapes.extract import Extracted
from mesoforge.physics.shapes.library import Library
from mesoforge.physics.shapes.separate import Told

SHOWN = {
    "diameter": ("equivalent diameter", "µm"),
    "volume": ("volume", "µm³"),
    "axis_ratio_b": ("axis ratio b/a", ""),
    "axis_ratio_c": ("axis ratio c/b", ""),
    "krumbein": ("Krumbein sphericity", ""),
    "wadell": ("Wadell sphericity", ""),
    "solidity": ("solidity", ""),
    "specific_surface": ("surface over volume", "1/µm"),
    "facets": ("touching particles", ""),
}
"""What is shown of a library, by name: its words and its unit."""
PERCENTILES = (10, 50, 90)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Told]:
    """Show the step under way on a terminal."""
    console = Console(stderr=True, quiet=quiet)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as shown:
        task = shown.add_task("reading", total=1.0)

        def told(step: str, share: float) -> None:
            shown.update(task, description=step, completed=share)

        yield told


def columns_of(library: Library) -> dict[str, NDArray[np.float64]]:
    """Return what is shown of each particle, (n,) each."""
    axes = library.figures["axes"]
    plain = {name: library.figures[name] for name in ("diameter", "volume", "krumbein", "wadell", "solidity")}
    found = plain | {
        "axis_ratio_b": axes[:, 1] / axes[:, 0],
        "axis_ratio_c": axes[:, 2] / axes[:, 1],
        "specific_surface": library.specific_surface,
        "facets": library.facets.astype(np.float64),
    }
    return {name: np.asarray(found[name], dtype=np.float64) for name in SHOWN}


def inspected(library: Library) -> dict[str, Any]:
    """Return a library's figures as plain values: mean, spread and percentiles by number, and sizes by volume."""
    rows = {
        name: {
            "mean": float(values.mean()),
            "sd": float(values.std()),
            **{f"p{percent}": float(np.percentile(values, percent)) for percent in PERCENTILES},
        }
        for name, values in columns_of(library).items()
    }
    return {
        "library": str(library.path),
        "particles": len(library),
        "voxel_um": library.voxel_um,
        "source": library.origin.source,
        "source_sha256": library.origin.sha256,
        "content_sha256": library.content_sha256,
        "extraction": {name: _plain(value) for name, value in library.origin.parameters.items()},
        "figures": rows,
        "diameter_by_volume": {f"p{percent}": by_volume(library, percent) for percent in PERCENTILES},
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 - HDF5 attributes are NumPy scalars
    return value.item() if isinstance(value, np.generic) else value


def by_volume(library: Library, percent: float) -> float:
    """Return the diameter [um] below which this share of the particles' volume lies."""
    order = np.argsort(library.diameters)
    share = np.cumsum(library.volumes[order]) / library.volumes.sum()
    return float(library.diameters[order][np.searchsorted(share, percent / 100)])


def extracted(found: Extracted) -> dict[str, Any]:
    """Return what an extraction found and dropped as plain values."""
    return inspected(found.library) | {
        "cut_off": found.cut_off,
        "small": found.small,
        "active_fraction": found.active_fraction,
    }


def show_extracted(value: Mapping[str, Any]) -> None:
    """Print what an extraction found and dropped."""
    console = Console()
    console.print(
        f"[bold]{value['particles']}[/bold] particles; dropped: {value['cut_off']} cut by the stack's faces, "
        f"{value['small']} too small; {value['active_fraction']:.1%} of the stack is active material",
        highlight=False,
    )
    show_inspected(value)


def show_inspected(value: Mapping[str, Any]) -> None:
    """Print a library's figures and where it comes from."""
    console = Console()
    table = Table("by number", "unit", title=f"{value['particles']} particles", box=box.SIMPLE)
    for heading in ("mean", "sd", *(f"{percent} %" for percent in PERCENTILES)):
        table.add_column(heading, justify="right")
    for name, (words, unit) in SHOWN.items():
        table.add_row(words, unit, *(f"{number:.4g}" for number in value["figures"][name].values()))
    weighed = (f"{number:.4g}" for number in value["diameter_by_volume"].values())
    table.add_row("diameter by volume", "µm", "", "", *weighed)
    console.print(table)
    said = ", ".join(f"{name} {shown}" for name, shown in value["extraction"].items())
    console.print(f"[dim]{value['source']}, voxels of {value['voxel_um']:g} µm; {said}[/dim]", soft_wrap=True)
    console.print(f"content {value['content_sha256'][:16]}", highlight=False)
    console.print(f"Library: {value['library']}; picture: {value['picture']}", highlight=False, soft_wrap=True)
