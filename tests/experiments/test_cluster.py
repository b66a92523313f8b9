"""Workers of a Dask scheduler that somebody else started: met as they are, refused with reasons, and lost at times."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import toys

from mesoforge import __version__
from mesoforge.errors import InputError
from mesoforge.experiments import workers
from mesoforge.experiments.cluster import Demand, Deserted, pool_at
from mesoforge.experiments.pool import SchedulerLostError
from mesoforge.experiments.runner import run
from mesoforge.experiments.where import Where
from mesoforge.experiments.workers import mismatch
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal

PATIENCE_S = 60.0
HERE = Path(__file__).parent


@dataclass
class Dask:
    """A scheduler with two workers, each a process of its own."""

    file: Path
    scheduler: subprocess.Popen[bytes]
    workers: subprocess.Popen[bytes]

    @property
    def where(self) -> Where:
        """How a study names it."""
        return Where(kind="scheduler", address=str(self.file), patience_s=PATIENCE_S)


def start(folder: Path) -> Dask:
    """Start a scheduler and workers as people do."""
    file = folder / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"}

    def dask(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file)]
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    scheduler = dask(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"
    )
    end = time.monotonic() + PATIENCE_S
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return Dask(file, scheduler, dask("worker", "--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder)))


def stop(dask: Dask) -> None:
    """End all of it."""
    for process in (dask.workers, dask.scheduler):
        process.send_signal(signal.SIGTERM)
    for process in (dask.workers, dask.scheduler):
        process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """Start one for all tests that leave it as it was."""
    made = start(tmp_path_factory.mktemp("dask"))
    yield made
    stop(made)


def demand(folder: Path, runs: int = 2) -> Demand:
    """Ask for workers in a home folder."""
    return Demand(runs, 1, folder)


def meet(where: Where, folder: Path) -> None:
    """Open a pool and close it."""
    with pool_at(where, demand(folder)):
        pass


def test_a_study_runs_on_workers_that_are_there(dask: Dask, tmp_path: Path) -> None:
    plan = toys.plan("sample", budget={"start": 6})
    campaign = Campaign(plan.problem, Journal(tmp_path / "journal.jsonl"), "sobol", learn=None)
    with pool_at(dask.where, demand(tmp_path)) as pool:
        run(campaign, plan, tmp_path, pool, toys.make, lambda _: None)
    assert len(campaign.measured) == 6
    assert len(set(toys.seeds_made(tmp_path))) == 6
    assert len({line.split()[1] for line in (tmp_path / "made.txt").read_text().splitlines()}) == 2


def test_a_worker_that_dies_takes_one_run_with_it_whatever_the_scheduler_allows(dask: Dask, tmp_path: Path) -> None:
    plan = toys.plan("sample", budget={"start": 6})
    campaign = Campaign(plan.problem, Journal(tmp_path / "journal.jsonl"), "sobol", learn=None)
    with pool_at(dask.where, demand(tmp_path)) as pool:
        run(campaign, plan, tmp_path, pool, toys.make_or_die_once, lambda _: None)
    assert len(campaign.measured) == 6
    assert len(toys.seeds_made(tmp_path)) == 6


def test_a_run_over_its_limit_fails_and_its_worker_begins_anew(dask: Dask, tmp_path: Path) -> None:
    where = dask.where.model_copy(update={"run_limit_s": 2.0})
    with pool_at(where, demand(tmp_path)) as pool:
        pool.submit(1, toys.hang, {}, str(tmp_path))
        number, value = pool.next()
        assert (number, value["kind"], value["stage"]) == (1, "timeout", "worker")
        assert value["reason"] == "the simulation ran longer than where.run_limit_s, 2 s"
        for again in (2, 3):
            pool.submit(again, toys.threads, {}, "")
        assert {pool.next()[0], pool.next()[0]} == {2, 3}


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "FOLDER/away.json"])
def test_a_scheduler_that_is_not_there_is_said_in_one_sentence(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesoforge.experiments.cluster.CONNECT_S", 1.0)
    where = Where(kind="scheduler", address=address.replace("FOLDER", str(tmp_path)))
    with pytest.raises(InputError, match=r"no Dask scheduler answers at|there is no scheduler file") as refused:
        meet(where, tmp_path)
    assert len(str(refused.value).splitlines()) == 1
    assert where.address in str(refused.value)


def test_workers_of_another_version_are_refused_with_both_versions(
    dask: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = __version__
    monkeypatch.setattr(workers, "__version__", "99.1")
    with (
        pytest.raises(InputError, match=rf"may not take part: it has mesoforge {there} in place of 99\.1: give driver"),
        pool_at(dask.where, demand(tmp_path)),
    ):
        pass


def test_workers_whose_physics_is_another_are_refused() -> None:
    ours, theirs = {"Python": "3.11", "stages": "slurry 4"}, {"Python": "3.11", "stages": "slurry 3"}
    assert mismatch(ours, theirs) == "stages slurry 3 in place of slurry 4"
    assert mismatch(ours, dict(ours)) == ""
    assert mismatch(ours, {}) == "Python absent in place of 3.11, stages absent in place of slurry 4"


def test_workers_that_see_another_folder_are_refused(
    dask: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MARK", "hidden.id")
    with pytest.raises(InputError, match="it does not see the home folder"), pool_at(dask.where, demand(tmp_path)):
        pass


def test_a_scheduler_without_workers_is_waited_for_and_then_said(tmp_path: Path) -> None:
    made = start(tmp_path)
    stop_workers(made)
    with pytest.raises(InputError, match=r"no worker of the Dask scheduler .* came within 1 s: start some with 'dask"):
        meet(made.where.model_copy(update={"patience_s": 1.0}), tmp_path)
    stop(made)


def stop_workers(made: Dask) -> None:
    """End the workers alone."""
    made.workers.send_signal(signal.SIGTERM)
    made.workers.wait(PATIENCE_S)


def test_a_study_that_all_workers_left_says_that_it_waits_once_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    said, clock = list[str](), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    crew = Deserted(Where(kind="scheduler", address="tcp://127.0.0.1:1"), said.append)
    there = {1: {"a": "0"}, 91: {"a": "0"}}
    for now, told in ((1, 0), (2, 0), (50, 0), (63, 1), (90, 1), (91, 1), (100, 1), (170, 2)):
        clock[0] = float(now)
        crew.tend(there.get(now, {}), frozenset(), 1)
        assert len(said) == told
    assert said[0].startswith("all workers of the Dask scheduler tcp://127.0.0.1:1 are gone; the study waits for")
    assert "start some with 'dask worker tcp://127.0.0.1:1" in said[0]


def test_a_scheduler_that_is_lost_stops_the_study_with_a_sentence_and_it_goes_on(dask: Dask, tmp_path: Path) -> None:
    plan, journal = toys.plan("sample", budget={"start": 6}), Journal(tmp_path / "journal.jsonl")
    campaign = Campaign(plan.problem, journal, "sobol", learn=None)
    made = start(tmp_path)

    def kill(_: object) -> None:
        if len(campaign.ended) == 2:
            made.scheduler.kill()

    words = "start it again and run the same command"
    with pool_at(made.where, demand(tmp_path)) as pool, pytest.raises(SchedulerLostError, match=words):
        run(campaign, plan, tmp_path, pool, toys.make_slowly, kill)
    stop(made)
    told = {trial.number for trial in campaign.ended}
    again = Campaign(plan.problem, journal, "sobol", learn=None)
    with pool_at(dask.where, demand(tmp_path)) as pool:
        run(again, plan, tmp_path, pool, toys.make, lambda _: None)
    assert len(again.measured) == 6
    assert {trial.number for trial in again.ended[: len(told)]} == told
