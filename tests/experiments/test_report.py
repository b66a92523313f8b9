"""Reports: one page that stands alone, says what was asked, found, fitted and how to repeat it, and opens anywhere."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import chromium
import numpy as np
import pytest
import toys
import yaml
from chromium import Browser

from mesoforge.experiments import reporting
from mesoforge.experiments.cli import status_of
from mesoforge.experiments.drive import conclude, keep_study
from mesoforge.experiments.home import Home
from mesoforge.experiments.pictures import cross_section
from mesoforge.experiments.report import aim_met, electrode_report, find_electrode, study_report
from mesoforge.experiments.report_page import Figure, Section, figures, page, table
from mesoforge.experiments.verdict import verdict, write_verdict
from mesoforge.experiments.view import Follower
from mesoforge.experiments.work import electrode_name
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.objectives import Objective
from mesoforge.optimize.trial import Failed, Measured
from mesoforge.physics.manufacture import VOXELS, identity
from mesoforge.physics.recipe import Recipe
from mesoforge.physics.store import Store
from mesoforge.physics.voxels import Voxels

LONGEST_S, LARGEST_MB = 30.0, 15.0


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page on a toy study of which one electrode failed and one proposal was confirmed."""
    home = Home(tmp_path_factory.mktemp("study"))
    plan = toys.plan(strategy="sobol", budget={"start": 6, "proposed": 2, "confirmations": 1})
    campaign = Campaign(plan.problem, Journal(home.journal("toy")), "sobol")
    while trial := campaign.ask():
        failed = Failed("lost_beads", "drying", toys.REASON) if trial.number == 2 else None
        campaign.end(trial.number, failed or Measured(toys.properties(plan.recipe(trial)), "", 0.1))
    found = verdict(plan, campaign)
    write_verdict(found, plan, campaign, home.study("toy"))
    return study_report(found, plan, campaign, home)


def portrait(root: Path) -> Path:
    """Write what `make` leaves of an electrode."""
    folder = Home(root).portrait("3f9a2c" + "0" * 58)
    recipe = Recipe().with_values({"calendering.pressure": 55.0, "seed": 1234567})
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json", exclude_none=True)))
    (folder / "properties.json").write_text(json.dumps({"properties": toys.properties(recipe), "notes": []}))
    cross_section(np.ones((8, 8, 8), np.uint8), None, 0.5, folder / "cross_section.png")
    return folder


def test_a_study_report_says_what_was_asked_found_failed_and_how_to_repeat_it(study: str) -> None:
    titles = re.findall(r"<h2[^>]*>([^<]+)</h2>", study)
    assert titles[:2] == ["Question", "Answer"]
    assert {"Limits", "What is fitted, what is predicted", "How to make it again"} <= set(titles)
    assert "Which electrode has a porosity of 30 %?" in study
    assert "lost_beads in drying: [/3] beads of [red]2300[/red] left the volume" in study
    assert "mesoforge optimize study.yaml" in study
    assert study.count("<img ") == 6
    assert "slurry_bead_factor" in study
    assert "fitted</td>" in study


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (Objective("porosity", "match", 0.3, 0.01), "match 30 % ± 1 %: met by the mean"),
        (Objective("porosity", "match", 0.4, 0.01), "match 40 % ± 1 %: **not met** by the mean"),
        (Objective("porosity", "minimize"), "minimize"),
    ],
)
def test_the_answer_says_whether_the_target_is_met(objective: Objective, words: str) -> None:
    assert aim_met(objective, 0.305) == words


def test_a_sample_has_no_answer_but_all_its_electrodes(tmp_path: Path) -> None:
    home, plan = Home(tmp_path), toys.plan("sample", budget={"start": 3})
    campaign = Campaign(plan.problem, Journal(home.journal("toy")), "sobol")
    while trial := campaign.ask():
        campaign.tell(trial.number, Measured(toys.properties(plan.recipe(trial)), "", 0.1))
    text = study_report(verdict(plan, campaign), plan, campaign, home)
    assert "Table of 3 electrodes" in text
    assert ">Answer</h2>" not in text
    assert "mesoforge sample study.yaml" in text


def test_an_electrode_report_shows_its_inputs_numbers_and_pictures(tmp_path: Path) -> None:
    text = electrode_report(portrait(tmp_path))
    assert "<td><code>calendering.pressure</code></td><td class=n>55 MPa</td>" in text
    assert "<td class=n>1234567</td>" in text
    assert text.count("<img ") == 1
    assert "hash of calendering" in text


def test_report_finds_an_electrode_by_its_first_letters_and_says_what_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = portrait(tmp_path), tmp_path / "page.html"
    assert find_electrode("3f9a", Home(tmp_path)) == folder
    assert status_of(["report", "3f9a", "-o", str(out), "--home", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["megabytes"] < 1
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert status_of(["report", "away", "--home", str(tmp_path)]) == 2
    assert "no study and no electrode has that name" in capsys.readouterr().err
    (folder / "properties.json").unlink()
    assert status_of(["report", "3f9a", "--home", str(tmp_path)]) == 2
    assert "failed and has no properties" in capsys.readouterr().err


def test_what_people_write_cannot_become_markup() -> None:
    text = page("<b>", "", [Section("A & B", table(["<i>"], [["<script>alert(1)</script>"]]))])
    assert "<script>" not in text
    assert "<title>&lt;b&gt;</title>" in text
    assert '<a href="#a-b">A &amp; B</a>' in text


def test_a_page_asks_for_nothing_from_elsewhere(study: str, tmp_path: Path) -> None:
    assert re.findall(r'(?:src|href)="(?!data:|#)', study + electrode_report(portrait(tmp_path))) == []
    assert "<script" not in study
    assert figures([Figure(tmp_path / "away.png", "nothing")]) == '<p class="soft">There is no picture.</p>'


def test_a_report_of_a_hundred_electrodes_is_quick_and_small(tmp_path: Path) -> None:
    home, plan = Home(tmp_path), toys.plan(strategy="sobol", budget={"start": 100})
    campaign = Campaign(plan.problem, Journal(home.journal("toy")), "sobol")
    while trial := campaign.ask():
        campaign.tell(trial.number, Measured(toys.properties(plan.recipe(trial)), "", 0.1))
    began = time.process_time()  # of the processor: the machine may be shared
    found = verdict(plan, campaign)
    write_verdict(found, plan, campaign, home.study("toy"))
    text = study_report(found, plan, campaign, home)
    assert time.process_time() - began < LONGEST_S
    assert len(text) < LARGEST_MB * 1e6


def test_the_report_goes_to_mlflow_with_the_study(tmp_path: Path) -> None:
    home, plan = Home(tmp_path), toys.plan(strategy="sobol", budget={"start": 2, "proposed": 0, "confirmations": 0})
    campaign = Campaign(plan.problem, Journal(home.journal("toy")), "sobol")
    while trial := campaign.ask():
        campaign.tell(trial.number, Measured(toys.properties(plan.recipe(trial)), "", 0.1))
    follower = Follower(plan, campaign, home)
    follower.begin()
    conclude(plan, campaign, home, follower)
    assert (home.study("toy") / "report.html").is_file()
    assert [path.name for path in home.root.rglob("report.html") if "artifacts" in str(path)] == ["report.html"]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium.browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.parametrize("kind", ["study", "electrode"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_opens_the_page_without_complaint(
    kind: str, width: int, tab: Browser, study: str, tmp_path: Path
) -> None:
    text = study if kind == "study" else electrode_report(portrait(tmp_path))
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    tab.open((tmp_path / "page.html").as_uri(), width)
    tab.wait(f"document.readyState == 'complete' && document.images.length == {text.count('<img ')}")
    assert tab.ask("document.documentElement.scrollWidth - innerWidth") <= 0, "the page scrolls sideways"
    assert tab.ask("[...document.images].every(i=>i.naturalWidth && i.getBoundingClientRect().height)")
    assert tab.complaints() == []
    assert tab.fetched() == [(tmp_path / "page.html").as_uri()]


def test_the_structure_of_the_best_electrode_is_drawn_by_a_process_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, plan = Home(tmp_path), toys.plan(strategy="sobol", budget={"start": 1})
    campaign = Campaign(plan.problem, Journal(home.journal("toy")), "sobol")
    trial = campaign.ask()
    assert trial is not None
    recipe = plan.recipe(trial)
    campaign.tell(trial.number, Measured(toys.properties(recipe), electrode_name(recipe), 0.1))
    keep_study(plan, home.study("toy"))
    Store(home.store).obtain("measurement", identity(recipe)["measurement"], save_image)
    home.portrait(electrode_name(recipe)).mkdir(parents=True)
    found: list[set[str]] = []
    monkeypatch.setattr(
        reporting, "draw_structure", lambda *said: found.append({one.name for one in said[2].iterdir()})
    )
    assert "pore sizes" in reporting.report_on("toy", home).lower()
    assert {"pore_sizes.png", "pore_sizes.svg"} <= found[-1]


def save_image(folder: Path) -> dict[str, float]:
    """Write an image of a ball in a box as a stage does."""
    grid = np.indices((24, 24, 24)) - 11.5
    ball = (grid**2).sum(axis=0) < 90
    Voxels(ball.astype(np.uint8), ball.astype(np.int32), 0.4).save(folder / VOXELS)
    return {}
