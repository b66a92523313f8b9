"""The study: a YAML file that says what to vary, what to aim at and how much to spend."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mesoforge.errors import InputError
from mesoforge.experiments.record import check_study_name
from mesoforge.experiments.units import quantity
from mesoforge.optimize.objectives import Objectives
from mesoforge.optimize.problem import Budget, Problem
from mesoforge.optimize.space import Space, Variable
from mesoforge.optimize.strategies import strategy
from mesoforge.optimize.trial import Trial, Value
from mesoforge.physics.fragments import CRACKING
from mesoforge.physics.lammps.execute import version
from mesoforge.physics.manufacture import identity
from mesoforge.physics.measurement import PROPERTIES
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.record import Record, read_yaml
from mesoforge.physics.store import digest

SINGLE = "electrodes"
"""The study under which electrodes are recorded that were made one by one."""
NATURE = ("force_field.", "numerics.", "materials.", "slurry.tolerance", "drying.cbd_")
"""Inputs that a manufacturer cannot choose."""
Kind = Literal["optimize", "sample"]


class Study(Record):
    """What to do, as the file says it; ``Plan`` is what it means."""

    name: str
    """Name of the study: its folder, and its experiment in MLflow."""
    note: str = ""
    """What it is for, in a sentence or more (markdown)."""
    recipe: dict[str, Any] | str = Field(default_factory=dict)
    """The recipe that is varied: a mapping of what differs from the defaults, or the path of a recipe file."""
    variables: dict[str, dict[str, Any]]
    """Inputs to vary by dotted name, each with ``low``, ``high`` and perhaps ``scale: log`` or ``integer: true``."""
    objectives: dict[str, Any] = Field(default_factory=dict)
    """Properties by name: ``minimize``, ``maximize``, or ``{match: VALUE, tolerance: VALUE}``."""
    budget: dict[str, int] = Field(default_factory=dict)
    """How many simulations: ``start``, ``proposed``, ``confirmations`` and perhaps ``replicates`` of each of these."""
    strategy: str = "botorch"
    """How points are proposed."""
    seed: int = Field(default=1, ge=0)
    """Seed of the campaign; every simulation gets a fresh one from it."""
    workers: int = Field(default=2, ge=1, le=1024)
    """Simulations at a time, each in a process of its own."""


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
        self.base = _base(study, folder)
        self.problem = Problem(
            name=_free_name(study.name),
            space=Space.from_mapping(study.variables),
            objectives=Objectives.from_mapping(study.objectives if kind == "optimize" else {}),
            budget=_budget(study, kind),
            seed=study.seed,
            context=_context(self.base, kind),
        )
        strategy(study.strategy)
        self._check_objectives()
        self._check_variables()

    def recipe(self, trial: Trial) -> Recipe:
        """Return the recipe of a trial."""
        return self.recipe_at(trial.values, trial.seed)

    def recipe_at(self, values: Mapping[str, Value], seed: int) -> Recipe:
        """Return the base recipe with the design variables and the seed given."""
        return self.base.with_values({**values, "seed": seed})

    def _check_objectives(self) -> None:
        if self.kind == "optimize" and not len(self.problem.objectives):
            raise InputError(
                "the study has no objectives but optimizing needs one: add objectives, or use 'mesoforge sample'."
            )
        for name in self.problem.objectives.names:
            if name not in PROPERTIES:
                raise InputError(f"objective '{name}' is not a property: use one of {', '.join(PROPERTIES)}.")
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

    @property
    def _may_crack(self) -> bool:
        """Whether particles are bonded in any of the study's electrodes."""
        return self.base.particles.bonded or "particles.bonded" in self.problem.space.names

    def _check_variables(self) -> None:
        variables = self.problem.space.variables
        for name in (variable.name for variable in variables):
            if name == "seed":
                raise InputError("'seed' cannot be a variable: every simulation gets a fresh one; remove it.")
            if self.kind == "optimize" and name.startswith(NATURE):
                raise InputError(
                    f"'{name}' is no manufacturing parameter and cannot be optimized: "
                    "use 'mesoforge sample' to vary it."
                )
        for size in (1, 2):
            for some in combinations(variables, size):
                self._check_corners(some)

    def _check_corners(self, variables: tuple[Variable, ...]) -> None:
        """Check that a recipe allows these variables at their bounds, all others as in the base recipe."""
        for corner in product(*(_bounds(variable) for variable in variables)):
            values = {variable.name: value for variable, value in zip(variables, corner, strict=True)}
            try:
                self.base.with_values(values)
            except InputError as error:
                reached = " and ".join(f"'{name}' {value:g}" for name, value in values.items())
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


def _free_name(name: str) -> str:
    if check_study_name(name) == SINGLE:
        raise InputError(f"the study is named '{SINGLE}', where 'mesoforge make' records: give it another name.")
    return name


def _bounds(variable: Variable) -> tuple[Value, Value]:
    return (int(variable.low), int(variable.high)) if variable.integer else (variable.low, variable.high)


def _base(study: Study, folder: Path) -> Recipe:
    if isinstance(study.recipe, str):
        return load_recipe(folder / study.recipe)
    return Recipe.from_mapping(study.recipe, "recipe", folder).beside(folder)


def _budget(study: Study, kind: Kind) -> Budget:
    given = {"start": 2 * (len(study.variables) + 1), "proposed": 0, "confirmations": 0} | study.budget
    unknown = set(given) - set(Budget.__dataclass_fields__)
    if unknown:
        raise InputError(f"budget: '{unknown.pop()}' is not known: use start, proposed, confirmations or replicates.")
    if kind == "sample":
        given = {
            "start": sum(given[part] for part in ("start", "proposed", "confirmations")),
            "proposed": 0,
            "confirmations": 0,
        }
    return Budget(**given)
