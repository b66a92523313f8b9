"""The wet slurry's structure against what is known of ideal gases, lattices and random mixes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from making import small
from numpy.typing import NDArray

from mesoforge.physics.balance import balance
from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.manufacture import PAIRS, Electrode, manufacture
from mesoforge.physics.store import Store
from mesoforge.physics.wet_structure import PairDistribution, homogeneity, pair_distribution, sampling_error

BOX = np.array([20.0, 22.0, 31.0])


def gas(active: int, cbd: int, own: int, seed: int) -> Beads:
    """Return point beads at random: active ones in particles of ``own`` beads scattered within 3 um."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.random((active // own, 3)) * BOX, own, axis=0)
    position = np.vstack([centres + rng.normal(scale=1.0, size=centres.shape), rng.random((cbd, 3)) * BOX])
    kind = np.repeat(np.array([ACTIVE, CBD], dtype=np.int32), [len(centres), cbd])
    particle = np.concatenate([1 + np.arange(len(centres)) // own, np.zeros(cbd)]).astype(np.int32)
    return Beads(position, kind, particle, BOX)


def lattice() -> Beads:
    """Return CBD and active beads as in rock salt, 1.5 um apart, each its own particle."""
    grid = np.stack(np.meshgrid(*[np.arange(12)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    kind = np.where(grid.sum(axis=1) % 2, ACTIVE, CBD).astype(np.int32)
    particle: NDArray[np.int32] = np.where(kind == ACTIVE, np.cumsum(kind == ACTIVE), 0).astype(np.int32)
    return Beads(np.asarray(1.5 * grid + 0.1, dtype=np.float64), kind, particle, np.full(3, 18.0))


@pytest.mark.parametrize("own", [2, 20])
def test_an_ideal_gas_has_a_pair_distribution_of_one(own: int) -> None:
    found = pair_distribution(gas(4000, 3000, own, 1))
    far = found.distance > 1.5
    np.testing.assert_allclose(found.g[far].mean(axis=0), 1, atol=0.01)
    assert np.abs(found.g[far] - 1).max() < 0.25
    assert found.distance[-1] < BOX.min() / 2


def test_a_lattice_has_its_neighbours_where_they_are() -> None:
    found = pair_distribution(lattice())
    beads, shell = 12**3, 4 / 3 * np.pi * np.diff(np.array([1.4, 1.5, 1.6]) ** 3)
    near = np.abs(found.distance - 1.5) < 0.1
    neighbours = (found.g[near, 1] * shell * (beads / 2) / 18**3).sum()
    assert neighbours == pytest.approx(6)
    assert not found.g[near, 0].any()
    assert not found.g[near, 2].any()


def test_a_random_mix_is_as_uneven_as_random_mixes_are_and_a_lattice_less_and_a_layer_more() -> None:
    ratios = np.array([homogeneity(gas(1500, 900, 10, seed), seed).ratio for seed in range(30)])
    np.testing.assert_allclose(np.sqrt((ratios**2).mean(axis=0)), 1, atol=0.05)
    assert (homogeneity(lattice(), 1).ratio < 0.2).all()
    beads = gas(1500, 900, 10, 1)
    squeezed = Beads(beads.position * [1, 1, 0.5], beads.kind, beads.particle, beads.box)
    assert (homogeneity(squeezed, 1).ratio > 1.5).all()


def test_the_sampling_error_knows_nothing_of_composition_and_falls_with_the_volume() -> None:
    rng = np.random.default_rng(2)
    errors = []
    for edge in (12.0, 24.0):
        count = int(edge**3 / 4)
        kind = rng.choice(np.array([ACTIVE, CBD], dtype=np.int32), count)
        beads = Beads(rng.random((count, 3)) * edge, kind, np.zeros(count, dtype=np.int32), np.full(3, edge))
        errors.append(sampling_error(beads, (2.0, 6.0)))
    assert errors[1] == pytest.approx(errors[0] / 8**0.5, rel=0.3)
    even = lattice()
    layered = Beads(even.position, np.where(even.position[:, 2] < 9, ACTIVE, CBD), even.particle, even.box)
    assert sampling_error(layered, (1.5**3, 1.5**3)) < 0.01


def test_a_slurry_reports_density_with_its_error_mixing_and_pairs(store: Store) -> None:
    recipe = small(seed=1, calendering__pressure=100)
    made = manufacture(recipe, store)
    assert isinstance(made, Electrode)
    found = made.properties
    assert 0.002 < found["slurry_density_error"] / found["slurry_density"] < 0.05
    assert found["slurry_density"] == pytest.approx(balance(recipe).additive_slurry_density, rel=0.05)
    assert 0.2 < found["slurry_heterogeneity"] < 1.5
    table = np.loadtxt(made.stages["slurry"] / PAIRS, delimiter=",", skiprows=1)
    assert table.shape[1] == 4
    assert not table[table[:, 0] < 0.9][:, 1:].any(), "no two beads sit on one another"
    assert table[-10:, 1:].mean() == pytest.approx(1, abs=0.15)


def test_the_table_of_pairs_names_its_columns(tmp_path: Path) -> None:
    PairDistribution(np.array([0.05]), np.array([[0.0, 1.0, 2.0]])).save(tmp_path / "pairs.csv")
    lines = (tmp_path / "pairs.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["distance_um,active_active,active_cbd,cbd_cbd", "0.05,0,1,2"]
