"""Copies of stages elsewhere: folders go whole or not at all, and what comes back is as it was sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from mesoforge.errors import InputError
from mesoforge.physics.remote import LIST, Remote, RemoteError
from mesoforge.physics.store import LINK, Store, digest

INPUTS = {"stage": "toy", "size": 3}
NAME = digest(INPUTS)


@pytest.fixture(params=["file", "memory", "dir"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    """A place elsewhere: a folder, or the memory of this process, which like an object store has no folders."""
    fsspec.filesystem("memory").store.clear()
    urls = {
        "file": f"file://{tmp_path}/elsewhere",
        "memory": "memory://bucket/deep",
        "dir": f"local://{tmp_path}/there",
    }
    return Remote(urls[request.param])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files at two depths."""
    made = tmp_path / "folder"
    (made / "sub").mkdir(parents=True)
    (made / "beads.npz").write_bytes(bytes(range(256)))
    (made / "sub" / "log.txt").write_text("three", encoding="utf-8")
    return made


def toy(folder: Path) -> dict[str, Any]:
    """Make a stage."""
    (folder / "data.txt").write_text("three", encoding="utf-8")
    return {"answer": 42.0}


def refuse(folder: Path) -> dict[str, Any]:
    """Make nothing a second time."""
    raise AssertionError(f"made again in {folder}")


def spoil(remote: Remote, name: str, content: bytes) -> None:
    """Change a file that is elsewhere."""
    system, top = fsspec.core.url_to_fs(remote.url)
    system.pipe_file(f"{top}/{name}", content)


def test_a_folder_comes_back_as_it_was_sent_and_is_sent_once(remote: Remote, folder: Path, tmp_path: Path) -> None:
    assert not remote.has("a/b")
    assert remote.push(folder, "a/b") == 2
    assert remote.push(folder, "a/b") == 0
    assert remote.fetch("a/b", tmp_path / "back")
    assert (tmp_path / "back" / "beads.npz").read_bytes() == bytes(range(256))
    assert (tmp_path / "back" / "sub" / "log.txt").read_text(encoding="utf-8") == "three"
    assert not remote.fetch("a/c", tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "content"),
    [("beads.npz", b"cut"), ("sub/log.txt", b"thrEe"), (LIST, b'{"beads.npz": "12'), (LIST, b'{"../evil": "12"}')],
)
def test_what_was_damaged_elsewhere_does_not_come_back_and_is_sent_again(
    remote: Remote, folder: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    remote.push(folder, "a/b")
    spoil(remote, f"a/b/{name}", content)
    assert not remote.fetch("a/b", tmp_path / "back")
    assert remote.push(folder, "a/b") == 2
    assert remote.fetch("a/b", tmp_path / "again")
    assert not (tmp_path / "evil").exists()


def test_a_folder_whose_sending_was_cut_short_is_not_there(
    remote: Remote, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = type(fsspec.core.url_to_fs(remote.url)[0])

    def full(*_: object, **__: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(system, "pipe_file", full)
        with pytest.raises(RemoteError, match=rf"^{remote.url} cannot be used \(OSError: no room\)$"):
            remote.push(folder, "a/b")
    assert not remote.fetch("a/b", tmp_path / "back")
    assert remote.push(folder, "a/b") == 2


def test_a_stage_made_on_one_machine_is_found_on_another(remote: Remote, tmp_path: Path) -> None:
    one, other = Store(tmp_path / "one"), Store(tmp_path / "other")
    one.link(remote.url)
    other.link(remote.url)
    made = one.obtain("toy", INPUTS, toy)
    found = other.obtain("toy", INPUTS, refuse)
    assert (found.found, found.result) == (True, made.result)
    assert (found.folder / "data.txt").read_text(encoding="utf-8") == "three"
    assert Store(tmp_path / "other").remote == remote, "it is remembered"
    assert not list((other.root / "unfinished").iterdir())


def test_a_stage_that_was_damaged_elsewhere_is_made_again_and_sent_again(remote: Remote, tmp_path: Path) -> None:
    stores = [Store(tmp_path / name) for name in ("one", "other", "third")]
    for store in stores:
        store.link(remote.url)
    stores[0].obtain("toy", INPUTS, toy)
    spoil(remote, f"store/toy/{NAME}/data.txt", b"thr")
    assert not stores[1].obtain("toy", INPUTS, toy).found
    assert stores[2].obtain("toy", INPUTS, refuse).found


def test_what_was_made_before_a_store_was_linked_is_sent_when_it_is_next_needed(remote: Remote, tmp_path: Path) -> None:
    store = Store(tmp_path / "one")
    store.obtain("toy", INPUTS, toy)
    store.link(remote.url)
    store.obtain("toy", INPUTS, refuse)
    assert remote.has(f"store/toy/{NAME}")


BAD: list[tuple[str, str]] = [
    ("/data/store", r"'/data/store' is no place for a store: give a URL, as in s3://bucket/path\.$"),
    ("s3://", r"'s3://' is no place for a store"),
    ("nowhere://bucket", r"nothing is known that stores at nowhere:// \(nowhere://bucket\): correct the URL\.$"),
    ("gs://bucket/x", r"gs://bucket/x needs a package that is not installed: .*gcsfs"),
    (
        "s3://me:hunter2@bucket/x",
        r"^the store's URL \(s3://\.\.\.\) holds a name or password, and would be written down",
    ),
]


@pytest.mark.parametrize(("url", "words"), BAD)
def test_a_bad_url_is_refused_in_a_sentence(url: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        Remote(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"url": "nowhere://x"})])
def test_a_store_whose_link_is_broken_says_so(tmp_path: Path, content: str) -> None:
    Store(tmp_path / "one").link("memory://x")
    (tmp_path / "one" / LINK).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"remote.json' says where copies of stages are and cannot be used"):
        Store(tmp_path / "one")


@pytest.mark.parametrize("use", [lambda one: one.read("x"), lambda one: one.write("x", "y"), lambda one: one.has("x")])
def test_a_place_that_refuses_is_an_error_of_one_kind(
    use: Callable[[Remote], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    class OddError(Exception):
        pass

    def fail(*_: object, **__: object) -> None:
        raise OddError("access\ndenied")

    for name in ("cat_file", "pipe_file"):
        monkeypatch.setattr(fsspec.get_filesystem_class("memory"), name, fail)
    with pytest.raises(RemoteError) as refused:
        use(Remote("memory://bucket"))
    assert str(refused.value) == "memory://bucket cannot be used (OddError: access denied)"
    assert isinstance(refused.value, OSError), "workers take it for the machine's failure, and try again"
