"""Jobs of a batch system whose workers make electrodes; those that were cancelled or ran out of time are replaced."""

from __future__ import annotations

import math
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments.where import Where

GRACE_S: Final = 3.0
"""How long a job's workers may be away before the queue is asked whether the job is over."""
AWAY_S: Final = 120.0
"""How long they may be away at most: a worker that is renewed is away for a moment."""
ASK_S: Final = 5.0
"""How often the queue is asked about jobs whose workers have not come yet."""
IDLE_S: Final = 60.0
"""How long the workers of a job have nothing to do before an adaptive pool gives the job back."""
STILLBORN: Final = 3
"""So many jobs in a row that end before a worker comes say that none ever will."""
QUERIES: Final = {
    "slurm": ("squeue", "--noheader", "--format=%T (%r)", "--jobs"),
    "pbs": ("qstat",),
    "sge": ("qstat", "-j"),
    "lsf": ("bjobs", "-noheader", "-o", "stat"),
}
"""What asks each system about one job."""
UNKNOWN: Final = ("invalid job id", "unknown job", "job has finished", "do not exist", "is not found", "does not exist")
"""What the systems say of a job that is over."""
ROLES: Final = ("client", "scheduler", "worker")
OVER: Final = ("DONE", "EXIT", "ZOMBI")
"""States in which LSF still lists a job that is over."""


class JobsFailError(Exception):
    """The batch system ends every job before a worker comes of it."""


@contextmanager
def batch_cluster(where: Where, runs: int, ranks: int, root: Path) -> Iterator[Any]:
    """Start a Dask scheduler in this process that jobs of a batch system report to, and cancel them at the end."""
    logs = root / "jobs"
    logs.mkdir(parents=True, exist_ok=True)
    with _keys(logs) as security:
        settings = job_settings(where, runs, ranks, logs) | {"security": security}
        with _cluster_class(where.kind)(**settings) as cluster:
            yield cluster


def job_settings(where: Where, runs: int, ranks: int, logs: Path) -> dict[str, Any]:
    """Return what dask-jobqueue is told: one worker process a run, with a core for each rank."""
    from dask.utils import parse_bytes

    from mesoforge.experiments.pool import THREADS

    many = min(where.runs_per_job, runs)
    scheduler: dict[str, Any] = {"dashboard_address": "127.0.0.1:0"}
    scheduler |= {"interface": where.interface} if where.interface else {"host": "127.0.0.1"}
    account = {"pbs": "account", "slurm": "account", "sge": "project", "lsf": "project"}[where.kind]
    return {
        "queue": where.queue or None,
        account: where.account or None,
        "walltime": where.walltime.rsplit(":", 1)[0] if _seconds_odd(where) else where.walltime,
        "cores": many * ranks,
        "processes": many,
        "memory": f"{many * parse_bytes(where.memory)} B",
        "job_script_prologue": [*(f"export {name}={value}" for name, value in THREADS.items()), *where.prologue],
        "job_extra_directives": list(where.options),
        "interface": where.interface or None,
        "worker_extra_args": [] if where.interface else ["--host", "127.0.0.1"],
        "python": where.python or None,
        "scheduler_options": scheduler,
        "protocol": "tls://",  # else whoever reaches the port could have this account run anything
        "log_directory": str(logs),
        "job_name": "mesoforge",
        "death_timeout": 60,
        "silence_logs": "critical",
    }


@contextmanager
def _keys(logs: Path) -> Iterator[Any]:
    """Make a key and a certificate for this pool alone, in files that nobody else can read."""
    from distributed.security import Security

    made = Security.temporary()  # type: ignore[no-untyped-call]
    names = {"cert": f"{uuid.uuid4().hex}.cert", "key": f"{uuid.uuid4().hex}.key"}
    paths = {part: logs / name for part, name in names.items()}
    for part, path in paths.items():
        path.touch(mode=0o600)
        path.write_text(str(getattr(made, f"tls_worker_{part}")), encoding="utf-8")
    given = {f"tls_{role}_{part}": str(path) for role in ROLES for part, path in paths.items()}
    try:
        yield Security(require_encryption=True, tls_ca_file=str(paths["cert"]), **given)  # type: ignore[no-untyped-call]
    finally:
        for path in paths.values():
            path.unlink(missing_ok=True)


def _seconds_odd(where: Where) -> bool:
    """Whether the system takes hours and minutes alone."""
    return where.kind == "lsf" and where.walltime.count(":") == 2


def _cluster_class(kind: str) -> Any:  # noqa: ANN401 - dask has no types
    import dask_jobqueue

    return getattr(dask_jobqueue, f"{kind.upper()}Cluster")


class Jobs:
    """The jobs of a study: as many as it can use, each replaced when it is lost.

    Dask never replaces a job that was cancelled or hit its walltime, neither by ``scale`` nor by ``adapt``: it still
    counts it. Hence each is struck from Dask's books here, and another submitted.
    """

    def __init__(self, cluster: Any, where: Where, runs: int, complain: Callable[[str], None]) -> None:  # noqa: ANN401
        """Submit the first jobs.

        Raises:
            InputError: the batch system refuses them, or is not there.
        """
        self._cluster, self._where, self._complain = cluster, where, complain
        self._logs = Path(cluster._dummy_job.log_directory)
        self._most = math.ceil(runs / where.runs_per_job)
        self._seen, self._stillborn, self._asked = dict[str, float](), 0, time.monotonic()
        self._busy = dict[str, float]()
        if refused := self._submit(self._most):
            raise InputError(f"{where.kind} took no job: {refused}; correct the study's 'where'.")

    def tend(self, present: Mapping[str, str], busy: frozenset[str], tasks: int) -> None:
        """Strike jobs that are lost, give back what is not needed, and submit what is missing."""
        now = time.monotonic()
        for job in self._named(present.values()):
            self._seen[job], self._stillborn = now, 0
        working = self._named(present[one] for one in busy if one in present)
        self._busy |= dict.fromkeys(working, now) | {job: now for job in self._books if job not in self._busy}
        for job in self._lost(now):
            self._strike(job)
        self._settle(now, math.ceil(tasks / self._where.runs_per_job))

    @property
    def _books(self) -> list[str]:
        return [str(name) for name in self._cluster.worker_spec]

    def _named(self, workers: Any) -> set[str]:  # noqa: ANN401 - names
        """Return the jobs that workers belong to: a job of several workers numbers them."""
        names = set(workers)
        return {job for job in self._books if any(one == job or one.startswith(f"{job}-") for one in names)}

    def _lost(self, now: float) -> list[str]:
        gone = [job for job in self._books if job in self._seen and now - self._seen[job] > AWAY_S]
        if now - self._asked < ASK_S:
            return gone
        self._asked = now
        gone += [job for job in self._books if job not in gone and self._away(job, now) and self._over(job)]
        absent = [job for job in self._books if job not in self._seen and self._over(job)]
        self._stillborn += len(absent)
        if self._stillborn >= STILLBORN:
            raise JobsFailError(
                f"{self._stillborn} jobs in a row ended before a worker came of them: {self._last_words()}"
            )
        return gone + absent

    @property
    def state(self) -> str:
        """What the queue says of the first job."""
        number = self._number(self._books[0]) if self._books else None
        return queue_says(self._where.kind, number)[0] if number else ""

    def _away(self, job: str, now: float) -> bool:
        return job in self._seen and now - self._seen[job] > GRACE_S

    def _over(self, job: str) -> bool:
        number = self._number(job)
        return number is not None and is_over(self._where.kind, number)

    def _number(self, job: str) -> str | None:
        number = getattr(self._cluster.workers.get(self._key(job)), "job_id", None)
        return None if number is None else str(number)

    def _key(self, job: str) -> Any:  # noqa: ANN401 - Dask numbers or names them
        return next(name for name in self._cluster.worker_spec if str(name) == job)

    def _strike(self, job: str) -> None:
        """Strike a job from Dask's books, and cancel it in case it is only out of reach."""
        key = self._key(job)
        self._cluster.worker_spec.pop(key, None)
        left = self._cluster.workers.pop(key, None)
        self._seen.pop(job, None)
        self._busy.pop(job, None)
        if left is not None:
            with suppress(OSError, RuntimeError):
                self._cluster.sync(left.close)

    def _settle(self, now: float, needed: int) -> None:
        many = min(max(needed, 1), self._most) if self._where.adaptive else self._most
        idle = [job for job in self._books if now - self._busy.get(job, now) > IDLE_S]
        for job in idle[: max(0, len(self._books) - many)]:
            self._strike(job)
        missing = many - len(self._books)
        if missing > 0 and (refused := self._submit(missing)):
            self._complain(f"{self._where.kind} took no job in place of one that was lost ({refused}); trying again.")

    def _submit(self, many: int) -> str:
        """Submit jobs; return what the system said if it took none."""
        before = set(self._cluster.worker_spec)
        for _ in range(many):
            self._cluster.worker_spec.update(self._cluster.new_worker_spec())
        try:
            self._cluster.sync(self._cluster._correct_state)  # `scale` hides what the system answers
        except FileNotFoundError as error:
            said = f"there is no '{error.filename}' on this machine"
        except (RuntimeError, OSError, ValueError) as error:
            said = _answer(str(error))
        else:
            return ""
        for name in set(self._cluster.worker_spec) - before:
            self._cluster.worker_spec.pop(name)
            self._cluster._created.discard(self._cluster.workers.pop(name, None))  # else closing fails
        return said

    def _last_words(self) -> str:
        logs = sorted(self._logs.glob("*.err"), key=lambda path: path.stat().st_mtime)
        lines = logs[-1].read_text(encoding="utf-8", errors="replace").strip().splitlines() if logs else []
        return (
            f"'{lines[-1].strip()}' stands last in {logs[-1]}."
            if lines
            else f"see {logs[-1] if logs else 'the queue'}."
        )


def is_over(kind: str, number: str) -> bool:
    """Ask a batch system whether a job is over; one that does not answer is asked again later."""
    said, complaint = queue_says(kind, number)
    return any(word in complaint for word in UNKNOWN) or said in OVER or (kind == "slurm" and not said + complaint)


def queue_says(kind: str, number: str) -> tuple[str, str]:
    """Ask a batch system about a job; return what it says of its state, and what it complains of."""
    try:
        asked = subprocess.run([*QUERIES[kind], number], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", str(error)
    return asked.stdout.strip(), asked.stderr.strip().lower() if asked.returncode else ""


def _answer(text: str) -> str:
    """Return what a batch system said, out of what dask-jobqueue makes of it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() and "command exited" not in line.lower()]
    return (errors[0] if errors else lines[-1] if lines else "it did not say why").rstrip(".")
