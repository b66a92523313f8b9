"""The MLflow view: what is written can be read back, and writing it again changes nothing."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mesoforge.errors import InputError
from mesoforge.experiments.record import CAMPAIGN
from mesoforge.experiments.tracking import (
    CampaignView,
    ElectrodeRun,
    Tracker,
    TrackingError,
    database,
    study_ids,
    study_page,
)
from mesoforge.optimize.trial import Estimate, Failed

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

FAILURE = Failed("unstable", "calendering", "3 beads left the volume at 1.2 us.")
CAMPAIGN_VIEW = CampaignView(
    name="campaign",
    note="# What this study asks\nWhich electrode is *dense*?",
    status="running",
    started=1_000.0,
    params={"budget.start": 6, "objectives.porosity": "match 0.3"},
    tags={"study_sha256": "ab12", "mesoforge_version": "0.1.0"},
)
RUNNING = ElectrodeRun(
    key="trial-0001",
    name="trial 1, sobol",
    origin="sobol",
    status="running",
    started=1_001.5,
    params={"formulation.active_material": 0.96, "calendering.pressure": 60, "material": "NMC111"},
    predictions={"porosity": Estimate(0.30, 0.01), "thickness": Estimate(50.0, 0.0)},
    tags={"input_sha256": "cd34"},
)
studies = (f"study-{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home with a space in its path: to create the database takes seconds."""
    return tmp_path_factory.mktemp("a home")


@pytest.fixture
def tracker(home: Path) -> Tracker:
    return Tracker(home, next(studies))


@pytest.fixture
def finished(tmp_path: Path) -> ElectrodeRun:
    picture, log = tmp_path / "cross_section.png", tmp_path / "slurry.log"
    picture.write_bytes(b"picture")
    log.write_text("it ran")
    return replace(
        RUNNING,
        status="finished",
        ended=1_061.5,
        metrics={"porosity": 0.32, "thickness": 51.0, "wall_s": 60.0},
        artifacts=(picture, log),
        pareto=True,
    )


@pytest.fixture
def client(home: Path) -> MlflowClient:
    Tracker(home, "any")  # creates the database
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{database(home)}")


def runs(client: MlflowClient, tracker: Tracker) -> dict[str, Run]:
    """Return the study's runs that people see, by key; two of one key are an error."""
    found = client.search_runs([study_ids(tracker.home)[tracker.study]])
    keys = [run.data.tags["mesoforge.key"] for run in found]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, found, strict=True))


def everything(client: MlflowClient, tracker: Tracker) -> dict[str, Any]:
    """Return all that MLflow knows of a study, metric histories and files included."""
    known = {}
    for key, run in runs(client, tracker).items():
        number = run.info.run_id
        histories = {name: client.get_metric_history(number, name) for name in run.data.metrics}
        points = {name: [(p.step, p.value, p.timestamp) for p in each] for name, each in histories.items()}
        files = [file.path for folder in (None, "figures") for file in client.list_artifacts(number, folder)]
        known[key] = run.to_dictionary() | {"points": points, "files": files}
    return known


def test_a_finished_electrode_can_be_read_back(tracker: Tracker, client: MlflowClient, finished: ElectrodeRun) -> None:
    tracker.record(finished)
    run = runs(client, tracker)["trial-0001"]
    assert (run.info.status, run.info.run_name) == ("FINISHED", "trial 1, sobol")
    assert (run.info.start_time, run.info.end_time) == (1_001_500, 1_061_500)
    assert run.data.params == {
        "formulation.active_material": "0.96",
        "calendering.pressure": "60",
        "material": "NMC111",
    }
    assert run.data.tags.items() >= {"origin": "sobol", "input_sha256": "cd34"}.items()
    assert run.data.metrics.items() >= {"porosity": 0.32, "wall_s": 60.0, "pareto": 1.0}.items()


def test_a_prediction_is_scored_in_standard_deviations(
    tracker: Tracker, client: MlflowClient, finished: ElectrodeRun
) -> None:
    tracker.record(finished)
    metrics = runs(client, tracker)["trial-0001"].data.metrics
    assert metrics["pred/porosity_mean"] == 0.30
    assert metrics["pred/porosity_std"] == 0.01
    assert metrics["pred/porosity_z"] == pytest.approx(2.0)
    assert "pred/thickness_z" not in metrics  # a standard deviation of nought gives no score


def test_pictures_are_filed_apart_from_logs(tracker: Tracker, client: MlflowClient, finished: ElectrodeRun) -> None:
    tracker.record(finished)
    assert everything(client, tracker)["trial-0001"]["files"] == ["figures", "slurry.log", "figures/cross_section.png"]
    assert list((tracker.home / "artifacts" / tracker.study).rglob("cross_section.png"))


def test_recording_twice_changes_nothing(tracker: Tracker, client: MlflowClient, finished: ElectrodeRun) -> None:
    def write(one: Tracker) -> None:
        one.campaign(CAMPAIGN_VIEW)
        one.campaign_metrics(1, {"hypervolume": 0.5, "n_failed": 0}, at=1_062.0)
        one.record(finished)

    write(tracker)
    before = everything(client, tracker)
    write(tracker)
    write(Tracker(tracker.home, tracker.study))
    assert everything(client, tracker) == before


def test_a_running_electrode_becomes_a_finished_one(
    tracker: Tracker, client: MlflowClient, finished: ElectrodeRun
) -> None:
    first = tracker.record(RUNNING)
    assert runs(client, tracker)["trial-0001"].info.status == "RUNNING"
    assert tracker.record(finished) == first
    assert runs(client, tracker)["trial-0001"].info.status == "FINISHED"


def test_a_failed_electrode_says_why(tracker: Tracker, client: MlflowClient) -> None:
    tracker.record(replace(RUNNING, status="failed", ended=1_010.0, failure=FAILURE))
    run = runs(client, tracker)["trial-0001"]
    assert run.info.status == "FAILED"
    assert run.data.tags["failure.kind"] == "unstable"
    assert run.data.tags["failure.stage"] == "calendering"
    assert run.data.tags["failure.reason"] == "3 beads left the volume at 1.2 us."
    assert run.data.tags["status_detail"] == "unstable in calendering: 3 beads left the volume at 1.2 us."


def test_a_failure_that_was_overcome_is_no_longer_told(
    tracker: Tracker, client: MlflowClient, finished: ElectrodeRun
) -> None:
    tracker.record(replace(RUNNING, status="failed", ended=1_010.0, failure=FAILURE))
    tracker.record(finished)
    assert not [tag for tag in runs(client, tracker)["trial-0001"].data.tags if tag.startswith(("failure", "status_"))]


def test_a_corrected_metric_shows_its_new_value_even_if_smaller(
    tracker: Tracker, client: MlflowClient, finished: ElectrodeRun
) -> None:
    tracker.record(finished)
    tracker.record(replace(finished, metrics={"porosity": 0.31}, pareto=False))
    metrics = runs(client, tracker)["trial-0001"].data.metrics
    assert (metrics["porosity"], metrics["pareto"]) == (0.31, 0.0)


def test_changed_params_replace_the_run(tracker: Tracker, client: MlflowClient, finished: ElectrodeRun) -> None:
    first = tracker.record(finished)
    second = tracker.record(replace(finished, params={"calendering.pressure": 70}))
    assert first != second
    assert runs(client, tracker)["trial-0001"].data.params == {"calendering.pressure": "70"}
    again = Tracker(tracker.home, tracker.study)
    assert again.record(replace(finished, params={"calendering.pressure": 70})) == second


def test_electrodes_are_children_of_the_campaign_and_repeat_its_tags(
    tracker: Tracker, client: MlflowClient, finished: ElectrodeRun
) -> None:
    tracker.campaign(CAMPAIGN_VIEW)
    tracker.record(finished)
    known = runs(client, tracker)
    assert known["trial-0001"].data.tags["mlflow.parentRunId"] == known[CAMPAIGN].info.run_id
    assert known["trial-0001"].data.tags["study_sha256"] == "ab12"
    assert known[CAMPAIGN].data.tags["mlflow.note.content"].startswith("# What this study asks")


def test_the_dashboard_opens_the_campaign_with_the_columns_asked_for(tracker: Tracker, client: MlflowClient) -> None:
    assert "viewStateShareKey" not in study_page(tracker.home, study_ids(tracker.home)[tracker.study])
    tracker.campaign(replace(CAMPAIGN_VIEW, columns=("metrics.pred/porosity_z", "params.calendering.pressure")))
    tracker.record(RUNNING)
    experiment = client.get_experiment_by_name(tracker.study)
    assert experiment is not None
    view = json.loads(experiment.tags["mlflow.sharedViewState.mesoforge"])
    assert view["selectedColumns"] == ["metrics.`pred/porosity_z`", "params.`calendering.pressure`"]
    assert study_page(tracker.home, experiment.experiment_id).endswith("&viewStateShareKey=mesoforge")
    assert runs(client, tracker)["trial-0001"].data.tags["mlflow.runType"] == "evaluation"


def test_params_are_written_without_the_dust_of_binary_fractions(tracker: Tracker, client: MlflowClient) -> None:
    tracker.record(replace(RUNNING, params={"a": 0.1 + 0.2, "b": 60.0, "c": 1e-9, "d": 2**31 - 1}))
    assert runs(client, tracker)["trial-0001"].data.params == {"a": "0.3", "b": "60", "c": "1e-09", "d": "2147483647"}


def test_a_column_of_no_kind_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"column came as 'porosity': give 'metrics\.NAME', 'params\.NAME' or 'tags\.NAME'"
    ):
        replace(CAMPAIGN_VIEW, columns=("porosity",))


def test_an_electrode_without_a_campaign_stands_alone(tracker: Tracker, client: MlflowClient) -> None:
    tracker.record(RUNNING)
    assert "mlflow.parentRunId" not in runs(client, tracker)["trial-0001"].data.tags


def test_the_campaign_ends_with_a_winner(tracker: Tracker, client: MlflowClient) -> None:
    tracker.campaign(CAMPAIGN_VIEW)
    tracker.finish_campaign("finished", {"winner": "trial-0001"}, ended=2_000.0)
    run = runs(client, tracker)[CAMPAIGN]
    assert (run.info.status, run.info.end_time) == ("FINISHED", 2_000_000)
    assert run.data.tags["winner"] == "trial-0001"


def test_a_step_once_logged_stays(tracker: Tracker, client: MlflowClient) -> None:
    tracker.campaign(CAMPAIGN_VIEW)
    for step, value in ((1, 0.2), (2, 0.4), (1, 0.9)):
        tracker.campaign_metrics(step, {"hypervolume": value, "loo/r2/porosity": float("nan")})
    history = client.get_metric_history(runs(client, tracker)[CAMPAIGN].info.run_id, "hypervolume")
    assert [(point.step, point.value) for point in history] == [(1, 0.2), (2, 0.4)]
    assert "loo/r2/porosity" not in runs(client, tracker)[CAMPAIGN].data.metrics


def test_a_larger_budget_is_told_in_a_tag_of_the_same_campaign(tracker: Tracker, client: MlflowClient) -> None:
    tracker.campaign(CAMPAIGN_VIEW)
    first = runs(client, tracker)[CAMPAIGN].info.run_id
    tracker.campaign(replace(CAMPAIGN_VIEW, params={"budget.start": 12}))
    run = runs(client, tracker)[CAMPAIGN]
    assert (run.info.run_id, run.data.params["budget.start"]) == (first, "6")
    assert run.data.tags["changed.budget.start"] == "12"


def test_the_training_table_is_filed_and_entered_as_a_dataset(
    tracker: Tracker, client: MlflowClient, tmp_path: Path
) -> None:
    table = tmp_path / "training.csv"
    table.write_text("porosity\n0.3\n")
    tracker.campaign(CAMPAIGN_VIEW)
    tracker.campaign_data(table)
    tracker.campaign_data(table)
    run = client.get_run(runs(client, tracker)[CAMPAIGN].info.run_id)
    assert run.inputs is not None
    assert [entry.dataset.name for entry in run.inputs.dataset_inputs] == ["training"]
    assert everything(client, tracker)[CAMPAIGN]["files"] == ["training.csv"]


def test_what_a_dead_driver_left_running_is_marked_as_killed(tracker: Tracker, client: MlflowClient) -> None:
    tracker.campaign(CAMPAIGN_VIEW)
    tracker.record(RUNNING)
    tracker.record(replace(RUNNING, key="trial-0002"))
    resumed = Tracker(tracker.home, tracker.study)
    resumed.campaign(CAMPAIGN_VIEW)
    resumed.record(replace(RUNNING, key="trial-0002"))
    assert resumed.mark_interrupted() == ("trial-0001",)
    states = {key: run.info.status for key, run in runs(client, tracker).items()}
    assert states == {CAMPAIGN: "RUNNING", "trial-0001": "KILLED", "trial-0002": "RUNNING"}


def test_an_interrupted_electrode_runs_again_as_the_same_run(tracker: Tracker, client: MlflowClient) -> None:
    first = tracker.record(RUNNING)
    resumed = Tracker(tracker.home, tracker.study)
    resumed.mark_interrupted()
    assert "driver ended" in runs(client, tracker)["trial-0001"].data.tags["status_detail"]
    assert resumed.record(RUNNING) == first
    run = runs(client, tracker)["trial-0001"]
    assert (run.info.status, "status_detail" in run.data.tags) == ("RUNNING", False)


def test_a_run_that_somebody_deleted_comes_back(tracker: Tracker, client: MlflowClient, finished: ElectrodeRun) -> None:
    tracker.campaign(CAMPAIGN_VIEW)
    tracker.record(finished)
    before = everything(client, tracker)
    for run in runs(client, tracker).values():
        client.delete_run(run.info.run_id)
    assert not runs(client, tracker)
    tracker.campaign_metrics(1, {})
    Tracker(tracker.home, tracker.study).record(finished)
    tracker.record(finished)
    assert everything(client, tracker) == before


def test_a_run_that_was_purged_is_written_anew(tracker: Tracker, client: MlflowClient, finished: ElectrodeRun) -> None:
    from mlflow.tracking._tracking_service.utils import _get_store

    tracker.campaign(CAMPAIGN_VIEW)
    tracker.campaign_metrics(1, {"hypervolume": 0.5})
    tracker.record(finished)
    store = _get_store(f"sqlite:///{database(tracker.home)}")  # type: ignore[no-untyped-call]
    for run in runs(client, tracker).values():
        store._hard_delete_run(run.info.run_id)
    tracker.record(finished)
    tracker.campaign_metrics(1, {"hypervolume": 0.5})
    known = runs(client, tracker)
    assert known["trial-0001"].data.tags["mlflow.parentRunId"] == known[CAMPAIGN].info.run_id
    assert known[CAMPAIGN].data.metrics == {"hypervolume": 0.5}


def test_a_study_that_somebody_deleted_comes_back(
    tracker: Tracker, client: MlflowClient, finished: ElectrodeRun
) -> None:
    tracker.record(finished)
    client.delete_experiment(study_ids(tracker.home)[tracker.study])
    assert tracker.study not in study_ids(tracker.home)
    tracker.record(replace(finished, key="trial-0002"))
    tracker.record(finished)
    assert set(runs(client, tracker)) == {"trial-0001", "trial-0002"}


def test_pictures_that_were_lost_are_filed_again(
    tracker: Tracker, client: MlflowClient, finished: ElectrodeRun
) -> None:
    tracker.record(finished)
    (lost,) = (tracker.home / "artifacts" / tracker.study).rglob("cross_section.png")
    lost.unlink()
    tracker.record(finished)
    assert lost.read_bytes() == b"picture"


def test_a_file_that_is_missing_is_named_in_a_tag(tracker: Tracker, client: MlflowClient, tmp_path: Path) -> None:
    tracker.record(replace(RUNNING, artifacts=(tmp_path / "view_3d.png",)))
    assert runs(client, tracker)["trial-0001"].data.tags["artifacts_missing"] == "view_3d.png"


def test_more_params_and_tags_than_mlflow_takes_at_once_are_all_written(tracker: Tracker, client: MlflowClient) -> None:
    many = {f"p.{number}": number for number in range(230)}
    tracker.record(replace(RUNNING, params=many, tags={f"t.{number}": "x" for number in range(120)}))
    data = runs(client, tracker)["trial-0001"].data
    assert data.params == {key: str(value) for key, value in many.items()}
    assert sum(tag.startswith("t.") for tag in data.tags) == 120


@pytest.mark.parametrize("name", ["", "a/b", "../up", "two words", "-dash", ".", "Default", "x" * 101, "line\n", "Ä"])
def test_a_study_name_that_cannot_be_filed_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"study's name came as .* use up to 100 letters, digits"):
        Tracker(tmp_path / "home", name)
    assert not (tmp_path / "home").exists()


def test_a_tracking_uri_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tracking URI came as 'ftp://x': give the http:// address"):
        Tracker(tmp_path, "study", "ftp://x")


def test_a_broken_database_is_refused_with_the_way_out(tmp_path: Path) -> None:
    database(tmp_path).write_text("no database")
    with pytest.raises(InputError, match=r"mlflow\.db cannot be used .* run 'mesoforge sync'"):
        Tracker(tmp_path, "study")


def test_a_home_that_was_moved_is_refused_with_the_way_out(tracker: Tracker, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    database(moved).write_bytes(database(tracker.home).read_bytes())
    with pytest.raises(InputError, match=r"the folder was moved\. Delete the database and run 'mesoforge sync'"):
        Tracker(moved, tracker.study)


def test_a_server_that_is_away_is_a_tracking_error_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match="'mesoforge sync' writes it later"):
        Tracker(tmp_path, "study", "http://127.0.0.1:9")


def test_campaign_methods_before_the_campaign_are_refused(tracker: Tracker) -> None:
    with pytest.raises(InputError, match=r"no parent run yet: call campaign\(view\) first"):
        tracker.campaign_metrics(1, {"hypervolume": 0.1})
    with pytest.raises(InputError, match=r"ended before it began: call campaign\(view\) first"):
        tracker.finish_campaign("finished", {})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "campaign"}, "key came as 'campaign': give it a name of its own"),
        ({"key": ""}, "key came as ''"),
        ({"failure": FAILURE}, "came as running with failure .* give a failed run, and no other, its failure"),
        ({"status": "failed"}, "came as failed with failure None"),
    ],
    ids=["reserved key", "no key", "failure of a running one", "failed for no reason"],
)
def test_an_electrode_that_contradicts_itself_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(RUNNING, **change)


def test_importing_the_tracker_loads_no_mlflow_and_using_it_prints_nothing(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from mesoforge.experiments.tracking import Tracker\n"
        "assert 'mlflow' not in sys.modules and 'sqlalchemy' not in sys.modules\n"
        "Tracker(Path(sys.argv[1]), 'study')\n"
        "from mlflow.telemetry import get_telemetry_client; assert get_telemetry_client() is None\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_processes_that_meet_an_absent_database_all_come_to_use_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from mesoforge.experiments.tracking import Tracker\n"
        "import mlflow.store.tracking.sqlalchemy_store\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "Tracker(Path(sys.argv[1]), sys.argv[2])\n"
    )
    names = ["first", "second"]
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen([*command, name], stdin=pipe, stdout=pipe, stderr=pipe, text=True) for name in names]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=120)[1] for one in started]
    assert [one.returncode for one in started] == [0, 0], said
    assert sorted(study_ids(tmp_path)) == sorted(names)
