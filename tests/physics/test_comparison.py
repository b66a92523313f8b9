"""An electrode beside a tomogram: like is compared with like."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mesoforge.errors import InputError
from mesoforge.physics.beads import ACTIVE, CBD
from mesoforge.physics.microstructure.comparison import COMPARED, compare, resampled, two_phases
from mesoforge.physics.microstructure.phases import fractions
from mesoforge.physics.voxels import CLOSED, PORE, Voxels


def random_image(shape: tuple[int, int, int], edge: float, seed: int = 1, share: float = 0.5) -> Voxels:
    """Return smoothed noise of one length scale [um] in voxels of an edge [um]."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.0 / edge)
    phase = np.where(noise < np.quantile(noise, share), ACTIVE, PORE).astype(np.uint8)
    return Voxels(phase, np.zeros(shape, dtype=np.int32), edge, CLOSED, whole=False)


def test_a_piece_of_the_tomogram_itself_does_not_stand_out() -> None:
    real = random_image((64, 64, 40), 0.5)
    own = Voxels(real.phase[16:48, 16:48].copy(), real.particle[16:48, 16:48].copy(), 0.5, CLOSED)
    found = compare(own, real, 9)
    assert found.names == tuple(COMPARED)
    assert found.table.shape == (9, len(COMPARED))
    assert np.abs((found.numbers - found.mean) / found.sd).max() < 3
    assert found.typical.phase.shape == found.electrode.phase.shape == (32, 32, 40)
    np.testing.assert_allclose(found.profiles.shape, (9, 40))


def test_a_denser_electrode_stands_out_where_it_should() -> None:
    found = compare(random_image((40, 40, 40), 0.5, 2, 0.7), random_image((80, 80, 60), 0.5), 8)
    deviation = dict(zip(found.names, (found.numbers - found.mean) / found.sd, strict=True))
    assert deviation["pores"] < -4
    assert deviation["tortuosity_factor_z"] > 4


def test_finer_voxels_are_brought_to_the_coarser_ones_without_loss_of_volume() -> None:
    fine, coarse = random_image((80, 80, 80), 0.25), random_image((60, 60, 60), 0.5)
    assert compare(fine, coarse, 2).electrode.edge == 0.5
    assert compare(coarse, fine, 2).electrode.edge == 0.5
    small = resampled(fine, 0.4)
    assert small.phase.shape == (50, 50, 50)
    assert fractions(small)["active_material"] == pytest.approx(fractions(fine)["active_material"], abs=1e-4)


def test_resampling_leaves_a_ball_where_it_was() -> None:
    place = np.indices((60, 60, 60)) + 0.5
    ball = sum((place[axis] - centre) ** 2 for axis, centre in enumerate((20, 30, 36))) < 12**2
    fine = Voxels(np.where(ball, ACTIVE, PORE).astype(np.uint8), np.zeros(ball.shape, dtype=np.int32), 0.2, CLOSED)
    found = np.argwhere(resampled(fine, 0.3).phase == ACTIVE) + 0.5
    np.testing.assert_allclose(found.mean(axis=0) * 0.3, np.array([20, 30, 36]) * 0.2, atol=0.05)


def test_cbd_counts_as_pore_in_both() -> None:
    phase = np.full((4, 4, 4), CBD, dtype=np.uint8)
    assert not two_phases(Voxels(phase, np.zeros((4, 4, 4), dtype=np.int32), 1.0)).phase.any()


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(InputError, match=r"20 sub-volumes of 6 x 30 x 30 voxels were asked for but at least 2 of 8"):
        compare(random_image((6, 30, 30), 0.5), random_image((40, 40, 40), 0.5))
