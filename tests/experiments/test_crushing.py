"""The verb ``crush``: its table, files and errors, with real LAMMPS on the smallest specimens."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mesoforge.experiments.cli import status_of

SMALL = ["crush", "--diameter", "7", "--repeats", "1"]


def test_crushing_gives_a_table_by_direction_and_files_and_finds_them_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home")]
    assert status_of([*SMALL, *home, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [row["direction"] for row in value["directions"]] == ["100", "110", "111"]
    for row in value["directions"]:
        assert row["modulus"] == pytest.approx(value["material"]["young_modulus"], rel=0.25), "thin bars are softer"
        assert row["modulus_sd"] is None
        assert 0 < row["first_break"] <= row["tensile_strength"] < row["bar_crushing_strength"]
        assert 0 < row["ball_first_break"] <= row["crushing_strength"]
    moduli = [row["modulus"] for row in value["directions"]]
    assert value["largest_over_least"]["modulus"] == pytest.approx(max(moduli) / min(moduli))
    assert Path(value["picture"]).read_bytes()[:4] == b"\x89PNG"
    with Path(value["curves"]).open(encoding="utf-8", newline="") as file:
        tests = {row["test"] for row in csv.DictReader(file)}
    assert tests == {"press", "pull", "ball"}
    assert status_of([*SMALL, *home]) == 0
    shown = capsys.readouterr().out
    assert "<110>" in shown
    assert "no bond broken below 500 MPa" in shown


def test_a_width_that_cannot_be_tested_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["crush", "--diameter", "3", "--home", str(tmp_path / "home")]) == 2
    assert "--diameter is 3 um but must be 6.42 to 51.4 um with beads of 1.284 um" in capsys.readouterr().err
