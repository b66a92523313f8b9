"""The runner and its pools: every trial ends, what broke without the physics' fault is tried again, nothing is left."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import toys

from mesoforge.experiments.pool import RETRIES, THREADS, DaskPool, HerePool, each, local_pool
from mesoforge.experiments.runner import Work, run
from mesoforge.experiments.study import Plan
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Failed, Measured, Trial

PLAN = toys.plan("sample", strategy="sobol", budget={"start": 4})
DISK = {"kind": "infrastructure", "stage": "store", "reason": "the disk is full"}
LOST = {"kind": "lost_beads", "stage": "slurry", "reason": "2 beads were lost"}
PATIENCE_S = 60.0


def campaign(folder: Path, plan: Plan = PLAN) -> Campaign:
    """Return the campaign whose journal lies in a folder."""
    return Campaign(plan.problem, Journal(folder / "journal.jsonl"), "sobol", learn=None)


def recorded(work: Work, calls: list[int]) -> Work:
    """Return work that also notes the seed of each electrode that it is asked for."""

    def noted(values: Mapping[str, Any], root: str) -> dict[str, Any]:
        calls.append(values["seed"])
        return work(values, root)

    return noted


def go(given: Campaign, folder: Path, work: Work, watch: Callable[[Trial], None] = lambda _: None) -> list[int]:
    """Run a campaign here; return the seeds in the order in which they were made."""
    calls: list[int] = []
    run(given, PLAN, folder, HerePool(), recorded(work, calls), watch)
    return calls


def failing(value: Mapping[str, Any], times: int, which: Callable[[int], bool] = lambda _: True) -> Work:
    """Return work that fails so many times for each chosen seed before it succeeds."""
    seen: Counter[int] = Counter()

    def work(values: Mapping[str, Any], root: str) -> dict[str, Any]:
        seen[values["seed"]] += 1
        return dict(value) if which(values["seed"]) and seen[values["seed"]] <= times else toys.make(values, root)

    return work


def test_every_trial_is_made_once_with_its_own_seed_and_ends(tmp_path: Path) -> None:
    given = campaign(tmp_path)
    seeds = go(given, tmp_path, toys.make)
    assert given.done
    assert seeds == [trial.seed for trial in given.trials]
    assert len(set(seeds)) == PLAN.problem.budget.start
    for trial in given.trials:
        assert isinstance(trial.outcome, Measured)
        assert trial.outcome.properties == toys.properties(PLAN.recipe(trial))


def test_who_watches_is_told_each_start_and_each_end_in_order(tmp_path: Path) -> None:
    told: list[tuple[int, bool]] = []
    go(campaign(tmp_path), tmp_path, toys.make, lambda trial: told.append((trial.number, trial.pending)))
    assert told == [(number, pending) for number in range(4) for pending in (True, False)]


def test_a_broken_disk_is_tried_again_until_it_works(tmp_path: Path) -> None:
    given = campaign(tmp_path)
    assert Counter(go(given, tmp_path, failing(DISK, RETRIES))) == {t.seed: RETRIES + 1 for t in given.trials}
    assert len(given.measured) == 4


def test_a_disk_that_stays_broken_fails_the_trial_and_not_the_study(tmp_path: Path) -> None:
    given, broken = campaign(tmp_path), PLAN.problem.trial_seed(1)
    calls = Counter(go(given, tmp_path, failing(DISK, 10**6, lambda seed: seed == broken)))
    assert calls[broken] == RETRIES + 1
    assert given.trials[1].outcome == Failed("infrastructure", "store", "the disk is full")
    assert (len(given.measured), given.done) == (3, True)


def test_a_failure_of_the_physics_is_not_tried_again_and_the_study_goes_on(tmp_path: Path) -> None:
    given, lost = campaign(tmp_path), PLAN.problem.trial_seed(2)
    assert len(go(given, tmp_path, failing(LOST, 10**6, lambda seed: seed == lost))) == 4
    assert given.trials[2].outcome == Failed("lost_beads", "slurry", "2 beads were lost")
    assert (len(given.measured), given.done) == (3, True)


def test_a_property_that_is_no_number_is_a_failure_of_the_measurement(tmp_path: Path) -> None:
    def work(values: Mapping[str, Any], root: str) -> dict[str, Any]:
        made = toys.make(values, root)
        return {**made, "properties": {**made["properties"], "tortuosity_factor_z": float("inf")}}

    given = campaign(tmp_path)
    go(given, tmp_path, work)
    assert {trial.outcome for trial in given.trials} == {
        Failed("not_finite", "measurement", "tortuosity_factor_z came out as inf")
    }


def test_what_a_dead_driver_left_pending_runs_first(tmp_path: Path) -> None:
    before = campaign(tmp_path)
    left = [before.ask(), before.ask()]
    seeds = go(campaign(tmp_path), tmp_path, toys.make)
    assert seeds[:2] == [trial.seed for trial in left if trial]
    assert len(seeds) == len(set(seeds)) == 4


def test_a_finished_campaign_runs_nothing(tmp_path: Path) -> None:
    go(campaign(tmp_path), tmp_path, toys.make)
    assert go(campaign(tmp_path), tmp_path, toys.make) == []


def test_no_more_trials_are_under_way_than_the_pool_has_slots(tmp_path: Path) -> None:
    class Wide(HerePool):
        slots = 3
        most = 0

        def submit(self, number: int, work: Work, *arguments: object) -> None:
            super().submit(number, work, *arguments)
            self.most = max(self.most, len(self._waiting))

    pool = Wide()
    run(campaign(tmp_path), PLAN, tmp_path, pool, toys.make, lambda _: None)
    assert pool.most == Wide.slots


@pytest.fixture(scope="module")
def pool() -> Iterator[DaskPool]:
    """Start two real workers; when they were stopped, none may be left."""
    with local_pool(2) as started:
        yield started
        for number in range(2):
            started.submit(number, toys.threads, {}, "")
        pids = [started.next()[1]["pid"] for _ in range(2)]
    end = time.monotonic() + PATIENCE_S
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_are_other_processes_with_one_thread_each(pool: DaskPool) -> None:
    pool.submit(7, toys.threads, {}, "")
    number, value = pool.next()
    assert number == 7
    assert value.items() >= THREADS.items()
    assert value["pid"] != os.getpid()


def test_results_come_back_under_their_numbers(pool: DaskPool, tmp_path: Path) -> None:
    recipes = {number: PLAN.recipe_at({"calendering.pressure": 20.0 * number}, number) for number in (1, 2)}
    for number, recipe in recipes.items():
        pool.submit(number, toys.make, recipe.model_dump(mode="json"), str(tmp_path))
    found = dict(pool.next() for _ in recipes)
    assert {n: value["properties"] for n, value in found.items()} == {n: toys.properties(r) for n, r in recipes.items()}


def test_a_worker_that_dies_is_an_infrastructure_failure_and_the_pool_goes_on(pool: DaskPool) -> None:
    pool.submit(1, toys.die, {}, "")
    number, value = pool.next()
    assert (number, value["kind"], value["stage"]) == (1, "infrastructure", "worker")
    assert value["reason"].startswith("the worker failed: KilledWorker")
    for again in (1, 2):
        pool.submit(again, toys.threads, {}, "")
    assert {pool.next()[0], pool.next()[0]} == {1, 2}


def test_a_mistake_in_the_work_is_an_infrastructure_failure_with_its_words(pool: DaskPool) -> None:
    pool.submit(3, toys.stumble, {}, "")
    assert pool.next() == (
        3,
        {"kind": "infrastructure", "stage": "worker", "reason": "the worker failed: ZeroDivisionError: a mistake"},
    )


def test_a_study_survives_a_worker_that_dies_once(pool: DaskPool, tmp_path: Path) -> None:
    given = campaign(tmp_path)
    run(given, PLAN, tmp_path, pool, toys.make_or_die_once, lambda _: None)
    assert (len(given.measured), given.done) == (4, True)
    assert (tmp_path / "died").exists()


def test_a_local_worker_whose_nanny_gave_up_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesoforge.experiments.pool.RENEW_S", 1.0)
    with local_pool(1) as pool:
        pool.submit(1, toys.give_up, {}, "")
        assert pool.next()[1]["kind"] == "infrastructure"
        pool.submit(2, toys.threads, {}, "")
        assert pool.next()[0] == 2


def test_a_list_of_tasks_comes_back_in_order_and_dead_workers_cost_nothing() -> None:
    tried: list[int] = []

    def work(number: int) -> dict[str, Any]:
        tried.append(number)
        lost = number == 1 and tried.count(1) < 3
        return {"kind": "infrastructure", "stage": "worker", "reason": "it died"} if lost else {"number": number}

    told: list[tuple[int, int]] = []
    found = each(HerePool(), work, [(number,) for number in range(3)], lambda *said: told.append(said))
    assert found == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert tried == [0, 1, 1, 1, 2]
    assert told == [(0, 1), (1, 2), (2, 3)]


def test_a_task_whose_worker_dies_each_time_is_given_back_as_it_is() -> None:
    dead = {"kind": "infrastructure", "stage": "worker", "reason": "it died"}
    assert each(HerePool(), lambda: dead, [()]) == [dead]
