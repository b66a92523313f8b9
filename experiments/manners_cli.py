"""The verbs about files and the installation: ``init``, ``validate``, ``schema``, ``doctor``, ``completion``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesoforge.errors import InputError
from mesoforge.experiments.options import Explained, home_option, json_option, print_result

if TYPE_CHECKING:
    from mesoforge.experiments.starting import Starter
    from mesoforge.experiments.validating import FileKind


class UnhealthyError(Exception):
    """A check of the installation found something that stops the work."""


@click.command(cls=Explained)
@click.argument("kind", type=click.Choice(["study", "sample", "recipe"]), default="study")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File [default: KIND.yaml].")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def init(kind: Starter, output: Path | None, *, force: bool) -> None:
    r"""Write a commented study, sample or recipe to begin with.

    \b
    mesoforge init                          study.yaml: find the best recipe
    mesoforge init sample -o friction.yaml
    mesoforge init recipe -o mine.yaml
    """
    from mesoforge.experiments.starting import write_starter

    path = output or Path(f"{kind}.yaml")
    write_starter(kind, path, force=force)
    click.echo(f"Wrote {path}; 'mesoforge validate {path}' checks what you change.")


@click.command(cls=Explained)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "kind", type=click.Choice(["optimize", "sample", "recipe"]), help="[default: as its keys say]")
@json_option
def validate(file: Path, kind: FileKind | None, *, as_json: bool) -> None:
    r"""Say all that is wrong in a study or recipe file, with line numbers; nothing is simulated.

    \b
    mesoforge validate study.yaml
    mesoforge validate mine.yaml --as recipe
    """
    from mesoforge.experiments.validating import mistakes

    found = mistakes(file, kind)
    if not found or as_json:
        value = {
            "file": str(file),
            "valid": not found,
            "mistakes": [{"line": m.line, "message": m.message} for m in found],
        }
        print_result(value, lambda _: click.echo(f"{file} is valid."), as_json=as_json)
    if found:
        many = "one mistake" if len(found) == 1 else f"{len(found)} mistakes"
        raise InputError(f"{many} in {file}\n" + "\n".join(one.at(file) for one in found))


@click.command(cls=Explained)
@click.argument("kind", type=click.Choice(["study", "recipe"]), default="study")
def schema(kind: str) -> None:
    r"""Print the JSON schema of study or recipe files, with which editors complete and check them.

    \b
    mesoforge schema study > study.schema.json
    mesoforge schema recipe > recipe.schema.json

    In VS Code (YAML extension) the first line of a study then reads
    # yaml-language-server: $schema=study.schema.json
    """
    import json

    from mesoforge.experiments.schema import SCHEMAS

    click.echo(json.dumps(SCHEMAS[kind](), indent=1))


@click.command(cls=Explained)
def fields() -> None:
    r"""Print the reference of every field and property as markdown: default, range, unit, meaning.

    \b
    mesoforge fields > docs/reference.md
    """
    from mesoforge.experiments.field_reference import reference

    click.echo(reference(), nl=False)


@click.command(cls=Explained)
@home_option
@json_option
def doctor(home: Path, *, as_json: bool) -> None:
    r"""Check the installation: LAMMPS and its packages, threads, disk, records, 3D pictures, extras.

    Exit status 1 if something stops the work.

    \b
    mesoforge doctor
    """
    from mesoforge.experiments.doctor import examine
    from mesoforge.experiments.home import Home

    value = examine(Home(home))
    print_result(value, _show_findings, as_json=as_json)
    if not value["healthy"]:
        raise UnhealthyError("the installation is not complete: mend what is marked above.")


def _show_findings(value: dict[str, Any]) -> None:
    signs = {"good": click.style("ok  ", fg="green"), "note": click.style("note", fg="yellow")}
    for one in value["checks"]:
        sign = signs.get(one["state"]) or click.style("BAD ", fg="red")
        click.echo(f"{sign}  {one['name']:<12} {one['found']}" + (f"\n{'':<19}→ {one['todo']}" if one["todo"] else ""))


@click.command(cls=Explained)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    r"""Print what makes a shell complete verbs, options and choices.

    \b
    mesoforge completion bash >> ~/.bashrc
    mesoforge completion zsh >> ~/.zshrc
    mesoforge completion fish > ~/.config/fish/completions/mesoforge.fish
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    if made is None:
        raise InputError(f"the shell is {shell} but none such is known: use bash, zsh or fish.")
    context = click.get_current_context()
    click.echo(made(context.find_root().command, {}, "mesoforge", "_MESOFORGE_COMPLETE").source())


def show_cost(value: dict[str, Any]) -> None:
    """Print what a recipe or a study would cost."""
    from mesoforge.experiments.printing import number

    if not value["simulations"]:
        click.echo("Nothing to simulate: all of it is in the store.")
        return
    done = f" ({value['done']} are done)" if value.get("done") else ""
    click.echo(f"Simulations: {value['simulations']}{done}, {value['beads']} beads each")
    if "sizes" in value:
        click.echo(_sizes(value["sizes"], value["simulations"]))
    if "missing" in value:
        click.echo(f"Stages to make: {', '.join(value['missing'])}")
    click.echo(f"Computing: {number(value['core_hours'])} core-hours, about {_duration(value['wall_s'])}")
    click.echo(f"Estimate from {value['basis']}; nothing was simulated.")


def _sizes(sizes: dict[str, Any], simulations: int) -> str:
    target, *cheaper = sizes["shares"]
    said = ", ".join(f"one of {size} um counts {sizes['shares'][size]:.2g} of a proposal" for size in cheaper)
    return f"Sizes: {sizes['input']} {target} um decides; {said}, so there may be more than {simulations}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
