"""What several commands have in common: options, and how a result is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class Explained(click.Command):
    r"""A command whose help, raw like all docstrings with a backslash, still keeps the lines after \b."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help with the mark that click knows."""
        if self.help is not None:
            self.help = self.help.replace(r"\b", "\b")
        super().format_help_text(ctx, formatter)


class Verbs(Explained, click.Group):
    """A group of such commands, with examples of its own."""

    command_class = Explained


def home_option(command: Command) -> Command:
    """Add --home."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("mlruns"),
        show_default=True,
        envvar="MESOFORGE_HOME",
        help="Folder of the records: store, studies, MLflow.",
    )(command)


def json_option(command: Command) -> Command:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def tracking_option(command: Command) -> Command:
    """Add --tracking-uri."""
    return click.option("--tracking-uri", help="http:// address of an MLflow server, in place of the home's database.")(
        command
    )


def where_option(command: Command) -> Command:
    """Add --where."""
    words = "local, slurm, pbs, sge, lsf, a scheduler's address or file, or a YAML file of settings."
    return click.option("--where", envvar="MESOFORGE_WHERE", help=words)(command)


def print_result(value: dict[str, Any], show: Callable[[dict[str, Any]], object], *, as_json: bool) -> None:
    """Print a result as JSON, or as a person reads it."""
    if as_json:
        click.echo(json.dumps(value, indent=1))
    else:
        show(value)
