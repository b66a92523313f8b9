"""Drainage, imbibition and porosimetry against pores of known width."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesoforge.physics.beads import ACTIVE
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.microstructure.wetting import Wetting, wetting
from mesoforge.physics.voxels import PORE, Voxels

EDGE = 0.5


def image(phase: np.ndarray) -> Voxels:
    return Voxels(phase.astype(np.uint8), (phase == ACTIVE).astype(np.int32), EDGE)


@pytest.fixture(scope="module")
def ink_bottle() -> Wetting:
    """Return the curves of a wide chamber behind a narrow neck that opens to the surface."""
    x, y, z = np.indices((36, 36, 60)) + 0.5
    away = np.hypot(x - 18, y - 18)
    phase = np.where(((z > 30) & (away < 5)) | ((z > 4) & (z < 34) & (away < 14)), PORE, ACTIVE)
    return wetting(image(phase), tension=40.0)


def test_the_neck_decides_when_the_chamber_drains(ink_bottle: Wetting) -> None:
    pressure, share = ink_bottle.drainage.T
    neck = 2 * 40.0 / (5 * EDGE)  # 2 gamma / r
    assert share[pressure < 0.8 * neck].max(initial=0.0) < 0.1
    assert share[0] < 0.1
    assert share[pressure > 1.3 * neck].min() > 0.8


def test_the_chamber_soaks_at_its_own_lower_pressure(ink_bottle: Wetting) -> None:
    pressure, share = ink_bottle.imbibition.T
    half = pressure[np.argmin(np.abs(share - 0.5))]
    drained, held = ink_bottle.drainage.T
    assert half < 0.7 * drained[np.argmin(np.abs(held - 0.5))]


def test_porosimetry_sees_the_neck_in_place_of_the_chamber(ink_bottle: Wetting) -> None:
    diameter, share = ink_bottle.porosimetry.T
    assert (np.diff(share) >= 0).all()
    assert share[diameter > 12 * EDGE].max(initial=0.0) < 0.1
    assert share[diameter < 9 * EDGE].min() > 0.8


def test_a_smaller_tension_needs_less_pressure(tmp_path: Path) -> None:
    phase = np.full((16, 16, 20), ACTIVE)
    phase[3:13, 3:13, 2:] = PORE
    strong, weak = (wetting(image(phase), tension=tension) for tension in (40.0, 20.0))
    np.testing.assert_allclose(weak.drainage[:, 0], strong.drainage[:, 0] / 2)
    strong.save(tmp_path / "curves.csv")
    rows = (tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "curve,pressure_kPa_or_diameter_um,share"
    assert {row.split(",")[0] for row in rows[1:]} == {"drainage", "imbibition", "porosimetry"}


def test_a_closed_surface_lets_nothing_in() -> None:
    phase = np.full((8, 8, 8), ACTIVE)
    phase[2:5, 2:5, 2:5] = PORE
    with pytest.raises(PhysicsError, match="no pore is open to the free surface"):
        wetting(image(phase))
