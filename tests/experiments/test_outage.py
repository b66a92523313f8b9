"""What is not the physics' fault: a tracking server that goes away, memory and disks that run out; secrets."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import toys

from mesoforge.experiments import pool as pools
from mesoforge.experiments import view
from mesoforge.experiments.cost import study_cost
from mesoforge.experiments.drive import drive, kept_campaign
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.tracking import Tracker, TrackingError, database, server_command, server_environment
from mesoforge.experiments.work import LEAST_FREE, blame
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.trial import Failed, Trial
from mesoforge.physics.failure import Failure

PATIENCE_S = 180.0
SAMPLE: dict[str, Any] = {"strategy": "sobol", "budget": {"start": 12}}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trials run in this process."""
    monkeypatch.setattr(pools, "local_pool", lambda _: nullcontext(HerePool()))


@dataclass
class Server:
    """A real MLflow server that can be killed and started again at the same address."""

    home: Path
    port: int = 0
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take a free port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = server_command(self.home, "127.0.0.1", self.port)
        self.running.append(
            subprocess.Popen(
                command,
                env=server_environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return
            time.sleep(0.1)
        raise TimeoutError(self.address)

    def kill(self) -> None:
        """Kill it with all its workers."""
        process = self.running.pop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of MLflow."""
    return toys.template(tmp_path_factory)


@pytest.fixture
def server(tmp_path: Path, template: Path) -> Iterator[Server]:
    """A server that runs."""
    made = Server(tmp_path / "server")
    made.home.mkdir()
    shutil.copy(template, made.home)
    made.start()
    yield made
    made.kill()


def test_a_server_that_goes_away_amid_a_study_misses_nothing_in_the_end(
    server: Server, tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(view, "PAUSE_S", 0.5)
    said, unseen = list[str](), list[int]()

    def outage(campaign: Campaign) -> Callable[[Trial], None]:
        def told(trial: Trial) -> None:
            if len(campaign.ended) == 3 and not trial.pending:
                server.kill()
            elif 3 < len(campaign.ended) < 8 and not trial.pending:
                unseen.append(trial.number)
            elif len(campaign.ended) == 8 and not trial.pending:
                server.start()

        return told

    plan, home = toys.plan("sample", **SAMPLE), Home(tmp_path / "home")
    found = drive(plan, home, outage, said.append, toys.make, server.address)
    assert (found["phase"], found["measured"]) == ("done", 12)
    assert set(unseen) >= {4, 5, 6}
    assert capsys.readouterr().out == "", "results alone are printed there"
    assert said
    assert all("'mesoforge sync' writes it later" in words for words in said)
    known = toys.runs(server.home, "toy")
    assert set(known) == {"campaign", *(f"trial-{number:04d}" for number in range(12))}
    assert {run.info.status for run in known.values()} == {"FINISHED"}
    campaign = kept_campaign(plan, home)
    for trial in campaign.measured:
        shown = known[f"trial-{trial.number:04d}"].data.metrics["porosity"]
        assert shown == toys.properties(plan.recipe(trial))["porosity"]


def test_mlflow_that_is_away_when_a_study_begins_is_told_all_of_it_when_it_is_back(
    tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch, template: Path
) -> None:
    shutil.copy(template, tmp_path)
    tries, seen = list[int](), list[set[str]]()

    def back_at_last(*arguments: Any) -> Tracker:  # noqa: ANN401 - a tracker's
        tries.append(len(tries))
        if len(tries) <= 3:
            raise TrackingError("away")
        return Tracker(*arguments)

    def look(campaign: Campaign) -> Callable[[Trial], None]:
        return lambda trial: seen.append(set(toys.runs(tmp_path, "toy")) if len(tries) > 3 else set())

    monkeypatch.setattr(view, "Tracker", back_at_last)
    monkeypatch.setattr(view, "PAUSE_S", 0.0)
    plan = toys.plan("sample", strategy="sobol", budget={"start": 3})
    assert drive(plan, Home(tmp_path), look, lambda _: None, toys.make)["measured"] == 3
    first = next(keys for keys in seen if keys)
    assert {"campaign", "trial-0000"} <= first, "what it missed is written first"
    assert {run.info.status for run in toys.runs(tmp_path, "toy").values()} == {"FINISHED"}


# Machines that fail


@pytest.mark.parametrize(
    ("failure", "free", "kind"),
    [
        (Failure("crashed", "slurry", "LAMMPS was ended by signal SIGKILL (out of memory?)"), 10**12, "infrastructure"),
        (Failure("crashed", "slurry", "LAMMPS was ended by signal SIGSEGV"), 10**12, "crashed"),
        (Failure("crashed", "slurry", "LAMMPS ended before its script did"), LEAST_FREE - 1, "infrastructure"),
        (Failure("lost_beads", "drying", "2 beads were lost"), 10**12, "lost_beads"),
        (Failure("not_converged", "slurry", "it never came to rest"), 0, "not_converged"),
    ],
)
def test_a_machine_that_fails_is_not_taken_for_physics(failure: Failure, free: int, kind: str) -> None:
    found = blame(failure, free)
    assert (found.kind, found.stage) == (kind, failure.stage)
    assert failure.reason in found.reason


def away(*_: object) -> None:
    """Let MLflow be away."""
    raise TrackingError("away")


def test_what_crashed_is_made_again_when_asked_and_what_is_physics_is_not(
    tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "Tracker", away)
    kinds, seen = ["crashed", "lost_beads", "timeout"], Counter[int]()

    def work(values: Any, root: str) -> dict[str, Any]:  # noqa: ANN401
        seen[values["seed"]] += 1
        if kinds:
            return {"kind": kinds.pop(0), "stage": "slurry", "reason": "it broke"}
        return toys.make(values, root)

    plan, home = toys.plan("sample", **SAMPLE), Home(tmp_path)
    first = drive(plan, home, lambda _: lambda _: None, lambda _: None, work)
    assert len(first["failed"]) == 3
    again = drive(plan, home, lambda _: lambda _: None, lambda _: None, work, retry=("crashed", "timeout"))
    assert (again["measured"], [one["kind"] for one in again["failed"]]) == (11, ["lost_beads"])
    assert sorted(seen.values()) == [1] * 10 + [2] * 2
    assert study_cost(plan, home)["done"] == 12
    campaign = kept_campaign(plan, home)
    assert [trial.number for trial in campaign.trials if isinstance(trial.outcome, Failed)] == [1]
    assert len(campaign.ended) == 12


# Secrets


SECRET = "hunter2-do-not-write-me-down"  # noqa: S105 - to be looked for


def test_secrets_of_the_environment_are_written_nowhere(
    tmp_path: Path, here: None, monkeypatch: pytest.MonkeyPatch, template: Path
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "MY_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    shutil.copy(template, tmp_path)
    drive(toys.plan("sample", **SAMPLE), Home(tmp_path), lambda _: lambda _: None, lambda _: None, toys.make_in_stages)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert database(tmp_path) in files
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_a_password_in_the_servers_address_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match="MLflow could not be written") as told:
        Tracker(tmp_path, "toy", f"http://me:{SECRET}@127.0.0.1:9")
    assert SECRET not in str(told.value)
