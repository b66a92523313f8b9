"""Measure an image from a file, or an electrode that was made before, and write what was found."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesoforge.errors import InputError
from mesoforge.experiments.home import Home
from mesoforge.physics.microstructure.bead_files import SUFFIXES as BEADS
from mesoforge.physics.microstructure.bead_images import read_beads
from mesoforge.physics.microstructure.image_files import SUFFIXES, Reading, read_image
from mesoforge.physics.microstructure.measure import chosen, measure
from mesoforge.physics.microstructure.quantity import Conductors, Properties
from mesoforge.physics.shapes.stack import PICKLES, slices
from mesoforge.physics.voxels import Voxels

VOXELS = "voxels.npz"
REFINED = (0.75, 1.0, 1.3)
"""Voxel edges from which a number is carried on to none, over the electrode's own."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured of an image, and where tables go."""

    only: tuple[str, ...] = ()
    """Names of measures; by default all."""
    conductors: Conductors = field(default_factory=Conductors)
    """What the phases conduct."""
    across: int = 0
    """Sub-volumes along each side for error bars; 0 for none."""
    richardson: bool = False
    """Whether to carry the tortuosity factor on to no voxel edge."""
    taufactor: bool = False
    """Whether to solve for the tortuosity factor with TauFactor as well."""
    representative: bool = False
    """Whether to say how large a volume has to be."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: an image, its name, the nanoporosity if it is known, and how to make it in other voxels."""

    voxels: Voxels
    name: str
    nanoporosity: float | None = None
    remake: Callable[[float], Voxels] | None = None


def find_image(target: str, home: Home, reading: Reading) -> Subject:
    """Return the image that a path or the name of an electrode stands for.

    Raises:
        InputError: there is no such file or electrode, or the file is no image.
    """
    path = Path(target)
    if path.suffix.lower() in BEADS:
        return Subject(read_beads(path, reading), str(path))
    if path.suffix.lower() in (*SUFFIXES, *PICKLES) or slices(path):
        return Subject(read_image(path, reading), str(path))
    folder = path if (path / VOXELS).is_file() else _stored(target, home)
    portrait = home.portrait(folder.name)
    told = portrait / "properties.json"
    known = json.loads(told.read_text(encoding="utf-8"))["properties"] if told.is_file() else {}
    nanoporosity = known.get("cbd_nanoporosity")
    remake = _remaker(portrait / "recipe.yaml", home, nanoporosity) if nanoporosity is not None else None
    return Subject(Voxels.load(folder / VOXELS), f"electrode {folder.name[:12]}", nanoporosity, remake)


def _remaker(written: Path, home: Home, nanoporosity: float) -> Callable[[float], Voxels] | None:
    """Return what turns an electrode's beads into voxels of another edge [um], if its beads are still there."""
    if not written.is_file():
        return None
    from mesoforge.physics.balance import consolidated
    from mesoforge.physics.beads import Beads
    from mesoforge.physics.manufacture import BEADS, identity
    from mesoforge.physics.recipe import load_recipe
    from mesoforge.physics.store import Store, digest
    from mesoforge.physics.voxels import voxelise

    recipe = load_recipe(written)
    beads = Store(home.store).folder("calendering", digest(identity(recipe)["calendering"])) / BEADS
    now = consolidated(recipe, nanoporosity)
    if not beads.is_file():
        return None
    return lambda edge: voxelise(Beads.load(beads), now.with_values({"numerics.voxel": edge}))


def _stored(name: str, home: Home) -> Path:
    """Return the measured electrode whose hash begins with a name."""
    place = home.store / "measurement"
    found = [one for one in place.glob(f"{name}*") if (one / VOXELS).is_file()] if name.isalnum() else []
    if len(found) != 1:
        many = f"{len(found)} electrodes' names begin so" if found else "there is neither a file nor an electrode of it"
        raise InputError(
            f"'{name}' was to be measured but {many}: give an image ({', '.join(SUFFIXES)}), beads "
            f"({', '.join(BEADS)}) or an electrode of "
            f"'{home.root}' by its name."
        )
    return found[0]


def measured(subject: Subject, wanted: Wanted, on_measure: Say = lambda _: None) -> dict[str, Any]:
    """Measure an image and return plain values: properties, and what was asked for beside them."""
    from mesoforge.physics.microstructure.spread import with_spread

    chosen(wanted.only)
    began, voxels = time.monotonic(), subject.voxels
    found = measure(voxels, wanted.conductors, wanted.only, on_measure)
    if wanted.across:
        on_measure("sub-volumes")
        found = with_spread(found, voxels, wanted.conductors, wanted.across, wanted.only)
    nx, ny, nz = voxels.phase.shape
    value: dict[str, Any] = {
        "name": subject.name,
        "voxels": [nx, ny, nz],
        "voxel_um": voxels.edge,
        "size_um": [n * voxels.edge for n in (nx, ny, nz)],
        "periodic": list(voxels.periodic),
        "nanoporosity": wanted.conductors.nanoporosity,
        "cbd_conductivity": wanted.conductors.ionic_cbd,
        "properties": found.to_json(),
    }
    for asked, key, compute in (
        (wanted.richardson, "richardson", _richardson),
        (wanted.taufactor, "taufactor", _taufactor),
        (wanted.representative, "representative", _representative),
    ):
        if asked:
            on_measure(key)
            value[key] = compute(subject, wanted.conductors)
    return value | {"wall_s": time.monotonic() - began}


def _tortuosity(voxels: Voxels, conductors: Conductors) -> float:
    """Return the tortuosity factor along the thickness; infinite where no path crosses."""
    from mesoforge.physics.microstructure.phases import fractions, porosity
    from mesoforge.physics.microstructure.transport import transport

    ions = {0: 1.0, 2: conductors.ionic_cbd}
    found = transport(voxels.phase, ions, 2, voxels.periodic)
    return found.tortuosity_factor(porosity(fractions(voxels), conductors.nanoporosity))


def _richardson(subject: Subject, conductors: Conductors) -> dict[str, Any]:
    """Carry the tortuosity factor on to no voxel edge.

    An electrode is made anew in voxels of three edges; an image from a file is coarsened to twice its edge, which
    rounds its corners and so understates the slope.
    """
    from mesoforge.physics.microstructure.spread import coarsened, richardson

    voxels = subject.voxels
    if subject.remake:
        images = [subject.remake(factor * voxels.edge) for factor in REFINED]
    else:
        images = [voxels, coarsened(voxels, 2)]
    values = [_tortuosity(one, conductors) for one in images]
    if not all(value < float("inf") for value in values):
        return {"word": "does not percolate at one of the voxel edges"}
    limit = richardson([one.edge for one in images], values)
    return {"tortuosity_factor_z": limit.value, "error": limit.error, "edges": limit.edges, "values": limit.values}


def _taufactor(subject: Subject, conductors: Conductors) -> dict[str, Any]:
    """Solve along the thickness with TauFactor; its sides are closed."""
    from mesoforge.physics.microstructure.phases import fractions, porosity
    from mesoforge.physics.microstructure.reference import taufactor_transport

    voxels = subject.voxels
    found = taufactor_transport(voxels.phase, {0: 1.0, 2: conductors.ionic_cbd})
    if not found.percolates:
        return {"word": str(found)}
    return {"tortuosity_factor_z": found.tortuosity_factor(porosity(fractions(voxels), conductors.nanoporosity))}


def _representative(subject: Subject, conductors: Conductors) -> dict[str, Any]:
    """Say how large a cube has to be for porosity within 0.01 and the tortuosity factor within 5 %."""
    from mesoforge.physics.microstructure.phases import fractions, porosity
    from mesoforge.physics.microstructure.spread import edge_for, representative

    voxels = subject.voxels
    pores = representative(voxels, lambda one: porosity(fractions(one), conductors.nanoporosity))
    paths = representative(voxels, lambda one: _tortuosity(one, conductors))
    rows = {
        name: [{"edge": one.edge, "mean": one.mean, "sd": one.sd, "cubes": one.cubes} for one in scatter]
        for name, scatter in (("porosity", pores), ("tortuosity_factor_z", paths))
    }
    return {
        "porosity_within_0.01_um": edge_for(pores, 0.01, relative=False) if pores else None,
        "tortuosity_within_5_percent_um": edge_for(paths, 0.05, relative=True) if paths else None,
        "scatter": rows,
    }


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of equal keys as CSV, whole or not at all."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["nothing"])
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)


def property_rows(properties: Properties | dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row per property: name, value, spread, unit, word, meaning."""
    plain = properties.to_json() if isinstance(properties, Properties) else properties
    columns = ("value", "spread", "unit", "word", "meaning")
    return [{"property": name, **{key: one.get(key, "") for key in columns}} for name, one in plain.items()]


@dataclass(frozen=True, slots=True)
class Files:
    """Where what was asked for goes: properties as CSV, pore network, labels, wetting curves."""

    table: Path | None = None
    network: Path | None = None
    export: Path | None = None
    wetting: Path | None = None


def write_files(voxels: Voxels, value: dict[str, Any], files: Files) -> list[str]:
    """Write what was asked for, and return the paths."""
    from mesoforge.physics.microstructure.export import export_labels
    from mesoforge.physics.microstructure.pores import pore_network
    from mesoforge.physics.microstructure.wetting import wetting

    if files.table:
        write_table(files.table, property_rows(value["properties"]))
    if files.network:
        pore_network(voxels).save(files.network)
    if files.export:
        export_labels(voxels, files.export)
    if files.wetting:
        wetting(voxels).save(files.wetting)
    return [str(path) for path in (files.table, files.network, files.export, files.wetting) if path]
