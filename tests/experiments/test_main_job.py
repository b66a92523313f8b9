"""The main job with real LAMMPS, in a tiny volume: one electrode, a whole study, and what goes wrong in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import toys
import yaml

from mesoforge.physics.fragments import CRACKING
from mesoforge.physics.manufacture import STAGES
from mesoforge.physics.measurement import OWN, PROPERTIES

pytestmark = pytest.mark.slow
Json = dict[str, Any]
PATIENCE_S = 500.0
VOLUME = {"side": 10, "mass_loading": 2.5}
HANG_S = 60
"""Longest time of one simulation where one hangs: several times what an honest one needs."""
FAULTS = """
# Give the first three slurries of a study one fault each: a crash, a hang, a time step that no integration survives.
import os, signal, sys, time
from pathlib import Path

if "mesoforge.physics.lammps.child" in sys.orig_argv and Path.cwd().name.startswith("slurry-"):
    for fault in ("crash", "hang", "instability"):
        try:
            Path(os.environ["FAULTS"], fault).touch(exist_ok=False)
        except FileExistsError:
            continue
        if fault == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "hang":
            time.sleep(10**6)
        script = Path("in.lammps")
        script.write_text(script.read_text().replace("timestep ", "timestep 1000 #"))
        break
"""


def mesoforge(*words: object, environment: Mapping[str, str] | None = None) -> Json:
    """Run a command as people do, and return what it prints as JSON."""
    command = [str(Path(sys.executable).parent / "mesoforge"), *map(str, words), "--json"]
    known = os.environ | (environment or {})
    came = subprocess.run(command, capture_output=True, text=True, env=known, timeout=PATIENCE_S, check=False)
    assert came.returncode == 0, came.stderr
    found: Json = json.loads(came.stdout)
    return found


def write_study(folder: Path, **changes: object) -> Path:
    """Write a study in a tiny volume."""
    path = folder / "study.yaml"
    study = {**toys.STUDY, "recipe": {"volume": VOLUME}, **changes}
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return path


def test_an_electrode_is_made_once_and_then_found(tmp_path: Path) -> None:
    words = ["make", *(word for name, value in VOLUME.items() for word in ("--set", f"volume.{name}={value}"))]
    first, second = (mesoforge(*words, "--home", tmp_path) for _ in range(2))
    assert (first["found"], second["found"]) == ([], list(STAGES))
    assert set(OWN) - {"krumbein_sphericity_mean"} - set(CRACKING) <= set(first["properties"]) <= set(PROPERTIES)
    assert second["properties"] == first["properties"]
    assert second["wall_s"] < first["wall_s"] / 5
    ((_, run),) = toys.runs(tmp_path, "electrodes").items()
    assert run.data.metrics["porosity"] == first["properties"]["porosity"]
    filed = {path.name for path in (tmp_path / "artifacts").rglob("*.*")}
    assert filed >= {"cross_section.png", "phase_profile.png", "view_3d.png", "recipe.yaml", "lammps_log.txt"}


def test_a_study_ends_with_a_confirmed_electrode_and_is_not_made_twice(tmp_path: Path) -> None:
    study, home = write_study(tmp_path), tmp_path / "home"
    words = ["optimize", study, "--budget", "2+1+1", "--workers", 2, "--home", home]
    found = mesoforge(*words)
    assert (found["phase"], found["measured"], found["failed"]) == ("done", 4, [])
    (confirmation,) = found["confirmations"]
    assert confirmation["confirms"] == found["winner"]
    row = confirmation["properties"]["porosity"]
    assert all(0 < row[source] < 1 for source in ("physics", "predicted", "first", "nearest"))
    made = {path: path.stat().st_mtime_ns for path in (home / "store").rglob("result.json")}
    assert len(made) > len(STAGES)
    assert mesoforge(*words) == found
    assert {path: path.stat().st_mtime_ns for path in (home / "store").rglob("result.json")} == made
    known = toys.runs(home, "toy")
    assert {key: run.info.status for key, run in known.items()} == dict.fromkeys(known, "FINISHED")
    assert known["campaign"].data.tags["winner"] == found["winner"]


def test_a_crash_a_hang_and_an_instability_fail_their_trials_and_the_study_goes_on(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAULTS, encoding="utf-8")
    recipe = {"volume": VOLUME, "numerics": {"time_limit": HANG_S}}
    study, home = write_study(tmp_path, recipe=recipe, budget={"start": 4}), tmp_path / "home"
    provoked = {"PYTHONPATH": str(tmp_path), "FAULTS": str(tmp_path)}
    found = mesoforge("sample", study, "--home", home, environment=provoked)
    assert (found["phase"], found["measured"]) == ("done", 1)
    reasons = {one["kind"]: one["reason"] for one in found["failed"]}
    assert reasons.pop("crashed") == "LAMMPS was ended by signal SIGSEGV"
    assert reasons.pop("timeout") == f"the simulation ran longer than its limit of {HANG_S} s"
    ((kind, reason),) = reasons.items()
    assert kind in ("unstable", "lost_beads")
    assert "ERROR" in reason
    failed = {key: run for key, run in toys.runs(home, "toy").items() if run.info.status == "FAILED"}
    assert {key: run.data.tags["failure.reason"] for key, run in failed.items()} == {
        one["trial"]: one["reason"] for one in found["failed"]
    }
    assert {run.data.tags["failure.stage"] for run in failed.values()} == {"slurry"}
    assert len(list((home / "artifacts").rglob("failed_in.txt"))) == 3
