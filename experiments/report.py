"""Reports: one HTML page on an electrode or a study, for people who open neither Python nor a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mesoforge.errors import InputError
from mesoforge.experiments.assessing import assessment
from mesoforge.experiments.home import Home
from mesoforge.experiments.printing import FIRST, number
from mesoforge.experiments.rates import NOTE, rates_of
from mesoforge.experiments.report_page import (
    Figure,
    Section,
    cards,
    code,
    figures,
    folded,
    items,
    page,
    paragraph,
    table,
)
from mesoforge.experiments.report_parts import (
    electrode_figures,
    fitted,
    input_text,
    label,
    limits,
    method,
    property_table,
    reproduction,
    shown,
)
from mesoforge.experiments.sizing import size_words
from mesoforge.experiments.study import Plan
from mesoforge.experiments.view import shift_words, tied, trial_key
from mesoforge.experiments.work import electrode_name
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.limits import Limit
from mesoforge.optimize.objectives import Objective, Objectives
from mesoforge.optimize.space import Variable
from mesoforge.optimize.trial import Failed, Measured, Outcome, Trial
from mesoforge.physics.manufacture import identity
from mesoforge.physics.measurement import OWN
from mesoforge.physics.recipe import Recipe, load_recipe
from mesoforge.physics.store import digest

Json = Mapping[str, Any]
CARDS = ("porosity", "tortuosity_factor_z", "thickness", "mass_loading", "areal_capacity", "electrode_density")
STUDY_FIGURES = {
    "pareto_front.png": "Measured electrodes, objective against objective; rings mark the Pareto-optimal ones, lines "
    "lead to confirmations with new seeds.",
    "prediction_against_physics.png": "What the surrogate foretold (mean and two standard deviations) against what the "
    "simulation then gave.",
    "hypervolume.png": "How much was gained with each simulation.",
    "parallel_coordinates.png": "Each line is one electrode: its inputs, then its objectives.",
    "slices.png": "What the surrogate foretells along each input, the others held as in the best electrode (dotted): "
    "mean and the band that holds 95 % of new electrodes.",
    "sensitivity.png": "Which inputs matter: the share of each property's variance that an input explains alone, and "
    "alone or with others (Sobol indices). Bars are two standard deviations of what the electrodes leave open.",
}


TRUST_FIGURES = {
    "calibration_curve.png": "How often electrodes of recipes that were left out lie within their intervals; on the "
    "diagonal the intervals are right.",
    "partial_dependence.png": "How each property moves with each input, the others averaged over their bounds, "
    "with two standard deviations of what is known.",
}


def find_electrode(name: str, home: Home) -> Path:
    """Return the folder of the electrode whose hash begins with a name.

    Raises:
        InputError: there is none, or more than one, or it failed.
    """
    found = sorted((home.root / "portraits").glob(f"{name}*")) if name.isalnum() else []
    if len(found) != 1:
        many = f"{len(found)} electrodes' names begin so" if found else "no study and no electrode has that name"
        studies = ", ".join(home.studies()) or "none yet"
        raise InputError(
            f"'{name}' was asked for but {many}: use the name of a study ({studies}) or of an electrode in "
            f"'{home.root}', as 'mesoforge make' prints it."
        )
    if not (found[0] / "properties.json").is_file():
        raise InputError(f"electrode '{name}' failed and has no properties: see its logs in '{found[0]}'.")
    return found[0]


def electrode_report(folder: Path) -> str:
    """Return the page on the electrode whose pictures and numbers lie in a folder."""
    recipe = load_recipe(folder / "recipe.yaml")
    properties = json.loads((folder / "properties.json").read_text(encoding="utf-8"))["properties"]
    stages = {f"hash of {stage}": digest(inputs)[:24] for stage, inputs in identity(recipe).items()}
    files = [("recipe.yaml", (folder / "recipe.yaml").read_text(encoding="utf-8"))]
    sections = [
        Section("Question", _asked(recipe)),
        Section("Result", _properties(properties)),
        Section("Pictures", electrode_figures(folder)),
        Section("How it was made", method(recipe)),
        Section("What is fitted, what is predicted", fitted(recipe)),
        Section("Limits", limits(recipe)),
        Section("How to make it again", reproduction("mesoforge make recipe.yaml", stages, recipe, files)),
    ]
    lead = cards({label(name): shown(name, properties[name]) for name in CARDS if name in properties})
    return page(f"Electrode {folder.name[:12]}", lead, sections)


def _changes(recipe: Recipe) -> dict[str, Any]:
    default = Recipe().flat()
    return {name: value for name, value in recipe.flat().items() if default.get(name) != value}


def _inputs(values: Mapping[str, Any]) -> str:
    return table(("input", "value"), [(f"`{name}`", input_text(name, value)) for name, value in values.items()])


def study_report(found: Json, plan: Plan, campaign: Campaign, home: Home) -> str:
    """Return the page on a study; ``found`` is its verdict."""
    chosen = chosen_trial(campaign)
    folder = home.study(plan.study.name)
    search = Section("How the search went", _search(folder) + _quality(found) + _trusted(folder))
    sections = [Section("Question", _question(found, plan))]
    if plan.kind == "optimize":
        sections.append(Section("Answer", _answer(found, plan, campaign, chosen)))
    if chosen is not None:
        sections.append(Section("The electrode", electrode_figures(home.portrait(hash_of(chosen, plan)))))
    if plan.kind == "optimize":
        sections += [search, Section("Prediction and physics", _confirmations(found))]
    sections += [
        Section("All electrodes", _trials(campaign, plan)),
        Section("How each was made", method(plan.base)),
        Section("What is fitted, what is predicted", fitted(plan.base) + _discharged(plan)),
        Section("Limits", limits(plan.base)),
        Section("How to make it again", _again(plan, campaign)),
    ]
    return page(f"Study {plan.study.name}", _lead(found, campaign, chosen), sections)


def _discharged(plan: Plan) -> str:
    """Say what discharges rest on, where the study aims at them."""
    return paragraph(NOTE) if rates_of(plan.problem.objectives.outputs) else ""


def _lead(found: Json, campaign: Campaign, chosen: Trial | None) -> str:
    counts = {"electrodes measured": str(found["measured"]), "failed": str(len(found["failed"]))}
    if chosen is None or not isinstance(chosen.outcome, Measured):
        return cards(counts)
    objectives = campaign.problem.objectives
    best = dict(zip(objectives.outputs, _reported(chosen, campaign), strict=True))
    return cards({label(name): shown(name, value) for name, value in best.items()} | counts)


def _reported(chosen: Trial, campaign: Campaign) -> list[float]:
    """Return an electrode's properties: their means over new seeds, else as its only run gave them."""
    means = next((one.mean for one in campaign.confirmed() if one.number == chosen.number), None)
    found = chosen.outcome.properties if isinstance(chosen.outcome, Measured) else {}
    known = campaign.problem.objectives.row(found) if means is None else means
    return [float(value) for value in known]


def _question(found: Json, plan: Plan) -> str:
    variables = [_varied(one) for one in plan.problem.space.variables]
    aims = items(found["aims"]) if found["aims"] else paragraph("The space was sampled, without an aim.")
    varied = table(("input", "from", "to", "scale"), variables) + items(tied(plan.problem.space))
    varied += paragraph(f"Sizes: {size_words(plan.problem.fidelity)}.") if plan.problem.fidelity else ""
    note = (plan.study.note or "(the study has no note)").split("\n\n")
    said = "".join(paragraph(part, "lead") for part in note)
    shifts = {name: (one["mean"], one["sd"]) for name, one in found["shifts"].items()}
    aims += "".join(paragraph(words) for words in shift_words(shifts))
    return f"{said}<h3>Aims</h3>{aims}<h3>What was varied</h3>{varied}"


def _varied(one: Variable) -> tuple[str, ...]:
    if one.choices:
        return (f"`{one.name}`", ", ".join(map(str, one.choices)), "", "choices")
    return (f"`{one.name}`", input_text(one.name, one.low), input_text(one.name, one.high), one.scale)


def chosen_trial(campaign: Campaign) -> Trial | None:
    """Return the trial that the answer speaks of: the best confirmed, else the first of the Pareto set."""
    if confirmed := campaign.confirmed():
        return campaign.trials[confirmed[0].number]
    return next(iter(campaign.pareto()), None) if len(campaign.problem.objectives) else None


def hash_of(trial: Trial, plan: Plan) -> str:
    """Return the hash of a trial's electrode."""
    found = trial.outcome.electrode if isinstance(trial.outcome, Measured) else ""
    return found or electrode_name(plan.recipe(trial))


def _answer(found: Json, plan: Plan, campaign: Campaign, chosen: Trial | None) -> str:
    if chosen is None:
        return paragraph("No electrode was measured yet: there is no answer.")
    confirmed = found["winner"] == trial_key(chosen.number)
    words = (
        f"The best recipe that was confirmed with new seeds is that of **{trial_key(chosen.number)}**."
        if confirmed
        else f"No proposal was confirmed yet; of the Pareto set, **{trial_key(chosen.number)}** comes first."
    )
    words += f" The search stopped early, {found['stopped']}." if found["stopped"] else ""
    return paragraph(words) + _inputs(chosen.values) + _repeats(chosen, campaign) + _pareto(found, plan)


def _repeats(chosen: Trial, campaign: Campaign) -> str:
    """Set the chosen electrode beside its repetitions, of whose seeds alone the mean is: the first run was chosen."""
    again = [one for one in campaign.measured if one.confirms == chosen.number]
    runs = [one.outcome.properties for one in (chosen, *again) if isinstance(one.outcome, Measured)]
    rows = []
    wanted = campaign.objectives
    for name, mean in zip(wanted.outputs, _reported(chosen, campaign), strict=True):
        values = [properties[name] for properties in runs]
        rows.append((label(name), *(shown(name, value) for value in (mean, *values)), _asked_of(name, mean, wanted)))
    seeds = (f"new seed {n}" for n in range(1, len(again) + 1))
    return table(("property", "mean of new seeds" if again else "value", "first run", *seeds, "aim"), rows)


def _pareto(found: Json, plan: Plan) -> str:
    names = [*plan.problem.space.names, *plan.problem.objectives.outputs]
    rows = [
        (
            row["trial"],
            *(input_text(n, v) for n, v in row["values"].items()),
            *(shown(n, v) for n, v in row["properties"].items()),
        )
        for row in found["pareto"]
    ]
    said = paragraph("The Pareto set: electrodes of which none is better in all aims at once, as measured.")
    return said + table(("electrode", *map(label, names)), rows)


def _trusted(folder: Path) -> str:
    """Say which properties are foretold of recipes that were left out, and which not yet."""
    known = assessment(folder)
    if known is None:
        return ""
    said = paragraph("What the surrogate foretells of recipes that were left out, a fifth at a time:")
    rows = [
        (label(name), one["verdict"], number(one["r2"]), _percent(one["coverage50"]), _percent(one["coverage95"]))
        for name, one in known["properties"].items()
    ]
    headings = ("property", "verdict", "R²", "within 50 %", "within 95 %")
    return (
        said
        + table(headings, rows)
        + figures(Figure(folder / n, words, wide=n == "partial_dependence.png") for n, words in TRUST_FIGURES.items())
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _quality(found: Json) -> str:
    """Say how well the surrogate foretells what it was not told."""
    known = found["validation"]
    names = [name.removeprefix("loo/r2/") for name in known if name.startswith("loo/r2/")]
    rows = [(label(one), f"{known[f'loo/r2/{one}']:.2f}", _percent(known[f"loo/coverage95/{one}"])) for one in names]
    said = paragraph(
        "How well the surrogate foretells an electrode that is left out: R² (1 perfect, 0 no better than the mean) and "
        "how often the truth lies within its 95 % interval."
    )
    return said + table(("property", "R²", "within the 95 % interval"), rows) if rows else ""


def _confirmations(found: Json) -> str:
    rows = [
        (str(one["confirms"]), label(name), *_foretold(name, row))
        for one in found["confirmations"]
        for name, row in one["properties"].items()
    ]
    if not rows:
        return paragraph("Nothing was confirmed yet.")
    said = paragraph(
        "Each proposal was made again with a new seed. Beside what the surrogate foretold stand the physics, the "
        "proposal's first run, what mass balance says without any simulation, and the nearest other electrode."
    )
    return said + table(("proposal", "property", "foretold", "physics", "first run", "mass balance", "nearest"), rows)


def _trials(campaign: Campaign, plan: Plan) -> str:
    names = plan.problem.objectives.outputs or ("porosity", "tortuosity_factor_z")
    ended = sorted(campaign.ended, key=lambda one: one.number)
    rows = [
        (
            trial_key(one.number),
            one.origin,
            *([] if one.fidelity is None else [f"{one.fidelity:g}"]),
            *(input_text(n, v) for n, v in one.values.items()),
            *_came(one.outcome, names),
        )
        for one in ended
    ]
    sizes = [] if plan.problem.fidelity is None else [plan.problem.fidelity.name]
    inputs = [label(name) for name in (*sizes, *plan.problem.space.names)]
    reasons = [
        f"{trial_key(trial.number)}: {trial.outcome.kind} in {trial.outcome.stage}: {trial.outcome.reason}"
        for trial in ended
        if isinstance(trial.outcome, Failed)
    ]
    said = folded(f"Table of {len(rows)} electrodes", table(("electrode", "origin", *inputs, *map(label, names)), rows))
    return said + (paragraph("What failed:") + items(reasons) if reasons else "")


def _again(plan: Plan, campaign: Campaign) -> str:
    kept = plan.study.model_dump(mode="json")
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
    hashes = {"hash of the base recipe": digest(identity(plan.base)["measurement"])}
    command = f"mesoforge {plan.kind} study.yaml"
    lines = [f"{trial_key(one.number)}  {hash_of(one, plan)}" for one in campaign.measured]
    said = reproduction(command, hashes, plan.base, [("study.yaml", text)])
    return said + folded("Hashes of all electrodes", code("\n".join(lines)))


def _asked(recipe: Recipe) -> str:
    changed = _changes(recipe)
    differs = paragraph("It differs from the default recipe in:") + _inputs(changed)
    return paragraph("Which electrode comes of this recipe?", "lead") + (
        differs if changed else paragraph("It is the default recipe.")
    )


def _properties(properties: Mapping[str, float]) -> str:
    own = [name for name in dict.fromkeys((*FIRST, *OWN)) if name in properties]
    other = [name for name in properties if name not in own]
    return property_table(properties, own) + folded("All other properties", property_table(properties, other))


def _search(folder: Path) -> str:
    wide = [name for name in STUDY_FIGURES if name != "hypervolume.png"]
    return figures(Figure(folder / name, said, wide=name in wide) for name, said in STUDY_FIGURES.items())


def _asked_of(name: str, value: float, wanted: Objectives) -> str:
    """Say what was wanted of a property, and whether the value is so."""
    said = [aim_met(one, value) for one in wanted.each if one.name == name]
    said += [_kept(one, value) for one in wanted.limits.each if one.name == name]
    return "; ".join(said)


def _kept(one: Limit, value: float) -> str:
    return f"{str(one).removeprefix(one.name).strip()}: {'kept' if one.margin(value) <= 0 else '**not kept**'}"


def aim_met(objective: Objective, value: float) -> str:
    """Say whether a target is met, or what else was wanted."""
    if objective.target is None or objective.tolerance is None:
        return objective.goal
    met = abs(value - objective.target) <= objective.tolerance
    target = f"{shown(objective.name, objective.target)} ± {shown(objective.name, objective.tolerance)}"
    return f"match {target}: {'met' if met else '**not met**'} by the mean"


def _foretold(name: str, row: Json) -> tuple[str, ...]:
    mean, sd = shown(name, row["predicted"]), shown(name, row["predicted_sd"])
    rest = (shown(name, row[key]) for key in ("physics", "first", "mass_balance", "nearest"))
    return ("-" if row["predicted"] is None else f"{mean} ± {sd}", *rest)


def _came(outcome: Outcome | None, names: tuple[str, ...]) -> list[str]:
    """Return the cells of one electrode's properties, or where it failed."""
    if isinstance(outcome, Measured):
        return [shown(name, outcome.properties.get(name)) for name in names]
    return [f"failed in {outcome.stage}" if isinstance(outcome, Failed) else "-", *["-"] * (len(names) - 1)]
