"""What a calibration found: parameters with intervals, each row foretold from the others, and the force field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mesoforge.experiments.calibration import CalibrationPlan
from mesoforge.optimize.calibration import Calibration
from mesoforge.optimize.posterior import FEW, Posterior
from mesoforge.optimize.trial import Failed, Measured
from mesoforge.physics.force_fields import PARAMETERS, ForceField, fitted

FORCE_FIELD = "force_field."
Json = dict[str, Any]


def result(calibration: Calibration, plan: CalibrationPlan, known: Posterior) -> Json:
    """Return parameters, rows and errors of a calibration as plain values."""
    rows = _rows(calibration, plan, known)
    return {
        "calibration": plan.said.name,
        "parameters": _parameters(plan, known),
        "correlation": known.correlation.tolist(),
        "effective_points": known.effective,
        "rows": rows,
        "errors": errors(rows),
        "discrepancy": known.discrepancy,
        "sets": len(calibration.explored),
        "seeds": plan.said.seeds,
        "failed": failures(calibration),
    }


def too_few_points(found: Mapping[str, Any]) -> str | None:
    """Return what to mind where too few points carry the posterior for its intervals; none where they are enough."""
    if (count := found.get("effective_points", FEW)) >= FEW:
        return None
    return (
        f"The posterior rests on {count:.0f} effective points, where {FEW:.0f} were due: its intervals are not to be "
        "relied on; narrow the bounds about the fitted values, or fit fewer parameters."
    )


def _rows(calibration: Calibration, plan: CalibrationPlan, known: Posterior) -> list[Json]:
    """Return each row as measured, fitted, foretold from the others and, where that was made, with new seeds."""
    foretold, foretold_sd = known.foretold()
    confirmed = _confirmed(calibration)
    return [
        {
            "name": row.name,
            "property": row.property,
            "measured": row.value,
            "sd": row.sd,
            "held_out": bool(plan.problem.targets.held[place]),
            "fit": float(known.at_best[place]),
            "foretold": float(foretold[place]),
            "foretold_sd": float(foretold_sd[place]),
            **({"confirmed": confirmed[row.name]} if confirmed else {}),
        }
        for place, row in enumerate(plan.rows)
    ]


def _parameters(plan: CalibrationPlan, known: Posterior) -> list[Json]:
    """Return each parameter's most probable value, its interval, its bounds and how far it is determined."""
    space = plan.problem.space
    best, bounds = space.from_unit(known.best), [space.from_unit(edge) for edge in known.interval]
    return [
        {
            "name": one.name,
            "value": best[one.name],
            "low95": bounds[0][one.name],
            "high95": bounds[1][one.name],
            "from": one.low,
            "to": one.high,
            "determined": float(known.determined[place]),
            "at_border": bool(min(known.best[place], 1 - known.best[place]) < 0.01),
        }
        for place, one in enumerate(space.variables)
    ]


def errors(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return per property the root mean square errors: of the fit, confirmed, foretold from the others, of held rows.

    ``mean`` is that of foretelling each row by the mean of the others, which needs no simulation.
    """
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(str(row["property"]) for row in rows):
        used = [row for row in rows if row["property"] == name and not row["held_out"]]
        held = [row for row in rows if row["property"] == name and row["held_out"]]
        values = np.array([row["measured"] for row in used])
        found[name] = {key: _rms(used, key) for key in ("fit", "foretold", "confirmed") if used and key in used[0]}
        if len(values) > 1:
            others = [float(np.delete(values, place).mean()) for place in range(len(values))]
            found[name]["mean"] = float(np.sqrt(np.mean((np.array(others) - values) ** 2)))
        if held:
            found[name]["held_out"] = _rms(held, "foretold")
    return found


def _rms(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    return float(np.sqrt(np.mean([(row[key] - row["measured"]) ** 2 for row in rows])))


def force_field(plan: CalibrationPlan, found: Mapping[str, Any]) -> ForceField | None:
    """Return the base recipe's force field with what was fitted, and what that rests on; none if nothing of it was."""
    error = "; ".join(
        f"{name}: RMSE {one['fit']:.3g}" + (f", leave-one-out {one['foretold']:.3g}" if "foretold" in one else "")
        for name, one in found["errors"].items()
    )
    used = sum(not row["held_out"] for row in found["rows"])
    values, sources, others = {}, {}, []
    for one in found["parameters"]:
        said = f"{one['low95']:.4g} to {one['high95']:.4g} with 95 %, searched from {one['from']:g} to {one['to']:g}"
        said += ", found at the border" if one["at_border"] else ""
        if one["name"].startswith(FORCE_FIELD) and (name := one["name"].removeprefix(FORCE_FIELD)) in PARAMETERS:
            values[name] = float(f"{one['value']:.5g}")
            sources[name] = f"{used} measured rows ({plan.said.name}), {found['seeds']} seed(s); {error}; {said}"
        else:
            others.append(f"{one['name']} {one['value']:.4g} ({said})")
    note = f"Holds together with {', '.join(others)}, fitted along." if others else ""
    return fitted(plan.base.force_field, values, sources, plan.said.name, note) if values else None


def _confirmed(calibration: Calibration) -> dict[str, float]:
    trial = calibration.confirmation
    return dict(trial.outcome.properties) if trial and isinstance(trial.outcome, Measured) else {}


def failures(calibration: Calibration) -> list[Json]:
    """Return which sets of parameters failed, and why."""
    return [
        {"set": trial.number, "kind": found.kind, "stage": found.stage, "reason": found.reason}
        for trial in calibration.trials.values()
        if isinstance(found := trial.outcome, Failed)
    ]
