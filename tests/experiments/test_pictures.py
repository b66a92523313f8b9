"""Pictures and charts: what is drawn is what was given, with units, and nothing crashes the caller."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from drawing import collected
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.experiments import charts
from mesoforge.experiments.calender_charts import stress_thickness
from mesoforge.experiments.canvas import COLOURS, NoPicture
from mesoforge.experiments.charts import pareto_front, prediction_against_physics
from mesoforge.experiments.pictures import (
    cross_section,
    equivalent_diameters,
    phase_profile,
    view_3d,
)
from mesoforge.experiments.units import QUANTITIES, quantity, rounded, typeset
from mesoforge.optimize.trial import Estimate, Failed, Measured, Origin, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA = Path(__file__).parents[3] / "shared" / "data"
SIDE = 40
OBJECTIVES: dict[str, charts.Goal] = {
    "porosity": {"match": 0.30, "tolerance": 0.01},
    "tortuosity_factor_z": "minimize",
    "areal_capacity": "maximize",
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    return collected(monkeypatch)


def spheres() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Two balls, of radius 10 and 6 voxels, and a bar of CBD through all y."""
    grid = np.indices((SIDE, SIDE, SIDE))
    particle = np.zeros((SIDE,) * 3, np.int32)
    for number, centre, radius in ((1, (12, 20, 12), 10), (2, (30, 20, 30), 6)):
        inside = sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True)) <= radius**2
        particle[inside] = number
    phase = (particle > 0).astype(np.uint8)
    phase[28:38, :, 4:14] = 2
    return phase, particle


def real(name: str, array: str = "image") -> NDArray[Any]:
    """Return measured voxels, where they can be had."""
    if not (DATA / name).is_file():
        pytest.skip(f"{name} is not on this machine")
    with np.load(DATA / name) as arrays:
        voxels: NDArray[Any] = arrays[array]
    return voxels


def area(path: Path, colour: str) -> int:
    """Return how many pixels of a picture have this colour."""
    from matplotlib.colors import to_rgb
    from matplotlib.image import imread

    return int(np.sum(np.abs(imread(path)[..., :3] - to_rgb(colour)).max(axis=2) < 0.02))


def labels(figure: Figure) -> set[str]:
    return {text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel()) if text}


def trial(number: int, origin: Origin = "bo", porosity: float = 0.3) -> Trial:
    properties = {"porosity": porosity, "tortuosity_factor_z": 2.0 - porosity, "areal_capacity": 3.0 + porosity}
    prediction = {name: Estimate(0.98 * value, 0.01 * value) for name, value in properties.items()}
    return Trial(number, origin, {"x": porosity}, number, 0.0, prediction, outcome=Measured(properties))


def test_a_ball_of_voxels_has_its_own_diameter() -> None:
    _, particle = spheres()
    assert equivalent_diameters(particle, 0.5)[1:] == pytest.approx([10.0, 6.0], rel=0.02)


def test_an_id_that_no_voxel_bears_has_no_diameter() -> None:
    assert np.isnan(equivalent_diameters(np.array([[[0, 2]]]), 1.0)[:2]).all()


def test_phases_cover_the_cross_section_in_proportion_to_their_voxels(tmp_path: Path) -> None:
    phase, _ = spheres()
    path = cross_section(phase, None, 0.5, tmp_path / "section.png")
    plane = phase[:, SIDE // 2, :]
    shares = [area(path, COLOURS[name]) for name in ("active material", "CBD", "pore")]
    voxels = [np.sum(plane == code) for code in (1, 2, 0)]
    assert np.array(shares) / sum(shares) == pytest.approx(np.array(voxels) / plane.size, abs=0.01)


def test_large_particles_are_darker_than_small_ones(drawn: list[Figure], tmp_path: Path) -> None:
    phase, particle = spheres()
    cross_section(phase, particle, 0.5, tmp_path / "section.png")
    picture = np.asarray(drawn[0].axes[0].get_images()[0].get_array())  # rows are z
    assert picture[12, 12].sum() < picture[30, 30].sum()


def test_the_collector_lies_at_the_bottom_and_lengths_are_in_um(drawn: list[Figure], tmp_path: Path) -> None:
    phase, particle = spheres()
    cross_section(phase, particle, 0.5, tmp_path / "section.png")
    axes = drawn[0].axes[0]
    assert axes.get_ylim()[0] < 0 < axes.get_ylim()[1] == SIDE * 0.5
    assert labels(drawn[0]) == {"Distance from current collector (µm)", "Particle's equivalent diameter (µm)"}
    assert [text.get_text() for text in axes.texts] == ["5 µm"]


@pytest.mark.parametrize(("width", "length"), [(100, "20 µm"), (30, "5 µm"), (4, "1 µm"), (1.2, "0.2 µm")])
def test_the_scale_bar_has_a_round_length_of_at_most_a_quarter(
    drawn: list[Figure], tmp_path: Path, width: float, length: str
) -> None:
    cross_section(np.ones((10, 10, 10), np.uint8), None, width / 10, tmp_path / "section.png")
    assert [text.get_text() for text in drawn[0].axes[0].texts] == [length]


def test_the_same_electrode_gives_the_same_bytes(tmp_path: Path) -> None:
    phase, particle = spheres()
    first, second = (cross_section(phase, particle, 0.5, tmp_path / name) for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_path_without_an_ending_gets_every_kind(tmp_path: Path) -> None:
    phase, _ = spheres()
    assert cross_section(phase, None, 0.5, tmp_path / "section") == tmp_path / "section.png"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["section.png", "section.svg"]
    assert (tmp_path / "section.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_a_real_electrode_is_drawn_with_its_particles(drawn: list[Figure], tmp_path: Path) -> None:
    phase = np.moveaxis(real("nmc_ct_calendered.npz"), 0, 2)
    particle = np.moveaxis(real("nmc_ct_calendered_particle_labels.npz", "labels"), 0, 2) * (phase == 1)
    cross_section(phase, particle, 0.398, tmp_path / "section.png")
    picture = np.asarray(drawn[0].axes[0].get_images()[0].get_array())
    plane = phase[:, phase.shape[1] // 2, :].T
    assert len(np.unique(picture[plane == 1], axis=0)) > 50
    assert len(np.unique(picture[plane == 2], axis=0)) == 1


def test_the_profile_gives_per_cent_and_means(drawn: list[Figure], tmp_path: Path) -> None:
    image = np.moveaxis(real("nmc_three_phase_synthetic_256.npz"), 0, 2)
    fractions = {
        name: (image == code).mean(axis=(0, 1)) for code, name in enumerate(("pore", "active material", "CBD"))
    }
    phase_profile(np.arange(256) * 0.39, fractions, tmp_path / "profile.png")
    (axes,) = drawn[0].axes
    curves = [np.asarray(line.get_ydata()) for line in axes.get_lines() if len(np.asarray(line.get_ydata())) == 256]
    assert sum(curves) == pytest.approx(np.full(256, 100.0))
    assert labels(drawn[0]) == {"Distance from current collector (µm)", "Volume fraction (%)"}
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_texts()[0].get_text() == f"pore {100 * (image == 0).mean():.1f} %"


def test_a_calendering_curve_is_parted_at_its_highest_pressure(drawn: list[Figure], tmp_path: Path) -> None:
    thickness, pressure = np.array([60.0, 50.0, 45.0, 47.0, 48.0]), np.array([0.0, 20.0, 80.0, 10.0, 0.0])
    stress_thickness(thickness, pressure, tmp_path / "curve.png")
    (axes,) = drawn[0].axes
    loading, unloading = (line for line in axes.get_lines() if line.get_linewidth() == 2)
    assert [len(np.asarray(line.get_xdata())) for line in (loading, unloading)] == [3, 3]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "loading",
        "release",
        "45.0 µm at the end of loading, 80 MPa",
        "48.0 µm after release\n(springs back 3 µm, 6.7 %)",
    ]
    assert labels(drawn[0]) == {"Thickness (µm)", "Pressure on the coating (MPa)"}


def test_the_3d_view_shows_particles_and_binder(tmp_path: Path) -> None:
    phase, particle = spheres()
    path = view_3d(phase, particle, 0.5, tmp_path / "new" / "view.png")
    if isinstance(path, NoPicture):
        pytest.skip(path.reason)
    from matplotlib.image import imread

    red, green, blue = np.moveaxis(imread(path)[..., :3], 2, 0)
    assert np.mean((red > 2 * blue) & (red > 2 * green)) > 0.02
    assert np.mean((blue > 1.5 * red) & (blue > 1.2 * green)) > 0.02


def test_a_crash_of_the_graphics_driver_is_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyvista.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answer = view_3d(*spheres(), 0.5, tmp_path / "view.png")
    assert answer == NoPicture("The 3D view could not be rendered (exit status -11): it said nothing")
    assert not (tmp_path / "view.png").exists()


def test_the_last_words_of_the_renderer_are_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyvista.py").write_text("raise ImportError('libEGL is not there')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answer = view_3d(*spheres(), 0.5, tmp_path / "view.png")
    assert isinstance(answer, NoPicture)
    assert answer.reason.endswith("(exit status 1): ImportError: libEGL is not there")


def test_a_renderer_that_hangs_is_stopped(tmp_path: Path) -> None:
    answer = view_3d(*spheres(), 0.5, tmp_path / "view.png", limit_s=0.01)
    assert answer == NoPicture("The 3D view took more than 0.01 s.")


@pytest.mark.parametrize("names", [["areal_capacity"], ["porosity", "areal_capacity"], list(OBJECTIVES)])
def test_the_front_has_a_panel_for_each_pair_of_objectives_with_units(
    drawn: list[Figure], tmp_path: Path, names: list[str]
) -> None:
    trials = [trial(0, "sobol", 0.4), trial(1, porosity=0.31), replace(trial(2, "confirm", 0.32), confirms=1)]
    pareto_front(trials, {name: OBJECTIVES[name] for name in names}, {1: {}}, tmp_path / "front.png")
    assert len(drawn[0].axes) == max(1, len(names) * (len(names) - 1) // 2)
    assert "Areal capacity (mAh/cm²)\nmaximize" in labels(drawn[0])
    assert ("Porosity (%)\nmatch 30 %" in labels(drawn[0])) is ("porosity" in names)
    assert {text.get_text() for axes in drawn[0].axes for text in axes.texts} == {"1"}


def test_the_front_has_bars_of_its_scatter_and_numbers_that_keep_apart(drawn: list[Figure], tmp_path: Path) -> None:
    trials = [trial(1, porosity=0.31), trial(2, porosity=0.3101), trial(3, porosity=0.5)]
    front = {one.number: {"porosity": 0.01, "areal_capacity": 0.02} for one in trials}
    pareto_front(trials, {name: OBJECTIVES[name] for name in ("porosity", "areal_capacity")}, front, tmp_path / "f.png")
    (axes,) = drawn[0].axes
    across, upright = (lines.get_segments() for lines in axes.collections if hasattr(lines, "get_segments"))
    assert across[0][:, 0] == pytest.approx([30, 32])
    assert upright[0][:, 1] == pytest.approx([3.29, 3.33])
    places = [text.xyann for text in axes.texts]  # type: ignore[attr-defined]
    assert places[0] != places[1]


def test_failed_and_pending_trials_are_not_drawn(drawn: list[Figure], tmp_path: Path) -> None:
    lost = replace(trial(1), outcome=Failed("unstable", "slurry", "It flew apart."))
    pareto_front([trial(0), lost, replace(trial(2), outcome=None)], OBJECTIVES, {}, tmp_path / "front.png")
    assert [len(np.asarray(dots.get_offsets())) for dots in drawn[0].axes[0].collections] == [1]


def test_predictions_stand_against_what_was_measured(drawn: list[Figure], tmp_path: Path) -> None:
    trials = [trial(number, porosity=0.2 + 0.05 * number) for number in range(4)]
    prediction_against_physics(trials, ["porosity", "areal_capacity"], tmp_path / "scores.png")
    points = drawn[0].axes[0].get_lines()[0]
    assert np.asarray(points.get_xdata()) == pytest.approx([20, 25, 30, 35])
    assert np.asarray(points.get_ydata()) == pytest.approx([19.6, 24.5, 29.4, 34.3])
    rms = np.sqrt(np.mean((0.02 * np.array([20, 25, 30, 35])) ** 2))
    assert drawn[0].axes[0].get_title() == f"rms error {rms:.2g} %, 4 of 4 within 2 sd"


def test_a_study_without_results_has_no_charts(tmp_path: Path) -> None:
    pending = [replace(trial(0), outcome=None)]
    assert pareto_front(pending, OBJECTIVES, {}, tmp_path / "a.png") == NoPicture(
        "No electrode of the study was measured yet."
    )
    unforetold = [replace(trial(0, "sobol"), prediction={})]
    assert prediction_against_physics(unforetold, ["porosity"], tmp_path / "b.png") == NoPicture(
        "No electrode of the study was both predicted and measured yet."
    )
    assert not list(tmp_path.iterdir())


def test_every_fraction_is_shown_in_per_cent() -> None:
    assert all((entry.scale == 100) is (entry.unit == "%") for entry in QUANTITIES.values())


def test_a_property_outside_the_table_is_shown_by_its_own_name() -> None:
    assert quantity("pore_size").axis == "Pore size"
    assert quantity("pore_diameter_mean").axis == "Pore diameter mean (µm)"
    assert quantity("cbd_coverage").axis == "CBD coverage (%)"


@pytest.mark.parametrize(
    ("value", "shown"), [(1500, "1500"), (44.7214, "44.7"), (0.97, "0.97"), (2.5e7, "2.5e+07"), (-1234.5, "-1230")]
)
def test_numbers_on_axes_are_short_and_plain(value: float, shown: str) -> None:
    assert rounded(value) == shown


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("2 um and 3 us", "2 µm and 3 µs"),
        ("g/cm3, mJ/m2, 1/um", "g/cm³, mJ/m², 1/µm"),
        ("100 nN us/um", "100 nN µs/µm"),
        ("sum of m3x, item2 and v1.um", "sum of m3x, item2 and v1.um"),
    ],
)
def test_units_are_set_as_people_write_them(told: str, shown: str) -> None:
    assert typeset(told) == shown


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda path: cross_section(np.zeros((2, 2)), None, 1, path), r"shape \(2, 2\): give an array \(nx, ny, nz\)"),
        (lambda path: cross_section(np.full((2, 2, 2), 3), None, 1, path), r"came as \[3\]: give 0 pore, 1 active"),
        (
            lambda path: view_3d(np.zeros((2, 2, 2)), np.zeros((2, 2, 3)), 1, path),
            r"\(2, 2, 3\): give that of the phases",
        ),
        (lambda path: cross_section(np.zeros((2, 2, 2)), None, 0, path), "side came as 0 um: give a length above 0"),
        (
            lambda path: phase_profile(np.arange(3), {"pore": np.arange(2)}, path),
            r"\['pore'\] came with another length",
        ),
        (lambda path: phase_profile(np.arange(3), {}, path), "profile of nothing came"),
        (
            lambda path: stress_thickness(np.arange(3), np.arange(2), path),
            "3 thicknesses and 2 pressures: give as many",
        ),
    ],
    ids=["two axes", "unknown phase", "ids of another shape", "no voxel", "short profile", "no profile", "unequal"],
)
def test_wrong_arrays_are_refused_before_anything_is_drawn(
    tmp_path: Path, draw: Callable[[Path], object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        draw(tmp_path / "new" / "picture.png")
    assert not list(tmp_path.iterdir())


def test_drawing_touches_no_global_state_of_matplotlib(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from mesoforge.experiments import charts, pictures\n"
        "assert 'matplotlib' not in sys.modules\n"
        "pictures.cross_section(np.ones((4, 4, 4), int), None, 1.0, Path(sys.argv[1]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    command = [sys.executable, "-W", "error", "-c", script, str(tmp_path / "section.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
