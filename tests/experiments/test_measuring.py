"""``mesoforge measure`` and ``mesoforge compare``: what they print, write and refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mesoforge.experiments.cli import status_of
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.voxels import Voxels


@pytest.fixture(scope="module")
def tomogram(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an image of smoothed noise in three phases, thickness first."""
    noise = gaussian_filter(np.random.default_rng(1).normal(size=(24, 30, 28)), 2.0)
    image = np.digitize(noise, np.quantile(noise, [0.4, 0.9])).astype(np.uint8)
    path = tmp_path_factory.mktemp("images") / "tomogram.npz"
    np.savez(path, image=image, voxel_um=0.4)
    return path


def mesoforge(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """Run a command and return its JSON."""
    assert status_of([str(word) for word in (*words, "--json")]) == 0
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def test_an_image_is_measured_from_end_to_end(
    tomogram: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "--csv": tmp_path / "p.csv",
        "--network": tmp_path / "n.npz",
        "--export": tmp_path / "e.raw",
        "--wetting": tmp_path / "w.csv",
    }
    words = [word for pair in files.items() for word in pair]
    asked = ("--subvolumes", 2, "--richardson", "--representative", "--taufactor")
    found = mesoforge(capsys, "measure", tomogram, "--thickness-axis", 0, *asked, *words)
    assert found["voxels"] == [30, 28, 24]
    assert found["size_um"] == pytest.approx([12.0, 11.2, 9.6])
    assert set(found["properties"]) <= set(PROPERTIES)
    tau = found["properties"]["tortuosity_factor_z"]
    assert tau["value"] > 1
    assert tau["spread"] > 0
    assert found["richardson"]["tortuosity_factor_z"] > 1
    assert found["taufactor"]["tortuosity_factor_z"] == pytest.approx(
        tau["value"], rel=0.08
    )  # a voxel outside each face
    assert found["representative"]["porosity_within_0.01_um"] > 0
    with files["--csv"].open(encoding="utf-8", newline="") as file:
        rows = {row["property"]: row for row in csv.DictReader(file)}
    assert float(rows["tortuosity_factor_z"]["value"]) == tau["value"]
    assert rows["particle_count"]["word"] == "particles are not told apart in this image"
    assert files["--wetting"].read_text(encoding="utf-8").count("drainage") > 3
    assert len(files["--export"].read_bytes()) == 30 * 28 * 24
    with np.load(files["--network"]) as network:
        assert {"pore.coords", "throat.conns", "pore.equivalent_diameter"} <= set(network.files)


def test_an_image_is_shown_to_people_with_words_for_what_is_missing(
    tomogram: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["measure", str(tomogram), "--only", "phases,particles", "--nanoporosity", "0"]
    assert status_of(words) == 0
    shown = capsys.readouterr().out
    assert "porosity_voxels" in shown
    assert "no value" in shown
    assert "voxels of 0.4 um" in shown


def test_an_electrode_is_found_by_the_first_letters_of_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "ab12" + "0" * 60
    folder, portrait = tmp_path / "store" / "measurement" / name, tmp_path / "portraits" / name[:24]
    folder.mkdir(parents=True)
    portrait.mkdir(parents=True)
    phase = np.random.default_rng(1).integers(0, 3, (12, 12, 14)).astype(np.uint8)
    Voxels(phase, (phase == 1).astype(np.int32), 0.4).save(folder / "voxels.npz")
    known = {"properties": {"cbd_nanoporosity": 0.3}, "notes": []}
    (portrait / "properties.json").write_text(json.dumps(known), encoding="utf-8")
    found = mesoforge(capsys, "measure", "ab12", "--home", tmp_path, "--only", "phases")
    assert found["name"] == "electrode ab1200000000"
    assert found["nanoporosity"] == 0.3
    assert found["periodic"] == [True, True, False]
    assert mesoforge(capsys, "measure", folder, "--only", "phases")["voxels"] == [12, 12, 14]


def test_an_electrode_stands_beside_a_tomogram(
    tomogram: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--thickness-axis", 0, "--subvolumes", 3, "--out", tmp_path / "out")
    found = mesoforge(capsys, "compare", tomogram, tomogram, *words)
    assert [Path(path).name for path in found["files"]] == ["comparison.csv", "comparison.png"]
    assert all(Path(path).stat().st_size > 100 for path in found["files"])
    assert {row["property"] for row in found["rows"]} >= {"pores", "tortuosity_factor_z", "specific_surface"}
    assert status_of(["compare", str(tomogram), str(tomogram), *map(str, words)]) == 0
    assert "in sd" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["measure", "nothing"], "'nothing' was to be measured but there is neither a file nor an electrode of it"),
        (["measure", "away.npz"], "there is no stack 'away.npz'"),
        (["measure", "IMAGE", "--only", "beauty"], "'beauty' is no measure: use one of phases"),
        (["measure", "IMAGE", "--labels", "pore"], "--labels is 'pore' but must be like 0=pore,1=active,2=cbd"),
        (["measure", "IMAGE", "--labels", "0=pore,1=active"], "labels 2 are in the image but only 0, 1 have a meaning"),
        (["measure", "IMAGE", "--subvolumes", "9"], "9 by 9 sub-volumes of 24 x 30 voxels were asked for"),
        (["measure", "IMAGE", "--voxel", "0.4,0.4,1"], "--voxel is '0.4,0.4,1' but voxels must be cubes: resample"),
        (["measure", "IMAGE", "--voxel", "small"], "--voxel is 'small' but must be a length in um"),
        (["compare", "IMAGE", "away.tif"], "there is no stack 'away.tif'"),
    ],
    ids=[
        "nothing",
        "no file",
        "no measure",
        "no meaning",
        "unknown label",
        "too narrow",
        "no cube",
        "no length",
        "no tomogram",
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(
    words: list[str], said: str, tomogram: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(tomogram) if word == "IMAGE" else word for word in words]
    assert status_of([*given, "--home", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert said in told.replace("\n", " ")
