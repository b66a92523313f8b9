"""Generated particles: their closed forms, their statistics and how alike two libraries are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesoforge.errors import InputError
from mesoforge.physics.recipe import Particles
from mesoforge.physics.shapes.figures import figures, inertia
from mesoforge.physics.shapes.fitted import FittedShapes, Generator, fit, generate, load_statistics
from mesoforge.physics.shapes.likeness import likeness
from mesoforge.physics.shapes.outline import (
    Outline,
    degrees,
    ellipsoid_radius,
    even_directions,
    harmonics,
    measured,
)
from mesoforge.physics.shapes.shape import inertia_axes, random_rotation
from mesoforge.physics.shapes.synthetic import PlateletShapes, SyntheticShapes

SMOOTH = np.zeros(len(degrees()))
NMC = load_statistics()


def lumps(size: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, len(degrees()))


def test_harmonics_are_orthonormal_and_as_many_as_their_degrees() -> None:
    directions = even_directions(12000)
    basis = harmonics(directions)
    assert basis.shape == (12000, 17**2 - 3**2)
    np.testing.assert_allclose(basis.T @ basis * 4 * np.pi / 12000, np.eye(280), atol=0.02)


def test_a_smooth_outline_is_its_ellipsoid() -> None:
    outline = Outline.of(10.0, (0.8, 0.7), SMOOTH)
    a = 5 / np.cbrt(0.8 * 0.8 * 0.7)
    directions = even_directions(500)
    radius = ellipsoid_radius(directions, a * np.array([1, 0.8, 0.56]))
    np.testing.assert_allclose(outline.level(directions * radius[:, None]), 1, atol=3e-3)


@pytest.mark.parametrize("size", [0.0, 0.02, 0.03])
def test_an_outline_has_the_volume_and_axes_that_were_asked_for(size: float) -> None:
    rng = np.random.default_rng(1)
    mask = Outline.of(20.0, (0.85, 0.8), lumps(size, 2)).mask(0.5, random_rotation(rng), rng.random(3) - 0.5)
    assert mask.sum() * 0.125 == pytest.approx(np.pi / 6 * 20**3, rel=0.02)
    axes = inertia(mask)[1]
    assert axes[1] / axes[0] == pytest.approx(0.85, abs=0.04)
    assert axes[2] / axes[1] == pytest.approx(0.8, abs=0.05)


def test_the_outline_of_voxels_is_the_one_they_were_made_from() -> None:
    given = np.where(degrees() <= 6, lumps(0.04, 3), 0)
    mask = Outline.of(40.0, (0.9, 0.75), given).mask(1.0, np.eye(3), np.zeros(3))
    axes, found = measured(mask)
    assert axes[2] / axes[0] == pytest.approx(0.675, abs=0.04)
    roots = [np.sqrt((c**2).sum() / (4 * np.pi)) for c in (given, found)]
    assert roots[1] == pytest.approx(roots[0], rel=0.15)
    assert measured(Outline.of(40.0, (0.9, 0.75), SMOOTH).mask(1.0, np.eye(3), np.zeros(3)))[1].std() < 0.004


def test_a_rougher_outline_has_more_surface_and_is_less_solid() -> None:
    found = [
        figures(Outline.of(24.0, (0.9, 0.9), lumps(size, 4)).mask(1.0, np.eye(3), np.zeros(3)), 1.0)
        for size in (0.0, 0.03, 0.06)
    ]
    assert found[0].solidity > found[1].solidity > found[2].solidity
    assert found[0].wadell > found[1].wadell > found[2].wadell


def test_what_is_shipped_is_a_real_cathode_and_small() -> None:
    assert NMC.particles > 1000
    assert len(NMC.spectrum) == 14
    assert sum(NMC.spectrum) == pytest.approx(1, abs=1e-3)
    assert all(np.all(np.diff(values) >= 0) for values in NMC.quantiles.values())


def test_drawn_particles_have_the_quantiles_and_correlations_of_the_statistics() -> None:
    generator, rng = Generator(NMC), np.random.default_rng(5)
    drawn = [generator._figures(rng, None) for _ in range(4000)]
    for name, values in NMC.quantiles.items():
        came = np.quantile([one[name] for one in drawn], [0.1, 0.5, 0.9])
        due = np.interp([0.1, 0.5, 0.9], np.linspace(0.005, 0.995, 34), values)
        np.testing.assert_allclose(came, due, rtol=0.04)
    given = [generator._figures(rng, 8.0) for _ in range(500)]
    assert np.std([one["diameter"] for one in given]) < 1e-9


def test_generating_fitting_and_generating_again_changes_little(tmp_path: Path) -> None:
    first = generate(NMC, 60, 0.6, 1, tmp_path / "first.h5")
    again = generate(fit(first, sample=30), 60, 0.6, 2, tmp_path / "again.h5")
    for name, found in likeness(first, again).items():
        assert found.ks < 0.35, f"{name}: 1.95 (2 / 60)^(1/2) is exceeded by chance once in a thousand"


def test_the_same_seed_generates_the_same_library(tmp_path: Path) -> None:
    names = [generate(NMC, 5, 0.5, seed, tmp_path / "a.h5").content_sha256 for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]


def test_a_library_is_as_far_from_itself_as_nothing_and_from_another_as_they_differ(tmp_path: Path) -> None:
    library = generate(NMC, 60, 0.6, 1, tmp_path / "one.h5")
    for found in likeness(library, library).values():
        assert found.ks == 0
        assert found.wasserstein == 0
        assert 0.05 < found.halves < 0.5
    smooth = NMC.model_copy(update={"quantiles": NMC.quantiles | {"roughness": [0.01] * 34}})
    other = likeness(library, generate(smooth, 60, 0.6, 1, tmp_path / "other.h5"))
    assert other["solidity"].ks > 0.5
    assert other["diameter"].ks < 0.35


@pytest.mark.parametrize("beads", [2, 9, 57, 400])
def test_a_fitted_particle_has_exactly_the_beads_that_were_asked_for(beads: int) -> None:
    source = FittedShapes(Particles(source="fitted"))
    shape = source.shape(beads, np.random.default_rng(beads))
    assert len(np.unique(np.round(shape.beads / shape.pitch, 6), axis=0)) == beads
    np.testing.assert_allclose(shape.beads.mean(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("wanted", [0.6, 0.7])
def test_platelets_have_two_long_axes_and_the_sphericity_that_was_asked_for(wanted: float) -> None:
    flat = Particles(source="platelets", sphericity=wanted, sphericity_sd=0.0, roughness=0.0)
    shapes = [PlateletShapes(flat).shape(400, np.random.default_rng(seed)) for seed in range(8)]
    axes = np.array([inertia_axes(shape.beads) for shape in shapes])
    assert {len(shape.beads) for shape in shapes} == {400}
    assert (axes[:, 1] / axes[:, 0] > 0.8).all()
    assert ((axes[:, 1] * axes[:, 2] / axes[:, 0] ** 2) ** (1 / 3)).mean() == pytest.approx(wanted, abs=0.02)
    lumps = [SyntheticShapes(flat).shape(400, np.random.default_rng(seed)) for seed in range(8)]
    assert np.mean([inertia_axes(shape.beads)[1] / inertia_axes(shape.beads)[0] for shape in lumps]) < 0.7


def test_wrong_statistics_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("source: mine\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"wrong\.yaml: 'particles' is missing: add it\."):
        load_statistics(path)
