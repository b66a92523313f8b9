"""Where trials run: Dask worker processes, or for comparison this very process."""

from __future__ import annotations

import importlib.util
import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

Task = Callable[[], dict[str, Any]]
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
RETRIES: Final = 2
"""How often a task whose worker died is tried again."""
LOOK_S: Final = 0.5
"""How often a pool looks which workers are there."""
RENEW_S: Final = 120.0
"""How long a local worker may be away before another is started."""
FETCH_S: Final = 60.0
"""How long a result may take from its worker to here; it is a few numbers."""


class SchedulerLostError(Exception):
    """The scheduler cannot be reached any more: whoever drives a study must stop, and go on later."""


class Pool(Protocol):
    """Runs a few tasks at a time and hands back each result as it comes."""

    @property
    def slots(self) -> int:
        """How many tasks may be under way now, at least one; it follows the workers that come and go."""
        ...

    def submit(self, number: int, work: Callable[..., dict[str, Any]], *arguments: object) -> None:
        """Start a task under a number; at most ``slots`` are under way."""
        ...

    def next(self) -> tuple[int, dict[str, Any]]:
        """Wait for a task to end and return its number and result; a dead worker's is an infrastructure failure."""
        ...

    def news(self, patience_s: float) -> tuple[int, dict[str, Any]] | None:
        """Wait as `next` does, but no longer than this."""
        ...

    def want(self, tasks: int) -> None:
        """Say how many tasks could be used now; a pool that can give workers back may do so."""
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

    def news(self, patience_s: float) -> tuple[int, dict[str, Any]] | None:
        """Run the oldest task, if there is one and any time for it."""
        return self.next() if self._waiting and patience_s > 0 else None

    def want(self, tasks: int) -> None:
        """Have no workers to give back."""


def each(
    pool: Pool,
    work: Callable[..., dict[str, Any]],
    calls: Sequence[tuple[object, ...]],
    watch: Callable[[int, int], None] = lambda *_: None,
) -> list[dict[str, Any]]:
    """Run a task for the arguments of each call, and return the results in the order of the calls.

    A task whose worker died is tried again. ``watch`` is told the number of each that ended, and how many have.
    """
    found, waiting, running, tried = dict[int, dict[str, Any]](), list(range(len(calls))), set[int](), Counter[int]()
    while len(found) < len(calls):
        while waiting and len(running) < pool.slots:
            number = waiting.pop(0)
            pool.submit(number, work, *calls[number])
            running.add(number)
        number, value = pool.next()
        running.discard(number)
        if value.get("kind") == "infrastructure" and tried[number] < RETRIES:
            tried[number] += 1
            waiting.insert(0, number)
            continue
        found[number] = value
        watch(number, len(found))
    return [found[number] for number in range(len(calls))]


class Crew(Protocol):
    """Whoever starts a pool's workers, replaces those that were lost, and judges those that come."""

    def tend(self, present: Mapping[str, str], busy: frozenset[str], tasks: int) -> None:
        """Be told the workers that are there (name by address), which are busy, and how many could be used."""
        ...

    def refusal(self, address: str) -> str:
        """Say why a worker may not take part, or nothing."""
        ...


class Steady:
    """The crew of a machine of one's own: workers of the same installation, which their nannies keep up."""

    def tend(self, present: Mapping[str, str], busy: frozenset[str], tasks: int) -> None:
        """Leave it to the nannies."""

    def refusal(self, address: str) -> str:  # noqa: ARG002 - all are welcome
        """Refuse nobody."""
        return ""


class Nannies(Steady):
    """The crew of this machine's own workers: one whose nanny gave up on it is replaced.

    Nannies renew workers that die, but may give up, as where the machine is so busy that it takes them too long.
    """

    def __init__(self, cluster: Any) -> None:  # noqa: ANN401 - dask has no types
        """Look after a local cluster."""
        self._cluster, self._seen, self._most = cluster, dict[Any, float](), len(cluster.worker_spec)

    def tend(self, present: Mapping[str, str], busy: frozenset[str], tasks: int) -> None:  # noqa: ARG002 - all are needed
        """Strike workers that have been away for long from Dask's books, and start others."""
        now, here = time.monotonic(), set(present.values())
        self._seen |= {one: now for one in self._cluster.worker_spec if str(one) in here or one not in self._seen}
        for one in [one for one in self._cluster.worker_spec if now - self._seen[one] > RENEW_S]:
            self._cluster.worker_spec.pop(one)
            if (nanny := self._cluster.workers.pop(one, None)) is not None:
                self._cluster.loop.add_callback(nanny.close)
        if len(self._cluster.worker_spec) < self._most:
            self._cluster.scale(self._most)


@dataclass(frozen=True, slots=True)
class _Run:
    """A task under way."""

    number: int
    future: Any
    address: str
    since: float


class DaskPool:
    """Tasks on a Dask cluster, one to a worker process; results are fetched as they come.

    Each task is sent to one worker that has nothing else to do. So a worker that dies takes one task with it and no
    other, whatever the scheduler was told about failures.
    """

    def __init__(self, client: Any, most: int, crew: Crew | None = None, limit_s: float | None = None) -> None:  # noqa: ANN401
        """Run on a connected client's workers, at most so many at a time, each task for at most ``limit_s``."""
        self._client, self._most, self._crew, self._limit_s = client, most, crew or Steady(), limit_s
        self._waiting: list[tuple[int, Callable[..., dict[str, Any]], tuple[object, ...]]] = []
        self._running = dict[str, _Run]()
        self._missed = set[str]()
        self._workers, self._refused = dict[str, str](), dict[str, str]()
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._failed: list[tuple[int, dict[str, Any]]] = []
        self._looked, self._wanted = 0.0, most
        self.dress: Callable[[Callable[..., dict[str, Any]]], Callable[..., dict[str, Any]]] = lambda work: work
        """What work is wrapped in before it is sent."""
        self._look()

    @property
    def slots(self) -> int:
        """Workers that are there, but at least one and not more than were asked for."""
        return max(1, min(self._most, len(self._workers)))

    @property
    def dashboard(self) -> str:
        """Address of Dask's dashboard; empty where Bokeh, which draws it, is not installed."""
        return str(self._client.dashboard_link or "") if importlib.util.find_spec("bokeh") else ""

    @property
    def refused(self) -> tuple[str, ...]:
        """Why workers that are there may not take part."""
        return tuple(dict.fromkeys(self._refused.values()))

    @property
    def workers(self) -> int:
        """How many workers are there."""
        return len(self._workers)

    def submit(self, number: int, work: Callable[..., dict[str, Any]], *arguments: object) -> None:
        """Start a task, or keep it until a worker is there for it."""
        self._waiting.append((number, work, arguments))
        self._assign()

    def next(self) -> tuple[int, dict[str, Any]]:
        """Wait for the next task to end."""
        while (found := self.news(LOOK_S)) is None:
            pass
        return found

    def news(self, patience_s: float) -> tuple[int, dict[str, Any]] | None:
        """Wait for the next task to end, or until so much time has passed."""
        if time.monotonic() - self._looked > LOOK_S:
            self._look()
        self._assign()
        if self._failed:
            return self._failed.pop(0)
        with suppress(queue.Empty):
            future = self._done.get(block=patience_s > 0, timeout=min(patience_s, LOOK_S))
            if (run := self._running.pop(future.key, None)) is not None:
                return run.number, _value(future)
        return None

    def want(self, tasks: int) -> None:
        """Say how many tasks could be used now."""
        self._wanted = min(tasks, self._most)

    def _assign(self) -> None:
        """Give what waits to workers that have nothing to do, each under a key that no earlier outcome has."""
        busy = {run.address for run in self._running.values()}
        for address in [one for one in self._workers if one not in busy][: self._most - len(busy)]:
            if not self._waiting:
                return
            number, work, arguments = self._waiting.pop(0)
            key = f"trial-{number}-{time.monotonic_ns()}"
            future = self._client.submit(
                self.dress(work), *arguments, key=key, workers=[address], pure=False, retries=0
            )
            self._running[key] = _Run(number, future, address, time.monotonic())
            future.add_done_callback(self._done.put)

    def _look(self) -> None:
        """See which workers are there, and end what runs on none or for too long."""
        present = _present(self._client)
        self._looked = time.monotonic()
        self._admit(present)
        for key, run in list(self._running.items()):
            if run.address not in present:
                self._miss(key, run)
            elif self._limit_s is not None and time.monotonic() - run.since > self._limit_s:
                self._stop(key, run, self._limit_s)
        busy = frozenset(run.address for run in self._running.values())
        self._crew.tend(present, busy, max(self._wanted, len(self._running) + len(self._waiting)))

    def _admit(self, present: Mapping[str, str]) -> None:
        self._workers = {one: name for one, name in self._workers.items() if one in present}
        self._refused = {one: why for one, why in self._refused.items() if one in present}
        for address in present.keys() - self._workers.keys() - self._refused.keys():
            if why := self._crew.refusal(address):
                self._refused[address] = why
            else:
                self._workers[address] = present[address]

    def _miss(self, key: str, run: _Run) -> None:
        """Give up a task whose worker is gone, unless word of it is on its way: that is known at the second look."""
        if key not in self._missed:
            self._missed.add(key)
        elif not run.future.done():
            self._drop(key, run, _broken("the worker is gone: killed, cancelled or at the end of its time"))

    def _stop(self, key: str, run: _Run, limit_s: float) -> None:
        """Give up a task that takes too long, and have its worker begin anew."""
        reason = f"the simulation ran longer than where.run_limit_s, {limit_s:g} s"
        self._drop(key, run, {"kind": "timeout", "stage": "worker", "reason": reason})
        with suppress(Exception):  # one that has no nanny, or is gone by now
            self._client.restart_workers([run.address], timeout=LOOK_S, raise_for_error=False)
        self._workers.pop(run.address, None)

    def _drop(self, key: str, run: _Run, value: dict[str, Any]) -> None:
        del self._running[key]
        run.future.cancel()
        self._failed.append((run.number, value))


def _present(client: Any) -> dict[str, str]:  # noqa: ANN401 - dask has no types
    """Return the names of the workers that are there, by address."""
    try:
        found = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=FETCH_S)
    except (OSError, TimeoutError, AttributeError, RuntimeError) as error:
        raise SchedulerLostError(
            f"the Dask scheduler cannot be reached any more ({type(error).__name__}): start it again and run the same "
            "command; only what ran just now is made again."
        ) from None
    return {address: str(about["name"]) for address, about in found["workers"].items()}


def _value(future: Any) -> dict[str, Any]:  # noqa: ANN401 - dask has no types
    """Return what a task handed back, or why there is nothing."""
    if future.cancelled():
        return _broken("the scheduler gave the task up")
    try:
        return dict(future.result(timeout=FETCH_S))
    except Exception as error:  # noqa: BLE001 - whatever a worker raised
        return _broken(f"the worker failed: {type(error).__name__}: {error}")


def _broken(reason: str) -> dict[str, Any]:
    return {"kind": "infrastructure", "stage": "worker", "reason": reason.replace("\n", " ")[:500]}


SETTINGS: Final = {
    "distributed.scheduler.allowed-failures": 0,  # the runner decides what is tried again, and says so in the journal
    "distributed.worker.memory.terminate": False,
    "distributed.nanny.environ": THREADS,
    "distributed.deploy.lost-worker-timeout": "1h",  # else Dask ends nannies that take 15 s to renew a worker
}
"""How Dask is told to behave where we start its workers."""


@contextmanager
def local_pool(workers: int, limit_s: float | None = None) -> Iterator[DaskPool]:
    """Start worker processes on this machine, one thread each, and stop them at the end with all that they run."""
    import dask
    from dask.distributed import Client

    with dask.config.set(SETTINGS), _cluster(workers) as cluster, Client(cluster) as client:  # type: ignore[no-untyped-call]
        yield DaskPool(client, workers, Nannies(cluster), limit_s)


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
