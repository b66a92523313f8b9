"""The verbs of ``mesoforge shapes``: extract, inspect and what else is done with particle libraries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesoforge.errors import InputError
from mesoforge.experiments.options import Verbs, home_option, json_option, print_result

if TYPE_CHECKING:
    from mesoforge.physics.shapes.extract import Extraction
    from mesoforge.physics.shapes.stack import Layout

FILE = click.Path(path_type=Path)


@click.group(cls=Verbs)
def shapes() -> None:
    r"""Take real particles from a tomogram into a library, and look at it.

    \b
    mesoforge shapes extract stack.tif --voxel-size 0.398 -o nmc.h5
    mesoforge shapes inspect nmc.h5
    mesoforge shapes beads nmc.h5 --pitch 1.284 --pitch 0.8
    mesoforge shapes generate -o made.h5 --like nmc.h5
    mesoforge shapes compare nmc.h5 made.h5
    mesoforge shapes stamp --set shapes=nmc.h5
    """


@shapes.command()
@click.argument("stack", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="The library to write, e.g. nmc.h5.")
@click.option("--voxel-size", multiple=True, type=float, metavar="UM", help="Edge of a voxel; NPZ may bring voxel_um.")
@click.option("--label", type=int, help="Label of the active material in a labelled stack.")
@click.option("--threshold", type=float, help="Grey value above which a voxel is active material; default Otsu's.")
@click.option("--classes", type=click.IntRange(2, 5), default=2, show_default=True, help="Grey phases for Otsu.")
@click.option(
    "--denoise",
    type=click.Choice(["median", "gaussian", "none"]),
    default="median",
    show_default=True,
    help="Done to grey values before the threshold.",
)
@click.option("--smooth", type=click.FloatRange(0, 10), default=0.4, show_default=True, help="Of the distance, voxels.")
@click.option(
    "--neck",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="Peaks joined by a neck of this share of the lesser one's radius are one particle; 1 parts most.",
)
@click.option(
    "--depth", type=click.FloatRange(0, 50), default=0.5, show_default=True, help="And shallower peaks than this."
)
@click.option("--min-voxels", type=click.IntRange(1), default=200, show_default=True, help="Drop smaller particles.")
@click.option("--keep-border", is_flag=True, help="Keep particles that the stack's faces cut.")
@click.option("--block", type=int, metavar="VOXELS", help="Edge of the blocks that a large stack is worked on in.")
@click.option("--dataset", help="Name of the array in an NPZ or HDF5 file.")
@click.option("--shape", metavar="NxNxN", help="Edges of raw bytes, slices first.")
@click.option("--dtype", help="Type of raw bytes, e.g. uint8 or '<u2'.")
@json_option
def extract(stack: Path, output: Path, *, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click's options
    r"""Cut the particles of active material out of a stack: TIFF, a folder of slices, NPY, NPZ, HDF5, NeXus or raw.

    Grey stacks are denoised and cut at Otsu's threshold; touching particles are parted by a watershed. Particles that
    the faces cut and small ones are dropped and counted. Writes the library and a picture of three slices beside it.

    \b
    mesoforge shapes extract stack.tif --voxel-size 0.398 -o nmc.h5
    mesoforge shapes extract labels.npz --label 1 --neck 0.85 -o nmc.h5
    mesoforge shapes extract scan.raw --shape 1000x1024x1024 --dtype '<u2' --voxel-size 0.2 -o nmc.h5
    """
    from mesoforge.experiments import shapes_table
    from mesoforge.experiments.shape_pictures import slices_picture
    from mesoforge.physics.shapes.extract import extract as extract_all
    from mesoforge.physics.shapes.stack import open_stack

    opened = open_stack(stack, _layout(options))
    with shapes_table.progress(quiet=as_json) as told:
        found = extract_all(opened, _extraction(options), output, told)
    picture = slices_picture(found, output.with_name(f"{output.stem}_slices.png"))
    value = shapes_table.extracted(found) | {"library": str(output), "picture": str(picture)}
    print_result(value, shapes_table.show_extracted, as_json=as_json)


@shapes.command()
@click.argument("library", type=FILE)
@click.option("-o", "--output", type=FILE, help="The figure to write; default beside the library, as PNG.")
@json_option
def inspect(library: Path, output: Path | None, *, as_json: bool) -> None:
    r"""Print what is in a library, and draw its sizes, shapes and a sheet of its particles.

    \b
    mesoforge shapes inspect nmc.h5
    mesoforge shapes inspect nmc.h5 -o nmc_particles.png --json
    """
    from mesoforge.experiments import shapes_table
    from mesoforge.experiments.shape_pictures import library_picture
    from mesoforge.physics.shapes.library import open_library

    opened = open_library(library)
    picture = library_picture(opened, output or library.with_suffix(".png"))
    value = shapes_table.inspected(opened) | {"picture": str(picture)}
    print_result(value, shapes_table.show_inspected, as_json=as_json)


@shapes.command()
@click.argument("library", type=FILE)
@click.option(
    "--pitch", "pitches", multiple=True, type=click.FloatRange(0.05, 20), metavar="UM", help="Edge of a bead's cube."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the particles and shifts tried.")
@json_option
def beads(library: Path, pitches: tuple[float, ...], seed: int, *, as_json: bool) -> None:
    r"""Say what a bead size costs: beads of each particle, and what of its volume they misplace.

    The pitch is particles.primary_diameter of a recipe. Simulations cost in proportion to beads, and more steps as they
    shrink.

    \b
    mesoforge shapes beads nmc.h5
    mesoforge shapes beads nmc.h5 --pitch 1.284 --pitch 0.8
    """
    from mesoforge.experiments import shapes_table
    from mesoforge.physics.shapes.library import open_library

    value = shapes_table.priced(open_library(library), pitches or (2.0, 1.6, 1.284, 1.0, 0.8), seed)
    print_result(value, shapes_table.show_priced, as_json=as_json)


@shapes.command()
@click.option("-o", "--output", type=FILE, required=True, help="The library to write.")
@click.option("--like", type=FILE, help="Library whose statistics are fitted; default those shipped, calendered NMC.")
@click.option("--count", type=click.IntRange(1, 1_000_000), default=300, show_default=True, help="Particles.")
@click.option(
    "--voxel-size", type=click.FloatRange(0.01, 20), help="Edge of a voxel [um]; default the statistics' own."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of everything random.")
@click.option("--statistics", type=FILE, help="Write the fitted statistics there too, as YAML.")
@json_option
def generate(
    output: Path,
    like: Path | None,
    count: int,
    voxel_size: float | None,
    seed: int,
    *,
    statistics: Path | None,
    as_json: bool,
) -> None:
    r"""Generate particles that are like those of a library, into a library of their own.

    \b
    mesoforge shapes generate -o made.h5
    mesoforge shapes generate -o made.h5 --like nmc.h5 --count 1000 --seed 7
    """
    from mesoforge.experiments import shapes_table
    from mesoforge.experiments.shape_pictures import library_picture
    from mesoforge.physics.shapes.fitted import fit, load_statistics
    from mesoforge.physics.shapes.fitted import generate as generate_all
    from mesoforge.physics.shapes.library import open_library

    found = fit(open_library(like)) if like else load_statistics()
    if statistics is not None:
        found.save(statistics)
    made = generate_all(found, count, voxel_size or found.voxel_um, seed, output)
    picture = library_picture(made, output.with_suffix(".png"))
    print_result(shapes_table.inspected(made) | {"picture": str(picture)}, shapes_table.show_inspected, as_json=as_json)


@shapes.command()
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
@click.option("-o", "--output", type=FILE, help="A figure of both distributions to write, as PNG.")
@json_option
def compare(first: Path, second: Path, output: Path | None, *, as_json: bool) -> None:
    r"""Say how alike two libraries are: distances between the distributions of each figure.

    \b
    mesoforge shapes compare nmc.h5 made.h5
    mesoforge shapes compare nmc.h5 made.h5 -o likeness.png
    """
    from mesoforge.experiments import shapes_table
    from mesoforge.experiments.shape_pictures import likeness_picture
    from mesoforge.physics.shapes.library import open_library

    ours, theirs = open_library(first), open_library(second)
    value: dict[str, Any] = shapes_table.compared(ours, theirs)
    if output is not None:
        value["picture"] = str(likeness_picture(ours, theirs, output))
    print_result(value, shapes_table.show_compared, as_json=as_json)


@shapes.command()
@click.argument("recipe", required=False, type=FILE)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change an input, e.g. shapes=nmc.h5.")
@click.option("--seed", type=int, help="Seed of everything random.")
@home_option
@json_option
def stamp(recipe: Path | None, changes: tuple[str, ...], seed: int | None, home: Path, *, as_json: bool) -> None:
    r"""Put a library's particles, with all their surface, back where their beads came to rest in an electrode.

    Makes the electrode, or finds it, and compares three images: of its beads, and of the particles mapped rigidly and
    by affine maps. Writes the images (phase, particle, voxel_um) and a picture.

    \b
    mesoforge shapes stamp --set shapes=nmc.h5
    mesoforge shapes stamp mine.yaml --seed 7
    """
    from mesoforge.experiments import printing, shapes_table
    from mesoforge.experiments.cli import ElectrodeError, chosen_recipe
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.stamped import stamped_images

    chosen = chosen_recipe(recipe, changes, seed)
    with printing.stages(quiet=as_json) as on_stage:
        value = stamped_images(chosen, Home(home), on_stage)
    if "kind" in value:
        raise ElectrodeError(f"the electrode failed in {value['stage']} ({value['kind']}): {value['reason']}.")
    print_result(value, shapes_table.show_stamped, as_json=as_json)


def _layout(options: dict[str, Any]) -> Layout:
    from mesoforge.physics.shapes.stack import Layout

    sizes = options["voxel_size"]
    if len(sizes) not in (0, 1, 3):
        raise InputError(f"--voxel-size is given {len(sizes)} times but once, or once per axis, is due: correct it.")
    return Layout(sizes or None, options["dataset"], _edges(options["shape"]), options["dtype"])


def _edges(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    parts = text.lower().replace(",", "x").split("x")
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--shape is '{text}' but must be three whole numbers like 200x512x512: correct it.")
    first, second, third = map(int, parts)
    return first, second, third


def _extraction(options: dict[str, Any]) -> Extraction:
    from mesoforge.physics.shapes.extract import Extraction
    from mesoforge.physics.shapes.separate import Watershed

    watershed = Watershed(options["smooth"], options["neck"], options["depth"])
    plain = {name: options[name] for name in ("label", "threshold", "classes", "denoise", "block")}
    return Extraction(**plain, watershed=watershed, least=options["min_voxels"], border=options["keep_border"])
