"""From a library to the particles of a packing: volumes kept, sizes by their law, everything said that was done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import small
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.stats import kstest

from mesoforge.errors import InputError
from mesoforge.physics.balance import balance
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.manufacture import identity, notes
from mesoforge.physics.packing import casts, pack
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.shapes.beading import FEWEST, cast, price
from mesoforge.physics.shapes.casting import bead_counts, choose
from mesoforge.physics.shapes.library import Library
from mesoforge.physics.shapes.shape import krumbein_sphericity
from mesoforge.physics.shapes.sizes import SPHERE, Law, LogNormal, Table, pick, read_table

MEASURED = Path(__file__).resolve().parents[3] / "shared" / "data" / "nmc111_diameters.dat"


def with_library(library: Library, **values: Any) -> Recipe:  # noqa: ANN401 - any input of a recipe
    return small(shapes=str(library.path), **values)


def ball(radius: float) -> NDArray[np.bool_]:
    reach = int(radius) + 2
    grid = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1)
    return np.asarray(np.linalg.norm(grid, axis=-1) < radius)


@pytest.mark.parametrize("beads", [2, 3, 8, 57, 300])
def test_beads_carry_the_particle_s_volume_and_hang_together(library: Library, beads: int) -> None:
    rng = np.random.default_rng(beads)
    for row, mask in enumerate(library.masks([0, 5, 9])):
        made = cast(mask, library.voxel_um, beads, rng)
        assert len(made.shape.beads) == beads
        assert made.volume == pytest.approx(mask.sum() * library.voxel_um**3, rel=1e-12), row
        np.testing.assert_allclose(made.shape.beads.mean(axis=0), 0, atol=1e-9)
        cells = np.round((made.shape.beads - made.shape.beads.min(axis=0)) / made.shape.pitch).astype(int)
        image = np.zeros(cells.max(axis=0) + 1, dtype=bool)
        image[tuple(cells.T)] = True
        assert image.sum() == beads
        assert label(image)[1] == 1


def test_a_block_of_voxels_that_beads_fit_in_is_cut_as_the_paper_cuts_it() -> None:
    """2 x 2 x 2 voxels of 0.642 um make one bead of 1.284 um, of 1.59 um if it is a ball."""
    made = cast(np.ones((8, 6, 4), dtype=bool), 0.642, 24, np.random.default_rng(1))
    assert made.shape.pitch == pytest.approx(1.284)
    assert np.cbrt(made.shape.pitch**3 / SPHERE) == pytest.approx(1.59, abs=0.005)


@pytest.mark.parametrize("beads", [60, 400])
def test_beads_lie_where_the_particle_is(library: Library, beads: int) -> None:
    rng, row = np.random.default_rng(2), int(np.argmax(library.volumes))
    mask = library.mask(row)
    made = cast(mask, library.voxel_um, beads, rng)
    places = np.floor((made.shape.beads + made.centre) / library.voxel_um).astype(int) + 1
    assert np.pad(mask, 2)[tuple((places + 1).T)].mean() > 0.88
    assert krumbein_sphericity(made.shape.beads) == pytest.approx(library.figures["krumbein"][row], abs=0.05)


def test_a_scaled_mirror_image_is_the_particle_larger_and_turned_over(library: Library) -> None:
    mask = library.mask(3)
    plain = cast(mask, library.voxel_um, 80, np.random.default_rng(3))
    turned = cast(mask, library.voxel_um, 80, np.random.default_rng(3), (3, 1.5, True))
    np.testing.assert_allclose(turned.shape.beads, plain.shape.beads * 1.5 * [-1, 1, 1])
    assert turned.volume == pytest.approx(plain.volume * 1.5**3)
    np.testing.assert_array_equal(turned.mirror, [-1, 1, 1])


def test_finer_beads_keep_more_and_cost_more(library: Library) -> None:
    coarse, fine = (price(library, pitch, range(12), np.random.default_rng(4)) for pitch in (0.8, 0.4))
    assert fine.total == pytest.approx(8 * coarse.total, rel=0.05)
    assert fine.misplaced < coarse.misplaced < 0.4
    assert fine.rounding < coarse.rounding < 0.1
    assert coarse.beads[0] < coarse.beads[1] < coarse.beads[2]


LAWS: dict[str, Law] = {
    "log-normal": LogNormal(4.353, 0.487, 2, 14),
    "narrow": LogNormal(4.0, 0.02, 2, 14),
    "one size": LogNormal(4.0, 0.0, 2, 14),
    "table": Table.of(np.array([2.0, 3.0, 5.0, 9.0, 13.0]), np.array([40.0, 30.0, 20.0, 9.0, 1.0])),
    "two": Table.of(np.array([3.0, 6.0]), np.array([9.0, 1.0])),
}


@pytest.mark.parametrize("name", LAWS)
def test_particles_fill_the_volume_within_half_the_smallest_one_in_the_right_number(name: str) -> None:
    law, rng, volume = LAWS[name], np.random.default_rng(5), 15_000.0
    smallest = SPHERE * float(law.quantile(np.zeros(1))[0]) ** 3
    picked = [pick(law, volume, rng) for _ in range(200)]
    assert max(abs(SPHERE * (one**3).sum() - volume) for one in picked) <= smallest / 2
    counts = np.array([len(one) for one in picked])
    error = max(float(counts.std()) / np.sqrt(200), 0.5)
    assert counts.mean() == pytest.approx(volume / law.mean_volume, abs=1.5 * error)
    assert all((np.diff(one) <= 0).all() for one in picked)


@pytest.mark.parametrize("name", ["log-normal", "table"])
def test_the_particles_picked_are_distributed_by_their_law(name: str) -> None:
    law, rng = LAWS[name], np.random.default_rng(6)
    sizes = np.concatenate([pick(law, 15_000.0, rng) for _ in range(30)])
    expected = law.quantile((np.arange(len(sizes)) + 0.5) / len(sizes))
    assert np.abs(np.sort(sizes) - expected).mean() < 0.06
    assert (SPHERE * sizes**3).mean() == pytest.approx(law.mean_volume, rel=0.05)


def test_a_tiny_volume_still_has_a_particle() -> None:
    for seed in range(30):
        assert len(pick(LAWS["log-normal"], 5.0, np.random.default_rng(seed))) >= 1


def test_a_law_by_volume_is_the_same_particles_counted_otherwise() -> None:
    by_number = LogNormal.weighted_by_volume(8.0, 0.4, 2, 20)
    back = by_number.by_volume()
    assert back.median == pytest.approx(8.0)
    sizes = by_number.quantile((np.arange(200_000) + 0.5) / 200_000)
    share = np.cumsum(sizes**3) / (sizes**3).sum()
    assert sizes[np.searchsorted(share, 0.5)] == pytest.approx(back.quantile(np.array([0.5]))[0], rel=1e-3)
    assert by_number.mean_volume == pytest.approx((SPHERE * sizes**3).mean(), rel=1e-3)
    table = Table.of(np.array([2.0, 4.0]), np.array([1.0, 1.0]), volume=True)
    np.testing.assert_allclose(table.shares, [8 / 9, 1 / 9])


@pytest.mark.skipif(not MEASURED.exists(), reason="measured NMC111 diameters are not part of the repository")
@pytest.mark.parametrize(("beads", "particles"), [(9494, 165), (10330, 166)])
def test_the_paper_s_particle_counts_are_likely_ones(beads: int, particles: int) -> None:
    law, rng = read_table(MEASURED, volume=False).between(2, 14), np.random.default_rng(7)
    counts = np.array([len(pick(law, beads * 1.284**3, rng)) for _ in range(200)])
    low, high = np.percentile(counts, (2.5, 97.5))
    assert low < particles < high
    due = beads * 1.284**3 / law.mean_volume
    assert abs(counts.mean() - due) < 2 * counts.std() / np.sqrt(200), "one standard error holds for two seeds of three"


TABLES = {
    "words": ("a b\n", "is no table of numbers"),
    "three_columns": ("1 2 3\n", "must hold one or two columns"),
    "ragged": ("1\n2 3\n", "is no table of numbers"),
    "negative": ("-1\n2\n", "numbers above zero"),
    "zero": ("0\n2\n", "has a diameter, or a sum of weights, of zero"),
    "no_weight": ("1 0\n2 0\n", "has a diameter, or a sum of weights, of zero"),
    "empty": ("# nothing\n", "must hold one or two columns"),
}


@pytest.mark.parametrize(("text", "words"), TABLES.values(), ids=TABLES)
def test_a_wrong_table_of_sizes_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "sizes.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_table(path, volume=False)


def test_a_table_is_read_with_remarks_commas_and_weights(tmp_path: Path) -> None:
    path = tmp_path / "sizes.csv"
    path.write_text("# um, share\n5, 1\n3, 3  # most\n", encoding="utf-8")
    found = read_table(path, volume=False)
    np.testing.assert_allclose(found.diameters, [3, 5])
    np.testing.assert_allclose(found.shares, [0.75, 0.25])
    with pytest.raises(InputError, match=r"the sizes \(3 to 5 um\) have none between 6 and 9 um"):
        found.between(6, 9)


def test_a_packing_of_a_library_has_exactly_the_balance_s_beads(library: Library) -> None:
    recipe = with_library(library)
    packed, made = pack(recipe), casts(recipe)
    assert int((packed.kind == 1).sum()) == balance(recipe).active_beads == sum(len(one.shape.beads) for one in made)
    sizes = np.bincount(packed.particle)[1:]
    np.testing.assert_array_equal(sizes, [len(one.shape.beads) for one in made])
    for number, one in enumerate(made, start=1):
        beads = packed.position[packed.particle == number]
        spread = np.linalg.norm(beads - beads.mean(axis=0), axis=1)
        np.testing.assert_allclose(spread, np.linalg.norm(one.shape.beads, axis=1), atol=1e-9)
    np.testing.assert_array_equal(pack(recipe).position, packed.position)


def test_without_scaling_every_particle_is_one_of_the_library_and_volumes_add_up(library: Library) -> None:
    recipe = with_library(library, particles__sizes="library", volume__mass_loading=9.0)
    made = casts(recipe)
    target = balance(recipe).active_beads * recipe.particles.primary_diameter**3
    assert {one.scale for one in made} == {1.0}
    for one in made:
        assert one.volume == pytest.approx(library.volumes[one.row])
    assert sum(one.volume for one in made) == pytest.approx(target, abs=library.volumes.min() / 2)


def test_scaled_copies_have_the_sizes_of_the_law_to_the_digit(library: Library) -> None:
    recipe = with_library(library, particles__scaled=True, volume__mass_loading=9.0)
    choice = choose(recipe, library, 6000.0, np.random.default_rng(8))
    sizes = library.diameters[choice.rows] * choice.scales
    law = LogNormal(recipe.particles.median_diameter, recipe.particles.log_sd, 2.0, 4.0)
    assert kstest(sizes, lambda d: np.searchsorted(law.quantile(np.linspace(0, 1, 2000)), d) / 2000).pvalue > 0.01
    assert (SPHERE * sizes**3).sum() == pytest.approx(6000, abs=SPHERE * 2.0**3 / 2)


def test_half_of_the_copies_are_mirrored_on_request_and_none_otherwise(library: Library) -> None:
    rng = np.random.default_rng(9)
    plain = choose(with_library(library), library, 9000.0, rng)
    half = choose(with_library(library, particles__mirrored=True), library, 9000.0, rng)
    assert not plain.mirrored.any()
    assert 0.4 < half.mirrored.mean() < 0.6


@pytest.mark.parametrize(
    ("volumes", "total"), [([50.0, 30.0, 4.0], 84), ([50.0, 30.0, 4.0], 90), ([9.0, 2.0, 2.0], 13)]
)
def test_beads_are_shared_out_to_the_last_one(volumes: list[float], total: int) -> None:
    counts = bead_counts(np.array(volumes), 1.0, total)
    assert counts.sum() == total
    assert counts.min() >= FEWEST


@pytest.mark.parametrize("volumes", [[9.0, 0.5], [0.9, 0.9, 0.9]])
def test_particles_of_too_little_volume_for_their_beads_are_refused(volumes: list[float]) -> None:
    with pytest.raises(PhysicsError, match=r"raise particles\.min_diameter, or lower particles\.primary_diameter"):
        bead_counts(np.array(volumes), 1.0, round(sum(volumes)))


def test_a_library_is_named_by_its_content_and_not_by_its_place(library: Library, tmp_path: Path) -> None:
    moved = tmp_path / "moved.h5"
    moved.write_bytes(library.path.read_bytes())
    here, there = (identity(small(shapes=str(path))) for path in (library.path, moved))
    assert here == there
    assert library.content_sha256 in json.dumps(here["packing"])
    plain = identity(small())
    assert [stage for stage in plain if plain[stage] != here[stage]] == list(plain)


def test_what_a_library_alone_reads_is_no_part_of_other_packings() -> None:
    written = json.dumps(identity(small())["packing"]["particles"])
    assert '"sphericity"' in written
    assert '"mirrored"' not in written


@pytest.mark.parametrize(
    ("name", "value"), [("particles.scaled", True), ("particles.mirrored", True), ("particles.weighting", "volume")]
)
def test_what_shapes_the_choice_names_the_packing(library: Library, name: str, value: object) -> None:
    recipe = with_library(library)
    assert identity(recipe) != identity(recipe.with_values({name: value}))


def test_a_table_of_sizes_is_named_by_its_content(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "sizes.txt"
    path.write_text("2.5\n3\n", encoding="utf-8")
    first = identity(with_library(library, particles__sizes=str(path)))
    path.write_text("2.5\n3.2\n", encoding="utf-8")
    assert identity(with_library(library, particles__sizes=str(path))) != first


def test_the_notes_say_what_the_library_lacked_and_what_was_done(library: Library) -> None:
    said = notes(with_library(library, particles__max_diameter=9.0, volume__side=24.0))[0]
    assert "60 particles of small.h5" in said or "59 particles of small.h5" in said
    assert "have fewer than 5 of their size in the library and are replaced by the nearest" in said
    scaled = notes(with_library(library, particles__scaled=True, particles__max_diameter=9.0, volume__side=24.0))
    assert any("are larger or smaller particles scaled" in one for one in scaled)


WRONG = {
    "no_library": (
        {"particles": {"scaled": True}},
        "particles.scaled is True but only a library of particles reads it: name one with 'shapes', or leave it out.",
    ),
    "no_library_for_sizes": (
        {"particles": {"sizes": "d.txt"}},
        "particles.sizes is d.txt but only a library of particles reads it: name one with 'shapes', or leave it out.",
    ),
}


@pytest.mark.parametrize(("values", "words"), WRONG.values(), ids=WRONG)
def test_what_only_a_library_reads_is_refused_without_one(values: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        Recipe.from_mapping(values)
    assert str(error.value) == words


def test_a_missing_library_is_said_before_anything_runs() -> None:
    with pytest.raises(InputError, match=r"there is no particle library 'none\.h5': make one with"):
        identity(small(shapes="none.h5"))


def test_files_that_a_recipe_names_lie_beside_it(tmp_path: Path) -> None:
    recipe = small(shapes="nmc.h5", particles__sizes="d.txt").beside(tmp_path)
    assert recipe.shapes == str(tmp_path / "nmc.h5")
    assert recipe.particles.sizes == str(tmp_path / "d.txt")
    assert small(shapes="nmc.h5").beside(tmp_path).particles.sizes == "lognormal"
