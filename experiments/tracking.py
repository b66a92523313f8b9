"""The MLflow view of a study: the campaign is a parent run, each electrode a child. MLflow is named in this file alone.

The journal and the store are the truth; what stands here can be written again from them at any time, and writing the
same record twice changes nothing. Only the driver writes: workers return results.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import sqlite3
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments.record import (
    CAMPAIGN,
    STATE_TAGS,
    CampaignView,
    ElectrodeRun,
    Sheet,
    Status,
    campaign_sheet,
    check_study_name,
    electrode_sheet,
    finite,
    folder,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_STATES: Final = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_KEY, _DIGEST, _PARENT, _NOTE = "mesoforge.key", "mesoforge.digest", "mlflow.parentRunId", "mlflow.note.content"
_SHARED, _VIEW = "mlflow.sharedViewState.", "mesoforge"
_UNFOLDED: Final = {"mlflow.runType": "evaluation"}  # the dashboard opens a parent with such a child
_SOURCE: Final = {"mlflow.source.name": "mesoforge", "mlflow.source.type": "LOCAL"}
_BATCH: Final = 100  # params and tags that MLflow takes at once
_LONGEST: Final = 6000  # characters that MLflow takes in a tag


__all__ = ["CampaignView", "ElectrodeRun", "Tracker", "TrackingError", "check_study_name"]


class TrackingError(RuntimeError):
    """The view could not be written (a server away, a disk full); the truth is safe, and a sync writes it later."""


def database(home: Path) -> Path:
    """Return where the tracking database of a home lies."""
    return home.resolve() / "mlflow.db"


def _uri(home: Path) -> str:
    return f"sqlite:///{database(home)}"


def study_ids(home: Path) -> dict[str, str]:
    """Return the MLflow experiment id of each study in a home's database, read without loading MLflow."""
    query = "SELECT name, experiment_id FROM experiments WHERE lifecycle_stage = 'active' AND name != 'Default'"
    with _reading(home) as connection:
        return {name: str(number) for name, number in connection.execute(query)}


def _reading(home: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"{database(home).as_uri()}?mode=ro", uri=True))


def server_command(home: Path, host: str, port: int) -> list[str]:
    """Return the command that serves a home's database; run it with ``server_environment``."""
    store = ["--backend-store-uri", _uri(home), "--artifacts-destination", str(home.resolve() / "artifacts")]
    where = ["--host", host, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "server", *store, *where]


def server_environment() -> dict[str, str]:
    """Return this process's environment, with the parts of the server that nobody here asks for turned off."""
    return os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def study_page(home: Path, study_id: str | None) -> str:
    """Return the part of the dashboard's address that shows the runs of a study, or with None the list of studies."""
    if study_id is None:
        return "#/experiments"
    query = "SELECT COUNT(*) FROM experiment_tags WHERE experiment_id = ? AND key = ?"
    with _reading(home) as connection:
        (shared,) = connection.execute(query, (study_id, _SHARED + _VIEW)).fetchone()
    view = f"&viewStateShareKey={_VIEW}" if shared else ""
    return f"#/experiments/{study_id}/runs?workflowType=machine_learning{view}"


class Tracker:
    """Writes one study's view: ``home`` holds the database and the artifacts unless ``tracking_uri`` names a server.

    Raises:
        InputError: the study's name, the URI or the database cannot be used.
        TrackingError: from any method, when MLflow cannot be reached or refuses.
    """

    def __init__(self, home: Path, study: str, tracking_uri: str | None = None) -> None:
        self.study = check_study_name(study)
        self.home = home.resolve()
        self._client = _connect(self.home, tracking_uri)
        self._location = None if tracking_uri else str(self.home / "artifacts" / study)
        self._view: CampaignView | None = None
        self._outcome: dict[str, str] = {}
        self._steps: set[tuple[str, int]] = set()
        self._live: set[str] = set()
        with _translated():
            self._experiment = self._open_experiment()
            self._ids = self._index()

    @property
    def begun(self) -> bool:
        """Whether the parent run has been asked for."""
        return self._view is not None

    def campaign(self, view: CampaignView) -> None:
        """Write the parent run; electrodes recorded from now on are its children."""
        with _translated():
            self._view = view
            self._client.set_experiment_tag(self._experiment, _NOTE, view.note[:_LONGEST])
            self._client.set_experiment_tag(self._experiment, _SHARED + _VIEW, _table(view.columns))
            number = self._write(CAMPAIGN, campaign_sheet(view, self._outcome), replace=False)
            self._steps = self._logged_steps(number)
            self._live.add(CAMPAIGN)

    def campaign_metrics(self, step: int, metrics: Mapping[str, float], at: float | None = None) -> None:
        """Log one step of the campaign's progress at time ``at`` (s since the epoch); a step once logged stays."""
        from mlflow.entities import Metric

        with _translated():
            number = self._parent()
            when = _ms(time.time() if at is None else at)
            fresh = {k: float(v) for k, v in finite(metrics).items() if (k, step) not in self._steps}
            self._client.log_batch(number, metrics=[Metric(k, v, when, step) for k, v in fresh.items()])
            self._steps |= {(k, step) for k in fresh}

    def campaign_artifacts(self, paths: Iterable[Path]) -> None:
        """File pictures and tables with the campaign; a file of the same name is replaced."""
        with _translated():
            self._upload(self._parent(), paths)

    def campaign_data(self, path: Path, context: str = "training") -> None:
        """File a table with the campaign and enter it, by its content, as a dataset that the campaign used."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        with _translated():
            number, digest = self._parent(), hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            self._upload(number, [path])
            table = Dataset(path.stem, digest, "local", json.dumps({"artifact": path.name}))
            self._client.log_inputs(number, [DatasetInput(table, [InputTag("mlflow.data.context", context)])])

    def finish_campaign(self, status: Status, tags: Mapping[str, str], ended: float | None = None) -> None:
        """End the parent run; ``tags`` say what came of it, "winner" the key of the winning electrode."""
        if self._view is None:
            raise InputError("The campaign was ended before it began: call campaign(view) first.")
        self._outcome = dict(tags)
        with _translated():
            sheet = campaign_sheet(self._view, self._outcome, status, ended)
            self._write(CAMPAIGN, sheet, replace=False)
        self._live.discard(CAMPAIGN)

    def record(self, run: ElectrodeRun) -> str:
        """Write one electrode, new or known by its key, and return the MLflow run's id.

        MLflow's params never change: an electrode whose params did, replaces the run of that key.
        """
        with _translated():
            common = dict(self._view.tags) if self._view else {}
            parent = {_PARENT: self._parent()} | _UNFOLDED if self._view else {}
            number = self._write(run.key, electrode_sheet(run, common | parent), replace=True)
        (self._live.add if run.status == "running" else self._live.discard)(run.key)
        return number

    def mark_interrupted(self) -> tuple[str, ...]:
        """Mark as killed what a dead driver left running and this tracker did not take up; return the keys."""
        with _translated():
            left = {k: n for k, n in self._running().items() if k not in self._live}
            for number in left.values():
                self._client.set_tag(number, _DIGEST, "")
                self._client.set_tag(number, "status_detail", "interrupted: the driver ended before this run did")
                self._client.update_run(number, status="KILLED")
        return tuple(left)

    def _open_experiment(self) -> str:
        """Find, restore or create the study's experiment."""
        found = self._client.get_experiment_by_name(self.study)
        if found is None:
            return self._client.create_experiment(self.study, self._location, tags=_EXPERIMENT_TAGS)
        if self._location and _elsewhere(found.artifact_location, self._location):
            raise InputError(
                f"The database {database(self.home)} files this study's artifacts under {found.artifact_location!r}: "
                "the folder was moved. Delete the database and run 'mesoforge sync', which writes it again."
            )
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _runs(self) -> Iterator[Run]:
        """Yield all runs of the study, deleted ones first, so that an active one of the same key wins in a dict."""
        from mlflow.entities import ViewType

        for view in (ViewType.DELETED_ONLY, ViewType.ACTIVE_ONLY):
            token = None
            while token != "":
                page = self._client.search_runs([self._experiment], "", view, page_token=token)
                yield from page
                token = page.token or ""

    def _index(self) -> dict[str, str]:
        return {run.data.tags[_KEY]: run.info.run_id for run in self._runs() if _KEY in run.data.tags}

    def _running(self) -> dict[str, str]:
        """Return the runs in the state RUNNING: their ids by key."""
        page = self._client.search_runs([self._experiment], "attributes.status = 'RUNNING'", max_results=10 * _BATCH)
        return {run.data.tags[_KEY]: run.info.run_id for run in page if _KEY in run.data.tags}

    def _parent(self) -> str:
        """Return the parent's id; write it again if somebody deleted it."""
        if self._view is None:
            raise InputError("The campaign has no parent run yet: call campaign(view) first.")
        if self._find(CAMPAIGN) is None:
            self.campaign(self._view)
        return self._ids[CAMPAIGN]

    def _find(self, key: str) -> Run | None:
        """Return the run of a key, restored if it had been deleted, or None if there is none (any more)."""
        from mlflow.exceptions import MlflowException

        if key not in self._ids:
            return None
        try:
            run = self._client.get_run(self._ids[key])
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        if run.info.lifecycle_stage == "deleted":
            self._experiment = self._open_experiment()
            self._client.restore_run(run.info.run_id)
        return run

    def _create(self, key: str, sheet: Sheet) -> Run:
        self._experiment = self._open_experiment()
        tags = {_KEY: key} | _SOURCE
        run = self._client.create_run(self._experiment, _ms(sheet.started), tags, sheet.name)
        self._ids[key] = run.info.run_id
        return run

    def _write(self, key: str, sheet: Sheet, *, replace: bool) -> str:
        """Bring the run of ``key`` to what the sheet says; the digest comes last: a broken write is repeated."""
        run = self._find(key)
        if run and replace and _contradicts(run, sheet):
            self._retire(run)
            run = None
        run = run or self._create(key, sheet)
        number = str(run.info.run_id)
        digest = sheet.digest
        if run.data.tags.get(_DIGEST) != digest or not self._filed(number, sheet):
            self._log(run, sheet)
            self._upload(number, sheet.artifacts)
            self._set_status(number, sheet)
            self._client.set_tag(number, _DIGEST, digest)
        return number

    def _retire(self, run: Run) -> None:
        """Delete a run whose params cannot be changed, under a key that nobody asks for."""
        self._client.set_tag(run.info.run_id, _KEY, f"replaced {run.data.tags[_KEY]} {run.info.run_id}")
        self._client.delete_run(run.info.run_id)

    def _log(self, run: Run, sheet: Sheet) -> None:
        """Log what differs from what MLflow has; tags of a state that is over go."""
        from mlflow.entities import Metric, Param, RunTag

        number, now, known = run.info.run_id, _ms(time.time()), run.data
        note = {_NOTE: sheet.note[:_LONGEST]} if sheet.note else {}
        tags = sheet.tags | note | {f"changed.{k}": v for k, v in sheet.params.items() if known.params.get(k, v) != v}
        metrics = [Metric(k, v, now, 0) for k, v in sheet.metrics.items() if known.metrics.get(k) != v]
        params = [Param(k, v) for k, v in sheet.params.items() if k not in known.params]
        news = [RunTag(k, v) for k, v in tags.items() if known.tags.get(k) != v]
        for some, others in zip_longest(_chunks(params), _chunks(news), fillvalue=()):
            self._client.log_batch(number, params=some, tags=others)
        self._client.log_batch(number, metrics=metrics)
        for gone in (k for k in STATE_TAGS if k in known.tags and k not in tags):
            self._client.delete_tag(number, gone)

    def _set_status(self, number: str, sheet: Sheet) -> None:
        state = _STATES[sheet.status]
        self._client.update_run(number, status=state, name=sheet.name)
        if sheet.status != "running":
            self._client.set_terminated(number, state, None if sheet.ended is None else _ms(sheet.ended))

    def _upload(self, number: str, paths: Iterable[Path]) -> None:
        for path in paths:
            self._client.log_artifact(number, str(path), folder(path))

    def _filed(self, number: str, sheet: Sheet) -> bool:
        """Whether all of the sheet's files are there still."""
        folders = {folder(path) for path in sheet.artifacts}
        there = {file.path for name in folders for file in self._client.list_artifacts(number, name)}
        return all("/".join(filter(None, (folder(path), path.name))) in there for path in sheet.artifacts)

    def _logged_steps(self, number: str) -> set[tuple[str, int]]:
        """Return the (metric, step) pairs that the parent has."""
        known = self._client.get_run(number).data.metrics
        return {(key, point.step) for key in known for point in self._client.get_metric_history(number, key)}


_EXPERIMENT_TAGS: Final = {"mlflow.experimentKind": "custom_model_development"}  # opens on runs, not on GenAI traces


def _connect(home: Path, tracking_uri: str | None) -> MlflowClient:
    """Open the server, or the home's database, which is created where there is none."""
    if tracking_uri and not tracking_uri.startswith(("http://", "https://")):
        raise InputError(
            f"The tracking URI came as {_masked(tracking_uri)!r}: give the http:// address of an MLflow server, or "
            "none."
        )
    if not tracking_uri:
        home.mkdir(parents=True, exist_ok=True)
    client = _import_client()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with nullcontext() if tracking_uri else _alone(home):
            return client(tracking_uri or _uri(home))
    except (MlflowException, SQLAlchemyError) as error:
        raise InputError(
            f"The database {database(home)} cannot be used ({str(error).splitlines()[0]}): move it away and run "
            "'mesoforge sync', which writes it again."
        ) from error


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep other processes away while the database opens: two that meet an absent one spoil it."""
    with (home / "mlflow.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _import_client() -> type[MlflowClient]:
    """Load MLflow without telemetry, and without its diary of database migrations."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the view may wait, the campaign may not
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # results go there
    from mlflow import MlflowClient

    with warnings.catch_warnings():
        # MLflow 3.17 declares relations in a way that SQLAlchemy 2.1 deprecates; nothing here reads them.
        warnings.filterwarnings("ignore", "The ``noload`` loader strategy is deprecated", DeprecationWarning)
        from mlflow.store.tracking import sqlalchemy_store  # noqa: F401
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what MLflow, the network and the disk raise into a ``TrackingError``."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise TrackingError(
            f"MLflow could not be written ({_masked(str(error))}); 'mesoforge sync' writes it later."
        ) from error


def _masked(text: str) -> str:
    """Return a text without the name and password that an address in it may carry."""
    return re.sub(r"//[^/@\s]+@", "//***@", text)


def _table(columns: Sequence[str]) -> str:
    """Return a view of the runs, newest first, with these columns, as the dashboard shares views."""
    named = [f"{kind}.`{name}`" for kind, _, name in (column.partition(".") for column in columns)]
    order = {"orderByKey": "attributes.start_time", "orderByAsc": False}
    facets = {"searchFilter": "", "startTime": "ALL", "lifecycleFilter": "Active", "modelVersionFilter": "All Runs"}
    return json.dumps({**order, **facets, "datasetsFilter": [], "selectedColumns": named})


def _elsewhere(filed: str, due: str) -> bool:
    """Whether artifacts are filed in another folder of this machine than is due."""
    path = filed.removeprefix("file://")
    return path.startswith("/") and Path(path) != Path(due)


def _contradicts(run: Run, sheet: Sheet) -> bool:
    return any(run.data.params.get(key, value) != value for key, value in sheet.params.items())


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
