"""A place elsewhere for what stages leave: an object store, or whatever else fsspec reaches by a URL.

Folders go there whole, under keys. Beside a folder's files lies their list with checksums, written last: without it
nothing is there. So a folder may be sent twice, and one that was cut short is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from mesoforge.errors import InputError
from mesoforge.physics.checksums import checksum, checksums

LIST: Final = "files.json"
"""Name of the list of a folder's files."""


class RemoteError(OSError):
    """The place elsewhere cannot be reached, or refuses."""

    def __init__(self, said: str) -> None:
        super().__init__(0, said)

    def __str__(self) -> str:
        """Return what was said, without the number that errors of the system bear."""
        return str(self.strerror)


@dataclass(frozen=True, slots=True)
class Remote:
    """Folders by key below one URL, as in ``s3://bucket/path``; secrets come from the environment.

    Raises:
        InputError: the URL is none, holds a password, or its protocol is unknown or lacks its package.
    """

    url: str

    def __post_init__(self) -> None:
        scheme, _, path = self.url.partition("://")
        if not scheme.isidentifier() or not path.strip("/"):
            raise InputError(f"'{self.url}' is no place for a store: give a URL, as in s3://bucket/path.")
        if ":" in path.partition("/")[0].rpartition("@")[0]:
            raise InputError(
                f"the store's URL ({scheme}://...) holds a name or password, and would be written down: leave it out, "
                "secrets come from environment variables (as AWS_SECRET_ACCESS_KEY)."
            )
        self._check_protocol(scheme)

    def _check_protocol(self, scheme: str) -> None:
        from fsspec import get_filesystem_class

        try:
            get_filesystem_class(scheme)
        except ValueError:
            raise InputError(f"nothing is known that stores at {scheme}:// ({self.url}): correct the URL.") from None
        except ImportError as error:
            raise InputError(f"{self.url} needs a package that is not installed: {_line(error)}") from None

    def push(self, folder: Path, key: str) -> int:
        """Send a folder, unless it is there as it is here; return how many files went.

        Raises:
            RemoteError: it cannot be written.
        """
        due = checksums(folder)
        if self._list(key) == due:
            return 0
        with self._opened() as (system, top):
            for name in due:
                system.makedirs(f"{top}/{key}/{PurePosixPath(name).parent}".removesuffix("/."), exist_ok=True)
                system.put_file(str(folder / name), f"{top}/{key}/{name}")
            system.pipe_file(f"{top}/{key}/{LIST}", json.dumps(due, indent=1, sort_keys=True).encode())
        return len(due)

    def fetch(self, key: str, folder: Path) -> bool:
        """Bring a folder here; whether it is there, whole and as it was sent. One that is damaged is struck from it.

        Raises:
            RemoteError: it cannot be reached.
        """
        if not (due := self._list(key)):
            return False
        with self._opened() as (system, top):
            if all(_fetched(system, f"{top}/{key}/{name}", folder / name) == sha for name, sha in due.items()):
                return True
            system.rm_file(f"{top}/{key}/{LIST}")  # so that whoever makes it again sends it again
        return False

    def has(self, key: str) -> bool:
        """Whether a folder is there."""
        return bool(self._list(key))

    def write(self, name: str, text: str) -> None:
        """Write a small file.

        Raises:
            RemoteError: it cannot be written.
        """
        with self._opened() as (system, top):
            system.makedirs(top, exist_ok=True)
            system.pipe_file(f"{top}/{name}", text.encode())

    def read(self, name: str) -> str:
        """Return a small file's text; nothing if it is not there.

        Raises:
            RemoteError: it cannot be reached.
        """
        with self._opened() as (system, top):
            try:
                return bytes(system.cat_file(f"{top}/{name}")).decode()
            except (FileNotFoundError, UnicodeDecodeError):
                return ""

    def _list(self, key: str) -> dict[str, str]:
        try:
            found = json.loads(self.read(f"{key}/{LIST}") or "{}")
        except ValueError:  # half-written
            return {}
        sound = isinstance(found, dict) and all(_inside(name) for name in found)
        return found if sound else {}

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, str]]:
        """Open the file system; whatever it raises is one kind of error."""
        from fsspec.core import url_to_fs

        try:
            system, top = url_to_fs(self.url, use_listings_cache=False)
            yield system, str(top).rstrip("/")
        except RemoteError:
            raise
        except Exception as error:
            raise RemoteError(f"{self.url} cannot be used ({type(error).__name__}: {_line(error)})") from error


def _fetched(system: Any, source: str, target: Path) -> str:  # noqa: ANN401 - fsspec has no types
    """Bring a file and return its checksum; none if it is not there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        system.get_file(source, str(target))
    except FileNotFoundError:
        return ""
    return checksum(target)


def _inside(name: object) -> bool:
    """Whether a name stays in its folder."""
    path = PurePosixPath(str(name))
    return not path.is_absolute() and ".." not in path.parts and "\\" not in str(name)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
