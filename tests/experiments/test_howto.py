"""The how-to pages: every command in them runs, on files that the pages show or that a reader would bring."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import tifffile
import toys

from mesoforge.experiments import calibrating, view
from mesoforge.experiments import drive as driving
from mesoforge.experiments import pool as pools
from mesoforge.experiments.cli import status_of
from mesoforge.experiments.pool import HerePool
from mesoforge.experiments.tracking import TrackingError
from mesoforge.physics.microstructure.quantity import Conductors
from mesoforge.physics.store import FORMAT, MARK
from mesoforge.physics.voxels import Voxels

PAGES = Path(__file__).resolve().parents[2] / "docs" / "howto"
ELECTRODE = "3f9a2c" + "0" * 58
CHEAP = {"optimize": ["--budget", "3+1+1", "--strategy", "sobol"], "calibrate": ["--budget", "3+0"]}


def blocks(page: str, kind: str) -> list[tuple[str, str]]:
    """Return title and text of a page's blocks of one kind."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return re.findall(rf'```{kind}(?: title="([^"]+)")?\n(.*?)```', text, re.DOTALL)


def commands(page: str) -> list[list[str]]:
    lines = [line for _, block in blocks(page, "sh") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("mesoforge ")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, with toys in place of LAMMPS and MLflow."""

    def away(*_: object) -> None:
        raise TrackingError("MLflow is away")

    def in_closed_form(recipes: list[object], *_: object) -> dict[str, object]:
        return {"mean": [2.03, 2.1][: len(recipes)], "spread": [0.01] * len(recipes), "wall_s": 1}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(view, "Tracker", away)
    monkeypatch.setattr(driving, "drive", functools.partial(driving.drive, work=toys.make))
    monkeypatch.setattr(pools, "local_pool", lambda *_: nullcontext(HerePool()))
    monkeypatch.setattr(calibrating, "simulate_rows", in_closed_form)
    return tmp_path


def bring(page: str, folder: Path) -> None:
    """Write the files that a page shows."""
    for kind in ("yaml", "csv"):
        for name, text in blocks(page, kind):
            (folder / name).write_text(text, encoding="utf-8")


def run(page: str) -> set[str]:
    """Run a page's commands in order, and return their verbs."""
    for verb, *rest in commands(page):
        words = [verb, *("3f9a2c" if word == "ELECTRODE" else word for word in rest), *CHEAP.get(verb, [])]
        assert status_of(words) == 0, words
    return {verb for verb, *_ in commands(page)}


def image(seed: int) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(seed).normal(size=(48, 46, 44)), 2.5)
    return np.asarray(np.digitize(field, np.quantile(field, [0.4, 0.5])), dtype=np.uint8)


def test_the_page_on_tomograms(here: Path) -> None:
    labels = np.array([0, 2, 1], np.uint8)[image(7)]
    tifffile.imwrite(here / "tomogram.tif", labels, photometric="minisblack")
    tifffile.imwrite(here / "stack.tif", 40 + 130 * (labels == 1).astype(np.uint8), photometric="minisblack")
    stored = here / "mlruns" / "store" / "measurement" / ELECTRODE
    stored.mkdir(parents=True)
    own = np.array([0, 2, 1], np.uint8)[image(8)]
    Voxels(own, np.zeros(own.shape, np.int32), 0.5).save(stored / "voxels.npz")
    (here / "mlruns" / "store" / MARK).write_text(json.dumps({"format": FORMAT}), encoding="utf-8")
    assert run("tomogram.md") == {"measure", "compare", "shapes", "make"}
    assert (here / "tomogram.csv").read_text(encoding="utf-8").count("\n") > 10


def test_the_page_on_force_fields(here: Path) -> None:
    bring("force_field.md", here)
    assert run("force_field.md") == {"forcefield", "make", "calibrate", "report", "validate", "optimize"}


def test_the_page_on_objectives(here: Path) -> None:
    bring("objective.md", here)
    assert run("objective.md") == {"validate", "optimize", "report"}
    assert (here / "mine.html").is_file()


def test_the_property_that_the_page_on_objectives_adds(here: Path) -> None:
    names: dict[str, Callable[..., dict[str, float]]] = {}
    ((_, code),) = blocks("objective.md", "python")
    exec(compile(code, "objective.md", "exec"), names)  # noqa: S102 - our own page
    phase = np.ones((2, 2, 4), np.uint8)
    phase[0, :, 2:] = 0
    found = names["top_porosity"](Voxels(phase, phase.astype(np.int32), 1.0), Conductors())
    assert found == {"porosity_top": 0.5}
