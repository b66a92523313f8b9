"""The journal outlives its writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesoforge.errors import InputError
from mesoforge.optimize.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "studies" / "one" / "journal.jsonl")


def test_events_come_back_in_order_and_exactly(journal: Journal) -> None:
    journal.append({"event": "ask", "x": 0.1 + 0.2})
    journal.append({"event": "tell", "name": "Prüfling\n"})
    assert journal.events() == ({"event": "ask", "x": 0.1 + 0.2}, {"event": "tell", "name": "Prüfling\n"})


def test_a_journal_that_is_not_there_is_empty_and_stays_so(journal: Journal) -> None:
    assert journal.events() == ()
    assert not journal.path.parent.exists()


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_last_line_that_was_cut_short_is_dropped_and_written_over(journal: Journal, cut: int) -> None:
    for number in range(3):
        journal.append({"event": "tell", "number": number})
    journal.path.write_bytes(journal.path.read_bytes()[:-cut])
    assert [event["number"] for event in journal.events()] == [0, 1]
    journal.append({"event": "tell", "number": 3})
    assert [event["number"] for event in journal.events()] == [0, 1, 3]


@pytest.mark.parametrize("line", [b"\x00\x00\x00", b'{"event": "te', b"[1, 2]", b'{"number": 1}', b""])
def test_a_corrupt_line_is_refused_with_its_number(journal: Journal, line: bytes) -> None:
    journal.append({"event": "ask"})
    journal.path.write_bytes(journal.path.read_bytes() + line + b"\n")
    journal.append({"event": "ask"})
    with pytest.raises(InputError, match=r"line 2 of .*restore the file from a copy"):
        journal.events()
