"""Does the answer move when it is computed more finely? One thing is refined at a time, with the same seeds."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import Pool, each
from mesoforge.experiments.refinement import BASE, Variant, variants
from mesoforge.experiments.shifts import MOVES, OPEN, WITHIN, Reals, Shift, Tolerance, shift
from mesoforge.physics.balance import balance
from mesoforge.physics.beads import Beads
from mesoforge.physics.calendering import LOAD
from mesoforge.physics.failure import Failure
from mesoforge.physics.manufacture import CURVE, LOADED, Electrode, identity, manufacture
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store, digest

STRESS = "stress_at_porosity"
"""The pressure on the loading curves at one porosity that all of them pass through [MPa]."""
RAN = re.compile(r"^Loop time of .* for (\d+) steps", re.MULTILINE)
"""Where a log says how many steps a run took."""
WINDOW = 0.015
"""The pressure at a porosity is read off the line that fits its logarithm over so much porosity to both sides: a plane
feels single particles give way, and within a narrower window two curves differ by these jerks."""
Json = dict[str, Any]
Watch = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What to refine of which recipe, with how many seeds, and how far each property may move."""

    base: Recipe
    names: tuple[str, ...]
    seeds: int
    tolerances: Mapping[str, Tolerance]
    coarser: bool = False

    @property
    def variants(self) -> list[Variant]:
        """Return the base and all that is compared with it."""
        return list(variants(self.base, self.names, self.seeds, coarser=self.coarser))

    def checked(self) -> Question:
        """Return the question itself once all its recipes can be made.

        Raises:
            InputError: a setting cannot be refined or made coarser.
        """
        _ = self.variants
        return self


def make_measured(values: Mapping[str, Any], root: str) -> Json:
    """Make the electrode of a recipe given as plain values; return what is compared, its loading curve and its cost."""
    recipe = Recipe.from_mapping(values)
    made = manufacture(recipe, Store(Home(Path(root)).store))
    if isinstance(made, Failure):
        return {"kind": made.kind, "stage": made.stage, "reason": made.reason}
    porosity, pressure = loading_curve(made)
    found = made.properties
    released = found["compression_under_load"] - found["compression_after_release"]
    return {
        "values": found | {"spring_back": released},
        "porosity": porosity.tolist(),
        "pressure": pressure.tolist(),
        "bead_steps": bead_steps(made),
        "electrode": made.input_sha256,
    }


def loading_curve(made: Electrode) -> tuple[Reals, Reals]:
    """Return porosity and pressure [MPa] along the loading stroke, (n,) each."""
    folder = made.stages["calendering"]
    rows = np.loadtxt(folder / CURVE, delimiter=",", skiprows=1, ndmin=2)
    rows = rows[rows[:, 0] == LOAD]
    area = Beads.load(folder / LOADED).area
    return 1 - balance(made.recipe).solid_volume / (area * rows[:, 1]), rows[:, 2]


def bead_steps(made: Electrode) -> float:
    """Return beads times steps over all simulations of an electrode, as LAMMPS counted them."""
    amounts = balance(made.recipe)
    logs = [log for stage in ("slurry", "drying", "calendering") for log in made.stages[stage].rglob("log.lammps")]
    steps = sum(int(found) for log in logs for found in RAN.findall(log.read_text(encoding="utf-8")))
    return float((amounts.active_beads + amounts.cbd_beads) * steps)


def common_porosity(made: Sequence[Json]) -> float:
    """Return the lowest porosity through which all loading curves pass, nan if there is none."""
    curves = [one for one in made if "values" in one]
    if not curves:
        return math.nan
    level = max(min(one["porosity"]) for one in curves) + 1.5 * WINDOW  # the dwell at the end is no loading
    return level if all(max(one["porosity"]) >= level + WINDOW for one in curves) else math.nan


def pressure_at(level: float, curve: Json) -> float:
    """Return the pressure [MPa] at a porosity, smoothed over the window about it; nan where the curve bears none."""
    porosity, pressure = np.array(curve["porosity"]), np.array(curve["pressure"])
    near = np.abs(porosity - level) <= WINDOW
    sides = near & (porosity <= level), near & (porosity >= level)
    if not all(side.any() for side in sides) or np.ptp(porosity[near]) < WINDOW or pressure[near].min() <= 0:
        return math.nan
    return float(np.exp(np.polynomial.Polynomial.fit(porosity[near] - level, np.log(pressure[near]), 1)(0)))


def converge(question: Question, home: Home, pool: Pool, watch: Watch) -> Json:
    """Make every variant with every seed and say what moves; what was made before is found in the store.

    Args:
        question: what to refine.
        home: where stages are kept.
        pool: where the work runs.
        watch: told the variant and seed that ended, and how many have.
    """
    tried = question.variants
    tasks = [(one, seed) for one in tried for seed in seeds_of(question)]
    root = str(home.root.resolve())
    calls = [(variant.with_seed(seed).model_dump(mode="json"), root) for variant, seed in tasks]

    def tell(number: int, done: int) -> None:
        variant, seed = tasks[number]
        watch(f"{variant.words}, seed {seed}", done, len(tasks))

    found = each(pool, make_measured, calls, tell)
    outcomes = {one.name: [found[n] for n, (variant, _) in enumerate(tasks) if variant is one] for one in tried}
    return judged(question, outcomes)


def seeds_of(question: Question) -> range:
    """Return the seeds that every variant is made with."""
    return range(question.base.seed, question.base.seed + question.seeds)


def judged(question: Question, outcomes: Mapping[str, Sequence[Json]]) -> Json:
    """Compare every variant with the base, seed by seed, and put the verdicts into words."""
    reference = outcomes[BASE]
    cost = {name: float(np.nanmean(_bead_steps(made))) for name, made in outcomes.items() if _any(made)}
    rows = [row for one in question.variants[1:] for row in _rows(one, question, outcomes[one.name], reference)]
    level = common_porosity(reference)
    return _plain({
        "seeds": list(seeds_of(question)),
        "recipe": digest(identity(question.base)["measurement"]),
        "base": {name: _summary(_column(reference, name, level)) for name in question.tolerances},
        "porosity_of_the_stress": level,
        "bead_steps": cost,
        "rows": rows,
        "verdicts": {name: _verdict(name, rows, question) for name in question.tolerances},
        "cheapest": cheapest(rows, cost),
        "electrodes": sorted({one["electrode"] for made in outcomes.values() for one in made if "electrode" in one}),
        "failed": _failures(question, outcomes),
    })  # fmt: skip


def _rows(variant: Variant, question: Question, made: Sequence[Json], reference: Sequence[Json]) -> list[Json]:
    """Compare one variant with the base; stresses at the lowest porosity that all curves of both pass through."""
    level, rows = common_porosity([*made, *reference]), []
    for name, tolerance in question.tolerances.items():
        moved = shift(_column(made, name, level), _column(reference, name, level), tolerance)
        rows.append(_row(variant, name, moved, tolerance) | {"at_porosity": level if name == STRESS else math.nan})
    return rows


def _plain(value: Json) -> Json:
    """Return the same without numbers that JSON cannot write."""
    return dict(json.loads(json.dumps(value), parse_constant=lambda _: None))


def _any(made: Sequence[Json]) -> bool:
    return any("values" in one for one in made)


def _bead_steps(made: Sequence[Json]) -> Reals:
    return np.array([one.get("bead_steps", math.nan) for one in made])


def _column(made: Sequence[Json], name: str, level: float) -> Reals:
    """Return the values of one property over the seeds, nan where the electrode failed."""
    if name == STRESS:
        return np.array([pressure_at(level, one) if "values" in one else math.nan for one in made])
    return np.array([one.get("values", {}).get(name, math.nan) for one in made], dtype=np.float64)


def _summary(values: Reals) -> dict[str, float]:
    known = values[np.isfinite(values)]
    return {
        "mean": float(known.mean()) if len(known) else math.nan,
        "sd": float(known.std(ddof=1)) if len(known) > 1 else math.nan,
    }


def _row(variant: Variant, name: str, moved: Shift, tolerance: Tolerance) -> Json:
    return {
        "variant": variant.name,
        "words": variant.words,
        "coarser": variant.coarser,
        "property": name,
        "mean": moved.mean,
        "half_width": moved.half,
        "tolerance": tolerance.value,
        "relative": tolerance.relative,
        "seeds": moved.seeds,
        "verdict": moved.verdict,
        "more_seeds": moved.more,
        "said": moved.words,
    }


def _verdict(name: str, rows: Sequence[Json], question: Question) -> str:
    """Say of one property whether the refinements move it; other seeds are no refinement."""
    tolerance = question.tolerances[name]
    mine = [row for row in rows if row["property"] == name and not row["coarser"] and row["variant"] != "seeds"]
    moving = [row for row in mine if row["verdict"] == MOVES]
    unclear = [row for row in mine if row["verdict"] == OPEN]
    said = []
    if moving:
        parts = [f"{r['words']} ({tolerance.shown(r['mean'])} ± {tolerance.width(r['half_width'])})" for r in moving]
        said.append(f"moves with {', '.join(parts)}")
    if unclear:
        parts = [f"{r['words']} ({r['said'].removeprefix(f'{OPEN}: ')})" for r in unclear]
        said.append(f"not decided for {', '.join(parts)}")
    return "; ".join(said) or WITHIN


def cheapest(rows: Sequence[Json], cost: Mapping[str, float]) -> Json:
    """Return which single coarser setting, all properties within tolerance, costs least; else the base itself.

    Cost is beads times steps, the mean over the seeds.
    """
    coarse = {row["variant"]: row["words"] for row in rows if row["coarser"]}
    fine = [name for name in coarse if all(r["verdict"] == WITHIN for r in rows if r["variant"] == name)]
    fitting = {BASE: "base"} | {name: coarse[name] for name in fine}
    priced = {name: cost[name] / cost[BASE] for name in fitting if name in cost} if BASE in cost else {}
    best = min(priced, key=lambda name: priced[name]) if priced else BASE
    return {"variant": best, "words": fitting[best], "share": priced.get(best, math.nan), "within": priced}


def _failures(question: Question, outcomes: Mapping[str, Sequence[Json]]) -> list[Json]:
    return [
        {"variant": variant.name, "words": variant.words, "seed": seed, **outcome}
        for variant in question.variants
        for seed, outcome in zip(seeds_of(question), outcomes[variant.name], strict=True)
        if "kind" in outcome
    ]


def write(found: Json, home: Home) -> Path:
    """Write table, figure and verdict to the folder of the recipe and return it."""
    from mesoforge.experiments.interval_chart import intervals

    folder = home.root / "converge" / str(found["recipe"])[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "shifts.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(found["rows"][0]) if found["rows"] else ["variant"])
        table.writeheader()
        table.writerows(found["rows"])
    (folder / "verdict.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    intervals(found["rows"], folder / "intervals.png")
    return folder
