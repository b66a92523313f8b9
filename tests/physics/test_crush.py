"""The test rig in LAMMPS: modulus and strength alike in all directions, and as the recipe says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from making import small

from mesoforge.physics.bonding import left, spring
from mesoforge.physics.bonds import bonds_of
from mesoforge.physics.crush import UPRIGHT, Course, Trial, course, first_peak, obtain_trial, specimen, told, turn
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store

WIDTH, SEEDS = 12.0, (0, 1)
RECIPE = small(force_field__particle_strength=400.0)
E, STRENGTH = 140.0, 400.0


def along(store: Store, test: str, recipe: Recipe = RECIPE) -> dict[str, dict[str, float]]:
    """Return the means over specimens by direction."""
    found = {}
    for direction in UPRIGHT:
        trials = [Trial(test, direction, WIDTH, seed) for seed in SEEDS]  # type: ignore[arg-type]
        results = [obtain_trial(trial, recipe, store).result for trial in trials]
        found[direction] = {name: float(np.mean([one[name] for one in results])) for name in results[0]}
    return found


def alike(values: list[float]) -> float:
    """Return the largest over the least."""
    return max(values) / min(values)


def test_bars_have_the_material_s_modulus_in_all_directions(store: Store) -> None:
    for test in ("press", "pull"):
        moduli = [one["modulus"] for one in along(store, test).values()]
        assert moduli == pytest.approx([E] * 3, rel=0.1)
        assert alike(moduli) < 1.1


def test_bars_part_at_the_same_tension_in_all_directions_and_no_bond_breaks_below_the_strength(store: Store) -> None:
    pulled = along(store, "pull")
    assert alike([one["strength"] for one in pulled.values()]) < 1.1
    for one in pulled.values():
        assert STRENGTH < one["onset"] <= one["strength"] < 1.3 * STRENGTH
    for one in along(store, "press").values():
        assert one["onset"] > 2.5 * STRENGTH, "pressed, only the sideways strain breaks bonds"


def test_the_onset_of_cracking_and_the_crushing_strength_of_a_ball_scale_with_the_strength(store: Store) -> None:
    weak = RECIPE.with_values({"force_field.particle_strength": STRENGTH / 2})
    strong, soft = along(store, "ball"), along(store, "ball", weak)
    for direction in UPRIGHT:
        for read in ("onset", "strength"):
            assert strong[direction][read] == pytest.approx(2 * soft[direction][read], rel=0.05), direction
    assert alike([one["strength"] for one in strong.values()]) < 1.25, "two balls each; more in docs/cracking.md"


def test_what_is_left_of_a_crushed_ball_and_what_its_curve_counts_agree(store: Store) -> None:
    trial, material = Trial("ball", "100", WIDTH, 0), spring(RECIPE, 1.0)
    folder = obtain_trial(trial, RECIPE, store).folder
    beads = specimen(trial, material.pitch)
    bonds = bonds_of(beads, material.pitch)
    read = course(trial, beads, len(bonds), material.pitch, folder)
    assert 1 - len(left(bonds, folder)) / len(bonds) == pytest.approx(read.broken[-1], abs=0.02)
    assert read.broken[-1] > 0.05
    assert (np.diff(read.broken) >= 0).all()


@pytest.mark.parametrize("direction", UPRIGHT)
def test_a_specimen_stands_on_its_direction_and_has_the_volume_of_its_outline(direction: str) -> None:
    axis = np.array(UPRIGHT[direction]) / np.linalg.norm(UPRIGHT[direction])
    np.testing.assert_allclose(turn(direction) @ axis, [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(turn(direction) @ turn(direction).T, np.eye(3), atol=1e-12)
    bar = specimen(Trial("press", direction, WIDTH, 0), 1.0)
    assert len(bar) == pytest.approx(1.5 * WIDTH**3, rel=0.05)


def test_the_modulus_is_the_slope_before_anything_breaks_and_the_strength_the_first_peak() -> None:
    material = spring(RECIPE, 1.0)
    strain = np.linspace(0, 10 * material.extension, 101)
    stress = 140e3 * strain
    stress[60:] = stress[59] * np.r_[np.linspace(1, 0.5, 20), np.linspace(0.5, 2, 21)]
    broken = np.where(np.arange(101) >= 50, 0.01, 0.0)
    said = told(Course(strain, stress, broken), material)
    assert said["modulus"] == pytest.approx(140)
    assert said["onset"] == pytest.approx(stress[50])
    assert said["strength"] == pytest.approx(stress[59])
    assert first_peak(np.array([0.0, 1.0, 2.0])) == 2


def test_a_trial_is_made_once(store: Store) -> None:
    trial = Trial("pull", "100", WIDTH, 0)
    assert [obtain_trial(trial, RECIPE, store).found for _ in range(2)][1]
    assert not list(Path(store.root / "unfinished").glob("crush*"))
