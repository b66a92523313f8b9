"""The study file: what is wrong in it is said before anything runs, and what is right means what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toys
import yaml

from mesoforge.errors import InputError
from mesoforge.experiments.rates import AT_1C
from mesoforge.experiments.study import Kind, load_study, parse_budget
from mesoforge.optimize.trial import Trial, Value
from mesoforge.physics.measurement import PROPERTIES

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PRESSURE = {"low": 10, "high": 300}
WRONG = [
    pytest.param(
        {"objective": {}},
        "FILE: 'objective' is not a known key: use one of name, note, recipe, variables, "
        "input_constraints, derived, design, points, objectives, constraints, tolerances, budget, stop, repeat, "
        "reuse, fidelity, average_over, strategy, seed, start_from_known, workers, synchronous, seeds, where, or "
        "remove it.",
        id="unknown key",
    ),
    pytest.param(
        {"variables": None},
        "'variables' is missing: add it.",
        id="variables left out",
    ),
    pytest.param(
        {"variables": {}},
        "'variables' is missing: add it.",
        id="no variables",
    ),
    pytest.param(
        {"variables": {"calendering.presure": PRESSURE}},
        "the variables reach 'calendering.presure' 10, which no recipe allows: 'calendering.presure' is "
        "not an input of a recipe: use one of compression, thickness, pressure, line_load, gap, stiffness, "
        "roll_diameter, mass_loading, temperature, nanopores_close in place of 'presure'.",
        id="variable that is no input",
    ),
    pytest.param(
        {"variables": {"force_field.adhesion": {"low": 50, "high": 600}}},
        "'force_field.adhesion' is no manufacturing parameter and cannot be optimized: use 'mesoforge "
        "sample' to vary it.",
        id="nature",
    ),
    pytest.param(
        {"variables": {"seed": {"low": 1, "high": 9, "integer": True}}},
        "'seed' cannot be a variable: every simulation gets a fresh one; remove it.",
        id="seed",
    ),
    pytest.param(
        {"variables": {"calendering.compression": {"low": 0.1, "high": 1.2}}},
        "the variables reach 'calendering.compression' 1.2, which no recipe allows: "
        "'calendering.compression' is 1.2 but must be less than 0.7: correct it.",
        id="bound that no recipe allows",
    ),
    pytest.param(
        {"variables": {"calendering.compression": {"low": 0.1, "high": 0.3}, "calendering.pressure": PRESSURE}},
        "the variables reach 'calendering.compression' 0.1 and 'calendering.pressure' 10, which no "
        "recipe allows: calendering: compression and pressure are given but exactly one of them may "
        "drive the calender: keep one.",
        id="two drives of the calender",
    ),
    pytest.param(
        {
            "variables": {
                "particles.min_diameter": {"low": 2, "high": 5},
                "particles.max_diameter": {"low": 4, "high": 7},
            }
        },
        "the variables reach 'particles.min_diameter' 5 and 'particles.max_diameter' 4, which no recipe "
        "allows: particles: min_diameter is 5 and max_diameter 4 but the first must be smaller: correct "
        "one of them.",
        id="two bounds that do not go together",
    ),
    pytest.param(
        {"objectives": {}},
        "the study has no objectives but optimizing needs one: add objectives, or use 'mesoforge sample'.",
        id="no objectives",
    ),
    pytest.param(
        {"objectives": {"beauty": "maximize"}},
        f"objective 'beauty' is not a property: use one of {', '.join(PROPERTIES)}, or {', '.join(AT_1C)}.",
        id="objective that is no property",
    ),
    pytest.param(
        {"objectives": {"broken_bonds": "minimize"}},
        "objective 'broken_bonds' is of bonded particles but these are rigid: set particles.bonded to true.",
        id="cracks of rigid particles",
    ),
    pytest.param(
        {"objectives": {"porosity": {"match": 0.3}}},
        "porosity is to be matched, but no target with a tolerance above 0 came: give both",
        id="target without tolerance",
    ),
    pytest.param(
        {"variables": {"particles.source": {"choices": ["synthetic", "real"]}}},
        "the variables reach 'particles.source' real, which no recipe allows: 'particles.source' is 'real' but must be "
        "'synthetic', 'platelets' or 'fitted': correct it.",
        id="choice that no recipe allows",
    ),
    pytest.param(
        {"input_constraints": ["calendering.pressure <= 5"]},
        "calendering.pressure <= 5 holds nowhere between the variables' bounds: correct it, or widen a bound",
        id="constraint on inputs that holds nowhere",
    ),
    pytest.param(
        {"derived": {"seed": "2 * calendering.pressure"}},
        "'seed' cannot be a variable: every simulation gets a fresh one; remove it.",
        id="derived seed",
    ),
    pytest.param(
        {"constraints": {"beauty": {"at_least": 1}}},
        f"constraint 'beauty' is not a property: use one of {', '.join(PROPERTIES)}, or {', '.join(AT_1C)}.",
        id="constraint on no property",
    ),
    pytest.param(
        {"constraints": {"dried_porosity": {"at_least": 30}}},
        "constraint 'dried_porosity at least 30' is on a fraction from 0 to 1, not percent: no electrode keeps it.",
        id="constraint in percent",
    ),
    pytest.param(
        {"constraints": {"thickness": {"at_least": 40, "at_most": 30}}},
        "thickness is to be at least 40 and at most 30, which nothing can be: correct one of the two",
        id="constraint that contradicts itself",
    ),
    pytest.param(
        {"constraints": {"porosity": {"at_most": 0.25}}},
        "porosity is to match 0.3 within 0.01, but the constraints want porosity at most 0.25: "
        "move the target or the constraint",
        id="constraint that contradicts a target",
    ),
    pytest.param(
        {"recipe": "away.yaml"},
        "cannot read 'FOLDER/away.yaml' (No such file or directory): give the path of a YAML file.",
        id="missing recipe file",
    ),
    pytest.param(
        {"recipe": {"formulation": {"active_material": 1.2}}},
        "recipe: 'formulation.active_material' is 1.2 but must be less than 1: correct it.",
        id="wrong recipe",
    ),
    pytest.param(
        {"budget": {"starts": 4}},
        "budget: 'starts' is not known: use start, proposed, confirmations or replicates.",
        id="unknown key of the budget",
    ),
    pytest.param(
        {"budget": {"start": 0}},
        "the budget's start is 0, but a whole number from 1 was due: correct it",
        id="budget of nothing",
    ),
    pytest.param(
        {"budget": {"start": "six"}},
        "FILE: 'budget.start' is 'six' but must be a whole number: correct it.",
        id="budget that is no number",
    ),
    pytest.param(
        {"name": "a/b"},
        "The study's name came as 'a/b': use up to 100 letters, digits, '.', '_' and '-', a letter or "
        "digit first, and not 'Default', which MLflow keeps for itself.",
        id="name that is a path",
    ),
    pytest.param(
        {"name": "default"},
        "The study's name came as 'default': use up to 100 letters, digits, '.', '_' and '-', a letter "
        "or digit first, and not 'Default', which MLflow keeps for itself.",
        id="MLflow's own name",
    ),
    pytest.param(
        {"name": "electrodes"},
        "the study is named 'electrodes', where 'mesoforge make' records: give it another name.",
        id="name of the single electrodes",
    ),
    pytest.param(
        {"strategy": "magic"},
        "the strategy is 'magic', but one of botorch, cma-es, optuna-gp, optuna-nsga2, optuna-tpe, pso, random, "
        "sobol, thompson was due: choose one",
        id="unknown strategy",
    ),
    pytest.param(
        {"workers": 0},
        "FILE: 'workers' is 0 but must be greater than or equal to 1: correct it.",
        id="no workers",
    ),
]


def write(folder: Path, **changes: object) -> Path:
    """Write the toy study with some keys changed, those that are None left out."""
    study = {**toys.STUDY, "strategy": "sobol", **changes}
    path = folder / "study.yaml"
    given = {key: value for key, value in study.items() if value is not None}
    path.write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_a_wrong_study_is_refused_in_one_sentence(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(InputError) as refused:
        load_study(path, "optimize", {})
    assert str(refused.value) == words.replace("FILE", str(path)).replace("FOLDER", str(tmp_path))
    assert list(tmp_path.iterdir()) == [path]


def test_a_study_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("name: toy\nvariables: {low: [1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"study\.yaml' is not valid YAML at line 3: correct its syntax\.$"):
        load_study(path, "optimize", {})


def test_nature_may_be_sampled_and_needs_no_objectives(tmp_path: Path) -> None:
    path = write(tmp_path, variables={"force_field.adhesion": {"low": 50, "high": 600}}, objectives={})
    assert load_study(path, "sample", {}).problem.space.names == ("force_field.adhesion",)


def test_a_seed_may_not_even_be_sampled(tmp_path: Path) -> None:
    path = write(tmp_path, variables={"seed": {"low": 1, "high": 9}})
    with pytest.raises(InputError, match="'seed' cannot be a variable"):
        load_study(path, "sample", {})


def test_a_sample_spends_its_whole_budget_on_the_start() -> None:
    budget = toys.plan("sample", strategy="sobol").problem.budget
    assert (budget.start, budget.proposed, budget.confirmations) == (7, 0, 0)


def test_without_a_budget_the_start_has_two_trials_for_each_variable_and_two_more() -> None:
    assert toys.plan(budget={}, strategy="sobol").problem.budget.start == 6


@pytest.mark.parametrize(
    "text", ["", "6", "6+6", "6+6+2+1", "6+6+two", "6+-1+2", "6+6.5+2", "²+1+1"], ids=lambda text: text or "nothing"
)
def test_a_budget_that_is_not_three_whole_numbers_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_budget(text)
    assert str(refused.value) == f"the budget is '{text}' but must be three whole numbers like 6+6+2: correct it."


def test_a_budget_is_read_part_by_part() -> None:
    assert parse_budget("12+30 + 4") == {"start": 12, "proposed": 30, "confirmations": 4}


def test_a_budget_of_the_command_line_keeps_the_replicates_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, budget={"start": 2, "replicates": 3})
    budget = load_study(path, "optimize", {"budget": parse_budget("5+2+1")}).problem.budget
    assert (budget.start, budget.confirmations, budget.replicates) == (5, 1, 3)


def test_a_recipe_file_is_found_beside_the_study(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("volume: {side: 12}\n", encoding="utf-8")
    assert load_study(write(tmp_path, recipe="mine.yaml"), "optimize", {}).base.volume.side == 12


def test_a_trial_becomes_the_base_recipe_with_its_values_and_its_seed() -> None:
    plan = toys.plan(recipe={"volume": {"side": 12}}, strategy="sobol")
    recipe = plan.recipe(Trial(0, "sobol", {"calendering.pressure": 70.0}, 99, 0.0))
    assert recipe == plan.base.with_values({"calendering.pressure": 70.0, "seed": 99})
    assert (recipe.calendering.pressure, recipe.volume.side, recipe.seed) == (70.0, 12, 99)


def test_another_recipe_is_another_problem_but_another_note_is_not() -> None:
    first = toys.plan(strategy="sobol").problem.definition()
    second = toys.plan(strategy="sobol", note="other").problem.definition()
    other = toys.plan(strategy="sobol", recipe={"volume": {"side": 12}}).problem.definition()
    assert first == second != other


@pytest.mark.parametrize(("file", "kind"), [("quickstart.yaml", "optimize"), ("force_field.yaml", "sample")])
def test_the_examples_are_sound(file: str, kind: Kind) -> None:
    assert load_study(EXAMPLES / file, kind, {"strategy": "sobol"}).problem.budget.start >= 6


def test_a_force_field_file_begins_at_the_study_s_folder_and_is_kept_by_value(tmp_path: Path) -> None:
    (tmp_path / "soft.yaml").write_text("adhesion: 120\n", encoding="utf-8")
    path = write(tmp_path, recipe={"force_field": "soft.yaml"})
    assert load_study(path, "optimize", {}).base.force_field.adhesion == 120


def test_choices_and_derived_inputs_reach_the_recipe(tmp_path: Path) -> None:
    plan = toys.plan(
        variables={
            "particles.source": {"choices": ["synthetic", "fitted"]},
            "formulation.active_material": {"low": 0.92, "high": 0.96},
            "formulation.carbon": {"low": 0.01, "high": 0.03},
        },
        derived={"formulation.binder": "1 - formulation.active_material - formulation.carbon"},
        input_constraints=["formulation.active_material + 2 * formulation.carbon <= 0.99"],
    )
    values: dict[str, Value] = {
        "particles.source": "fitted",
        "formulation.active_material": 0.95,
        "formulation.carbon": 0.015,
    }
    recipe = plan.recipe_at(values, 7)
    assert recipe.particles.source == "fitted"
    assert recipe.formulation.binder == pytest.approx(0.035)
    assert plan.problem.space.rows([values]).tolist()[0][0] == 0.75


def test_a_derived_input_that_no_recipe_allows_is_refused() -> None:
    with pytest.raises(InputError, match=r"the variables reach .*which no recipe allows: .*binder"):
        toys.plan(derived={"formulation.binder": "0.9 - formulation.active_material"})
