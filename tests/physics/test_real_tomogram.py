"""Particles of a real tomogram against a second opinion, and of touching ellipsoids against the truth."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from phantoms import phantom

from mesoforge.physics.shapes.blocks import cut, scratch
from mesoforge.physics.shapes.extract import Extraction, extract
from mesoforge.physics.shapes.phantom import recovered
from mesoforge.physics.shapes.phase import Phase
from mesoforge.physics.shapes.separate import Watershed, separate
from mesoforge.physics.shapes.stack import Layout, array_stack, open_stack

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SOURCE = DATA / "nmc_ct_calendered.npz"


@pytest.mark.slow
@pytest.mark.skipif(not SOURCE.exists(), reason="the tomogram is not part of the repository")
def test_a_real_electrode_s_particles_agree_with_a_second_opinion(tmp_path: Path) -> None:
    found = extract(open_stack(SOURCE, Layout()), Extraction(label=1), tmp_path / "nmc.h5").library
    with (DATA / "nmc_ct_calendered_particles.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    other = {name: np.array([float(row[name]) for row in rows]) for name in ("d_eq_um", "krumbein_sphericity")}
    assert len(found) == pytest.approx(len(rows), rel=0.15)
    assert np.median(found.diameters) == pytest.approx(np.median(other["d_eq_um"]), rel=0.05)
    assert found.figures["krumbein"].mean() == pytest.approx(other["krumbein_sphericity"].mean(), abs=0.03)


@pytest.mark.slow
def test_three_hundred_touching_ellipsoids_are_recovered() -> None:
    truth = phantom(300, 20, 0.5)
    stack = array_stack((truth > 0).astype(np.uint8), 1.0)
    blocks = cut(stack.shape, None)
    with scratch(blocks) as arrays:
        found = separate(stack, Phase(1, None), blocks, Watershed(), arrays)
        same, ratio = recovered(truth, found.image((slice(None), slice(None), slice(None))))
    assert (truth > 0).mean() == pytest.approx(0.5, abs=0.02)
    assert same.mean() >= 0.95
    assert np.nanmean(ratio) == pytest.approx(1, abs=0.03)
    assert (np.abs(ratio[same] - 1) < 0.03).mean() > 0.95
