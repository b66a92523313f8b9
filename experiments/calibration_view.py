"""A calibration in MLflow: a parent run, and a child for each set of parameters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mesoforge import __version__
from mesoforge.experiments.calibration import CalibrationPlan
from mesoforge.experiments.home import Home
from mesoforge.experiments.record import CampaignView, ElectrodeRun, Status
from mesoforge.experiments.tracking import Tracker, TrackingError
from mesoforge.experiments.view import trial_key
from mesoforge.optimize.calibration import Calibration
from mesoforge.optimize.trial import Failed, Measured, Trial
from mesoforge.physics.lammps.execute import version

Complain = Callable[[str], None]


@dataclass
class View:
    """Writes a calibration to MLflow; where that cannot be written the calibration goes on without."""

    plan: CalibrationPlan
    calibration: Calibration
    home: Home
    complain: Complain
    tracking_uri: str | None
    _tracker: Tracker | None = field(default=None, init=False)

    def begin(self, status: Status) -> None:
        """Write the parent run and all sets that the journal holds."""
        try:
            self._tracker = Tracker(self.home.root, self.plan.said.name, self.tracking_uri)
            self._tracker.campaign(self._campaign(status))
        except TrackingError as error:
            self._tracker = None
            self.complain(str(error))
        for trial in self.calibration.trials.values():
            self.record(trial)

    def record(self, trial: Trial) -> None:
        """Write one set of parameters as a child run."""
        self._try(lambda tracker: tracker.record(self._child(trial)))

    def finish(self, status: Status, folder: Path) -> None:
        """Write figures, table and force field, and end the parent run."""
        files = [path for path in sorted(folder.glob("*")) if path.suffix in (".png", ".yaml", ".json", ".csv")]
        ended = max((trial.ended_at or 0.0 for trial in self.calibration.trials.values()), default=None)
        self._try(lambda tracker: tracker.campaign_artifacts(files))
        self._try(lambda tracker: tracker.finish_campaign(status, {"phase": self.calibration.phase}, ended))

    def _try(self, step: Callable[[Tracker], object]) -> None:
        if self._tracker is None:
            return
        try:
            step(self._tracker)
        except TrackingError as error:
            self._tracker = None  # the journal is the truth; the same command writes the view again
            self.complain(str(error))

    def _campaign(self, status: Status) -> CampaignView:
        rows = "\n".join(f"| {row.name} | {row.property} | {row.value:g} | {row.sd:g} |" for row in self.plan.rows)
        first = next((trial.asked_at for trial in self.calibration.trials.values()), time.time())
        names = self.plan.problem.space.names
        return CampaignView(
            name=self.plan.said.name,
            note=f"{self.plan.said.note}\n\n| measured row | property | value | sd |\n|---|---|---|---|\n{rows}",
            status=status,
            started=first,
            params={"seed": self.plan.said.seed, "seeds": self.plan.said.seeds},
            tags={"kind": "calibrate", "mesoforge.version": __version__},
            columns=(*(f"params.{name}" for name in names), "metrics.misfit", "tags.origin", "tags.status_detail"),
        )

    def _child(self, trial: Trial) -> ElectrodeRun:
        found = trial.outcome
        known = found if isinstance(found, Measured) else None
        rows = {f"row/{_plain(name)}": value for name, value in known.properties.items()} if known else {}
        metrics = rows | {"misfit": self.calibration.misfit(trial), "wall_s": known.wall_s} if known else {}
        return ElectrodeRun(
            key=trial_key(trial.number),
            name=trial_key(trial.number),
            origin=trial.origin,
            status="running" if found is None else "finished" if known else "failed",
            started=trial.asked_at,
            ended=trial.ended_at,
            params=dict(trial.values),
            metrics=metrics,
            tags={"mesoforge.version": __version__, "lammps.version": version()},
            failure=found if isinstance(found, Failed) else None,
        )


def _plain(name: str) -> str:
    """Return a row's name as MLflow takes it in a metric's."""
    return "".join(one if one.isalnum() or one in "_-./ " else "_" for one in name)
