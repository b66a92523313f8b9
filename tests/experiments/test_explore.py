"""The page to explore a study: what it foretells, warns of, shows and makes, alone and in a browser."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import numpy as np
import pytest
import toys
from chromium import Browser
from PIL import Image

from mesoforge.errors import InputError
from mesoforge.experiments.drive import keep_study
from mesoforge.experiments.explorer import Explorer, reach, value_at
from mesoforge.experiments.exploring import Page, serve
from mesoforge.experiments.home import Home
from mesoforge.experiments.learned import predict
from mesoforge.experiments.making import Maker
from mesoforge.experiments.study import SINGLE
from mesoforge.experiments.work import electrode_name
from mesoforge.optimize.campaign import Campaign, run_sequentially
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Measured
from mesoforge.physics.recipe import Recipe

SLOWEST_S = 60.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a study of 14 toy electrodes, each with a picture."""
    home = Home(tmp_path_factory.mktemp("explored"))
    plan = toys.plan(budget={"start": 14})
    home.study("toy").mkdir(parents=True, exist_ok=True)
    campaign = Campaign(plan.problem, Journal(home.journal("toy")), "sobol", learn=None)

    def made(recipe: Recipe) -> Measured:
        folder = home.portrait(electrode_name(recipe))
        folder.mkdir(parents=True)
        Image.fromarray(np.full((60, 80, 3), 180, np.uint8)).save(folder / "view_3d.png")
        return Measured(toys.properties(recipe), electrode_name(recipe))

    run_sequentially(campaign, lambda trial: made(plan.recipe(trial)))
    keep_study(plan, home.study("toy"))
    return home


@pytest.fixture(scope="module")
def explorer(home: Home) -> Explorer:
    return Explorer.of(home, "toy")


@pytest.fixture(scope="module")
def page(home: Home) -> Iterator[Page]:
    with serve(home, "toy", port=8050, make=toys.record_slowly) as served:
        yield served


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium.browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def test_what_the_page_foretells_is_what_predict_says(explorer: Explorer, home: Home) -> None:
    values = {"calendering.pressure": 80.0, "formulation.active_material": 0.95}
    assert explorer.foretell(values) == predict(explorer.recipe(values), home, "toy")


def test_the_page_begins_at_the_best_electrode(explorer: Explorer) -> None:
    assert explorer.start() in [trial.values for trial in explorer.campaign.pareto()]


def test_a_slider_reaches_beyond_what_was_learned_as_far_as_a_recipe_allows(explorer: Explorer) -> None:
    pressure, share = explorer.variables
    assert reach(pressure, explorer) == (-0.15, 1.15)
    assert value_at(pressure, 0.5) == pytest.approx((10 * 300) ** 0.5)
    assert value_at(pressure, 1.15) == pytest.approx(300 * 30**0.15)
    assert value_at(share, -0.15) == pytest.approx(0.92 - 0.15 * 0.05)
    said = explorer.foretell({"calendering.pressure": value_at(pressure, 1.15), "formulation.active_material": 0.95})
    assert "outside the 10 to 300 that was learned" in said["notes"][0]


def test_a_slice_agrees_with_the_prediction_at_its_points(explorer: Explorer) -> None:
    values = {"calendering.pressure": 80.0, "formulation.active_material": 0.95}
    cut = explorer.cut(values, "calendering.pressure")
    there = explorer.foretell({**values, "calendering.pressure": cut.values[7]})["properties"]["porosity"]
    assert cut.mean["porosity"][7] == pytest.approx(there["mean"])
    assert (cut.low["porosity"][7], cut.high["porosity"][7]) == pytest.approx((there["low"], there["high"]))


def test_the_nearest_electrode_is_the_one_at_the_same_inputs(explorer: Explorer) -> None:
    trial = explorer.campaign.measured[5]
    first, second, _ = explorer.nearest(trial.values)
    assert (first.name, first.distance) == ("trial-0005", 0)
    assert second.distance > 0


def test_an_electrode_made_alone_counts_where_only_the_variables_differ(home: Home, explorer: Explorer) -> None:
    journal = Journal(home.journal(SINGLE))
    for changes in ({"seed": 99}, {"seed": 98, "formulation.solids_content": 0.6}):
        values = {"calendering.pressure": 77.0, "formulation.active_material": 0.95}
        recipe = explorer.recipe(values).with_values(changes)
        outcome = {"properties": toys.properties(recipe), "electrode": electrode_name(recipe), "wall_s": 0.1}
        journal.append({"event": "made", "recipe": recipe.model_dump(mode="json"), "outcome": outcome})
    names = [one.name for one in explorer.nearest(values, 20)]
    assert [name for name in names if name.startswith("electrode")] == [names[0]]


@pytest.mark.parametrize(
    ("make", "state", "word"),
    [
        (toys.record_slowly, "made", ""),
        (toys.record_failure, "failed", toys.REASON),
        (toys.record_mistake, "failed", "ZeroDivisionError: a mistake"),
    ],
)
def test_an_electrode_is_made_beside_the_page(make: Any, state: str, word: str, tmp_path: Path) -> None:  # noqa: ANN401
    maker, recipe = Maker(tmp_path, make), Recipe()
    maker.begin(recipe)
    with pytest.raises(InputError, match="an electrode is being made: wait"):
        maker.begin(recipe)
    end = time.monotonic() + SLOWEST_S
    while (now := maker.progress).state == "making":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert (now.state, now.reason) == (state, word)
    assert dict(now.properties) == (toys.properties(recipe) if state == "made" else {})


def test_a_maker_that_is_killed_says_so(tmp_path: Path) -> None:
    maker = Maker(tmp_path, toys.record_slowly)
    maker.begin(Recipe())
    maker.stop()
    end = time.monotonic() + SLOWEST_S
    while (now := maker.progress).state == "making":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert (now.state, now.reason) == ("failed", "the process that made it ended")


def test_a_study_or_host_that_is_not_there_is_refused(home: Home) -> None:
    with pytest.raises(InputError, match="no study 'other'"), serve(home, "other"):
        pass
    with pytest.raises(InputError, match="no address of this machine"), serve(home, "toy", host="192.0.2.1"):
        pass


def status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as reply:  # noqa: S310
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_only_this_machine_by_its_name_is_answered_and_only_pictures_are_given(page: Page) -> None:
    assert page.address.startswith("http://127.0.0.1:")
    assert status(page.address) == 200
    assert status(page.address, Host="attacker.example") == 403
    assert [status(f"{page.address}picture/{name}") for name in ("00ff", "...", "a.b")] == [404] * 3


SLIDER = "document.querySelectorAll('[role=slider]')"
MEANS = "[...document.querySelectorAll('#foretold .card b')].map(b=>b.textContent).join('|')"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_without_complaint_and_without_the_network(
    width: int, page: Page, tab: Browser, tmp_path: Path
) -> None:
    tab.open(page.address, width)
    assert tab.wait(f"{SLIDER}.length") == 2
    tab.wait("document.querySelectorAll('#nearest img').length == 3 && document.querySelector('#slices svg')")
    tab.wait("[...document.images].every(i=>i.naturalWidth)")
    assert tab.ask("document.documentElement.scrollWidth - innerWidth") <= 0, "the page scrolls sideways"
    tab.picture(tmp_path / "page.png")
    assert tab.complaints() == []
    assert [url for url in tab.fetched() if not url.startswith(page.address)] == []


def test_a_slider_changes_what_is_foretold_and_warns_outside(page: Page, tab: Browser) -> None:
    tab.open(page.address, 1280)
    tab.wait(f"{SLIDER}.length == 2 && {MEANS}")
    before = tab.ask(MEANS)
    tab.ask(f"{SLIDER}[0].focus()")
    tab.press("Home", 36)
    tab.wait(f"{MEANS} != {before!r}")
    tab.wait("document.querySelector('.warning')?.textContent.includes('outside the 10 to 300')")
    assert tab.complaints() == []


def test_make_this_one_starts_the_physics_and_shows_what_came(page: Page, tab: Browser, home: Home) -> None:
    tab.open(page.address, 1280)
    tab.wait(f"{SLIDER}.length == 2 && {MEANS}")
    made = len(toys.seeds_made(home.root))
    tab.ask("document.querySelector('#make').click()")
    tab.wait("document.querySelector('#make').disabled")
    tab.wait("document.querySelector('#progress').textContent.includes('Made: electrode')", SLOWEST_S)
    assert not tab.ask("document.querySelector('#make').disabled")
    assert len(toys.seeds_made(home.root)) == made + 1
    assert tab.complaints() == []
