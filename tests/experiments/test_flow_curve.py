"""The verb that shears a slurry, without the shearing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mesoforge.experiments import flow_curve as curves
from mesoforge.experiments.cli import status_of
from mesoforge.physics.failure import Failure
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.rheology import RATES, Flow

FLOWS = [
    Flow(rate, rate * 1.1, rate / 1e6, 40 + rate / 1e4, 1.0, 40.0, 41.0, 4e4 / rate, 0.1, rate < 5e4, 4000, 2.0)
    for rate in RATES
]


def test_the_curve_is_kept_as_table_and_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(curves, "viscosity", lambda *_: FLOWS)
    assert status_of(["viscosity", "--home", str(tmp_path), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    with Path(value["curve"]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["wanted"]) for row in rows] == list(RATES)
    assert [flow["viscosity"] for flow in value["flows"]] == [float(row["viscosity"]) for row in rows]
    assert Path(value["picture"]).read_bytes().startswith(b"\x89PNG")
    assert "still drifted" in value["notes"][-1]


def test_the_curve_is_printed_with_its_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(curves, "viscosity", lambda *_: FLOWS)
    assert status_of(["viscosity", "--home", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "41 ± 1" in printed
    assert "4 ± 0.1" in printed


def test_other_rates_are_passed_on_and_no_rate_means_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, ...]] = []

    def fail(_: Recipe, rates: tuple[float, ...], *__: object) -> Failure:
        asked.append(rates)
        return Failure("no_gap", "viscosity", "the slurry is flat")

    monkeypatch.setattr(curves, "viscosity", fail)
    assert status_of(["viscosity", "--home", str(tmp_path)]) == 1
    assert status_of(["viscosity", "--rate", "2e4", "--rate", "5e4", "--home", str(tmp_path)]) == 1
    assert asked == [RATES, (2e4, 5e4)]


def test_a_rate_out_of_reach_is_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["viscosity", "--rate", "50", "--home", str(tmp_path / "home")]) == 2
    assert "a shear rate is 50 1/s" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
