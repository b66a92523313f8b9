"""The server behind ``mesoforge explore``: Dash's callbacks, and the address that they answer at."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mesoforge.errors import InputError
from mesoforge.experiments.dashboard import free_port, reachable
from mesoforge.experiments.explorer import PICTURES, Explorer
from mesoforge.experiments.home import Home
from mesoforge.experiments.making import Make, Maker, make_recorded

if TYPE_CHECKING:
    from dash import Dash
    from flask import Flask

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Page:
    """A page that answers."""

    address: str
    thread: threading.Thread

    def wait(self) -> None:
        """Wait, in the main thread, until Ctrl-C; a polite kill acts like it."""
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self.thread.join()
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def serve(
    home: Home, study: str, host: str = "127.0.0.1", port: int = 8050, make: Make = make_recorded
) -> Iterator[Page]:
    """Serve the page on a study as long as the context lasts, which Ctrl-C ends.

    A port that is taken gives way to the next free one. ``make`` is what 'make this one' does.

    Raises:
        InputError: Dash is not installed, nothing was learned from such a study, or the host is not this machine's.
    """
    _require_dash()
    explorer, port = Explorer.of(home, study), free_port(host, port)
    maker = Maker(home.root.resolve(), make)
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server(host, port, application(explorer, maker, host).server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with suppress(KeyboardInterrupt):
            yield Page(f"http://{reachable(host)}:{port}/", thread)
    finally:
        server.shutdown()
        server.server_close()
        maker.stop()


def application(explorer: Explorer, maker: Maker, host: str = "127.0.0.1") -> Dash:
    """Return the page with its callbacks; nothing is fetched from elsewhere."""
    from dash import Dash

    from mesoforge.experiments import explore_page

    app = Dash(
        "mesoforge", title=f"Explore {explorer.plan.study.name}", update_title="", index_string=explore_page.FRAME
    )
    app.layout = explore_page.layout(explorer)
    _answer_sliders(app, explorer)
    _answer_button(app, explorer, maker)
    _serve_pictures(app.server, explorer.home)
    _guard(app.server, host)
    return app


def _answer_sliders(app: Dash, explorer: Explorer) -> None:
    """Say what is foretold as a slider moves; draw slices and find neighbours as well."""
    from dash import ALL, Input, Output

    from mesoforge.experiments import explore_page as page

    moved = Input({"type": "slider", "place": ALL}, "value")

    @app.callback(Output({"type": "told", "place": ALL}, "children"), Output("foretold", "children"), moved)
    def foretell(places: list[float]) -> tuple[list[str], list[Any]]:
        values = page.values_at(explorer, places)
        try:
            said = page.foretold(explorer.foretell(values), explorer)
        except InputError as error:
            said = page.warning([str(error)])
        return page.told(values), said

    @app.callback(Output("slices", "children"), moved, Input("output", "value"))
    def cut(places: list[float], output: str) -> list[Any]:
        return page.slices(page.values_at(explorer, places), output, explorer)

    @app.callback(Output("nearest", "children"), moved, Input("clock", "disabled"))
    def nearest(places: list[float], _: object) -> list[Any]:
        return page.neighbours(explorer.nearest(page.values_at(explorer, places)), explorer)


def _answer_button(app: Dash, explorer: Explorer, maker: Maker) -> None:
    """Start the physics at a click, and say where it stands while the clock runs."""
    from dash import ALL, Input, Output, State, ctx

    from mesoforge.experiments import explore_page as page

    @app.callback(
        Output("progress", "children"),
        Output("make", "disabled"),
        Output("clock", "disabled"),
        Input("make", "n_clicks"),
        Input("clock", "n_intervals"),
        State({"type": "slider", "place": ALL}, "value"),
    )
    def make(_: int | None, __: int | None, places: list[float]) -> tuple[list[Any], bool, bool]:
        said = []
        if ctx.triggered_id == "make":
            try:
                maker.begin(explorer.recipe(page.values_at(explorer, places)))
            except InputError as error:
                said = page.warning([str(error)])
        now = maker.progress
        busy = now.state == "making"
        return [*said, *page.progress(now, explorer)], busy, not busy


def _serve_pictures(server: Flask, home: Home) -> None:
    from flask import abort, send_file

    @server.get("/picture/<name>")
    def picture(name: str) -> Any:  # noqa: ANN401 - a response of Flask
        paths = [home.portrait(name).resolve() / kind for kind in PICTURES] if name.isalnum() else []
        return next((send_file(path) for path in paths if path.is_file()), None) or abort(404)


def _guard(server: Flask, host: str) -> None:
    """Answer on loopback only to who asks for this machine by name: a foreign page must not start simulations."""
    from flask import abort, request

    @server.before_request
    def check() -> None:
        asked = request.host.rpartition(":")[0].strip("[]") or request.host
        if host in LOOPBACK and asked not in LOOPBACK:
            abort(403)


def _require_dash() -> None:
    try:
        import dash  # noqa: F401
    except ImportError:
        raise InputError(
            "the page needs Dash, which is not installed here: pip install 'mesoforge[explore]', then ask again."
        ) from None
