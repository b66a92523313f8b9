"""The documentation: its reference is that of the records, its commands run, its site builds without a broken link."""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import chromium
import pytest
import toys
from test_report import portrait

from mesoforge.experiments import calibrating, exploring, view
from mesoforge.experiments import drive as driving
from mesoforge.experiments import pool as pools
from mesoforge.experiments.cli import status_of
from mesoforge.experiments.field_reference import reference
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.study import Study
from mesoforge.experiments.tracking import TrackingError
from mesoforge.physics.measurement import PROPERTIES

HOUSE = Path(__file__).resolve().parents[2]
DOCS = HOUSE / "docs"
PICTURE_KB = 300
FIELD, META = (f"document.querySelector('.md-search{part}')" for part in ("__input", "-result__meta"))


def commands(page: str) -> list[list[str]]:
    """Return the words of each command of mesoforge in a page's blocks of shell."""
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines() if line.startswith("mesoforge ")]


def test_the_reference_is_that_of_the_records() -> None:
    kept = (DOCS / "reference.md").read_text(encoding="utf-8")
    assert kept == reference(), "write it again: mesoforge fields > docs/reference.md"
    assert all(f"| `{name}` |" in kept for name in (*Study.model_fields, *PROPERTIES))
    assert "| `pressure` | 100.0 | (0, 2000] | Pressure on the electrode at maximum load [MPa]. |" in kept


def test_every_command_of_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise TrackingError("MLflow is away")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(view, "Tracker", away)
    monkeypatch.setattr(driving, "drive", functools.partial(driving.drive, work=toys.make))
    monkeypatch.setattr(pools, "local_pool", lambda _: nullcontext(HerePool()))
    monkeypatch.setattr(exploring.Page, "wait", lambda _: None)  # as if Ctrl-C came at once
    monkeypatch.setattr(
        calibrating, "simulate_rows", lambda *_: {"mean": [2.03, 2.1], "spread": [0.01] * 2, "wall_s": 1}
    )
    (tmp_path / "examples").symlink_to(HOUSE / "examples")
    electrode = portrait(tmp_path / "mlruns").name
    cheap = {
        "make": ["--dry-run"],
        "optimize": ["--budget", "3+1+1", "--strategy", "sobol"],
        "sample": ["--budget", "2+0+0"],
        "calibrate": ["--budget", "3+0"],
    }
    found = commands("tutorial.md")
    assert {"doctor", "make", "report", "init", "validate", "optimize", "explore", "sample", "calibrate"} <= {
        verb for verb, *_ in found
    }
    for verb, *rest in found:
        words = [verb, *(electrode if word == "ELECTRODE" else word for word in rest), *cheap.get(verb, [])]
        assert status_of(words) == 0, words
    assert {path.name for path in tmp_path.glob("*.html")} == {"study.html", "sample.html", f"{electrode}.html"}


def test_the_picture_of_the_readme_is_light() -> None:
    assert "docs/electrode.png" in (HOUSE / "README.md").read_text(encoding="utf-8")
    assert (DOCS / "electrode.png").stat().st_size < 1000 * PICTURE_KB


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a broken link is an error."""
    pytest.importorskip("mkdocs", reason="the extra [docs] is not installed")
    folder = tmp_path_factory.mktemp("docs") / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "true"}
    came = subprocess.run(build, cwd=HOUSE, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert came.returncode == 0, came.stderr[-2000:]
    return folder


def test_the_site_has_every_page_in_its_menu_and_fetches_nothing(site: Path) -> None:
    pages = [path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md")]
    menu = (HOUSE / "mkdocs.yml").read_text(encoding="utf-8")
    assert [str(page) for page in pages if f"{page}.md" not in menu and page.parts[0] != "decisions"] == []
    for page in (path.read_text(encoding="utf-8") for path in site.rglob("*.html")):
        assert re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="(?:https?:)?//[^"]*"', page) == []


def test_the_site_is_searched_where_it_is_opened_from_disk(site: Path, tmp_path: Path) -> None:
    with chromium.browser(tmp_path / "browser") as tab:
        tab.open((site / "howto" / "objective.html").as_uri(), 1280)
        tab.wait("document.readyState == 'complete' && !!document.querySelector('iframe')")
        tab.send("Page.bringToFront")  # or nothing in it can have the focus
        tab.ask(f"{FIELD}.focus()")
        tab.wait(f"{META}.textContent.includes('Type to start')")
        tab.send("Input.insertText", text="tortuosity")
        tab.press("End", 35)
        tab.wait("document.querySelectorAll('.md-search-result__item').length > 3")
        assert tab.complaints() == []
        assert [url for url in tab.fetched() if not url.startswith("file:")] == []
