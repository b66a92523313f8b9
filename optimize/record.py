"""Trials as events of the journal, and events as trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast

from mesoforge.optimize.journal import Event
from mesoforge.optimize.trial import Estimate, Failed, Measured, Outcome, Trial

ASKED = ("number", "origin", "values", "seed", "asked_at", "prediction", "confirms")
REUSED = ("reuses", "share")
"""What only the event of a trial holds that goes on from another."""
SIZED = ("fidelity", "share")
"""What only the event of a trial holds whose campaign has several sizes."""


def asked(trial: Trial, strategy: str) -> Event:
    """Return the event of a trial that was asked, and by which strategy."""
    fields = asdict(trial)
    keys = ASKED + (() if trial.reuses is None else REUSED) + (() if trial.fidelity is None else SIZED)
    return {"event": "ask", "strategy": strategy, **{key: fields[key] for key in keys}}


def ended(number: int, outcome: Outcome, at: float) -> Event:
    """Return the event of a trial that was told or failed."""
    fields = {key: value for key, value in asdict(outcome).items() if key != "stage_s" or value}
    return {"event": "tell" if isinstance(outcome, Measured) else "fail", "number": number, "at": at, **fields}


def trial_of(event: Event) -> Trial:
    """Return the pending trial of an ``ask`` event."""
    fields = {key: event[key] for key in ASKED} | {key: event[key] for key in REUSED + SIZED if key in event}
    estimates = cast("Mapping[str, Mapping[str, float]]", event["prediction"])
    fields["prediction"] = {name: Estimate(**estimate) for name, estimate in estimates.items()}
    return Trial(**cast("dict[str, Any]", fields))


def with_outcome(trial: Trial, event: Event) -> Trial:
    """Return the trial with the outcome of a ``tell`` or ``fail`` event."""
    fields = {key: value for key, value in event.items() if key not in ("event", "number", "at")}
    kind = Measured if event["event"] == "tell" else Failed
    return replace(trial, outcome=kind(**cast("dict[str, Any]", fields)), ended_at=cast("float", event["at"]))
