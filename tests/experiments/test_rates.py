"""Energy at a rate as an aim: its names, its discharge, what is kept of it, and a study that maximizes it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments import cell, drive, pool, rates, view
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.rates import property_of, rate_of, rated, rates_of
from mesoforge.experiments.tracking import TrackingError
from mesoforge.optimize.journal import Journal
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.voxels import Voxels

AIM = {"energy_at_1C": "maximize", "porosity": {"match": 0.3, "tolerance": 0.01}}
THICKNESS = 50.0


def make(values: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make an electrode of one ball, with properties in closed form."""
    grid = np.indices((24, 24, 24)) * 0.5 + 0.25
    ball = sum((axis - 6) ** 2 for axis in grid) <= 25
    folder = Path(root) / "stage"
    folder.mkdir(parents=True, exist_ok=True)
    Voxels(ball.astype(np.uint8), ball.astype(np.int32), 0.5).save(folder / "voxels.npz")
    value = toys.make(values, root)
    found = value["properties"] | {"thickness": THICKNESS, "electrode_density": 3.0, "areal_capacity": 2.0}
    return value | {"properties": found, "stages": {"measurement": str(folder)}}


def in_closed_form(told: Mapping[str, Any], wanted: Sequence[float]) -> list[dict[str, Any]]:
    """Discharge at once: less at a higher rate and a lower porosity."""
    porosity = told["parameters"]["Positive electrode porosity"]
    found = [7.5 * porosity / (1 + rate) for rate in wanted]
    return [{"rate": r, "capacity": e / 3.75, "energy": e, "curve": [[0, 1], [4, 3]]} for r, e in zip(wanted, found)]  # noqa: B905


@pytest.mark.parametrize(
    ("name", "rate", "unit"),
    [
        ("energy_at_1C", 1.0, "mWh/cm2"),
        ("energy_density_at_0.5C", 0.5, "mWh/cm3"),
        ("capacity_at_2C", 2.0, "mAh/cm2"),
        ("porosity", None, ""),
    ],
)
def test_a_name_says_its_rate_and_has_a_unit(name: str, rate: float | None, unit: str) -> None:
    about = property_of(name)
    assert about is not None
    assert (rate_of(name), about.unit) == (rate, unit)


@pytest.mark.parametrize("name", ["energy_at_1000C", "energy_at_0C", "energy_at_C", "energy_at_1c", "power_at_1C"])
def test_what_is_no_rate_is_no_property(name: str) -> None:
    assert property_of(name) is None
    with pytest.raises(InputError, match=f"objective '{name}' is not a property: use one of .*, or capacity_at_1C"):
        toys.plan(objectives={name: "maximize"})


def test_an_electrode_gets_the_rates_that_a_study_needs_and_discharges_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pybamm", reason="the extra [pybamm] is not installed")
    values = Recipe().model_dump(mode="json")
    found = rated((1.0, 4.0), make, values, str(tmp_path))["properties"]
    assert 0 < found["energy_at_4C"] < found["energy_at_1C"]
    assert 3.5 < found["energy_at_1C"] / found["capacity_at_1C"] < 4.2  # a mean voltage
    assert found["energy_density_at_1C"] == pytest.approx(found["energy_at_1C"] / (THICKNESS * 1e-4))
    monkeypatch.setattr(cell, "discharge", None)
    assert rated((1.0, 4.0), make, values, str(tmp_path))["properties"] == found
    assert len(list((tmp_path / "store" / "discharge").glob("*/curve.csv"))) == 2


def test_an_electrode_that_failed_is_not_discharged_and_a_solver_that_fails_is_a_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pybamm", reason="its version is part of the identity")
    values = Recipe().model_dump(mode="json")
    failed = rated((1.0,), toys.fall_apart_in_slurry, values, str(tmp_path))
    assert failed["stage"] == "slurry"

    def lost(*_: object) -> None:
        raise PhysicsError("not_converged", "PyBaMM at 1C: no")

    monkeypatch.setattr(cell, "discharge", lost)
    value = rated((1.0,), make, values, str(tmp_path))
    assert value == {"kind": "not_converged", "stage": "discharge", "reason": "PyBaMM at 1C: no"}


def test_a_study_maximizes_energy_at_a_rate_and_says_what_that_rests_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pybamm", reason="its version is part of the identity")

    def away(*_: object) -> None:
        raise TrackingError("MLflow is away")

    monkeypatch.setattr(view, "Tracker", away)
    monkeypatch.setattr(pool, "local_pool", lambda _: nullcontext(HerePool()))
    monkeypatch.setattr(cell, "discharge", in_closed_form)
    plan = toys.plan(
        objectives=AIM, constraints={"capacity_at_2C": {"at_least": 0.1}}, budget={"start": 3}, strategy="sobol"
    )
    home = Home(tmp_path)
    drive.drive(plan, home, lambda _: lambda _: None, lambda _: None, work=make)
    ended = [event for event in Journal(home.journal("toy")).reading().events() if event["event"] == "tell"]
    for event in ended:
        found: Any = event["properties"]
        assert found["energy_at_1C"] == pytest.approx(7.5 * found["porosity"] / 2)
        assert found["capacity_at_2C"] == pytest.approx(2 * found["porosity"] / 3)
    assert len(ended) == 3
    page = (home.study("toy") / "report.html").read_text(encoding="utf-8")
    assert "Energy at 1C" in page
    assert "those of its set Xu2019" in page


def test_without_pybamm_a_study_that_needs_it_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(rates, "version", missing)
    plan = toys.plan(objectives=AIM, budget={"start": 1})
    with pytest.raises(InputError, match=r"'energy_at_1C' needs PyBaMM.*pip install 'mesoforge\[pybamm\]'"):
        drive.drive(plan, Home(tmp_path), lambda _: lambda _: None, lambda _: None, work=make)
    assert toys.seeds_made(tmp_path) == []
    assert rates_of(["porosity"]) == ()
