"""The chain: from a recipe to a measured electrode, each stage found in the store or made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, TypeAlias

from mesoforge.physics import calendering, fragments, measurement, packing, slurry, wet_structure
from mesoforge.physics.balance import as_dried, consolidated, most_nanoporosity, nanoporosity_left
from mesoforge.physics.beads import Beads
from mesoforge.physics.drying import models as drying
from mesoforge.physics.failure import Failure, PhysicsError
from mesoforge.physics.lammps.execute import version
from mesoforge.physics.recipe import CALENDERED_ONLY, GENERATED_ONLY, LIBRARY_ONLY, OWN_SIZES, Recipe
from mesoforge.physics.shapes import casting
from mesoforge.physics.shapes.library import open_library
from mesoforge.physics.shapes.stack import checksum
from mesoforge.physics.shapes.stamping import stamp_electrode
from mesoforge.physics.showing import html_table
from mesoforge.physics.store import Store, Stored, digest, numbers_of
from mesoforge.physics.voxels import voxelise

VERSIONS = {"packing": 3, "slurry": 4, "drying": 8, "calendering": 15, "measurement": 7}
"""Raised by one whenever a stage's physics changes, so that older results are not mistaken for new ones."""
BONDED_VERSION = 9
"""Raised by one whenever the physics of bonded particles changes."""
STAGES = tuple(VERSIONS)
TOOLS = {
    "packing": ("numpy", "scipy"),
    "slurry": ("lammps", "numpy", "scipy"),
    "drying": ("lammps",),
    "calendering": ("lammps",),
    "measurement": ("numba", "porespy"),
}
"""Whose version, when it changes, may change a stage's result."""
BEADS, LOADED, VOXELS, CURVE, PAIRS = "beads.npz", "loaded.npz", "voxels.npz", "curve.csv", "pairs.csv"
SHOWN = ("porosity", "tortuosity_factor_z", "thickness", "electrode_density", "areal_capacity")
Identity: TypeAlias = dict[str, dict[str, Any]]
Numbers: TypeAlias = dict[str, float]
DRYING_FIELD = {"cbd_wet_modulus", "wet_adhesion", "wet_friction"}
CALENDERING_FIELD = {"cbd_wet_modulus", "cbd_modulus", "adhesion", "friction", "plasticity", "cbd_thermal_softening"}
DRYING_NUMERICS = {"drying_step", "drying_modulus", "drying_speed", "drying_drag"}
CALENDERING_NUMERICS = {
    "rayleigh_fraction",
    "calendering_softening",
    "plane_speed",
    "release_speed",
    "viscous_drag",
    "release_drag",
    "gauge_pressure",
    "pressure_limit",
}


@dataclass(frozen=True, slots=True)
class Electrode:
    """A finished electrode: properties by name, the stages' folders, and what a reader must know of the numbers.

    ``stage_s`` holds the seconds of the stages that were made and not found.
    """

    recipe: Recipe
    properties: dict[str, float]
    stages: dict[str, Path]
    found: dict[str, bool]
    wall_s: float
    input_sha256: str
    notes: tuple[str, ...] = field(default=())
    stage_s: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Name the electrode, with the numbers that are read first."""
        told = ", ".join(f"{name} {self.properties[name]:.4g}" for name in SHOWN if name in self.properties)
        return f"Electrode {self.input_sha256[:12]}: {told}"

    def _repr_html_(self) -> str:
        """Show all properties in a notebook, with unit and meaning, and the notes."""
        rows = [
            (name, value, measurement.PROPERTIES[name].unit, measurement.PROPERTIES[name].meaning)
            for name, value in self.properties.items()
            if name in measurement.PROPERTIES
        ]
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return html_table(f"Electrode {self.input_sha256[:12]}", ("property", "value", "unit", "meaning"), rows) + notes


def manufacture(
    recipe: Recipe, store: Store | Path | str, on_stage: Callable[[str], None] = lambda _: None
) -> Electrode | Failure:
    """Make and measure the electrode of a recipe.

    Args:
        recipe: what to make.
        store: where finished stages are looked for and kept, or its folder.
        on_stage: told the name of each stage before it begins.

    Returns:
        The electrode, or the failure of the stage that went wrong.
    """
    began, chain = time.monotonic(), identity(recipe)
    kept = store if isinstance(store, Store) else Store(Path(store))
    done = obtain(recipe, kept, STAGES, on_stage)
    return done if isinstance(done, Failure) else _electrode(recipe, done, chain, time.monotonic() - began)


def obtain(
    recipe: Recipe, store: Store, stages: Sequence[str], on_stage: Callable[[str], None] = lambda _: None
) -> dict[str, Stored] | Failure:
    """Find or make the first stages of the chain, in order; stop at the one that goes wrong."""
    chain, before = identity(recipe), Path()
    done: dict[str, Stored] = {}
    for stage in stages:
        on_stage(stage)
        try:
            done[stage] = store.obtain(stage, chain[stage], partial(MAKERS[stage], recipe, before))
        except PhysicsError as error:
            return Failure(error.kind, stage, error.reason)
        before = done[stage].folder
    return done


def identity(recipe: Recipe) -> Identity:
    """Return, per stage, all that determines its result; each stage names its parent by hash."""
    own, parent = _own_inputs(recipe), ""
    chain: Identity = {}
    for stage in STAGES:
        ranks = recipe.numerics.ranks if "lammps" in TOOLS[stage] else 1
        engine = {tool: version(tool) for tool in TOOLS[stage]} | {"ranks": ranks}
        chain[stage] = {"stage": stage, "version": VERSIONS[stage], "parent": parent, **engine, **own[stage]}
        parent = digest(chain[stage])
    return chain


def _own_inputs(recipe: Recipe) -> Identity:
    """Return, per stage, the inputs that it reads itself, numerics included."""
    tree = recipe.model_dump(mode="json")
    packed = _part(
        tree,
        formulation=None,
        particles=None,
        volume=None,
        drying={"cbd_nanoporosity", "cbd_diameter"},
        force_field={"slurry_bead_factor"},
    )
    wet = _part(
        tree, slurry=None, force_field={"slurry_bead_factor", "slurry_well_depth"}, numerics={"slurry_timestep"}
    )
    remembered = set() if as_dried(recipe) is recipe else {"gel_memory"}  # where nothing is remembered, names stay
    dried = _part(tree, drying=None, force_field=DRYING_FIELD | remembered, numerics=DRYING_NUMERICS)
    pressed = _part(
        tree,
        calendering=None,
        force_field=CALENDERING_FIELD,
        numerics=CALENDERING_NUMERICS,
    )
    packed["particles"] = _particles(recipe, packed["particles"])
    return {
        "packing": packed | {"seed": recipe.seed, "densities": _densities(recipe)},
        "slurry": wet,
        "drying": dried | _elastic(recipe),
        "calendering": pressed | _elastic(recipe) | _bonded(recipe),
        "measurement": _part(tree, numerics={"voxel", "image"}) | {"capacity": recipe.materials.active.capacity},
    }


def _particles(recipe: Recipe, section: dict[str, Any]) -> dict[str, Any]:
    """Return what the packing reads of the particles: files by their content, without a library nothing of one."""
    section = {name: value for name, value in section.items() if name not in CALENDERED_ONLY}
    if recipe.shapes is None:
        return {name: value for name, value in section.items() if name not in LIBRARY_ONLY}
    read = {name: value for name, value in section.items() if name not in GENERATED_ONLY}
    if recipe.particles.sizes not in OWN_SIZES:
        read["sizes"] = checksum(Path(recipe.particles.sizes))
    return read | {"library": open_library(Path(recipe.shapes)).content_sha256}


def _densities(recipe: Recipe) -> dict[str, float]:
    materials = recipe.materials
    return {role: getattr(materials, role).density for role in type(materials).model_fields}


def _bonded(recipe: Recipe) -> dict[str, Any]:
    """Return what bonds add to the calender's inputs; nothing for rigid particles: electrodes keep their names."""
    if not recipe.particles.bonded:
        return {}
    return {"bonded": {"version": BONDED_VERSION, "strength": recipe.force_field.particle_strength}}


def _elastic(recipe: Recipe) -> dict[str, Any]:
    active = recipe.materials.active
    return {"elastic": [active.young_modulus, active.poisson_ratio]}


def _part(tree: dict[str, Any], **wanted: set[str] | None) -> dict[str, Any]:
    return {
        section: tree[section] if names is None else {name: tree[section][name] for name in sorted(names)}
        for section, names in wanted.items()
    }


def _electrode(recipe: Recipe, done: Mapping[str, Stored], chain: Identity, wall_s: float) -> Electrode:
    """Gather what all stages found."""
    numbers = {name: value for stage in STAGES for name, value in done[stage].result.items()}
    numbers["compression_under_load"] = 1 - numbers["thickness_under_load"] / numbers["dried_thickness"]
    numbers["compression_after_release"] = 1 - numbers["thickness"] / numbers["dried_thickness"]
    return Electrode(
        recipe=recipe,
        properties={name: float(numbers[name]) for name in measurement.PROPERTIES if name in numbers},
        stages={stage: done[stage].folder for stage in STAGES},
        found={stage: done[stage].found for stage in STAGES},
        wall_s=wall_s,
        input_sha256=digest(chain[STAGES[-1]]),
        notes=notes(recipe),
        stage_s={stage: done[stage].made_s for stage in STAGES if not done[stage].found},
    )


def _pack(recipe: Recipe, _: Path, folder: Path) -> Numbers:
    beads = packing.pack(recipe)
    beads.save(folder / BEADS)
    return measurement.particles(beads, recipe)


def _slurry(recipe: Recipe, before: Path, folder: Path) -> Numbers:
    wet = slurry.make_slurry(Beads.load(before / BEADS), recipe, folder)
    wet.beads.save(folder / BEADS)
    wet_structure.pair_distribution(wet.beads).save(folder / PAIRS)
    mixing = wet_structure.homogeneity(wet.beads, recipe.seed)
    return {
        "slurry_density": wet.density,
        "slurry_density_error": wet.density_error,
        "slurry_density_additive": wet.additive_density,
        "slurry_steps": float(wet.steps),
        "slurry_side": float(wet.beads.box[0]),
        "slurry_heterogeneity": float(mixing.ratio[0]),
        "slurry_heterogeneity_error": float(mixing.random_sd[0] / mixing.random[0]),
        "slurry_heterogeneity_cbd": float(mixing.ratio[1]),
        "slurry_spread_active": float(mixing.spread[0]),
        "slurry_spread_cbd": float(mixing.spread[1]),
    }


def _dry(recipe: Recipe, before: Path, folder: Path) -> Numbers:
    recipe = as_dried(recipe)
    dried = drying.dry(Beads.load(before / BEADS), recipe, folder)
    dried.beads.save(folder / BEADS)
    dried.curve.save(folder / CURVE)
    return measurement.coating(dried.beads, recipe, "dried_") | measurement.dried(dried.beads, recipe)


def _calender(recipe: Recipe, before: Path, folder: Path) -> Numbers:
    recipe = as_dried(recipe)
    pressed = calendering.calender(Beads.load(before / BEADS), recipe, folder)
    pressed.beads.save(folder / BEADS)
    pressed.loaded.save(folder / LOADED)
    pressed.curve.save(folder / CURVE)
    loaded = measurement.coating(pressed.loaded, recipe)
    return (
        measurement.coating(pressed.beads, recipe)
        | _cracked(recipe, pressed, folder)
        | {
            "thickness_under_load": loaded["thickness"],
            "porosity_under_load": loaded["porosity"],
            "porosity_bulk_under_load": loaded["porosity_bulk"],
            "calendering_pressure": pressed.pressure,
            "cbd_nanoporosity": _nanoporosity(recipe, pressed),
        }
    )


def _cracked(recipe: Recipe, pressed: calendering.CalenderedResult, folder: Path) -> Numbers:
    """Return what cracks made of bonded particles, and write it; nothing of rigid ones."""
    if pressed.cracks is None:
        return {}
    pitch = recipe.particles.primary_diameter
    found = fragments.fates(pressed.cracks, pressed.beads, pitch)
    fragments.save(pressed.cracks, found, folder)
    return fragments.numbers(pressed.cracks, found, pressed.beads)


def _nanoporosity(recipe: Recipe, pressed: calendering.CalenderedResult) -> float:
    """Return the nanoporosity left: nanopores close as the recipe says, and in any case where no other pore is left."""
    closing = recipe.calendering.nanopores_close
    kept = nanoporosity_left(recipe, pressed.cbd_volume_kept) if closing else recipe.drying.cbd_nanoporosity
    return min(kept, most_nanoporosity(recipe, pressed.beads.volume))


def _measure(recipe: Recipe, before: Path, folder: Path) -> Numbers:
    beads, nanoporosity = Beads.load(before / BEADS), numbers_of(before)["cbd_nanoporosity"]
    now = consolidated(recipe, nanoporosity)
    voxels = voxelise(beads, now) if recipe.numerics.image == "beads" else stamp_electrode(beads, now)
    voxels.save(folder / VOXELS)
    return measurement.loads(beads, now) | measurement.structure(voxels, now)


MAKERS: dict[str, Callable[[Recipe, Path, Path], Numbers]] = {
    "packing": _pack,
    "slurry": _slurry,
    "drying": _dry,
    "calendering": _calender,
    "measurement": _measure,
}
"""Per stage, what makes it: from a recipe and the folder of the stage before, into a folder; returns its numbers."""


def notes(recipe: Recipe) -> tuple[str, ...]:
    """Say what a reader must know of the numbers: what was cut, fitted or assumed."""
    nature = recipe.force_field
    said = [
        drying.note(recipe)
        if recipe.drying.model == "to_porosity"
        else f"{drying.note(recipe)} {nature.said('wet_friction')}; {nature.said('gel_memory')}.",
        f"Slurry: {nature.said('slurry_bead_factor')}.",
        (
            f"Calendering: the active material has its own modulus; {nature.said('cbd_modulus')}; "
            f"{nature.said('friction')}. Spring-back, and so the released porosity, follows from the permanent share "
            f"of a contact's flattening: {nature.said('plasticity')}."
        ),
        (
            f"Transport: tortuosity_factor_z is taken on voxels of {recipe.numerics.voxel:g} um and falls as they "
            "shrink: at 0.2 um it lies a fifth to a third above its limit; 'mesoforge measure ELECTRODE --richardson' "
            "finds that (docs/measuring.md)."
        ),
    ]
    if recipe.largest_diameter < recipe.particles.max_diameter:
        said.insert(
            0,
            f"Sizes: a volume of {recipe.volume.side:g} um holds particles up to {recipe.largest_diameter:g} um: the "
            f"size distribution was cut there and not at {recipe.particles.max_diameter:g} um; raise volume.side to "
            f"{2.5 * recipe.particles.max_diameter:g} um for all of it.",
        )
    if recipe.particles.bonded:
        said.append(
            f"Cracks: {nature.said('particle_strength')}. Moduli, stresses and strength are all divided by "
            f"numerics.calendering_softening ({recipe.numerics.calendering_softening:g}): strains at breaking are "
            "true, inertia is not (docs/cracking.md). Particles whose beads lie in a plane stay rigid."
        )
    if recipe.shapes is not None:
        said.insert(0, casting.note(recipe))
    if recipe.volume.start_box is not None:
        side, height = recipe.foretold_edges
        said.append(
            f"Start box: the slurry shrinks in proportion and would end at about {side:.3g} by {height:.3g} um where "
            f"volume.side is {recipe.volume.side:g} um: cross-section and mass_loading go with that."
        )
    return tuple(said)
