"""The recipe: all that determines one electrode, from the formulation to the seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from mesoforge.errors import InputError
from mesoforge.physics.force_fields import DEFAULT, ForceFieldField
from mesoforge.physics.materials import MaterialField
from mesoforge.physics.record import Record, read_yaml
from mesoforge.physics.showing import html_table

DRIVES = ("compression", "thickness", "pressure", "line_load", "gap")
"""What may drive the calender, as the recipe names it."""
OWN_SIZES = ("lognormal", "library")
"""What ``particles.sizes`` may be besides the name of a file."""
LIBRARY_ONLY = ("sizes", "weighting", "scaled", "mirrored")
"""What of ``particles`` is read with a library only."""
CALENDERED_ONLY = ("bonded",)
"""What of ``particles`` only the calender reads."""
GENERATED_ONLY = ("source", "sphericity", "sphericity_sd", "roughness")
"""What of ``particles`` is read without one only."""
ROOM = 1.5
"""Least volume of a starting box over that of the slurry."""
ROLES = {"active": "active", "carbon": "additive", "binder": "additive", "solvent": "solvent"}


class Formulation(Record):
    """Mass fractions of the dry electrode, and how much of the slurry is solid."""

    active_material: float = Field(default=0.96, gt=0, lt=1)
    """Mass fraction of active material in the dry electrode."""
    carbon: float = Field(default=0.02, ge=0, lt=1)
    """Mass fraction of conductive carbon in the dry electrode."""
    binder: float = Field(default=0.02, ge=0, lt=1)
    """Mass fraction of binder in the dry electrode."""
    solids_content: float = Field(default=0.679, gt=0.3, lt=0.9)
    """Mass fraction of solids in the slurry (0.679 is inferred from the paper's measured slurry density)."""

    @model_validator(mode="after")
    def _closes(self) -> Self:
        total = self.active_material + self.carbon + self.binder
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise ValueError(
                f"active_material + carbon + binder is {total:.6g} but must be 1: correct one of the three fractions."
            )
        if self.carbon + self.binder < 1e-3:
            raise ValueError("carbon + binder is below 0.001 but a carbon-binder domain is due: lower active_material.")
        return self


class Materials(Record):
    """What the electrode is made of; each is the name of a shipped material or a record of its own."""

    active: MaterialField = Field(default="nmc111", validate_default=True)
    """Active material."""
    carbon: MaterialField = Field(default="carbon_black", validate_default=True)
    """Conductive carbon."""
    binder: MaterialField = Field(default="pvdf", validate_default=True)
    """Binder."""
    solvent: MaterialField = Field(default="nmp", validate_default=True)
    """Solvent."""

    @model_validator(mode="after")
    def _play_their_roles(self) -> Self:
        for place, due in ROLES.items():
            material = getattr(self, place)
            if material.role not in (None, due):
                raise ValueError(
                    f"'{place}' is {material.name}, whose role is {material.role}, but {due} is due: choose another."
                )
        return self


class Particles(Record):
    """Sizes and shapes of the secondary particles, and the size of the beads that they are made of."""

    source: Literal["synthetic", "platelets", "fitted"] = "synthetic"
    """How shapes are generated without a library: lumpy and long, flat, or with a real NMC electrode's statistics."""
    sizes: str = "lognormal"
    """With a library: the sizes of the log-normal law below, ``library`` for its own, or a text file of diameters."""
    weighting: Literal["number", "volume"] = "number"
    """With a library: whether the sizes are distributed by number or by volume."""
    scaled: bool = False
    """With a library: whether copies are scaled to the diameters drawn; else the nearest particles are taken."""
    mirrored: bool = False
    """With a library: whether every second copy, by chance, is a mirror image."""
    median_diameter: float = Field(default=4.353, gt=0.5, lt=50)
    """Median by number of the log-normal distribution of equivalent-sphere diameters [um]."""
    log_sd: float = Field(default=0.487, ge=0, lt=1.5)
    """Standard deviation of the logarithm of the diameter."""
    min_diameter: float = Field(default=2.0, gt=0)
    """Smallest equivalent-sphere diameter [um]."""
    max_diameter: float = Field(default=14.0, gt=0)
    """Largest equivalent-sphere diameter [um]; a volume too small for it cuts it, and the result says so."""
    sphericity: float = Field(default=0.75, gt=0.4, le=1)
    """Mean Krumbein sphericity (bc/a^2)^(1/3) of the generated shapes."""
    sphericity_sd: float = Field(default=0.04, ge=0, lt=0.2)
    """Standard deviation of the Krumbein sphericity."""
    roughness: float = Field(default=0.12, ge=0, le=0.4)
    """Height of the lumps relative to the local radius."""
    primary_diameter: float = Field(default=1.284, gt=0.1)
    """Edge of the cubic voxel that one bead stands for, and the bead's contact diameter [um]."""
    bonded: bool = False
    """Whether particles deform and crack under the calender, their beads bound by breakable bonds; else rigid."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_diameter >= self.max_diameter:
            raise ValueError(
                f"min_diameter is {self.min_diameter:g} and max_diameter {self.max_diameter:g} but the first must be "
                "smaller: correct one of them."
            )
        if self.min_diameter < self.primary_diameter:
            raise ValueError(
                f"min_diameter is {self.min_diameter:g} but must be at least the primary_diameter of "
                f"{self.primary_diameter:g}: raise it, or choose smaller beads."
            )
        return self


Edge = Annotated[float, Field(gt=2, le=1000)]


class Volume(Record):
    """The simulated representative volume."""

    side: float = Field(default=18.0, gt=2, le=500)
    """Lateral edge [um], periodic; at least 2.5 times the largest particle, else the size distribution is cut."""
    mass_loading: float = Field(default=5.5, gt=0.2, le=100)
    """Dry mass per area of collector [mg/cm2]."""
    start_box: tuple[Edge, Edge, Edge] | None = None
    """Edges of the box in which the packing starts [um]; by default five times the slurry, shaped to end at side."""


class Slurry(Record):
    """Densification of the slurry."""

    pressure: float = Field(default=0.1, gt=0, le=10)
    """Isotropic pressure [MPa]."""
    tolerance: float = Field(default=1e-4, gt=0, lt=0.1)
    """Relative change of the density still to come, as foretold from its decay, at which it counts as converged."""


class Drying(Record):
    """Drying by one of three models; ``porosity`` and ``rate`` belong to one model each."""

    model: Literal["capillary", "to_porosity", "migration"] = "capillary"
    """Predict the porosity from a pressure, or impose it, or let binder migrate at an evaporation rate before."""
    pressure: float = Field(default=0.04, gt=0.001, le=2)
    """Capillary pressure that draws the coating together [MPa] (fitted; 2 x 41 mN/m of NMP over 2 um)."""
    porosity: float | None = Field(default=None, gt=0.2, lt=0.9)
    """Porosity that the model to_porosity imposes, nanopores included."""
    rate: float | None = Field(default=None, gt=0, le=100)
    """Evaporation rate of the model migration [g/m2/s]."""
    wet_thickness: float | None = Field(default=None, gt=1, le=2000)
    """Thickness of the wet coating in the model migration [um]; where it is not given, that of the simulated slurry."""
    binder_diffusivity: float = Field(default=100.0, gt=0, le=1e6)
    """Effective diffusivity of the binder in the wet coating, in the model migration [um2/s] (assumed)."""
    cbd_nanoporosity: float = Field(default=0.5, ge=0, lt=0.9)
    """Volume fraction of nanopores inside the dried carbon-binder domain (the paper: 0.5)."""
    cbd_diameter: float = Field(default=1.3, gt=0.2, le=10)
    """Diameter of a dried CBD bead [um] (the paper: 1.3)."""

    @model_validator(mode="after")
    def _has_what_its_model_reads(self) -> Self:
        for name, model in (("porosity", "to_porosity"), ("rate", "migration"), ("wet_thickness", "migration")):
            value = getattr(self, name)
            if value is not None and self.model != model:
                raise ValueError(
                    f"{name} is {value:g} but only the model {model} reads it, and the model is {self.model}: "
                    f"leave it out, or choose {model}."
                )
            if value is None and self.model == model and name != "wet_thickness":
                raise ValueError(f"{name} is missing but the model {model} needs it: add it.")
        return self


class Calendering(Record):
    """One stroke of a plane: load, dwell, release, relaxation; driven by exactly one of five settings."""

    compression: float | None = Field(default=None, ge=0, lt=0.7)
    """Thickness reduction under load, as a fraction of the dried thickness."""
    thickness: float | None = Field(default=None, gt=0)
    """Thickness of the coating under load [um]."""
    pressure: float | None = Field(default=None, gt=0, le=2000)
    """Pressure on the electrode at maximum load [MPa]."""
    line_load: float | None = Field(default=None, gt=0, le=10000)
    """Force of the rolls per width of the electrode [N/mm]."""
    gap: float | None = Field(default=None, gt=0)
    """Distance of the unloaded rolls' surfaces, less the collector's thickness [um]."""
    stiffness: float = Field(default=1.51, gt=0)
    """Stiffness of the calender per area, P = stiffness * (thickness - gap) [MPa/um]; only used with a gap.

    The default is that of one laboratory calender, fitted with the force field to seven of its electrodes.
    """
    roll_diameter: float = Field(default=250.0, gt=10, le=3000)
    """Diameter of the rolls [mm]; only used with a line load."""
    mass_loading: float | None = Field(default=None, gt=0.2, le=500)
    """Mass loading of the coating that passes the rolls, of which the volume is a piece [mg/cm2]; thickness, gap and
    line load are those of that coating. Without it the volume's own loading."""
    temperature: float = Field(default=60.0, ge=0, le=200)
    """Temperature of the rolls [degrees C] (the paper: 60); it softens the CBD."""
    nanopores_close: bool = False
    """Whether the permanent flattening of CBD beads takes their nanopores away; else it only shifts material aside."""

    @model_validator(mode="before")
    @classmethod
    def _has_a_drive(cls, values: object) -> object:
        if isinstance(values, Mapping) and all(values.get(drive) is None for drive in DRIVES):
            return {**values, "pressure": 100.0}
        return values

    @model_validator(mode="after")
    def _has_one_drive(self) -> Self:
        given = [drive for drive in DRIVES if getattr(self, drive) is not None]
        if len(given) > 1:
            raise ValueError(
                f"{' and '.join(given)} are given but exactly one of them may drive the calender: keep one."
            )
        return self

    @property
    def drive(self) -> str:
        """Name the setting that drives the calender."""
        return next(drive for drive in DRIVES if getattr(self, drive) is not None)


class Numerics(Record):
    """How finely the equations are solved; halving a step must not move the answer."""

    slurry_timestep: float = Field(default=0.01, gt=0, le=0.1)
    """Longest time step of the slurry [us]; small beads take a shorter one."""
    rayleigh_fraction: float = Field(default=0.4, gt=0, le=0.4)
    """Time step of calendering, as a fraction of the Rayleigh time of an active bead."""
    calendering_softening: float = Field(default=7.0, ge=1, le=100)
    """Moduli, adhesion and pressures in calendering are divided by it together and pressures multiplied back."""
    drying_step: float = Field(default=0.6, gt=0, le=0.9)
    """Time step of drying, as a fraction of the longest that the adhesive contacts bear."""
    drying_modulus: float = Field(default=0.5, gt=0.001, le=300)
    """Contact modulus of the active material in drying [GPa]: hard against small pressures."""
    plane_speed: float = Field(default=0.75, gt=0, le=20)
    """Greatest speed of the plane that loads in calendering [um/us]."""
    release_speed: float = Field(default=3.0, gt=0, le=20)
    """Greatest speed of the plane that lets go [um/us], ever less as the load falls."""
    drying_speed: float = Field(default=1.5, gt=0, le=20)
    """Greatest speed of the plane in drying [um/us]; a quarter of it once it has met the coating."""
    drying_drag: float = Field(default=20.0, gt=0)
    """Drag on each bead in drying, against the even sinking of the whole film [nN us/um]."""
    gauge_pressure: float = Field(default=0.1, gt=0, le=1)
    """Pressure under which the thickness after release is read, as a thickness gauge presses [MPa]."""
    pressure_limit: float = Field(default=3000.0, gt=0)
    """Pressure at which a thickness counts as out of reach [MPa]."""
    viscous_drag: float = Field(default=1.0, gt=0)
    """Drag on each bead while the calender loads [nN us/um]: it adds to the pressure that the plane feels."""
    release_drag: float = Field(default=10.0, gt=0)
    """Drag on each bead while it lets go [nN us/um]: it brings the electrode to rest."""
    voxel: float = Field(default=0.2, gt=0.02, le=2)
    """Edge of a voxel in the measurement [um]."""
    image: Literal["beads", "particles"] = "beads"
    """Whose surfaces are measured: the beads', gaps closed, or a library's particles', put back where the beads are."""
    ranks: int = Field(default=1, ge=1, le=256)
    """Processor cores per simulation (MPI ranks); forces are summed in another order, so paths part as for a seed."""
    time_limit: float = Field(default=3600.0, gt=0)
    """Longest wall-clock time of one simulation [s]; beyond it the run has failed. Not part of a result's identity."""


class Recipe(Record):
    """All that determines one electrode."""

    formulation: Formulation = Formulation()
    """What goes in."""
    materials: Materials = Materials()
    """Of what."""
    particles: Particles = Particles()
    """In which sizes and shapes."""
    shapes: str | None = None
    """Library of real particles, made by 'mesoforge shapes extract'; without it particles.source generates shapes."""
    volume: Volume = Volume()
    """How much of it."""
    slurry: Slurry = Slurry()
    """First stage."""
    drying: Drying = Drying()
    """Second stage."""
    calendering: Calendering = Calendering(pressure=100.0)
    """Third stage."""
    force_field: ForceFieldField = Field(default=DEFAULT, validate_default=True)
    """How beads act on one another: the name of a shipped force field, the path of a file, or a record of its own."""
    numerics: Numerics = Numerics()
    """How it is solved."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """Seed of everything random."""

    @model_validator(mode="after")
    def _knows_the_active_material(self) -> Self:
        active = self.materials.active
        for name in ("young_modulus", "capacity"):
            if getattr(active, name) is None:
                raise ValueError(f"materials.active ({active.name}) has no {name} but the process needs it: add it.")
        return self

    @model_validator(mode="after")
    def _has_a_library_to_read(self) -> Self:
        asked = [name for name in LIBRARY_ONLY if getattr(self.particles, name) != getattr(Particles(), name)]
        if asked and self.shapes is None:
            raise ValueError(
                f"particles.{asked[0]} is {getattr(self.particles, asked[0])} but only a library of particles reads "
                "it: name one with 'shapes', or leave it out."
            )
        if self.numerics.image == "particles" and self.shapes is None:
            raise ValueError(
                "numerics.image is particles but the recipe has no library of particles: name one with 'shapes', or "
                "leave it at beads."
            )
        return self

    @model_validator(mode="after")
    def _holds_particles(self) -> Self:
        if self.largest_diameter < self.particles.min_diameter:
            raise ValueError(
                f"volume.side is {self.volume.side:g} um and holds particles up to {self.largest_diameter:g} um, but "
                f"the smallest particle is {self.particles.min_diameter:g} um: raise volume.side to "
                f"{2.5 * self.particles.min_diameter:g} um or more."
            )
        return self

    @model_validator(mode="after")
    def _holds_mass(self) -> Self:
        per_loading = 10 * self.volume.side**2 * self.formulation.active_material / self.materials.active.density
        least = max(math.pi / 6 * self.particles.min_diameter**3, 2 * self.particles.primary_diameter**3) / per_loading
        if self.volume.mass_loading < least:
            raise ValueError(
                f"volume.mass_loading is {self.volume.mass_loading:g} mg/cm2, less active material than one smallest "
                f"particle needs: raise it to {1.01 * least:.3g} mg/cm2 or more, or volume.side."
            )
        return self

    @model_validator(mode="after")
    def _starts_dilute(self) -> Self:
        if self.volume.start_box is None:
            return self
        due, edge = ROOM * self.slurry_volume, 2.5 * self.largest_diameter
        if math.prod(self.volume.start_box) < due or min(self.volume.start_box) < edge:
            shown = " x ".join(f"{length:g}" for length in self.volume.start_box)
            raise ValueError(
                f"volume.start_box is {shown} um but must hold {due:.0f} um3, {ROOM:g} times the slurry's volume, and "
                f"have edges of {edge:.3g} um or more: enlarge it, or leave it out."
            )
        return self

    @property
    def slurry_volume(self) -> float:
        """Volume of the slurry if volumes just add [um3], but for the rounding to whole beads."""
        mix, stuff = self.formulation, self.materials
        specific = (
            mix.active_material / stuff.active.density
            + mix.carbon / stuff.carbon.density
            + mix.binder / stuff.binder.density
            + (1 / mix.solids_content - 1) / stuff.solvent.density
        )
        return 10 * self.volume.mass_loading * self.volume.side**2 * specific

    @property
    def foretold_edges(self) -> tuple[float, float]:
        """Side and height of the slurry [um] if volumes just add: in proportion to the start box, if there is one."""
        if self.volume.start_box is None:
            return self.volume.side, self.slurry_volume / self.volume.side**2
        shrinkage = math.cbrt(self.slurry_volume / math.prod(self.volume.start_box))
        return self.volume.start_box[0] * shrinkage, self.volume.start_box[2] * shrinkage

    @property
    def largest_diameter(self) -> float:
        """Largest particle that the volume holds [um]: its side is at least 2.5 times that."""
        return min(self.particles.max_diameter, self.volume.side / 2.5)

    def flat(self) -> dict[str, float | int | str]:
        """List every input under its dotted name, materials by their name, settings that are not given left out."""
        words = {"name", "note", "basis"}
        return dict(_flatten(self.model_dump(exclude={"materials": True, "force_field": words}))) | {
            f"materials.{role}": getattr(self.materials, role).name for role in Materials.model_fields
        }

    @property
    def changed(self) -> dict[str, float | int | str]:
        """What differs from the default recipe, under dotted names."""
        default = Recipe().flat()
        return {name: value for name, value in self.flat().items() if default.get(name) != value}

    def __repr__(self) -> str:
        """Say what differs from the default recipe; evaluated, it is the recipe again."""
        return f"Recipe().with_values({self.changed})" if self.changed else "Recipe()"

    def __str__(self) -> str:
        """Say the same as ``repr``."""
        return repr(self)

    def _repr_html_(self) -> str:
        """Show every input in a notebook, what differs from the default recipe first."""
        changed = self.changed
        rows = [(name, value, "changed") for name, value in changed.items()]
        rows += [(name, value, "") for name, value in self.flat().items() if name not in changed]
        return html_table("Recipe", ("input", "value", ""), rows)

    def with_values(self, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe with some inputs changed, given by dotted names.

        Changing ``formulation.active_material`` keeps the ratio of carbon to binder; choosing a drive of the calender
        unsets the others; ``force_field`` may be named as a whole, before values of it.

        Raises:
            InputError: an unknown name or a value out of range.
        """
        tree = self._with_force_field(values).model_dump()
        for name, value in values.items():
            if name != "force_field":
                _put(tree, name, value)
        active = values.get("formulation.active_material")
        if isinstance(active, int | float) and not {"formulation.carbon", "formulation.binder"} & set(values):
            tree["formulation"] |= self._shared_remainder(active)
        chosen = [drive for drive in DRIVES if f"calendering.{drive}" in values]
        if chosen:
            tree["calendering"] |= dict.fromkeys(set(DRIVES) - set(chosen))
        return Recipe.from_mapping(tree)

    def beside(self, folder: Path) -> Recipe:
        """Return the recipe with the files that it names in a folder, unless they are absolute, which they become."""
        named = {} if self.shapes is None else {"shapes": str((folder / self.shapes).absolute())}
        if self.particles.sizes not in OWN_SIZES:
            named["particles.sizes"] = str((folder / self.particles.sizes).absolute())
        return self.with_values(named) if named else self

    def _with_force_field(self, values: Mapping[str, Any]) -> Recipe:
        if "force_field" not in values:
            return self
        return Recipe.from_mapping(self.model_dump() | {"force_field": values["force_field"]})

    def _shared_remainder(self, active: float) -> dict[str, float]:
        share = self.formulation.carbon / (self.formulation.carbon + self.formulation.binder)
        return {"carbon": (1 - active) * share, "binder": (1 - active) * (1 - share)}


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            rows += _flatten(value, f"{prefix}{key}.")
        elif value is not None:
            rows.append((f"{prefix}{key}", " x ".join(map(str, value)) if isinstance(value, tuple) else value))
    return rows


def _put(tree: dict[str, Any], name: str, value: object) -> None:
    *path, last = name.split(".")
    for part in path:
        branch = tree.get(part)
        if not isinstance(branch, dict):
            raise InputError(f"'{name}' is not an input of a recipe: use a dotted name such as calendering.pressure.")
        tree = branch
    if last not in tree:
        raise InputError(f"'{name}' is not an input of a recipe: use one of {', '.join(tree)} in place of '{last}'.")
    tree[last] = value


def load_recipe(path: Path) -> Recipe:
    """Read a recipe from YAML; what the file leaves out has its default, and files it names lie beside it.

    Raises:
        InputError: the file cannot be read, or something in it is wrong.
    """
    return Recipe.from_mapping(read_yaml(path), str(path), path.parent).beside(path.parent)
