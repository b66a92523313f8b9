"""Convergence studies: intervals against scipy, verdicts, wrong questions, and one real electrode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from mesoforge.errors import InputError
from mesoforge.experiments.converge import Question, judged, make_measured, pressure_at, seeds_of, write
from mesoforge.experiments.home import Home
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


def test_relative_tolerances_are_of_the_base() -> None:
    base = np.array([100.0, 200.0, 300.0])
    assert shift(base * 1.002, base, Tolerance(0.003, relative=True)).mean == pytest.approx(0.002)


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
    assert "contact_timestep_coarser" not in by_name, "it would be beyond what is allowed"
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
    assert found["verdicts"]["porosity"].startswith("moves with half the speed of the planes")
    assert found["verdicts"]["slurry_density"] == WITHIN
    assert found["failed"][0]["reason"] == "a bead ran away"
    folder = write(found, Home(tmp_path))
    assert json.loads((folder / "verdict.json").read_text(encoding="utf-8")) == found
    assert (folder / "shifts.csv").read_text(encoding="utf-8").count("porosity") >= 1
    assert (folder / "intervals.png").stat().st_size > 1000


def test_the_pressure_at_a_porosity_is_read_off_the_curve() -> None:
    assert pressure_at(0.3, outcome(0.3)) == pytest.approx(100 * np.exp(-3), rel=1e-2)
    assert np.isnan(pressure_at(0.7, outcome(0.3)))


def test_an_electrode_brings_its_curve_and_its_cost(tmp_path: Path) -> None:
    made = make_measured(SMALL.model_dump(mode="json"), str(tmp_path))
    assert set(DEFAULTS) - {"stress_at_porosity"} <= set(made["values"])
    assert max(made["pressure"]) == pytest.approx(100, rel=0.1)
    assert 1e6 < made["bead_steps"] < 1e8


def test_every_variant_is_made_with_the_same_seeds() -> None:
    assert list(seeds_of(Question(SMALL.with_values({"seed": 4}), ("rate",), 3, {}))) == [4, 5, 6]
