"""The dashboard answers over MLflow's REST interface alone, as any script or colleague would ask it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments import dashboard
from mesoforge.experiments.dashboard import Dashboard, DashboardError, serve
from mesoforge.experiments.tracking import CampaignView, ElectrodeRun, Tracker, database
from mesoforge.optimize.trial import Estimate, Failed

STUDY = "dense-electrodes"


def fill(home: Path) -> None:
    """Record a campaign of three electrodes: one finished, one that won, one that failed."""
    tracker = Tracker(home, STUDY)
    tracker.campaign(CampaignView("campaign", "Which electrode is dense?", "running", 1_000.0, {"seed": 1}))
    estimate = {"porosity": Estimate(0.30, 0.02)}
    for number, porosity in ((0, 0.36), (1, 0.31)):
        tracker.record(
            ElectrodeRun(
                key=f"trial-{number:04d}",
                name=f"trial {number}",
                origin="bo",
                status="finished",
                started=1_001.0,
                ended=1_061.0,
                params={"calendering.pressure": 40 + 20 * number},
                metrics={"porosity": porosity},
                predictions=estimate,
            )
        )
    lost = Failed("lost particles", "calendering", "2 of 2300 beads left the volume.")
    tracker.record(ElectrodeRun("trial-0002", "trial 2", "bo", "failed", 1_001.0, 1_010.0, failure=lost))
    tracker.campaign_metrics(3, {"hypervolume": 0.7, "n_failed": 1})
    tracker.finish_campaign("finished", {"winner": "trial-0001"}, ended=1_100.0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("served home")
    fill(home)
    return home


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Dashboard]:
    """Serve on a port that is taken, so that the next free one must be found."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with serve(home, STUDY, port=taken.getsockname()[1]) as server:
            yield server
    with pytest.raises(ProcessLookupError):
        os.killpg(server.process.pid, 0)


def ask(server: Dashboard, method: str, question: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask MLflow's REST interface, by HTTP and JSON alone."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 (an http address of this machine)
        f"{server.server}/api/2.0/mlflow/{question}",
        data=data,
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
        answer: dict[str, Any] = json.load(reply)
    return answer


def search(server: Dashboard, question: str) -> list[dict[str, Any]]:
    """Return the study's runs that a filter lets pass, each with params, metrics and tags by name."""
    study = ask(server, "GET", f"experiments/get-by-name?experiment_name={STUDY}")["experiment"]["experiment_id"]
    found = ask(server, "POST", "runs/search", {"experiment_ids": [study], "filter": question}).get("runs", [])
    return [
        {"status": run["info"]["status"]}
        | {
            kind: {each["key"]: each["value"] for each in run["data"].get(kind, [])}
            for kind in ("params", "metrics", "tags")
        }
        for run in found
    ]


def test_the_rest_interface_tells_which_electrode_won(served: Dashboard) -> None:
    (campaign,) = search(served, "tags.`mesoforge.key` = 'campaign'")
    (winner,) = search(served, f"tags.`mesoforge.key` = '{campaign['tags']['winner']}'")
    assert campaign["status"] == "FINISHED"
    assert winner["params"]["calendering.pressure"] == "60"


def test_the_rest_interface_tells_prediction_against_physics(served: Dashboard) -> None:
    (run,) = search(served, "tags.`mesoforge.key` = 'trial-0000'")
    metrics = run["metrics"]
    assert (metrics["porosity"], metrics["pred/porosity_mean"], metrics["pred/porosity_std"]) == (0.36, 0.30, 0.02)
    assert metrics["pred/porosity_z"] == pytest.approx(3.0)


def test_the_rest_interface_tells_which_runs_failed_and_why(served: Dashboard) -> None:
    (failed,) = search(served, "attributes.status = 'FAILED'")
    assert failed["tags"]["mesoforge.key"] == "trial-0002"
    assert failed["tags"]["failure.stage"] == "calendering"
    assert failed["tags"]["failure.reason"] == "2 of 2300 beads left the volume."


def test_the_address_shows_the_runs_of_the_study(served: Dashboard) -> None:
    study = ask(served, "GET", f"experiments/get-by-name?experiment_name={STUDY}")["experiment"]["experiment_id"]
    assert (
        served.address
        == f"{served.server}/#/experiments/{study}/runs?workflowType=machine_learning&viewStateShareKey=mesoforge"
    )
    with urllib.request.urlopen(served.server, timeout=30) as page:  # noqa: S310
        assert b"<title>MLflow</title>" in page.read()


def test_a_tracker_may_write_to_a_server_instead(served: Dashboard, home: Path, tmp_path: Path) -> None:
    picture = tmp_path / "cross_section.png"
    picture.write_bytes(b"picture")
    run = ElectrodeRun("make-1", "make 1", "user", "finished", 1_001.0, 1_061.0, artifacts=(picture,))
    first, second = (Tracker(tmp_path / "elsewhere", "remote", served.server).record(run) for _ in range(2))
    answer = ask(served, "GET", f"runs/get?run_id={first}")
    assert (first, answer["run"]["info"]["status"]) == (second, "FINISHED")
    assert [file.read_bytes() for file in (home / "artifacts").rglob("cross_section.png")] == [b"picture"]
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "kill"])
def test_an_interrupt_ends_the_server_with_all_its_workers(home: Path, tmp_path: Path, sign: signal.Signals) -> None:
    (tmp_path / "health").touch()
    script = (
        "import sys, threading; from pathlib import Path; from mesoforge.experiments import dashboard\n"
        "toy = [sys.executable, '-m', 'http.server', '-d', sys.argv[2]]\n"
        "dashboard.server_command = lambda home, host, port: [*toy, '-b', host, str(port)]\n"
        "with dashboard.serve(Path(sys.argv[1])) as board:\n"
        "    threading.Timer(0.3, print, [board.process.pid], {'flush': True}).start()\n"
        "    board.wait()\n"
        "print('stopped')\n"
    )
    command = [sys.executable, "-c", script, str(home), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=toys.hear_ctrl_c) as child:
        assert child.stdout is not None
        number = int(child.stdout.readline())
        child.send_signal(sign)
        assert child.stdout.read() == "stopped\n"
    assert child.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(number, 0)


def test_a_home_without_records_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"no records at .* run 'mesoforge make' or 'mesoforge optimize' first"),
        serve(tmp_path),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_study_that_is_not_there_is_refused_with_those_that_are(home: Path) -> None:
    with (
        pytest.raises(InputError, match=r"study came as 'other', .* one of its studies \(dense-electrodes"),
        serve(home, "other"),
    ):
        pass


def test_a_host_of_another_machine_is_refused(home: Path) -> None:
    with (
        pytest.raises(InputError, match=r"host came as '192\.0\.2\.1', no address of this machine"),
        serve(home, host="192.0.2.1"),
    ):
        pass


def test_a_server_that_ends_at_once_is_an_error_with_its_last_words(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such table')"]
    monkeypatch.setattr(dashboard, "server_command", lambda *_: command)
    with pytest.raises(DashboardError, match=r"server ended at once: no such table"), serve(home):
        pass


def test_a_server_that_never_answers_is_stopped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(dashboard, "server_command", lambda *_: command)
    monkeypatch.setattr(dashboard, "_START_LIMIT_S", 0.5)
    with pytest.raises(DashboardError, match="did not answer in 0 s"), serve(home):
        pass


def test_the_database_is_not_touched_by_looking_for_a_study(home: Path) -> None:
    before = database(home).read_bytes()
    with pytest.raises(InputError), serve(home, "other"):
        pass
    assert database(home).read_bytes() == before
