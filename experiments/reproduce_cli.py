"""``mesoforge reproduce``: the seed paper's electrodes again, on one page beside its own numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesoforge.errors import InputError
from mesoforge.experiments.options import Explained, Verbs, home_option, json_option, print_result

if TYPE_CHECKING:
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.paper import Scope

NAME, REHEARSAL = "reproduce-paper", "reproduce-paper-rehearsal"
"""Studies in MLflow."""


@click.group(cls=Verbs)
def reproduce() -> None:
    r"""Make a published study again and set its numbers beside ours.

    \b
    mesoforge reproduce paper
    """


@reproduce.command(cls=Explained)
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="Electrodes of each kind.")
@click.option("--workers", type=click.IntRange(1, 1024), default=2, show_default=True, help="Simulations at a time.")
@click.option("--ranks", type=click.IntRange(1, 256), default=1, show_default=True, help="MPI ranks of one.")
@click.option(
    "--voxel",
    type=click.FloatRange(0.1, 1.0),
    default=0.4,
    show_default=True,
    help="Edge of a voxel when measuring [um].",
)
@click.option(
    "--particles",
    type=click.Choice(["rigid", "bonded", "both"]),
    default="both",
    show_default=True,
    help="Bonded ones deform and crack.",
)
@click.option("--shapes", type=click.Path(path_type=Path), help="Library of real particles [default: generated ones].")
@click.option("--tomogram", type=click.Path(path_type=Path), help="Labelled image for figure 1's comparison.")
@click.option("--thickness-axis", type=click.IntRange(0, 2), default=0, show_default=True, help="Of the tomogram.")
@click.option(
    "--rehearse", is_flag=True, help="A third of the paper's width and one seed: tries the command out in minutes."
)
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder of the page.")
@home_option
@json_option
def paper(
    shapes: Path | None,
    tomogram: Path | None,
    output: Path | None,
    home: Path,
    *,
    rehearse: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - options of several types
) -> None:
    r"""Make Xu et al.'s electrodes at full size and write one page: its numbers, ours, and what ours rest on.

    Two formulations; dried porosity and compression imposed as in the paper, then both predicted from pressures; with
    rigid particles, then with some that crack. With three seeds 39 electrodes, under two hours on two cores. Ctrl-C
    stops; the same command goes on.

    \b
    mesoforge reproduce paper
    mesoforge reproduce paper --shapes nmc.h5 --tomogram tomogram.npz
    mesoforge reproduce paper --rehearse --home /tmp/rehearsal
    """
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.paper import Scope
    from mesoforge.physics.store import Store

    small = {"seeds": 1, "shrink": 1 / 3} if rehearse else {"seeds": given["seeds"]}
    scope = Scope(voxel=given["voxel"], ranks=given["ranks"], shapes=shapes, particles=given["particles"], **small)
    place = Home(home)
    Store(place.store)
    if tomogram is not None and not tomogram.exists():
        raise InputError(f"there is no tomogram '{tomogram}': give an image that 'mesoforge measure' reads.")
    own = place.root / "reproductions" / ("paper-rehearsal" if rehearse else "paper")
    value = _reproduced(scope, place, output or own, given, tomogram, quiet=as_json)
    print_result(value, _show, as_json=as_json)


def _reproduced(
    scope: Scope, home: Home, folder: Path, given: dict[str, Any], tomogram: Path | None, *, quiet: bool
) -> dict[str, Any]:
    """Make, measure, record, compare and write the page."""
    from mesoforge.experiments.pool import local_pool
    from mesoforge.experiments.reproducing import compare_with, record
    from mesoforge.experiments.reproducing import reproduce as make_all
    from mesoforge.experiments.reproduction_page import write
    from mesoforge.experiments.shift_table import electrodes

    with home.only_writer(folder, "this reproduction"):
        with electrodes(quiet=quiet) as watch, local_pool(given["workers"]) as pool:
            found = make_all(scope, home, pool, watch)
        record(found, scope, home, NAME if scope.shrink == 1 else REHEARSAL)
        picture = compare_with(tomogram, given["thickness_axis"], found, home, folder) if tomogram else None
        return write(found, scope, folder, picture)


def _show(value: dict[str, Any]) -> None:
    """Print the page's table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("what", "paper", "ours", "rests on", title="The paper beside ours", box=box.SIMPLE)
    for one in value["claims"]:
        table.add_row(one["what"], one["paper"], one["ours"], one["basis"])
    console.print(table)
    for row in value["failed"]:
        console.print(
            f"failed: {row['formulation']} %, {row['route']}, {row['level']:g}, seed {row['seed']}: {row['reason']}"
        )
    spent = value["cost"]
    console.print(
        f"{spent['core_hours']:.2f} core-hours; the published ones would take {spent['published_least']:,.0f} to "
        f"{spent['published_most']:,.0f}",
        highlight=False,
    )
    console.print(f"Wrote {value['page']} and {value['markdown']}", highlight=False, soft_wrap=True)
