"""Bonds of a lattice against its moduli in closed form; pieces and cracks against known graphs and planes."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesoforge.physics.beads import ACTIVE, CBD, Beads
from mesoforge.physics.bonds import STIFFNESS, Bonds, bonds_of, flat, pieces, pitches
from mesoforge.physics.cracking import Cracks
from mesoforge.physics.fragments import crack_area, fates, numbers, save

PITCH = 1.284
NEAR = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)])


def block(*edges: int, pitch: float = PITCH) -> Beads:
    """Return one particle of so many beads along each edge, in a wide box."""
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in edges], indexing="ij"), axis=-1).reshape(-1, 3)
    ones = np.ones(len(grid), dtype=np.int32)
    place = np.asarray(pitch * (grid + 4.0), dtype=np.float64)
    return Beads(place, ACTIVE * ones, ones, np.full(3, 40.0))


def modulus(axes: tuple[int, int, int, int]) -> float:
    """Return C_ijkl over E from the sum over a bead's bonds, k r^2 n_i n_j n_k n_l / (2 a^3)."""
    squares = (NEAR**2).sum(axis=1)
    stiff = np.array([STIFFNESS[int(square)] for square in squares])
    unit = NEAR / np.sqrt(squares)[:, None]
    return float((stiff * squares * np.prod([unit[:, axis] for axis in axes], axis=0)).sum() / 2)


def test_the_lattice_is_isotropic_and_has_the_modulus_of_its_material() -> None:
    c11, c12, c44 = modulus((0, 0, 0, 0)), modulus((0, 0, 1, 1)), modulus((0, 1, 0, 1))
    assert c11 - c12 == pytest.approx(2 * c44)
    assert (c11 - c12) * (c11 + 2 * c12) / (c11 + c12) == pytest.approx(1), "Young's modulus over E"
    assert c12 / (c11 + c12) == pytest.approx(1 / 4), "Poisson's ratio"


def test_parting_the_lattice_takes_the_same_energy_along_three_planes() -> None:
    squares = (NEAR**2).sum(axis=1)
    energy = np.array([STIFFNESS[int(square)] for square in squares]) * squares
    planes = [np.array(normal) / np.linalg.norm(normal) for normal in ((1, 0, 0), (1, 1, 0), (1, 1, 1))]
    found = [float((energy * np.abs(NEAR @ normal)).sum()) for normal in planes]
    assert max(found) / min(found) < 1.015


def test_a_bead_inside_has_26_bonds_and_bonds_join_beads_of_one_particle_only() -> None:
    cube = block(3, 3, 3)
    bonds = bonds_of(cube, PITCH)
    assert bonds.touched(27)[13] == 26
    assert np.bincount(bonds.family)[1:].tolist() == [54, 72, 32]
    assert (bonds.pair[:, 0] < bonds.pair[:, 1]).all()
    halves = replace(cube, particle=(1 + (np.arange(27) >= 9)).astype(np.int32))
    apart = bonds_of(halves, PITCH).pair
    assert (halves.particle[apart[:, 0]] == halves.particle[apart[:, 1]]).all()


def test_a_particle_on_a_lattice_of_its_own_pitch_is_bound_alike() -> None:
    wide = block(3, 3, 3, pitch=1.1 * PITCH)
    np.testing.assert_array_equal(bonds_of(wide, PITCH).pair, bonds_of(block(3, 3, 3), PITCH).pair)
    assert pitches(wide, PITCH) == pytest.approx(np.full(27, 1.1 * PITCH))


@pytest.mark.parametrize(("edges", "due"), [((2, 1, 1), True), ((3, 3, 1), True), ((2, 2, 2), False)])
def test_what_lies_in_a_plane_stays_rigid(edges: tuple[int, int, int], due: bool) -> None:
    beads = block(*edges)
    assert flat(beads, PITCH)[1] == due
    assert (len(bonds_of(beads, PITCH)) == 0) == due


def test_cbd_is_not_bound() -> None:
    beads = replace(block(3, 3, 3), kind=np.full(27, CBD, dtype=np.int32), particle=np.zeros(27, dtype=np.int32))
    assert len(bonds_of(beads, PITCH)) == 0


def test_the_pieces_of_a_graph_are_those_known_beforehand() -> None:
    chain = Bonds(np.array([[0, 1], [1, 2], [4, 5]]), np.array([1, 1, 1]))
    assert pieces(chain, 6).tolist() == [0, 0, 0, 1, 2, 2]


def cut_in_two(beads: Beads, below: float) -> Cracks:
    """Return a block whose bonds across a height [um] are all broken, half of them under load at 7 MPa."""
    bonds = bonds_of(beads, PITCH)
    across = np.ptp((beads.position[bonds.pair, 2] > below).astype(np.int64), axis=1) > 0
    left = bonds.only(~across)
    half = bonds.only(~across | (np.arange(len(bonds)) % 2 == 0))
    share = 1 - len(half) / len(bonds)
    return Cracks(beads, bonds, half, left, np.array([1.0, 7.0, 9.0]), np.array([0, share, share]), np.array([]))


def test_a_block_cut_in_two_has_two_pieces_and_both_faces_of_the_cut(tmp_path: Path) -> None:
    beads = block(8, 8, 8)
    cracks = cut_in_two(beads, PITCH * 8.5)
    released = beads.moved(beads.position * [1, 1, 0.9], beads.box)
    found = fates(cracks, released, PITCH)
    told = numbers(cracks, found, released)
    assert found.pieces.tolist() == [2]
    assert found.largest[0] == pytest.approx(5 / 8)
    assert found.surface[0] == pytest.approx(2 * (8 * PITCH) ** 2, rel=0.25), "less at the rim"
    assert told["crack_surface"] == pytest.approx(found.surface[0] / 40.0**3)
    assert told["cracked_particles"] == told["cracked_volume"] == told["bonded_volume"] == 1
    assert told["fragments"] == 2
    assert told["broken_bonds"] == pytest.approx(2 * told["broken_bonds_under_load"], rel=0.02)
    assert told["cracking_onset_pressure"] == 7
    assert told["crack_height"] == pytest.approx(PITCH * 8.5 / 40, abs=0.01)
    assert told["particle_flattening"] == pytest.approx(0.1)
    assert told["krumbein_sphericity_change"] == pytest.approx(0.9 ** (1 / 3) - 1, rel=0.01)
    save(cracks, found, tmp_path)
    profile = np.loadtxt(tmp_path / "cracks_by_height.csv", delimiter=",", skiprows=1)
    assert profile[:, 1].sum() == len(cracks.bonds)
    assert profile[:, 2].sum() == len(cracks.bonds) - len(cracks.released)
    table = (tmp_path / "particles.csv").read_text(encoding="utf-8").splitlines()
    assert table[0].startswith("particle,beads,bonded,height,bonds,broken,pieces,largest,surface,a_um_before")
    assert len(table) == 2


def test_a_bond_stands_for_the_area_that_crofton_gives_it() -> None:
    plane = 4 * np.array([1, 4, 4]) * crack_area(Bonds(np.zeros((3, 2), np.int64), np.array([1, 2, 3])), 1.0) / 4
    assert plane.sum() / 2 == pytest.approx(0.93, abs=0.01), "a {100} plane, one of 13 directions"


def test_what_did_not_break_has_no_onset_and_no_height() -> None:
    beads = block(4, 4, 4)
    bonds = bonds_of(beads, PITCH)
    whole = Cracks(beads, bonds, bonds, bonds, np.array([5.0]), np.array([0.0]), np.array([]))
    told = numbers(whole, fates(whole, beads, PITCH), beads)
    assert told["broken_bonds"] == told["crack_surface"] == told["cracked_particles"] == 0
    assert told["fragments"] == 1
    assert not {"crack_height", "cracking_onset_pressure"} & set(told)
