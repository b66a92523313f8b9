"""Runs a calibration: simulates the rows of each set of parameters, records, concludes."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mesoforge.errors import InputError
from mesoforge.experiments.calibration import CalibrationPlan
from mesoforge.experiments.calibration_result import Json, failures, force_field, result
from mesoforge.experiments.calibration_view import Complain, View
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import RETRIES, Pool
from mesoforge.experiments.references import refer
from mesoforge.optimize.calibration import LEAST_TO_LEARN, SPREAD, Calibration
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.posterior import Posterior
from mesoforge.optimize.trial import Failed, Measured, Outcome, Trial
from mesoforge.physics.failure import Failure
from mesoforge.physics.force_fields import write_force_field
from mesoforge.physics.manufacture import STAGES, identity, manufacture, obtain
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store

DRAWN = 1000
"""Sets of parameters drawn from the posterior for others to use."""
Watch = Callable[[str, int, int], None]


def simulate_rows(recipes: Sequence[Sequence[Mapping[str, Any]]], wanted: Sequence[str], root: str) -> Json:
    """Simulate every row with every seed, as far as its property needs; return mean and spread, or what failed."""
    began, store = time.monotonic(), Store(Home(Path(root)).store)
    values: dict[str, list[float]] = {"mean": [], "spread": []}
    stages = set[str]()
    try:
        for seeds, name in zip(recipes, wanted, strict=True):
            found = [property_of(Recipe.from_mapping(recipe), name, store) for recipe in seeds]
            for one in found:
                if isinstance(one, Failure):
                    return {"kind": one.kind, "stage": one.stage, "reason": one.reason}
            known = [one for one in found if not isinstance(one, Failure)]
            stages.update(one.stage for one in known)
            numbers = np.array([one.value for one in known], dtype=np.float64)
            values["mean"].append(float(numbers.mean()))
            spread = float(numbers.std(ddof=1) / np.sqrt(len(numbers))) if len(numbers) > 1 else float("nan")
            values["spread"].append(spread)
    except OSError as error:
        reason = f"the disk or a file failed: {error.strerror or error}"
        return {"kind": "infrastructure", "stage": "store", "reason": reason}
    return values | {"wall_s": time.monotonic() - began, "stages": sorted(stages)}


@dataclass(frozen=True, slots=True)
class Found:
    """A property's value, and the hash of the last stage that it rests on."""

    value: float
    stage: str


def property_of(recipe: Recipe, name: str, store: Store) -> Found | Failure:
    """Return one property, from the first stage that gives it."""
    for count in range(1, len(STAGES)):
        done = obtain(recipe, store, STAGES[:count])
        if isinstance(done, Failure):
            return done
        if name in (found := done[STAGES[count - 1]].result):
            return Found(float(found[name]), done[STAGES[count - 1]].folder.name)
    made = manufacture(recipe, store)
    if isinstance(made, Failure):
        return made
    if name not in made.properties:
        return Failure("not_measured", "measurement", f"{name} has no value in this electrode")
    return Found(made.properties[name], made.input_sha256)


def calibrate(
    plan: CalibrationPlan,
    home: Home,
    pool: Pool,
    watch: Watch,
    complain: Complain,
    tracking_uri: str | None = None,
) -> Json:
    """Run a calibration to its end, or go on with it where it was left; write its files and return its result.

    Raises:
        InputError: its journal is of another calibration, or another process runs it.
    """
    Store(home.store)
    name = plan.said.name
    if name in home.studies():
        raise InputError(f"'{name}' is a study already: give the calibration a name of its own.")
    folder = home.calibration(name)
    with home.only_writer(folder, f"calibration '{name}'"):
        calibration = Calibration(plan.problem, Journal(folder / "journal.jsonl"))
        view = View(plan, calibration, home, complain, tracking_uri)
        view.begin("running")
        try:
            _run(calibration, plan, home, pool, watch, view)
            found = conclude(calibration, plan, folder)
        except BaseException:
            view.finish("interrupted", folder)
            raise
        view.finish("finished", folder)
    return found | {"folder": str(folder)}


def _run(calibration: Calibration, plan: CalibrationPlan, home: Home, pool: Pool, watch: Watch, view: View) -> None:
    waiting, running, tried = list(calibration.pending), dict[int, Trial](), dict[int, int]()
    total = plan.problem.most
    while True:
        while len(running) < _slots(plan, calibration, pool) and (
            trial := waiting.pop(0) if waiting else calibration.ask()
        ):
            _submit(trial, plan, home, pool)
            running[trial.number] = trial
            view.record(trial)
        if not running:
            return
        number, value = pool.next()
        trial = running.pop(number)
        if value.get("kind") == "infrastructure" and tried.get(number, 0) < RETRIES:
            tried[number] = tried.get(number, 0) + 1
            waiting.append(trial)
            continue
        refer(home.calibration(plan.said.name), number, value.get("stages", ()))
        calibration.end(number, outcome_of(value, plan))
        view.record(calibration.trials[number])
        watch(_words(calibration, calibration.trials[number]), len(calibration.trials) - len(running), total)


def _slots(plan: CalibrationPlan, calibration: Calibration, pool: Pool) -> int:
    """Return how many sets may run at once: the first one alone where the others will find its stages in the store."""
    if calibration.measured:
        return pool.slots
    low, high = (plan.problem.space.from_unit(np.full(len(plan.problem.space.names), place)) for place in (0.0, 1.0))
    first, second = (identity(plan.recipes(values)[0][0]) for values in (low, high))
    return 1 if first["slurry"] == second["slurry"] else pool.slots


def _submit(trial: Trial, plan: CalibrationPlan, home: Home, pool: Pool) -> None:
    recipes = plan.recipes(trial.values, fresh=trial.origin == "confirm")
    plain = [[recipe.model_dump(mode="json") for recipe in seeds] for seeds in recipes]
    pool.submit(trial.number, simulate_rows, plain, [row.property for row in plan.rows], str(home.root.resolve()))


def outcome_of(value: Mapping[str, Any], plan: CalibrationPlan) -> Outcome:
    """Return the outcome that a worker handed back: each row's mean, and its standard error over seeds where known."""
    if "kind" in value:
        return Failed(value["kind"], value["stage"], value["reason"])
    names = [row.name for row in plan.rows]
    odd = [name for name, mean in zip(names, value["mean"], strict=True) if not np.isfinite(mean)]
    if odd:
        return Failed("not_finite", "measurement", f"row '{odd[0]}' came out as no finite number")
    spreads = {
        name + SPREAD: spread for name, spread in zip(names, value["spread"], strict=True) if np.isfinite(spread)
    }
    return Measured(dict(zip(names, value["mean"], strict=True)) | spreads, wall_s=value["wall_s"])


def _words(calibration: Calibration, trial: Trial) -> str:
    if isinstance(trial.outcome, Failed):
        return f"set {trial.number}: failed ({trial.outcome.kind})"
    return f"set {trial.number}: misses by {calibration.misfit(trial):.2g} sd"


def conclude(calibration: Calibration, plan: CalibrationPlan, folder: Path) -> Json:
    """Work out the posterior, write all files of a calibration and return its result as plain values."""
    from mesoforge.experiments.calibration_chart import fit_chart, posterior_chart

    if len(calibration.measured) < LEAST_TO_LEARN:
        return {"failed": failures(calibration), "measured": len(calibration.measured)}
    known = calibration.posterior()
    found = result(calibration, plan, known)
    field_made = force_field(plan, found)
    path = folder / "force_field.yaml"
    if field_made is not None:
        write_force_field(field_made, path)
        found["force_field"] = str(path)
    _write_draws(plan, known, folder / "posterior.csv")
    (folder / "result.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    fit_chart(found, folder / "fit.png")
    posterior_chart(plan, known, folder / "posterior.png")
    return found


def _write_draws(plan: CalibrationPlan, known: Posterior, path: Path) -> None:
    space = plan.problem.space
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(space.names), lineterminator="\n")
        table.writeheader()
        table.writerows(space.from_unit(point) for point in known.draw(DRAWN, plan.problem.seed))
