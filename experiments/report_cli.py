"""``mesoforge report``: its arguments, and where the page goes."""

from __future__ import annotations

from pathlib import Path

import click

from mesoforge.experiments.options import Explained, home_option, json_option, print_result


@click.command(cls=Explained)
@click.argument("target", metavar="STUDY|CALIBRATION|ELECTRODE")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File [default: TARGET.html].")
@click.option("--open", "open_browser", is_flag=True, help="Open it in a browser.")
@home_option
@json_option
def report(target: str, output: Path | None, home: Path, *, open_browser: bool, as_json: bool) -> None:
    r"""Write a report as one HTML page that needs no network: question, answer, pictures, limits, how to reproduce.

    STUDY and CALIBRATION are names of what was run; ELECTRODE is that which 'mesoforge make' printed, or its first
    letters.

    \b
    mesoforge report quickstart
    mesoforge report slurry
    mesoforge report 3f9a2c -o electrode.html --open
    """
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.report_page import write_page
    from mesoforge.experiments.reporting import report_on

    path = write_page(report_on(target, Home(home)), output or Path(f"{target}.html"))
    size = path.stat().st_size / 1e6
    value = {"report": str(path), "megabytes": size}
    print_result(value, lambda _: click.echo(f"Wrote {path} ({size:.1f} MB)"), as_json=as_json)
    if open_browser:
        click.launch(str(path))
