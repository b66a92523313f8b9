"""Particle libraries as people read them in a terminal, and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mesoforge.physics.shapes.beading import price
from mesoforge.physics.shapes.extract import Extracted
from mesoforge.physics.shapes.library import Library
from mesoforge.physics.shapes.likeness import likeness
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
HOLLOW = 0.85
"""Solidity below which a particle may be two that were not parted."""


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
        "hollow": int((library.figures["solidity"] < HOLLOW).sum()),
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


SAMPLE = 60
"""Particles on which the volume that beads misplace is measured."""


def priced(library: Library, pitches: Sequence[float], seed: int) -> dict[str, Any]:
    """Return what each bead size costs and keeps as plain values."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(library))[:SAMPLE]).tolist()
    return {"library": str(library.path), "prices": [asdict(price(library, one, rows, rng)) for one in pitches]}


def show_priced(value: Mapping[str, Any]) -> None:
    """Print what each bead size costs and keeps."""
    table = Table("pitch µm", "ball µm", title="Price of a bead size", box=box.SIMPLE)
    headings = ("beads 10 %", "50 %", "90 %", "of all", "cost", "under 8 beads", "misplaced", "uneven")
    for heading in headings:
        table.add_column(heading, justify="right")
    least = min(one["total"] for one in value["prices"])
    for one in value["prices"]:
        ball = one["pitch"] * (6 / np.pi) ** (1 / 3)
        counts = [f"{count:.0f}" for count in one["beads"]]
        shares = [f"{one[name]:.1%}" for name in ("coarse", "misplaced", "rounding")]
        cost = f"{one['total'] / least:.1f}x"
        table.add_row(f"{one['pitch']:g}", f"{ball:.3g}", *counts, str(one["total"]), cost, *shares)
    console = Console()
    console.print(table)
    console.print(
        "[dim]misplaced: volume outside the beads' cubes; uneven: how far a bead's V/n is from the pitch's cube; "
        "cost: beads, and the time step shrinks with the pitch besides[/dim]"
    )


def compared(first: Library, second: Library) -> dict[str, Any]:
    """Return the distances between two libraries as plain values."""
    rows = {name: asdict(found) for name, found in likeness(first, second).items()}
    return {"first": str(first.path), "second": str(second.path), "particles": [len(first), len(second)]} | {
        "distances": rows
    }


def show_compared(value: Mapping[str, Any]) -> None:
    """Print the distances between two libraries."""
    table = Table("figure", title="How alike two libraries are", box=box.SIMPLE)
    for heading in ("first", "second", "KS", "KS by chance", "Wasserstein/sd"):
        table.add_column(heading, justify="right")
    for name, row in value["distances"].items():
        means = [f"{row[one][0]:.4g} ± {row[one][1]:.2g}" for one in ("first", "second")]
        words = "surface x diameter / volume" if name == "specific_surface" else SHOWN[name][0]
        table.add_row(words, *means, *(f"{row[one]:.3f}" for one in ("ks", "halves", "wasserstein")))
    Console().print(table)


def show_stamped(value: Mapping[str, Any]) -> None:
    """Print what the images of one electrode differ in."""
    from mesoforge.experiments.stamped import COMPARED, IMAGES

    table = Table("measure", *IMAGES, title="One electrode, three images", box=box.SIMPLE)
    for name, words in COMPARED.items():
        table.add_row(words, *(f"{value['images'][one][name]:.4g}" for one in IMAGES))
    table.add_row("voxels of the same phase", "1", *(f"{share:.4f}" for share in value["alike"].values()))
    console = Console()
    console.print(table)
    console.print(f"Images: {', '.join(value['files'])}; picture: {value['picture']}", highlight=False, soft_wrap=True)


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
    console.print(
        f"{value['hollow']} particles have a solidity below {HOLLOW:g}: look whether they are pairs, and raise --neck "
        "if particles were joined, lower it if they were parted",
        highlight=False,
        soft_wrap=True,
    )
    said = ", ".join(f"{name} {shown}" for name, shown in value["extraction"].items())
    console.print(f"[dim]{value['source']}, voxels of {value['voxel_um']:g} µm; {said}[/dim]", soft_wrap=True)
    console.print(f"content {value['content_sha256'][:16]}", highlight=False)
    console.print(f"Library: {value['library']}; picture: {value['picture']}", highlight=False, soft_wrap=True)
