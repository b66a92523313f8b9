"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from mesoforge.experiments.heap import give_back

PAGES = Path("/proc/self/statm")
MANY, SMALL = 40_000, 3_000


@pytest.mark.skipif(
    not (PAGES.exists() and hasattr(ctypes.CDLL(None), "malloc_trim")), reason="only glibc on Linux keeps it"
)
def test_memory_freed_between_small_pieces_that_live_goes_back() -> None:
    pieces = [bytearray(SMALL) for _ in range(MANY)]
    pieces = [piece for number, piece in enumerate(pieces) if number % 20 == 0]
    before = _resident()
    give_back()
    assert before - _resident() > MANY * SMALL / 2
    assert len(pieces) == MANY / 20


def _resident() -> int:
    return int(PAGES.read_text(encoding="ascii").split()[1]) * 4096
