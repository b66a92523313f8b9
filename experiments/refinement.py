"""What is refined, one thing at a time, to see whether the answers move."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass

from mesoforge.errors import InputError
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.slurry import slurry_timestep

BASE = "base"
HALF_VOLUME = 0.5 ** (1 / 3)
"""Factor on a length that halves the volume."""
SCALED: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "slurry_timestep": ("time step of the slurry", 0.5, ("numerics.slurry_timestep",)),
    "tolerance": ("tolerance of the slurry", 0.5, ("slurry.tolerance",)),
    "drying_timestep": ("time step of drying", 0.5, ("numerics.drying_step",)),
    "drying_rate": ("speed of drying", 0.5, ("numerics.drying_speed",)),
    "drying_drag": ("drag in drying", 0.5, ("numerics.drying_drag",)),
    "timestep": ("time step of calendering", 0.5, ("numerics.rayleigh_fraction",)),
    "rate": ("speed of the calender's plane", 0.5, ("numerics.plane_speed", "numerics.release_speed")),
    "drag": ("drag in calendering", 0.5, ("numerics.viscous_drag", "numerics.release_drag")),
    "softening": ("softening", 0.5, ("numerics.calendering_softening",)),
    "voxel": ("voxel", 0.5, ("numerics.voxel",)),
    "bead_size": ("volume of a bead", HALF_VOLUME, ("particles.primary_diameter", "drying.cbd_diameter")),
}
"""In words, the factor that refines, and the settings that are multiplied by it.

One stage at a time: what is refined in calendering alone starts from the very coating that the base was pressed from,
so that its effect is not hidden in the noise of another coating.
"""
NAMES = (*SCALED, "volume", "ranks", "seeds")
"""All that can be refined."""
COARSER = "_coarser"


@dataclass(frozen=True, slots=True)
class Variant:
    """One recipe to compare with the base: its key, what differs in words, whether it is the cheaper way round.

    ``seed_offset`` is added to every seed.
    """

    name: str
    words: str
    recipe: Recipe
    coarser: bool = False
    seed_offset: int = 0

    def with_seed(self, seed: int) -> Recipe:
        """Return the recipe for one of the base's seeds."""
        return self.recipe.with_values({"seed": seed + self.seed_offset})


def chosen_names(text: str | None) -> tuple[str, ...]:
    """Read a list of names parted by commas; nothing stands for all.

    Raises:
        InputError: one of them is not known.
    """
    names = tuple(name.strip() for name in text.split(",")) if text else NAMES
    for name in names:
        if name not in NAMES:
            raise InputError(f"--only names '{name}', which cannot be refined: use {', '.join(NAMES)}.")
    return names


def variants(base: Recipe, names: Collection[str], seeds: int, *, coarser: bool) -> Iterator[Variant]:
    """Yield the base, then each refinement of it; ``coarser`` adds the opposite of what has one."""
    yield Variant(BASE, "base", base)
    for name in NAMES:
        if name in names:
            yield _refined(base, name, seeds)
    for name in SCALED:
        if coarser and name in names:
            yield from _coarsened(base, name)


def _coarsened(base: Recipe, name: str) -> Iterator[Variant]:
    """Yield the opposite of a refinement, unless a setting is at its bound already."""
    words, factor, _ = SCALED[name]
    with suppress(InputError):
        yield Variant(f"{name}{COARSER}", f"twice the {words}", _scaled(base, name, 1 / factor), coarser=True)


def _refined(base: Recipe, name: str, seeds: int) -> Variant:
    if name == "volume":
        changes = {"volume.side": base.volume.side * math.sqrt(2), "particles.max_diameter": base.largest_diameter}
        return Variant(name, "twice the area, same sizes", base.with_values(changes))
    if name == "ranks":
        ranks = 2 if base.numerics.ranks == 1 else 1
        return Variant(name, f"{ranks} MPI rank{'s' * (ranks > 1)}", base.with_values({"numerics.ranks": ranks}))
    if name == "seeds":
        return Variant(name, "other seeds (the noise)", base, seed_offset=seeds)
    words, factor, _ = SCALED[name]
    return Variant(name, f"half the {words}", _scaled(base, name, factor))


def _scaled(base: Recipe, name: str, factor: float) -> Recipe:
    """Multiply the settings of a name; the slurry's step is the one it takes, which small beads may have shortened."""
    inputs = base.flat() | {"numerics.slurry_timestep": slurry_timestep(base)}
    changes = {setting: factor * float(inputs[setting]) for setting in SCALED[name][2]}
    if name == "softening":
        changes = {setting: max(1.0, value) for setting, value in changes.items()}
    try:
        return base.with_values(changes)
    except InputError as error:
        raise InputError(f"'{name}' cannot be changed {factor:.3g} times: {error} Or leave it out of --only.") from None
