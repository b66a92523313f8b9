"""The models of drying by name: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mesoforge.physics.beads import Beads
from mesoforge.physics.drying import capillary, migration, to_porosity
from mesoforge.physics.drying.stage import DriedResult, DryingModel, settle_on_collector
from mesoforge.physics.recipe import Recipe

LEVEL = "the level of porosity is fitted: drying.pressure was chosen for measured NMC111 coatings (0.46 to 0.49)."


@dataclass(frozen=True, slots=True)
class Entry:
    """A model, and what a reader must know of its numbers."""

    dry: DryingModel
    note: str


MODELS = {
    "capillary": Entry(capillary.dry, f"thickness and porosity are predicted from drying.pressure; {LEVEL}"),
    "to_porosity": Entry(to_porosity.dry, "thickness and porosity are imposed by drying.porosity, not predicted."),
    "migration": Entry(
        migration.dry,
        f"cbd_surface_to_bottom is predicted from drying.rate with an assumed drying.binder_diffusivity; {LEVEL}",
    ),
}


def dry(wet: Beads, recipe: Recipe, folder: Path) -> DriedResult:
    """Dry a slurry by the model that the recipe names.

    Raises:
        PhysicsError: a simulation failed, or the plane did not come to rest.
    """
    return MODELS[recipe.drying.model].dry(settle_on_collector(wet, recipe), recipe, folder)


def note(recipe: Recipe) -> str:
    """Say what a reader must know of the dried electrode's numbers."""
    return f"Drying: {MODELS[recipe.drying.model].note}"
