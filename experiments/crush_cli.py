"""The verb ``crush``: a test rig for bonded particles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mesoforge.experiments.options import Explained, home_option, json_option, print_result
from mesoforge.physics.failure import PhysicsError

NAMES = {
    "modulus": "modulus GPa",
    "first_break": "pulled: first bond MPa",
    "tensile_strength": "pulled: strength MPa",
    "bar_crushing_strength": "pressed: strength MPa",
    "crushing_strength": "ball: 2.8F/(pi d2) MPa",
}


@click.command(cls=Explained)
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--diameter", type=float, default=12.0, show_default=True, help="Width of bars, diameter of balls [um].")
@click.option("--repeats", type=click.IntRange(1, 100), default=4, show_default=True, help="Specimens of each kind.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change an input.")
@home_option
@json_option
def crush(
    recipe: Path | None, diameter: float, repeats: int, changes: tuple[str, ...], home: Path, *, as_json: bool
) -> None:
    r"""Crush single bonded particles between plates in LAMMPS: modulus and strength in three directions.

    Bars of the recipe's active material are pressed and pulled, balls crushed, along <100>, <110> and <111> of their
    beads' lattice. The curves are kept as CSV and as a picture. What was simulated before is reused.

    \b
    mesoforge crush
    mesoforge crush mine.yaml --diameter 14 --set force_field.particle_strength=300
    """
    from mesoforge.experiments import printing
    from mesoforge.experiments.cli import chosen_recipe
    from mesoforge.experiments.crushing import crushing
    from mesoforge.experiments.home import Home

    chosen = chosen_recipe(recipe, changes, None)
    with printing.stages(quiet=as_json) as on_trial:
        value = crushing(chosen, diameter, repeats, Home(home), on_trial)
    if "kind" in value:
        raise PhysicsError(value["kind"], f"a specimen failed ({value['kind']}): {value['reason']}.")
    print_result(value, show, as_json=as_json)


def show(value: Mapping[str, Any]) -> None:
    """Print the table by direction, what is due, and where the files lie."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console, material = Console(), value["material"]
    title = f"{material['name']}, {value['diameter']:g} um, mean and standard deviation of {value['repeats']}"
    table = Table("along", *NAMES.values(), title=title, box=box.SIMPLE)
    for row in value["directions"]:
        cells = [
            f"{row[name]:.4g}" + ("" if row[f"{name}_sd"] is None else f" ± {row[f'{name}_sd']:.2g}") for name in NAMES
        ]
        table.add_row(f"<{row['direction']}>", *cells)
    table.add_row("largest/least", *(f"{value['largest_over_least'][name]:.3f}" for name in NAMES))
    console.print(table)
    due = f"due: {material['young_modulus']:g} GPa, no bond broken below {material['particle_strength']:g} MPa"
    console.print(f"[dim]{due}[/dim]", highlight=False)
    console.print(f"Curves: {value['curves']}\nPicture: {value['picture']}", highlight=False)
