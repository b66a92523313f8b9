"""Pictures of structure, of the stroke and of how a study went: what is drawn is what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import toys
from drawing import collected

from mesoforge.experiments.calender_charts import Pressing, calendering_film
from mesoforge.experiments.canvas import COLOURS, NoPicture
from mesoforge.experiments.pictures import pore_network_3d, sticks
from mesoforge.experiments.structure_charts import orientation_rose, pore_sizes
from mesoforge.experiments.study_charts import axes_of, hypervolume_chart, input_unit, parallel_coordinates
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Measured
from mesoforge.physics.beads import Beads
from mesoforge.physics.microstructure.pores import PoreNetwork

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    return collected(monkeypatch)


def ended(folder: Path, budget: dict[str, int]) -> Campaign:
    """Return a toy campaign whose start was made."""
    plan = toys.plan(budget=budget, strategy="sobol")
    campaign = Campaign(plan.problem, Journal(folder / "journal.jsonl"), "sobol")
    while trial := campaign.ask():
        campaign.tell(trial.number, Measured(toys.properties(plan.recipe(trial)), "", 0.1))
    return campaign


def network() -> PoreNetwork:
    """Return three pores in a row."""
    coords = np.array([[1.0, 1, 1], [1, 1, 3], [1, 1, 5]])
    sizes, throats = np.array([0.5, 1.0, 0.7]), np.array([0.3, 0.4])
    return PoreNetwork(coords, sizes, sizes, np.array([[0, 1], [1, 2]]), throats, throats, {})


def test_the_hypervolume_is_drawn_after_each_simulation_and_never_falls(drawn: list[Figure], tmp_path: Path) -> None:
    campaign = ended(tmp_path, {"start": 5, "proposed": 3})
    hypervolume_chart(campaign, tmp_path / "h.png")
    (axes,) = drawn[0].axes
    x, y = (np.asarray(values) for values in axes.get_lines()[1].get_data())
    assert x.tolist() == list(range(1, 9))
    assert y[-1] == campaign.hypervolume()
    assert (np.diff(y) >= 0).all()


def test_a_study_that_has_hardly_begun_has_no_hypervolume(tmp_path: Path) -> None:
    plan = toys.plan(strategy="sobol")
    campaign = Campaign(plan.problem, Journal(tmp_path / "journal.jsonl"), "sobol")
    assert isinstance(hypervolume_chart(campaign, tmp_path / "h.png"), NoPicture)
    assert isinstance(parallel_coordinates(campaign.trials, *axes_of(campaign), (), tmp_path / "p.png"), NoPicture)


def test_each_recipe_is_a_line_and_the_best_stand_out(drawn: list[Figure], tmp_path: Path) -> None:
    campaign = ended(tmp_path, {"start": 6})
    front = [trial.number for trial in campaign.pareto()]
    names, logs = axes_of(campaign)
    parallel_coordinates(campaign.trials, names, logs, front, tmp_path / "p.png")
    (axes,) = drawn[0].axes
    lines = [line for line in axes.get_lines() if len(np.asarray(line.get_xdata())) == len(names) == 4]
    assert len(lines) == 6
    assert sum(line.get_color() == COLOURS["active material"] for line in lines) == len(front)
    heights = np.array([line.get_ydata() for line in lines])
    assert heights.min(axis=0) == pytest.approx(np.zeros(4))
    assert heights.max(axis=0) == pytest.approx(np.ones(4))
    titles = [label.get_text() for label in axes.get_xticklabels()]
    assert titles[0] == "calendering\npressure\n(MPa)"
    assert titles[2] == "Porosity\n(%)"


def test_units_of_inputs_are_those_of_the_record() -> None:
    names = ("volume.mass_loading", "drying.cbd_diameter", "formulation.binder", "seed")
    assert [input_unit(name) for name in names] == ["mg/cm²", "µm", "", ""]


def test_random_directions_make_an_even_rose_and_flat_ones_a_flat_rose(drawn: list[Figure], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    random = rng.normal(size=(20_000, 3))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    orientation_rose(random, tmp_path / "rose.png")
    orientation_rose(np.tile([1.0, 0, 0], (9, 1)), tmp_path / "flat.png")
    even, flat = ([bar.get_height() for bar in figure.axes[0].patches] for figure in drawn)  # type: ignore[attr-defined]
    assert even == pytest.approx(np.ones(9), abs=0.15)
    assert flat[:-1] == [0] * 8
    assert flat[-1] > 5
    assert isinstance(orientation_rose(random[:4], tmp_path / "few.png"), NoPicture)


def test_shares_of_pore_sizes_are_of_all(drawn: list[Figure], tmp_path: Path) -> None:
    pore_sizes(np.linspace(0.5, 2, 200), network(), tmp_path / "sizes.png")
    left = drawn[0].axes[0]
    assert sum(bar.get_height() for bar in left.patches) == pytest.approx(100)  # type: ignore[attr-defined]
    assert {text.get_text() for axes in drawn[0].axes for text in axes.get_legend().get_texts()} >= {  # type: ignore[union-attr]
        "mean 1.25 µm", "3 pores", "2 throats",
    }  # fmt: skip
    assert isinstance(pore_sizes(np.zeros(0), None, tmp_path / "none.png"), NoPicture)


def test_the_pore_network_is_rendered(tmp_path: Path) -> None:
    path = pore_network_3d(network(), np.array([2.0, 2.0, 6.0]), (True, True, False), tmp_path / "network.png")
    if isinstance(path, NoPicture):
        pytest.skip(path.reason)
    from matplotlib.image import imread

    picture = imread(path)
    assert min(picture.shape[:2]) > 300
    assert picture[..., :3].std() > 0.02


def test_a_throat_through_a_side_that_closes_is_drawn_as_two_halves() -> None:
    net = replace(network(), coords=np.array([[0.2, 1, 1], [1.9, 1, 1], [1.0, 1, 5]]), conns=np.array([[0, 1], [1, 2]]))
    starts, ends, throat = sticks(net, np.array([2.0, 2.0, np.inf]))
    lengths = np.linalg.norm(ends - starts, axis=1)
    assert lengths == pytest.approx([np.hypot(0.9, 4), 0.15, 0.15])
    assert ends[1:, 0] == pytest.approx([0.05, 2.05])
    assert len(throat) == 3


def test_bars_of_sizes_that_come_in_steps_have_no_gaps(drawn: list[Figure], tmp_path: Path) -> None:
    pore_sizes(np.repeat([0.4, 0.8, 1.2, 1.6, 2.0], 5), network(), tmp_path / "sizes.png")
    assert [bar.get_height() for bar in drawn[0].axes[0].patches] == pytest.approx([20.0] * 5)  # type: ignore[attr-defined]


def test_the_film_ends_where_the_release_ends(tmp_path: Path) -> None:
    from PIL import Image

    def beads(height: float) -> Beads:
        position = np.array([[2.0, 2.0, 0.5], [1.0, 2.0, height - 0.5]])
        return Beads(position, np.array([1, 2], np.int32), np.array([1, 0], np.int32), np.array([4.0, 4.0, height]))

    curve = np.array([[1, 10.0, 0.0], [1, 8, 20], [1, 6, 90], [3, 6.5, 30], [3, 7, 0.1]])
    path = calendering_film(Pressing(beads(10), beads(6), beads(7), curve, (1.0, 1.0)), tmp_path / "film.gif")
    with Image.open(path) as film:
        assert getattr(film, "n_frames", 0) == len(curve)
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(2)
        assert np.abs(np.asarray(film.convert("RGB")).astype(int) - first).max() > 100
