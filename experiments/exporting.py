"""An electrode in the formats of other tools: ParaView, OVITO, image viewers, tables, PyBaMM."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.experiments.home import Home
from mesoforge.experiments.report import find_electrode
from mesoforge.physics.balance import balance, consolidated
from mesoforge.physics.beads import ACTIVE, Beads, wrapped
from mesoforge.physics.manufacture import BEADS, VOXELS, identity
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.microstructure.export import export_labels
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.store import Store, digest
from mesoforge.physics.voxels import Voxels


@dataclass(frozen=True, slots=True)
class Made:
    """An electrode that was made: its recipe, its properties, and where its arrays lie."""

    name: str
    recipe: Recipe
    properties: dict[str, float]
    places: dict[str, Path]

    @property
    def voxels(self) -> Voxels:
        """The labelled image.

        Raises:
            InputError: it is no longer in the store.
        """
        return Voxels.load(self._file("measurement", VOXELS))

    @property
    def beads(self) -> Beads:
        """The beads after calendering; raises as `voxels` does."""
        return Beads.load(self._file("calendering", BEADS))

    def radii(self, beads: Beads) -> NDArray[np.float64]:
        """Return the radius of each bead [um], (n,)."""
        return beads.by_kind(self._now.particles.primary_diameter / 2, self._now.drying.cbd_diameter / 2)

    def volumes(self, beads: Beads) -> NDArray[np.float64]:
        """Return what each bead stands for [um3], (n,): the gaps of a particle are its beads' as well."""
        amounts = balance(self._now)
        return beads.by_volume(amounts.active_bead_volume, amounts.cbd_bead_volume)

    @property
    def _now(self) -> Recipe:
        """The recipe with the nanopores that are left."""
        return consolidated(self.recipe, self.properties["cbd_nanoporosity"])

    def _file(self, stage: str, name: str) -> Path:
        path = self.places[stage] / name
        if not path.is_file():
            raise InputError(
                f"electrode '{self.name}' has no '{path}' any more: make it again with 'mesoforge make' and its recipe."
            )
        return path


def find_made(name: str, home: Home) -> Made:
    """Return the electrode whose hash begins with a name.

    Raises:
        InputError: there is none, or it failed.
    """
    folder = find_electrode(name, home)
    recipe = load_recipe(folder / "recipe.yaml")
    properties = json.loads((folder / "properties.json").read_text(encoding="utf-8"))["properties"]
    store = Store(home.store)
    places = {stage: store.folder(stage, digest(own)) for stage, own in identity(recipe).items()}
    return Made(folder.name[:12], recipe, properties, places)


def _vti(made: Made, path: Path) -> None:
    """Write the voxels for ParaView: phase and particle of each cell, lengths in um."""
    import pyvista as pv

    voxels = made.voxels
    grid = pv.ImageData(dimensions=tuple(n + 1 for n in voxels.phase.shape), spacing=(voxels.edge,) * 3)
    grid.cell_data["phase"] = voxels.phase.ravel(order="F")
    grid.cell_data["particle"] = voxels.particle.ravel(order="F")
    grid.save(path)


def _vtp(made: Made, path: Path) -> None:
    """Write the beads for ParaView as points with kind, particle and radius; lengths in um."""
    import pyvista as pv

    beads = made.beads
    points = pv.PolyData(beads.position)
    points["kind"], points["particle"], points["radius"] = beads.kind, beads.particle, made.radii(beads)
    points.save(path)


def _columns(made: Made) -> tuple[Beads, NDArray[np.float64]]:
    """Return the beads, and per bead its place inside the periodic box, radius and volume, (n, 5) [um, um3]."""
    beads = made.beads
    inside = wrapped(beads.position[:, :2], beads.box[:2])
    return beads, np.column_stack([inside, beads.position[:, 2], made.radii(beads), made.volumes(beads)])


def _xyz(made: Made, path: Path) -> None:
    """Write the beads as extended XYZ; lengths in um.

    What a bead is stands in ``type``, which OVITO knows too: ASE takes words in ``species`` for chemical elements.
    """
    beads, columns = _columns(made)
    lx, ly, lz = beads.box
    head = (
        f'Lattice="{lx:.6f} 0 0 0 {ly:.6f} 0 0 0 {lz:.6f}" pbc="T T F" '
        "Properties=type:S:1:pos:R:3:radius:R:1:volume:R:1:particle:I:1"
    )
    names = np.where(beads.kind == ACTIVE, "AM", "CBD")
    rows = [
        f"{name} {x:.6f} {y:.6f} {z:.6f} {radius:.6f} {volume:.6f} {number}"
        for name, (x, y, z, radius, volume), number in zip(names, columns, beads.particle, strict=True)
    ]
    path.write_text("\n".join([str(len(beads)), head, *rows, ""]), encoding="utf-8")


def _dump(made: Made, path: Path) -> None:
    """Write the beads as a LAMMPS dump: type 1 is active material, 2 CBD; mol is the particle; lengths in um.

    The volume of a bead [um3] holds its share of the gaps in its particle: `mesoforge measure` closes them by it.
    """
    beads, columns = _columns(made)
    bounds = [f"0 {edge:.6f}" for edge in beads.box]
    head = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(beads)), "ITEM: BOX BOUNDS pp pp ff", *bounds]
    rows = [
        f"{number} {kind} {mol} {x:.6f} {y:.6f} {z:.6f} {radius:.6f} {volume:.6f}"
        for number, (kind, mol, (x, y, z, radius, volume)) in enumerate(
            zip(beads.kind, beads.particle, columns, strict=True), start=1
        )
    ]
    path.write_text("\n".join([*head, "ITEM: ATOMS id type mol x y z radius volume", *rows, ""]), encoding="utf-8")


def _tiff(made: Made, path: Path) -> None:
    """Write the phases as a stack of slices along the thickness: 0 pore, 1 active material, 2 CBD."""
    export_labels(made.voxels, path)


def _hdf5(made: Made, path: Path) -> None:
    """Write voxels, beads, properties and the recipe into one file, each with its unit."""
    import h5py

    voxels, beads = made.voxels, made.beads
    arrays: dict[str, tuple[Any, str]] = {
        "voxels/phase": (voxels.phase, "0 pore, 1 active material, 2 CBD"),
        "voxels/particle": (voxels.particle, "number of the secondary particle, else 0"),
        "beads/position": (beads.position, "um"),
        "beads/kind": (beads.kind, "1 active material, 2 CBD"),
        "beads/particle": (beads.particle, "number of the secondary particle, else 0"),
        "beads/radius": (made.radii(beads), "um"),
    }
    with h5py.File(path, "w") as file:
        file.attrs["recipe"] = json.dumps(made.recipe.model_dump(mode="json"))
        file.attrs["voxel_um"], file.attrs["box_um"] = voxels.edge, beads.box
        for name, (values, unit) in arrays.items():
            file.create_dataset(name, data=values, compression="gzip").attrs["unit"] = unit
        for name, value in made.properties.items():
            file.create_dataset(f"properties/{name}", data=value).attrs["unit"] = PROPERTIES[name].unit


def _rows(made: Made) -> Any:  # noqa: ANN401 - pandas has no types here
    import pandas as pd

    rows = [(name, value, PROPERTIES[name].unit, PROPERTIES[name].meaning) for name, value in made.properties.items()]
    return pd.DataFrame(rows, columns=["property", "value", "unit", "meaning"])


def _csv(made: Made, path: Path) -> None:
    """Write the properties with unit and meaning."""
    _rows(made).to_csv(path, index=False)


def _parquet(made: Made, path: Path) -> None:
    """Write the properties with unit and meaning."""
    _rows(made).to_parquet(path, index=False)


def _pybamm(made: Made, path: Path) -> None:
    """Write what PyBaMM needs of the electrode as JSON."""
    from mesoforge.experiments.cell import parameter_set

    path.write_text(json.dumps(parameter_set(made.properties, made.recipe, made.voxels), indent=1), encoding="utf-8")


FORMATS: Final[dict[str, tuple[str, Callable[[Made, Path], None]]]] = {
    "vti": (".vti", _vti),
    "vtp": (".vtp", _vtp),
    "xyz": (".xyz", _xyz),
    "dump": (".dump", _dump),
    "tiff": (".tif", _tiff),
    "hdf5": (".h5", _hdf5),
    "csv": (".csv", _csv),
    "parquet": (".parquet", _parquet),
    "pybamm": (".json", _pybamm),
}
"""Formats by name, with their file's ending; a new one is a function and a line here."""


def export(made: Made, name: str, path: Path | None = None) -> Path:
    """Write an electrode in one format, whole or not at all, and return the file."""
    ending, write = FORMATS[name]
    target = path or Path(f"{made.name}{ending}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".part-{target.stem}{ending}")
    try:
        write(made, part)
        return part.replace(target)
    finally:
        part.unlink(missing_ok=True)
