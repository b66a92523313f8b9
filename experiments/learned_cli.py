"""``mesoforge predict`` and ``mesoforge sensitivity``: their arguments and how their results are printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mesoforge.experiments.options import Explained, home_option, json_option, print_result


@click.command(cls=Explained)
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--study", required=True, help="Study to learn from.")
@home_option
@json_option
def predict(recipe: Path, study: str, home: Path, *, as_json: bool) -> None:
    r"""Foretell the properties of a recipe from what a study learned, without simulating it.

    The interval holds 95 % of new electrodes, seed to seed. Says where the recipe lies outside what was learned.

    \b
    mesoforge predict mine.yaml --study quickstart
    """
    from mesoforge.experiments import learned
    from mesoforge.experiments.home import Home
    from mesoforge.physics.recipe import load_recipe

    print_result(learned.predict(load_recipe(recipe), Home(home), study), show_prediction, as_json=as_json)


def show_prediction(value: dict[str, Any]) -> None:
    """Print what is foretold of a recipe."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from mesoforge.experiments.printing import number

    console = Console()
    table = Table("property", "mean", "sd", "95 % of new electrodes", "R2, leave one out", box=box.SIMPLE)
    for name, one in value["properties"].items():
        between = f"{number(one['low'])} to {number(one['high'])}"
        table.add_row(name, number(one["mean"]), f"{one['sd']:.2g}", between, number(one["loo_r2"]))
    console.print(table)
    for note in value["notes"]:
        console.print(f"[bold]Note[/bold]: {note}", highlight=False, soft_wrap=True)
    console.print(f"Learned from {value['measured']} electrodes of {value['study']}.", highlight=False)


@click.command(cls=Explained)
@click.argument("study")
@home_option
@json_option
def sensitivity(study: str, home: Path, *, as_json: bool) -> None:
    r"""Say which inputs move each property of a study, within the bounds of its variables.

    Sobol indices: the share of a property's variance that an input explains alone (first), and alone or together with
    others (total). Error bars: what the electrodes made so far leave open.

    \b
    mesoforge sensitivity quickstart
    """
    from mesoforge.experiments import learned
    from mesoforge.experiments.home import Home

    print_result(learned.sensitivity(Home(home), study), show_sensitivity, as_json=as_json)


def show_sensitivity(value: dict[str, Any]) -> None:
    """Print the Sobol indices."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from mesoforge.experiments.learned import rows

    console = Console()
    table = Table("property", "input", "first", "total", title="Sobol indices", box=box.SIMPLE)
    for output, name, one in rows(value):
        first, total = (f"{one[key]:.2f} ± {one[f'{key}_sd']:.2f}" for key in ("first", "total"))
        table.add_row(output, name, first, total)
    console.print(table)
    console.print(f"Learned from {value['measured']} electrodes of {value['study']}.", highlight=False)


@click.command(cls=Explained)
@click.argument("study")
@home_option
@json_option
def assess(study: str, home: Path, *, as_json: bool) -> None:
    r"""Say in words how far a study's surrogate may be trusted, and about how many more points it takes.

    Each fifth of the recipes is foretold from the other four (electrodes of one recipe stay together). Writes the
    calibration curve and the partial dependence on each input to the study's folder.

    \b
    mesoforge assess quickstart
    """
    from mesoforge.experiments import learned
    from mesoforge.experiments.home import Home

    print_result(learned.assess(Home(home), study), show_assessment, as_json=as_json)


def show_assessment(value: dict[str, Any]) -> None:
    """Print what is foretold of unseen recipes, and what not yet."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from mesoforge.experiments.printing import number

    console = Console()
    table = Table("property", "R2", "rms error", "seed to seed", "in 50 %", "in 95 %", "verdict", box=box.SIMPLE)
    for name, one in value["properties"].items():
        cells = [number(one["r2"]), f"{one['rmse']:.2g}", f"{one['noise_sd']:.2g}"]
        cells += [f"{one[key]:.0%}" for key in ("coverage50", "coverage95")]
        table.add_row(name, *cells, one["verdict"])
    console.print(table)
    console.print(
        f"Foretold recipes that were left out, a fifth at a time: {value['recipes']} recipes, "
        f"{value['measured']} electrodes of {value['study']}.",
        highlight=False,
    )
    console.print("Figures: " + ", ".join(value["figures"]), highlight=False, soft_wrap=True)


@click.command(cls=Explained)
@click.argument("study")
@click.argument("measured", type=click.Path(path_type=Path))
@home_option
@json_option
def tell(study: str, measured: Path, home: Path, *, as_json: bool) -> None:
    r"""Tell a study of electrodes that were made and measured: it then aims at measured properties.

    MEASURED is a CSV table with a column for each variable of the study, columns for properties as far as they were
    measured, and NAME.sd for a property's standard deviation, if known. What measurements lie above the simulations is
    taken as one shift per property, stated with its uncertainty; targets and bounds are met where the simulation plus
    the shift meets them. Telling again replaces the shift.

    \b
    mesoforge tell quickstart measured.csv
    """
    from mesoforge.experiments import measured as telling
    from mesoforge.experiments.home import Home

    print_result(telling.tell(Home(home), study, measured), show_told, as_json=as_json)


def show_told(value: dict[str, Any]) -> None:
    """Print the shift between measurement and simulation."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    headings = ("property", "electrodes", "measured - simulated", "rms difference", "after the shift")
    table = Table(*headings, title="Measurement against simulation", box=box.SIMPLE)
    for name, one in value["properties"].items():
        shift = f"{one['mean']:+.3g} ± {one['sd']:.1g}"
        table.add_row(name, str(one["count"]), shift, f"{one['before']:.2g}", f"{one['after']:.2g}")
    console.print(table)
    for name in (name for name, one in value["properties"].items() if not one["explained"]):
        console.print(
            f"[bold]One shift does not explain {name}[/bold]: what is left is far more than its uncertainty; the "
            "simulation misses a trend, or the measurements scatter more than said.",
            highlight=False,
            soft_wrap=True,
        )
    console.print(
        f"{value['study']} now aims at measured properties; go on with 'mesoforge optimize'.", highlight=False
    )
