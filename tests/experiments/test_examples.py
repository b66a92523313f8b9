"""The examples for notebooks run from their first cell to the last, on a toy factory and a tiny budget."""

from __future__ import annotations

import functools
import runpy
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import toys

from mesoforge.experiments import calibrating, view
from mesoforge.experiments import drive as driving
from mesoforge.experiments import pool as pools
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.tracking import TrackingError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder beside the examples, with toys in place of LAMMPS and MLflow."""

    def away(*_: object) -> None:
        raise TrackingError("MLflow is away")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.setattr(view, "Tracker", away)
    monkeypatch.setattr(driving, "drive", functools.partial(driving.drive, work=toys.make))
    monkeypatch.setattr(pools, "local_pool", lambda *_: nullcontext(HerePool()))
    row = {"mean": [2.03, 2.1], "spread": [0.01] * 2, "wall_s": 1}
    monkeypatch.setattr(calibrating, "simulate_rows", lambda *_: row)
    for name, value in (("BUDGET", "3+1+1"), ("SETS", "3+0"), ("MAKE", "no")):
        monkeypatch.setenv(f"MESOFORGE_{name}", value)
    return tmp_path


def run(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / name))


def test_a_study_is_run_and_then_reviewed(here: Path) -> None:
    told = run("multi_objective.py")
    assert repr(told["study"]) == "Study quickstart: 5 measured, 0 failed"
    assert set(told["best"]) == set(told["study"].plan.problem.space.names)
    assert told["foretold"]["properties"]["porosity"]["low"] < 0.55 - 0.12 * 1.778 + 0.1
    assert "<td style='text-align:left'>trial-000" in told["study"]._repr_html_()
    assert len(told["study"].trials()) == 5
    reviewed = run("dashboard_review.py")["study"]
    assert reviewed.found == told["study"].found
    assert {path.name for path in here.glob("*.html")} == {"quickstart.html", "review.html"}


def test_a_calibration_is_run_and_used(here: Path) -> None:
    told = run("calibration.py")
    assert told["found"]["sets"] == 3
    assert "force_field.slurry_bead_factor" in told["recipe"].changed
