"""The verbs that keep what was made: ``store du``, ``verify``, ``prune``, ``archive``, ``restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mesoforge.errors import InputError
from mesoforge.experiments.options import Explained, Verbs, home_option, json_option, print_result


class DamagedError(Exception):
    """Stages of the store are not as they were written."""


@click.group(cls=Verbs)
def store() -> None:
    r"""Look after the store: its size, whether it is whole, what may go.

    \b
    mesoforge store du
    mesoforge store verify
    mesoforge store prune --working-files
    """


@store.command()
@home_option
@json_option
def du(home: Path, *, as_json: bool) -> None:
    """Say how much room each stage takes, and what failed or was left unfinished."""
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.keeping import store_usage

    print_result(store_usage(Home(home)), _show_parts, as_json=as_json)


@store.command()
@click.option("--remove", is_flag=True, help="Take damaged stages away; they are made again when they are needed.")
@home_option
@json_option
def verify(home: Path, *, remove: bool, as_json: bool) -> None:
    """Check every file of every stage by its checksum; exit status 1 if one is damaged."""
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.keeping import verify_store

    found = verify_store(Home(home), remove=remove)
    print_result(found, _show_damage, as_json=as_json)
    if found["damaged"] and not remove:
        raise DamagedError("damaged stages are made again when they are needed; --remove takes them away now.")


@store.command()
@click.option("--working-files", "working", is_flag=True, help="Also what LAMMPS read and wrote; the states stay.")
@click.option("--unreferenced", is_flag=True, help="Also stages that no study's electrode rests on.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@home_option
@json_option
def prune(home: Path, *, working: bool, unreferenced: bool, dry_run: bool, as_json: bool) -> None:
    """Remove what failed or was left unfinished more than a day ago; never what a study refers to."""
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.keeping import prune_store

    found = prune_store(Home(home), working=working, unreferenced=unreferenced, dry_run=dry_run)
    print_result(found, _show_parts, as_json=as_json)


@store.command()
@click.option("--dry-run", is_flag=True, help="Say what is of an older form, and change nothing.")
@home_option
@json_option
def migrate(home: Path, *, dry_run: bool, as_json: bool) -> None:
    """Bring records of older versions into today's form; what they were stays beside them."""
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.migration import migrate as renew

    print_result(renew(Home(home), dry_run=dry_run), _show_migrated, as_json=as_json)


@store.command()
@click.argument("study")
@home_option
@json_option
def fetch(study: str, home: Path, *, as_json: bool) -> None:
    """Bring a study's stages and pictures here from the place elsewhere (where.store) that workers sent them to."""
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.unshared import fetched

    print_result(fetched(Home(home), study), _show_fetched, as_json=as_json)


@click.command(cls=Explained)
@click.argument("study")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File [default: STUDY.zip].")
@click.option("--without-stages", is_flag=True, help="Leave out what the simulations left; the results stay.")
@home_option
@json_option
def archive(study: str, output: Path | None, home: Path, *, without_stages: bool, as_json: bool) -> None:
    r"""Write a study to one file: journal, findings, electrodes, their stages, trials as Parquet.

    \b
    mesoforge archive quickstart -o quickstart.zip
    """
    from mesoforge.experiments.archive import archive as write
    from mesoforge.experiments.home import Home

    place = Home(home)
    if study not in place.studies():
        raise InputError(f"there is no study '{study}' in '{home}': use one of {', '.join(place.studies()) or 'none'}.")
    found = write(place, study, output or Path(f"{study}.zip"), stages=not without_stages)
    print_result(found, _show_archive, as_json=as_json)


@click.command(cls=Explained)
@click.argument("file", type=click.Path(path_type=Path))
@home_option
@json_option
def restore(file: Path, home: Path, *, as_json: bool) -> None:
    r"""Bring a study from an archive into a home; 'mesoforge sync' then writes its MLflow view.

    \b
    mesoforge restore quickstart.zip && mesoforge sync quickstart
    """
    from mesoforge.experiments.archive import restore as read
    from mesoforge.experiments.home import Home

    print_result(read(Home(home), file), _show_restored, as_json=as_json)


def _show_parts(value: dict[str, Any]) -> None:
    for name, part in value["parts"].items():
        click.echo(f"{name:<20} {part['count']:>8} {_amount(part['bytes']):>10}")
    click.echo(f"Store: {value['store']}")
    if value.get("pruned") is False:
        click.echo("Nothing was removed.")


def _show_damage(value: dict[str, Any]) -> None:
    for one in value["damaged"]:
        click.echo(f"{one['stage']} {one['name'][:16]}: {one['damage']}{', removed' if value['removed'] else ''}")
    click.echo(f"{value['stages'] - len(value['damaged'])} stages are whole, {len(value['damaged'])} damaged.")


def _show_migrated(value: dict[str, Any]) -> None:
    for name in value["damaged"]:
        click.echo(f"{name} is damaged and was left as it is; it is made again when it is next needed.")
    said = f"{value['stages']} stages, {len(value['journals'])} journals and {len(value['studies'])} studies"
    click.echo(f"{said} {'were brought into' if value['migrated'] else 'are not in'} today's form.")


def _show_fetched(value: dict[str, Any]) -> None:
    said = f"{value['stages']} stages and the pictures of {value['portraits']} electrodes"
    click.echo(f"{said} came from {value['url']}.")


def _show_archive(value: dict[str, Any]) -> None:
    click.echo(f"{value['archive']}: {value['files']} files, {_amount(value['bytes'])}")


def _show_restored(value: dict[str, Any]) -> None:
    click.echo(f"Study {value['study']} is in {value['home']}; 'mesoforge sync {value['study']}' writes its view.")


def _amount(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
