"""The study: a YAML file that says what to vary, what to aim at and how much to spend."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from mesoforge.errors import InputError
from mesoforge.experiments.design import Name
from mesoforge.experiments.draws import Draws
from mesoforge.experiments.first_stages import stages_of
from mesoforge.experiments.layout import lay_down
from mesoforge.experiments.rates import AT_1C, engine, property_of
from mesoforge.experiments.record import check_study_name
from mesoforge.experiments.sizing import SIDE, check_not_varied, fidelity_of, sized
from mesoforge.experiments.units import quantity
from mesoforge.experiments.where import Where
from mesoforge.optimize.fidelity import check_fidelity
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.reuse import check_reuse
from mesoforge.optimize.sequence import sobol_points
from mesoforge.optimize.space import Variable
from mesoforge.optimize.stopping import stop
from mesoforge.optimize.strategies import strategy
from mesoforge.optimize.tolerances import Tolerances
from mesoforge.optimize.trial import Trial, Value
from mesoforge.physics.fragments import CRACKING
from mesoforge.physics.lammps.execute import version
from mesoforge.physics.manufacture import identity
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.record import Record, read_yaml
from mesoforge.physics.store import digest
from mesoforge.surrogate.table import Array

SINGLE = "electrodes"
"""The study under which electrodes are recorded that were made one by one."""
NATURE = ("force_field.", "numerics.", "materials.", "slurry.tolerance", "drying.cbd_")
"""Inputs that a manufacturer cannot choose."""
SPREAD = 64
"""Recipes that are checked of a space whose variables are tied."""
MOST_CORNERS = 8
"""Variables up to which all corners of the space are checked too."""
FORMAT = 2
"""Version of the definition that is kept beside a study's journal; that of version 1 bears no number."""
Kind = Literal["optimize", "sample"]


class Study(Record):
    """What to do, as the file says it; ``Plan`` is what it means."""

    name: str
    """Name of the study: its folder, and its experiment in MLflow."""
    note: str = ""
    """What it is for, in a sentence or more (markdown)."""
    recipe: dict[str, Any] | str = Field(default_factory=dict)
    """The recipe that is varied: a mapping of what differs from the defaults, or the path of a recipe file."""
    variables: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Inputs to vary by dotted name: ``low``, ``high``, perhaps ``scale: log`` or ``integer: true``; or ``choices``."""
    input_constraints: list[str] = Field(default_factory=list)
    """What variables must keep together, each like ``2 * a.b + c.d <= 3``."""
    derived: dict[str, str] = Field(default_factory=dict)
    """Inputs that follow from variables, by dotted name, each like ``1 - a.b - c.d``."""
    design: Name = "sobol"
    """Which points a sample has: ``sobol``, ``latin-hypercube``, ``grid`` or ``list``."""
    points: list[dict[str, Any]] | str = Field(default_factory=list)
    """Of a list: the points, each with a value by variable, or the path of a CSV file headed by the variables."""
    objectives: dict[str, Any] = Field(default_factory=dict)
    """Properties by name: ``minimize``, ``maximize``, or ``{match: VALUE, tolerance: VALUE}``."""
    constraints: dict[str, Any] = Field(default_factory=dict)
    """Bounds of measured properties: ``{at_least: VALUE}``, ``{at_most: VALUE}`` or ``{between: [LOW, HIGH]}``."""
    tolerances: dict[str, Any] = Field(default_factory=dict)
    """How exactly variables are kept in production, by name: ``5 %`` of the value, or a number in its unit."""
    budget: dict[str, int] = Field(default_factory=dict)
    """How many simulations: ``start``, ``proposed``, ``confirmations`` and perhaps ``replicates`` of each of these."""
    stop: str | None = None
    """When to end the proposals early, in words: ``hypervolume gained less than 1 % over 8 simulations``."""
    repeat: bool = False
    """Whether a measured recipe is proposed once more, with a new seed, where that tells more than a new one."""
    reuse: bool = False
    """Whether a proposal may go on from a slurry or coating made before, where that gains more for its cost."""
    fidelity: dict[str, Any] = Field(default_factory=dict)
    """Sizes to simulate in, ``{volume.side: [12, 18]}``: small volumes are learned from, the last size decides."""
    average_over: str | None = None
    """Path of a calibration's ``posterior.csv``: each simulation draws its force field from it, by its seed."""
    strategy: str = "botorch"
    """How points are proposed."""
    seed: int = Field(default=1, ge=0)
    """Seed of the campaign; every simulation gets a fresh one from it."""
    start_from_known: bool = True
    """Whether a new study begins with all electrodes of the home that it might have made itself."""
    workers: int = Field(default=2, ge=1, le=1024)
    """Simulations at a time, each in a process of its own."""
    synchronous: bool = False
    """Whether the next trials are asked for only when all that run have ended: the same proposals on any machine."""
    seeds: Literal["fresh", "shared"] = "fresh"
    """Of a sample: a fresh seed for each electrode, or the same for all points, which then share slurries."""
    where: Where = Field(default_factory=Where)
    """Where they run: ``local``, a scheduler's address, or a mapping with ``kind: slurm`` and more."""


class Plan:
    """A checked study: its base recipe and its problem."""

    def __init__(self, study: Study, kind: Kind, folder: Path = Path()) -> None:
        """Check everything that can be checked before a simulation.

        Args:
            study: the file's content.
            kind: whether it is optimized or only sampled.
            folder: where a recipe's path begins.

        Raises:
            InputError: one sentence on the first thing that is wrong.
        """
        self.study, self.kind = study, kind
        given = _base(study, folder)
        fidelity = fidelity_of(study.fidelity, given, kind)
        self.base = sized(given, fidelity)
        laid = lay_down(study, kind, _budget(study), folder)
        self.stop = None if study.stop is None else stop(study.stop)
        self.draws = None if study.average_over is None else Draws.read((folder / study.average_over).absolute())
        self.problem = Problem(
            name=_free_name(study.name),
            space=laid.space,
            objectives=Objectives.from_mapping(
                *((study.objectives, study.constraints) if kind == "optimize" else ({},))
            ),
            budget=laid.budget,
            seed=study.seed,
            tolerances=Tolerances.from_mapping(study.tolerances if kind == "optimize" else {}, laid.space) or None,
            context=_context(self.base, kind)
            | engine((*study.objectives, *study.constraints))
            | ({"design": laid.name} if laid.name else {})
            | ({} if self.draws is None else {"average_over": self.draws.digest}),
            plan=laid.plan,
            stages=stages_of(self.base, laid.space),
            fidelity=fidelity,
        )
        self.points = laid.points
        proposing = strategy(study.strategy)
        if study.reuse and kind == "optimize":
            check_reuse(self.problem.stages, proposing, study.strategy, fidelity)
        if fidelity is not None:
            check_fidelity(fidelity, laid.budget.start, proposing, study.strategy)
            check_not_varied(fidelity, laid.space)
        self._check_objectives()
        self._check_limits()
        self._check_draws()
        self._check_variables()

    def recipe(self, trial: Trial) -> Recipe:
        """Return the recipe of a trial."""
        return self.recipe_at(trial.values, trial.seed, trial.fidelity)

    def recipe_at(self, values: Mapping[str, Value], seed: int, size: float | None = None) -> Recipe:
        """Return the base recipe with the design variables and the seed given; in the size that decides, or another."""
        nature = {} if self.draws is None else self.draws.of(seed)
        other = {} if size is None else {SIDE: size}
        return self.base.with_values({**nature, **self.problem.space.complete(values), **other, "seed": seed})

    def chosen(self, one: Variable, value: Value) -> Value:
        """Return a variable's value as the study says it: a material has a name in files and another in recipes."""
        same = (each for each in one.choices if self.base.with_values({one.name: each}).flat().get(one.name) == value)
        return next(same, value)

    def _check_objectives(self) -> None:
        if self.kind == "optimize" and not len(self.problem.objectives):
            raise InputError(
                "the study has no objectives but optimizing needs one: add objectives, or use 'mesoforge sample'."
            )
        for name in self.problem.objectives.names:
            _check_property(name, "objective")
            if name in CRACKING and not self._may_crack:
                raise InputError(
                    f"objective '{name}' is of bonded particles but these are rigid: set particles.bonded to true."
                )
        for one in self.problem.objectives.each:
            if one.target is not None and one.target > 1 and quantity(one.name).unit == "%":
                raise InputError(
                    f"objective '{one.name}' is to match {one.target:g} but is a fraction, at most 1: "
                    f"write {one.target / 100:g} for {one.target:g} %, and the tolerance likewise."
                )

    def _check_limits(self) -> None:
        for limit in self.problem.objectives.limits.each:
            _check_property(limit.name, "constraint")
            if quantity(limit.name).unit == "%" and (limit.low >= 1 or limit.high < 0):
                raise InputError(
                    f"constraint '{limit}' is on a fraction from 0 to 1, not percent: no electrode keeps it."
                )

    def _check_draws(self) -> None:
        """Check that what is averaged over is nature's, and that a recipe allows the ends of it."""
        for name in () if self.draws is None else self.draws.names:
            if not name.startswith(NATURE) or name in self.problem.space.names:
                raise InputError(
                    f"'{self.study.average_over}' gives '{name}', which is a variable or the manufacturer's to choose: "
                    "average over parameters of nature alone."
                )
        for values in () if self.draws is None else self.draws.ends():
            self._check_recipe(values)

    @property
    def _may_crack(self) -> bool:
        """Whether particles are bonded in any of the study's electrodes."""
        return self.base.particles.bonded or "particles.bonded" in self.problem.space.names

    def _check_variables(self) -> None:
        variables = self.problem.space.variables
        for name in (*self.problem.space.names, *(name for name, _ in self.problem.space.derived)):
            if name == "seed":
                raise InputError("'seed' cannot be a variable: every simulation gets a fresh one; remove it.")
            if self.kind == "optimize" and name.startswith(NATURE):
                raise InputError(
                    f"'{name}' is no manufacturing parameter and cannot be optimized: "
                    "use 'mesoforge sample' to vary it."
                )
        if self.study.design in ("grid", "list"):
            self._check_points()
            return
        if self.problem.space.ties:
            self._check_tied()
            return
        for size in (1, 2):
            for some in combinations(variables, size):
                self._check_corners(some)

    def _check_tied(self) -> None:
        """Check that a recipe allows points all over a space whose variables are tied: most corners are outside."""
        space = self.problem.space
        points = space.allowed(np.vstack([sobol_points(len(space.names), 0, SPREAD), *_corners(len(space.names))]))
        for point in points:
            self._check_recipe(space.from_unit(point))

    def _check_points(self) -> None:
        """Check that a recipe allows each point of a grid or a list."""
        for number, point in enumerate(self.points, start=1):
            try:
                self.base.with_values(point)
            except InputError as error:
                said = ", ".join(f"{name} {value:g}" for name, value in point.items())
                raise InputError(f"no recipe allows point {number} ({said}): {error}") from None

    def _check_corners(self, variables: tuple[Variable, ...]) -> None:
        """Check that a recipe allows these variables at their bounds, all others as in the base recipe."""
        for corner in product(*(variable.ends for variable in variables)):
            self._check_recipe({variable.name: value for variable, value in zip(variables, corner, strict=True)})

    def _check_recipe(self, values: Mapping[str, Value]) -> None:
        space, fidelity = self.problem.space, self.problem.fidelity
        complete = space.complete(values) if space.derived else values
        for size in [{}] if fidelity is None else [{fidelity.name: value} for value in fidelity.values]:
            try:
                self.base.with_values({**complete, **size})
            except InputError as error:
                reached = " and ".join(f"'{name}' {_short(value)}" for name, value in {**values, **size}.items())
                raise InputError(f"the variables reach {reached}, which no recipe allows: {error}") from None


def load_study(path: Path, kind: Kind, changes: Mapping[str, Any]) -> Plan:
    """Read a study from YAML; ``changes`` replace what the file says.

    Raises:
        InputError: the file cannot be read, or something in it is wrong.
    """
    said = read_yaml(path)
    if "budget" in changes and isinstance(said.get("budget"), dict):
        changes = {**changes, "budget": {**said["budget"], **changes["budget"]}}
    return Plan(Study.from_mapping({**said, **changes}, str(path)), kind, path.parent)


def check_format(kept: Mapping[str, Any], path: Path) -> int:
    """Return the version of a kept definition.

    Raises:
        InputError: it is newer than this version reads.
    """
    came = kept.get("format", 1)
    if not isinstance(came, int) or came > FORMAT:
        raise InputError(
            f"'{path}' has format {came} but this version reads up to format {FORMAT}: use a newer mesoforge."
        )
    return came


def parse_budget(text: str) -> dict[str, int]:
    """Read a budget as START+PROPOSED+CONFIRMATIONS, as in 6+6+2.

    Raises:
        InputError: it is not three whole numbers.
    """
    parts = text.split("+")
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"the budget is '{text}' but must be three whole numbers like 6+6+2: correct it.")
    return dict(zip(("start", "proposed", "confirmations"), map(int, parts), strict=True))


def _context(base: Recipe, kind: Kind) -> dict[str, Value]:
    """Return what else outcomes depend on, what a reader understands first: an error names the first difference."""
    chain = identity(base)
    versions = ", ".join(f"{stage} {inputs['version']}" for stage, inputs in chain.items())
    return {"kind": kind, "physics": f"{versions}, LAMMPS {version()}", "recipe": digest(chain["measurement"])}


def _check_property(name: str, role: str) -> None:
    if property_of(name) is None:
        raise InputError(
            f"{role} '{name}' is not a property: use one of {', '.join(PROPERTIES)}, or {', '.join(AT_1C)}."
        )


def _free_name(name: str) -> str:
    if check_study_name(name) == SINGLE:
        raise InputError(f"the study is named '{SINGLE}', where 'mesoforge make' records: give it another name.")
    return name


def _corners(dimensions: int) -> list[Array]:
    """Return the corners of the unit cube as rows; none where they are too many."""
    return [np.array(list(product((0.0, 1.0), repeat=dimensions)))] if dimensions <= MOST_CORNERS else []


def _short(value: Value) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else f"{value}"


def _base(study: Study, folder: Path) -> Recipe:
    if isinstance(study.recipe, str):
        return load_recipe(folder / study.recipe)
    return Recipe.from_mapping(study.recipe, "recipe", folder).beside(folder)


def _budget(study: Study) -> dict[str, int]:
    unknown = set(study.budget) - set(Budget.__dataclass_fields__)
    if unknown:
        raise InputError(f"budget: '{unknown.pop()}' is not known: use start, proposed, confirmations or replicates.")
    return study.budget
