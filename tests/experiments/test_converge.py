"""What moves when it is computed more finely: statistics against another library, verdicts on numbers made up."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mesoforge.errors import InputError
from mesoforge.experiments import shift_table
from mesoforge.experiments.converge import (
    STRESS,
    WINDOW,
    Question,
    common_porosity,
    converge,
    judged,
    pressure_at,
    write,
)
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.refinement import BASE, NAMES, chosen_names, variants
from mesoforge.experiments.shifts import DEFAULTS, MOVES, OPEN, WITHIN, Tolerance, interval, shift, tolerances
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.slurry import slurry_timestep

SMALL = Recipe().with_values({"volume.side": 8.0, "volume.mass_loading": 1.5, "numerics.voxel": 0.5})
RNG = np.random.default_rng(5)


def test_the_interval_is_the_one_that_scipy_gives() -> None:
    moved = RNG.normal(0.3, 1.0, 7)
    mean, half = interval(moved)
    expected = stats.ttest_1samp(moved, 0).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("moved", "verdict"),
    [
        ([0.001, -0.001, 0.002, 0.0], WITHIN),
        ([0.0, 0.0, 0.0], WITHIN),
        ([0.05, 0.051, 0.049, 0.05], MOVES),
        ([-0.05, -0.051, -0.049], MOVES),
        ([0.05, -0.06, 0.01, 0.0], OPEN),
        ([0.004, 0.016, 0.01], OPEN),
        ([0.02], OPEN),
        ([], OPEN),
    ],
)
def test_the_verdict_follows_from_the_interval_and_the_tolerance(moved: list[float], verdict: str) -> None:
    base = np.full(len(moved), 0.3)
    assert shift(base + moved, base, Tolerance(0.01, relative=False)).verdict == verdict


def test_as_many_more_seeds_as_are_asked_for_decide_if_the_spread_stays() -> None:
    moved = np.tile([0.02, -0.02], 2)
    said = shift(moved, np.zeros(4), Tolerance(0.01, relative=False))
    assert said.words == f"not decided: needs about {said.more} more seeds"
    spread = moved.std(ddof=1)
    halves = [stats.t.ppf(0.975, n - 1) * spread / math.sqrt(n) for n in (4 + said.more - 1, 4 + said.more)]
    assert halves[0] > 0.01 >= halves[1]


def test_a_relative_tolerance_counts_per_cent_of_the_same_seed() -> None:
    base = np.array([1.0, 2.0, 4.0])
    moved = shift(base * 1.02, base, Tolerance(0.05, relative=True))
    assert (moved.mean, moved.verdict) == (pytest.approx(0.02), WITHIN)


def test_a_seed_that_failed_on_either_side_is_left_out_of_the_pairs() -> None:
    moved = shift(
        np.array([1.0, math.nan, 1.1, 1.0]), np.array([1.0, 1.0, 1.1, math.nan]), Tolerance(1, relative=False)
    )
    assert (moved.seeds, moved.mean) == (2, pytest.approx(0))


def test_tolerances_are_read_and_the_others_keep_their_defaults() -> None:
    read = tolerances(["porosity=0.02", "slurry_density = 1%"])
    assert read["porosity"] == Tolerance(0.02, relative=False)
    assert read["slurry_density"] == Tolerance(pytest.approx(0.01), relative=True)
    assert set(read) == set(DEFAULTS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("porosity", "must be NAME=VALUE"),
        ("colour=1", "with a name of slurry_density"),
        ("porosity=much", "'much' but must be a positive number"),
        ("porosity=-1%", "'-1%' but must be a positive number"),
    ],
)
def test_a_wrong_tolerance_is_refused_with_what_was_due(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        tolerances([text])


def test_names_to_refine_are_read_and_unknown_ones_refused() -> None:
    assert chosen_names("rate, voxel") == ("rate", "voxel")
    assert chosen_names(None) == NAMES
    with pytest.raises(InputError, match="--only names 'weather'"):
        chosen_names("rate,weather")


def test_each_refinement_changes_what_it_names_and_the_base_comes_first() -> None:
    found = {one.name: one for one in variants(SMALL, NAMES, 5, coarser=True)}
    assert next(iter(found)) == BASE
    flat = SMALL.flat()
    halved = found["rate"].recipe.flat()
    assert halved["numerics.plane_speed"] == pytest.approx(0.5 * float(flat["numerics.plane_speed"]))
    assert {name for name in flat if halved[name] != flat[name]} == {"numerics.plane_speed", "numerics.drying_speed"}
    assert found["rate_coarser"].recipe.numerics.plane_speed == 2 * SMALL.numerics.plane_speed
    assert slurry_timestep(found["slurry_timestep"].recipe) == pytest.approx(slurry_timestep(SMALL) / 2)
    assert found["volume"].recipe.largest_diameter == SMALL.largest_diameter
    assert found["seeds"].with_seed(1).seed == 6
    assert [name for name, one in found.items() if one.coarser] == [f"{name}_coarser" for name in NAMES[:8]]


def test_what_cannot_be_made_finer_is_refused_before_anything_is_simulated() -> None:
    fine = SMALL.with_values({"numerics.voxel": 0.03})
    with pytest.raises(InputError, match=r"'voxel' cannot be changed 0\.5 times"):
        Question(fine, ("voxel",), 2, tolerances([])).checked()


def curve(end: float, factor: float = 1.0) -> dict[str, list[float]]:
    """Return a loading curve whose pressure is a known function of porosity."""
    porosity = np.linspace(0.5, end, 2000)
    return {"porosity": porosity.tolist(), "pressure": (factor * 100 * np.exp(-10 * (porosity - 0.2))).tolist()}


def outcome(seed: int, rise: float = 0.0, steps: float = 1e6, factor: float = 1.0, end: float = 0.2) -> dict[str, Any]:
    noise = float(np.random.default_rng(seed).normal(0, 0.02))
    values = dict.fromkeys(DEFAULTS, 1.0) | {"porosity": 0.3 + noise + rise}
    return {"values": values, "bead_steps": steps} | curve(end, factor)


def test_the_pressure_at_a_common_porosity_is_read_from_the_curves() -> None:
    curves = [outcome(1, end=end) for end in (0.2, 0.25, 0.22)]
    level = common_porosity(curves)
    assert level == pytest.approx(0.25 + 1.5 * WINDOW)
    for one in curves:
        assert pressure_at(level, one) == pytest.approx(100 * math.exp(-10 * (level - 0.2)), rel=0.003)
    assert math.isnan(common_porosity([outcome(1, end=0.49), curve(0.2) | {"porosity": [0.3, 0.2], "values": {}}]))


FAILED = {"kind": "timeout", "stage": "slurry", "reason": "too [slow]"}


def judgement(coarser: bool = True) -> dict[str, Any]:
    question = Question(SMALL, ("rate", "drag", "seeds"), 4, tolerances([]), coarser=coarser)
    made = {
        "base": [outcome(n) for n in range(4)],
        "rate": [outcome(n, rise=0.001) for n in range(4)],
        "drag": [outcome(n, rise=0.05, factor=1.3) for n in range(4)],
        "seeds": [outcome(n + 10) for n in range(4)],
        "rate_coarser": [outcome(n, steps=5e5) for n in range(4)],
        "drag_coarser": [outcome(0, steps=1e5), outcome(1), FAILED, outcome(3, rise=-0.1)],
    }
    return judged(question, {name: made[name] for name in [one.name for one in question.variants]})


def test_verdicts_name_what_moves_and_pairing_takes_the_seeds_noise_away() -> None:
    found = judgement()
    assert found["verdicts"]["porosity"].startswith("moves with half the drag (+0.05 ±")
    assert found["verdicts"][STRESS].startswith("moves with half the drag (+30 % ±")
    assert found["verdicts"]["slurry_density"] == WITHIN
    rows = {(row["variant"], row["property"]): row for row in found["rows"]}
    assert rows["rate", "porosity"]["mean"] == pytest.approx(0.001)
    assert rows["rate", "porosity"]["half_width"] < 1e-9
    assert rows["seeds", "porosity"]["verdict"] == OPEN
    assert rows["drag_coarser", "porosity"]["seeds"] == 3


def test_the_cheapest_setting_is_the_one_of_fewest_bead_steps_that_moves_nothing() -> None:
    found = judgement()["cheapest"]
    assert (found["variant"], found["share"]) == ("rate_coarser", pytest.approx(0.5))
    assert judgement(coarser=False)["cheapest"]["variant"] == BASE


def test_failures_are_counted_and_named() -> None:
    failed = judgement()["failed"]
    assert [(one["variant"], one["seed"], one["kind"]) for one in failed] == [("drag_coarser", 3, "timeout")]


def test_the_findings_are_printed_and_written_as_table_figure_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = judgement()
    folder = write(found, Home(tmp_path))
    assert json.loads((folder / "verdict.json").read_text(encoding="utf-8")) == found
    assert len((folder / "shifts.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(found["rows"])
    assert (folder / "intervals.png").stat().st_size > 10000
    shift_table.shifts(found | {"folder": str(folder)})
    printed = capsys.readouterr().out
    assert "half the drag" in printed
    assert "too [slow]" in printed
    assert "50 % of the base's bead-steps" in printed.replace("\n", " ")


@pytest.mark.slow
def test_a_real_electrode_is_refined_and_a_second_start_makes_nothing_again(tmp_path: Path) -> None:
    question = Question(SMALL, ("voxel", "tolerance"), 2, tolerances([]))
    told: list[str] = []
    found = converge(question, Home(tmp_path), HerePool(), lambda what, done, total: told.append(f"{done}/{total}"))
    assert told[-1] == "6/6"
    rows = {(row["variant"], row["property"]): row for row in found["rows"]}
    assert rows["voxel", "porosity"]["mean"] == 0
    assert rows["voxel", "tortuosity_factor_z"]["mean"] < 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("result.json")}
    assert converge(question, Home(tmp_path), HerePool(), lambda *_: None) == found
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("result.json")} == before
