"""Execute one LAMMPS script in a child process of its own: a crash, a hang or a kill is an ordinary failed run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from mesoforge.physics.failure import PhysicsError

SCRIPT, DONE, ERRORS, LOG = "in.lammps", "done", "stderr.txt", "log.lammps"
FOREIGN = ("PMI", "MPI_", "PMIX", "HYDRA", "HYDI")
CHILD = "mesoforge.physics.lammps.child"
PATIENCE = 5.0
"""How long mpiexec is given to end its ranks, which have sessions of their own, before it is killed [s]."""
LEAST_SIGNAL = 4
"""mpiexec ends with the number of the signal that ended a rank; the child itself ends with less than this."""
UNSTABLE = ("Non-numeric", "out of range", "Out of range", "neighbor bins", "atoms missing", "NaN", " nan")
"""What LAMMPS says of positions that have run away."""


@cache
def version(tool: str = "lammps") -> str:
    """Return the version of an installed tool, by default LAMMPS; part of the identity of what it made."""
    import importlib.metadata

    return importlib.metadata.version(tool)


def execute(script: str, folder: Path, time_limit: float, ranks: int = 1) -> None:
    """Run a script inside a folder that holds the files it reads.

    Args:
        script: the LAMMPS input; its last command must write the file ``done``.
        folder: working directory; keeps the script, the log and the output.
        time_limit: wall-clock seconds after which the simulation is killed.
        ranks: MPI processes that share the simulation.

    Raises:
        PhysicsError: ``timeout``, ``crashed``, ``lost_beads`` or ``unstable``, with a reason.
    """
    (folder / SCRIPT).write_text(script, encoding="utf-8")
    with (folder / ERRORS).open("wb") as errors:
        child = subprocess.Popen(
            [*_launcher(ranks), sys.executable, "-m", CHILD, SCRIPT, str(os.getpid())],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            status = child.wait(timeout=time_limit)
        except subprocess.TimeoutExpired:
            raise PhysicsError("timeout", f"the simulation ran longer than its limit of {time_limit:g} s") from None
        finally:
            _kill(child)
    _judge(-status if ranks > 1 and status >= LEAST_SIGNAL else status, folder)


def _launcher(ranks: int) -> list[str]:
    """Return what starts several processes as the ranks of one simulation; for one there is nothing to start."""
    return [] if ranks == 1 else [*_mpiexec(ranks), "-n", str(ranks)]


def _mpiexec(ranks: int) -> list[str]:
    """Return the mpiexec of the MPI that LAMMPS was linked against, or else the first on the path.

    Ours starts ranks on this machine, whatever batch system it finds around it.
    """
    ours, other = _installed_mpiexec(), shutil.which("mpiexec")
    if ours is None and other is None:
        raise PhysicsError(
            "crashed", f"numerics.ranks is {ranks} but there is no mpiexec: install mpich, or set numerics.ranks to 1"
        )
    return [ours, "-launcher", "fork", "-rmk", "user"] if ours else [str(other)]


def _installed_mpiexec() -> str | None:
    import importlib.metadata

    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [str(file.locate()) for file in files if file.name == "mpiexec"]
    return next((path for path in found if os.access(path, os.X_OK)), None)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {"OMP_NUM_THREADS": "1"}


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and all that it started, if anything of it is left."""
    child.terminate()
    end = time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _judge(status: int, folder: Path) -> None:
    message = _last_words(folder)
    lines = message.splitlines() or ["it left no message"]
    said = next((line for line in lines if "ERROR" in line), lines[-1])
    if status < 0:
        name = signal.Signals(-status).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        raise PhysicsError("crashed", f"LAMMPS was ended by signal {name}{hint}")
    if status != 0:
        raise PhysicsError(_kind(message), f"LAMMPS stopped: {said}")
    if not (folder / DONE).exists():
        raise PhysicsError("crashed", "LAMMPS ended before its script did")


def _last_words(folder: Path) -> str:
    """Return what was written to the error stream, or else the log's errors: an abort may overtake what was written."""
    said = (folder / ERRORS).read_text(encoding="utf-8", errors="replace").strip()
    if said or not (folder / LOG).exists():
        return said
    log = (folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(line for line in log if line.startswith("ERROR"))


def _kind(message: str) -> str:
    if "Lost atoms" in message:
        return "lost_beads"
    return "unstable" if any(word in message for word in UNSTABLE) else "crashed"
