"""Workers elsewhere: those of a Dask scheduler that is there, or jobs of a batch system."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments import pool as pools
from mesoforge.experiments.batch import Jobs, batch_cluster
from mesoforge.experiments.pool import LOOK_S, SETTINGS, DaskPool, Steady
from mesoforge.experiments.unshared import Unshared, linked
from mesoforge.experiments.where import ADDRESS, BATCH, Where, chosen_where
from mesoforge.experiments.workers import marked, mismatch, report

CONNECT_S: Final = 20.0
"""How long a scheduler that is there may take to answer."""
ALONE_S: Final = 60.0
"""How long a scheduler may be without workers before somebody is told."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of workers elsewhere: so many runs at a time, of so many ranks each, in this home folder."""

    runs: int
    ranks: int
    root: Path
    complain: Say = lambda _: None


@contextmanager
def pool_at(where: Where, demand: Demand) -> Iterator[DaskPool]:
    """Open the pool that a study asks for, and close it with all that was started for it.

    Raises:
        InputError: there is no such scheduler or queue, or its workers may not take part; one sentence.
    """
    if where.kind != "local":
        marked(demand.root)
    if where.store:
        linked(where, demand.root)
    with _local(where, demand) if where.kind == "local" else _opened(where, demand) as pool:
        if where.scratch:
            pool.dress = lambda work: Unshared(work, where.store, where.scratch)
        yield pool


def _local(where: Where, demand: Demand) -> AbstractContextManager[DaskPool]:
    limit = {} if where.run_limit_s is None else {"limit_s": where.run_limit_s}
    return pools.local_pool(demand.runs, **limit)


def pool_said(said: str | None, demand: Demand) -> AbstractContextManager[DaskPool]:
    """Open the pool that --where names; without it workers on this machine.

    Raises:
        InputError: as `pool_at`.
    """
    return pool_at(Where.from_mapping(chosen_where(said)) if said else Where(), demand)


@contextmanager
def _opened(where: Where, demand: Demand) -> Iterator[DaskPool]:
    import dask
    import distributed  # noqa: F401 - its defaults must be there before they are changed

    place = where.store if where.scratch else str(demand.root)
    with dask.config.set(SETTINGS):
        if where.kind in BATCH:
            with batch_cluster(where, demand.runs, demand.ranks, demand.root) as cluster, _client(cluster) as client:
                crew = Checked(client, place, Jobs(cluster, where, demand.runs, demand.complain))
                yield _manned(DaskPool(client, demand.runs, crew, where.run_limit_s), crew, where)
        else:
            with _client(_address(where.address), where) as client:
                crew = Checked(client, place)
                crew.tend = Deserted(where, demand.complain).tend  # type: ignore[method-assign]
                yield _manned(DaskPool(client, demand.runs, crew, where.run_limit_s), crew, where)


def _client(where: Any, said: Where | None = None) -> Any:  # noqa: ANN401 - dask has no types
    from dask.distributed import Client

    try:
        return Client(**where if isinstance(where, dict) else {"address": where}, timeout=CONNECT_S)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        if said is None:
            raise
        raise InputError(
            f"no Dask scheduler answers at {said.address} ({type(error).__name__}): start one with 'dask scheduler', "
            "or correct where.address."
        ) from None


def _address(text: str) -> dict[str, str]:
    if ADDRESS.fullmatch(text):
        return {"address": text}
    if not Path(text).is_file():
        raise InputError(f"there is no scheduler file '{text}': start 'dask scheduler --scheduler-file {text}' first.")
    return {"scheduler_file": text}


class Checked(Steady):
    """A crew that lets those workers in that have the driver's versions and see what the driver sees."""

    def __init__(self, client: Any, place: str, jobs: Jobs | None = None) -> None:  # noqa: ANN401 - dask has no types
        """Ask workers by a client whether they see the home folder, or a store's URL; ``jobs`` keeps them up."""
        self._client, self._place, self._own = client, place, report(place)
        self.jobs = jobs
        if jobs is not None:
            self.tend = jobs.tend  # type: ignore[method-assign]

    def refusal(self, address: str) -> str:
        """Say why a worker may not take part, or nothing."""
        try:
            found = self._client.run(report, self._place, workers=[address])[address]
        except Exception as error:  # noqa: BLE001 - a worker without mesoforge raises whatever it likes
            return f"it has no mesoforge that answers ({type(error).__name__}: {error})"
        if odd := mismatch(self._own, found):
            return f"it has {odd}"
        if found["home"] != self._own["home"]:
            return f"it does not see the {'store' if '://' in self._place else 'home folder'} '{self._place}'"
        return ""


class Deserted(Steady):
    """Says so when all workers of a scheduler that somebody else keeps have been gone for a while: it is waited on."""

    def __init__(self, where: Where, complain: Say) -> None:
        """Begin with all present."""
        self._where, self._complain = where, complain
        self._since: float | None = None
        self._said = False

    def tend(self, present: Mapping[str, str], busy: frozenset[str], tasks: int) -> None:  # noqa: ARG002 - a crew's
        """Be told who is there."""
        now = time.monotonic()
        self._since = None if present else self._since or now
        if self._since is None:
            self._said = False
        elif not self._said and now - self._since > ALONE_S:
            self._said = True
            self._complain(
                f"all workers of {self._where.shown} are gone; the study waits for others{_start(self._where)}"
            )


def _manned(pool: DaskPool, crew: Checked, where: Where) -> DaskPool:
    """Wait until a worker may take part, and return the pool.

    Raises:
        InputError: none does in time, or all that came were refused.
    """
    end = time.monotonic() + where.patience_s
    while not pool.workers:
        if pool.refused:
            raise InputError(
                f"a worker of {where.shown} may not take part: {pool.refused[0]}: give driver and workers the same "
                "environment and a folder that both see."
            )
        if time.monotonic() > end:
            raise InputError(f"no worker of {where.shown} came within {where.patience_s:g} s{_advice(where, crew)}")
        pool.news(LOOK_S)
    return pool


def _advice(where: Where, crew: Checked) -> str:
    if crew.jobs is None:
        return _start(where)
    says = f"; the queue says {crew.jobs.state or 'nothing of its jobs'}"
    if where.interface:
        return f"{says}: look there and at the jobs' logs in the home folder's 'jobs', or raise where.patience_s."
    return (
        f"{says}, and this process listens on 127.0.0.1 alone: where jobs run on other machines give where.interface, "
        "the network between them (as in ib0), or raise where.patience_s if the queue is long."
    )


def _start(where: Where) -> str:
    return f": start some with 'dask worker {where.address} --nworkers 4 --nthreads 1'."
