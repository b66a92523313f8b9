"""What reports of an electrode and of a study have in common: the method, what is fitted, limits, how to reproduce."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mesoforge import __version__
from mesoforge.experiments.printing import number
from mesoforge.experiments.report_page import Figure as Picture
from mesoforge.experiments.report_page import code, figures, folded, items, paragraph, table
from mesoforge.experiments.study_charts import input_unit
from mesoforge.experiments.units import quantity
from mesoforge.physics.force_fields import NO_UNIT
from mesoforge.physics.force_fields import table as force_field_table
from mesoforge.physics.lammps.execute import version
from mesoforge.physics.manufacture import VERSIONS, notes
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.recipe import Recipe

PICTURES = {
    "view_3d": "The volume, cut open at a corner: particles shaded by size, carbon-binder domain (CBD) blue.",
    "cross_section": "Cross-section in the middle of the volume.",
    "phase_profile": "Volume fractions along the thickness; nanopores inside the CBD count as CBD.",
    "stress_thickness": "Calendering: pressure against thickness, loading and release with its spring-back.",
    "pore_sizes": "Pore sizes: by volume (above), and of the network's pores and throats by number (below).",
    "orientation": "How particles lie: angle of their long axes to the thickness.",
    "pore_network": "The network of pores and throats, coloured by radius.",
    "calendering": "The stroke of the calender: beads before, under load and after, straight lines between.",
}
"""Pictures of an electrode by file name, and what they show."""


def shown(name: str, value: float | None) -> str:
    """Return a property as people read it, with its unit."""
    if value is None:
        return "-"
    about = quantity(name)
    return f"{number(value * about.scale)} {about.unit}".strip()


def label(name: str) -> str:
    """Return the words for a property or an input."""
    return name.split(".")[-1].replace("_", " ").capitalize() if "." in name else quantity(name).label


def input_text(name: str, value: Any) -> str:  # noqa: ANN401 - a number or a word
    """Return an input's value with its unit."""
    unit, text = input_unit(name), str(value) if isinstance(value, int) else number(value)
    return f"{text} {unit}".strip()


def electrode_figures(folder: Path) -> str:
    """Return all pictures of an electrode."""
    endings = {"calendering": ".gif"}
    return figures(Picture(folder / f"{name}{endings.get(name, '.png')}", said) for name, said in PICTURES.items())


def method(recipe: Recipe) -> str:
    """Say in plain words how an electrode comes about."""
    mix, volume = recipe.formulation, recipe.volume
    shapes = "cut out of a tomogram" if recipe.shapes else "generated: lumpy and elongated"
    drive = recipe.calendering.drive
    pressed = f"{drive.replace('_', ' ')} {input_text(f'calendering.{drive}', getattr(recipe.calendering, drive))}"
    steps = {
        "Packing": f"particles of active material, {shapes}, and beads of carbon and binder (CBD) are scattered in "
        f"a box; the dry electrode is {100 * mix.active_material:.1f} % active material by mass.",
        "Slurry": f"with {100 * mix.solids_content:.1f} % of solids, it is pressed together until its density is "
        "steady.",
        "Drying": f"{_dried(recipe)}.",
        "Calendering": f"a plane presses the coating ({pressed}), waits, and lets go; contacts are elastic, adhesive, "
        "with friction, and part of their flattening stays.",
        "Measuring": f"the beads become voxels of {recipe.numerics.voxel:g} um, on which pores, transport, surfaces "
        f"and particles are measured. The volume is {volume.side:g} um wide and periodic, at "
        f"{volume.mass_loading:g} mg/cm2.",
    }
    said = items(f"**{name}**: {text}" for name, text in steps.items())
    return said + paragraph("The first four stages are simulations of moving beads in LAMMPS.", "soft")


def fitted(recipe: Recipe) -> str:
    """Say what was fitted and assumed, from the force field's own record, and what is predicted."""
    rows = [
        (
            f"`{row['name']}`",
            f"{row['value']:g} {row['unit'] if row['unit'] != NO_UNIT else ''}".strip(),
            row["basis"],
            row["source"] or "-",
            row["meaning"],
        )
        for row in force_field_table(recipe.force_field)["parameters"]
    ]
    imposed = recipe.drying.model == "to_porosity"
    dried = (
        "The dried porosity was **imposed**, it is no prediction."
        if imposed
        else "Dried porosity and thickness are **predicted** from a drying pressure whose level was fitted."
    )
    return (
        items(
            (
                "Masses, loading and capacity are **given** by the recipe.",
                dried,
                pressed(recipe),
                "Tortuosity, profiles, pores and surfaces are **measured** on the simulated structure.",
            )
        )
        + paragraph(f"Force field `{recipe.force_field.name}`: each value and what it rests on.")
        + table(("parameter", "value", "basis", "source", "meaning"), rows, sentences=2)
    )


def pressed(recipe: Recipe) -> str:
    """Say what the porosity under load and after release rest on."""
    bases = {row["name"]: row["basis"] for row in force_field_table(recipe.force_field)["parameters"]}
    known = [name for name in ("friction", "adhesion") if bases[name] == "fitted"]
    level = f", and its level from what was **fitted** to measured porosities: {' and '.join(known)}" if known else ""
    return (
        f"Porosity under load is **predicted** from the materials' moduli{level}; spring-back follows from the "
        "permanent share of a contact's flattening (below)."
    )


def limits(recipe: Recipe) -> str:
    """Say what a reader must know of the numbers."""
    return items(notes(recipe))


def reproduction(command: str, hashes: Mapping[str, str], recipe: Recipe, files: Iterable[tuple[str, str]]) -> str:
    """Say how to make it again: the command, versions, hashes, and the texts of the files that it needs."""
    stages = ", ".join(f"{stage} {number}" for stage, number in VERSIONS.items())
    rows = [("mesoforge", __version__), ("LAMMPS", version()), ("versions of the stages", stages)]
    rows += [(name, f"`{value}`") for name, value in hashes.items()]
    rows.append(("seed", str(recipe.seed)))
    texts = "".join(folded(name, code(text)) for name, text in files)
    return code(command) + table(("what", "which"), rows) + texts


def property_table(properties: Mapping[str, float], names: Iterable[str]) -> str:
    """Return properties with their units and meanings."""
    rows = [
        (f"`{name}`", shown(name, properties[name]), PROPERTIES[name].meaning)
        for name in names
        if name in properties and name in PROPERTIES
    ]
    return table(("property", "value", "meaning"), rows, sentences=1)


def _dried(recipe: Recipe) -> str:
    """Say what draws the coating together."""
    return {
        "capillary": f"a capillary pressure of {recipe.drying.pressure:g} MPa draws the coating together",
        "to_porosity": f"the coating is drawn together until its porosity is {recipe.drying.porosity}",
        "migration": "binder migrates with the evaporating solvent, then a pressure draws the coating together",
    }[recipe.drying.model]
