"""The journal as people review it: trials become runs in MLflow, a campaign their parent, its progress metrics."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mesoforge import __version__
from mesoforge.experiments.heap import give_back
from mesoforge.experiments.home import Home
from mesoforge.experiments.record import CampaignView, ElectrodeRun, Status, finite
from mesoforge.experiments.sizing import size_words
from mesoforge.experiments.study import Plan
from mesoforge.experiments.tracking import Tracker, TrackingError
from mesoforge.experiments.work import electrode_name, portrait_files
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.confirmed import Confirmed
from mesoforge.optimize.objectives import Objective
from mesoforge.optimize.space import Space
from mesoforge.optimize.trial import Failed, Measured, Outcome, Trial
from mesoforge.physics.lammps.execute import version
from mesoforge.physics.recipe import Recipe

LEAST_TO_VALIDATE = 4
QUICK_S, SHARE = 1.0, 0.05
"""A validation that takes longer [s] may take this share of the driver's time: workers wait for it."""
PAUSE_S = 60.0
"""How long MLflow is left alone after it could not be written."""
INTERRUPTED = "interrupted: the driver ended before this run did; the same command makes it again"


def trial_key(number: int) -> str:
    """Return the key of a trial's run."""
    return f"trial-{number:04d}"


def electrode_run(
    key: str, origin: str, recipe: Recipe, home: Home, started: float, ended: float | None, outcome: Outcome | None
) -> ElectrodeRun:
    """Return the run of one electrode, in whatever state it is."""
    failure = outcome if isinstance(outcome, Failed) else None
    measured = outcome if isinstance(outcome, Measured) else None
    electrode = (measured and measured.electrode) or electrode_name(recipe)
    return ElectrodeRun(
        key=key,
        name=key,
        origin=origin,
        status="running" if outcome is None else "failed" if failure else "finished",
        started=started,
        ended=ended,
        params=recipe.flat(),
        metrics=measured.properties | {"wall_s": measured.wall_s} if measured else {},
        tags={
            "input_sha256": electrode,
            "stage": failure.stage if failure else "measurement" if measured else "making",
            "mesoforge.version": __version__,
            "lammps.version": version(),
        },
        failure=failure,
        artifacts=() if outcome is None else portrait_files(home, electrode),
    )


def trial_run(trial: Trial, plan: Plan, home: Home) -> ElectrodeRun:
    """Return the run of one trial."""
    origin = "sample" if plan.kind == "sample" else trial.origin
    key, recipe = trial_key(trial.number), plan.recipe(trial)
    run = electrode_run(key, origin, recipe, home, trial.asked_at, trial.ended_at, trial.outcome)
    kin = {"confirms": trial.confirms, "reuses": trial.reuses}
    tags = {name: trial_key(number) for name, number in kin.items() if number is not None}
    return replace(run, predictions=trial.prediction, tags={**run.tags, **tags})


def campaign_view(plan: Plan, campaign: Campaign, status: Status) -> CampaignView:
    """Return the parent run of a study."""
    study, problem = plan.study, plan.problem
    names = [*problem.space.names, *problem.objectives.outputs]
    shown = [f"{'params' if name in problem.space.names else 'metrics'}.{name}" for name in names]
    checks = [f"metrics.pred/{name}_mean" for name in problem.objectives.outputs]
    flags = [*(["metrics.pareto"] if checks else []), *(["metrics.feasible"] if problem.objectives.limits.each else [])]
    first = campaign.trials[0].asked_at if campaign.trials else time.time()
    sizes = {} if problem.fidelity is None else {"fidelity": size_words(problem.fidelity)}
    params: dict[str, Any] = {"strategy": study.strategy, "seed": study.seed, **sizes} | {
        f"budget.{part}": getattr(problem.budget, part) for part in ("start", "proposed", "confirmations")
    }
    return CampaignView(
        name=study.name,
        note=_note(plan, campaign),
        status=status,
        started=first,
        params=params,
        tags={"study": study.name, "kind": plan.kind, "mesoforge.version": __version__},
        columns=(*shown, *checks, *flags, "tags.origin", "tags.status_detail"),
    )


def _note(plan: Plan, campaign: Campaign) -> str:
    variables = "\n".join(f"- `{one}`" for one in plan.problem.space.variables)
    variables += "".join(f"\n- {words}" for words in tied(plan.problem.space))
    variables += f"\n- {size_words(plan.problem.fidelity)}" if plan.problem.fidelity else ""
    wanted = plan.problem.objectives
    aims = (
        "\n".join(f"- {one}" for one in (*map(aim, wanted.each), *map(str, wanted.limits.each)))
        or "- none: the space is sampled"
    )
    best = [best_words(best_row(one, campaign)) for one in campaign.confirmed()[:1]]
    said = f"**Best confirmed recipe**: {best[0]}\n\n" if best else ""
    said += "".join(f"{words}\n\n" for words in shift_words(campaign.shifts))
    return (
        f"{plan.study.note}\n\n**Aims**\n{aims}\n\n{said}"
        f"**Variables**\n{variables}\n\n"
        "Each child run is one simulated electrode; `pred/...` is what the surrogate foretold before it was made, and "
        "`pred/..._z` by how many standard deviations the physics differed. `origin`: sobol (start), bo (proposed), "
        "confirm (a proposal again, with a new seed), known (made before this study), repeat (a recipe "
        "once more, with a new seed)."
    )


def shift_words(shifts: Mapping[str, tuple[float, float]]) -> list[str]:
    """Say by how much measured electrodes differ from simulated ones, and what that means for the aims."""
    return [
        f"Measured {name} lies {abs(mean):.3g} ± {sd:.1g} {'above' if mean >= 0 else 'below'} the simulated one: "
        f"aims are for measured electrodes, simulated values lack the {mean:+.3g}."
        for name, (mean, sd) in shifts.items()
    ]


def tied(space: Space) -> list[str]:
    """Say in words what ties the variables."""
    follow = [f"{name} = {one}" for name, one in space.derived]
    return [*(one.words for one in space.inequalities), *follow]


def aim(objective: Objective) -> str:
    """Say in words what is wanted of a property."""
    if objective.goal == "match":
        return f"{objective.name} within {objective.tolerance:g} of {objective.target:g}"
    return f"{objective.goal} {objective.name}"


def progress(campaign: Campaign, outcomes: int, *, validate: bool) -> dict[str, float]:
    """Return the campaign's metrics after so many outcomes; with ``validate`` how well the surrogate foretells now."""
    ended = campaign.ended[:outcomes]
    known = [trial.outcome for trial in ended if isinstance(trial.outcome, Measured)]
    metrics = {"n_measured": float(len(known)), "n_failed": float(len(ended) - len(known))}
    if len(campaign.problem.objectives.limits):
        metrics["n_feasible"] = float(len(campaign.feasible(ended)))
    for best in campaign.confirmed(outcomes)[:1]:
        metrics |= {f"best/{name}": value for name, value in zip(_aimed(campaign), best.mean.tolist(), strict=True)}
    if len(campaign.problem.objectives) and known:
        metrics |= {"hypervolume": value} if (value := campaign.hypervolume(outcomes)) is not None else {}
    return metrics | (validation(campaign) if validate and len(known) >= LEAST_TO_VALIDATE else {})


def best_row(best: Confirmed, campaign: Campaign) -> dict[str, Any]:
    """Return a confirmed recipe as plain values: the mean over its new seeds and the spread from seed to seed."""
    objectives = campaign.objectives
    spread = [value if math.isfinite(value) else None for value in best.sd.tolist()]
    columns = zip(objectives.outputs, best.mean.tolist(), spread, strict=True)
    return {
        "trial": trial_key(best.number),
        "values": campaign.trials[best.number].values,
        "seeds": best.seeds,
        "failed": best.failed,
        "properties": {
            name: {"mean": mean, "sd": sd} | ({} if (met := objectives.met(name, mean)) is None else {"within": met})
            for name, mean, sd in columns
        },
    }


def best_words(row: Mapping[str, Any]) -> str:
    """Say in a line what was confirmed of a recipe."""
    found = ", ".join(
        f"{name} {one['mean']:.4g}"
        + ("" if one["sd"] is None else f" ± {one['sd']:.1g}")
        + (" (misses what was asked)" if one.get("within") is False else "")
        for name, one in row["properties"].items()
    )
    seeds = "one new seed" if row["seeds"] == 1 else f"the mean of {row['seeds']} new seeds"
    failed = f" ({row['failed']} more failed)" if row["failed"] else ""
    return f"{row['trial']}, by {seeds}{failed}: {found}"


def _aimed(campaign: Campaign) -> tuple[str, ...]:
    return campaign.problem.objectives.outputs


def validation(campaign: Campaign) -> dict[str, float]:
    """Return leave-one-out R2 and coverage of the 95 % intervals of the surrogate of all trials, by property."""
    from mesoforge.surrogate.gp import GaussianProcess, loo

    fitted = campaign.surrogate() if len(campaign.problem.objectives) else None
    if not isinstance(fitted, GaussianProcess):
        return {}
    found = loo(fitted)
    return finite(
        {f"loo/r2/{name}": value for name, value in found.r2.items()}
        | {f"loo/coverage95/{name}": value for name, value in found.coverage95.items()}
    )


@dataclass
class Follower:
    """Writes a campaign's progress to MLflow as it happens; a view that cannot be written never stops the physics.

    MLflow is then left alone for a while, and what it missed is written at the end or by a sync.
    """

    plan: Plan
    campaign: Campaign
    home: Home
    tracking_uri: str | None = None
    complain: Callable[[str], None] = lambda _: None
    _tracker: Tracker | None = field(default=None, init=False)
    _written: int = field(default=0, init=False)
    _validated: float = field(default=0.0, init=False)
    _validating_s: float = field(default=0.0, init=False)
    _paused_until: float = field(default=0.0, init=False)
    _complaints: set[str] = field(default_factory=set, init=False)

    def begin(self) -> None:
        """Write what the journal already holds, and mark what a dead driver left running."""
        self._write_whole("running")
        if self._tracker is not None:
            self._try(self._tracker.mark_interrupted)

    def __call__(self, trial: Trial) -> None:
        """Write one trial, and the campaign's progress if it has ended."""
        if self._tracker is None:  # MLflow was away when the study began
            self.begin()
        self._try(lambda: self._under().record(trial_run(trial, self.plan, self.home)))
        if not trial.pending:
            last = len(self.campaign.ended)  # several may have ended since this was last told
            for count in range(min(self._written, last - 1) + 1, last + 1):
                self._try(lambda n=count: self._write_progress(n, validate=n == last and self._may_validate))  # type: ignore[misc]

    def finish(self, status: Status, winner: str | None) -> None:
        """Write all of it once more, with the best marked, and end the parent run."""
        self._paused_until = 0.0
        self._write_whole(status)
        tags = {"phase": self.campaign.phase} | ({"winner": winner} if winner else {})
        last = max((trial.ended_at or 0.0 for trial in self.campaign.ended), default=None)
        folder = self.home.study(self.plan.study.name)
        files = [path for path in sorted(folder.glob("*")) if path.suffix in (".png", ".html", ".md", ".json", ".yaml")]
        self._try(lambda: self._under().campaign_artifacts(files))
        if (table := folder / "trials.csv").exists():
            self._try(lambda: self._under().campaign_data(table))
        self._try(lambda: self._under().finish_campaign(status, tags, last))

    def _write_whole(self, status: Status) -> None:
        """Write all that there is, as long as MLflow takes it."""
        for step in self._whole(status):
            self._try(step)
            if self._paused:
                return

    def _whole(self, status: Status) -> Iterator[Callable[[], object]]:
        best = {trial.number for trial in self.campaign.pareto()} if self.campaign.problem.objectives.names else set()
        limited = len(self.campaign.problem.objectives.limits)
        feasible = {trial.number for trial in self.campaign.feasible()} if limited else None
        yield lambda: self._open().campaign(campaign_view(self.plan, self.campaign, status))
        for trial in self.campaign.trials:
            run = trial_run(trial, self.plan, self.home)
            if best and isinstance(trial.outcome, Measured):
                run = replace(run, pareto=trial.number in best)
            if feasible is not None and isinstance(trial.outcome, Measured):
                run = replace(run, feasible=trial.number in feasible)
            if trial.pending and status != "running":
                run = replace(run, status="interrupted", tags={**run.tags, "status_detail": INTERRUPTED})
            yield lambda run=run: self._under().record(run)  # type: ignore[misc]
        last = len(self.campaign.ended)
        for count in range(1, last + 1):
            yield lambda n=count: self._write_progress(n, validate=n == last)  # type: ignore[misc]

    def _write_progress(self, count: int, *, validate: bool) -> None:
        began, self._written = time.monotonic(), count
        metrics = progress(self.campaign, count, validate=validate)
        if validate:
            give_back()
            self._validated = time.monotonic()
            self._validating_s = self._validated - began
        self._under().campaign_metrics(count, metrics, self.campaign.ended[count - 1].ended_at)

    @property
    def _may_validate(self) -> bool:
        """Whether it is time to validate the surrogate again: where that takes long, for a small share of the time."""
        return self._validating_s < QUICK_S or time.monotonic() - self._validated > self._validating_s / SHARE

    def _open(self) -> Tracker:
        if self._tracker is None:
            self._tracker = Tracker(self.home.root, self.plan.study.name, self.tracking_uri)
        return self._tracker

    def _under(self) -> Tracker:
        """Return the tracker with the parent run there: MLflow may have been away when that was written first."""
        tracker = self._open()
        if not tracker.begun:
            tracker.campaign(campaign_view(self.plan, self.campaign, "running"))
        return tracker

    @property
    def _paused(self) -> bool:
        return time.monotonic() < self._paused_until

    def _try(self, step: Callable[[], object]) -> None:
        if self._paused:
            return
        try:
            step()
        except TrackingError as error:
            self._paused_until = time.monotonic() + PAUSE_S
            if str(error) not in self._complaints:
                self.complain(str(error))
            self._complaints.add(str(error))
