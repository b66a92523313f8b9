"""The tortuosity factor against closed forms, a plain conjugate gradient and TauFactor."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import cg

from mesoforge.errors import InputError
from mesoforge.physics.microstructure import multigrid, stencil
from mesoforge.physics.microstructure.paths import THROUGH, joined
from mesoforge.physics.microstructure.reference import taufactor_transport
from mesoforge.physics.microstructure.transport import Transport, nanopore_conductivity, transport
from mesoforge.physics.voxels import SIDES, Periodic

TOMOGRAM = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "nmc_ct_calendered.npz"
PORE, SOLID, CBD = 0, 1, 2
OPEN = {PORE: 1.0}
BOTH = {PORE: 1.0, CBD: 0.354}


def filled(shape: tuple[int, int, int], phase: int = PORE) -> np.ndarray:
    return np.full(shape, phase, dtype=np.uint8)


def blobs(porosity: float = 0.5, shape: tuple[int, int, int] = (40, 36, 36), width: float = 2.5) -> np.ndarray:
    """Return pores in smoothed noise."""
    noise = gaussian_filter(np.random.default_rng(7).normal(size=shape), width)
    return np.where(noise > np.quantile(noise, 1 - porosity), PORE, SOLID).astype(np.uint8)


def mixture(shape: tuple[int, int, int] = (14, 11, 17)) -> np.ndarray:
    return np.random.default_rng(3).choice(3, size=shape, p=[0.5, 0.2, 0.3]).astype(np.uint8)


def centre(edge: int) -> np.ndarray:
    """Return the middle of a real electrode's image, thickness first, its CBD as pore."""
    if not TOMOGRAM.exists():
        pytest.skip(f"the tomogram {TOMOGRAM.name} is not beside this checkout")
    with np.load(TOMOGRAM, allow_pickle=False) as arrays:
        image = arrays["image"]
    cut = tuple(slice((n - edge) // 2, (n - edge) // 2 + edge) for n in image.shape)
    return np.where(image[cut] == SOLID, SOLID, PORE).astype(np.uint8)


def slow_twin(phase: np.ndarray, conductivity: dict[int, float], axis: int, periodic: Periodic) -> float:
    """Return the relative conductivity by a sparse matrix and plain conjugate gradients in double precision."""
    local = np.vectorize(lambda one: conductivity.get(int(one), 0.0))(np.moveaxis(phase, axis, 2)).astype(float)
    sides = [closes for place, closes in enumerate(periodic) if place != axis]
    kept = joined(local > 0, (sides[0], sides[1])) == THROUGH
    number = np.where(kept, np.cumsum(kept.ravel()).reshape(kept.shape) - 1, -1)
    first, second, weight = [], [], []
    for along, closes in enumerate([*sides, False]):
        a, b, here = number, np.roll(number, -1, along), np.roll(local, -1, along)
        if not closes:
            cut = tuple(slice(0, -1) if place == along else slice(None) for place in range(3))
            a, b, here = a[cut], b[cut], here[cut]
            own = local[cut]
        else:
            own = local
        pairs = (a >= 0) & (b >= 0) & (a != b)
        first.append(a[pairs])
        second.append(b[pairs])
        weight.append((2 * own * here / np.where(own + here > 0, own + here, 1))[pairs])
    i, j, g = map(np.concatenate, (first, second, weight))
    count = int(kept.sum())
    links = coo_matrix((np.r_[g, g], (np.r_[i, j], np.r_[j, i])), shape=(count, count)).tocsr()
    near, far = np.zeros(count), np.zeros(count)
    for layer, end in ((0, near), (-1, far)):
        there = number[:, :, layer] >= 0
        end[number[:, :, layer][there]] = 2 * local[:, :, layer][there]
    matrix = diags(np.asarray(links.sum(axis=1)).ravel() + near + far) - links
    potential, failed = cg(matrix, far, rtol=1e-10, maxiter=20000)
    assert failed == 0
    return float((far * (1 - potential)).sum() * local.shape[2] / (local.shape[0] * local.shape[1]))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_empty_volume_conducts_like_free_electrolyte(axis: int) -> None:
    assert transport(filled((8, 9, 12)), OPEN, axis).conductivity == pytest.approx(1, rel=5e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_straight_channels_have_a_tortuosity_factor_of_one(axis: int) -> None:
    phase = np.moveaxis(filled((10, 10, 15), SOLID), 2, axis)
    np.moveaxis(phase, axis, 2)[2:5, 3:7] = PORE
    assert transport(phase, OPEN, axis).tortuosity_factor(0.12) == pytest.approx(1, rel=5e-5)


@pytest.mark.parametrize("cbd", [0.05, 0.354, 1.0])
def test_layers_side_by_side_conduct_by_their_arithmetic_mean(cbd: float) -> None:
    phase = filled((10, 6, 15))
    phase[:4] = CBD
    assert transport(phase, {PORE: 1.0, CBD: cbd}).conductivity == pytest.approx(0.4 * cbd + 0.6, rel=5e-5)


@pytest.mark.parametrize("cbd", [0.05, 0.354, 1.0])
def test_layers_in_a_row_conduct_by_their_harmonic_mean(cbd: float) -> None:
    phase = filled((6, 6, 40))
    phase[:, :, 12:28] = CBD
    assert transport(phase, {PORE: 1.0, CBD: cbd}).conductivity == pytest.approx(40 / (16 / cbd + 24), rel=5e-5)


@pytest.mark.parametrize("inside", [0.0, 0.354, 5.0])
def test_a_sphere_at_low_density_hinders_as_maxwell_says(inside: float) -> None:
    edge = 60
    x, y, z = np.indices((edge,) * 3) + 0.5 - edge / 2
    phase = np.where(x**2 + y**2 + z**2 < 15**2, CBD, PORE).astype(np.uint8)
    share = float(np.mean(phase == CBD))
    maxwell = (2 + inside - 2 * share * (1 - inside)) / (2 + inside + share * (1 - inside))
    found = transport(phase, {PORE: 1.0, CBD: inside}, periodic=SIDES).conductivity
    assert (1 - found) == pytest.approx(1 - maxwell, rel=0.06)


def test_an_inclined_channel_is_longer_by_the_square_of_its_cosine() -> None:
    x, _, z = np.indices((48, 1, 480))
    phase = np.where((2 * x + z) % 96 < 64, PORE, SOLID).astype(np.uint8)
    found = transport(phase, OPEN, periodic=SIDES).tortuosity_factor(float(np.mean(phase == PORE)))
    assert found == pytest.approx(1 + 1 / 4, rel=0.03)


def test_a_checkerboard_does_not_percolate_and_says_so() -> None:
    phase = (np.indices((8, 8, 8)).sum(axis=0) % 2).astype(np.uint8)
    for axis in range(3):
        found = transport(phase, OPEN, axis, SIDES)
        assert not found.percolates
        assert found.tortuosity_factor(0.5) == found.macmullin == math.inf
        assert str(found) == f"does not percolate along {'xyz'[axis]}: no path joins the two faces"


def test_dense_cbd_blocks_and_porous_cbd_conducts() -> None:
    phase = filled((6, 6, 12))
    phase[:, :, 5] = CBD
    assert transport(phase, BOTH).conductivity == pytest.approx(12 / (11 + 1 / 0.354), rel=5e-5)
    assert not transport(phase, {PORE: 1.0, CBD: 0.0}).percolates


def test_pores_that_lead_nowhere_conduct_nothing_and_are_counted() -> None:
    phase = filled((10, 10, 16), SOLID)
    phase[:, :3, :] = PORE
    without = transport(phase, OPEN)
    phase[5, 3:8, 8] = PORE  # a dead end
    phase[4:6, 6:8, 12:14] = PORE  # closed
    found = transport(phase, OPEN)
    assert found.conductivity == pytest.approx(without.conductivity, rel=2e-3)
    assert without.percolating == 1
    assert without.dead_ends == 0
    assert found.percolating == pytest.approx(485 / 493)
    assert found.dead_ends == pytest.approx(4 / 485, abs=1.5 / 485)


def test_a_path_through_the_sides_counts_only_where_they_are_periodic() -> None:
    phase = filled((4, 4, 6), SOLID)
    phase[0, 0, :3] = phase[-1, 0, 2:] = PORE
    assert not transport(phase, OPEN).percolates
    assert transport(phase, OPEN, periodic=SIDES).percolates
    assert not transport(phase, OPEN, periodic=(False, True, False)).percolates


@pytest.mark.parametrize("periodic", [(False, False, False), SIDES, (True, True, True)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_plain_conjugate_gradient_finds_the_same_to_1e_4(axis: int, periodic: Periodic) -> None:
    for phase in (mixture(), blobs(0.3, (24, 20, 22), 1.5)):
        found = transport(phase, BOTH, axis, periodic).conductivity
        assert found == pytest.approx(slow_twin(phase, BOTH, axis, periodic), rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 5), (1, 7, 4), (5, 1, 9), (2, 2, 1), (3, 2, 33)])
def test_any_shape_of_image_is_solved(shape: tuple[int, int, int]) -> None:
    phase = np.where(np.random.default_rng(5).random(shape) < 0.5, PORE, CBD).astype(np.uint8)
    for periodic in ((False, False, False), SIDES):
        due = slow_twin(phase, BOTH, 2, periodic)
        assert transport(phase, BOTH, periodic=periodic).conductivity == pytest.approx(due, rel=1e-4)


@pytest.mark.parametrize("periodic", [(False, False), (True, True)])
def test_the_preconditioner_is_symmetric_and_positive(periodic: tuple[bool, bool]) -> None:
    local = np.random.default_rng(1).uniform(0.1, 1, (13, 9, 11)).astype(np.float32)
    grid = stencil.finest(local, periodic)
    levels = multigrid._coarser_levels(grid)
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=local.shape).astype(np.float32) for _ in range(2))
    of_a, of_b = np.zeros_like(a), np.zeros_like(b)
    multigrid._precondition(of_a, a, grid, levels)
    multigrid._precondition(of_b, b, grid, levels)
    assert float((of_a * b).sum()) == pytest.approx(float((a * of_b).sum()), rel=1e-3)
    assert float((of_a * a).sum()) > 0


def test_moving_a_periodic_image_sideways_changes_nothing() -> None:
    phase = mixture()
    moved = np.roll(phase, (5, 3), axis=(0, 1))
    assert transport(moved, BOTH, periodic=SIDES).conductivity == pytest.approx(
        transport(phase, BOTH, periodic=SIDES).conductivity, rel=5e-5
    )


def test_more_conductivity_never_hinders() -> None:
    found = [transport(mixture(), {PORE: 1.0, CBD: cbd}).conductivity for cbd in (0.0, 0.1, 0.354, 1.0)]
    assert found == sorted(found)
    assert transport(mixture(), {PORE: 2.0, CBD: 0.708}).conductivity == pytest.approx(2 * found[2], rel=1e-4)


def test_paths_are_those_that_scipy_labels() -> None:
    pore = np.random.default_rng(11).random((30, 31, 32)) < 0.36
    clusters, _ = label(pore)
    crossing = np.intersect1d(clusters[:, :, 0], clusters[:, :, -1])
    due = np.isin(clusters, crossing[crossing > 0])
    assert 0 < due.sum() < pore.sum()
    np.testing.assert_array_equal(joined(pore, (False, False)) == THROUGH, due)


def test_nanopores_conduct_by_bruggeman() -> None:
    assert nanopore_conductivity(0.5) == pytest.approx(0.3536, abs=1e-4)
    assert nanopore_conductivity(0.0) == 0


def test_macmullin_and_bruggeman_are_other_words_for_the_same() -> None:
    found = Transport(axis=2, conductivity=0.4**1.7, percolating=1.0, dead_ends=0.0, error=0.0)
    assert found.bruggeman_exponent(0.4) == pytest.approx(1.7)
    assert found.macmullin * 0.4 == pytest.approx(found.tortuosity_factor(0.4))


@pytest.mark.parametrize("seed", [99, 118, 167])
def test_steps_that_gain_little_at_first_do_not_end_the_solution(seed: int) -> None:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(16, 16, 16)), 1.0)
    phase = np.where(noise < np.quantile(noise, 0.3), CBD, SOLID).astype(np.uint8)
    contrast = {CBD: 1.0, SOLID: 1e-3}
    due = slow_twin(phase, contrast, 2, (False, False, False))
    assert transport(phase, contrast).conductivity == pytest.approx(due, rel=1e-5)


@pytest.mark.parametrize("pores", [blobs, lambda: centre(48)], ids=["blobs", "tomogram"])
def test_taufactor_agrees(pores: Callable[[], np.ndarray]) -> None:
    ours, theirs = transport(pores(), OPEN, 0), taufactor_transport(pores(), OPEN, 0)
    assert ours.conductivity == pytest.approx(theirs.conductivity, rel=2e-3)
    assert ours.percolating == theirs.percolating


def test_taufactor_agrees_on_two_conducting_phases_but_for_its_outer_layers() -> None:
    phase = np.where(blobs(0.3) == PORE, PORE, np.where(blobs(0.6) == PORE, CBD, SOLID)).astype(np.uint8)
    theirs = taufactor_transport(phase, BOTH, 0).conductivity
    assert transport(phase, BOTH, 0).conductivity == pytest.approx(theirs, rel=0.03)


def test_taufactor_too_is_told_what_does_not_percolate() -> None:
    assert not taufactor_transport(filled((4, 4, 4), SOLID), OPEN).percolates


@pytest.mark.parametrize(("axis", "due"), [(0, 2.0076), (1, 1.5537), (2, 1.5695)])
def test_an_algebraic_multigrid_found_the_same_on_a_tomogram(axis: int, due: float) -> None:
    pores = centre(96)
    found = transport(pores, OPEN, axis).tortuosity_factor(float(np.mean(pores == PORE)))
    assert found == pytest.approx(due, rel=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "due"), [(0, 1.906), (1, 1.553), (2, 1.537)])
def test_the_larger_tomogram_has_the_known_tortuosity_factors(axis: int, due: float) -> None:
    pores = centre(220)
    found = transport(pores, OPEN, axis).tortuosity_factor(float(np.mean(pores == PORE)))
    assert found == pytest.approx(due, rel=1e-3)


@pytest.mark.parametrize(
    ("conductivity", "axis", "said"),
    [
        ({PORE: -1.0}, 2, r"label 0 has conductivity -1 but"),
        ({PORE: math.nan}, 2, r"label 0 has conductivity nan but"),
        ({300: 1.0}, 2, r"label 300 has conductivity 1 but labels are 0 to 255"),
        (OPEN, 3, r"the axis is 3 but must be 0, 1 or 2"),
    ],
    ids=["negative", "no number", "no label", "no axis"],
)
def test_wrong_input_is_refused_in_a_sentence(conductivity: dict[int, float], axis: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        transport(filled((3, 3, 3)), conductivity, axis)


@pytest.mark.parametrize("poor", [1e-3, 1e-5])
def test_conductivities_far_apart_are_solved_as_exactly(poor: float) -> None:
    phase = np.where(blobs(0.3, (24, 20, 22), 1.5) == PORE, CBD, SOLID).astype(np.uint8)
    both = {CBD: 1.0, SOLID: poor}
    for axis, periodic in ((0, SIDES), (2, SIDES), (2, (False, False, False))):
        found = transport(phase, both, axis, periodic).conductivity
        assert found == pytest.approx(slow_twin(phase, both, axis, periodic), rel=1e-4)
