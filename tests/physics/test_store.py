"""The store: a stage is there whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mesoforge.errors import InputError
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.store import FORMAT, MARK, RESULT, Store, digest

INPUTS = {"stage": "toy", "size": 3}
NAME = digest(INPUTS)


def toy(folder: Path) -> dict[str, Any]:
    (folder / "sub").mkdir()
    (folder / "sub" / "data.txt").write_text("three", encoding="utf-8")
    return {"answer": 42.0}


def refuse(folder: Path) -> dict[str, Any]:
    raise AssertionError(f"made again in {folder}")


def test_what_was_made_is_found_and_not_made_again(tmp_path: Path) -> None:
    made = Store(tmp_path / "store").obtain("toy", INPUTS, toy)
    found = Store(tmp_path / "store").obtain("toy", INPUTS, refuse)
    assert (made.found, found.found) == (False, True)
    assert found.folder == made.folder
    assert found.result == made.result == {"answer": 42.0}
    assert (found.folder / "sub" / "data.txt").read_text(encoding="utf-8") == "three"


def test_other_inputs_are_another_stage(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first, second = (store.obtain("toy", INPUTS | {"size": size}, toy) for size in (3, 4))
    assert first.folder != second.folder
    assert json.loads((second.folder / RESULT).read_text(encoding="utf-8"))["inputs"]["size"] == 4


def test_a_digest_hears_every_value_and_no_order() -> None:
    assert digest({"a": 1, "b": 2.5}) == digest({"b": 2.5, "a": 1})
    assert len({digest({"a": value}) for value in (1, 2, 1.5, "1", None)}) == 5


def test_nothing_is_written_before_something_is_made(tmp_path: Path) -> None:
    assert Store(tmp_path / "store").get("toy", NAME) is None
    assert not (tmp_path / "store").exists()


def test_a_half_written_stage_is_no_stage(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    folder = store.folder("toy", NAME)
    folder.mkdir(parents=True)
    (folder / "data.txt").write_text("thr", encoding="utf-8")
    assert store.get("toy", NAME) is None
    (folder / RESULT).write_text('{"numbers": {"answer"', encoding="utf-8")
    assert store.get("toy", NAME) is None


@pytest.mark.parametrize("content", ["thr", None], ids=["shorter", "gone"])
def test_a_damaged_stage_is_made_again(tmp_path: Path, content: str | None) -> None:
    store = Store(tmp_path / "store")
    file = store.obtain("toy", INPUTS, toy).folder / "sub" / "data.txt"
    file.unlink() if content is None else file.write_text(content, encoding="utf-8")
    assert store.get("toy", NAME) is None
    assert not store.obtain("toy", INPUTS, toy).found
    assert file.read_text(encoding="utf-8") == "three"
    assert store.obtain("toy", INPUTS, refuse).found
    assert not list((store.root / "unfinished").iterdir())


def test_a_stage_that_failed_is_kept_apart_and_can_be_tried_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    def fail(folder: Path) -> dict[str, Any]:
        (folder / "log.txt").write_text("bang", encoding="utf-8")
        raise PhysicsError("unstable", "it went bang")

    for _ in range(2):
        with pytest.raises(PhysicsError, match="it went bang"):
            store.obtain("toy", INPUTS, fail)
    assert store.get("toy", NAME) is None
    assert (store.failed("toy", NAME) / "log.txt").read_text(encoding="utf-8") == "bang"
    assert not store.obtain("toy", INPUTS, toy).found


def test_an_interrupt_is_no_failure_and_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    def interrupt(folder: Path) -> dict[str, Any]:
        toy(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.obtain("toy", INPUTS, interrupt)
    assert not store.failed("toy", NAME).exists()
    assert not list((store.root / "unfinished").iterdir())


def test_where_files_cannot_be_locked_the_first_of_two_that_make_a_stage_wins_and_both_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    store = Store(tmp_path / "store")

    def slow(folder: Path) -> dict[str, Any]:
        Store(tmp_path / "store").obtain("toy", INPUTS, toy)
        return toy(folder)

    late = store.obtain("toy", INPUTS, slow)
    assert late.result == {"answer": 42.0}
    assert store.obtain("toy", INPUTS, refuse).folder == late.folder
    assert not list((store.root / "unfinished").iterdir())


RACER = """
import sys, time
from pathlib import Path
from mesoforge.physics.store import Store
def make(folder):
    with Path(sys.argv[1]).with_name("made.txt").open("a") as log:
        log.write("made\\n")
    for part in range(20):
        (folder / f"{part}.txt").write_text("x" * 1000)
        time.sleep(0.01)
    return {"answer": 42.0}
print(Store(Path(sys.argv[1])).obtain("toy", {"stage": "toy", "size": 3}, make).result["answer"])
"""


def start(root: Path, program: str = RACER) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE, text=True)


def test_of_processes_that_want_the_same_stage_at_once_one_makes_it_and_all_have_it(tmp_path: Path) -> None:
    racers = [start(tmp_path / "store") for _ in range(3)]
    assert [racer.communicate(timeout=60)[0].strip() for racer in racers] == ["42.0"] * 3
    stored = Store(tmp_path / "store").obtain("toy", INPUTS, refuse)
    assert (tmp_path / "made.txt").read_text(encoding="utf-8") == "made\n"
    assert len(list(stored.folder.glob("*.txt"))) == 20
    assert not list((tmp_path / "store" / "unfinished").iterdir())


def test_a_process_killed_at_work_leaves_no_stage(tmp_path: Path) -> None:
    worker = start(tmp_path / "store", RACER.replace("0.01", "30"))
    for _ in range(300):
        if list((tmp_path / "store").glob("unfinished/*/0.txt")):
            break
        time.sleep(0.05)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate(timeout=10)
    store = Store(tmp_path / "store")
    assert list((store.root / "unfinished").iterdir())
    assert store.get("toy", NAME) is None
    assert not store.obtain("toy", INPUTS, toy).found


MARKS = {"newer": json.dumps({"format": FORMAT + 1}), "broken": "{", "not_ours": "[]"}


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
def test_a_store_of_another_version_is_refused_and_left_alone(tmp_path: Path, mark: str) -> None:
    (tmp_path / MARK).write_text(mark, encoding="utf-8")
    with pytest.raises(InputError) as error:
        Store(tmp_path)
    newer = (
        f"the store '{tmp_path}' has format {FORMAT + 1} but this version reads up to format {FORMAT}: use another "
        "folder with --home, or a newer mesoforge."
    )
    broken = (
        f"'{tmp_path / MARK}' is no mark of a store (its format is unreadable): use another folder with --home, or "
        "restore it."
    )
    assert str(error.value) == (newer if "format" in mark else broken)
    assert [path.name for path in tmp_path.iterdir()] == [MARK]


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError) as error:
        Store(tmp_path)
    assert str(error.value) == f"'{tmp_path}' is not empty and no mesoforge store: give another folder with --home."
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_store_s_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is a file but a folder for the store was due: give another folder"):
        Store(path)
