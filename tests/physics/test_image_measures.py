"""Phases, surfaces, flatness, particles and correlation of images whose answers are known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from making import small
from scipy.ndimage import gaussian_filter

from mesoforge.errors import InputError
from mesoforge.physics.beads import ACTIVE, CBD
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.microstructure.correlation import correlation_length, mean_chord, two_point, two_point_of_tiles
from mesoforge.physics.microstructure.flatness import height_map, roughness
from mesoforge.physics.microstructure.interfaces import DIRECTIONS, WEIGHTS, coverage, surface_areas
from mesoforge.physics.microstructure.measure import IMAGE_PROPERTIES, MEASURES, measure
from mesoforge.physics.microstructure.particles import order_parameter, particle_table
from mesoforge.physics.microstructure.phases import heterogeneity
from mesoforge.physics.microstructure.pores import Markers, local_diameters, pore_network
from mesoforge.physics.microstructure.quantity import Conductors, Property, quantity
from mesoforge.physics.microstructure.separation import EXTENT
from mesoforge.physics.shapes.shape import krumbein_sphericity
from mesoforge.physics.shapes.synthetic import SyntheticShapes
from mesoforge.physics.voxels import CLOSED, PORE, SIDES, Periodic, Voxels

EDGE = 0.5
DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def image(phase: np.ndarray, particle: np.ndarray | None = None, periodic: Periodic = SIDES, **said: bool) -> Voxels:
    own = (phase == ACTIVE).astype(np.int32) if particle is None else particle.astype(np.int32)
    return Voxels(phase.astype(np.uint8), own, EDGE, periodic, **said)


def ellipsoid(semi: tuple[float, float, float], shape: int = 64, centre: float = 32.0) -> np.ndarray:
    """Return the voxels inside an ellipsoid of those semi-axes [voxels], across periodic sides."""
    place = (np.indices((shape,) * 3) + 0.5 - centre + shape / 2) % shape - shape / 2
    inside: np.ndarray = sum((place[axis] / semi[axis]) ** 2 for axis in range(3)) < 1
    return inside


def mixture(seed: int = 2, shape: tuple[int, int, int] = (20, 18, 24)) -> Voxels:
    phase = np.random.default_rng(seed).choice(3, size=shape, p=[0.5, 0.3, 0.2])
    return image(phase)


def test_every_measure_finds_what_it_promises_on_a_mixture_and_on_a_piece() -> None:
    for voxels in (mixture(), image(mixture().phase, np.zeros((20, 18, 24)), CLOSED, whole=False)):
        for one in MEASURES:
            assert set(one.run(voxels, Conductors())) == set(one.properties), one.name


def test_every_property_of_an_image_can_be_an_objective() -> None:
    assert set(IMAGE_PROPERTIES) <= set(PROPERTIES)
    assert len(IMAGE_PROPERTIES) == sum(len(one.properties) for one in MEASURES)


def test_what_is_not_known_has_a_word_and_no_number() -> None:
    solid = image(np.where(np.indices((10, 10, 12)).sum(axis=0) % 2, ACTIVE, PORE), np.zeros((10, 10, 12)))
    found = measure(solid, only=["transport", "particles"])
    assert "tortuosity_factor_z" not in found.numbers
    assert found["tortuosity_factor_z"].word == "does not percolate along z: no path joins the two faces"
    assert found["wadell_sphericity_mean"].word == "particles are not told apart in this image"
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["tortuosity_factor_z"]["value"] is None
    frame = found.to_frame()
    assert frame.loc["tortuosity_factor_x", "word"].startswith("does not percolate along x")
    assert quantity("a", Property("um", "length"), math.inf).word == "infinite"


def odd(kind: str) -> np.ndarray:
    """Return an image that has hardly anything to measure."""
    phase = np.full((20, 20, 20), ACTIVE)
    match kind:
        case "cavity":
            phase[8:12, 8:12, 8:12] = PORE
        case "dust":
            phase[::5, ::5, ::5] = PORE
        case "no pore":
            phase[:10] = CBD
        case "one solid":
            phase[:] = PORE
            phase[8, 8, 8] = ACTIVE
        case "tiny":
            phase = np.array([ACTIVE, PORE] * 4).reshape(2, 2, 2)
        case "slab":
            phase[:, :, 10:] = PORE
    return phase


@pytest.mark.parametrize("kind", ["cavity", "dust", "no pore", "one solid", "tiny", "slab"])
def test_an_image_with_hardly_anything_in_it_is_measured_as_far_as_there_is_something(kind: str) -> None:
    found = measure(image(odd(kind)))
    assert all(math.isfinite(value) for value in found.numbers.values())
    assert all(one.word for one in found.quantities.values() if one.value is None)
    assert ("tortuosity_factor_z" in found.numbers) == (kind in ("one solid", "no pore"))


def test_a_measure_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"'beauty' is no measure: use one of phases, transport"):
        measure(mixture(), only=["beauty"])


def test_open_and_closed_pores_are_told_apart() -> None:
    phase = np.full((12, 12, 12), ACTIVE)
    phase[2:4, 2:4, 6:] = PORE  # open to the surface
    phase[7:9, 7:9, 4:6] = PORE  # closed
    phase[0, 0, 2:4] = phase[0, 11, 3:] = PORE  # open through the periodic side
    found = measure(image(phase), only=["phases"]).numbers
    assert found["porosity_open"] == pytest.approx((24 + 2 + 9) / 12**3)
    assert found["porosity_closed"] == pytest.approx(8 / 12**3)
    assert found["porosity_resolved"] == pytest.approx(found["porosity_open"] + found["porosity_closed"])


def test_porosity_counts_the_share_of_nanopores_that_is_given() -> None:
    voxels = mixture()
    found = [measure(voxels, Conductors(nano), ["phases"]).numbers["porosity_voxels"] for nano in (0.0, 0.47)]
    assert found[1] - found[0] == pytest.approx(0.47 * np.mean(voxels.phase == CBD))


def test_an_even_image_has_no_heterogeneity_and_a_layered_one_has_that_of_its_layers() -> None:
    phase = np.zeros((4, 4, 20))
    phase[:2] = ACTIVE
    assert heterogeneity(image(phase))["active_material"] == 0
    phase = np.zeros((4, 4, 20))
    phase[:, :, ::2] = ACTIVE
    assert heterogeneity(image(phase))["active_material"] == pytest.approx(1)
    phase[:, :, 2:-2] = ACTIVE  # loose faces of 1 um, an even bulk
    assert heterogeneity(image(phase), face=1.0)["active_material"] == 0


def test_the_weights_of_the_directions_cover_the_sphere() -> None:
    assert WEIGHTS.sum() == pytest.approx(1, abs=1e-5)
    assert len(np.unique(np.abs(DIRECTIONS) @ [1, 10, 100])) == 7


@pytest.mark.parametrize("radius", [8.0, 14.0, 20.0])
def test_the_surface_of_a_sphere_is_known_within_two_per_cent(radius: float) -> None:
    ball = image(np.where(ellipsoid((radius,) * 3, centre=31.6), ACTIVE, PORE))
    area = surface_areas(ball)[ACTIVE, PORE] * ball.phase.size * EDGE**3
    assert area == pytest.approx(4 * np.pi * (radius * EDGE) ** 2, rel=0.02)


def test_marching_cubes_find_the_same_surface_a_little_larger() -> None:
    from skimage import measure as meshes

    inside = ellipsoid((20, 14, 9))
    find, area_of = (getattr(meshes, name) for name in ("marching_cubes", "mesh_surface_area"))  # untyped
    vertices, faces, *_ = find(inside.astype(float), 0.5, spacing=(EDGE,) * 3)
    theirs = float(area_of(vertices, faces))
    ours = surface_areas(image(np.where(inside, ACTIVE, PORE)))[ACTIVE, PORE] * inside.size * EDGE**3
    assert 1.0 < theirs / ours < 1.12  # the facets of a binary image overstate a smooth surface by 6 to 10 %


def test_areas_are_shared_out_between_neighbours() -> None:
    phase = np.zeros((16, 16, 30))
    phase[:, :, 5:10], phase[:, :, 10:20] = CBD, ACTIVE
    particle = np.zeros_like(phase)
    particle[:8, :, 10:20], particle[8:, :, 10:20] = 1, 2
    area = surface_areas(image(phase, particle)) * 30 * EDGE  # per area of collector
    flat = area[ACTIVE, PORE]
    assert area[ACTIVE, CBD] == pytest.approx(flat)
    assert area[CBD, PORE] == pytest.approx(flat)
    assert flat == pytest.approx(1, rel=0.1)  # a lattice plane is the worst case of thirteen directions
    assert area[ACTIVE, ACTIVE] == pytest.approx(2 * 10 / 16, rel=0.12)


def test_coverage_is_what_lies_on_the_collector() -> None:
    phase = np.zeros((10, 10, 5))
    phase[:3, :, 0], phase[3:4, :, 0] = ACTIVE, CBD
    assert coverage(image(phase)) == pytest.approx({PORE: 0.6, ACTIVE: 0.3, CBD: 0.1})


def test_a_wave_on_the_surface_has_its_own_roughness_and_the_collector_none() -> None:
    x, _, z = np.indices((200, 4, 60))
    phase = np.where(z < 40 + 12 * np.sin(2 * np.pi * (x + 0.5) / 200), ACTIVE, PORE)
    sa, sq = roughness(height_map(image(phase)))
    assert sa == pytest.approx(12 * EDGE * 2 / np.pi, rel=0.02)
    assert sq == pytest.approx(12 * EDGE / np.sqrt(2), rel=0.02)
    assert roughness(height_map(image(phase), from_above=False)) == (0, 0)


@pytest.mark.parametrize("centre", [32.0, 1.3])
def test_axes_and_sphericity_of_an_ellipsoid_are_found_even_across_the_sides(centre: float) -> None:
    semi = (15.0, 11.0, 8.0)
    inside = ellipsoid(semi, centre=centre)
    table = particle_table(image(np.where(inside, ACTIVE, PORE), periodic=(True, True, True)))
    np.testing.assert_allclose(table.axes[0], np.array(semi) * EDGE, rtol=0.01)
    assert table.krumbein[0] == pytest.approx((11 * 8 / 225) ** (1 / 3), rel=0.01)
    assert table.volume[0] == pytest.approx(4 / 3 * np.pi * np.prod(semi) * EDGE**3, rel=0.01)
    assert abs(table.direction[0, 0]) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(table.centre[0] / EDGE % 64, centre, atol=0.5)
    p = 1.6075  # Thomsen's formula for the surface of an ellipsoid
    a, b, c = np.array(semi) * EDGE
    surface = 4 * np.pi * (((a * b) ** p + (a * c) ** p + (b * c) ** p) / 3) ** (1 / p)
    assert table.area[0] == pytest.approx(surface, rel=0.02)
    assert table.wadell[0] < 1


def test_a_ball_is_round_and_a_small_one_is_not_reported() -> None:
    ball = particle_table(image(np.where(ellipsoid((15, 15, 15)), ACTIVE, PORE)))
    assert ball.krumbein[0] == pytest.approx(1, abs=0.01)
    assert ball.wadell[0] == pytest.approx(1, abs=0.02)
    assert len(particle_table(image(np.where(ellipsoid((3, 3, 3)), ACTIVE, PORE))).number) == 0
    cut = np.where(ellipsoid((15, 15, 15), centre=10), ACTIVE, PORE)
    assert len(particle_table(image(cut, periodic=CLOSED, whole=False)).number) == 0


def test_another_program_found_the_same_particles_in_a_tomogram() -> None:
    labels, table = DATA / "nmc_ct_calendered_particle_labels.npz", DATA / "nmc_ct_calendered_particles.csv"
    if not labels.exists() or not table.exists():
        pytest.skip("the tomogram's particles are not beside this checkout")
    with np.load(labels, allow_pickle=False) as arrays:
        particle, edge = arrays["labels"].astype(np.int32), float(arrays["voxel_um"])
    found = particle_table(Voxels((particle > 0).astype(np.uint8), particle, edge, CLOSED, whole=False))
    due = np.genfromtxt(table, delimiter=",", names=True)
    np.testing.assert_array_equal(found.number, np.sort(due["id"]))
    due = due[np.argsort(due["id"])]
    np.testing.assert_allclose(found.diameter, due["d_eq_um"], rtol=1e-3)
    np.testing.assert_allclose(found.krumbein, due["krumbein_sphericity"], rtol=0.015)


def test_the_order_parameter_is_one_upright_zero_at_random_and_minus_a_half_flat() -> None:
    rng = np.random.default_rng(1)
    random = rng.normal(size=(20000, 3))
    random /= np.linalg.norm(random, axis=1)[:, None]
    assert order_parameter(np.array([[0.0, 0.0, -1.0]])) == 1
    assert order_parameter(np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])) == -0.5
    assert order_parameter(random) == pytest.approx(0, abs=0.02)


def test_axes_and_sphericity_are_within_two_per_cent_at_two_hundred_voxels() -> None:
    axes = np.array([1.5, 1.1, 0.7]) * (210 * 3 / (4 * np.pi * 1.5 * 1.1 * 0.7)) ** (1 / 3)
    rng, found = np.random.default_rng(4), []
    for _ in range(30):
        place = np.indices((30,) * 3) - 15 + rng.random(3)[:, None, None, None]
        inside = sum((place[axis] / axes[axis]) ** 2 for axis in range(3)) < 1
        table = particle_table(image(np.where(inside, ACTIVE, PORE)))
        found += [(*table.axes[row] / EDGE, table.krumbein[row]) for row in range(len(table.number))]
    due = (*axes, (1.1 * 0.7 / 1.5**2) ** (1 / 3))
    np.testing.assert_allclose(np.mean(found, axis=0), due, rtol=0.02)
    np.testing.assert_allclose(found, np.broadcast_to(due, (len(found), 4)), rtol=0.1)


def test_two_point_correlation_begins_at_the_share_and_ends_at_its_square() -> None:
    rng = np.random.default_rng(3)
    dust = rng.random((40, 40, 40)) < 0.3
    for periodic in (CLOSED, SIDES, (True, True, True)):
        found = two_point(dust, periodic)
        assert found[0] == pytest.approx(dust.mean())
        np.testing.assert_allclose(found[3:], dust.mean() ** 2, rtol=0.03)
        assert correlation_length(found, float(dust.mean())) == pytest.approx(0.5, abs=0.15)


def test_two_point_correlation_counts_pairs_as_a_slow_twin_does() -> None:
    some = np.random.default_rng(8).random((9, 8, 7)) < 0.4
    due, pairs = np.zeros(4), np.zeros(4)
    places = np.argwhere(np.ones_like(some))
    values = some.ravel()
    for one, value in zip(places, values, strict=True):
        gap = places - one
        gap[:, 0] = (gap[:, 0] + 4) % 9 - 4  # periodic along the first axis only
        far = np.rint(np.linalg.norm(gap, axis=1)).astype(int)
        near = far < len(due)
        due += np.bincount(far[near], weights=(value & values)[near], minlength=len(due))
        pairs += np.bincount(far[near], minlength=len(due))
    np.testing.assert_allclose(two_point(some, (True, False, False)), due / pairs, atol=1e-9)


def test_the_correlation_of_tiles_is_that_of_the_pieces_together(monkeypatch: pytest.MonkeyPatch) -> None:
    some = np.random.default_rng(9).random((12, 20, 11)) < 0.3
    np.testing.assert_allclose(two_point_of_tiles(some, (True, True, False)), two_point(some, (True, True, False)))
    monkeypatch.setattr("mesoforge.physics.microstructure.correlation.MOST", 12)
    halves = [two_point(half, (True, False, False)) for half in (some[:, :10], some[:, 10:])]
    np.testing.assert_allclose(two_point_of_tiles(some, (True, True, False)), np.mean(halves, axis=0), atol=1e-9)


def test_the_correlation_of_a_large_image_sees_all_of_it() -> None:
    large = np.random.default_rng(10).random((170, 12, 12)) < 0.5
    moved = np.roll(large, 85, axis=0)
    here, there = (two_point_of_tiles(one, (False, True, True)) for one in (large, moved))
    assert here[0] == pytest.approx(large.mean(), abs=1e-6)
    np.testing.assert_allclose(here, there, atol=1e-6)


def test_chords_of_layers_are_their_thickness() -> None:
    phase = np.zeros((8, 8, 30), dtype=bool)
    phase[:, :, 3:8] = phase[:, :, 15:22] = True
    assert mean_chord(phase, 2) == 6
    assert mean_chord(phase, 0) == 8
    assert mean_chord(phase, 0, closes=True) == 8  # endless, counted as one piece


@pytest.mark.parametrize("by", range(0, 30, 7))
def test_chords_go_on_beyond_a_side_that_closes(by: int) -> None:
    phase = np.zeros((8, 8, 30), dtype=bool)
    phase[:, :, 3:8] = phase[:, :, 15:22] = True
    assert mean_chord(np.roll(phase, by, 2), 2, closes=True) == 6


@pytest.mark.parametrize("markers", get_args(Markers))
def test_the_network_of_a_lattice_of_cavities_is_that_lattice(markers: Markers) -> None:
    shape, pitch = 60, 20
    place = (np.indices((shape,) * 3) + 0.5) % pitch - pitch / 2
    balls = (place**2).sum(axis=0) < 7**2
    tubes = sum((np.delete(place, axis, 0) ** 2).sum(axis=0) < 3**2 for axis in range(3)) > 0
    phase = np.where(balls | tubes, PORE, ACTIVE)
    net = pore_network(image(phase, periodic=CLOSED), markers)
    assert len(net.radius) == 27
    assert sorted(net.coordination)[-1] == 6
    assert net.coordination.sum() == 2 * 54
    joined = pore_network(image(phase), markers)
    assert len(joined.radius) == 27
    assert sorted(joined.coordination) == [5] * 18 + [6] * 9
    np.testing.assert_allclose(net.inscribed, 7 * EDGE, atol=0.6 * EDGE)
    np.testing.assert_allclose(net.throat_radius, 3 * EDGE, atol=0.6 * EDGE)
    layers = net.along(shape * EDGE, 3)
    np.testing.assert_array_equal(layers[:, 0], 9)
    assert layers[1, 2] > layers[0, 2] == layers[2, 2]
    assert np.isnan(net.along(1000.0, 3)[1:, 1:]).all()


def test_the_local_thickness_of_slits_is_weighted_by_their_volume() -> None:
    phase = np.full((40, 30, 30), ACTIVE)
    phase[5:10], phase[20:31] = PORE, PORE
    found = local_diameters(image(phase))
    assert len(found) == 16 * 900
    assert found.mean() == pytest.approx((5 * 5 + 11 * 11) / 16 * EDGE, abs=EDGE)


def noise(shape: tuple[int, int, int] = (34, 30, 24)) -> np.ndarray:
    """Return three phases of smoothed noise, periodic in x and y."""
    field = gaussian_filter(np.random.default_rng(3).normal(size=shape), 2, mode=("wrap", "wrap", "nearest"))
    return np.where(field > np.quantile(field, 0.55), ACTIVE, np.where(field > np.quantile(field, 0.4), CBD, PORE))


@pytest.mark.parametrize("by", [(17, 5), (31, 22)])
def test_a_watershed_finds_the_same_pores_wherever_a_periodic_image_begins(by: tuple[int, int]) -> None:
    here, there = (pore_network(image(one), "h_maxima") for one in (noise(), np.roll(noise(), by, (0, 1))))
    np.testing.assert_allclose(np.sort(there.radius), np.sort(here.radius), rtol=1e-6)


@pytest.mark.parametrize("sigma", [2.0, 4.0])
def test_a_tiled_image_has_the_pores_of_its_tile_as_often_as_it_holds_it(sigma: float) -> None:
    field = gaussian_filter(np.random.default_rng(5).normal(size=(30, 30, 20)), sigma, mode=("wrap", "wrap", "nearest"))
    phase = np.where(field > np.quantile(field, 0.5), ACTIVE, PORE)
    one, four = (pore_network(image(np.tile(phase, (times, times, 1))), "h_maxima") for times in (1, 2))
    np.testing.assert_allclose(np.sort(four.radius), np.sort(np.tile(one.radius, 4)), rtol=0.02)
    np.testing.assert_allclose(np.sort(four.inscribed), np.sort(np.tile(one.inscribed, 4)), atol=EDGE)


def test_a_pore_that_meets_itself_across_a_side_counts_once_and_a_lone_voxel_is_a_pore() -> None:
    phase = np.full((12, 12, 20), ACTIVE)
    phase[:, :, 5:9] = PORE
    phase[3, 3, 15] = PORE
    net = pore_network(image(phase), "h_maxima")
    volumes = np.sort(4 / 3 * np.pi * net.radius**3 / EDGE**3)
    assert volumes == pytest.approx([1, 12 * 12 * 4])
    assert len(net.conns) == 0
    np.testing.assert_allclose(np.sort(net.coords[:, 2]), [7 * EDGE, 15.5 * EDGE])


@pytest.mark.parametrize("markers", get_args(Markers))
def test_an_image_without_pores_has_an_empty_network_and_one_of_pores_alone_none(markers: Markers) -> None:
    net = pore_network(image(np.full((6, 6, 6), ACTIVE)), markers)
    assert len(net.radius) == len(net.conns) == len(net.coordination) == 0
    with pytest.raises(InputError, match="the image is all pores"):
        pore_network(image(np.full((6, 6, 6), PORE)), markers)


@pytest.mark.parametrize(("rise", "pores"), [(0.5, 1), (1.5, 2)])
def test_pores_are_two_where_their_peaks_rise_far_enough_above_their_pass(rise: float, pores: int) -> None:
    radius, extent = 12.0, 3.0
    apart = 2 * math.sqrt(radius**2 - (radius - rise * extent) ** 2)  # the pass is as deep as the circle is wide
    x, y, z = np.indices((61, 31, 31)) - np.array([30, 15, 15])[:, None, None, None]
    balls = [(x - side * apart / 2) ** 2 + y**2 + z**2 < radius**2 for side in (-1, 1)]
    phase = np.where(balls[0] | balls[1], PORE, ACTIVE).astype(np.uint8)
    net = pore_network(Voxels(phase, (phase == ACTIVE).astype(np.int32), EXTENT / extent, CLOSED), "h_maxima")
    assert len(net.radius) == pores


@pytest.mark.parametrize("by", [(17, 5), (31, 22)])
def test_what_is_shifted_along_the_collector_has_the_same_pores_and_chords(by: tuple[int, int]) -> None:
    groups = ("pore_sizes", "pore_network", "correlation")
    here, there = (measure(image(phase), only=groups).numbers for phase in (noise(), np.roll(noise(), by, (0, 1))))
    assert there == pytest.approx(here, rel=1e-6)


@pytest.mark.parametrize("markers", get_args(Markers))
def test_the_pores_of_a_periodic_network_fill_the_pores_and_lie_in_the_image(markers: Markers) -> None:
    net, phase = pore_network(image(noise()), markers), noise()
    assert (4 / 3 * np.pi * net.radius**3).sum() == pytest.approx(np.count_nonzero(phase == PORE) * EDGE**3)
    assert (net.coords >= 0).all()
    assert (net.coords <= np.array(phase.shape) * EDGE).all()
    assert net.conns.max() < len(net.radius)
    assert (net.conns[:, 0] < net.conns[:, 1]).all()


def test_the_local_thickness_of_a_pore_across_the_sides_is_its_own() -> None:
    ball = np.where(ellipsoid((11, 11, 11)), PORE, ACTIVE)
    for by in (0, 32, 25):
        found = local_diameters(image(np.roll(ball, (by, by), (0, 1))))
        assert found.mean() == pytest.approx(local_diameters(image(ball, periodic=CLOSED)).mean())


def test_generated_shapes_keep_their_sphericity_from_beads_to_numbers() -> None:
    source, rng = SyntheticShapes(small(particles__roughness=0.0).particles), np.random.default_rng(2)
    found = [krumbein_sphericity(source.shape(200, rng).beads) for _ in range(30)]
    assert np.mean(found) == pytest.approx(source.particles.sphericity, abs=0.03)
