"""What people review of a campaign and of its electrodes, and what of it is written down: plain records, no MLflow."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from mesoforge.errors import InputError
from mesoforge.optimize.trial import Estimate, Failed, Value

Status: TypeAlias = Literal["running", "finished", "failed", "interrupted"]

CAMPAIGN: Final = "campaign"
"""The key of the parent run; no electrode may bear it."""

STATE_TAGS: Final = ("status_detail", "failure.kind", "failure.stage", "failure.reason")
"""Tags that hold only as long as the state that they explain."""

_PICTURES: Final = (".png", ".svg", ".pdf", ".html")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LONGEST: Final = 6000  # characters that MLflow keeps of a param's value


@dataclass(frozen=True, slots=True)
class ElectrodeRun:
    """One electrode as people review it; times in seconds since the epoch, values in user units.

    ``key`` is unique within the study. Pictures among ``artifacts`` are filed under "figures/", other files at the top.
    A failed run, and no other, has a ``failure``.
    """

    key: str
    name: str
    origin: str
    status: Status
    started: float
    ended: float | None = None
    params: Mapping[str, Value] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    predictions: Mapping[str, Estimate] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    failure: Failed | None = None
    artifacts: tuple[Path, ...] = ()
    pareto: bool | None = None
    feasible: bool | None = None

    def __post_init__(self) -> None:
        if self.key in ("", CAMPAIGN):
            raise InputError(
                f"An electrode's key came as {self.key!r}: give it a name of its own, such as 'trial-0007'."
            )
        if (self.status == "failed") is (self.failure is None):
            raise InputError(
                f"Run {self.key!r} came as {self.status} with failure {self.failure}: "
                "give a failed run, and no other, its failure."
            )


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign as people review it: ``note`` (markdown) explains the study, its electrodes repeat the ``tags``.

    ``columns`` are what the dashboard's table of electrodes shows: "metrics.porosity", "params.seed", "tags.origin".
    """

    name: str
    note: str
    status: Status
    started: float
    params: Mapping[str, Value] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    ended: float | None = None
    columns: tuple[str, ...] = ("tags.origin", "tags.status_detail")

    def __post_init__(self) -> None:
        for column in self.columns:
            if not column.startswith(("metrics.", "params.", "tags.")):
                raise InputError(f"A column came as {column!r}: give 'metrics.NAME', 'params.NAME' or 'tags.NAME'.")


@dataclass(frozen=True, slots=True)
class Sheet:
    """What MLflow is told of one run, electrode or campaign alike."""

    name: str
    status: Status
    started: float
    ended: float | None
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    artifacts: tuple[Path, ...] = ()
    note: str = ""

    @property
    def digest(self) -> str:
        """The fingerprint of all of it, the files' content included."""
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.artifacts}
        told = [getattr(self, entry.name) for entry in fields(self) if entry.name != "artifacts"]
        return hashlib.sha256(json.dumps([told, files], sort_keys=True).encode()).hexdigest()[:16]


def check_study_name(study: str) -> str:
    """Return the name of a study, if MLflow and all file systems take it.

    Raises:
        InputError: other characters than letters, digits, '.', '_' and '-', or MLflow's own name "Default".
    """
    if not _NAME.fullmatch(study) or study.lower() == "default":
        raise InputError(
            f"The study's name came as {study!r}: use up to 100 letters, digits, '.', '_' and '-', "
            "a letter or digit first, and not 'Default', which MLflow keeps for itself."
        )
    return study


def electrode_sheet(run: ElectrodeRun, common: Mapping[str, str]) -> Sheet:
    """Return what is written of an electrode; ``common`` are the tags that it shares with its campaign."""
    files = tuple(path for path in run.artifacts if path.is_file())
    metrics = dict(run.metrics) | _prediction_metrics(run)
    if run.pareto is not None:
        metrics["pareto"] = float(run.pareto)
    if run.feasible is not None:
        metrics["feasible"] = float(run.feasible)
    tags = {**common, **run.tags, **_failure_tags(run.failure), "origin": run.origin, **_missing(run.artifacts, files)}
    return Sheet(run.name, run.status, run.started, run.ended, _texts(run.params), finite(metrics), _texts(tags), files)


def campaign_sheet(
    view: CampaignView, outcome: Mapping[str, str], status: Status | None = None, ended: float | None = None
) -> Sheet:
    """Return what is written of a campaign, at its end with the ``outcome`` in tags."""
    tags = {**view.tags, **outcome}
    state, end = status or view.status, view.ended if ended is None else ended
    return Sheet(view.name, state, view.started, end, _texts(view.params), {}, _texts(tags), note=view.note)


def _prediction_metrics(run: ElectrodeRun) -> dict[str, float]:
    """Return mean and standard deviation of each prediction, and where it was measured z = (measured - mean) / sd."""
    metrics: dict[str, float] = {}
    for name, estimate in run.predictions.items():
        metrics |= {f"pred/{name}_mean": estimate.mean, f"pred/{name}_std": estimate.sd}
        if name in run.metrics and estimate.sd > 0:
            metrics[f"pred/{name}_z"] = (run.metrics[name] - estimate.mean) / estimate.sd
    return metrics


def _failure_tags(failure: Failed | None) -> dict[str, str]:
    if failure is None:
        return {}
    detail = f"{failure.kind} in {failure.stage}: {failure.reason}"
    return dict(zip(STATE_TAGS, (detail, failure.kind, failure.stage, failure.reason), strict=True))


def _missing(asked: Sequence[Path], there: Sequence[Path]) -> dict[str, str]:
    """Say in a tag which files were no longer there to be filed."""
    names = [path.name for path in asked if path not in there]
    return {"artifacts_missing": ", ".join(names)} if names else {}


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Write values as MLflow keeps them: 0.1 + 0.2 as 0.3."""
    return {k: (f"{v:.12g}" if isinstance(v, (bool, float)) else str(v))[:_LONGEST] for k, v in values.items()}


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Leave out what is no number: MLflow would draw infinity as 1.8e308."""
    return {key: float(value) for key, value in metrics.items() if math.isfinite(value)}


def folder(path: Path) -> str | None:
    """Return the folder of a run's artifacts in which a file belongs: "figures", or None for the top."""
    return "figures" if path.suffix in _PICTURES else None
