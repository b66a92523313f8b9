"""Studies and calibrations from Python: what notebooks call, and what they show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesoforge.experiments import calibrating, drive
from mesoforge.experiments import pool as pools
from mesoforge.experiments.calibration import load_calibration
from mesoforge.experiments.home import Home
from mesoforge.experiments.learned import foretold, learned
from mesoforge.experiments.report_page import write_page
from mesoforge.experiments.study import Kind, Plan, load_study, parse_budget
from mesoforge.experiments.verdict import verdict
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.trial import Value
from mesoforge.physics.showing import html_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, slots=True)
class Studied:
    """A study and what was found so far."""

    plan: Plan
    campaign: Campaign
    found: dict[str, Any]
    home: Home

    @property
    def best(self) -> dict[str, Value]:
        """The inputs of the best electrode: confirmed, else first of the Pareto set; nothing before there is one."""
        from mesoforge.experiments.report import chosen_trial

        trial = chosen_trial(self.campaign)
        return {} if trial is None else dict(trial.values)

    def trials(self) -> pd.DataFrame:
        """Return one row per electrode that ended: origin, state, inputs, properties."""
        import pandas as pd

        return pd.read_csv(self.home.study(self.plan.study.name) / "trials.csv", index_col="trial")

    def predict(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """Return what the surrogate foretells at some inputs: mean, sd and 95 % interval by property, and notes.

        Raises:
            InputError: too little was measured, or no recipe allows the inputs.
        """
        plan, _, gp = learned(self.home, self.plan.study.name)
        return foretold(plan.recipe_at({**self.best, **values}, plan.study.seed), plan, gp)

    def report(self, path: Path | str) -> Path:
        """Write the report as one HTML page, and return where."""
        from mesoforge.experiments.reporting import report_on

        return write_page(report_on(self.plan.study.name, self.home), Path(path))

    def __repr__(self) -> str:
        """Say in a line where the study stands."""
        return f"Study {self.plan.study.name}: {self.found['measured']} measured, {len(self.found['failed'])} failed"

    def _repr_html_(self) -> str:
        names = [*self.plan.problem.space.names, *self.plan.problem.objectives.names]
        rows = [
            (row["trial"], *({**row["values"], **row["properties"]}[n] for n in names)) for row in self.found["pareto"]
        ]
        return html_table(f"{self!r}. Pareto set:", ("electrode", *names), rows)


def run_study(
    study: Path | str, home: Path | str = "mlruns", *, budget: str = "", workers: int = 0, kind: Kind = "optimize"
) -> Studied:
    """Run a study to its end, or go on with it where it was left; recorded in MLflow as the command line does.

    Args:
        study: its YAML file.
        home: folder of the records.
        budget: simulations as start+proposed+confirmations, e.g. 6+6+2, in place of the file's.
        workers: simulations at a time, in place of the file's.
        kind: optimize or sample.

    Raises:
        InputError: something in the file is wrong.
    """
    changes: dict[str, Any] = {"budget": parse_budget(budget)} if budget else {}
    plan = load_study(Path(study), kind, changes | ({"workers": workers} if workers else {}))
    drive.drive(plan, Home(Path(home)), lambda _: lambda _: None, lambda _: None)
    return open_study(plan.study.name, home)


def open_study(name: str, home: Path | str = "mlruns") -> Studied:
    """Return a study as it stands; nothing is simulated.

    Raises:
        InputError: there is none of that name.
    """
    place = Home(Path(home))
    plan = drive.kept_plan(place, name)
    campaign = drive.kept_campaign(plan, place)
    return Studied(plan, campaign, verdict(plan, campaign), place)


def run_calibration(path: Path | str, home: Path | str = "mlruns", *, budget: str = "") -> dict[str, Any]:
    """Fit parameters to measured rows, or go on with it; return parameters, rows, errors and where the files are.

    Args:
        path: its YAML file.
        home: folder of the records.
        budget: sets of parameters as start+proposed, e.g. 6+6, in place of the file's.

    Raises:
        InputError: something in the file is wrong.
    """
    start, _, proposed = budget.partition("+")
    changes = {"budget": {"start": int(start), "proposed": int(proposed or 0)}} if budget else {}
    plan = load_calibration(Path(path), changes)
    with pools.local_pool(plan.said.workers) as pool:
        return calibrating.calibrate(plan, Home(Path(home)), pool, lambda *_: None, lambda _: None)
