"""A study from its first trial to its verdict: what is written once is never made again, and MLflow can be rebuilt."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments import drive as driving
from mesoforge.experiments import pool as pools
from mesoforge.experiments import view
from mesoforge.experiments.dashboard import serve
from mesoforge.experiments.drive import drive, kept_campaign, kept_plan, sync
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.runner import Work
from mesoforge.experiments.study import SINGLE, Plan
from mesoforge.experiments.tracking import TrackingError, database
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Failed
from mesoforge.physics.recipe import Recipe

PATIENCE_S = 120.0
Json = dict[str, Any]


def silent(_: object) -> Callable[[object], None]:
    """Watch nothing."""
    return lambda _: None


def refuse(message: str) -> None:
    """Take no complaint; where Bokeh is installed, Dask's dashboard is named by the same way."""
    assert message.startswith("Dask's dashboard is at "), message


def start(plan: Plan, home: Home, work: Work = toys.make, **options: Any) -> Json:  # noqa: ANN401
    """Drive a study; by default no complaint is taken."""
    return drive(plan, home, silent, options.pop("complain", refuse), work, **options)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trials run in this process, not in workers."""
    monkeypatch.setattr(pools, "local_pool", lambda _: nullcontext(HerePool()))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of MLflow."""
    return toys.template(tmp_path_factory)


@pytest.fixture
def home(tmp_path: Path, template: Path) -> Home:
    """A new home."""
    shutil.copy(template, tmp_path)
    return Home(tmp_path)


@dataclass(frozen=True)
class Done:
    """A study that was driven to its end by real workers, with failures of the physics on the way."""

    home: Home
    plan: Plan
    verdict: Json
    made: tuple[int, ...]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Done:
    """Drive the toy study with everything that is real but the physics."""
    home, plan = Home(tmp_path_factory.mktemp("home of a study")), toys.plan()
    shutil.copy(template, home.root)
    return Done(home, plan, start(plan, home, toys.make_weak), tuple(toys.seeds_made(home.root)))


def seen(home: Home, study: str) -> dict[str, Json]:
    """Return what people see of each run, without what MLflow numbers anew."""
    shown = {}
    for key, run in toys.runs(home.root, study).items():
        tags = {name: value for name, value in run.data.tags.items() if name != "mlflow.parentRunId"}
        times = (
            key == "campaign" or run.info.start_time,
            run.info.end_time,
        )  # a campaign starts before its first trial
        shown[key] = {"state": run.info.status, "times": times, "tags": tags} | {
            "params": run.data.params,
            "metrics": run.data.metrics,
        }
    return shown


def states(home: Home, study: str) -> set[str]:
    """Return the states of a study's runs."""
    return {run.info.status for run in toys.runs(home.root, study).values()}


def without_digest(tags: dict[str, str]) -> dict[str, str]:
    """Return tags without the fingerprint, which counts the last bits of figures too."""
    return {name: value for name, value in tags.items() if name != "mesoforge.digest"}


def copy_of_the_truth(home: Home, other: Home) -> Home:
    """Give another home what a lost view is written from."""
    shutil.copytree(home.root / "studies", other.root / "studies")
    return other


# A whole campaign


def test_a_campaign_ends_with_a_confirmed_winner_and_tells_its_failures(done: Done) -> None:
    verdict = done.verdict
    assert (verdict["phase"], verdict["pending"]) == ("done", [])
    assert verdict["measured"] + len(verdict["failed"]) == 7 == len(done.made)
    assert verdict["failed"], "the toy's weak spot lies within the start"
    assert {(one["kind"], one["stage"], one["reason"]) for one in verdict["failed"]} == {
        ("lost_beads", "calendering", toys.REASON)
    }
    (confirmation,) = verdict["confirmations"]
    assert confirmation["confirms"] == verdict["winner"]


def test_a_confirmation_is_new_physics_beside_all_predictions(done: Done) -> None:
    (confirmation,) = done.verdict["confirmations"]
    campaign = kept_campaign(done.plan, done.home)
    last, first = campaign.trials[-1], campaign.trials[int(confirmation["confirms"].removeprefix("trial-"))]
    assert (last.confirms, last.values) == (first.number, first.values)
    assert last.seed != first.seed
    row = confirmation["properties"]["porosity"]
    assert row["physics"] == toys.properties(done.plan.recipe(last))["porosity"]
    assert row["first"] == toys.properties(done.plan.recipe(first))["porosity"]
    assert row["predicted"] == last.prediction["porosity"].mean
    others = [one for one in campaign.measured if one.number not in (first.number, last.number)]
    assert row["nearest"] in [toys.properties(done.plan.recipe(one))["porosity"] for one in others]


def test_the_findings_lie_in_the_studys_folder(done: Done) -> None:
    folder = done.home.study("toy")
    assert json.loads((folder / "verdict.json").read_text(encoding="utf-8")) == done.verdict
    rows = (folder / "trials.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 7
    assert rows[0].startswith(
        "trial,origin,confirms,reuses,seed,state,calendering.pressure,formulation.active_material,"
    )
    pictures = {"hypervolume", "parallel_coordinates", "pareto_front", "prediction_against_physics"}
    assert pictures <= {path.stem for path in folder.glob("*.png")}


def test_a_second_start_makes_nothing_and_finds_the_same(done: Done) -> None:
    before = seen(done.home, "toy")
    assert start(kept_plan(done.home, "toy"), done.home, toys.stumble) == done.verdict
    assert tuple(toys.seeds_made(done.home.root)) == done.made
    assert seen(done.home, "toy") == before


def test_every_trial_is_a_run_in_its_state(done: Done) -> None:
    known = toys.runs(done.home.root, "toy")
    failed = {one["trial"] for one in done.verdict["failed"]}
    assert set(known) == {"campaign", *(f"trial-{number:04d}" for number in range(7))}
    assert {key for key, run in known.items() if run.info.status == "FAILED"} == failed
    assert {run.info.status for run in known.values()} == {"FINISHED", "FAILED"}


def test_a_sync_of_what_is_there_changes_nothing(done: Done) -> None:
    before = seen(done.home, "toy")
    assert [sync(done.home, "toy") for _ in range(2)] == [7, 7]
    assert seen(done.home, "toy") == before


def test_a_view_that_was_lost_is_written_anew_from_the_journal(done: Done, home: Home) -> None:
    lost = copy_of_the_truth(done.home, home)
    assert sync(lost, "toy") == 7
    before, after = seen(done.home, "toy"), seen(lost, "toy")
    assert set(after) == set(before)
    for key, run in after.items():
        assert run == before[key] | {"metrics": run["metrics"], "tags": run["tags"]}
        assert run["metrics"] == pytest.approx(before[key]["metrics"], rel=1e-6)
        assert without_digest(run["tags"]) == without_digest(before[key]["tags"])
    assert list((lost.root / "artifacts").rglob("pareto_front.png"))


def test_a_larger_budget_makes_only_what_it_adds(done: Done, home: Home, here: None) -> None:
    copy_of_the_truth(done.home, home)
    found = start(toys.plan(budget={"start": 4, "proposed": 3, "confirmations": 1}), home, toys.make_weak)
    assert found["phase"] == "done"
    assert found["measured"] + len(found["failed"]) == 9
    assert len(toys.seeds_made(home.root)) == 2  # the proposal, and what is best since: it is confirmed, too
    assert not set(toys.seeds_made(home.root)) & set(done.made)


def test_a_smaller_budget_is_refused_with_nothing_written(done: Done) -> None:
    before = {path: path.read_bytes() for path in done.home.study("toy").iterdir()}
    with pytest.raises(InputError, match="the budget's start was 4 and is now 3, but a budget can only grow"):
        start(toys.plan(budget={"start": 3}), done.home)
    with pytest.raises(
        InputError, match=r"journal\.jsonl holds another problem: .*objectives.* give this study a name"
    ):
        start(toys.plan(objectives={"porosity": "minimize"}), done.home)
    assert {path: path.read_bytes() for path in done.home.study("toy").iterdir() if path.name != "driver.lock"} == {
        path: content for path, content in before.items() if path.name != "driver.lock"
    }


# MLflow's REST interface alone


@dataclass(frozen=True)
class Rest:
    """MLflow's REST interface, asked by HTTP and JSON alone."""

    server: str

    def ask(self, question: str, body: Json | None = None) -> Json:
        """Ask one question."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.server}/api/2.0/mlflow/{question}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
            answer: Json = json.load(reply)
        return answer

    def search(self, wanted: str) -> list[dict[str, dict[str, Any]]]:
        """Return the study's runs that a filter lets pass, each with params, metrics and tags by name."""
        study = self.ask("experiments/get-by-name?experiment_name=toy")["experiment"]["experiment_id"]
        found = self.ask("runs/search", {"experiment_ids": [study], "filter": wanted}).get("runs", [])
        kinds = ("params", "metrics", "tags")
        return [{kind: {e["key"]: e["value"] for e in run["data"].get(kind, [])} for kind in kinds} for run in found]


@pytest.fixture(scope="module")
def rest(done: Done) -> Iterator[Rest]:
    with serve(done.home.root, "toy", port=5400) as board:
        yield Rest(board.server)


def test_the_rest_interface_tells_which_recipe_won(done: Done, rest: Rest) -> None:
    (campaign,) = rest.search("tags.`mesoforge.key` = 'campaign'")
    (winner,) = rest.search(f"tags.`mesoforge.key` = '{campaign['tags']['winner']}'")
    trial = kept_campaign(done.plan, done.home).trials[int(done.verdict["winner"].removeprefix("trial-"))]
    for name, value in done.plan.recipe(trial).flat().items():
        shown = winner["params"][name]
        assert shown == value if isinstance(value, str) else float(shown) == pytest.approx(float(value)), name


def test_the_rest_interface_tells_prediction_against_physics(done: Done, rest: Rest) -> None:
    confirmed = rest.search("tags.origin = 'confirm'")
    (expected,) = done.verdict["confirmations"]
    (run,) = confirmed
    assert run["tags"]["confirms"] == expected["confirms"]
    for name, row in expected["properties"].items():
        found = [run["metrics"][key] for key in (name, f"pred/{name}_mean", f"pred/{name}_std")]
        assert found == [row["physics"], row["predicted"], row["predicted_sd"]]
        assert run["metrics"][f"pred/{name}_z"] == pytest.approx((found[0] - found[1]) / found[2])


def test_the_rest_interface_tells_which_runs_failed_and_why(done: Done, rest: Rest) -> None:
    failed = rest.search("attributes.status = 'FAILED'")
    told = {run["tags"]["mesoforge.key"]: run["tags"]["failure.reason"] for run in failed}
    assert told == {one["trial"]: one["reason"] for one in done.verdict["failed"]}
    assert {run["tags"]["failure.stage"] for run in failed} == {"calendering"}


# What goes wrong


def gone(pids: set[int]) -> bool:
    """Whether no process has one of these numbers any more, after a while."""
    end = time.monotonic() + PATIENCE_S
    left = set(pids)
    while left and time.monotonic() < end:
        time.sleep(0.1)
        left = {pid for pid in left if Path(f"/proc/{pid}").exists() or _answers(pid)}
    return not left


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ended(home: Home, study: str) -> set[int]:
    """Return the numbers of the trials that a journal says have ended."""
    events = Journal(home.journal(study)).events()
    return {int(str(event["number"])) for event in events if event["event"] in ("tell", "fail")}


def test_a_killed_driver_leaves_no_worker_and_its_study_goes_on(home: Home, here: None) -> None:
    folder = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": str(folder)}
    with subprocess.Popen([sys.executable, str(folder / "toy_driver.py"), str(home.root)], env=environment) as driver:
        end = time.monotonic() + PATIENCE_S
        while len(ended(home, "toy")) < 2 and driver.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        driver.send_signal(signal.SIGKILL)
    told = ended(home, "toy")
    assert driver.returncode == -signal.SIGKILL
    assert 2 <= len(told) < 7
    assert gone({int(line.split()[1]) for line in (home.root / "made.txt").read_text().splitlines()})
    assert "RUNNING" in states(home, "toy")
    plan, before = toys.plan("sample", strategy="sobol"), len(toys.seeds_made(home.root))
    found = start(plan, home)
    again = toys.seeds_made(home.root)[before:]
    assert (found["phase"], found["measured"]) == ("done", 7)
    assert sorted(again) == sorted(plan.problem.trial_seed(number) for number in range(7) if number not in told)
    assert states(home, "toy") == {"FINISHED"}


def test_an_interrupted_study_leaves_nothing_running_in_mlflow_and_goes_on(home: Home, here: None) -> None:
    def stop_at_third(values: Any, root: str) -> Json:  # noqa: ANN401
        if len(toys.seeds_made(home.root)) == 2:
            raise KeyboardInterrupt
        return toys.make(values, root)

    plan = toys.plan("sample", strategy="sobol")
    with pytest.raises(KeyboardInterrupt):
        start(plan, home, stop_at_third)
    known = toys.runs(home.root, "toy")
    assert {key: run.info.status for key, run in known.items()} == {
        "campaign": "KILLED",
        "trial-0000": "FINISHED",
        "trial-0001": "FINISHED",
        "trial-0002": "KILLED",
    }
    assert known["trial-0002"].data.tags["status_detail"].startswith("interrupted: the driver ended before this run")
    before = seen(home, "toy")
    assert sync(home, "toy") == 3
    assert seen(home, "toy") == before
    assert start(plan, home)["phase"] == "done"
    assert states(home, "toy") == {"FINISHED"}
    assert "status_detail" not in toys.runs(home.root, "toy")["trial-0002"].data.tags


def test_a_study_has_one_driver_at_a_time(home: Home) -> None:
    words = rf"study 'toy' is being driven by process {os.getpid()} on .+: wait for it to end, or stop it first\.$"
    with home.only_driver("toy"):
        for second in (lambda: start(toys.plan(strategy="sobol"), home), lambda: sync(home, "toy")):
            with pytest.raises(InputError, match=words):
                second()
    with home.only_driver("toy"):
        pass
    assert not home.journal("toy").exists()


def test_a_patient_process_waits_for_the_other_to_let_go(home: Home) -> None:
    holding, waited = threading.Event(), time.monotonic()

    def hold() -> None:
        with home.only_driver("toy"):
            holding.set()
            time.sleep(0.5)

    other = threading.Thread(target=hold)
    other.start()
    assert holding.wait(PATIENCE_S)
    with home.only_driver("toy", PATIENCE_S):
        assert time.monotonic() - waited >= 0.5
    other.join()


def test_a_server_that_is_away_is_complained_of_and_stops_nothing(
    tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said: list[str] = []
    home = Home(tmp_path)
    plan = toys.plan("sample", strategy="sobol")
    found = start(plan, home, complain=said.append, tracking_uri="http://127.0.0.1:9")
    assert (found["phase"], found["measured"]) == ("done", 7)
    assert 1 <= len(said) <= 2
    assert all("'mesoforge sync' writes it later" in words for words in said)
    assert not database(tmp_path).exists()
    with pytest.raises(TrackingError, match="MLflow could not be written"):
        sync(home, "toy", "http://127.0.0.1:9")


def test_a_server_that_is_away_is_left_alone_for_a_while(
    tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def away(*given: object) -> None:
        tries.append("tried")
        raise TrackingError("away; 'mesoforge sync' writes it later.")

    monkeypatch.setattr(view, "Tracker", away)
    said: list[str] = []
    plan = toys.plan("sample", strategy="sobol", budget={"start": 20})
    start(plan, Home(tmp_path), complain=said.append)
    assert len(tries) == 2, "once at the start and once at the end"
    assert said == ["away; 'mesoforge sync' writes it later."]


def test_a_study_in_which_all_fails_still_has_a_verdict(home: Home, here: None) -> None:
    def fail(*_: object) -> Json:
        return {"kind": "unstable", "stage": "slurry", "reason": "it blew up"}

    found = start(toys.plan(strategy="sobol"), home, fail)
    assert (found["measured"], len(found["failed"]), found["winner"]) == (0, 6, None)
    assert (found["phase"], found["pareto"], found["confirmations"]) == ("done", [], [])
    assert states(home, "toy") == {"FINISHED", "FAILED"}


def test_constraints_are_minded_from_the_study_file_to_the_view(home: Home, here: None) -> None:
    limited = toys.plan(objectives={"tortuosity_factor_z": "minimize"}, constraints={"porosity": {"at_most": 0.32}})
    found = start(limited, home)
    kept = {row["trial"] for row in found["pareto"]}
    assert found["aims"] == ["minimize tortuosity_factor_z", "porosity at most 0.32"]
    assert all(row["properties"]["porosity"] <= 0.32 for row in found["pareto"])
    assert found["best"][0]["properties"]["porosity"]["within"]
    runs = toys.runs(home.root, "toy")
    flags = {key: run.data.metrics.get("feasible") for key, run in runs.items() if key.startswith("trial")}
    porosities = {key: run.data.metrics["porosity"] for key, run in runs.items() if key.startswith("trial")}
    assert flags == {key: float(value <= 0.32) for key, value in porosities.items()}
    assert {key for key, run in runs.items() if run.data.metrics.get("pareto") == 1} == kept
    assert runs["campaign"].data.metrics["n_feasible"] == sum(flags.values())  # type: ignore[arg-type]
    assert "porosity at most 0.32" in runs["campaign"].data.tags["mlflow.note.content"]
    page = (home.study("toy") / "report.html").read_text(encoding="utf-8")
    assert "at most 0.32: kept" in page


def test_a_study_of_choices_is_driven_to_its_report(home: Home, here: None) -> None:
    variables = {**toys.STUDY["variables"], "particles.source": {"choices": ["synthetic", "fitted"]}}
    demand = "formulation.active_material + 0.001 * calendering.pressure <= 1.2"
    found = start(toys.plan(variables=variables, input_constraints=[demand]), home)
    assert {row["values"]["particles.source"] for row in found["pareto"]} <= {"synthetic", "fitted"}
    assert (home.study("toy") / "parallel_coordinates.png").exists()
    page = (home.study("toy") / "report.html").read_text(encoding="utf-8")
    assert "synthetic, fitted" in page
    assert "0.001 * calendering.pressure" in page
    run = toys.runs(home.root, "toy")["trial-0000"]
    assert run.data.params["particles.source"] in ("synthetic", "fitted")


def test_one_lonely_electrode_can_be_confirmed(home: Home, here: None) -> None:
    found = start(toys.plan(strategy="sobol", budget={"start": 1, "confirmations": 1}), home)
    (confirmation,) = found["confirmations"]
    assert confirmation["properties"]["porosity"]["nearest"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_study_of_an_older_physics_can_be_read_and_synced_but_not_continued(done: Done, home: Home) -> None:
    plan, journal = done.plan, copy_of_the_truth(done.home, home).journal("toy")
    journal.write_text(
        journal.read_text(encoding="utf-8").replace(str(plan.problem.context["physics"]), "older"), encoding="utf-8"
    )
    assert sync(home, "toy") == 7
    assert len(kept_campaign(kept_plan(home, "toy"), home).measured) == done.verdict["measured"]
    with pytest.raises(InputError, match=r"another problem: context\.physics was 'older' and is now 'packing "):
        start(plan, home)


# Electrodes made one by one


def make_single(home: Home, monkeypatch: pytest.MonkeyPatch, value: Json) -> tuple[Json, list[str]]:
    """Make one electrode whose worker hands back a given value."""
    monkeypatch.setattr(driving, "make_electrode", lambda *_: value)
    said: list[str] = []
    return driving.make(Recipe(), home, lambda _: None, said.append), said


def test_an_electrode_made_twice_is_one_run_and_a_sync_finds_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    value = toys.make(Recipe().model_dump(mode="json"), str(home.root))
    for _ in range(2):
        assert make_single(home, monkeypatch, value) == (value, [])
    ((key, run),) = seen(home, SINGLE).items()
    assert key == f"electrode-{value['electrode'][:12]}"
    assert run["metrics"]["porosity"] == value["properties"]["porosity"]
    assert (run["state"], run["tags"]["origin"]) == ("FINISHED", "user")
    assert sync(home, SINGLE) == 1
    assert seen(home, SINGLE)[key] == run


def test_an_electrode_that_failed_is_recorded_with_its_reason(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = Failed("unstable", "drying", "a bead's position is not a number")
    value = {"kind": failure.kind, "stage": failure.stage, "reason": failure.reason}
    make_single(home, monkeypatch, value)
    ((_, run),) = seen(home, SINGLE).items()
    assert (run["state"], run["tags"]["failure.reason"]) == ("FAILED", failure.reason)
