"""``mesoforge measure``: its arguments and how its result is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mesoforge.errors import InputError
from mesoforge.experiments.options import Explained, home_option, json_option, print_result

if TYPE_CHECKING:
    from mesoforge.experiments.measuring import Wanted
    from mesoforge.physics.microstructure.image_files import Reading

Command = TypeVar("Command", bound=Callable[..., Any])
SIDES = {"closed": (False, False, False), "xy": (True, True, False), "xyz": (True, True, True)}


def reading_options(command: Command) -> Command:
    """Add how an image file is to be read."""
    for one in reversed(
        (
            click.option("--voxel", metavar="UM", help="Edge of a voxel [um], if the file does not say."),
            click.option("--dataset", metavar="NAME", help="The array of an NPZ or HDF5 file that holds several."),
            click.option("--labels", metavar="N=PHASE,...", help="What labels mean [default: 0=pore,1=active,2=cbd]."),
            click.option("--thickness-axis", type=click.IntRange(0, 2), default=2, help="Of the file [default: 2]."),
            click.option("--types", metavar="N=PHASE,...", help="Of beads [default: 1=active,2=cbd, AM, CBD]."),
            click.option("--diameters", metavar="N=UM,...", help="Of beads by type [um], if the file does not say."),
            click.option("--sides", type=click.Choice(tuple(SIDES)),
                         help="Which axes close upon themselves, thickness last [images: closed; beads: as the file]."),
            click.option("--particles", type=click.Path(path_type=Path), help="File that numbers the particles."),
            click.option("--whole", is_flag=True, help="The image file reaches from collector to free surface."),
        )
    ):  # fmt: skip
        command = one(command)
    return command


@click.command(cls=Explained)
@click.argument("target", metavar="IMAGE|ELECTRODE")
@reading_options
@click.option("--nanoporosity", type=click.FloatRange(0, 0.95), help="Pore fraction inside the CBD [default: 0.5].")
@click.option("--cbd-conductivity", type=click.FloatRange(0, 1), help="Ionic, over free pore [nanoporosity^1.5].")
@click.option("--only", metavar="NAME,...", help="Measures, e.g. phases,transport; default all.")
@click.option("--subvolumes", type=click.IntRange(2, 20), metavar="N", help="Error bars from N x N columns.")
@click.option("--richardson", is_flag=True, help="Carry the tortuosity factor on to no voxel edge.")
@click.option("--representative", is_flag=True, help="Say how large a volume has to be.")
@click.option("--taufactor", is_flag=True, help="Solve with TauFactor as well.")
@click.option("--csv", "table", type=click.Path(dir_okay=False, path_type=Path), help="Write the properties here.")
@click.option(
    "--network", type=click.Path(dir_okay=False, path_type=Path), help="Write the pore network (NPZ, OpenPNM)."
)
@click.option(
    "--export", type=click.Path(dir_okay=False, path_type=Path), help="Write labels for a solver: .raw .tif .npy."
)
@click.option("--wetting", type=click.Path(dir_okay=False, path_type=Path), help="Write drainage and imbibition (CSV).")
@home_option
@json_option
def measure(
    target: str,
    table: Path | None,
    network: Path | None,
    export: Path | None,
    wetting: Path | None,
    home: Path,
    *,
    as_json: bool,
    **said: Any,  # noqa: ANN401 - options of several types
) -> None:
    r"""Measure an image of an electrode, or an electrode made before: everything, with units.

    IMAGE is a labelled stack (.npy, .npz, .tif, .h5, or a folder of slices), or beads made elsewhere (.lammpstrj or
    .dump, .data, .xyz; lengths in um); ELECTRODE is the name that 'mesoforge make' printed, or its first letters. z is
    the thickness, from the collector up.

    \b
    mesoforge measure tomogram.npz --thickness-axis 0
    mesoforge measure stack.tif --voxel 0.4 --labels 0=pore,255=active --only phases,transport
    mesoforge measure dump.lammpstrj --types 1=active,2=cbd --voxel 0.4
    mesoforge measure 3f9a2c --subvolumes 2 --richardson --csv properties.csv
    """
    from mesoforge.experiments import measuring, printing
    from mesoforge.experiments.home import Home

    subject = measuring.find_image(target, Home(home), _reading(said))
    wanted = _wanted(said, subject.nanoporosity)
    with printing.stages(quiet=as_json) as on_stage:
        value = measuring.measured(subject, wanted, on_stage)
    value["files"] = measuring.write_files(subject.voxels, value, measuring.Files(table, network, export, wetting))
    print_result(value, show, as_json=as_json)


def _reading(said: dict[str, Any]) -> Reading:
    from mesoforge.physics.microstructure.image_files import Reading

    labels = {"labels": _labels(said["labels"])} if said["labels"] else {}
    return Reading(
        voxel=_voxel(said["voxel"]) if said["voxel"] else None,
        thickness_axis=said["thickness_axis"],
        periodic=SIDES[said["sides"]] if said["sides"] else None,
        whole=said["whole"],
        dataset=said["dataset"],
        particles=said["particles"],
        types=_pairs("--types", said["types"], "1=active,2=cbd"),
        diameters=_sizes(said["diameters"]),
        **labels,
    )


def _voxel(text: str) -> float:
    """Read the edge of a voxel; three equal ones are one."""
    try:
        edges = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--voxel is '{text}' but must be a length in um, as in 0.4: correct it.") from None
    if len(set(edges)) > 1:
        raise InputError(f"--voxel is '{text}' but voxels must be cubes: resample the image to equal edges first.")
    return edges[0]


def _labels(text: str) -> dict[int, str]:
    """Read what labels mean from 0=pore,1=active."""
    shown = "0=pore,1=active,2=cbd"
    found = _pairs("--labels", text, shown)
    if not all(key.isdigit() for key in found):
        raise InputError(f"--labels is '{text}' but must be like {shown}: correct it.")
    return {int(key): word for key, word in found.items()}


def _pairs(option: str, text: str | None, shown: str) -> dict[str, str]:
    """Read pairs from 1=active,2=cbd; nothing where nothing is said."""
    pairs = [part.partition("=") for part in text.split(",")] if text else []
    if not all(key.strip() and equals and word.strip() for key, equals, word in pairs):
        raise InputError(f"{option} is '{text}' but must be like {shown}: correct it.")
    return {key.strip(): word.strip() for key, _, word in pairs}


def _sizes(text: str | None) -> dict[str, float]:
    """Read lengths by type from 1=5,2=1.3."""
    try:
        return {kind: float(size) for kind, size in _pairs("--diameters", text, "1=5,2=1.3").items()}
    except ValueError:
        raise InputError(f"--diameters is '{text}' but must be lengths in um, as in 1=5,2=1.3: correct it.") from None


def _wanted(said: dict[str, Any], known: float | None) -> Wanted:
    from mesoforge.experiments.measuring import Wanted
    from mesoforge.physics.microstructure.quantity import Conductors

    nanoporosity = next(one for one in (said["nanoporosity"], known, 0.5) if one is not None)
    return Wanted(
        only=tuple(part.strip() for part in (said["only"] or "").split(",") if part.strip()),
        conductors=Conductors(nanoporosity=nanoporosity, cbd=said["cbd_conductivity"]),
        across=said["subvolumes"] or 0,
        richardson=said["richardson"],
        taufactor=said["taufactor"],
        representative=said["representative"],
    )


def show(value: dict[str, Any]) -> None:
    """Print the properties of one image, and what was asked for beside them."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from mesoforge.experiments.printing import number

    console = Console()
    table = Table(title=value["name"], box=box.SIMPLE)
    table.add_column("property", no_wrap=True)
    table.add_column("value", no_wrap=True)
    for column in ("unit", "meaning"):
        table.add_column(column)
    for name, one in value["properties"].items():
        spread = f" ± {one['spread']:.1g}" if one.get("spread") is not None else ""
        told = f"no value: {one['word']}" if one["value"] is None else one["meaning"]
        table.add_row(name, f"{number(one['value'])}{spread}", one["unit"], told)
    console.print(table)
    for key in ("richardson", "taufactor", "representative"):
        if key in value:
            told = ", ".join(f"{name} {number(found)}" for name, found in value[key].items() if name != "scatter")
            console.print(f"{key}: {told}", highlight=False, soft_wrap=True)
    size = " x ".join(f"{edge:.4g}" for edge in value["size_um"])
    console.print(f"{size} um, voxels of {value['voxel_um']:g} um; {value['wall_s']:.1f} s", highlight=False)
    for path in value["files"]:
        console.print(f"Wrote {path}", highlight=False, soft_wrap=True)


@click.command(cls=Explained)
@click.argument("electrode", metavar="ELECTRODE|IMAGE")
@click.argument("tomogram", metavar="TOMOGRAM")
@reading_options
@click.option("--subvolumes", type=click.IntRange(2, 1000), default=20, show_default=True, help="Random sub-volumes.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of their places.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("comparison"),
    show_default=True,
    help="Folder for table and picture.",
)
@home_option
@json_option
def compare(
    electrode: str,
    tomogram: str,
    subvolumes: int,
    seed: int,
    out: Path,
    home: Path,
    *,
    as_json: bool,
    **said: Any,  # noqa: ANN401 - options of several types
) -> None:
    r"""Compare an electrode with a tomogram: the same voxels, two phases, sub-volumes of the same size.

    The options on reading concern TOMOGRAM. CBD counts as pore in both. Deviations are given in standard deviations of
    the tomogram's sub-volumes.

    \b
    mesoforge compare 3f9a2c tomogram.npz --thickness-axis 0
    """
    from mesoforge.experiments.comparing import compared
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.measuring import find_image
    from mesoforge.physics.microstructure.image_files import Reading

    model, real = find_image(electrode, Home(home), Reading()), find_image(tomogram, Home(home), _reading(said))
    value = compared(model.voxels, real.voxels, (Path(model.name).name, Path(real.name).name), subvolumes, seed, out)
    print_result(value, show_comparison, as_json=as_json)


def show_comparison(value: dict[str, Any]) -> None:
    """Print electrode and tomogram side by side."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from mesoforge.experiments.printing import number

    console = Console()
    table = Table(title=f"{value['electrode']} beside {value['tomogram']}", box=box.SIMPLE)
    for column in ("property", "electrode", "tomogram", "in sd", "unit"):
        table.add_column(column, no_wrap=True)
    for row in value["rows"]:
        spread = "-" if row["sd"] is None else f"{row['sd']:.2g}"
        away = "-" if row["deviation_in_sd"] is None else f"{row['deviation_in_sd']:.1f}"
        beside = f"{number(row['tomogram'])} ± {spread}"
        table.add_row(row["property"], number(row["electrode"]), beside, away, row["unit"])
    console.print(table)
    size = " x ".join(f"{edge:.4g}" for edge in value["size_um"])
    console.print(
        f"{value['subvolumes']} sub-volumes of {size} um, voxels of {value['voxel_um']:g} um", highlight=False
    )
    for path in value["files"]:
        console.print(f"Wrote {path}", highlight=False, soft_wrap=True)
