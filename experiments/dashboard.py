"""The dashboard: a server in a child process that shows what the tracker wrote."""

from __future__ import annotations

import errno
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Final

from mesoforge.errors import InputError
from mesoforge.experiments.tracking import database, server_command, server_environment, study_ids, study_page

_START_LIMIT_S: Final = 90.0
_STOP_LIMIT_S: Final = 10.0
_NEIGHBOURS: Final = 20  # ports tried above the one asked for, before any free one is taken
_NOT_OURS: Final = errno.EADDRNOTAVAIL


class DashboardError(RuntimeError):
    """The server did not start; the message ends with its last words."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard that answers: ``address`` shows the study's runs in a browser, ``server`` is where its API begins."""

    address: str
    server: str
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Wait, in the main thread, until the server ends; a polite kill acts like Ctrl-C."""
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self.process.wait()
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def serve(
    home: Path, study: str | None = None, port: int = 5000, host: str = "127.0.0.1", *, open_browser: bool = False
) -> Iterator[Dashboard]:
    """Serve the records of ``home`` as long as the context lasts, which Ctrl-C ends.

    A port that is taken gives way to the next free one.

    Raises:
        InputError: nothing is recorded at that home, or not this study.
        DashboardError: the server ended at once or did not answer in time.
    """
    page = study_page(home, _study_id(home, study))
    port = free_port(host, port)
    with tempfile.TemporaryFile() as log:
        process = _start(server_command(home, host, port), log)
        try:
            _await(process, host, port, log)
            server = f"http://{reachable(host)}:{port}"
            if open_browser:
                webbrowser.open(f"{server}/{page}")
            with suppress(KeyboardInterrupt):
                yield Dashboard(f"{server}/{page}", server, process)
        finally:
            _stop(process)


def _study_id(home: Path, study: str | None) -> str | None:
    """Return the id under which the study is recorded; the only study there is, if none was named."""
    if not database(home).is_file():
        raise InputError(
            f"There are no records at {home} ({database(home).name} is missing): "
            "run 'mesoforge make' or 'mesoforge optimize' first, or name the folder that holds them."
        )
    known = study_ids(home)
    if study is None:
        return next(iter(known.values())) if len(known) == 1 else None
    if study not in known:
        names = ", ".join(sorted(known)) or "none yet"
        raise InputError(f"The study came as {study!r}, which {home} does not hold: name one of its studies ({names}).")
    return known[study]


def free_port(host: str, asked: int) -> int:
    """Return the first port that can be bound: the one asked for, its neighbours, then any."""
    for port in chain(range(asked, asked + _NEIGHBOURS + 1), [0]):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except PermissionError:
                continue
            except (OSError, OverflowError) as error:
                _check_host(host, error)
                continue
            return int(probe.getsockname()[1])
    raise InputError(f"No port can be opened at host {host!r}: give another host.")


def _check_host(host: str, error: Exception) -> None:
    """Tell a host that is not this machine's from a port that is taken."""
    if isinstance(error, socket.gaierror) or getattr(error, "errno", None) == _NOT_OURS:
        raise InputError(
            f"The host came as {host!r}, no address of this machine: give 127.0.0.1 or 0.0.0.0."
        ) from error


def _start(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the server in a process group of its own: Ctrl-C reaches us alone, and we stop all of it."""
    return subprocess.Popen(
        command,
        env=server_environment(),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _await(process: subprocess.Popen[bytes], host: str, port: int, log: IO[bytes]) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + _START_LIMIT_S
    while not _answers(reachable(host), port):
        if process.poll() is not None or time.monotonic() > end:
            state = "ended at once" if process.poll() is not None else f"did not answer in {_START_LIMIT_S:.0f} s"
            raise DashboardError(f"The dashboard's server {state}: {_last_words(log)}")
        time.sleep(0.1)


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def reachable(host: str) -> str:
    """Return an address for a host that means 'all of this machine's addresses'."""
    return "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 (compared, never bound)


def _last_words(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")[-600:].strip()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers: politely, then for certain."""
    for sign, patience in ((signal.SIGTERM, _STOP_LIMIT_S), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
