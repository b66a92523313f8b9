"""Exports: what other tools read back is what was made; PyBaMM takes the parameters and discharges the electrode."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments import cell
from mesoforge.experiments.cli import status_of
from mesoforge.experiments.export_cli import NAMES
from mesoforge.experiments.exporting import FORMATS, Made, export
from mesoforge.physics.beads import Beads
from mesoforge.physics.microstructure.bead_images import read_beads
from mesoforge.physics.microstructure.image_files import Reading
from mesoforge.physics.packing import pack
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.voxels import Voxels, voxelise

BOX = np.array([6.0, 6.0, 12.0])
GRID = [(x + 0.03, y + 0.07) for x in (2, 6, 10) for y in (2, 6, 10)]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Return an electrode of one ball of 4 um and two beads, one of them beyond a periodic side."""
    grid = np.indices((24, 24, 48)) * 0.25 + 0.125
    ball = sum((axis - centre) ** 2 for axis, centre in zip(grid, (3, 3, 6), strict=True)) <= 4
    phase, particle = ball.astype(np.uint8), ball.astype(np.int32)
    phase[0, 0, :5] = 2
    Voxels(phase, particle, 0.25).save(tmp_path / "voxels.npz")
    position = np.array([[1.0, 2.0, 3.0], [7.5, -1.0, 4.0]])
    Beads(position, np.array([1, 2], np.int32), np.array([1, 0], np.int32), BOX).save(tmp_path / "beads.npz")
    recipe = Recipe()
    properties = toys.properties(recipe) | {
        "porosity": 0.3, "tortuosity_factor_z": 2.5, "thickness": 12.0, "electrode_density": 3.0, "areal_capacity": 0.5,
        "cbd_nanoporosity": recipe.drying.cbd_nanoporosity, "active_surface": 0.4,
    }  # fmt: skip
    return Made("toy", recipe, properties, dict.fromkeys(("measurement", "calendering"), tmp_path))


def test_the_command_offers_every_format() -> None:
    assert tuple(FORMATS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_format_is_written_whole_to_a_file_of_its_ending(name: str, made: Made, tmp_path: Path) -> None:
    path = export(made, name, tmp_path / "out" / f"electrode{FORMATS[name][0]}")
    assert path.stat().st_size > 0
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_paraview_reads_what_was_made(made: Made, tmp_path: Path) -> None:
    import pyvista as pv

    grid = pv.read(export(made, "vti", tmp_path / "a.vti"))
    assert np.array_equal(grid.cell_data["phase"].reshape(made.voxels.phase.shape, order="F"), made.voxels.phase)
    assert grid.bounds == pytest.approx((0, 6, 0, 6, 0, 12))
    beads = pv.read(export(made, "vtp", tmp_path / "a.vtp"))
    assert np.allclose(beads.points, made.beads.position)
    assert np.asarray(beads["radius"]) == pytest.approx([1.284 / 2, 1.3 / 2])


def test_texts_of_beads_hold_places_inside_the_periodic_box(made: Made, tmp_path: Path) -> None:
    lines = export(made, "xyz", tmp_path / "a.xyz").read_text().splitlines()
    assert lines[0] == "2"
    assert 'pbc="T T F"' in lines[1]
    assert lines[3] == f"CBD 1.500000 5.000000 4.000000 0.650000 {made.volumes(made.beads)[1]:.6f} 0"
    rows = export(made, "dump", tmp_path / "a.dump").read_text().splitlines()
    assert rows[4:8] == ["ITEM: BOX BOUNDS pp pp ff", "0 6.000000", "0 6.000000", "0 12.000000"]
    assert rows[-1].rpartition(" ")[0] == "2 2 0 1.500000 5.000000 4.000000 0.650000"


def test_ase_reads_beads_with_box_and_radii(made: Made, tmp_path: Path) -> None:
    from ase.io import read

    wrapped = [[1.0, 2.0, 3.0], [1.5, 5.0, 4.0]]
    for name, kind in (("dump", "lammps-dump-text"), ("xyz", "extxyz")):
        atoms: Any = read(export(made, name, tmp_path / f"a.{name}"), format=kind)
        assert atoms.positions == pytest.approx(np.array(wrapped))
        assert atoms.cell.lengths() == pytest.approx(BOX)
        assert atoms.pbc.tolist() == [True, True, False]
    assert atoms.arrays["type"].tolist() == ["AM", "CBD"]
    assert atoms.arrays["radius"] == pytest.approx([0.642, 0.65])
    assert atoms.arrays["particle"].tolist() == [1, 0]


def test_a_stack_tells_image_viewers_the_size_of_its_voxels(made: Made, tmp_path: Path) -> None:
    from tifffile import TiffFile

    with TiffFile(export(made, "tiff", tmp_path / "a.tif")) as stack:
        assert np.array_equal(stack.asarray(), np.moveaxis(made.voxels.phase, 2, 0))
        assert stack.imagej_metadata is not None
        assert (stack.imagej_metadata["spacing"], stack.imagej_metadata["unit"]) == (0.25, "um")
        across, of = stack.pages.first.tags["XResolution"].value
        assert across / of == pytest.approx(4)


def test_ovito_reads_beads_with_box_and_radii(made: Made, tmp_path: Path) -> None:
    ovito = pytest.importorskip("ovito.io", reason="OVITO brings Qt, 200 MB: it is looked at where it is installed")
    for name in ("xyz", "dump"):
        data = ovito.import_file(str(export(made, name, tmp_path / f"a.{name}"))).compute()
        assert data.particles.positions[...] == pytest.approx(np.array([[1.0, 2.0, 3.0], [1.5, 5.0, 4.0]]))
        assert data.particles["Radius"][...] == pytest.approx([0.642, 0.65])
        assert data.particles["Particle Type"][...].tolist() == [1, 2]
        assert np.asarray(data.cell[...])[:, :3] == pytest.approx(np.diag(BOX))
        assert data.cell.pbc == (True, True, False)


def test_tables_and_hdf5_have_units(made: Made, tmp_path: Path) -> None:
    import h5py
    import pandas as pd

    csv = pd.read_csv(export(made, "csv", tmp_path / "a.csv")).set_index("property")
    parquet = pd.read_parquet(export(made, "parquet", tmp_path / "a.parquet")).set_index("property")
    assert csv.loc["thickness", "unit"] == parquet.loc["thickness", "unit"] == "um"
    assert csv.loc["porosity", "value"] == parquet.loc["porosity", "value"] == 0.3
    with h5py.File(export(made, "hdf5", tmp_path / "a.h5")) as file:
        assert np.array_equal(file["voxels/phase"][:], made.voxels.phase)
        assert file["properties/thickness"].attrs["unit"] == "um"
        assert Recipe.from_mapping(json.loads(file.attrs["recipe"])) == made.recipe


def test_parameters_follow_from_properties(made: Made) -> None:
    told = cell.parameter_set(made.properties, made.recipe, made.voxels)["parameters"]
    exponent = told["Positive electrode Bruggeman coefficient (electrolyte)"]
    assert 0.3**exponent == pytest.approx(0.3 / 2.5)
    assert told["Positive electrode thickness [m]"] == pytest.approx(12e-6)
    assert told["Positive particle radius [m]"] == pytest.approx(2e-6, rel=0.02)
    density = made.recipe.materials.active.density
    assert told["Positive electrode active material volume fraction"] == pytest.approx(3.0 * 0.96 / density)
    assert told["Nominal cell capacity [A.h]"] == pytest.approx(0.5e-3)


def test_the_sauter_radius_is_that_of_equal_balls_and_needs_particles(made: Made) -> None:
    nothing = Voxels(made.voxels.phase, np.zeros_like(made.voxels.particle), 0.25)
    assert cell.sauter_radius(made.voxels) == pytest.approx(2.0, rel=0.02)
    with pytest.raises(InputError, match="are not told apart, so they have no radius"):
        cell.sauter_radius(nothing)


def test_an_electrode_whose_arrays_are_gone_says_what_to_do(made: Made, tmp_path: Path) -> None:
    (tmp_path / "beads.npz").unlink()
    with pytest.raises(InputError, match="make it again with 'mesoforge make' and its recipe"):
        export(made, "xyz", tmp_path / "a.xyz")


def test_a_rate_of_nothing_is_refused_before_pybamm_loads() -> None:
    with pytest.raises(InputError, match=r"a rate is 0 but must be between 0\.01 and 100"):
        cell.discharge({}, [1.0, 0.0])


@pytest.mark.filterwarnings("ignore")  # PyBaMM's own and those of what it imports
def test_pybamm_takes_the_parameters_and_gets_less_at_a_higher_rate(made: Made, tmp_path: Path) -> None:
    pybamm = pytest.importorskip("pybamm", reason="the extra [pybamm] is not installed")
    told = cell.parameter_set(made.properties, made.recipe, made.voxels)
    values = cell.parameter_values(told)
    assert {name: values[name] for name in told["parameters"]} == told["parameters"]
    slow, fast = cell.discharge(told, [0.1, 5])
    assert fast["capacity"] < slow["capacity"]
    assert slow["energy"] == pytest.approx(slow["capacity"] * slow["mean_voltage"])
    assert 3.5 < fast["mean_voltage"] < slow["mean_voltage"] < 4.2
    ends = [pybamm.lithium_ion.get_initial_stoichiometry_half_cell(soc, values)["x"] for soc in (0.0, 1.0)]
    assert ends[0] - ends[1] == pytest.approx(cell.USED, abs=1e-4)
    volume = 12e-4 * told["parameters"]["Positive electrode active material volume fraction"]  # cm3 a cm2
    material = made.recipe.materials.active
    assert slow["capacity"] == pytest.approx(155.0 * material.density * volume, rel=0.03)
    assert math.isclose(slow["curve"][1][-1], 3.5, abs_tol=0.01)
    assert cell.rate_chart([slow, fast], tmp_path / "rates.png").is_file()


@pytest.mark.parametrize("name", ["dump", "xyz"])
def test_beads_that_were_exported_are_measured_as_the_electrode_was(name: str, tmp_path: Path) -> None:
    recipe = Recipe().with_values({"volume.side": 10, "volume.mass_loading": 2.5, "numerics.voxel": 0.5})
    beads = pack(recipe)
    voxels = voxelise(beads, recipe)
    beads.save(tmp_path / "beads.npz")
    voxels.save(tmp_path / "voxels.npz")
    properties = toys.properties(recipe) | {"cbd_nanoporosity": recipe.drying.cbd_nanoporosity}
    there = Made("toy", recipe, properties, dict.fromkeys(("measurement", "calendering"), tmp_path))
    again = read_beads(export(there, name, tmp_path / f"a.{name}"), Reading(voxel=0.5))
    assert (again.periodic, again.whole) == (voxels.periodic, voxels.whole)
    assert again.edge == pytest.approx(voxels.edge, rel=1e-6)
    assert np.mean(again.phase != voxels.phase) < 1e-3  # places are written with six digits
    counts = [np.bincount(one.phase.ravel(), minlength=3) for one in (voxels, again)]
    assert np.abs(counts[0] - counts[1]).max() <= 1
    assert np.mean(again.particle != voxels.particle) < 1e-3


def test_the_command_measures_beads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "elsewhere.lammpstrj"
    rows = [f"{n} {1 + (n > 6)} {x} {y} 4.1 {1.9 if n <= 6 else 0.8}" for n, (x, y) in enumerate(GRID, start=1)]
    head = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", str(len(rows)), "ITEM: BOX BOUNDS pp pp pp", *["0 12"] * 3]
    path.write_text("\n".join([*head, "ITEM: ATOMS id type x y z radius", *rows, ""]), encoding="utf-8")
    words = ["measure", str(path), "--types", "1=active,2=cbd", "--voxel", "0.4", "--only", "phases", "--json"]
    assert status_of([*words, "--nanoporosity", "0", "--home", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)["properties"]
    solid = sum(4 / 3 * math.pi * radius**3 for radius in [1.9] * 6 + [0.8] * 3) / 12**3
    assert found["porosity_resolved"]["value"] == pytest.approx(1 - solid, abs=2e-3)
    assert status_of(["measure", str(path), "--types", "1:active", "--voxel", "0.4"]) == 2
    assert "--types is '1:active' but must be like 1=active,2=cbd" in capsys.readouterr().err
