"""A headless Chromium, driven over its DevTools protocol by what is installed anyway."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
START_S, ANSWER_S = 40.0, 40.0


class Browser:
    """One tab: open pages in it, ask and click, and look at what its console said and what it fetched."""

    def __init__(self, address: str) -> None:
        from tornado.websocket import websocket_connect

        self._loop = asyncio.new_event_loop()
        self._socket: Any = self._wait_for(lambda: websocket_connect(address, max_message_size=2**27))
        self._sent = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: object) -> dict[str, Any]:
        """Give a command and return its result."""
        self._sent += 1
        text = json.dumps({"id": self._sent, "method": method, "params": params})
        self._wait_for(lambda: self._socket.write_message(text))
        while (message := self._hear()).get("id") != self._sent:
            self.events.append(message)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    def _hear(self) -> dict[str, Any]:
        text = self._wait_for(self._socket.read_message)
        assert text is not None, "the browser ended"
        message: dict[str, Any] = json.loads(text)
        return message

    def _wait_for(self, begin: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Return what comes of something that has to begin inside the loop."""

        async def answer() -> Any:  # noqa: ANN401
            return await asyncio.wait_for(begin(), ANSWER_S)

        return self._loop.run_until_complete(answer())

    def open(self, url: str, width: int, height: int = 900) -> None:
        """Open a page in a window of a size; a narrow one is a phone's."""
        self.events.clear()
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.send("Page.navigate", url=url)

    def ask(self, script: str) -> Any:  # noqa: ANN401
        """Return the value of an expression in the page."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)["result"]
        assert result.get("subtype") != "error", result
        return result.get("value")

    def wait(self, script: str, limit_s: float = 20.0) -> Any:  # noqa: ANN401
        """Return the value of an expression once it is true."""
        end = time.monotonic() + limit_s
        while not (value := self.ask(script)):
            assert time.monotonic() < end, f"{script} stayed {value!r}: {self.complaints()}"
            time.sleep(0.1)
        return value

    def press(self, key: str, code: int) -> None:
        """Press a key where the focus is."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def complaints(self) -> list[str]:
        """Return all errors and warnings that the page caused so far."""
        thrown = [
            event["params"]["exceptionDetails"] for event in self.events if event["method"] == "Runtime.exceptionThrown"
        ]
        logged = [event["params"]["entry"] for event in self.events if event["method"] == "Log.entryAdded"]
        called = [event["params"] for event in self.events if event["method"] == "Runtime.consoleAPICalled"]
        bad = [one for one in logged if one["level"] in ("error", "warning")]
        bad += [one for one in called if one["type"] in ("error", "warning", "assert")]
        return [json.dumps(one)[:600] for one in [*thrown, *bad]]

    def fetched(self) -> list[str]:
        """Return the addresses of all that the page asked for, except what it holds itself."""
        asked = [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in asked if not url.startswith(("data:", "blob:"))]

    def picture(self, path: Path) -> None:
        """Write a picture of the whole page."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """Let go of the tab."""
        self._socket.close()
        while self._wait_for(self._socket.read_message) is not None:
            pass
        self._loop.close()


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start a browser for a while; skip the test where there is none that starts."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is here to open a page with")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0"]
    command = [found, *options, f"--user-data-dir={folder}", "about:blank"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=os.environ | {"HOME": str(folder)}, **quiet) as process:  # type: ignore[call-overload]
        try:
            tab = Browser(_tab(folder / "DevToolsActivePort", process))
            try:
                yield tab
            finally:
                tab.close()
        finally:
            process.terminate()


def _tab(told: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the address of the first tab, as soon as the browser tells its port."""
    import urllib.request

    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        if told.is_file() and (lines := told.read_text().splitlines()):
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list", timeout=10) as reply:
                tabs = [one for one in json.load(reply) if one["type"] == "page"]
            if tabs:
                return str(tabs[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    pytest.skip("the browser that is here does not start")
