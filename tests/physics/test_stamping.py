"""Balls stamped into voxels against a slow twin."""

from __future__ import annotations

import numpy as np
import pytest

from mesoforge.errors import InputError
from mesoforge.physics.microstructure.stamping import stamp

EDGE, SHAPE = 0.5, (20, 16, 12)


def slow_twin(position: np.ndarray, radius: np.ndarray, label: np.ndarray) -> np.ndarray:
    image = np.zeros(SHAPE, dtype=np.int32)
    middle = (np.indices(SHAPE) + 0.5) * EDGE
    for place, reach, name in zip(position, radius, label, strict=True):
        gap = middle - place[:, None, None, None]
        for axis in range(2):
            side = SHAPE[axis] * EDGE
            gap[axis] -= side * np.round(gap[axis] / side)
        image[(gap**2).sum(axis=0) <= reach**2] = name
    return image


def test_balls_are_where_a_slow_twin_puts_them() -> None:
    rng = np.random.default_rng(3)
    position = rng.uniform(-2, 12, (40, 3))
    radius, label = rng.uniform(0.3, 2.5, 40), np.arange(1, 41, dtype=np.int32)
    found = stamp(position, radius, label, EDGE, SHAPE)
    np.testing.assert_array_equal(found, slow_twin(position, radius, label))
    assert len(np.unique(found)) > 20


def test_a_ball_has_the_volume_of_a_ball() -> None:
    found = stamp(np.array([[5.0, 0.1, 3.0]]), np.array([2.9]), np.array([7], dtype=np.int32), 0.1, (100, 80, 60))
    assert (found == 7).sum() * 0.1**3 == pytest.approx(4 / 3 * np.pi * 2.9**3, rel=2e-3)


def test_no_ball_leaves_no_mark_and_too_wide_a_one_is_refused() -> None:
    assert not stamp(np.empty((0, 3)), np.empty(0), np.empty(0, dtype=np.int32), EDGE, SHAPE).any()
    with pytest.raises(InputError, match=r"a ball is 9 um wide but the side only 8 um"):
        stamp(np.zeros((1, 3)), np.array([4.5]), np.ones(1, dtype=np.int32), EDGE, SHAPE)
