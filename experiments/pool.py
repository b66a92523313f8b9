"""Where trials run: Dask worker processes, or for comparison this very process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

Task = Callable[[], dict[str, Any]]
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


class Pool(Protocol):
    """Runs a few tasks at a time and hands back each result as it comes."""

    slots: int

    def submit(self, number: int, work: Callable[..., dict[str, Any]], *arguments: object) -> None:
        """Start a task under a number; at most ``slots`` are under way."""
        ...

    def next(self) -> tuple[int, dict[str, Any]]:
        """Wait for a task to end and return its number and result; a dead worker's is an infrastructure failure."""
        ...


class HerePool:
    """The plain twin: runs each task in this process when its result is asked for."""

    slots = 1

    def __init__(self) -> None:
        """Start with nothing to do."""
        self._waiting: list[tuple[int, Task]] = []

    def submit(self, number: int, work: Callable[..., dict[str, Any]], *arguments: object) -> None:
        """Keep a task for later."""
        self._waiting.append((number, lambda: work(*arguments)))

    def next(self) -> tuple[int, dict[str, Any]]:
        """Run the oldest task."""
        number, task = self._waiting.pop(0)
        return number, task()


class DaskPool:
    """Tasks on a Dask cluster, one to a worker process; results are fetched as they come."""

    def __init__(self, client: Any, slots: int) -> None:  # noqa: ANN401 - dask has no types
        """Run on a connected client's workers."""
        from dask.distributed import as_completed

        self.slots = slots
        self._client, self._numbers = client, dict[str, int]()
        self._completed: Any = as_completed()  # type: ignore[no-untyped-call]

    def submit(self, number: int, work: Callable[..., dict[str, Any]], *arguments: object) -> None:
        """Start a task; its key is used once, so that no earlier outcome is mistaken for it."""
        key = f"trial-{number}-{time.monotonic_ns()}"
        future = self._client.submit(work, *arguments, key=key, pure=False, retries=0)
        self._numbers[key] = number
        self._completed.add(future)

    def next(self) -> tuple[int, dict[str, Any]]:
        """Wait for the next task to end."""
        future = next(self._completed)
        number = self._numbers.pop(future.key)
        if future.status == "finished":
            return number, dict(future.result())
        error = future.exception() if future.status == "error" else "it was cancelled"
        reason = f"the worker failed: {type(error).__name__}: {error}".replace("\n", " ")
        return number, {"kind": "infrastructure", "stage": "worker", "reason": reason[:500]}


@contextmanager
def local_pool(workers: int) -> Iterator[DaskPool]:
    """Start worker processes on this machine, one thread each, and stop them at the end with all that they run."""
    import dask
    from dask.distributed import Client

    # a task whose worker dies is not tried again by Dask: the runner decides that, and says so in the journal
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.memory.terminate": False,
        "distributed.nanny.environ": THREADS,
    }
    with dask.config.set(settings), _cluster(workers) as cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]
        yield DaskPool(client, workers)


def _cluster(workers: int) -> Any:  # noqa: ANN401 - dask has no types
    import logging

    from dask.distributed import LocalCluster

    return LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        silence_logs=logging.CRITICAL,  # here and in the workers: what matters comes back as a failure
        dashboard_address="127.0.0.1:0",  # any free port: two studies may run at once
    )
