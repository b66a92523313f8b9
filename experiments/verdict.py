"""What a campaign found: its Pareto set, and predictions beside physics, mass balance and the nearest neighbour."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesoforge.experiments.study import Plan
from mesoforge.experiments.view import aim, best_row, trial_key, validation
from mesoforge.optimize.baselines import nearest
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.fidelity import Fidelity, counts
from mesoforge.optimize.reach import unreached
from mesoforge.optimize.trial import Failed, Measured, Trial
from mesoforge.physics.balance import foretold

if TYPE_CHECKING:
    from mesoforge.surrogate.gp import GaussianProcess

Json = dict[str, Any]


def verdict(plan: Plan, campaign: Campaign) -> Json:
    """Return the state and the findings of a campaign as plain values."""
    wanted = plan.problem.objectives
    return {
        "study": plan.study.name,
        "phase": campaign.phase,
        "aims": [*map(aim, wanted.each), *map(str, wanted.limits.each)],
        "measured": len(campaign.measured),
        **({} if plan.problem.fidelity is None else {"sizes": _sizes(plan.problem.fidelity, campaign)}),
        "failed": [_failure(trial) for trial in campaign.ended if isinstance(trial.outcome, Failed)],
        "pending": [trial_key(trial.number) for trial in campaign.pending],
        "stopped": _stopped(plan, campaign),
        "hypervolume": campaign.hypervolume() if len(wanted) and campaign.measured else None,
        "validation": validation(campaign),
        "feasible": len(campaign.feasible()) if len(wanted.limits) else None,
        "pareto": [_row(trial, wanted.outputs) for trial in campaign.pareto()] if len(wanted) else [],
        "winner": winner(campaign),
        "best": [best_row(one, campaign) for one in campaign.confirmed()],
        "shifts": {name: {"mean": mean, "sd": sd} for name, (mean, sd) in campaign.shifts.items()},
        "unreached": unreached(campaign.objectives, campaign.counted)
        if campaign.phase in ("confirmations", "done")
        else [],
        "confirmations": [_confirmation(trial, plan, campaign) for trial in campaign.measured if _confirms(trial)],
    }


def _sizes(fidelity: Fidelity, campaign: Campaign) -> Json:
    """Say which size decides, and how many electrodes of each were measured."""
    made = Counter(trial.fidelity for trial in campaign.measured)
    measured = {f"{value:g}": made[value] for value in fidelity.values}
    return {"input": fidelity.name, "decides": fidelity.target, "measured": measured}


def winner(campaign: Campaign) -> str | None:
    """Return the key of the trial whose recipe is best on the mean of its confirmations, if one was confirmed."""
    found = campaign.confirmed()
    return trial_key(found[0].number) if found else None


def write_verdict(found: Json, plan: Plan, campaign: Campaign, folder: Path) -> None:
    """Write a campaign's findings and figures into its folder: JSON, the table of trials as CSV, PNG and SVG."""
    from mesoforge.experiments.charts import pareto_front, prediction_against_physics
    from mesoforge.experiments.study_charts import axes_of, hypervolume_chart, parallel_coordinates
    from mesoforge.surrogate.gp import GaussianProcess

    (folder / "verdict.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    _write_table(plan, campaign, folder / "trials.csv")
    wanted = plan.problem.objectives
    if len(wanted) and campaign.measured:
        fitted = campaign.surrogate()
        gp = fitted if isinstance(fitted, GaussianProcess) else None
        counted = [trial for trial in campaign.trials if counts(plan.problem.fidelity, trial)]
        front = {trial.number: _spread(trial, plan, gp) for trial in campaign.pareto()}
        pareto_front(counted, _goals(plan, campaign), front, folder / "pareto_front")
        prediction_against_physics(campaign.trials, wanted.outputs, folder / "prediction_against_physics")
        hypervolume_chart(campaign, folder / "hypervolume")
        parallel_coordinates(counted, *axes_of(campaign), front, folder / "parallel_coordinates")
        if gp is not None:
            _draw_learned(plan, campaign, gp, folder)


def _spread(trial: Trial, plan: Plan, gp: GaussianProcess | None) -> dict[str, float]:
    """Return the standard deviation that another seed of a trial's recipe would have, by property."""
    if gp is None:
        return {}
    sd = gp.predict(plan.problem.space.rows([trial.values]))[1][0]
    return dict(zip(gp.table.names, map(float, sd), strict=True))


def _draw_learned(plan: Plan, campaign: Campaign, gp: GaussianProcess, folder: Path) -> None:
    """Draw what the surrogate learned."""
    from mesoforge.experiments.learned import indices
    from mesoforge.experiments.learned_charts import sensitivity_chart, slices_chart
    from mesoforge.experiments.slices import chosen_inputs, cut

    space = plan.problem.space
    through, shares = chosen_inputs(plan, campaign), indices(plan, gp)
    cuts = {name: cut(gp, space, through, name) for name in space.names}
    slices_chart(cuts, space.variables, through, folder / "slices")
    sensitivity_chart(shares, folder / "sensitivity")


def _stopped(plan: Plan, campaign: Campaign) -> str | None:
    """Say why the proposals ended before the budget was spent, if they did."""
    if not campaign.stopped:
        return None
    spared = math.floor(plan.problem.budget.explored - campaign.spent)
    return f"{plan.stop}: {spared} of {plan.problem.budget.explored} were not needed"


def _goals(plan: Plan, campaign: Campaign) -> dict[str, Any]:
    """Return the goals as the study says them, targets less the shift of measurements."""
    targets = {one.name: one.target for one in campaign.objectives.each if one.target is not None}
    return {
        name: goal | {"match": targets[name]} if name in targets else goal
        for name, goal in plan.study.objectives.items()
    }


def _confirms(trial: Trial) -> bool:
    return trial.confirms is not None


def _failure(trial: Trial) -> Json:
    failed = trial.outcome
    return (
        {"trial": trial_key(trial.number), "kind": failed.kind, "stage": failed.stage, "reason": failed.reason}
        if (isinstance(failed, Failed))
        else {}
    )


def _row(trial: Trial, names: tuple[str, ...]) -> Json:
    found = trial.outcome.properties if isinstance(trial.outcome, Measured) else {}
    return {
        "trial": trial_key(trial.number),
        "origin": trial.origin,
        "values": trial.values,
        "properties": {name: found[name] for name in names},
    }


def _confirmation(trial: Trial, plan: Plan, campaign: Campaign) -> Json:
    """Set a confirmation beside what was foretold of it, by the surrogate and by those who need none."""
    others = [one for one in campaign.trials if one.number != trial.confirms and one.number < trial.number]
    explored = [one for one in others if one.confirms is None and counts(plan.problem.fidelity, one)]
    known = any(isinstance(one.outcome, Measured) for one in explored)
    neighbour = nearest(plan.problem.space, explored, trial.values) if known else {}
    balance = foretold(plan.recipe(trial))
    first = campaign.trials[trial.confirms].outcome if trial.confirms is not None else None
    row = _row(trial, plan.problem.objectives.outputs)
    compared = {}
    for name, value in row["properties"].items():
        estimate = trial.prediction.get(name)
        compared[name] = {
            "physics": value,
            "predicted": estimate.mean if estimate else None,
            "predicted_sd": estimate.sd if estimate else None,
            "first": first.properties[name] if isinstance(first, Measured) else None,
            "mass_balance": balance.get(name),
            "nearest": neighbour.get(name),
        }
    confirms = None if trial.confirms is None else trial_key(trial.confirms)
    return {"trial": row["trial"], "confirms": confirms, "values": trial.values, "properties": compared}


def _write_table(plan: Plan, campaign: Campaign, path: Path) -> None:
    """Write one row per ended trial: number, origin, seed, state, variables, properties."""
    names = sorted(
        {
            name
            for trial in campaign.measured
            if isinstance(trial.outcome, Measured)
            for name in trial.outcome.properties
        }
    )
    sizes = [] if plan.problem.fidelity is None else [plan.problem.fidelity.name]
    inputs = plan.problem.space.names
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["trial", "origin", "confirms", "reuses", "seed", "state", *sizes, *inputs, *names])
        for trial in sorted(campaign.ended, key=lambda one: one.number):
            found = trial.outcome.properties if isinstance(trial.outcome, Measured) else {}
            state = "measured" if found else getattr(trial.outcome, "kind", "")
            place = [*([trial.fidelity] if sizes else []), *(trial.values[name] for name in inputs)]
            kin = ["" if one is None else one for one in (trial.confirms, trial.reuses)]
            cells = [found.get(name, "") for name in names]
            table.writerow([trial.number, trial.origin, *kin, trial.seed, state, *place, *cells])
