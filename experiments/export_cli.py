"""``mesoforge export`` and ``mesoforge discharge``: an electrode for the next tool in the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mesoforge.errors import InputError
from mesoforge.experiments.options import Explained, home_option, json_option, print_result

NAMES = ("vti", "vtp", "xyz", "dump", "tiff", "hdf5", "csv", "parquet", "pybamm")


@click.command(cls=Explained)
@click.argument("electrode")
@click.option("--to", "name", type=click.Choice(NAMES), required=True, help="Format.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File [default: ELECTRODE.*].")
@home_option
@json_option
def export(electrode: str, name: str, output: Path | None, home: Path, *, as_json: bool) -> None:
    r"""Write an electrode for another tool.

    vti, vtp: ParaView (voxels, beads); xyz, dump: OVITO (beads); tiff: a stack of labels; hdf5: all; csv, parquet:
    the properties; pybamm: a parameter set. Lengths are in um. ELECTRODE is the name from 'mesoforge make'.

    \b
    mesoforge export 3f9a2c --to vti
    mesoforge export 3f9a2c --to pybamm -o cathode.json
    """
    from mesoforge.experiments import exporting
    from mesoforge.experiments.home import Home

    path = exporting.export(exporting.find_made(electrode, Home(home)), name, output)
    print_result({"file": str(path), "format": name}, lambda _: click.echo(f"Wrote {path}"), as_json=as_json)


@click.command(cls=Explained)
@click.argument("electrode")
@click.option("--rates", default="0.1,1,2", show_default=True, help="C-rates, of the nominal capacity.")
@click.option("--figure", type=click.Path(dir_okay=False, path_type=Path), help="Picture, .png or .svg.")
@home_option
@json_option
def discharge(electrode: str, rates: str, figure: Path | None, home: Path, *, as_json: bool) -> None:
    r"""Discharge an electrode against lithium with PyBaMM's DFN: capacity and energy at each rate.

    Structure comes from the electrode; voltage curve, kinetics and electrolyte from PyBaMM's set Xu2019 (NMC532), which
    was not fitted to it: compare electrodes with one another rather than with a measured cell.

    \b
    mesoforge discharge 3f9a2c --rates 0.1,1,2 --figure rates.png
    """
    from mesoforge.experiments import cell, exporting
    from mesoforge.experiments.home import Home

    made = exporting.find_made(electrode, Home(home))
    found = cell.discharge(cell.parameter_set(made.properties, made.recipe, made.voxels), _rates(rates))
    path = cell.rate_chart(found, figure or Path(f"{made.name}_discharge.png"))
    print_result({"electrode": made.name, "rates": found, "figure": str(path)}, _show, as_json=as_json)


def _rates(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--rates is '{text}' but must be numbers like 0.1,1,2: correct it.") from None


def _show(value: dict[str, Any]) -> None:
    for one in value["rates"]:
        click.echo(
            f"{one['rate']:g}C: {one['capacity']:.4g} mAh/cm2 ({one['share']:.1%} of the nominal), "
            f"{one['mean_voltage']:.3f} V, {one['energy']:.4g} mWh/cm2"
        )
    click.echo(f"Curves: {value['figure']}")
