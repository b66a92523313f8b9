"""``mesoforge shapes`` as people type it: what it prints, writes, and answers to wrong input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from mesoforge.errors import InputError
from mesoforge.experiments.cli import status_of
from mesoforge.experiments.study import load_study


def blobs() -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(7).normal(size=(50, 46, 48)), 2.5)
    return np.where(field > np.quantile(field, 0.6), 170, 40).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a stack and the library that was extracted from it."""
    home = tmp_path_factory.mktemp("shapes")
    tifffile.imwrite(home / "stack.tif", blobs(), photometric="minisblack")
    words = f"shapes extract {home}/stack.tif --voxel-size 0.5 --denoise none --min-voxels 60 -o {home}/blobs.h5"
    assert status_of(words.split()) == 0
    return home


def test_extract_writes_a_library_and_a_picture_and_prints_what_was_dropped(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"shapes extract {folder}/stack.tif --voxel-size 0.5 --label 170 --min-voxels 60 -o {folder}/again.h5"
    assert status_of([*words.split(), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["particles"] > 10
    assert value["cut_off"] > 0
    assert (folder / "again_slices.png").read_bytes()[:4] == b"\x89PNG"
    assert (
        value["figures"]["diameter"]["p10"] < value["figures"]["diameter"]["p50"] < value["diameter_by_volume"]["p50"]
    )
    assert value["extraction"]["neck"] == 0.9


def test_inspect_prints_a_table_and_draws_a_figure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["shapes", "inspect", str(folder / "blobs.h5")]) == 0
    came = capsys.readouterr().out
    for words in (
        "particles have a solidity below 0.85: look whether they are pairs",
        "Krumbein sphericity",
        "diameter by volume",
        "touching particles",
        "stack.tif",
    ):
        assert words in came
    assert (folder / "blobs.png").read_bytes()[:4] == b"\x89PNG"


WRONG = {
    "shape": ("extract {0}/stack.tif --shape 5x6 -o {0}/x.h5", "--shape is '5x6' but must be three whole numbers"),
    "sizes": (
        "extract {0}/stack.tif --voxel-size 1 --voxel-size 1 -o {0}/x.h5",
        "--voxel-size is given 2 times but once, or once per axis, is due",
    ),
    "no_size": ("extract {0}/stack.tif -o {0}/x.h5", "does not say how large a voxel is"),
    "no_library": ("inspect {0}/none.h5", "there is no particle library"),
    "no_hdf5": ("inspect {0}/stack.tif", "is no whole particle library"),
}


@pytest.mark.parametrize(("command", "words"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_one_sentence_and_exit_status_2(
    folder: Path, command: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["shapes", *command.format(folder).split()]) == 2
    came = capsys.readouterr().err
    assert words in came
    assert came.count("\n") == 1


def test_the_example_of_real_particles_is_sound_where_its_library_lies_beside_it(folder: Path, tmp_path: Path) -> None:
    shutil.copy(Path(__file__).resolve().parents[2] / "examples" / "real_particles.yaml", tmp_path)
    with pytest.raises(InputError, match=r"there is no particle library '.*nmc\.h5': make one with"):
        load_study(tmp_path / "real_particles.yaml", "optimize", {})
    shutil.copy(folder / "blobs.h5", tmp_path / "nmc.h5")
    plan = load_study(tmp_path / "real_particles.yaml", "optimize", {})
    assert plan.base.shapes == str(tmp_path / "nmc.h5")


def test_a_recipe_is_printed_with_its_library_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["recipe"]) == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if "shapes:" in one)
    assert line.startswith("# shapes:  # Library of real particles")


def test_beads_prints_a_price_for_each_pitch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["shapes", "beads", str(folder / "blobs.h5"), "--pitch", "1.0", "--pitch", "0.7", "--json"]) == 0
    coarse, fine = json.loads(capsys.readouterr().out)["prices"]
    assert (coarse["pitch"], fine["pitch"]) == (1.0, 0.7)
    assert fine["total"] > 2 * coarse["total"]
    assert status_of(["shapes", "beads", str(folder / "blobs.h5")]) == 0
    assert "misplaced" in capsys.readouterr().out


def test_generate_and_compare_say_how_alike_two_libraries_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = folder / "made.h5"
    assert status_of(["shapes", "generate", "-o", str(made), "--count", "12", "--voxel-size", "0.8"]) == 0
    assert made.with_suffix(".png").exists()
    capsys.readouterr()
    words = ["shapes", "compare", str(folder / "blobs.h5"), str(made), "-o", str(folder / "like.png")]
    assert status_of([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["distances"]["diameter"]["ks"] > 0.3
    assert Path(found["picture"]).exists()
    assert status_of(words) == 0
    assert "solidity" in capsys.readouterr().out


def test_stamp_without_a_library_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["shapes", "stamp", "--home", str(tmp_path / "home")]) == 2
    assert "the recipe names no library of particles to stamp: add 'shapes: nmc.h5'." in capsys.readouterr().err
