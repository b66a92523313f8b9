"""A real Slurm: studies over its jobs, jobs that are cancelled, queues that do not exist, the same results anywhere."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import slurm as slurms
import test_cluster
import toys
from slurm import QUEUE, Slurm, slurm

from mesoforge.errors import InputError
from mesoforge.experiments.batch import JobsFailError
from mesoforge.experiments.cluster import Demand, pool_at
from mesoforge.experiments.drive import drive
from mesoforge.experiments.home import Home
from mesoforge.experiments.keeping import verify_store
from mesoforge.experiments.pool import HerePool, Pool
from mesoforge.experiments.runner import Work, run
from mesoforge.experiments.study import Plan
from mesoforge.experiments.unshared import fetched
from mesoforge.experiments.where import Where
from mesoforge.experiments.work import make_electrode
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Measured, Trial

pytestmark = pytest.mark.skipif(bool(slurms.missing()), reason=slurms.missing() or "Slurm is here")
PATIENCE_S = 120.0
PLACE: dict[str, Any] = {"kind": "slurm", "queue": QUEUE, "walltime": "00:30:00", "memory": "1 GB", "patience_s": 90}
VOLUME = {"volume": {"side": 10, "mass_loading": 2.5}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Start a Slurm whose jobs can import the toys."""
    with slurm(tmp_path_factory.mktemp("slurm"), 4) as made, pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}")
        yield made


@pytest.fixture
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of MLflow."""
    return toys.template(tmp_path_factory)


def demand(folder: Path, complain: Callable[[str], None] = lambda _: None) -> Demand:
    """Ask for two runs at a time in a home folder."""
    return Demand(2, 1, folder, complain)


def meet(where: Where, folder: Path) -> None:
    """Open a pool and close it."""
    with pool_at(where, demand(folder)):
        pass


def campaign(folder: Path, plan: Plan) -> Campaign:
    """Return the campaign whose journal lies in a folder."""
    return Campaign(plan.problem, Journal(folder / "journal.jsonl"), plan.study.strategy)


def record(given: Campaign) -> dict[int, Any]:
    """Return all that a campaign found, without times."""
    assert given.done
    found = {}
    for trial in given.trials:
        assert isinstance(trial.outcome, Measured)
        found[trial.number] = (trial.values, trial.seed, trial.prediction, trial.outcome.properties)
    return found


def test_a_study_whose_job_is_cancelled_makes_all_its_runs(cluster: Slurm, tmp_path: Path, template: Path) -> None:
    shutil.copy(template, tmp_path)
    plan, cancelled = toys.plan("sample", budget={"start": 24}, where=PLACE, strategy="sobol"), list[str]()

    def cancel(given: Campaign) -> Callable[[Trial], None]:
        def told(_: Trial) -> None:
            if len(given.ended) == 3 and not cancelled:
                cancelled.append(cluster.jobs()[0])
                cluster.ask("scancel", cancelled[0])

        return told

    found = drive(plan, Home(tmp_path), cancel, lambda _: None, toys.make_slowly)
    assert (found["phase"], found["measured"], found["failed"], found["pending"]) == ("done", 24, [], [])
    assert len(cancelled) == 1
    seeds = toys.seeds_made(tmp_path)
    assert set(seeds) == {plan.problem.trial_seed(number) for number in range(24)}
    assert len(seeds) <= 25, "the job may have gone between making an electrode and telling it; no other is made twice"
    assert len({path.stem.split("-")[-1] for path in (tmp_path / "jobs").glob("mesoforge-*.err")}) == 3
    known = toys.runs(tmp_path, "toy")
    assert {run.info.status for run in known.values()} == {"FINISHED"}
    assert cluster.jobs() == []


def test_a_queue_that_does_not_exist_is_said_in_one_sentence(cluster: Slurm, tmp_path: Path) -> None:
    where = Where(**{**PLACE, "queue": "nowhere"})
    words = r"^slurm took no job: sbatch: error: invalid partition specified: nowhere; correct the study's 'where'\.$"
    with pytest.raises(InputError, match=words):
        meet(where, tmp_path)


def test_a_job_that_waits_for_ever_is_said_with_the_queues_own_reason(cluster: Slurm, tmp_path: Path) -> None:
    where = Where(**{**PLACE, "walltime": "9-00:00:00", "patience_s": 2})
    with pytest.raises(InputError, match=r"within 2 s; the queue says PENDING \(PartitionTimeLimit\)"):
        meet(where, tmp_path)


def test_jobs_that_all_end_at_once_stop_the_study_with_their_last_words(
    cluster: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesoforge.experiments.batch.ASK_S", 0.5)
    where = Where(**PLACE, prologue=("echo the module python is unknown >&2", "exit 3"))
    with pytest.raises(JobsFailError, match=r"jobs in a row ended before a worker came of them: 'the module python is"):
        meet(where, tmp_path)


def test_a_system_that_is_not_there_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("qsub"):
        pytest.skip("there is a PBS here")
    with pytest.raises(InputError, match=r"^pbs took no job: there is no 'qsub' on this machine; correct the study's"):
        meet(Where(kind="pbs"), tmp_path)


def test_jobs_that_have_nothing_to_do_are_given_back_and_asked_for_again(
    cluster: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesoforge.experiments.batch.IDLE_S", 1.0)
    with pool_at(Where(**PLACE, adaptive=True), demand(tmp_path)) as pool:
        _until(pool, lambda: pool.slots == 2)
        pool.want(1)
        _until(pool, lambda: pool.slots == 1 and len(cluster.jobs()) == 1)
        pool.want(2)
        _until(pool, lambda: pool.slots == 2 and len(cluster.jobs()) == 2)


def _until(pool: Pool, true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        pool.news(0.2)


@pytest.fixture(scope="module")
def places(cluster: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Where]]:
    """The three kinds of places."""
    dask = test_cluster.start(tmp_path_factory.mktemp("dask"))
    yield {"local": Where(), "scheduler": dask.where, "slurm": Where(**PLACE)}
    test_cluster.stop(dask)


def anywhere(plan: Plan, work: Work, places: dict[str, Where], folder: Path) -> dict[str, dict[int, Any]]:
    """Run a plan in each place, each with a home of its own; return the records."""
    found = {}
    for name, where in places.items():
        home = folder / name
        home.mkdir()
        given = campaign(home, plan)
        with pool_at(where, demand(home)) as pool:
            run(given, plan, home, pool, work, lambda _: None)
        found[name] = record(given)
    return found


def test_a_synchronous_optimization_is_the_same_everywhere(places: dict[str, Where], tmp_path: Path) -> None:
    plan = toys.plan(synchronous=True, budget={"start": 4, "proposed": 4, "confirmations": 1})
    found = anywhere(plan, toys.make, places, tmp_path)
    assert found["local"] == found["scheduler"] == found["slurm"]
    here = campaign(tmp_path / "here", plan)
    run(here, plan, tmp_path, HerePool(), toys.make, lambda _: None)
    assert record(here) == found["local"]


def test_jobs_that_do_not_share_the_home_hand_over_by_a_store_elsewhere(
    cluster: Slurm, tmp_path: Path, template: Path
) -> None:
    places = {"store": f"file://{tmp_path}/elsewhere", "scratch": f"{tmp_path}/node"}
    points = [{"calendering.pressure": 10 * n, "formulation.active_material": 0.94 + 0.005 * n} for n in (1, 2)]
    said = {"design": "list", "points": points, "budget": {}, "strategy": "sobol", "seeds": "shared"}
    plan = toys.plan("sample", **said, where=PLACE | places)
    home = Home(tmp_path / "home")
    home.root.mkdir()
    shutil.copy(template, home.root)
    found = drive(plan, home, lambda _: lambda _: None, lambda _: None, toys.make_with_pictures)
    assert (found["measured"], found["failed"]) == (2, [])
    made = toys.stages_made(tmp_path / "node").total()
    assert not (home.root / "stages.txt").exists()
    assert fetched(home, "toy")["stages"] == made
    assert verify_store(home, remove=False) == {"stages": made, "damaged": [], "removed": False}


@pytest.mark.slow
def test_a_plan_with_real_physics_gives_the_same_electrodes_everywhere(
    places: dict[str, Where], tmp_path: Path
) -> None:
    plan = toys.plan("sample", budget={"start": 2}, recipe=VOLUME)
    found = anywhere(plan, make_electrode, places, tmp_path)
    assert len(found["local"]) == 2
    assert found["local"] == found["scheduler"] == found["slurm"]
    stores = [sorted(path.name for path in (tmp_path / name / "store").glob("*/*")) for name in places]
    assert stores[0] == stores[1] == stores[2]
