"""What is kept of studies: how large it is, whether it is whole, what may go, and how it is taken elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments import drive as driving
from mesoforge.experiments import pool as pools
from mesoforge.experiments import view
from mesoforge.experiments.archive import MANIFEST, archive, restore
from mesoforge.experiments.cli import status_of
from mesoforge.experiments.drive import kept_campaign, kept_plan, resumed_plan, sync
from mesoforge.experiments.home import Home
from mesoforge.experiments.keeping import prune_store, referenced, store_usage, verify_store
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.references import refer
from mesoforge.experiments.runner import Work
from mesoforge.experiments.study import Plan
from mesoforge.experiments.tracking import TrackingError
from mesoforge.optimize.journal import Journal
from mesoforge.physics.manufacture import STAGES, identity
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import RESULT, Store, digest

SAMPLE = {"strategy": "sobol", "budget": {"start": 2}}
Json = dict[str, Any]


@contextmanager
def no_mlflow() -> Iterator[None]:
    """Let MLflow be away, and trials run in this process."""

    def away(*_: object) -> None:
        raise TrackingError("away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "Tracker", away)
        patch.setattr(pools, "local_pool", lambda _: nullcontext(HerePool()))
        yield


def again(plan: Plan, home: Home, work: Work = toys.stumble) -> Json:
    """Drive a study without MLflow."""
    with no_mlflow():
        return driving.drive(plan, home, lambda _: lambda _: None, lambda _: None, work)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a study whose electrodes have all their stages."""
    home = Home(tmp_path_factory.mktemp("built"))
    assert again(toys.plan("sample", **SAMPLE), home, toys.make_in_stages)["measured"] == 2
    for folder in home.store.glob("*/*/"):
        if folder.parent.name in STAGES:
            (folder / "final.dump").write_text("beads\n" * 100, encoding="utf-8")
            record = json.loads((folder / RESULT).read_text(encoding="utf-8"))
            record["files"]["final.dump"] = toys.sha256(folder / "final.dump")
            (folder / RESULT).write_text(json.dumps(record), encoding="utf-8")
    return home


@pytest.fixture
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of MLflow."""
    return toys.template(tmp_path_factory)


@pytest.fixture
def kept(built: Home, tmp_path: Path) -> Home:
    """A copy of that home."""
    shutil.copytree(built.root, tmp_path / "home", copy_function=shutil.copy)
    return Home(tmp_path / "home")


def electrode_of(seed: int) -> str:
    """Return the hash of the default recipe's electrode of a seed."""
    return digest(identity(Recipe().with_values({"seed": seed}))["measurement"])


def stray(home: Home, seed: int = 99) -> Path:
    """Make the stages of an electrode that no study has; return the folder of one."""
    made = Recipe().with_values({"seed": seed})
    toys.make_in_stages(made.model_dump(mode="json"), str(home.root))
    return Store(home.store).folder("slurry", digest(identity(made)["slurry"]))


def age(*paths: Path) -> None:
    """Let files be as old as last week's."""
    for path in paths:
        os.utime(path, (0, 0))


def test_usage_counts_stages_and_bytes(kept: Home) -> None:
    parts = store_usage(kept)["parts"]
    assert {stage: parts[stage]["count"] for stage in STAGES} == dict.fromkeys(STAGES, 2)
    assert parts["working files"] == {"count": 10, "bytes": 6000}
    whole = sum(path.stat().st_size for path in kept.store.glob("*/*/*"))
    assert sum(parts[stage]["bytes"] for stage in STAGES) == whole


def cut(folder: Path) -> None:
    """Leave half of a file."""
    file = folder / "made.txt"
    file.write_bytes(file.read_bytes()[:-2])


def move(folder: Path) -> None:
    """Give a stage another stage's name."""
    folder.replace(folder.with_name("0" * 64))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "made.txt is not as it was written"),
        (lambda folder: (folder / "made.txt").unlink(), "made.txt is absent"),
        (lambda folder: (folder / RESULT).write_text("{", encoding="utf-8"), "result.json is absent or no record"),
        (move, "its name is not the hash of its inputs"),
    ],
)
def test_damage_is_found_named_and_removed(kept: Home, harm: Callable[[Path], object], words: str) -> None:
    assert verify_store(kept, remove=False)["damaged"] == []
    harm(next((kept.store / "drying").iterdir()))
    (found,) = verify_store(kept, remove=True)["damaged"]
    assert (found["stage"], found["damage"]) == ("drying", words)
    assert verify_store(kept, remove=False)["damaged"] == []
    assert len(list((kept.store / "drying").iterdir())) == 1


def test_verify_exits_with_1_where_something_is_damaged(kept: Home, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["store", "verify", "--home", str(kept.root)]
    assert status_of(words) == 0
    cut(next((kept.store / "slurry").iterdir()))
    assert status_of(words) == 1
    assert "made.txt is not as it was written" in capsys.readouterr().out


def test_working_files_go_and_states_stay_whole(kept: Home) -> None:
    plan = toys.plan("sample", **SAMPLE)
    before = prune_store(kept, working=True, unreferenced=False, dry_run=True)["parts"]
    assert before["working files"] == {"count": 10, "bytes": 6000}
    assert len(list(kept.store.rglob("*.dump"))) == 10, "a dry run removes nothing"
    assert prune_store(kept, working=True, unreferenced=False, dry_run=False)["parts"] == before
    assert list(kept.store.rglob("*.dump")) == []
    assert verify_store(kept, remove=False)["damaged"] == []
    made = toys.stages_made(kept.root)
    for trial in kept_campaign(plan, kept).trials:
        toys.make_in_stages(plan.recipe(trial).model_dump(mode="json"), str(kept.root))
    assert toys.stages_made(kept.root) == made, "what was slimmed is found, not made again"


def test_what_a_study_refers_to_is_never_pruned(kept: Home) -> None:
    folder = stray(kept)
    age(*kept.store.glob("*/*"))
    assert folder not in referenced(kept, "toy")
    assert len(referenced(kept, "toy")) == 10
    prune_store(kept, working=False, unreferenced=True, dry_run=False)
    assert not folder.exists()
    assert len(list(kept.store.glob("*/*/result.json"))) == 10


def test_what_was_made_today_may_be_under_way_and_stays(kept: Home) -> None:
    folder = stray(kept)
    prune_store(kept, working=False, unreferenced=True, dry_run=False)
    assert folder.exists()


def test_leavings_go_when_they_are_old(kept: Home) -> None:
    old, young = (kept.store / "failed" / name for name in ("slurry-old", "slurry-young"))
    for path in (old, young):
        path.mkdir(parents=True)
    age(old)
    prune_store(kept, working=False, unreferenced=False, dry_run=False)
    assert (old.exists(), young.exists()) == (False, True)


def calibrated(home: Home) -> Path:
    """Leave a calibration with one set that was measured, and return its folder."""
    folder = home.calibration("mine")
    for event in (
        {"event": "calibration", "name": "mine"},
        {"event": "ask", "number": 0},
        {"event": "tell", "number": 0},
    ):
        Journal(folder / "journal.jsonl").append(event)
    return folder


def refined(home: Home, said: Json) -> Path:
    """Leave a refinement's verdict, and return its folder."""
    folder = home.root / "converge" / "0123456789ab"
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def test_what_a_calibration_or_a_refinement_rests_on_is_never_pruned(kept: Home) -> None:
    slurry, other = stray(kept), stray(kept, seed=100)
    refer(calibrated(kept), 0, [slurry.name])
    refined(kept, {"electrodes": [electrode_of(seed=100)]})
    free = stray(kept, seed=101)
    age(*kept.store.glob("*/*"))
    prune_store(kept, working=False, unreferenced=True, dry_run=False)
    assert (slurry.exists(), other.exists(), free.exists()) == (True, True, False)
    left = Counter(path.parent.parent.name for path in kept.store.glob("*/*/result.json"))
    assert left == {"packing": 4, "slurry": 4, "drying": 3, "calendering": 3, "measurement": 3}, (
        "a slurry needs no more"
    )


@pytest.mark.parametrize(
    "leave", [calibrated, lambda home: refined(home, {"rows": []})], ids=["calibration", "verdict"]
)
def test_work_of_an_older_version_that_names_no_stages_keeps_all_of_them(
    kept: Home, leave: Callable[[Home], Path]
) -> None:
    folder, slurry = leave(kept), stray(kept)
    age(*kept.store.glob("*/*"))
    with pytest.raises(InputError, match=rf"^'{folder}' holds work that does not name its stages, of an older version"):
        prune_store(kept, working=False, unreferenced=True, dry_run=False)
    assert slurry.exists()


# Archives


def truth(home: Home) -> dict[str, bytes]:
    """Return all files that a study has, but for the driver's lock."""
    tops = ("studies", "store")
    files = [path for top in tops for path in (home.root / top).rglob("*") if path.is_file()]
    return {path.relative_to(home.root).as_posix(): path.read_bytes() for path in files if path.name != "driver.lock"}


@pytest.fixture
def packed(kept: Home, tmp_path: Path) -> Path:
    """The archive of that study."""
    path = tmp_path / "toy.zip"
    archive(kept, "toy", path, stages=True)
    return path


def test_a_study_that_was_archived_and_restored_is_the_same_and_goes_on(
    kept: Home, packed: Path, tmp_path: Path, template: Path
) -> None:
    new = Home(tmp_path / "elsewhere")
    assert restore(new, packed)["study"] == "toy"
    shutil.copy(template, new.root)
    assert truth(new) == truth(kept)
    assert verify_store(new, remove=False)["damaged"] == []
    assert sync(new, "toy") == 2
    assert again(kept_plan(new, "toy"), new)["measured"] == 2, "nothing is made again"
    with zipfile.ZipFile(packed) as opened, opened.open("trials.parquet") as file:
        table = pd.read_parquet(file)
    assert table["porosity"].tolist() == pytest.approx(
        [one.outcome.properties["porosity"] for one in kept_campaign(kept_plan(kept, "toy"), kept).measured]  # type: ignore[union-attr]
    )


def test_an_archive_without_stages_holds_the_results(kept: Home, tmp_path: Path) -> None:
    archive(kept, "toy", tmp_path / "small.zip", stages=False)
    new = Home(tmp_path / "elsewhere")
    restore(new, tmp_path / "small.zip")
    assert not new.store.exists()
    assert len(kept_campaign(kept_plan(new, "toy"), new).measured) == 2


def test_neither_a_study_nor_an_archive_is_written_over(kept: Home, packed: Path) -> None:
    before = truth(kept)
    with pytest.raises(InputError, match=r"there is a study 'toy' in .* already: restore into another --home"):
        restore(kept, packed)
    with pytest.raises(InputError, match=r"is there already: give another name, or remove it"):
        archive(kept, "toy", packed, stages=True)
    assert truth(kept) == before


def test_a_study_that_is_being_driven_is_not_archived(kept: Home, tmp_path: Path) -> None:
    with kept.only_driver("toy"), pytest.raises(InputError, match=f"being driven by process {os.getpid()} on "):
        archive(kept, "toy", tmp_path / "busy.zip", stages=True)
    assert not (tmp_path / "busy.zip").exists()


def rewritten(path: Path, change: Callable[[Json, dict[str, bytes]], object]) -> Path:
    """Write an archive anew with manifest and files changed."""
    with zipfile.ZipFile(path) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    about = json.loads(files.pop(MANIFEST))
    change(about, files)
    bad = path.with_name("bad.zip")
    with zipfile.ZipFile(bad, "w") as written:
        for name, content in files.items():
            written.writestr(name, content)
        written.writestr(MANIFEST, json.dumps(about))
    return bad


def plant(name: str) -> Callable[[Json, dict[str, bytes]], None]:
    """Return what adds a file under a name to an archive, properly entered."""

    def change(about: Json, files: dict[str, bytes]) -> None:
        files[name] = b"evil"
        about["files"][name] = {"sha256": toys.sha256_of(b"evil"), "bytes": 4}

    return change


def spoil(about: Json, files: dict[str, bytes]) -> None:
    """Change one byte of a journal."""
    name = next(one for one in files if one.endswith("journal.jsonl"))
    files[name] = files[name].replace(b"ask", b"aks", 1)


def swell(about: Json, files: dict[str, bytes]) -> None:
    """Let a file be longer than its manifest says."""
    files[next(one for one in files if one.endswith("journal.jsonl"))] += b" " * 10**6


BAD: list[Any] = [
    pytest.param(plant("../evil.txt"), "names '../evil.txt', which is outside", id="above"),
    pytest.param(plant("/tmp/evil.txt"), "names '/tmp/evil.txt', which is outside", id="absolute"),  # noqa: S108
    pytest.param(plant("studies/../../evil.txt"), "which is outside", id="through a study"),
    pytest.param(plant("store\\..\\evil.txt"), "which is outside", id="with backslashes"),
    pytest.param(plant("mlflow.db"), "names 'mlflow.db', which is outside", id="the database"),
    pytest.param(spoil, "is not as it was written: copy the archive again", id="a changed byte"),
    pytest.param(swell, "is not as it was written", id="a file that swells"),
    pytest.param(lambda about, files: files.clear(), "the archive lacks", id="files gone"),
    pytest.param(lambda about, files: about.pop("files"), "is no archive of this version", id="no list"),
    pytest.param(lambda about, files: about.update(format=2), "is no archive of this version", id="of the future"),
    pytest.param(lambda about, files: about.update(study="../x"), "The study's name came as", id="a name with dots"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_a_bad_archive_leaves_nothing_behind(
    packed: Path, tmp_path: Path, change: Callable[[Json, dict[str, bytes]], object], words: str
) -> None:
    bad, new = rewritten(packed, change), tmp_path / "deep" / "elsewhere"
    with pytest.raises(InputError) as refused:
        restore(Home(new), bad)
    assert words in str(refused.value)
    assert list(new.rglob("*")) == []
    assert not list(tmp_path.rglob("evil.txt"))


def test_an_archive_that_holds_a_link_is_refused(packed: Path, tmp_path: Path) -> None:
    bad = rewritten(packed, lambda about, files: plant("store/slurry/x/link")(about, {}))
    with zipfile.ZipFile(bad, "a") as opened:
        link = zipfile.ZipInfo("store/slurry/x/link")
        link.external_attr = 0o120777 << 16
        opened.writestr(link, "evil")
    with pytest.raises(InputError, match=r"'store/slurry/x/link' in the archive is no file: do not trust it"):
        restore(Home(tmp_path / "elsewhere"), bad)


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_archive_is_said_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read the archive '.*x.zip'"):
        restore(Home(tmp_path), tmp_path / "x.zip")


# Going on


def test_a_study_is_gone_on_with_by_its_name_alone(kept: Home) -> None:
    plan = resumed_plan(kept, "toy", {"workers": 7, "where": {"kind": "slurm", "queue": "q"}})
    assert (plan.study.workers, plan.study.where.queue) == (7, "q")
    assert again(resumed_plan(kept, "toy", {}), kept)["measured"] == 2
    with pytest.raises(InputError, match=r"there is no study 'other' in .* to go on with: use one of toy, or another"):
        resumed_plan(kept, "other", {})


def test_a_study_that_changed_since_it_began_is_told_what_changed_and_offered_a_name(kept: Home) -> None:
    changed = toys.plan("sample", **SAMPLE, seed=5)
    words = "holds another problem: seed was 1 and is now 5; .*: 'name: toy-2' in the study or --name toy-2 is free"
    with pytest.raises(InputError, match=words):
        again(changed, kept)
    shutil.copytree(kept.study("toy"), kept.study("toy-2"))
    with pytest.raises(InputError, match=r"--name toy-3 is free"):
        again(changed, kept)


def test_a_home_that_cannot_be_written_is_met_before_anything_is_simulated() -> None:
    read_only = Path("/proc/self")  # not even root writes there
    with pytest.raises(InputError, match=r"nothing can be written in the home folder '/proc/self' .*give another with"):
        again(toys.plan("sample", **SAMPLE), Home(read_only))
