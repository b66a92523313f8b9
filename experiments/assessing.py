"""How far a study's surrogate may be trusted: validation on unseen recipes, in words and in figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mesoforge.errors import InputError
from mesoforge.experiments.study import Plan
from mesoforge.optimize.campaign import Campaign
from mesoforge.surrogate.trust import LEAST, Trust, trust
from mesoforge.surrogate.validation import conditions

if TYPE_CHECKING:
    from mesoforge.surrogate.gp import GaussianProcess

Json = dict[str, Any]
FILE: Final = "assessment.json"
FIGURES: Final = ("calibration_curve.png", "partial_dependence.png")
MOST_ROWS: Final = 150
"""Rows beyond which a finished study is not assessed unasked: seven fits take minutes."""


def assess_finished(plan: Plan, campaign: Campaign, folder: Path) -> None:
    """Assess the surrogate of a campaign that has ended, if it has enough to say and little enough to be quick."""
    from mesoforge.surrogate.gp import GaussianProcess

    fitted = campaign.surrogate() if campaign.done and len(plan.problem.objectives) else None
    if not isinstance(fitted, GaussianProcess) or len(fitted.table) > MOST_ROWS:
        return
    if len(np.unique(conditions(fitted.table.X[fitted.table.aimed]))) >= LEAST:
        assessed(fitted, plan, folder)


def assessment(folder: Path) -> Json | None:
    """Return what was found of a study's surrogate, if it was assessed."""
    try:
        found: Json = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read '{folder / FILE}' ({error}): assess the study again.") from None
    return found


def assessed(gp: GaussianProcess, plan: Plan, folder: Path) -> Json:
    """Validate a study's surrogate by K-fold over its recipes; write figures and findings to its folder.

    Raises:
        InputError: it has measured too few recipes.
    """
    from mesoforge.experiments.trust_charts import calibration_chart, dependence_chart
    from mesoforge.surrogate.gp import fit_gp

    found = trust(gp.table, fit_gp)
    value = _plain(found, plan.study.name, gp)
    calibration_chart(found, (folder / FIGURES[0]).with_suffix(""))
    dependence_chart(gp, plan.problem.space, (folder / FIGURES[1]).with_suffix(""))
    (folder / FILE).write_text(json.dumps(value, indent=1), encoding="utf-8")
    return value | {"figures": [str(folder / name) for name in FIGURES]}


def _plain(found: Trust, study: str, gp: GaussianProcess) -> Json:
    r2, half, inner, outer = (
        found.all_points.r2,
        found.half.r2,
        found.all_points.coverage(0.5),
        found.all_points.coverage95,
    )
    rmse = dict(zip(gp.table.names, found.all_points.rmse.tolist(), strict=True))
    noise = dict(zip(gp.table.names, np.sqrt(np.maximum(found.noise, 0)).tolist(), strict=True))
    return {
        "study": study,
        "measured": int(gp.table.aimed.sum()),
        "recipes": len(np.unique(conditions(gp.table.X[gp.table.aimed]))),
        "properties": {
            name: {
                "verdict": words,
                "r2": r2[name] if np.isfinite(r2[name]) else None,
                "r2_half": half[name] if np.isfinite(half[name]) else None,
                "rmse": rmse[name],
                "noise_sd": noise[name],
                "coverage50": inner[name],
                "coverage95": outer[name],
            }
            for name, words in found.verdicts.items()
        },
    }
