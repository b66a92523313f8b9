"""Electrodes made elsewhere: balls in files become the image that their geometry says."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mesoforge.errors import InputError
from mesoforge.physics.microstructure.bead_files import read_balls
from mesoforge.physics.microstructure.bead_images import read_beads
from mesoforge.physics.microstructure.image_files import Reading
from mesoforge.physics.voxels import CLOSED, SIDES

TWO = ["1 1 3.01 3.02 4.04 2", "2 2 7.91 3.02 4.04 1"]
"""A ball of 4 um, and one of 2 um across the side of a box of 8 um."""


def dump(rows: list[str], columns: str = "id type x y z radius", flags: str = "pp pp ff", top: float = 8.0) -> str:
    head = ["ITEM: TIMESTEP", "5", "ITEM: NUMBER OF ATOMS", str(len(rows)), f"ITEM: BOX BOUNDS {flags}"]
    return "\n".join([*head, "0 8", "0 8", f"0 {top}", f"ITEM: ATOMS {columns}", *rows, ""])


def written(folder: Path, text: str, name: str = "a.lammpstrj") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def ball(diameter: float) -> float:
    return math.pi * diameter**3 / 6


def test_known_balls_have_their_volumes_and_places(tmp_path: Path) -> None:
    found = read_beads(written(tmp_path, dump(TWO, flags="pp pp pp")), Reading(voxel=0.1))
    assert (found.edge, found.periodic, found.whole, found.phase.shape) == (0.1, (True,) * 3, False, (80, 80, 80))
    volumes = [np.count_nonzero(found.phase == phase) * 0.1**3 for phase in (1, 2)]
    assert volumes == pytest.approx([ball(4), ball(2)], rel=5e-3)
    assert found.phase[79, 30, 40] == found.phase[0, 30, 40] == 2
    assert [found.particle[30, 30, 40], found.particle[79, 30, 40]] == [1, 0]


def test_a_closed_side_cuts_a_ball_and_the_thickness_ends_at_the_balls(tmp_path: Path) -> None:
    found = read_beads(written(tmp_path, dump(TWO, flags="ff pp ff", top=100)), Reading(voxel=0.1))
    assert found.phase.shape == (80, 80, 40)
    assert (found.periodic, found.whole) == ((False, True, False), True)
    assert found.phase[0, 30, 20] == 0
    cap = math.pi * 0.91**2 * (3 - 0.91) / 3  # what of the small ball lies beyond the side
    assert np.count_nonzero(found.phase == 2) * 0.1**3 == pytest.approx(ball(2) - cap, rel=0.01)


def test_a_ball_across_top_and_bottom_is_whole_where_the_thickness_is_periodic(tmp_path: Path) -> None:
    found = read_beads(written(tmp_path, dump(["1 1 4.01 4.03 7.54 1.5"], flags="pp pp pp")), Reading(voxel=0.1))
    assert np.count_nonzero(found.phase) * 0.1**3 == pytest.approx(ball(3), rel=5e-3)
    assert found.phase[40, 40, 79] == found.phase[40, 40, 0] == 1


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("id type x y z diameter", "1 1 3.01 3.02 4.04 4"),
        ("id type xu yu zu radius", "1 1 11.01 3.02 4.04 2"),
        ("id type xs ys zs radius", "1 1 0.37625 0.3775 0.505 2"),
        ("type id z y x radius", "1 1 4.04 3.02 3.01 2"),
    ],
)
def test_columns_may_be_named_and_ordered_as_lammps_allows(columns: str, row: str, tmp_path: Path) -> None:
    plain = read_beads(written(tmp_path, dump(TWO[:1])), Reading(voxel=0.2))
    other = read_beads(written(tmp_path, dump([row], columns), "b.dump"), Reading(voxel=0.2))
    assert np.array_equal(plain.phase, other.phase)


def test_a_data_file_and_extended_xyz_say_the_same_as_a_dump(tmp_path: Path) -> None:
    data = (
        "made elsewhere\n\n2 atoms\n2 atom types\n\n0 8 xlo xhi\n0 8 ylo yhi\n0 8 zlo zhi\n\nAtoms # sphere\n\n"
        "1 1 4 4.7 3.01 3.02 4.04 0 0 0\n2 2 2 1.8 7.91 3.02 4.04 0 0 0\n\nVelocities\n\n1 0 0 0 0 0 0\n"
    )
    xyz = (
        '2\nLattice="8 0 0 0 8 0 0 0 8" pbc="T T F" Properties=species:S:1:pos:R:3:radius:R:1\n'
        "AM 3.01 3.02 4.04 2\nCBD 7.91 3.02 4.04 1\n"
    )
    images = [
        read_beads(written(tmp_path, text, name), Reading(voxel=0.2))
        for text, name in ((dump(TWO), "a.dump"), (data, "a.data"), (xyz, "a.xyz"))
    ]
    assert all(np.array_equal(images[0].phase, one.phase) for one in images[1:])
    assert [one.periodic for one in images] == [SIDES] * 3


def test_the_last_frame_counts(tmp_path: Path) -> None:
    first = dump(["1 1 1 1 1 1"])
    both = read_balls(written(tmp_path, first + dump(TWO)))
    assert both.kind.tolist() == ["1", "2"]
    xyz = '1\nLattice="8 0 0 0 8 0 0 0 8" Properties=species:S:1:pos:R:3\nA 1 1 {}\n'
    last = read_balls(written(tmp_path, xyz.format(1) + xyz.format(2), "a.xyz"))
    assert (last.position[0, 2], last.periodic) == (2, None)


def test_types_diameters_axis_and_sides_may_be_given(tmp_path: Path) -> None:
    path = written(tmp_path, dump(["1 7 4.07 3.03 3.05", "2 9 4 3 7"], "id type x y z"))
    how = Reading(voxel=0.2, types={"7": "cbd", "9": "active"}, diameters={"7": 2, "9": 3}, periodic=CLOSED)
    found = read_beads(path, how)
    shares = [np.count_nonzero(found.phase == phase) * 0.2**3 for phase in (1, 2)]
    assert shares[1] == pytest.approx(ball(2), rel=0.02)
    upright = Reading(0.2, thickness_axis=0, types=how.types, diameters=how.diameters, periodic=SIDES)
    assert read_beads(path, upright).phase.shape == (40, 40, 15)


@pytest.mark.parametrize(
    ("text", "how", "words"),
    [
        (dump(TWO), Reading(), "edge is not given but a length in um is due: give it with --voxel"),
        (dump(["1 3 1 1 1 1"]), Reading(voxel=0.5), "type 3 is in it but only 1, 2, AM, CBD have a meaning"),
        (dump(TWO), Reading(voxel=0.5, types={"1": "NMC"}), "stands for 'NMC' but must be active or cbd"),
        (dump(["1 1 1 1 1"], "id type x y z"), Reading(voxel=0.5), "neither radius nor diameter: give them by type"),
        (dump(["1 1 1 1 1 0"]), Reading(voxel=0.5), "a ball of type 1 has no positive diameter"),
        (dump(["1 1 1 1"]), Reading(voxel=0.5), "a row of atoms has fewer than the 6 columns"),
        (dump(["1 1 1 1"], "id type x y"), Reading(voxel=0.5), "x, y and z are due: dump them as well"),
        (dump(["1 1 1 1 1"], "id x y z radius"), Reading(voxel=0.5), "'type' is due: dump it as well"),
        (dump(TWO, flags="xy xz yz pp pp pp"), Reading(voxel=0.5), "its box is skewed but must be upright"),
        ("nothing", Reading(voxel=0.5), "no 'ITEM: TIMESTEP' in it: give a dump in text form"),
        (dump(TWO)[:60], Reading(voxel=0.5), "breaks off or is no such file"),
        (dump(["1 1 4 4 4 9"]), Reading(voxel=0.5), "a ball is 18 um wide but the side only 8 um"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(text: str, how: Reading, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_beads(written(tmp_path, text), how)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.data", "no atoms\n", "no section 'Atoms' in it"),
        ("a.data", "1 atoms\nAtoms # full\n", "style is 'full' but one of sphere, atomic"),
        ("a.xyz", "1\nplain\nA 1 1 1\n", "no Lattice or no Properties: give extended XYZ"),
        ("a.xyz", '1\nLattice="8 1 0 0 8 0 0 0 8" Properties=species:S:1:pos:R:3\nA 1 1 1\n', "its lattice is skewed"),
    ],
)
def test_what_is_wrong_in_other_files_is_said(name: str, text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_balls(written(tmp_path, text, name))
