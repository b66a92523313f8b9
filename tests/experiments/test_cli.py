"""The command line: exit statuses, one sentence for an error, nothing written for wrong input, Ctrl-C in seconds."""

from __future__ import annotations

import functools
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import toys
import yaml

from mesoforge.experiments import drive as driving
from mesoforge.experiments import pool as pools
from mesoforge.experiments import view
from mesoforge.experiments.cli import status_of
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.tracking import TrackingError
from mesoforge.physics.recipe import Recipe

VERBS = (
    "make",
    "viscosity",
    "crush",
    "recipe",
    "forcefield",
    "converge",
    "optimize",
    "sample",
    "status",
    "sync",
    "dashboard",
    "measure",
    "compare",
    "init",
    "validate",
    "schema",
    "fields",
    "doctor",
    "completion",
    "report",
    "export",
    "discharge",
    "resume",
    "store",
    "archive",
    "restore",
)
PATIENCE_S = 120.0
MARK = "MESOFORGE_TEST_RUN"
SMALL = {"side": 10, "mass_loading": 2.5}
WRONG: list[Any] = [
    pytest.param(
        ["--set", "formulation.active_material=0.7", "--set", "formulation.carbon=0.4"],
        "active_material + carbon + binder is 1.12 but must be 1: correct one of the three fractions.",
        id="fractions above 1",
    ),
    pytest.param(
        ["--set", "calendering.compression=1.2"],
        "'calendering.compression' is 1.2 but must be less than 0.7: correct it.",
        id="compression of 1.2",
    ),
    pytest.param(["--set", "drying.heat=1"], "'drying.heat' is not an input of a recipe: use one of", id="unknown key"),
    pytest.param(["--set", "drying"], "--set is 'drying' but must be NAME=VALUE", id="no value"),
    pytest.param(["--set", "drying.pressure=[1"], "its value must be a number or a word: correct it.", id="no YAML"),
    pytest.param(["--set", "drying.pressure=high"], "'drying.pressure' is 'high' but must be", id="word for a number"),
    pytest.param(["--set", "force_field=lfp"], "'lfp' is no shipped force field: use", id="unknown force field"),
    pytest.param(["away.yaml"], "cannot read 'away.yaml' (No such file or directory)", id="missing file"),
    pytest.param(["--set", "volume.side=4"], "raise volume.side to 5 um or more.", id="volume with no particle"),
    pytest.param(["--seed", "-1"], "'seed' is -1 but must be greater than or equal to 0", id="negative seed"),
]


def lines(text: str) -> list[str]:
    """Return the lines of an error message."""
    return text.rstrip("\n").split("\n")


def everything(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder with their content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_study(folder: Path, **changes: object) -> Path:
    """Write the toy study as a sample, which needs no surrogate."""
    path = folder / "study.yaml"
    study = {**toys.STUDY, "strategy": "sobol", "budget": {"start": 3}, **changes}
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let toys be made in this process, and MLflow be away."""

    def away(*_: object) -> None:
        raise TrackingError("MLflow is away")

    monkeypatch.setattr(view, "Tracker", away)
    monkeypatch.setattr(pools, "local_pool", lambda _: nullcontext(HerePool()))
    monkeypatch.setattr(driving, "drive", functools.partial(driving.drive, work=toys.make_weak))


# Help and exit statuses


def lines_of(text: str) -> list[tuple[int, int]]:
    """Return where each line of a text begins and ends."""
    ends = list(itertools.accumulate(len(line) for line in text.splitlines(keepends=True)))
    return list(itertools.pairwise([0, *ends]))


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Usage: mesoforge {verb} [OPTIONS]")
    assert len(said.splitlines()) > 4
    assert "\\b" not in said
    assert max(said.count(f"mesoforge {verb}", *span) for span in lines_of(said)) == 1, "each example has a line"


def test_examples_of_a_group_stand_on_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["forcefield", "show", "--help"]) == 0
    examples = [line for line in capsys.readouterr().out.splitlines() if "  mesoforge " in line]
    assert [line.count("mesoforge ") for line in examples] == [1, 1]


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["-h"]) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {verb} " in said for verb in VERBS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mesoforge, version ")


@pytest.mark.parametrize(
    "words",
    [[], ["invent"], ["make", "--colour", "red"], ["optimize"], ["optimize", "s.yaml", "--workers", "0"]],
    ids=["no verb", "unknown verb", "unknown option", "no study", "no workers"],
)
def test_a_wrong_line_is_status_2_and_says_how_it_goes(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(words) == 2
    came = capsys.readouterr()
    assert "Usage: mesoforge" in came.err + came.out


def test_failed_physics_is_status_1_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = {"kind": "unstable", "stage": "drying", "reason": "a position is not a number"}
    monkeypatch.setattr(driving, "make", lambda *_: failure)
    assert status_of(["make", "--home", str(tmp_path), "--json"]) == 1
    (said,) = lines(capsys.readouterr().err)
    assert said.startswith(
        "Error: the electrode failed in drying (unstable): a position is not a number; see its files"
    )
    assert f"'{tmp_path / 'portraits'}" in said


@pytest.mark.parametrize(
    ("raised", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "Stopped; the same command goes on from here."),
        (ZeroDivisionError("a mistake"), 1, "Error: ZeroDivisionError: a mistake (mesoforge --debug shows where)"),
    ],
    ids=["Ctrl-C", "mistake"],
)
def test_what_is_raised_becomes_a_status_and_a_sentence(
    raised: BaseException,
    status: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(driving, "make", fail)
    assert status_of(["make", "--home", str(tmp_path), "--json"]) == status
    assert capsys.readouterr().err.lstrip("\n") == f"{words}\n"


def test_debug_shows_the_traceback_wherever_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--debug", "make", "away.yaml"], ["make", "away.yaml", "--debug"]):
        assert status_of(words) == 2
        said = capsys.readouterr().err
        assert "Traceback (most recent call last):" in said
        assert lines(said)[-1].startswith("Error: cannot read 'away.yaml'")


def test_the_installed_command_passes_its_status_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    installed = [str(Path(sys.executable).parent / "mesoforge"), "make", "away.yaml", "--home", str(home)]
    came = subprocess.run(installed, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (came.returncode, came.stdout) == (2, "")
    assert came.stderr == (
        "Error: cannot read 'away.yaml' (No such file or directory): give the path of a YAML file.\n"
    )
    assert not home.exists()


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{Path(sys.executable).parent / 'mesoforge'} recipe | head -n 1"
    came = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (came.stdout.count("\n"), came.stderr) == (1, "")


# Wrong input


@pytest.mark.parametrize(("words", "sentence"), WRONG)
def test_a_wrong_recipe_is_status_2_one_sentence_and_nothing_written(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_of(["make", *words, "--home", "home"]) == 2
    (said,) = lines(capsys.readouterr().err)
    assert said.startswith("Error: ")
    assert sentence in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["make", "optimize"])
def test_a_store_of_another_version_is_refused_untouched(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    (home / "store").mkdir(parents=True)
    (home / "store" / "store.json").write_text('{"format": 99}', encoding="utf-8")
    before = everything(home)
    words = [] if verb == "make" else [str(write_study(tmp_path))]
    assert status_of([verb, *words, "--home", str(home)]) == 2
    (said,) = lines(capsys.readouterr().err)
    assert (
        f"the store '{home / 'store'}' has format 99 but this version reads up to format 2: use another folder" in said
    )
    assert everything(home) == before


def test_a_wrong_study_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_study(tmp_path, objectives={"beauty": "maximize"})
    assert status_of(["optimize", str(path), "--home", str(tmp_path / "home")]) == 2
    said = lines(capsys.readouterr().err)[0]
    assert said.startswith(f"Error: {path}:12: objective 'beauty' is not a property")
    assert status_of(["optimize", str(path), "--budget", "6+6", "--home", str(tmp_path / "home")]) == 2
    assert "must be three whole numbers like 6+6+2" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("words", [["status", "toy"], ["sync", "toy"]], ids=["status", "sync"])
def test_a_study_that_is_not_there_is_named_with_those_that_are(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert status_of([*words, "--home", str(home)]) == 2
    assert f"there is no study 'toy' in '{home}': use one of none yet, or another --home." in capsys.readouterr().err
    assert not home.exists()


# Results


def test_the_recipe_that_is_printed_is_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["recipe"]) == 0
    printed = capsys.readouterr().out
    assert Recipe.from_mapping(yaml.safe_load(printed)) == Recipe()
    settings = [line for line in printed.splitlines()[1:] if not line.split("  #")[0].endswith(":")]
    assert all("  # " in line and not line.endswith("None") for line in settings), "each setting says what it is"


def test_a_force_field_is_shown_with_what_its_values_rest_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "soft.yaml"
    path.write_text("friction: 0.3\n", encoding="utf-8")
    assert status_of(["forcefield", "show", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in shown["parameters"]}
    assert shown["name"] == "soft"
    assert (rows["friction"]["value"], rows["friction"]["basis"]) == (0.3, "given")
    assert (rows["adhesion"]["value"], rows["adhesion"]["unit"], rows["adhesion"]["basis"]) == (2000, "mJ/m2", "fitted")
    assert status_of(["forcefield", "show"]) == 0
    said = capsys.readouterr().out
    assert "Force field nmc111" in said
    assert all(name in said for name in rows)


@pytest.mark.parametrize(
    ("given", "words"),
    [("lfp", "'lfp' is no shipped force field: use one of nmc111"), ("away.yaml", "cannot read 'away.yaml'")],
)
def test_a_force_field_that_is_not_there_is_wrong_input(
    given: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(["forcefield", "show", given]) == 2
    assert words in capsys.readouterr().err


def test_a_study_prints_json_alone_and_its_status_is_the_same(
    tmp_path: Path, toy: None, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home"), "--json"]
    assert status_of(["optimize", str(write_study(tmp_path)), *home]) == 0
    came = capsys.readouterr()
    found = json.loads(came.out, parse_constant=pytest.fail)
    assert (found["phase"], found["measured"] + len(found["failed"])) == ("done", 3)
    assert came.err == "Note: MLflow is away\n"
    assert status_of(["status", "toy", *home]) == 0
    assert json.loads(capsys.readouterr().out) == found
    assert status_of(["status", *home]) == 0
    assert json.loads(capsys.readouterr().out) == {"studies": ["toy"]}


def test_a_study_prints_its_trials_its_findings_and_where_to_look(
    tmp_path: Path, toy: None, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    study = write_study(tmp_path, budget={"start": 2, "proposed": 1, "confirmations": 1})
    assert status_of(["optimize", str(study), "--home", str(home)]) == 0
    came = capsys.readouterr()
    assert f"failed in calendering: {toys.REASON}" in came.err.replace("\n", " ").replace("  ", " ")
    joined = came.out.replace("\n", "")
    for words in (
        "toy (done): 3 measured, 1 failed, 0 pending",
        "Pareto set",
        "Prediction against physics",
        toys.REASON,
    ):
        assert words in joined
    assert f"mesoforge dashboard --study toy --home {home}" in joined


def test_a_study_that_goes_on_says_so(tmp_path: Path, toy: None, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["sample", str(write_study(tmp_path)), "--home", str(tmp_path / "home")]
    assert status_of([*line, "--budget", "2+0+0"]) == 0
    capsys.readouterr()
    assert status_of(line) == 0
    assert "Going on with toy: 2 of 3 are done." in capsys.readouterr().err


# Ctrl-C


def marked(mark: str) -> list[int]:
    """Return the processes that a marked one started, however far down, and itself."""
    import psutil  # type: ignore[import-untyped]

    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
    """Wait for a condition; whether it came true in time."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def test_ctrl_c_stops_real_simulations_within_seconds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    study, home, mark = write_study(tmp_path, recipe={"volume": SMALL}), tmp_path / "home", uuid.uuid4().hex
    command = [str(Path(sys.executable).parent / "mesoforge"), "sample", str(study), "--home", str(home)]
    with (tmp_path / "said.txt").open("w+", encoding="utf-8") as said:
        driver = subprocess.Popen(
            command,
            stdout=said,
            stderr=said,
            env=os.environ | {MARK: mark},
            start_new_session=True,
            preexec_fn=toys.hear_ctrl_c,
        )
        assert until(lambda: len(list((home / "store").glob("unfinished/slurry-*/log.lammps"))) == 2)
        began = time.monotonic()
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: to the driver and its workers alike
        status = driver.wait(PATIENCE_S)
        took = time.monotonic() - began
        said.seek(0)
        words = said.read()
    assert status == 130, words
    assert took < 30, "seconds on a machine that does nothing else"
    assert words.strip() == "Stopped; the same command goes on from here."
    assert until(lambda: marked(mark) == [], 15), marked(mark)
    events = (home / "studies" / "toy" / "journal.jsonl").read_text(encoding="utf-8")
    assert (events.count('"event":"ask"'), events.count('"event":"fail"')) == (2, 0)
