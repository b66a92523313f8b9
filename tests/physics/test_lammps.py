"""The boundary to LAMMPS: whatever happens to the engine is a physics failure of the right kind, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesoforge.physics.beads import Beads
from mesoforge.physics.failure import PhysicsError
from mesoforge.physics.lammps import execute as boundary
from mesoforge.physics.lammps.execute import execute
from mesoforge.physics.lammps.files import DATA, UNITS, read_positions, write_data

GAS = f"""
{UNITS}boundary        f f f
region          all block 0 10 0 10 0 10
create_box      1 all
create_atoms    1 single 5 5 5
create_atoms    1 single 5.5 5 5
set             group all diameter 1 density 1
pair_style      lj/cut 3
pair_coeff      1 1 {{depth}} 1
fix             move all nve
timestep        {{step}}
thermo_style    custom step atoms pe
thermo          10
run             {{steps}}
print           "done" file done
"""
FINE = GAS.format(depth=1e-3, step=1e-4, steps=10)
FAILURES = {
    "an_unknown_command": ("frobnicate all\n", "crashed", "LAMMPS stopped: ERROR: Unknown command: frobnicate all"),
    "beads_that_fly_off": (
        GAS.format(depth=1.0, step=0.01, steps=5000),
        "lost_beads",
        "LAMMPS stopped: ERROR: Lost atoms",
    ),
    "numbers_that_overflow": (
        GAS.format(depth=1e300, step=1e3, steps=100).replace("f f f", "p p p"),
        "unstable",
        "LAMMPS stopped: ERROR",
    ),
    "a_script_that_ends_early": (
        FINE.replace('print           "done" file done', ""),
        "crashed",
        "LAMMPS ended before its script did",
    ),
    "a_script_that_gives_up": ("quit 1\n", "crashed", "LAMMPS stopped: it left no message"),
}
"""Script, kind of failure, how its reason begins."""
LONG = GAS.format(depth=1e-9, step=1e-9, steps=2_000_000_000)
RANKS = (1, 2)


def test_a_script_that_reaches_its_end_leaves_its_log_and_its_mark(tmp_path: Path) -> None:
    execute(FINE, tmp_path, 60)
    assert (tmp_path / "done").exists()
    assert "Loop time" in (tmp_path / "log.lammps").read_text(encoding="utf-8")
    assert (tmp_path / "in.lammps").read_text(encoding="utf-8") == FINE


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize(("script", "kind", "reason"), FAILURES.values(), ids=FAILURES)
def test_what_goes_wrong_inside_lammps_is_a_failure_with_its_reason(
    tmp_path: Path, script: str, kind: str, reason: str, ranks: int
) -> None:
    with pytest.raises(PhysicsError) as error:
        execute(script, tmp_path, 60, ranks)
    assert error.value.kind == kind, error.value.reason
    assert error.value.reason.startswith(reason)
    assert read(tmp_path / "stderr.txt").count("ERROR") == reason.count("ERROR"), "it is told once"
    wait_for(lambda: not running(tmp_path), 5)


def test_what_an_abort_kept_from_the_error_stream_is_read_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "stderr.txt").touch()
    (tmp_path / "log.lammps").write_text(
        "units lj\nERROR on proc 0: Lost atoms: original 9 current 8\n", encoding="utf-8"
    )
    with pytest.raises(PhysicsError, match=r"LAMMPS stopped: ERROR on proc 0: Lost atoms") as error:
        boundary._judge(1, tmp_path)
    assert error.value.kind == "lost_beads"


@pytest.mark.parametrize(("number", "said"), [(9, "SIGKILL (out of memory?)"), (11, "SIGSEGV")])
def test_a_killed_child_is_a_crash_that_names_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def kill_soon(child: subprocess.Popen[bytes], timeout: float) -> int:
        wait_for(lambda: "Per MPI rank" in read(tmp_path / "log.lammps"))
        os.kill(child.pid, number)
        return wait(child, timeout)

    wait = subprocess.Popen.wait
    monkeypatch.setattr(subprocess.Popen, "wait", kill_soon)
    with pytest.raises(PhysicsError) as error:
        execute(LONG, tmp_path, 60)
    assert error.value.kind == "crashed"
    assert error.value.reason == f"LAMMPS was ended by signal {said}"


@pytest.mark.parametrize("number", [9, 11])
def test_a_rank_that_is_killed_takes_the_others_with_it_and_the_crash_names_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def kill_soon(child: subprocess.Popen[bytes], timeout: float) -> int:
        wait_for(lambda: "Per MPI rank" in read(tmp_path / "log.lammps"))
        os.kill(ranks_in(tmp_path)[-1], number)
        return wait(child, timeout)

    wait = subprocess.Popen.wait
    monkeypatch.setattr(subprocess.Popen, "wait", kill_soon)
    with pytest.raises(PhysicsError) as error:
        execute(LONG, tmp_path, 60, 2)
    assert error.value.kind == "crashed"
    assert error.value.reason.startswith(f"LAMMPS was ended by signal {signal.Signals(number).name}")
    wait_for(lambda: not running(tmp_path), 5)


@pytest.mark.parametrize("ranks", RANKS)
def test_a_simulation_that_hangs_is_killed_at_its_time_limit(tmp_path: Path, ranks: int) -> None:
    began = time.monotonic()
    with pytest.raises(PhysicsError, match=r"longer than its limit of 1\.5 s") as error:
        execute(LONG, tmp_path, 1.5, ranks)
    assert error.value.kind == "timeout"
    assert time.monotonic() - began < 5
    assert not running(tmp_path)


@pytest.mark.parametrize("ranks", RANKS)
def test_an_interrupt_ends_the_simulation_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranks: int) -> None:
    def interrupt(child: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if timeout is not None:
            wait_for(lambda: "Per MPI rank" in read(tmp_path / "log.lammps"))
            raise KeyboardInterrupt
        return wait(child)

    wait = subprocess.Popen.wait
    monkeypatch.setattr(subprocess.Popen, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        execute(LONG, tmp_path, 60, ranks)
    assert not running(tmp_path)


PARENT = """
import sys
from pathlib import Path
from mesoforge.physics.lammps.execute import execute
execute(Path(sys.argv[1]).read_text(), Path(sys.argv[2]), 600, int(sys.argv[3]))
"""


@pytest.mark.parametrize("ranks", RANKS)
def test_a_simulation_ends_when_the_process_that_wanted_it_is_killed(tmp_path: Path, ranks: int) -> None:
    script, folder = tmp_path / "long.txt", tmp_path / "run"
    script.write_text(LONG, encoding="utf-8")
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(script), str(folder), str(ranks)])
    wait_for(lambda: "Per MPI rank" in read(folder / "log.lammps"))
    assert running(folder)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(timeout=10)
    wait_for(lambda: not running(folder))


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.05)


def running(folder: Path) -> list[int]:
    """Return the processes that work in a folder (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.joinpath("cwd").readlink() == folder:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def ranks_in(folder: Path) -> list[int]:
    """Return the processes that simulate in a folder, mpiexec and its proxy left out (Linux)."""
    told = {number: Path(f"/proc/{number}/cmdline").read_bytes() for number in running(folder)}
    return [number for number, words in told.items() if b"mpiexec" not in words and b"child" in words]


def test_without_mpiexec_several_ranks_are_a_failure_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boundary, "_installed_mpiexec", lambda: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PhysicsError, match=r"numerics\.ranks is 4 but there is no mpiexec: install mpich, or set"):
        execute(FINE, tmp_path, 60, 4)
    execute(FINE, tmp_path, 60, 1)


def test_no_variable_of_an_outer_mpi_reaches_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PMI_RANK", "PMIX_ID", "MPI_LOCALRANKID", "HYDRA_X"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("KEPT", "1")
    environment = boundary._environment()
    assert environment["KEPT"] == "1"
    assert environment["OMP_NUM_THREADS"] == "1"
    assert not {name for name in environment if name.startswith(("PMI", "MPI_", "HYD"))}


def some_beads() -> Beads:
    rng = np.random.default_rng(1)
    position = rng.uniform(-15, 25, (40, 3))
    kind = np.repeat(np.array([1, 2], dtype=np.int32), 20)
    particle = np.concatenate([np.repeat([1, 2], 10), np.zeros(20)]).astype(np.int32)
    return Beads(position, kind, particle, np.array([10.0, 11.0, 12.0]))


ECHO = """{units}boundary p p {z}
read_data {data}
pair_style zero 1.0
pair_coeff * *
write_dump all custom out.dump id xu yu zu modify sort id format float %.12g
variable m equal mass(all)
print "${{m}}" file mass.txt
print "done" file done
"""


def test_lammps_reads_what_was_written_particles_whole_and_masses_right(tmp_path: Path) -> None:
    beads = some_beads()
    write_data(beads, np.full(40, 1.3), np.linspace(1, 2, 40), tmp_path / DATA)
    execute(ECHO.format(units=UNITS, z="p", data=DATA), tmp_path, 60)
    np.testing.assert_allclose(read_positions(tmp_path / "out.dump", 40), beads.position, atol=1e-7)
    assert float(read(tmp_path / "mass.txt")) == pytest.approx(60, rel=1e-8)


def test_between_walls_heights_are_written_as_they_are(tmp_path: Path) -> None:
    beads = some_beads()
    flat = Beads(beads.position * [1, 1, 0] + [0, 0, 5], beads.kind, beads.particle, beads.box)
    write_data(flat, np.full(40, 1.3), np.ones(40), tmp_path / DATA, walls=True)
    assert "-3 15 zlo zhi" in read(tmp_path / DATA)
    execute(ECHO.format(units=UNITS, z="f", data=DATA), tmp_path, 60)
    np.testing.assert_allclose(read_positions(tmp_path / "out.dump", 40), flat.position, atol=1e-7)


DUMPED = textwrap.dedent("""\
    ITEM: TIMESTEP
    0
    ITEM: NUMBER OF ATOMS
    2
    ITEM: BOX BOUNDS pp pp pp
    0 1
    0 1
    0 1
    ITEM: ATOMS id xu yu zu
    2 4 5 6
    1 1 2 {last}
    """)


def test_positions_come_back_in_the_order_of_the_beads(tmp_path: Path) -> None:
    (tmp_path / "out.dump").write_text(DUMPED.format(last=3), encoding="utf-8")
    np.testing.assert_array_equal(read_positions(tmp_path / "out.dump", 2), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("last", "expected", "kind", "words"),
    [("3", 5, "lost_beads", "3 of 5 beads were lost"), ("nan", 2, "unstable", "a bead's position is not a number")],
)
def test_a_dump_that_lacks_beads_or_numbers_is_a_failure(
    tmp_path: Path, last: str, expected: int, kind: str, words: str
) -> None:
    (tmp_path / "out.dump").write_text(DUMPED.format(last=last), encoding="utf-8")
    with pytest.raises(PhysicsError, match=words) as error:
        read_positions(tmp_path / "out.dump", expected)
    assert error.value.kind == kind
