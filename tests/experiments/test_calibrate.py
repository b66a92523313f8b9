"""The verb that calibrates: its file, a run on real LAMMPS, its force field, and what it refuses."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mesoforge.errors import InputError
from mesoforge.experiments import calibrating
from mesoforge.experiments import pool as pools
from mesoforge.experiments.calibration import load_calibration
from mesoforge.experiments.calibration_result import errors, too_few_points
from mesoforge.experiments.cli import status_of
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import HerePool
from mesoforge.physics.balance import MG_PER_CM2, balance
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.store import Store

SMALL = {"volume": {"side": 8, "mass_loading": 1.5}}
ROWS = [
    {"name": f"{share:.0%}", "property": "slurry_density", "value": value, "sd": 0.01,
     "conditions": {"formulation.active_material": share, "formulation.solids_content": solids}}
    for share, solids, value in ((0.94, 0.65, 2.03), (0.96, 0.679, 2.14))
]  # fmt: skip
TABLE = "share,solids,gap,before,height,after\n0.94,60,44,0.487,138,0.284\n0.94,69,100,0.461,178,0.301\n"


def written(folder: Path, **changes: Any) -> Path:  # noqa: ANN401 - any key of the file
    said: dict[str, Any] = {
        "name": "slurry",
        "recipe": SMALL,
        "parameters": {"force_field.slurry_bead_factor": {"low": 0.7, "high": 0.9}},
        "measured": ROWS,
        "budget": {"start": 3, "proposed": 1},
    }
    path = folder / "calibration.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in (said | changes).items() if v is not None}), encoding="utf-8")
    return path


def tabled(folder: Path, **changes: Any) -> Path:  # noqa: ANN401 - any key of the table
    (folder / "rows.csv").write_text(TABLE, encoding="utf-8")
    table: dict[str, Any] = {
        "file": "rows.csv",
        "property": "porosity_bulk",
        "value": "after",
        "sd": 0.01,
        "columns": {
            "formulation.active_material": "share",
            "formulation.solids_content": {"column": "solids", "times": 0.01},
            "calendering.gap": "gap",
        },
        "coating": {"thickness": "height", "porosity": "before"},
        "label": ["solids", "gap"],
    }
    return written(folder, measured=None, table=table | changes)


def test_a_table_becomes_rows_with_the_whole_coatings_mass(tmp_path: Path) -> None:
    plan = load_calibration(tabled(tmp_path), {})
    first = plan.rows[0]
    assert (first.name, first.value) == ("solids 60, gap 44", 0.284)
    assert first.conditions["formulation.solids_content"] == pytest.approx(0.6)
    recipe = plan.recipes({"force_field.slurry_bead_factor": 0.8})[0][0]
    amounts = balance(recipe)
    density = (amounts.active_mass + amounts.cbd_mass) / amounts.solid_volume
    assert recipe.calendering.mass_loading == pytest.approx(138 * (1 - 0.487) * density / MG_PER_CM2)
    assert recipe.calendering.gap == 44


def test_all_sets_share_their_seeds_and_a_confirmation_has_others(tmp_path: Path) -> None:
    plan = load_calibration(written(tmp_path, seeds=3, seed=5), {})
    values = {"force_field.slurry_bead_factor": 0.8}
    assert [one.seed for one in plan.recipes(values)[0]] == [5, 6, 7]
    assert [one.seed for one in plan.recipes(values, fresh=True)[1]] == [8, 9, 10]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"measured": None}, "no measured row is left to fit to"),
        ({"measured": [ROWS[0], ROWS[0]]}, "two measured rows are called '94%'"),
        ({"hold_out": ["98%"]}, "hold_out names '98%', but the rows are 94%, 96%"),
        ({"hold_out": ["94%", "96%"]}, "no measured row is left to fit to"),
        ({"measured": [ROWS[0] | {"property": "colour"}]}, "'colour' is not a property"),
        ({"measured": [ROWS[0] | {"sd": 0}]}, "sd' is 0 but must be greater than 0"),
        ({"measured": [ROWS[0] | {"conditions": {"formulation.solids_content": 2}}]}, "row '94%' is no recipe"),
        ({"parameters": {"force_field.slurry_bead_factor": {"low": 0.4, "high": 0.9}}}, r"slurry_bead_factor 0\.4"),
        ({"parameters": {"force_field.stickiness": {"low": 0, "high": 1}}}, "stickiness"),
        ({"parameters": {"seed": {"low": 1, "high": 9}}}, "'seed' cannot be a parameter"),
        ({"parameters": {}}, "no variable came"),
        (
            {"parameters": {"particles.bonded": {"choices": [True, False]}}},
            "the parameters have 2 sets of values in all",
        ),
        ({"budget": {"start": 2}}, "start is 2, but at least 3 was due"),
        ({"budget": {"confirmations": 2}}, "'confirmations' is not known"),
        ({"name": "a/b"}, "The study's name came as 'a/b'"),
        ({"colour": "red"}, "'colour' is not a known key"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_calibration(written(tmp_path, **changes), {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file": "absent.csv"}, r"cannot read '.*absent\.csv'"),
        ({"value": "porosity"}, "there is no column 'porosity': use one of share, solids"),
        ({"sd": "gap", "value": "share", "label": ["gap"], "columns": {"seed": "before"}}, "is no recipe"),
    ],
    ids=["absent", "column", "seed"],
)
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_calibration(tabled(tmp_path, **changes), {})


def test_real_slurries_are_calibrated_and_the_force_field_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, home = written(tmp_path), tmp_path / "home"
    assert status_of(["calibrate", str(path), "--home", str(home), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sets"], found["failed"]) == (4, [])
    factor = found["parameters"][0]["value"]
    assert 0.72 < factor < 0.85
    assert abs(found["rows"][0]["fit"] / 2.03 - 1) < 0.03
    said = yaml.safe_load(Path(found["force_field"]).read_text(encoding="utf-8"))["slurry_bead_factor"]
    assert said["basis"] == "fitted"
    assert "2 measured rows (slurry), 1 seed(s)" in said["source"]
    (tmp_path / "use.yaml").write_text(f"force_field: {found['force_field']}\n", encoding="utf-8")
    assert load_recipe(tmp_path / "use.yaml").force_field.slurry_bead_factor == pytest.approx(factor, rel=1e-4)
    for name in ("fit.png", "posterior.png", "posterior.csv", "result.json"):
        assert (Path(found["folder"]) / name).stat().st_size > 100, name
    draws = np.loadtxt(Path(found["folder"]) / "posterior.csv", skiprows=1)
    assert found["parameters"][0]["low95"] - 0.02 < draws.mean() < found["parameters"][0]["high95"] + 0.02
    before = (Path(found["folder"]) / "journal.jsonl").read_text(encoding="utf-8")
    assert status_of(["calibrate", str(path), "--home", str(home)]) == 0
    assert (Path(found["folder"]) / "journal.jsonl").read_text(encoding="utf-8") == before, "nothing runs twice"
    printed = " ".join(capsys.readouterr().out.split())
    assert "slurry: 4 sets of parameters, 1 seed per row" in printed
    assert "each row foretold from the others" in printed


def test_a_property_is_taken_from_the_first_stage_that_has_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    found = calibrating.property_of(Recipe().with_values({"volume.side": 8, "volume.mass_loading": 1.5}),
                                    "secondary_particles", store)  # fmt: skip
    assert isinstance(found, calibrating.Found)
    assert found.value > 1
    assert store.folder("packing", found.stage).is_dir()
    assert not (store.root / "slurry").exists()


def test_sets_that_fail_are_named_and_too_few_are_failed_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> dict[str, Any]:
        return {"kind": "unstable", "stage": "slurry", "reason": "a bead flew off"}

    monkeypatch.setattr(calibrating, "simulate_rows", broken)
    plan = load_calibration(written(tmp_path), {})
    found = calibrating.calibrate(plan, Home(tmp_path / "home"), HerePool(), lambda *_: None, lambda _: None)
    assert (found["measured"], len(found["failed"])) == (0, 4)
    assert found["failed"][0]["reason"] == "a bead flew off"


def test_a_calibration_has_a_report_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def in_closed_form(recipes: Any, *_: object) -> dict[str, Any]:  # noqa: ANN401 - recipes by row and seed
        factors = [Recipe.from_mapping(seeds[0]).force_field.slurry_bead_factor for seeds in recipes]
        return {"mean": [2.03 + 0.8 - factors[0], 2.14 + 0.8 - factors[1]], "spread": [0.005] * 2, "wall_s": 1.0}

    monkeypatch.setattr(calibrating, "simulate_rows", in_closed_form)
    monkeypatch.setattr(pools, "local_pool", lambda _: nullcontext(HerePool()))
    home = tmp_path / "home"
    assert status_of(["calibrate", str(written(tmp_path)), "--home", str(home), "--json"]) == 0
    assert status_of(["report", "slurry", "-o", str(tmp_path / "page.html"), "--home", str(home)]) == 0
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.findall(r"<h2[^>]*>([^<]+)</h2>", text)[:2] == ["Fitted parameters", "Measured and simulated"]
    assert text.count("<img ") == 2
    assert "<code>force_field.slurry_bead_factor</code>" in text
    assert "mesoforge make --set force_field=force_field.yaml" in text
    assert re.findall(r'(?:src|href)="(?!data:|#)', text) == []


def test_errors_are_told_beside_that_of_the_mean() -> None:
    rows = [
        {"property": "porosity", "measured": m, "fit": m + 0.01, "foretold": m - 0.02, "held_out": held}
        for m, held in ((0.3, False), (0.2, False), (0.25, True))
    ]
    found = errors(rows)["porosity"]
    assert found == pytest.approx({"fit": 0.01, "foretold": 0.02, "mean": 0.1, "held_out": 0.02})


def test_a_posterior_of_few_points_is_not_passed_off_as_one_of_many() -> None:
    assert "rests on 7 effective points" in str(too_few_points({"effective_points": 7.4}))
    assert too_few_points({"effective_points": 1000.0}) is None
    assert too_few_points({}) is None, "a result of an earlier version has no count"


def test_the_example_is_sound() -> None:
    path = Path(__file__).resolve().parents[2] / "examples" / "calibrate_slurry.yaml"
    plan = load_calibration(path, {})
    assert plan.problem.space.names == ("force_field.slurry_bead_factor", "force_field.slurry_well_depth")
    assert len(plan.rows) == 2
