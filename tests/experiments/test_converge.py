"""Convergence studies: intervals against scipy, verdicts, wrong questions, and one real electrode."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_rel

from mesoforge.errors import InputError
from mesoforge.experiments import shift_table
from mesoforge.experiments.converge import (
    WINDOW,
    Question,
    common_porosity,
    converge,
    judged,
    make_measured,
    pressure_at,
    seeds_of,
    write,
)
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.refinement import BASE, NAMES, chosen_names, variants
from mesoforge.experiments.shifts import DEFAULTS, MOVES, OPEN, WITHIN, Tolerance, interval, shift, tolerances
from mesoforge.physics.recipe import Recipe

SMALL = Recipe().with_values({"volume.side": 10.0, "volume.mass_loading": 2.5, "numerics.voxel": 0.5})


def test_the_interval_is_the_one_of_a_paired_t_test() -> None:
    rng = np.random.default_rng(3)
    base, refined = rng.normal(0, 1, 7), rng.normal(0.5, 1, 7)
    mean, half = interval(refined - base)
    due = ttest_rel(refined, base).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((due.low, due.high))


@pytest.mark.parametrize(
    ("moved", "verdict"),
    [([0.001, -0.001, 0.0005, 0.0], WITHIN), ([0.05, 0.051, 0.049, 0.05], MOVES), ([0.02, -0.02, 0.01, -0.01], OPEN)],
)
def test_a_shift_is_judged_with_its_interval(moved: list[float], verdict: str) -> None:
    base = np.full(4, 0.3)
    found = shift(base + moved, base, Tolerance(0.01, relative=False))
    assert found.verdict == verdict
    assert (found.more > 0) == (verdict == OPEN)


def test_relative_shifts_are_of_the_mean_of_both_so_that_noise_alone_moves_nothing() -> None:
    base, by = np.array([100.0, 200.0, 300.0]), Tolerance(0.003, relative=True)
    assert shift(base * 1.002, base, by).mean == pytest.approx(0.002 / 1.001)
    assert shift(base, base * 1.002, by).mean == -shift(base * 1.002, base, by).mean
    one, other = np.random.default_rng(1).lognormal(0, 0.3, (2, 4000))
    assert abs(shift(one, other, Tolerance(0.1, relative=True)).mean) < 0.015
    assert (one / other).mean() > 1.05


def test_seeds_that_failed_are_left_out() -> None:
    base = np.array([0.3, np.nan, 0.3, 0.3])
    assert shift(np.array([0.3, 0.3, np.nan, 0.3]), base, Tolerance(0.01, relative=False)).seeds == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [("porosity", "must be NAME=VALUE"), ("colour=1", "must be NAME=VALUE"), ("porosity=-1", "a positive number")],
)
def test_a_tolerance_that_is_none_is_refused(given: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        tolerances([given])


def test_what_cannot_be_refined_is_refused() -> None:
    with pytest.raises(InputError, match="'weather', which cannot be refined: use slurry_timestep"):
        chosen_names("rate,weather")


def test_each_name_is_one_refinement_and_the_coarser_ones_are_its_opposite() -> None:
    found = list(variants(SMALL, NAMES, 5, coarser=True))
    assert [one.name for one in found[: len(NAMES) + 1]] == [BASE, *NAMES]
    by_name = {one.name: one.recipe.numerics for one in found}
    assert "timestep_coarser" not in by_name, "it would be beyond what is allowed"
    assert by_name["rate"].plane_speed * 2 == SMALL.numerics.plane_speed == by_name["rate_coarser"].plane_speed / 2


def outcome(porosity: float) -> dict[str, Any]:
    level = np.linspace(0.5, 0.25, 200)
    values = dict.fromkeys(DEFAULTS, 1.0) | {"porosity": porosity}
    curve = {"porosity": level.tolist(), "pressure": (100 * np.exp(-10 * level)).tolist()}
    return {"values": values, "bead_steps": 10.0} | curve


def test_a_study_says_what_moves_and_what_failed(tmp_path: Path) -> None:
    question = Question(SMALL, ("rate",), 3, tolerances([]))
    bad = {"kind": "unstable", "stage": "drying", "reason": "a bead ran away"}
    base = [outcome(0.30), outcome(0.31), outcome(0.32)]
    found = judged(question, {BASE: base, "rate": [outcome(0.33), outcome(0.3402), bad]})
    assert found["verdicts"]["porosity"].startswith("moves with half the speed of the calender's plane")
    assert found["verdicts"]["slurry_density"] == WITHIN
    assert found["failed"][0]["reason"] == "a bead ran away"
    folder = write(found, Home(tmp_path))
    assert json.loads((folder / "verdict.json").read_text(encoding="utf-8")) == found
    assert (folder / "shifts.csv").read_text(encoding="utf-8").count("porosity") >= 1
    assert (folder / "intervals.png").stat().st_size > 1000


def test_the_pressure_at_a_porosity_is_read_off_the_curve() -> None:
    assert pressure_at(0.3, outcome(0.3)) == pytest.approx(100 * np.exp(-3))
    assert np.isnan(pressure_at(0.7, outcome(0.3)))


def test_where_a_curve_ends_or_carries_nothing_no_pressure_is_read() -> None:
    ends = {"porosity": [0.31, 0.313], "pressure": [1.0, 1.5]}
    idle = {"porosity": [0.33, 0.32, 0.3014, 0.301], "pressure": [0.0, 0.0, 0.1, 2.0]}
    thin = {"porosity": [0.31, 0.31 + 1e-9], "pressure": [1.0, 2.0]}
    assert all(np.isnan(pressure_at(level, curve)) for level, curve in ((0.3, ends), (0.316, idle), (0.31, thin)))


def test_a_dwell_at_the_end_moves_no_pressure() -> None:
    level = np.linspace(0.5, 0.2, 400)
    curve = {"porosity": level.tolist(), "pressure": (100 * np.exp(-10 * (level - 0.2))).tolist(), "values": {}}
    rested = {**curve, "porosity": [*curve["porosity"], *[0.2] * 50], "pressure": [*curve["pressure"], *[80.0] * 50]}
    due = [100 * np.exp(-10 * (common_porosity([one]) - 0.2)) for one in (curve, rested)]
    assert [pressure_at(common_porosity([one]), one) for one in (curve, rested)] == pytest.approx(due)


def test_an_electrode_brings_its_curve_and_its_cost(tmp_path: Path) -> None:
    made = make_measured(SMALL.model_dump(mode="json"), str(tmp_path))
    assert set(DEFAULTS) - {"stress_at_porosity"} <= set(made["values"])
    assert max(made["pressure"]) == pytest.approx(100, rel=0.1)
    assert 1e6 < made["bead_steps"] < 1e8


def test_every_variant_is_made_with_the_same_seeds() -> None:
    assert list(seeds_of(Question(SMALL.with_values({"seed": 4}), ("rate",), 3, {}))) == [4, 5, 6]


def test_as_many_more_seeds_as_are_asked_for_decide_if_the_spread_stays() -> None:
    moved = np.tile([0.02, -0.02], 2)
    said = shift(moved, np.zeros(4), Tolerance(0.01, relative=False))
    assert said.words == f"not decided: needs about {said.more} more seeds"
    spread = moved.std(ddof=1)
    halves = [student.ppf(0.975, n - 1) * spread / math.sqrt(n) for n in (4 + said.more - 1, 4 + said.more)]
    assert halves[0] > 0.01 >= halves[1]


def noisy(seed: int, rise: float = 0.0, steps: float = 1e6, end: float = 0.2) -> dict[str, Any]:
    """Return an outcome that hangs on its seed, with a loading curve down to a porosity."""
    values = dict.fromkeys(DEFAULTS, 1.0) | {
        "porosity": 0.3 + float(np.random.default_rng(seed).normal(0, 0.02)) + rise
    }
    level = np.linspace(0.5, end, 2000)
    curve = {"porosity": level.tolist(), "pressure": (100 * np.exp(-10 * (level - 0.2))).tolist()}
    return {"values": values, "bead_steps": steps} | curve


def test_a_common_porosity_is_one_that_every_curve_passes_through() -> None:
    level = common_porosity([noisy(1, end=end) for end in (0.2, 0.25, 0.22)])
    assert level == pytest.approx(0.25 + 1.5 * WINDOW)
    late = {"porosity": [0.24, 0.2], "pressure": [0.0, 1.0], "values": {}}
    assert math.isnan(common_porosity([noisy(1, end=0.25), late]))


def paired() -> dict[str, Any]:
    """Return a study in which the drag moves the answer, the speed does not, and other seeds are noise."""
    question = Question(SMALL, ("rate", "drag", "seeds"), 4, tolerances([]), coarser=True)
    bad = {"kind": "timeout", "stage": "slurry", "reason": "too [slow]"}
    return judged(
        question,
        {
            BASE: [noisy(n) for n in range(4)],
            "rate": [noisy(n, rise=0.001) for n in range(4)],
            "drag": [noisy(n, rise=0.05) for n in range(4)],
            "seeds": [noisy(n + 10) for n in range(4)],
            "rate_coarser": [noisy(n, steps=5e5) for n in range(4)],
            "drag_coarser": [noisy(0, steps=1e5), noisy(1, steps=1e5), bad, noisy(3, rise=-0.1, steps=1e5)],
        },
    )


def test_pairing_takes_the_noise_of_the_seeds_away() -> None:
    rows = {row["variant"]: row for row in paired()["rows"] if row["property"] == "porosity"}
    assert rows["rate"]["mean"] == pytest.approx(0.001)
    assert rows["rate"]["half_width"] < 1e-9
    assert (rows["drag"]["verdict"], rows["seeds"]["verdict"]) == (MOVES, OPEN)


def test_the_cheapest_setting_is_the_one_of_fewest_bead_steps_that_moves_nothing() -> None:
    found = paired()["cheapest"]
    assert (found["variant"], found["share"]) == ("rate_coarser", pytest.approx(0.5))


def test_the_findings_are_printed_with_what_failed_and_what_is_cheapest(capsys: pytest.CaptureFixture[str]) -> None:
    shift_table.shifts(paired() | {"folder": "there"})
    printed = " ".join(capsys.readouterr().out.split())
    assert "half the drag" in printed
    assert "too [slow]" in printed
    assert "twice the speed of the calender's plane (50 % of the base's bead-steps)" in printed


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
