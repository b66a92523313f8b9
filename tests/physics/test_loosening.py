"""Cracked particles keep their volume: what beads come to that lost their bonds, and how they come there."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mesoforge.physics.lammps.growing import GROWTH, Growth, bounced
from mesoforge.physics.loosening import FREE, FULL, wanted, write_growth

PITCH = np.full(4, 1.284)


def test_a_bead_without_bonds_has_the_volume_of_its_cube() -> None:
    size = wanted(np.array([26, 17, 7, 1]), np.zeros(4, dtype=np.int64), PITCH, PITCH)
    np.testing.assert_allclose(math.pi / 6 * size**3, PITCH**3)
    assert pytest.approx(1.2407, abs=1e-4) == FULL


def test_what_is_whole_keeps_its_size() -> None:
    first = np.array([26, 7, 3, 0])
    np.testing.assert_array_equal(wanted(first, first, PITCH, PITCH), PITCH)
    np.testing.assert_array_equal(wanted(first, np.minimum(first, FREE), PITCH, PITCH), PITCH)


def test_the_fewer_bonds_the_larger_a_bead() -> None:
    sizes = [float(wanted(np.full(4, 26), np.full(4, held), PITCH, PITCH)[0]) for held in range(FREE + 1)]
    assert sizes == sorted(sizes, reverse=True)
    np.testing.assert_allclose(np.diff(sizes), (1 - FULL) * 1.284 / FREE)


def test_a_bead_that_the_binder_s_set_left_smaller_comes_to_the_same_volume() -> None:
    size = wanted(np.full(4, 20), np.zeros(4, dtype=np.int64), 0.9 * PITCH, PITCH)
    np.testing.assert_allclose(size, FULL * PITCH)


class Engine:
    """Stands in for LAMMPS: four beads with their radii, bonds and pressures."""

    def __init__(self, radius: list[float], near: list[int], held: list[int], pressure: list[float]) -> None:
        """Hold what is asked for; of the bonds some are at one pitch, the others at its diagonals."""
        self.atoms = {"radius": np.array(radius), "i_near": np.zeros(4, int), "i_held": np.zeros(4, int)}
        self.atoms |= {"type": np.array([1, 2, 2, 2]), "v": np.full((4, 3), 3.0)}
        self.atoms |= {"f": np.zeros((4, 3)), "rmass": np.ones(4)}
        self.bind(near, held)
        self.pressure = np.array(pressure)
        self.numpy = SimpleNamespace(extract_atom=lambda name: self.atoms[name], extract_fix=lambda *_: self.pressure)

    def bind(self, near: list[int], held: list[int]) -> None:
        """Give each bead its bonds."""
        kinds = [[2] * (all_ - some) + [1] * some for some, all_ in zip(near, held, strict=True)]
        self.bonds = {"num_bond": np.ctypeslib.as_ctypes(np.array(held, np.int32)), "bond_type": kinds}

    def extract_atom(self, name: str) -> Any:  # noqa: ANN401 - as the library's
        """Return the numbers of bonds, or their types bead by bead."""
        return self.bonds[name]

    def extract_variable(self, name: str) -> float:
        """Return by how much beads grow in a step, against which pressure, where the plane is or how fast it moves."""
        return {"growth": 0.01, "against": 100.0, "plane": 30.0, "speed": 0.0}[name]

    def extract_global(self, name: str) -> float:
        """Return the time step."""
        return {"dt": 0.1}[name]


def step(engine: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:  # noqa: ANN401 - a stand-in
    """Return the diameters after one step of growth of beads that had all 26 bonds."""
    write_growth(np.full(4, 26), PITCH, PITCH, folder)
    monkeypatch.chdir(folder)
    assert (folder / GROWTH).exists()
    Growth(engine)(None, 1, 4, np.arange(1, 5), np.full((4, 3), 10.0), None)
    return np.asarray(2 * engine.atoms["radius"])


def test_only_loose_beads_that_are_not_pressed_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine([0.642] * 4, near=[0] * 4, held=[0, 0, 26, 3], pressure=[50.0, 150.0, 0.0, -10.0])
    np.testing.assert_allclose(step(engine, tmp_path, monkeypatch), 1.284 + np.array([0.01, 0, 0, 0.01]))


def test_beads_grow_no_further_than_to_their_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = FULL * 1.284 / 2
    engine = Engine([full, full, 0.7, 0.7], near=[0] * 4, held=[0, 3, 3, 6], pressure=[0.0] * 4)
    due = [2 * full, 2 * full, 1.41, 1.4]
    np.testing.assert_allclose(step(engine, tmp_path, monkeypatch), due)


def test_a_bead_that_loses_a_near_neighbour_is_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine([0.75] * 4, near=[2, 2, 1, 1], held=[3] * 4, pressure=[500.0] * 4)
    np.testing.assert_allclose(step(engine, tmp_path, monkeypatch), 1.5)
    engine.bind(near=[2, 1, 1, 0], held=[3, 2, 2, 2])
    np.testing.assert_allclose(step(engine, tmp_path, monkeypatch), [1.5, 1.284, 1.5, 1.284])
    np.testing.assert_array_equal(engine.atoms["i_near"], [2, 1, 1, 0])
    np.testing.assert_array_equal(engine.atoms["i_held"], [3, 2, 2, 2])


def mirrored(x: float, v: float, plane: float) -> tuple[float, float]:
    """Mirror a bead that passed a wall, between moving it and taking the forces, as LAMMPS's fix does."""
    if 0 <= x <= plane:
        return x, v
    return 2 * (plane if x > plane else 0.0) - x, -v


def flight(where: str, x: float, v: float, pull: Any, steps: int) -> np.ndarray:  # noqa: ANN401 - a function of x
    """Return the heights at which the forces on one bead are taken, with a plane that comes down."""
    dt, heights = 0.01, []
    force = pull(x)
    for step in range(steps):
        v += dt / 2 * force
        x += dt * v
        if where == "before the forces":
            x, v = mirrored(x, v, 3 - 0.1 * dt * (step + 1))
        heights.append(x)
        force = pull(x)
        if where == "after them":
            height, speed, push = (np.array([value]) for value in (x, v, force))
            height, speed = bounced(height, speed, push, 3 - 0.1 * dt * (step + 2), dt)
            x, v = float(height[0]), float(speed[0])
        v += dt / 2 * force
    return np.array(heights)


@pytest.mark.parametrize("pull", [lambda _: 0.0, lambda x: -4.0 * (x - 1.4), lambda _: 25.0, lambda _: -25.0])
def test_beads_bounce_as_if_mirrored_before_the_forces_are_taken(pull: Any) -> None:  # noqa: ANN401 - a function of x
    due = flight("before the forces", 1.5, 5.0, pull, 1000)
    np.testing.assert_allclose(flight("after them", 1.5, 5.0, pull, 1000), due, atol=1e-6)
    assert (due >= 0).all()
    assert (np.abs(np.diff(np.sign(np.diff(due)))) > 0).sum() > 5  # it bounced indeed


def test_a_step_turns_beads_of_cbd_back_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine([0.642] * 4, near=[0] * 4, held=[26] * 4, pressure=[0.0] * 4)
    write_growth(np.full(4, 26), PITCH, PITCH, tmp_path)
    monkeypatch.chdir(tmp_path)
    engine.atoms["v"][2, 2] = -3
    x = np.array([[9.0, 9, 29.9], [9, 9, 29.9], [9, 9, 0.1], [9, 9, 29]])
    Growth(engine)(None, 1, 4, np.arange(1, 5), x, None)
    np.testing.assert_allclose(engine.atoms["v"][:, 2], [3, -3, 3, 3])
    np.testing.assert_allclose((x + 0.1 * engine.atoms["v"])[:, 2], [30.2, 29.8, 0.2, 29.3])
