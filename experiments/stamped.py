"""One electrode in three images: of its beads, and of its library's particles stamped where they came to rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mesoforge.errors import InputError
from mesoforge.experiments.canvas import save, style
from mesoforge.experiments.home import Home
from mesoforge.experiments.work import electrode_name
from mesoforge.physics.balance import consolidated
from mesoforge.physics.beads import Beads
from mesoforge.physics.failure import Failure
from mesoforge.physics.manufacture import BEADS, VOXELS, manufacture
from mesoforge.physics.measurement import structure
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.shapes.stamping import active_surface, stamp_electrode
from mesoforge.physics.store import Store
from mesoforge.physics.voxels import Voxels

MAPPINGS = ("rigid", "affine")
IMAGES = ("beads", *MAPPINGS)
COMPARED = {
    "porosity_voxels": "pores and nanopores",
    "active_surface": "surface of active material over volume (1/µm)",
    "tortuosity_factor_z": "tortuosity factor along the thickness",
    "pore_diameter_mean": "mean pore diameter (µm)",
}
"""What is compared, by name, and its words."""


def stamped_images(recipe: Recipe, home: Home, on_stage: Callable[[str], None]) -> dict[str, Any]:
    """Make the electrode of a recipe, stamp its particles, measure all images and draw them.

    Returns:
        The measures by image and name, and the files; or the failure's kind, stage and reason.

    Raises:
        InputError: the recipe names no library.
    """
    if recipe.shapes is None:
        raise InputError("the recipe names no library of particles to stamp: add 'shapes: nmc.h5'.")
    recipe = recipe.with_values({"numerics.image": "beads"})
    made = manufacture(recipe, Store(home.store), on_stage)
    if isinstance(made, Failure):
        return {"kind": made.kind, "stage": made.stage, "reason": made.reason}
    folder = home.portrait(electrode_name(recipe))
    folder.mkdir(parents=True, exist_ok=True)
    images = {"beads": Voxels.load(made.stages["measurement"] / VOXELS)}
    now = consolidated(recipe, made.properties["cbd_nanoporosity"])
    for mapping in MAPPINGS:
        on_stage(f"stamping, {mapping}")
        beads = Beads.load(made.stages["calendering"] / BEADS)
        images[mapping] = stamp_electrode(beads, now, mapping)  # type: ignore[arg-type]
        images[mapping].save(folder / f"voxels_{mapping}.npz")
    on_stage("measurement")
    found = {
        name: structure(voxels, now) | {"active_surface": active_surface(voxels)} for name, voxels in images.items()
    }
    return {
        "electrode": made.input_sha256,
        "images": {name: {key: values[key] for key in COMPARED} for name, values in found.items()},
        "alike": {name: float((images[name].phase == images["beads"].phase).mean()) for name in MAPPINGS},
        "notes": list(made.notes),
        "files": [str(folder / f"voxels_{mapping}.npz") for mapping in MAPPINGS],
        "picture": str(_picture(images, folder / "stamped.png")),
    }


def _picture(images: dict[str, Voxels], path: Path) -> Path:
    """Draw the middle plane of the images side by side, each particle in its colour, CBD dark."""
    from mesoforge.experiments.shape_pictures import draw_labels, empty_figure

    with style():
        figure = empty_figure(14, 5.4)
        for axes, (name, voxels) in zip(figure.subplots(1, len(images)), images.items(), strict=True):
            middle = voxels.phase.shape[1] // 2
            plane = voxels.particle[:, middle].astype(np.int64)
            plane[voxels.phase[:, middle] == 2] = -1
            draw_labels(axes, plane.T, voxels.edge)
            axes.set_title({"beads": "beads, closed"}.get(name, f"tomogram's particles, {name}"))
        return save(figure, path)
