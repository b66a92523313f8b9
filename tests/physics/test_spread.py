"""Error bars by sub-volumes, limits for vanishing voxels, and how large a volume has to be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mesoforge.errors import InputError
from mesoforge.physics.beads import ACTIVE
from mesoforge.physics.microstructure.measure import measure
from mesoforge.physics.microstructure.phases import fractions
from mesoforge.physics.microstructure.quantity import Conductors
from mesoforge.physics.microstructure.spread import (
    Scatter,
    coarsened,
    columns,
    edge_for,
    representative,
    richardson,
    with_spread,
)
from mesoforge.physics.microstructure.transport import transport
from mesoforge.physics.voxels import PORE, SIDES, Voxels


def image(shape: tuple[int, int, int] = (48, 48, 40), width: float = 2.0, seed: int = 1) -> Voxels:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), width, mode="wrap")
    levels = np.quantile(noise, [0.45, 0.9])
    phase = np.digitize(noise, levels).astype(np.uint8)
    return Voxels(phase, (phase == ACTIVE).astype(np.int32), 0.5)


def test_columns_tile_the_image_and_keep_its_thickness() -> None:
    parts = columns(image(), 3)
    assert len(parts) == 9
    assert {part.phase.shape for part in parts} == {(16, 16, 40)}
    assert all(part.whole for part in parts)
    np.testing.assert_allclose(
        np.mean([fractions(part)["pore"] for part in parts]), fractions(image())["pore"], rtol=1e-6
    )


@pytest.mark.parametrize("across", [1, 7])
def test_columns_that_are_none_are_refused(across: int) -> None:
    with pytest.raises(InputError, match=rf"{across} by {across} sub-volumes of 48 x 48 voxels were asked for"):
        columns(image(), across)


def test_error_bars_cover_the_truth_about_as_often_as_they_should() -> None:
    inside = []
    for seed in range(12):
        voxels = image((64, 64, 24), 1.2, seed)
        truth = 0.45
        noise = gaussian_filter(np.random.default_rng(seed).normal(size=(64, 64, 24)), 1.2, mode="wrap")
        phase = np.where(noise < 0, PORE, ACTIVE).astype(np.uint8)
        own = Voxels(phase, voxels.particle, 0.5)
        found = with_spread(measure(own, only=["phases"]), own, Conductors(), 4, ["phases"])["porosity_resolved"]
        truth = 0.5
        assert found.value is not None
        assert found.spread is not None
        inside.append(abs(found.value - truth) < 2 * found.spread)
    assert sum(inside) >= 9


def test_a_straight_line_is_carried_on_to_its_intercept() -> None:
    found = richardson([0.4, 0.3, 0.2], [3.0, 2.75, 2.5])
    assert found.value == pytest.approx(2.0)
    assert found.error == pytest.approx(0, abs=1e-6)
    assert richardson([0.4, 0.2], [3.0, 2.5]).error == pytest.approx(0.5 / 3)


def test_one_edge_has_no_limit() -> None:
    with pytest.raises(InputError, match=r"1 voxel edges came but at least two different ones are due"):
        richardson([0.4, 0.4], [3.0, 3.0])


def test_the_tortuosity_factor_of_balls_tends_to_one_limit_from_two_pairs_of_edges() -> None:
    def balls(edge: float) -> Voxels:
        n = round(8 / edge)
        place = (np.indices((n,) * 3) + 0.5) * edge
        seats = np.random.default_rng(5).uniform(0, 8, (9, 3))
        solid = np.zeros((n,) * 3, dtype=bool)
        for seat in seats:
            gap = [(place[axis] - seat[axis] + 4) % 8 - 4 for axis in range(3)]
            solid |= gap[0] ** 2 + gap[1] ** 2 + gap[2] ** 2 < 2.2**2
        return Voxels(np.where(solid, ACTIVE, PORE).astype(np.uint8), np.zeros((n,) * 3, dtype=np.int32), edge)

    def tau(voxels: Voxels) -> float:
        return transport(voxels.phase, {PORE: 1.0}, 2, SIDES).tortuosity_factor(fractions(voxels)["pore"])

    edges = (0.8, 0.4, 0.2, 0.1)
    values = [tau(balls(edge)) for edge in edges]
    assert values == sorted(values, reverse=True)
    limits = [richardson(edges[at : at + 2], values[at : at + 2]).value for at in range(3)]
    assert max(limits) < values[-1]
    assert abs(limits[2] - limits[1]) < 0.5 * (values[2] - values[3])


@pytest.mark.parametrize("factor", [2, 3])
def test_a_coarser_image_keeps_its_shares_and_its_extent(factor: int) -> None:
    fine = image((48, 48, 42))
    coarse = coarsened(fine, factor)
    assert coarse.phase.shape == tuple(n // factor for n in fine.phase.shape)
    assert coarse.edge == fine.edge * factor
    assert fractions(coarse) == pytest.approx(fractions(fine), abs=2 / coarse.phase.size)
    np.testing.assert_array_equal((coarse.particle > 0) & (coarse.phase != ACTIVE), False)


def test_larger_cubes_scatter_less_and_the_edge_that_is_due_is_carried_on() -> None:
    found = representative(image((64, 64, 64)), lambda one: fractions(one)["pore"], seed=3, cubes=20)
    assert [one.edge for one in found] == sorted(one.edge for one in found)
    assert found[0].sd > found[-1].sd
    assert edge_for([Scatter(10.0, 0.5, 0.04, 9)], 0.01, relative=False) == pytest.approx(10 * 4 ** (2 / 3))
    assert edge_for([Scatter(10.0, 2.0, 0.1, 9)], 0.05, relative=True) == pytest.approx(10.0)
