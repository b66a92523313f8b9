"""``mesoforge explore``: its arguments, and the page it serves until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import click

from mesoforge.experiments.options import Explained, home_option


@click.command(cls=Explained)
@click.argument("study")
@click.option("--port", type=click.IntRange(1, 65535), default=8050, show_default=True, help="Port; the next free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on; by default this machine's.")
@click.option("--open", "open_browser", is_flag=True, help="Open a browser.")
@home_option
def explore(study: str, port: int, host: str, home: Path, *, open_browser: bool) -> None:
    r"""Explore a study on a local page: move a recipe's sliders, and see what the surrogate foretells.

    Shows the interval that holds 95 % of new electrodes, warns outside what was learned, shows the nearest electrodes
    that were simulated, and makes the one at the sliders with physics, as 'mesoforge make' does. Needs Dash: install
    with pip install 'mesoforge[explore]'.

    \b
    mesoforge explore quickstart --open
    """
    from mesoforge.experiments.exploring import serve
    from mesoforge.experiments.home import Home

    with serve(Home(home), study, host, port) as page:
        click.echo(f"The page is at {page.address} (Ctrl-C ends it)")
        if open_browser:
            click.launch(page.address)
        page.wait()
