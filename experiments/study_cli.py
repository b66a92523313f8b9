"""The verbs that run studies: ``optimize`` and ``sample``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from mesoforge.experiments.manners_cli import show_cost
from mesoforge.experiments.options import (
    Explained,
    home_option,
    json_option,
    print_result,
    tracking_option,
    where_option,
)

if TYPE_CHECKING:
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.study import Kind, Plan


RETRIED: Final = ("crashed", "timeout", "infrastructure", "interrupted")
"""Failures that may be the machine's fault and not the physics'."""
Command = TypeVar("Command", bound=Callable[..., Any])


def log_option(command: Command) -> Command:
    """Add --log."""
    words = "What to show while it runs: progress (default), quiet, or one JSON object a line."
    return click.option("--log", type=click.Choice(["progress", "quiet", "lines"]), help=words)(command)


def _study_command(kind: Kind, text: str) -> click.Command:
    """Return the command that drives a study of one kind."""

    @click.argument("study", type=click.Path(path_type=Path))
    @click.option("--budget", metavar="S+P+C", help="Simulations: start + proposed + confirmations, e.g. 6+6+2.")
    @click.option("--workers", type=click.IntRange(1, 1024), help="Simulations at a time.")
    @click.option("--strategy", help="How points are proposed: botorch, optuna-tpe, optuna-nsga2, sobol, ...")
    @click.option("--name", help="Another name for the study, which then begins anew.")
    @where_option
    @click.option("--synchronous", is_flag=True, default=None, help="Propose only when all that ran has ended.")
    @click.option("--dry-run", is_flag=True, help="Check the study and say what it would cost; simulate nothing.")
    @log_option
    @home_option
    @tracking_option
    @json_option
    def command(study: Path, home: Path, **said: Any) -> None:  # noqa: ANN401 - options of several types
        from mesoforge.experiments.home import Home
        from mesoforge.experiments.validating import load_checked_study

        plan = load_checked_study(study, kind, _changes(said))
        if said["dry_run"]:
            from mesoforge.experiments.cost import study_cost

            print_result(study_cost(plan, Home(home)), show_cost, as_json=said["as_json"])
            return
        run_study(plan, Home(home), said)

    command.__doc__ = text
    return click.command(kind, cls=Explained)(command)


def _changes(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the command line puts in place of what the file says."""
    from mesoforge.experiments.study import parse_budget
    from mesoforge.experiments.where import chosen_where

    changes: dict[str, Any] = {"budget": parse_budget(said["budget"])} if said["budget"] else {}
    changes |= {"where": chosen_where(said["where"])} if said["where"] else {}
    plain = {name: said[name] for name in ("name", "workers", "strategy", "synchronous")}
    return changes | {name: value for name, value in plain.items() if value is not None}


def run_study(plan: Plan, home: Home, said: Mapping[str, Any]) -> None:
    """Drive a study as the command line's options say, and print what it found."""
    from mesoforge.experiments import printing
    from mesoforge.experiments.drive import drive
    from mesoforge.experiments.watching import watching

    with watching(plan, said["log"], quiet=said["as_json"]) as (watch, complain):
        kinds = RETRIED if said.get("retry") else ()
        found = drive(plan, home, watch, complain, tracking_uri=said["tracking_uri"], retry=kinds)
    print_result(found, lambda value: printing.findings(value, plan, home.root), as_json=said["as_json"])


optimize = _study_command(
    "optimize",
    r"""Find the best recipe of a study, and confirm it with physics.

    A Sobol start fills the space, Gaussian processes learn from it and propose, the best proposals are made again with
    new seeds. Ctrl-C stops cleanly; the same command goes on where it stopped. Nothing is simulated twice.

    \b
    mesoforge optimize examples/quickstart.yaml
    mesoforge optimize study.yaml --budget 12+30+4 --workers 8
    mesoforge optimize study.yaml --workers 64 --where cluster.yaml
    """,
)
sample = _study_command(
    "sample",
    r"""Simulate a plan of points of a study's space; force-field parameters may be varied too.

    The plan is a Sobol sample, or what the study's 'design' says: latin-hypercube, grid or list; with 'replicates' in
    the budget each point is made with so many seeds.

    \b
    mesoforge sample examples/force_field.yaml --budget 16+0+0
    """,
)


@click.command(cls=Explained)
@click.argument("study")
@click.option("--workers", type=click.IntRange(1, 1024), help="Simulations at a time, in place of the study's.")
@click.option("--retry", is_flag=True, help="Make again what crashed, hung, or met a broken worker or disk.")
@where_option
@log_option
@home_option
@tracking_option
@json_option
def resume(study: str, home: Path, **said: Any) -> None:  # noqa: ANN401 - options of several types
    r"""Go on with a study that was stopped, by its name; its file is not needed.

    What was running when it stopped is made first; what was simulated is found in the store.

    \b
    mesoforge resume quickstart
    mesoforge resume quickstart --where cluster.yaml --workers 64
    """
    from mesoforge.experiments.drive import resumed_plan
    from mesoforge.experiments.home import Home
    from mesoforge.experiments.where import chosen_where

    changes = {"where": chosen_where(said["where"])} if said["where"] else {}
    changes |= {"workers": said["workers"]} if said["workers"] else {}
    run_study(resumed_plan(Home(home), study, changes), Home(home), said)
