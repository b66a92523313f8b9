"""A convergence study as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mesoforge.experiments.converge import Watch
from mesoforge.experiments.printing import number
from mesoforge.experiments.shifts import MOVES, OPEN, WITHIN, Tolerance

COLUMNS = 3
"""Properties in a table; more would not fit a terminal."""
COLOURS = {WITHIN: "green", MOVES: "red", OPEN: "yellow"}


@contextmanager
def electrodes(*, quiet: bool) -> Iterator[Watch]:
    """Show which electrode ended last and how many have."""
    console = Console(stderr=True, quiet=quiet)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("starting workers", total=None)

        def watch(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield watch


def shifts(found: Mapping[str, Any]) -> None:
    """Print the shifts, the verdicts, the cheapest setting that fits, and what failed."""
    console = Console()
    names = list(found["base"])
    for place in range(0, len(names), COLUMNS):
        console.print(_table(found, names[place : place + COLUMNS]))
    console.print(
        "[dim]Mean shift per seed and half its 95 % interval; [green]within tolerance[/green], [red]moves[/red], "
        "[yellow]not decided[/yellow]. Cost: bead-steps over the base's. Stress: the pressure at the lowest porosity "
        f"that all curves of both pass through (base alone: {number(found['porosity_of_the_stress'])}).[/dim]"
    )
    for name, verdict in found["verdicts"].items():
        console.print(f"[bold]{name}[/bold]: {verdict}", highlight=False)
    cheap = found["cheapest"]
    if cheap["share"] is not None:
        console.print(
            f"Cheapest within tolerance, one change at a time: [bold]{cheap['words']}[/bold] "
            f"({100 * cheap['share']:.0f} % of the base's bead-steps)",
            highlight=False,
        )
    for one in found["failed"]:
        where = f"[red]{one['words']}, seed {one['seed']} failed in {one['stage']}[/red] ({one['kind']})"
        console.print(f"{where}: {escape(one['reason'])}", highlight=False)
    console.print(f"Table, figure and verdict: {found['folder']}", highlight=False)


def _table(found: Mapping[str, Any], names: Sequence[str]) -> Table:
    table = Table("", title=f"Convergence over {len(found['seeds'])} seeds", box=box.SIMPLE)
    for name in ("cost", *names):
        table.add_column(name.replace("_", " "), justify="right")
    spread = [found["base"][name] for name in names]
    table.add_row("base", "1", *(f"{number(one['mean'])} (sd {_short(one['sd'])})" for one in spread))
    costs = found["bead_steps"]
    for variant in dict.fromkeys(row["variant"] for row in found["rows"]):
        rows = [row for row in found["rows"] if row["variant"] == variant and row["property"] in names]
        share = f"{costs[variant] / costs['base']:.2f}" if {variant, "base"} <= set(costs) else "-"
        table.add_row(rows[0]["words"], share, *map(_cell, rows))
    return table


def _cell(row: Mapping[str, Any]) -> str:
    if row["half_width"] is None:
        return "-"
    if row["mean"] == row["half_width"] == 0:
        return "[green]same[/]"
    tolerance = Tolerance(row["tolerance"], row["relative"])
    text = f"{tolerance.shown(row['mean'])} ± {tolerance.width(row['half_width'])}"
    return f"[{COLOURS[row['verdict']]}]{text}[/]"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"
