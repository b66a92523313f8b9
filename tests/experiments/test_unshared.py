"""Workers that do not share the home folder: stages and pictures go by a store elsewhere, numbers come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments import view
from mesoforge.experiments.cluster import Checked, Demand, pool_at
from mesoforge.experiments.drive import drive, kept_campaign
from mesoforge.experiments.home import Home
from mesoforge.experiments.keeping import store_usage, verify_store
from mesoforge.experiments.tracking import TrackingError
from mesoforge.experiments.unshared import Unshared, fetched
from mesoforge.experiments.where import Where
from mesoforge.experiments.work import electrode_name
from mesoforge.experiments.workers import MARK, marked, report
from mesoforge.optimize.trial import Failed
from mesoforge.physics.manufacture import STAGES
from mesoforge.physics.remote import Remote, RemoteError

PLAN: dict[str, Any] = {
    "design": "list",
    "points": [
        {"calendering.pressure": 20, "formulation.active_material": 0.95},
        {"calendering.pressure": 80, "formulation.active_material": 0.95},
        {"calendering.pressure": 80, "formulation.active_material": 0.968},
    ],
    "seeds": "shared",
    "strategy": "sobol",
    "budget": {},
    "workers": 1,
}


@pytest.fixture(autouse=True)
def no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow be away."""

    def away(*_: object) -> None:
        raise TrackingError("away")

    monkeypatch.setattr(view, "Tracker", away)


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder in which a study was driven whose workers had a folder of their own; and what was complained of."""
    root, said = tmp_path_factory.mktemp("driven"), list[str]()
    where = {"kind": "local", "store": f"file://{root}/elsewhere", "scratch": f"{root}/worker"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "Tracker", _away)
        plan = toys.plan("sample", **PLAN, where=where)
        drive(plan, Home(root / "home"), lambda _: lambda _: None, said.append, toys.make_with_pictures)
    return root, said


def _away(*_: object) -> None:
    raise TrackingError("away")


def test_numbers_come_back_and_stages_stay_with_the_workers_and_elsewhere(driven: tuple[Path, list[str]]) -> None:
    root, said = driven
    home = Home(root / "home")
    campaign = kept_campaign(toys.plan("sample", **PLAN), home)
    assert [isinstance(trial.outcome, Failed) for trial in campaign.trials] == [False, False, True]
    assert [parts["count"] for name, parts in store_usage(home)["parts"].items() if name in STAGES] == []
    made = toys.stages_made(root / "worker")
    assert (made["slurry"], made["calendering"]) == (2, 3), "one slurry for both pressures"
    assert len(list((root / "elsewhere" / "store").glob("*/*/files.json"))) == made.total()
    assert not any("pictures" in words for words in said)


def test_pictures_come_here_by_themselves_also_of_what_failed(driven: tuple[Path, list[str]]) -> None:
    home, plan = Home(driven[0] / "home"), toys.plan("sample", **PLAN)
    for trial in kept_campaign(plan, home).trials:
        folder = home.portrait(electrode_name(plan.recipe(trial)))
        assert (folder / "view.png").read_bytes() == b"picture"


def test_stages_are_fetched_when_they_are_wanted_and_once(driven: tuple[Path, list[str]]) -> None:
    root, _ = driven
    home, made = Home(root / "home"), toys.stages_made(root / "worker").total()
    assert fetched(home, "toy") == {"url": f"file://{root}/elsewhere", "stages": made, "portraits": 0}
    assert fetched(home, "toy")["stages"] == 0
    assert verify_store(home, remove=False) == {"stages": made, "damaged": [], "removed": False}


def test_a_home_without_a_place_elsewhere_has_nothing_to_fetch(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    drive(toys.plan("sample", **PLAN), home, lambda _: lambda _: None, lambda _: None, toys.make)
    with pytest.raises(InputError, match=r"has no place elsewhere to fetch from: give where.store to a study\.$"):
        fetched(home, "toy")


def test_a_worker_whose_store_elsewhere_is_away_says_that_the_machine_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RemoteError("memory://x cannot be used (OSError: away)")

    monkeypatch.setattr(Remote, "push", fail)
    value = Unshared(toys.make_in_stages, "memory://x", str(tmp_path / "w"))(toys.recipe(), "/nowhere")
    assert value == {
        "kind": "infrastructure",
        "stage": "store",
        "reason": "memory://x cannot be used (OSError: away)",
    }


def test_a_worker_is_let_in_by_the_mark_in_the_store_elsewhere(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/elsewhere"
    Remote(url).write(MARK, (marked(tmp_path / "home") / MARK).read_text(encoding="utf-8"))
    assert report(url)["home"] == report(str(tmp_path / "home"))["home"] != ""
    assert report("memory://other")["home"] == ""

    class Answers:
        def run(self, *_: object, workers: list[str]) -> dict[str, dict[str, str]]:
            return {workers[0]: report("memory://other")}

    refusal = Checked(Answers(), url).refusal("tcp://x:1")
    assert refusal == f"it does not see the store '{url}'"


def test_a_store_that_cannot_be_written_is_met_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    where = Where(store=f"file://{tmp_path}/file/store")
    with (
        pytest.raises(
            InputError,
            match=r"^nothing can be written at where\.store: .*correct the URL, or the environment's secrets",
        ),
        pool_at(where, Demand(1, 1, tmp_path / "home")),
    ):
        pass


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"scratch": "/tmp/x"}, "the scratch folder is '/tmp/x' but must be a path from / on, with a 'store'"),  # noqa: S108
        ({"scratch": "x", "store": "memory://x"}, "the scratch folder is 'x' but must be a path from / on"),
        ({"store": "nowhere://x"}, "nothing is known that stores at nowhere://"),
        ({"store": "/data"}, "'/data' is no place for a store: give a URL"),
    ],
)
def test_bad_settings_are_refused(said: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Where.from_mapping(said)
