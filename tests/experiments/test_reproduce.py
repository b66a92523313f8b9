"""The paper's plan and page: recipes, interpolations, honest blanks, and a run over stand-ins for the physics."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mesoforge.experiments import reproduce_cli, reproducing
from mesoforge.experiments.claims import NOT_GIVEN, Rows, claims, cost, large, number, peak, reaching, spread
from mesoforge.experiments.cli import app
from mesoforge.experiments.home import Home
from mesoforge.experiments.paper import (
    COMPRESSIONS,
    IMPOSED,
    IMPOSED_BONDED,
    PREDICTED,
    PREDICTED_BONDED,
    PRESSED,
    PRESSURES,
    Scope,
    base_recipe,
    plan,
)
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.reproduction_page import write
from mesoforge.physics.balance import balance
from mesoforge.physics.recipe import load_recipe

EXAMPLES = Path(__file__).parents[2] / "examples"


def state(porosity: float, radius: float) -> dict[str, Any]:
    """Return a measured state with two pores above the resolution and one below."""
    return {
        "thickness": 40.0,
        "numbers": {"tortuosity_factor_z": 1 / porosity, "porosity_voxels": porosity, "surface_sa": radius,
                    "collector_sa": radius, "orientation_order": 0.0, "heterogeneity_active_material": 0.2},
        "profile": {"height": [5.0, 15.0, 25.0, 35.0], "active_material": [0.2, 0.5, 0.5, 0.2],
                    "cbd": [0.1] * 4, "pore": [0.7, 0.4, 0.4, 0.7]},
        "pores": {"radius": [0.5, radius, radius], "inscribed": [0.3, 1.0, 1.2],
                  "height": [10.0, 20.0, 30.0], "coordination": [1, 4, 6],
                  "throat_radius": [0.4, 1.2, 1.4]},
        "snow": {"radius": [0.5, 2.0], "inscribed": [0.3, 1.0], "height": [10.0, 20.0], "coordination": [1, 4],
                 "throat_radius": [1.2]},
        "krumbein": [0.72, 0.74, 0.9],
        "angle_to_z": [10.0, 50.0, 80.0],
    }  # fmt: skip


def electrode(formulation: str, route: str, level: float, seed: int, porosity: float) -> dict[str, Any]:
    """Return what a worker would hand back of an electrode that came out with a porosity."""
    properties = {
        "porosity": porosity, "porosity_under_load": porosity - 0.02, "dried_porosity": 0.5,
        "compression_under_load": 0.3, "compression_after_release": 0.28, "calendering_pressure": 100.0,
        "slurry_density": 2.1, "slurry_density_additive": 2.09, "secondary_particles": 170.0,
    }  # fmt: skip
    return {
        "formulation": formulation, "route": route, "level": level, "seed": seed, "electrode": f"{seed:064d}",
        "properties": properties, "particles": 170.0, "beads": [10330, 3877],
        "curve": {"compression": [0.0, 0.3], "porosity": [0.5, porosity - 0.02], "pressure": [0.1, 100.0]},
        "seconds": {name: {"stage": f"{name}{seed}{route}", "core_seconds": 1800.0} for name in reproducing.SIMULATED},
        "dried": state(0.5, 3.0), "calendered": state(porosity, 2.4),
    }  # fmt: skip


def all_made() -> list[dict[str, Any]]:
    """Return an electrode for each one of the plan; porosity falls with compression, and with the log of pressure."""
    made = []
    for one in plan(Scope(seeds=2)):
        porosity = 0.5 - one.level if one.route in (IMPOSED, IMPOSED_BONDED) else 0.4 - 0.05 * math.log(one.level / 10)
        made.append(electrode(one.formulation, one.route, one.level, one.seed, porosity))
    return made


@pytest.mark.parametrize("name", ["94", "96"])
def test_the_recipes_are_those_of_the_examples(name: str) -> None:
    assert base_recipe(name, Scope(voxel=0.2)) == load_recipe(EXAMPLES / f"paper_{name}.yaml")


@pytest.mark.parametrize(("name", "beads"), [("96", (10330, 3877)), ("94", (9494, 5458))])
def test_the_recipes_have_the_paper_s_beads(name: str, beads: tuple[int, int]) -> None:
    amounts = balance(base_recipe(name, Scope()))
    assert (amounts.active_beads, amounts.cbd_beads) == beads


def test_every_electrode_of_the_plan_is_another_one() -> None:
    made = plan(Scope(seeds=3))
    assert len(made) == 3 * (len(COMPRESSIONS) + 2 * len(PRESSURES) + 3)
    assert {one.recipe.particles.bonded for one in made if "bonded" in one.route} == {True}
    assert not any(one.recipe.particles.bonded for one in plan(Scope(particles="rigid")))
    assert len(plan(Scope(particles="bonded"))) == 9
    assert len({one.recipe.model_dump_json() for one in made}) == len(made)
    assert {one.formulation for one in made if one.route == IMPOSED} == {"96"}


def test_a_rehearsal_keeps_the_thickness() -> None:
    whole, small = (base_recipe("96", Scope(shrink=shrink)) for shrink in (1.0, 1 / 3))
    assert small.volume.mass_loading == whole.volume.mass_loading
    assert small.volume.side == pytest.approx(whole.volume.side / 3)
    assert balance(small).active_beads == pytest.approx(balance(whole).active_beads / 9, abs=1)


def test_the_level_that_reaches_the_paper_s_porosity_is_read_between_electrodes() -> None:
    rows = Rows(tuple(all_made()))
    imposed = Rows(tuple(row for row in rows.rows if row["route"] == IMPOSED))
    assert reaching(imposed, number("porosity")) == pytest.approx([0.265] * 2)
    predicted = Rows(tuple(row for row in rows.rows if (row["route"], row["formulation"]) == (PREDICTED, "96")))
    due = 10 * math.exp((0.4 - 0.235) / 0.05)
    assert reaching(predicted, number("porosity"), logarithmic=True) == pytest.approx([due] * 2)
    assert all(math.isnan(value) for value in reaching(imposed, lambda _: 0.3))


def test_only_pores_above_the_resolution_count() -> None:
    row = electrode("96", IMPOSED, PRESSED, 1, 0.3)
    assert large("dried", "radius")(row) == pytest.approx(3.0)
    assert large("calendered", "coordination")(row) == pytest.approx(5.0)
    assert large("dried", "throat_radius")(row) == pytest.approx(1.3)


def test_the_peak_of_sphericity_is_the_fullest_class() -> None:
    assert peak(Rows((electrode("96", IMPOSED, PRESSED, 1, 0.3),)), "dried").startswith("0.70 to 0.75")


def test_the_table_says_where_the_paper_gives_no_number_and_what_mass_balance_makes_of_its_three() -> None:
    table = claims(all_made())
    text = json.dumps([one.basis for one in table])
    assert "0.266" in text
    assert any(one.paper == NOT_GIVEN for one in table)
    assert next(one.ours for one in table if "under load" in one.what and "at which" in one.what) == "35.4%"
    assert any(one.ours.endswith("ratio 0.80 ± 0.00") for one in table)
    assert all(one.basis for one in table)


def test_bonded_particles_stand_beside_rigid_ones_of_the_same_seeds_and_only_where_there_are_any() -> None:
    made = [row for row in all_made() if "bonded" not in row["route"] or row["seed"] == 1]
    told = [one for one in claims(made) if "bonded" in one.what]
    assert any("rigid, same seeds" in one.ours and "±" not in one.ours for one in told)
    assert {one.ours for one in told if one.what.startswith("broken bonds")} == {"-"}, "the stand-ins know none"
    rigid = [row for row in made if "bonded" not in row["route"]]
    assert not [one for one in claims(rigid) if "bonded" in one.what]


def test_without_a_single_electrode_the_table_has_blanks_and_no_numbers() -> None:
    assert {one.ours for one in claims([]) if "slurry" in one.what} == {"- (volumes just added: -)"}


def test_a_spread_is_over_seeds_and_needs_two() -> None:
    assert spread([0.2, 0.4]) == "0.300 ± 0.141"
    assert spread([0.2, math.nan]) == "0.200"
    assert spread([]) == "-"


def test_shared_stages_cost_once() -> None:
    rows = [electrode("96", IMPOSED, level, 1, 0.3) for level in (0.1, 0.2)]
    assert cost(rows)["core_hours"] == pytest.approx(1.5)
    assert cost(rows)["published_least"] == pytest.approx(28 * (24 + 11 + 9))


def test_the_page_has_all_figures_and_names_what_failed(tmp_path: Path) -> None:
    failed = {"formulation": "96", "route": IMPOSED, "level": 0.4, "seed": 9, "kind": "unstable", "stage": "drying",
              "reason": "the film burst"}  # fmt: skip
    value = write([*all_made(), failed], Scope(seeds=2), tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count("<img") == 7
    assert "the film burst" in page
    assert "the film burst" in (tmp_path / "paper.md").read_text(encoding="utf-8")
    assert value["failed"] == [failed]
    rows = np.genfromtxt(tmp_path / "electrodes.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    assert len(rows) == len(all_made())


def test_all_electrodes_are_asked_for_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def stand_in(values: dict[str, Any], _: str) -> dict[str, Any]:
        asked.append(values["seed"])
        made = electrode("", "", 0.0, values["seed"], 0.3)
        return {name: made[name] for name in made if name not in ("formulation", "route", "level", "seed")}

    monkeypatch.setattr(reproducing, "answer", stand_in)
    scope = Scope(seeds=1)
    found = reproducing.reproduce(scope, Home(tmp_path), HerePool(), lambda *_: None)
    assert len(asked) == len(plan(scope))
    assert {(row["formulation"], row["route"]) for row in found} == {
        ("96", IMPOSED),
        ("96", PREDICTED),
        ("94", PREDICTED),
        ("96", IMPOSED_BONDED),
        ("96", PREDICTED_BONDED),
        ("94", PREDICTED_BONDED),
    }
    reproducing.record(found, scope, Home(tmp_path), "reproduce-paper")
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path.absolute()}/mlflow.db")
    experiment = client.get_experiment_by_name("reproduce-paper")
    assert experiment is not None
    assert len(client.search_runs([experiment.experiment_id])) == len(found)


@pytest.mark.parametrize(("flags", "due"), [([], "paper"), (["--rehearse"], "paper-rehearsal")])
def test_a_rehearsal_leaves_the_page_of_the_whole_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], due: str
) -> None:
    asked: list[Path] = []

    def stand_in(_: Scope, __: Home, folder: Path, *___: object, **____: object) -> dict[str, Any]:
        asked.append(folder)
        return {}

    monkeypatch.setattr(reproduce_cli, "_reproduced", stand_in)
    said = CliRunner().invoke(app, ["reproduce", "paper", *flags, "--json", "--home", str(tmp_path)])
    assert said.exit_code == 0, said.output
    assert asked == [tmp_path / "reproductions" / due]


def test_a_missing_tomogram_is_said_before_anything_is_made(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["reproduce", "paper", "--tomogram", "no.tif", "--home", str(tmp_path / "home")])
    assert said.exit_code != 0
    assert not (tmp_path / "home").exists()
