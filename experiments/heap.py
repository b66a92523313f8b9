"""The memory of a process that runs for days."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Give memory that was freed back to the system, where the C library is one that keeps it (glibc).

    Fitting and validating free arrays of many megabytes, which glibc may keep for ever between small ones that live.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
