"""Beads of a library's particles: each carries its particle's volume over its beads, through every stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import small
from numpy.typing import NDArray

from mesoforge.physics.balance import balance, consolidated, masses
from mesoforge.physics.beads import ACTIVE, Beads
from mesoforge.physics.contact import diameters
from mesoforge.physics.drying.motion import inertia
from mesoforge.physics.drying.stage import settle_on_collector
from mesoforge.physics.failure import Failure
from mesoforge.physics.lammps.files import DATA, write_data
from mesoforge.physics.manufacture import BEADS, STAGES, obtain
from mesoforge.physics.measurement import particles
from mesoforge.physics.packing import casts, pack
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.rheology import cut_open
from mesoforge.physics.shapes.library import Library
from mesoforge.physics.slurry import write_slurry
from mesoforge.physics.store import Store
from mesoforge.physics.voxels import voxelise
from mesoforge.physics.wet_structure import homogeneity, sampling_error


@pytest.fixture(scope="module")
def recipe(library: Library) -> Recipe:
    return small(shapes=str(library.path), particles__sizes="library", numerics__voxel=0.25, calendering__pressure=100)


@pytest.fixture(scope="module")
def packed(recipe: Recipe) -> Beads:
    return pack(recipe)


def library_volumes(recipe: Recipe, library: Library) -> NDArray[np.float64]:
    """Return the volumes of a packing's particles as the library has them, (p,) [um3]."""
    return np.array([library.volumes[one.row] * one.scale**3 for one in casts(recipe)])


def on_balance(recipe: Recipe, volumes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return volumes scaled to the active material that the balance has."""
    amounts = balance(recipe)
    return np.asarray(volumes / volumes.sum() * amounts.active_beads * amounts.active_bead_volume)


def bead_masses(path: Path) -> NDArray[np.float64]:
    """Return what LAMMPS takes beads to weigh, in the order of the data file, (n,) [pg]."""
    rows = np.loadtxt(path, skiprows=path.read_text(encoding="utf-8").splitlines().index("Atoms # hybrid") + 2)
    return np.asarray(np.pi / 6 * rows[:, 5] ** 3 * rows[:, 6])


def test_all_beads_of_a_particle_carry_its_volume_over_their_number(
    library: Library, recipe: Recipe, packed: Beads
) -> None:
    volumes = library_volumes(recipe, library)
    assert volumes.sum() / on_balance(recipe, volumes).sum() == pytest.approx(1, abs=0.05)
    for number, volume in enumerate(on_balance(recipe, volumes), start=1):
        own = packed.by_volume(1.0, 0.0)[packed.particle == number]
        np.testing.assert_allclose(own * recipe.particles.primary_diameter**3, volume / len(own), rtol=1e-9)


def test_beads_differ_in_mass_and_sums_are_those_of_the_balance(recipe: Recipe, packed: Beads, tmp_path: Path) -> None:
    amounts, active = balance(recipe), packed.kind == ACTIVE
    assert np.ptp(masses(packed, recipe)[active]) > 0.05 * amounts.active_bead_volume * amounts.active_density
    write_slurry(packed, recipe, tmp_path / "wet")
    write_data(packed, diameters(packed, recipe), masses(packed, recipe), tmp_path / "dry", walls=True)
    assert bead_masses(tmp_path / "wet").sum() == pytest.approx(amounts.wet_mass, rel=1e-9)
    assert bead_masses(tmp_path / "dry").sum() == pytest.approx(amounts.dry_mass, rel=1e-9)
    np.testing.assert_allclose(bead_masses(tmp_path / "dry"), masses(packed, recipe), rtol=1e-8)
    assert inertia(packed, recipe)[active].sum() == pytest.approx(amounts.active_mass, rel=1e-12)


def test_a_generated_packing_knows_nothing_of_shares(tmp_path: Path) -> None:
    made = pack(small())
    assert made.share is None
    made.save(tmp_path / BEADS)
    with np.load(tmp_path / BEADS, allow_pickle=False) as arrays:
        assert sorted(arrays) == ["box", "kind", "particle", "position"]
    assert Beads.load(tmp_path / BEADS).share is None


def test_shares_of_one_are_the_same_as_none(tmp_path: Path) -> None:
    plain, recipe = pack(small()), small()
    ones = Beads(plain.position, plain.kind, plain.particle, plain.box, np.ones(len(plain)))
    volumes = (balance(recipe).active_bead_volume, balance(recipe).wet_bead_volume)
    assert particles(ones, recipe) == particles(plain, recipe)
    assert sampling_error(ones, volumes) == sampling_error(plain, volumes)
    np.testing.assert_array_equal(homogeneity(ones, 1).spread, homogeneity(plain, 1).spread)
    for name, beads in (("ones", ones), ("plain", plain)):
        write_slurry(beads, recipe, tmp_path / name)
    assert (tmp_path / "ones").read_bytes() == (tmp_path / "plain").read_bytes()


def test_shares_survive_a_file_and_every_move(recipe: Recipe, packed: Beads, tmp_path: Path) -> None:
    packed.save(tmp_path / BEADS)
    moves: list[Callable[[Beads], Beads]] = [
        lambda beads: settle_on_collector(beads, recipe),
        lambda beads: cut_open(beads).beads,
        lambda beads: beads.moved(beads.position + 1, beads.box * 2),
    ]
    for beads in (Beads.load(tmp_path / BEADS), *(move(packed) for move in moves)):
        np.testing.assert_array_equal(beads.by_volume(1.0, 1.0), packed.by_volume(1.0, 1.0))
        assert beads.share is not None


def test_the_largest_particle_is_the_library_s(library: Library, recipe: Recipe, packed: Beads) -> None:
    largest = on_balance(recipe, library_volumes(recipe, library)).max()
    assert np.pi / 6 * particles(packed, recipe)["largest_particle"] ** 3 == pytest.approx(largest)


def test_every_particle_has_its_library_volume_in_the_voxels(library: Library, recipe: Recipe, packed: Beads) -> None:
    settled = settle_on_collector(packed, recipe)
    voxels = voxelise(settled, recipe)
    stretch = voxels.phase.shape[2] * voxels.edge / settled.thickness
    due = on_balance(recipe, library_volumes(recipe, library)) * stretch / voxels.edge**3
    found = np.bincount(voxels.particle.ravel())[1:]
    assert np.abs(found - due).max() <= 1
    even = np.bincount(packed.particle)[1:] * recipe.particles.primary_diameter**3 * stretch / voxels.edge**3
    assert np.abs(found - even).max() > 10, "a bead's half would be found"


def test_an_electrode_of_a_library_keeps_its_masses_and_its_volume_to_the_end(recipe: Recipe, store: Store) -> None:
    done, amounts = obtain(recipe, store, STAGES[:4]), balance(recipe)
    assert not isinstance(done, Failure), done
    for stage in STAGES[:4]:
        beads = Beads.load(done[stage].folder / BEADS)
        assert beads.share is not None
        assert masses(beads, recipe).sum() == pytest.approx(amounts.dry_mass, rel=1e-12), stage
    wet, dried, loaded = (
        bead_masses(done[stage].folder / name)
        for stage, name in (("slurry", DATA), ("drying", DATA), ("calendering", f"strokes/{DATA}"))
    )
    assert wet.sum() == pytest.approx(amounts.wet_mass, rel=1e-9)
    assert dried[beads.kind == ACTIVE].sum() == pytest.approx(amounts.active_mass, rel=1e-9)
    assert loaded.sum() == pytest.approx(amounts.dry_mass, rel=1e-9)
    left = consolidated(recipe, done["calendering"].result["cbd_nanoporosity"])
    voxels = voxelise(beads, left)
    due = amounts.active_mass / amounts.active_density / beads.volume * voxels.phase.size
    assert np.count_nonzero(voxels.particle) == pytest.approx(due, abs=1)
