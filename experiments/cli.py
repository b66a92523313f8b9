"""The command line: each verb parses, calls one function and prints."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesoforge.errors import InputError
from mesoforge.experiments.calibrate_cli import calibrate
from mesoforge.experiments.crush_cli import crush
from mesoforge.experiments.explore_cli import explore
from mesoforge.experiments.export_cli import discharge, export
from mesoforge.experiments.learned_cli import assess, predict, sensitivity, tell
from mesoforge.experiments.manners_cli import completion, doctor, fields, init, schema, show_cost, validate
from mesoforge.experiments.measure_cli import compare, measure
from mesoforge.experiments.options import Verbs, home_option, json_option, print_result, tracking_option, where_option
from mesoforge.experiments.report_cli import report
from mesoforge.experiments.reproduce_cli import reproduce
from mesoforge.experiments.shapes_cli import shapes
from mesoforge.experiments.store_cli import archive, restore, store
from mesoforge.experiments.study_cli import optimize, resume, sample

if TYPE_CHECKING:
    from mesoforge.physics.recipe import Recipe

FAILED, WRONG, INTERRUPTED = 1, 2, 130


class ElectrodeError(Exception):
    """The physics of the one electrode that was asked for went wrong."""


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="mesoforge")
@click.option("--debug", is_flag=True, help="Show the traceback of an error (anywhere on the line).")
def app(*, debug: bool) -> None:
    r"""Design lithium-ion battery electrodes by simulating how they are made.

    \b
    mesoforge make                                  one electrode: the paper's 96 % NMC111, small volume
    mesoforge measure tomogram.tif --voxel 0.4      measure any labelled image
    mesoforge viscosity                             shear the slurry: viscosity against shear rate
    mesoforge crush                                 crush bonded particles: modulus and strength
    mesoforge shapes extract stack.tif -o nmc.h5    real particles from a tomogram
    mesoforge recipe > mine.yaml                    all that a recipe can say, with its defaults
    mesoforge forcefield show                       how beads act on one another, and what is fitted
    mesoforge make mine.yaml --set calendering.pressure=150
    mesoforge init                                  a commented study to begin with; then 'mesoforge validate'
    mesoforge optimize examples/quickstart.yaml     find, make and confirm the best recipe
    mesoforge calibrate examples/calibrate_slurry.yaml    fit the force field to what was measured
    mesoforge reproduce paper                       the seed paper's electrodes beside its own numbers
    mesoforge explore quickstart                    a local page: sliders, predictions, 'make this one'
    mesoforge dashboard --study quickstart          review every electrode in MLflow
    """


app.add_command(shapes)
for verb in (
    optimize,
    sample,
    resume,
    store,
    archive,
    restore,
    calibrate,
    crush,
    init,
    validate,
    schema,
    fields,
    doctor,
    completion,
    report,
    reproduce,
    explore,
    export,
    discharge,
):
    app.add_command(verb)


@app.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change an input, e.g. calendering.gap=15.")
@click.option("--seed", type=int, help="Seed of everything random.")
@click.option("--dry-run", is_flag=True, help="Say what it would cost, and make nothing.")
@home_option
@json_option
def make(
    recipe: Path | None, changes: tuple[str, ...], seed: int | None, home: Path, *, dry_run: bool, as_json: bool
) -> None:
    r"""Make and measure one electrode in LAMMPS.

    RECIPE is a YAML file; what it leaves out has its default ('mesoforge recipe' prints them all). Without a file it is
    the 96 % NMC111 formulation of the paper in a small volume. Stages that were simulated before are reused.

    \b
    mesoforge make
    mesoforge make mine.yaml --set calendering.compression=0.3 --seed 7
    """
    from mesoforge.experiments import printing
    from mesoforge.experiments.drive import make as make_one
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.work import electrode_name

    chosen = chosen_recipe(recipe, changes, seed)
    if dry_run:
        from mesoforge.experiments.cost import make_cost

        print_result(make_cost(chosen, Home(home)), show_cost, as_json=as_json)
        return
    with printing.stages(quiet=as_json) as on_stage:
        value = make_one(chosen, Home(home), on_stage, _warn)
    if "kind" in value:
        files = Home(home).portrait(electrode_name(chosen))
        came = f"{value['stage']} ({value['kind']}): {value['reason']}"
        raise ElectrodeError(f"the electrode failed in {came}; see its files in '{files}'.")
    print_result(value, printing.electrode, as_json=as_json)


app.add_command(measure)
app.add_command(predict)
app.add_command(sensitivity)
app.add_command(assess)
app.add_command(tell)
app.add_command(compare)


@app.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--rate", "rates", multiple=True, type=float, metavar="1/S", help="A shear rate; repeat it for more.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change an input.")
@click.option("--seed", type=int, help="Seed of everything random.")
@home_option
@json_option
def viscosity(
    recipe: Path | None, rates: tuple[float, ...], changes: tuple[str, ...], seed: int | None, home: Path, **shown: bool
) -> None:
    r"""Shear the slurry of a recipe in LAMMPS: its viscosity against the shear rate.

    Three rates by default, 1e4, 3e4 and 1e5 1/s: far above a coater's, see docs/slurry.md for what they stand for. The
    curve is kept as CSV and as a picture. What was simulated before is reused.

    \b
    mesoforge viscosity
    mesoforge viscosity mine.yaml --rate 2e4 --rate 6e4 --set formulation.solids_content=0.65
    """
    from mesoforge.experiments import printing
    from mesoforge.experiments.flow_curve import flow_curve
    from mesoforge.experiments.home import Home

    chosen = chosen_recipe(recipe, changes, seed)
    with printing.stages(quiet=shown["as_json"]) as on_stage:
        value = flow_curve(chosen, rates, Home(home), on_stage)
    if "kind" in value:
        raise ElectrodeError(f"the slurry failed in {value['stage']} ({value['kind']}): {value['reason']}.")
    print_result(value, printing.viscosity, as_json=shown["as_json"])


@app.command()
def recipe() -> None:
    """Print a recipe with all its settings, units and defaults, as YAML."""
    from mesoforge.experiments.printing import recipe_template

    click.echo(recipe_template())


@app.group(cls=Verbs)
def forcefield() -> None:
    r"""Look at force fields: how beads act on one another.

    \b
    mesoforge forcefield show
    mesoforge make --set force_field=fitted.yaml
    """


@forcefield.command()
@click.argument("force_field", required=False, metavar="[NAME|FILE]")
@json_option
def show(force_field: str | None, *, as_json: bool) -> None:
    r"""Print each parameter of a force field: its value, unit, allowed range, and what it rests on.

    NAME is a shipped force field, FILE a YAML file of one; without either it is the default.

    \b
    mesoforge forcefield show
    mesoforge forcefield show fitted.yaml --json
    """
    from mesoforge.experiments import printing
    from mesoforge.physics.force_fields import DEFAULT, load_force_field, table

    print_result(table(load_force_field(force_field or DEFAULT)), printing.force_field, as_json=as_json)


@app.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change an input of the base recipe.")
@click.option("--seeds", type=click.IntRange(2, 1000), default=5, show_default=True, help="Electrodes per variant.")
@click.option("--only", metavar="NAME,...", help="What to refine: rate, voxel, volume, ...; default all.")
@click.option(
    "--tolerance", "given", multiple=True, metavar="NAME=VALUE", help="E.g. porosity=0.01, slurry_density=0.3%."
)
@click.option("--coarser", is_flag=True, help="Also try cheaper settings: the same things the other way round.")
@click.option("--workers", type=click.IntRange(1, 1024), default=1, show_default=True, help="Simulations at a time.")
@where_option
@home_option
@json_option
def converge(
    recipe: Path | None,
    changes: tuple[str, ...],
    only: str | None,
    given: tuple[str, ...],
    where: str | None,
    home: Path,
    *,
    seeds: int,
    coarser: bool,
    workers: int,
    as_json: bool,
) -> None:
    r"""Say whether a recipe's answers move when they are computed more finely.

    One thing is refined at a time, with the same seeds: time steps, rates, drag, softening, tolerance, beads, voxels,
    volume, ranks. Each property's shift is judged against a tolerance. Ctrl-C stops; the same command goes on.

    \b
    mesoforge converge --set volume.side=12 --set volume.mass_loading=3 --seeds 5
    mesoforge converge mine.yaml --only rate,timestep --tolerance porosity=0.005 --coarser
    """
    from mesoforge.experiments import shift_table
    from mesoforge.experiments.cluster import Demand, pool_said
    from mesoforge.experiments.converge import Question, write
    from mesoforge.experiments.converge import converge as run_all
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.refinement import chosen_names
    from mesoforge.experiments.shifts import tolerances
    from mesoforge.physics.recipe import Recipe, load_recipe
    from mesoforge.physics.store import Store

    base = (load_recipe(recipe) if recipe else Recipe()).with_values(dict(map(_assignment, changes)))
    names = chosen_names(only)
    question = Question(base, names, seeds, tolerances(given), coarser=coarser).checked()
    Store(Home(home).store)
    demand = Demand(workers, base.numerics.ranks, home.resolve(), _warn)
    with shift_table.electrodes(quiet=as_json) as watch, pool_said(where, demand) as pool:
        found = run_all(question, Home(home), pool, watch)
    found["folder"] = str(write(found, Home(home)))
    print_result(found, shift_table.shifts, as_json=as_json)


@app.command()
@click.argument("study", required=False)
@home_option
@json_option
def status(study: str | None, home: Path, *, as_json: bool) -> None:
    """Say where a study stands: what was measured, what failed and why, what was found."""
    from mesoforge.experiments import printing
    from mesoforge.experiments.drive import kept_campaign, kept_plan
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.study import SINGLE
    from mesoforge.experiments.verdict import verdict

    place = Home(home)
    if study is None or study == SINGLE:
        names = [name for name in place.studies() if name != SINGLE]
        print_result({"studies": names}, printing.studies, as_json=as_json)
        return
    _known(place.studies(), study, home)
    plan = kept_plan(place, study)
    found = verdict(plan, kept_campaign(plan, place))
    print_result(found, lambda value: printing.findings(value, plan, home), as_json=as_json)


@app.command()
@click.argument("study", required=False)
@home_option
@tracking_option
@json_option
def sync(study: str | None, home: Path, tracking_uri: str | None, *, as_json: bool) -> None:
    """Write the MLflow view again from the journals and the store; safe to repeat."""
    from mesoforge.experiments.drive import sync as sync_one
    from mesoforge.experiments.home import Home

    place = Home(home)
    names = place.studies()
    if study is not None:
        _known(names, study, home)
    counts = {name: sync_one(place, name, tracking_uri) for name in ([study] if study else names)}
    print_result(
        {"synced": counts},
        lambda value: click.echo("\n".join(f"{name}: {count} runs" for name, count in value["synced"].items())),
        as_json=as_json,
    )


@app.command()
@click.option("--study", help="Study whose runs to show.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port; the next free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve on.")
@click.option("--open", "open_browser", is_flag=True, help="Open a browser.")
@home_option
def dashboard(study: str | None, port: int, host: str, home: Path, *, open_browser: bool) -> None:
    """Serve the records in MLflow's dashboard until Ctrl-C."""
    from mesoforge.experiments.dashboard import serve

    with serve(home, study, port, host, open_browser=open_browser) as board:
        click.echo(f"The dashboard is at {board.address} (Ctrl-C ends it)")
        board.wait()


def chosen_recipe(path: Path | None, changes: Sequence[str], seed: int | None) -> Recipe:
    """Read a recipe, or take the default, and change it as the command line says."""
    from mesoforge.physics.recipe import Recipe, load_recipe

    base = load_recipe(path) if path else Recipe()
    return base.with_values(dict(map(_assignment, changes)) | ({} if seed is None else {"seed": seed}))


def _assignment(text: str) -> tuple[str, Any]:
    import yaml

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError(f"--set is '{text}' but must be NAME=VALUE, as in calendering.pressure=150: correct it.")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"--set is '{text}' but its value must be a number or a word: correct it.") from None


def _known(names: Sequence[str], study: str, home: Path) -> None:
    if study not in names:
        raise InputError(
            f"there is no study '{study}' in '{home}': use one of {', '.join(names) or 'none yet'}, or another --home."
        )


def _warn(message: str) -> None:
    click.echo(f"Note: {message}", err=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors are sentences, exit status 1 is failed work, 2 wrong input, 130 an interrupt."""
    sys.exit(status_of(list(sys.argv[1:] if arguments is None else arguments)))


def status_of(arguments: list[str]) -> int:
    """Run the command line and return its exit status."""
    debug = "--debug" in arguments
    try:
        app.main([word for word in arguments if word != "--debug"], prog_name="mesoforge", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return WRONG
    except (KeyboardInterrupt, click.Abort):
        click.echo("Stopped; the same command goes on from here.", err=True)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: a sentence instead of a traceback
        return _explained(error, debug=debug)
    return 0


def _explained(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    ours = type(error).__module__.startswith("mesoforge.")
    message = str(error) if ours else f"{type(error).__name__}: {error} (mesoforge --debug shows where)"
    click.echo(f"Error: {message}", err=True)
    return WRONG if isinstance(error, InputError) else FAILED
