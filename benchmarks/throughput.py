"""How busy a study keeps its workers, and how much a second worker brings; stand-in runs sleep.

python benchmarks/throughput.py --pair 20        # runs of 20 s on one worker and on two, recorded in MLflow
python benchmarks/throughput.py --many 30        # 640 runs of 30 s on 64 slots
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import psutil
import stand_in
from faults import VARIABLES

from mesoforge.experiments import pool as pools
from mesoforge.experiments import view
from mesoforge.experiments.drive import drive
from mesoforge.experiments.home import Home
from mesoforge.experiments.pool import DaskPool, Pool
from mesoforge.experiments.study import Plan, Study
from mesoforge.experiments.tracking import TrackingError

MB = 1e6


def plan(name: str, runs: int, workers: int) -> Plan:
    """Return a Sobol plan."""
    said = {"name": name, "variables": VARIABLES, "budget": {"start": runs}, "workers": workers, "strategy": "sobol"}
    return Plan(Study.from_mapping(said), "sample")


def measured(
    name: str, runs: int, workers: int, seconds: float, pool: Callable[[int], Any] | None = None
) -> dict[str, Any]:
    """Drive a plan of sleeping runs with its MLflow view; return how busy its slots were, and the driver's memory."""
    home = Home(Path(tempfile.mkdtemp(prefix="throughput-")))
    (home.root / "seconds.txt").write_text(str(seconds), encoding="utf-8")
    memory, over = list[float](), threading.Event()

    def look() -> None:
        while not over.wait(seconds / 4):
            memory.append(psutil.Process().memory_info().rss / MB)

    watcher = threading.Thread(target=look)
    watcher.start()
    kept = pools.local_pool
    if pool is not None:
        pools.local_pool = pool  # type: ignore[assignment]
    try:
        drive(plan(name, runs, workers), home, lambda _: lambda _: None, print, stand_in.sleep)
    finally:
        over.set()
        pools.local_pool = kept
    spans = [
        tuple(map(float, line.split()))
        for line in (home.root / "spans.txt").read_text(encoding="utf-8").split("\n")
        if line
    ]
    begin, end = min(one for one, _ in spans), max(one for _, one in spans)
    full = [(max(a, begin), min(b, tail(spans, workers))) for a, b in spans]
    window = tail(spans, workers) - begin
    quarter = max(1, len(memory) // 4)
    return {
        "runs": len(spans),
        "workers": workers,
        "seconds each": seconds,
        "wall s": round(end - begin, 1),
        "runs per hour": round(3600 * len(spans) / (end - begin), 1),
        "busy while there is work": round(sum(max(0.0, b - a) for a, b in full) / (workers * window), 4),
        "driver MB, first quarter": round(sum(memory[:quarter]) / quarter),
        "driver MB, last quarter": round(sum(memory[-quarter:]) / quarter),
        "driver MB, most": round(max(memory)),
    }


def tail(spans: list[tuple[float, ...]], workers: int) -> float:
    """Return when the last runs began: from then on there is no more work for the workers that become free."""
    starts = sorted(begin for begin, _ in spans)
    return starts[-1] if len(starts) > workers else max(end for _, end in spans)


def in_process(workers: int) -> AbstractContextManager[Pool]:
    """Open that many Dask workers inside this process: each has a slot, none needs memory of its own."""
    from dask.distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None)
    return nullcontext(DaskPool(Client(cluster), workers))


def _away(*_: object) -> None:
    raise TrackingError("left out")


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pair", type=float, help="seconds of a run, on one worker and on two")
    parser.add_argument("--many", type=float, help="seconds of a run, 640 of them on 64 slots")
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--without-mlflow", action="store_true", help="leave the view out")
    given = parser.parse_args()
    if given.without_mlflow:
        view.Tracker = _away  # type: ignore[assignment, misc]
    if given.pair:
        one, two = (measured(f"w{n}", given.runs, n, given.pair) for n in (1, 2))
        ratio = {"ratio": round(two["runs per hour"] / one["runs per hour"], 3)}
        print(json.dumps({"one": one, "two": two} | ratio, indent=1))
    if given.many:
        print(json.dumps(measured("many", 640, 64, given.many, in_process), indent=1))


if __name__ == "__main__":
    main()
