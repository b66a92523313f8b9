"""Execute one LAMMPS script in a child process of its own: a crash, a hang or a kill is an ordinary failed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

from mesoforge.physics.failure import PhysicsError

SCRIPT, DONE, ERRORS, LOG = "in.lammps", "done", "stderr.txt", "log.lammps"
FOREIGN = ("PMI", "MPI_", "PMIX", "HYDRA", "HYDI")
UNSTABLE = ("Non-numeric", "out of range", "Out of range", "neighbor bins", "atoms missing", "NaN", " nan")
"""What LAMMPS says of positions that have run away."""


@cache
def version(tool: str = "lammps") -> str:
    """Return the version of an installed tool, by default LAMMPS; part of the identity of what it made."""
    import importlib.metadata

    return importlib.metadata.version(tool)


def execute(script: str, folder: Path, time_limit: float) -> None:
    """Run a script inside a folder that holds the files it reads.

    Args:
        script: the LAMMPS input; its last command must write the file ``done``.
        folder: working directory; keeps the script, the log and the output.
        time_limit: wall-clock seconds after which the simulation is killed.

    Raises:
        PhysicsError: ``timeout``, ``crashed``, ``lost_beads`` or ``unstable``, with a reason.
    """
    (folder / SCRIPT).write_text(script, encoding="utf-8")
    with (folder / ERRORS).open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "mesoforge.physics.lammps.child", SCRIPT, str(os.getpid())],
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
    _judge(status, folder)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {"OMP_NUM_THREADS": "1"}


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kill the child's whole process group, if anything of it is left."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _judge(status: int, folder: Path) -> None:
    message = (folder / ERRORS).read_text(encoding="utf-8", errors="replace").strip()
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


def _kind(message: str) -> str:
    if "Lost atoms" in message:
        return "lost_beads"
    return "unstable" if any(word in message for word in UNSTABLE) else "crashed"
