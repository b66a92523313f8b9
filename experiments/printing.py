"""Results as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import yaml
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from mesoforge.experiments.study import Plan
from mesoforge.experiments.view import best_words, shift_words
from mesoforge.experiments.watching import Tally
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.trial import Failed, Measured, Trial
from mesoforge.physics.force_fields import NO_UNIT, PARAMETERS, ForceField
from mesoforge.physics.materials import Material
from mesoforge.physics.measurement import OWN, PROPERTIES
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.record import Record

WORDS = {
    "packing": "scattering particles and CBD",
    "slurry": "slurry: densifying",
    "drying": "drying: capillary pressure",
    "calendering": "calendering: load, dwell, release",
    "measurement": "measuring: voxels, transport, pores",
    "pictures": "drawing",
    "record": "recording in MLflow",
}
FIRST = (
    "porosity", "tortuosity_factor_z", "electrode_density", "slurry_density", "mass_loading", "thickness",
    "compression_under_load", "compression_after_release",
)  # fmt: skip


NAMED = "  # or in place of these lines its name, or the path of a file; 'mesoforge forcefield show' has the sources"


def _progress(console: Console, *columns: ProgressColumn) -> Progress:
    """Return a line that shows progress on a terminal, and on nothing else."""
    return Progress(*columns, console=console, transient=True, disable=console.quiet or not console.is_terminal)


@contextmanager
def stages(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show the stage under way and the time spent."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with _progress(Console(stderr=True, quiet=quiet), *columns) as progress:
        task = progress.add_task("starting", total=len(WORDS))

        def on_stage(stage: str) -> None:
            completed = list(WORDS).index(stage) if stage in WORDS else None
            progress.update(task, description=WORDS.get(stage, stage), completed=completed)

        yield on_stage


class Trials:
    """Shows each trial of a study as it starts and ends."""

    def __init__(self, plan: Plan, *, quiet: bool) -> None:
        """Prepare to show a study's trials."""
        self._plan = plan
        self._console = Console(stderr=True, quiet=quiet)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = _progress(self._console, SpinnerColumn(), *columns)
        self._task = self._progress.add_task(plan.study.name, total=None)

    def __enter__(self) -> Self:
        """Start to show."""
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop to show."""
        self._progress.stop()

    def follow(self, campaign: Campaign) -> Callable[[Trial], None]:
        """Return what is told each trial of a campaign."""
        tally, running = Tally(campaign, self._plan.base.numerics.ranks), set[int]()
        if tally.done:
            self._console.print(f"Going on with {self._plan.study.name}: {tally.done} of {tally.total} are done.")
        self._progress.update(self._task, total=tally.total, completed=tally.done, description="starting workers")

        def told(trial: Trial) -> None:
            (running.add if trial.pending else running.discard)(trial.number)
            self._progress.update(self._task, completed=tally.done, description=_standing(tally, len(running)))
            if not trial.pending:
                self._console.print(trial_line(trial, self._plan), soft_wrap=True)

        return told


def _standing(tally: Tally, running: int) -> str:
    """Say in a line where a study stands."""
    failed = f", {tally.failed} failed" if tally.failed else ""
    left = "" if tally.left_s is None else f", {_span(tally.left_s)} left"
    best = ", ".join(f"{name} {number(value)}" for name, value in (tally.best() or {}).items())
    spent = f", {number(tally.core_hours)} core-hours"
    return f"{tally.campaign.phase}: {running} running{failed}{left}{spent}{f'; best {best}' if best else ''}"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def trial_line(trial: Trial, plan: Plan) -> str:
    """Say in one line what was made and what came of it."""
    place = ", ".join(f"{name.split('.')[-1]} {number(value)}" for name, value in trial.values.items())
    if isinstance(trial.outcome, Failed):
        found = f"[red]failed in {trial.outcome.stage}[/red]: {escape(trial.outcome.reason)}"
    elif isinstance(trial.outcome, Measured):
        names = plan.problem.objectives.outputs or ("porosity", "tortuosity_factor_z")
        found = ", ".join(f"{name} {number(trial.outcome.properties[name])}" for name in names)
        found += f" ({trial.outcome.wall_s:.0f} s)"
    else:
        found = "running"
    return f"{trial.number:4d} {trial.origin:<8} {place} → {found}"


def number(value: object) -> str:
    """Write a number with four digits, anything else as it is, nothing as a dash."""
    return "-" if value is None else f"{value:.4g}" if isinstance(value, int | float) else str(value)


def electrode(value: Mapping[str, Any]) -> None:
    """Print the properties of one electrode, what to know of them, and where its files lie."""
    console = Console()
    table = Table("property", "value", "unit", "meaning", title="Electrode", box=box.SIMPLE)
    found = value["properties"]
    for name in [*FIRST, *(name for name in found if name in OWN and name not in FIRST)]:
        table.add_row(name, number(found[name]), PROPERTIES[name].unit, PROPERTIES[name].meaning)
    console.print(table)
    for note in value["notes"]:
        console.print(f"[dim]{note}[/dim]")
    reused = f", reused: {', '.join(value['found'])}" if value["found"] else ""
    console.print(f"{value['wall_s']:.1f} s{reused}; electrode {value['electrode'][:12]}", highlight=False)
    console.print(f"Pictures, recipe and log: {value['portrait']}", highlight=False)


def viscosity(value: Mapping[str, Any]) -> None:
    """Print the flow curve of a slurry, what to know of it, and where its files lie."""
    console = Console()
    table = Table("rate 1/s", "stress kPa", "viscosity Pa s", "steady", "steps", "s", title="Slurry", box=box.SIMPLE)
    for flow in value["flows"]:
        stress = f"{flow['stress']:.4g} ± {flow['stress_error']:.1g}"
        read = f"{flow['viscosity']:.3g} ± {flow['viscosity_error']:.1g}"
        steady = "yes" if flow["steady"] else "no"
        table.add_row(number(flow["rate"]), stress, read, steady, str(flow["steps"]), f"{flow['seconds']:.0f}")
    console.print(table)
    for note in value["notes"]:
        console.print(f"[dim]{note}[/dim]")
    console.print(f"Curve: {value['curve']}, {value['picture']}", highlight=False, soft_wrap=True)


def force_field(value: Mapping[str, Any]) -> None:
    """Print the parameters of a force field and what they rest on."""
    console = Console()
    table = Table(title=f"Force field {value['name']}", box=box.SIMPLE)
    for heading in ("parameter", "value", "range"):
        table.add_column(heading, no_wrap=True)
    table.add_column("basis")
    for row in value["parameters"]:
        shown = f"{row['value']:g} {row['unit'] if row['unit'] != NO_UNIT else ''}"
        basis = f"{row['basis']}: {row['source']}" if row["source"] else row["basis"]
        table.add_row(row["name"], shown, f"{row['least']:g} to {row['most']:g}", escape(basis))
    console.print(table)
    if value["note"]:
        console.print(f"[dim]{escape(value['note'])}[/dim]")


def studies(value: Mapping[str, Any]) -> None:
    """Print the names of the studies."""
    Console().print("\n".join(value["studies"]) or "no study yet: start one with 'mesoforge optimize STUDY.yaml'")


def findings(found: Mapping[str, Any], plan: Plan, home: Path) -> None:
    """Print what a study found and where to look."""
    console = Console()
    console.print(
        f"[bold]{found['study']}[/bold] ({found['phase']}): {found['measured']} measured, "
        f"{len(found['failed'])} failed, {len(found['pending'])} pending; "
        f"aims: {'; '.join(found['aims']) or 'none, a sample'}",
        highlight=False,
    )
    if found["stopped"]:
        console.print(f"Stopped early, {found['stopped']}.", highlight=False, soft_wrap=True)
    if found["pareto"]:
        console.print(_pareto(found, plan))
    if found["confirmations"]:
        console.print(_confirmations(found))
        console.print(
            "[dim]predicted: by the surrogate of all explored trials, this recipe's first run among them; "
            "first: that run; mass balance: what follows without any simulation "
            "(- where it says nothing); neighbour: the nearest other electrode simulated before[/dim]"
        )
    for failure in found["failed"]:
        where = f"[red]{failure['trial']} failed in {failure['stage']}[/red] ({failure['kind']})"
        console.print(f"{where}: {escape(failure['reason'])}")
    for words in shift_words({name: (one["mean"], one["sd"]) for name, one in found["shifts"].items()}):
        console.print(f"[bold]{words}[/bold]", highlight=False, soft_wrap=True)
    for sentence in found["unreached"]:
        console.print(f"Not reached: {escape(sentence)}", highlight=False, soft_wrap=True)
    for place, row in enumerate(found["best"]):
        console.print(f"{'Next' if place else 'Best'} confirmed recipe: {escape(best_words(row))}", highlight=False)
    folder = home / "studies" / found["study"]
    console.print(f"Figures and tables: {folder}", highlight=False)
    console.print(f"Every electrode: mesoforge dashboard --study {found['study']} --home {home}", highlight=False)


def _pareto(found: Mapping[str, Any], plan: Plan) -> Table:
    title = "Pareto set, as measured"
    if found["hypervolume"] is not None:
        title += f" (hypervolume {number(found['hypervolume'])})"
    table = Table("trial", "origin", title=title, box=box.SIMPLE)
    for name in plan.problem.space.names:
        table.add_column(_heading(name), justify="right")
    for name in plan.problem.objectives.outputs:
        table.add_column(_heading(name), justify="right", style="bold")
    for row in found["pareto"]:
        cells = [*row["values"].values(), *row["properties"].values()]
        table.add_row(row["trial"].removeprefix("trial-"), row["origin"], *map(number, cells))
    return table


def _heading(name: str) -> str:
    """Return the last part of a name with its words apart, so that a narrow column can break it."""
    return name.split(".")[-1].replace("_", " ")


def _confirmations(found: Mapping[str, Any]) -> Table:
    table = Table("confirmed", "property", title="Prediction against physics, with new seeds", box=box.SIMPLE)
    for column in ("predicted", "physics", "first", "mass balance", "neighbour"):
        table.add_column(column, justify="right")
    for one in found["confirmations"]:
        for name, row in one["properties"].items():
            foretold = f"{number(row['predicted'])} ± {number(row['predicted_sd'])}"
            cells = (row["physics"], row["first"], row["mass_balance"], row["nearest"])
            table.add_row(one["confirms"].removeprefix("trial-"), _heading(name), foretold, *map(number, cells))
        table.add_section()
    return table


def recipe_template() -> str:
    """Return a recipe with every setting, its default and its meaning as a comment."""
    lines: list[str] = ["# Leave out what has the right default. Units are in brackets."]
    for name, field in Recipe.model_fields.items():
        section = getattr(Recipe(), name)
        lines += _section(name, section) if isinstance(section, Record) else [_line(name, section, field.description)]
    return "\n".join(lines)


def _line(name: str, value: object, meaning: str | None) -> str:
    return f"# {name}:  # {meaning}" if value is None else f"{name}: {value}  # {meaning}"


def _section(name: str, section: Record) -> list[str]:
    lines = [f"{name}:{NAMED if isinstance(section, ForceField) else ''}"]
    for key, field in type(section).model_fields.items():
        if isinstance(section, ForceField) and key not in PARAMETERS:
            continue
        value = getattr(section, key)
        shown = value.name.lower().replace(" ", "_") if isinstance(value, Material) else value
        text = yaml.safe_dump(shown).splitlines()[0]
        meaning = " ".join((field.description or "").split())
        lines.append(f"  {'# ' if value is None else ''}{key}: {'' if value is None else text}  # {meaning}")
    return lines
