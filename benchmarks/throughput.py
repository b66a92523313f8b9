"""How busy a study keeps its workers, and how much a second worker brings; stand-in runs sleep.

python benchmarks/throughput.py --pair 20        # runs of 20 s on one worker and on two, recorded in MLflow
python benchmarks/throughput.py --many 60        # 640 runs of about 60 s on 64 slots, proposed as they go
python benchmarks/throughput.py --quality 160    # what proposals for 64 slots are worth beside one at a time
"""

from __future__ import annotations

import argparse
import heapq
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import stand_in
from faults import AIMS, VARIABLES

from mesoforge.experiments import pool as pools
from mesoforge.experiments import view
from mesoforge.experiments.drive import drive
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import DaskPool, Pool
from mesoforge.experiments.runner import Work
from mesoforge.experiments.study import Plan, Study
from mesoforge.experiments.tracking import TrackingError
from mesoforge.experiments.work import electrode_name
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.pareto import hypervolume
from mesoforge.optimize.trial import Measured
from mesoforge.physics.recipe import Recipe

MB = 1e6
WORST = (-0.3, -12.0)
"""Scores that hypervolume is counted from: porosity wrong by 0.3, tortuosity factor 12."""


SPREAD = 0.2
"""How much runs differ in length where many proposals are made: else all workers would ask at the same moment."""


def plan(name: str, runs: int, workers: int) -> Plan:
    """Return a Sobol plan; of many workers a study that they all ask for proposals."""
    said = {"name": name, "variables": VARIABLES, "workers": workers}
    if workers <= 2:
        return Plan(Study.from_mapping(said | {"budget": {"start": runs}, "strategy": "sobol"}), "sample")
    budget = {"start": workers, "proposed": runs - workers}
    return Plan(Study.from_mapping(said | {"budget": budget, "strategy": "thompson", "objectives": AIMS}), "optimize")


def measured(
    name: str, runs: int, workers: int, seconds: float, pool: Callable[[int], Any] | None = None
) -> dict[str, Any]:
    """Drive a plan of sleeping runs with its MLflow view; return how busy its slots were, and the driver's memory."""
    home = Home(Path(tempfile.mkdtemp(prefix="throughput-")))
    said = f"{seconds} {SPREAD if workers > 2 else 0}"
    (home.root / "seconds.txt").write_text(said, encoding="utf-8")
    kept = pools.local_pool
    virtual = ByProcessorTime(workers, seconds) if pool is ByProcessorTime else None
    memory, over = list[tuple[int, float]](), threading.Event()

    def look() -> None:
        while not over.wait(min(seconds / 4, 5.0)):
            known = len(spans_of(home) if virtual is None else virtual.spans)
            memory.append((known, psutil.Process().memory_info().rss / MB))

    watcher = threading.Thread(target=look)
    watcher.start()
    if pool is not None:
        pools.local_pool = pool if virtual is None else lambda _: nullcontext(virtual)  # type: ignore[assignment]
    try:
        found = drive(plan(name, runs, workers), home, lambda _: lambda _: None, print, stand_in.sleep)
    finally:
        over.set()
        pools.local_pool = kept
    spans = spans_of(home) if virtual is None else virtual.spans
    begin, end = min(one for one, _ in spans), max(one for _, one in spans)
    full = [(max(a, begin), min(b, tail(spans, workers))) for a, b in spans]
    window = tail(spans, workers) - begin
    return {
        "runs": len(spans),
        "workers": workers,
        "seconds each": seconds,
        "wall s": round(end - begin, 1),
        "runs per hour": round(3600 * len(spans) / (end - begin), 1),
        "busy while there is work": round(sum(max(0.0, b - a) for a, b in full) / (workers * window), 4),
        "processor s of the driver": round(time.process_time()),
        "hypervolume": found["hypervolume"],
        "driver MB, median per quarter of the runs": _by_quarter(memory, runs),
        "driver MB, most, the end's figures included": round(max(one for _, one in memory)),
    }


def _by_quarter(memory: list[tuple[int, float]], runs: int) -> list[int]:
    """Return the median memory [MB] while each quarter of the runs became known, the end's figures left out."""
    parts = [[one for known, one in memory if 4 * known // runs == quarter] for quarter in range(4)]
    return [round(statistics.median(part)) for part in parts if part]


def spans_of(home: Home) -> list[tuple[float, ...]]:
    """Return when each run began and ended, as the runs wrote it down."""
    written = home.root / "spans.txt"
    lines = written.read_text(encoding="utf-8").splitlines() if written.exists() else []
    return [tuple(map(float, line.split())) for line in lines if line]


def tail(spans: list[tuple[float, ...]], workers: int) -> float:
    """Return when the last runs began: from then on there is no more work for the workers that become free."""
    starts = sorted(begin for begin, _ in spans)
    return starts[-1] if len(starts) > workers else max(end for _, end in spans)


def in_process(workers: int) -> AbstractContextManager[Pool]:
    """Open that many Dask workers inside this process: each has a slot, none needs memory of its own."""
    from dask.distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=False, memory_limit=None, dashboard_address=None
    )
    return nullcontext(DaskPool(Client(cluster), workers))


def worth(runs: int, slots: int, strategy: str, seed: int) -> float:
    """Run a study on so many slots with a clock of its own, in which nothing waits; return its hypervolume."""
    said = {"name": "worth", "variables": VARIABLES, "objectives": AIMS, "strategy": strategy, "seed": seed}
    start = min(slots, runs // 2) if slots > 1 else 6
    asked = Plan(Study.from_mapping(said | {"budget": {"start": start, "proposed": runs - start}}), "optimize")
    chance, now, due = np.random.default_rng(seed), 0.0, list[tuple[float, int]]()
    campaign = Campaign(asked.problem, Journal(Path(tempfile.mkdtemp()) / "journal"), strategy)
    while True:
        while len(due) < slots and (trial := campaign.ask()):
            heapq.heappush(due, (now + chance.uniform(1 - SPREAD, 1 + SPREAD), trial.number))
        if not due:
            break
        now, number = heapq.heappop(due)
        campaign.tell(number, Measured(stand_in.properties(asked.recipe(campaign.trials[number]))))
    exact = [stand_in.properties(asked.recipe(trial), noise=0.0) for trial in campaign.measured]
    scores = asked.problem.objectives.scores(np.array([[one[name] for name in AIMS] for one in exact]))
    return hypervolume(scores, np.array(WORST))


class ByProcessorTime:
    """Slots whose runs wait for nothing, on a clock that counts this process's processor time and what runs take.

    So other work on the machine does not count: it shows what a core of its own would do. Dask is left out.
    """

    def __init__(self, slots: int, seconds: float) -> None:
        """Start with nothing under way."""
        self.slots, self._seconds, self._waited = slots, seconds, 0.0
        self._due: list[tuple[float, int, dict[str, Any]]] = []
        self.spans: list[tuple[float, ...]] = []

    @property
    def now(self) -> float:
        """The time on that clock [s]."""
        return time.process_time() + self._waited

    def submit(self, number: int, _: Work, values: Mapping[str, Any], root: str) -> None:  # noqa: ARG002 - a pool's
        """Start a run."""
        recipe, began = Recipe.from_mapping(values), self.now
        spread = SPREAD if self.slots > 2 else 0.0
        took = self._seconds * np.random.default_rng(recipe.seed).uniform(1 - spread, 1 + spread)
        self.spans.append((began, began + took))
        value = {"properties": stand_in.properties(recipe), "electrode": electrode_name(recipe), "wall_s": took}
        heapq.heappush(self._due, (began + took, number, value))

    def news(self, patience_s: float) -> tuple[int, dict[str, Any]] | None:
        """Return the run that ended first, after the wait for it."""
        if not self._due:
            return None
        left = max(0.0, self._due[0][0] - self.now)
        self._waited += min(left, patience_s)
        return None if left > patience_s else heapq.heappop(self._due)[1:]

    def next(self) -> tuple[int, dict[str, Any]]:
        """Wait for a run as long as it takes."""
        while (found := self.news(self._seconds)) is None:
            pass
        return found

    def want(self, tasks: int) -> None:
        """Have no slots to give back."""


def _away(*_: object) -> None:
    raise TrackingError("left out")


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pair", type=float, help="seconds of a run, on one worker and on two")
    parser.add_argument("--many", type=float, help="seconds of a run, 640 of them on 64 slots")
    parser.add_argument("--quality", type=int, help="runs of which the hypervolume is compared")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--processor-time", action="store_true", help="let no time pass but the driver's own, and runs")
    parser.add_argument("--without-mlflow", action="store_true", help="leave the view out")
    given = parser.parse_args()
    if given.without_mlflow:
        view.Tracker = _away  # type: ignore[assignment, misc]
    if given.pair:
        pool = ByProcessorTime if given.processor_time else None
        one, two = (measured(f"w{n}", given.runs, n, given.pair, pool) for n in (1, 2))
        ratio = {"ratio": round(two["runs per hour"] / one["runs per hour"], 3)}
        print(json.dumps({"one": one, "two": two} | ratio, indent=1))
    if given.quality:
        ways = {
            "64 slots": (64, "thompson"),
            "one at a time": (1, "thompson"),
            "one at a time, botorch": (1, "botorch"),
        }
        for seed in range(1, 4):
            each = {name: worth(given.quality, *way, seed) for name, way in ways.items()}
            print(json.dumps({"seed": seed} | {name: round(value, 4) for name, value in each.items()}), flush=True)
    if given.many:
        pool = ByProcessorTime if given.processor_time else in_process
        print(json.dumps(measured("many", 640, 64, given.many, pool), indent=1))


if __name__ == "__main__":
    main()
