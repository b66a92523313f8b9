"""Shapes of secondary particles: exact bead counts, closed forms of their figures, uniform rotations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from mesoforge.physics.recipe import Particles
from mesoforge.physics.shapes.shape import Points, inertia_axes, krumbein_sphericity, random_rotation
from mesoforge.physics.shapes.synthetic import SyntheticShapes

PITCH = 1.284
SOURCE = SyntheticShapes(Particles())


def block(*edges: int) -> Points:
    """Return the beads of a box of so many beads along each edge."""
    return np.asarray(np.argwhere(np.ones(edges)) * PITCH, dtype=np.float64)


def lattice(beads: Points) -> np.ndarray:
    """Return the occupied cells of the lattice that beads lie on."""
    cells = np.round((beads - beads.min(axis=0)) / PITCH).astype(int)
    image = np.zeros(cells.max(axis=0) + 1, dtype=bool)
    image[tuple(cells.T)] = True
    return image


@pytest.mark.parametrize("beads", [2, 3, 7, 30, 57, 300, 1100])
def test_a_particle_has_exactly_the_beads_that_were_asked_for(beads: int) -> None:
    shape = SOURCE.shape(beads, np.random.default_rng(beads))
    assert len(shape.beads) == beads
    assert lattice(shape.beads).sum() == beads
    np.testing.assert_allclose(shape.beads.mean(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("beads", [7, 30, 57, 300])
def test_a_particle_hangs_together_by_the_faces_of_its_beads(beads: int) -> None:
    for seed in range(40):
        _, parts = label(lattice(SOURCE.shape(beads, np.random.default_rng(seed)).beads))
        assert parts == 1, seed


@pytest.mark.parametrize("beads", [30, 60, 200])
def test_mean_sphericity_is_that_of_the_paper(beads: int) -> None:
    rng = np.random.default_rng(5)
    found = [krumbein_sphericity(SOURCE.shape(beads, rng).beads) for _ in range(80)]
    assert 0.7 < np.mean(found) < 0.8
    assert 0.01 < np.std(found) < 0.1


def test_asking_for_rounder_particles_gives_rounder_particles() -> None:
    means = []
    for wanted in (0.6, 0.75, 0.9):
        source, rng = (
            SyntheticShapes(Particles(sphericity=wanted, sphericity_sd=0.0, roughness=0.0)),
            np.random.default_rng(1),
        )
        means.append(np.mean([krumbein_sphericity(source.shape(400, rng).beads) for _ in range(10)]))
    assert means == pytest.approx([0.6, 0.75, 0.9], abs=0.02)


@pytest.mark.parametrize("edges", [(1, 1, 1), (4, 4, 4), (8, 4, 2), (9, 3, 3)])
def test_the_inertia_ellipsoid_of_a_block_of_points_is_known(edges: tuple[int, int, int]) -> None:
    a, b, c = np.sqrt(np.array(sorted(edges, reverse=True)) ** 2 - 1)
    axes = inertia_axes(block(*edges))
    np.testing.assert_allclose(axes, np.array([a, b, c]) * PITCH * np.sqrt(5 / 12), rtol=1e-9, atol=1e-9)
    if a:
        assert krumbein_sphericity(block(*edges)) == pytest.approx((b * c / a**2) ** (1 / 3))


def beaded_ellipsoid(axes: np.ndarray, beads: int, rng: np.random.Generator) -> tuple[Points, np.ndarray]:
    """Return the beads of an ellipsoid on a lattice that lies anyhow, and the semi-axes that give it their volume."""
    semi = axes * np.cbrt(beads * PITCH**3 * 3 / (4 * np.pi * axes.prod()))
    reach = np.arange(-12, 13)
    places = (np.stack(np.meshgrid(reach, reach, reach), axis=-1).reshape(-1, 3) + rng.random(3)) * PITCH
    depth = (((places @ random_rotation(rng)) / semi) ** 2).sum(axis=1)
    return places[np.argsort(depth)[:beads]], semi


@pytest.mark.parametrize(("beads", "mean", "single"), [(200, 0.01, 0.02), (60, 0.02, 0.06)])
def test_axes_and_sphericity_of_ellipsoids_are_found(beads: int, mean: float, single: float) -> None:
    rng, errors = np.random.default_rng(7), []
    for _ in range(200):
        axes = np.sort(rng.uniform(0.55, 1, 3))[::-1]
        made, semi = beaded_ellipsoid(axes, beads, rng)
        due = (semi[1] * semi[2] / semi[0] ** 2) ** (1 / 3)
        errors.append([*(inertia_axes(made) / semi - 1), krumbein_sphericity(made) / due - 1])
    assert (np.abs(np.mean(errors, axis=0)) < mean).all()
    assert (np.sqrt(np.mean(np.square(errors), axis=0)) < single).all()  # how far one particle is off


def test_the_inertia_ellipsoid_of_a_ball_is_the_ball() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3), axis=-1).reshape(-1, 3)
    ball = grid[np.linalg.norm(grid, axis=1) < 11.5] * PITCH
    radius = (len(ball) * 3 / (4 * np.pi)) ** (1 / 3) * PITCH
    assert inertia_axes(ball) == pytest.approx([radius] * 3, rel=0.005)
    assert krumbein_sphericity(ball) == pytest.approx(1, abs=1e-9)


def test_turning_a_particle_does_not_change_its_figures() -> None:
    shape, rng = SOURCE.shape(100, np.random.default_rng(3)), np.random.default_rng(4)
    turned = shape.beads @ random_rotation(rng).T
    np.testing.assert_allclose(inertia_axes(turned), inertia_axes(shape.beads), rtol=1e-9)


def test_rotations_are_rotations_and_uniform_over_all_orientations() -> None:
    rng = np.random.default_rng(6)
    matrices = np.array([random_rotation(rng) for _ in range(4000)])
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1), np.broadcast_to(np.eye(3), matrices.shape), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1)
    turned = matrices[:, :, 2]
    np.testing.assert_allclose(turned.mean(axis=0), 0, atol=4 / np.sqrt(3 * 4000))
    heights = np.sort(turned[:, 2])
    uniform = np.linspace(-1, 1, len(heights))
    assert np.abs(heights - uniform).max() < 2 * 1.63 / np.sqrt(4000)
    angles = np.arccos(np.clip((np.trace(matrices, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert angles.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.04)


def test_the_same_seed_gives_the_same_particle_and_another_one_another() -> None:
    first, same, other = (SOURCE.shape(60, np.random.default_rng(seed)).beads for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
