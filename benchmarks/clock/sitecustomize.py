"""A wall clock that somebody sets: Python reads this first where the folder is on its path.

``FAULTS_CLOCK`` names a file with the seconds by which the clock is wrong.
"""

import os
import time

LOOK_S = 0.1
_true, _file = time.time, os.environ.get("FAULTS_CLOCK", "")
_known = {"at": float("-inf"), "off": 0.0}


def off() -> float:
    """Return by how much the clock is wrong now [s]."""
    if time.monotonic() - _known["at"] > LOOK_S:
        try:
            with open(_file, encoding="utf-8") as said:  # noqa: PTH123 - before any other import
                _known["off"] = float(said.read())
        except (OSError, ValueError):  # not set yet, or being set just now
            pass
        _known["at"] = time.monotonic()
    return _known["off"]


if _file:
    time.time = lambda: _true() + off()
    time.time_ns = lambda: round(time.time() * 1e9)
