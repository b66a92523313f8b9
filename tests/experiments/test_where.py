"""Where simulations run, as study files and command lines say it, and what a batch system is told."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import toys

from mesoforge.errors import InputError
from mesoforge.experiments.batch import is_over, job_settings, queue_says
from mesoforge.experiments.where import Where, chosen_where

WRONG: list[Any] = [
    pytest.param({"kind": "cloud"}, "'kind' is 'cloud' but must be 'local', 'scheduler', 'slurm'", id="unknown kind"),
    pytest.param({"kind": "slurm", "queue": "a b"}, "queue: 'a b' has other characters than", id="queue of two words"),
    pytest.param({"kind": "slurm", "queue": "a\n#"}, "queue: 'a\\n#' has other characters", id="queue of two lines"),
    pytest.param({"kind": "slurm", "python": "/x;rm"}, "python: '/x;rm' has other characters", id="a command"),
    pytest.param({"kind": "slurm", "options": ["--a\n--b"]}, "an option goes over several lines", id="option"),
    pytest.param({"kind": "slurm", "walltime": "4h"}, "walltime: '4h' is no time but HOURS:MINUTES", id="walltime"),
    pytest.param({"kind": "slurm", "memory": "much"}, "memory: 'much' is no amount of memory", id="memory"),
    pytest.param({"kind": "slurm", "nodes": 3}, "'nodes' is not a known key: use one of kind, address", id="key"),
    pytest.param({"kind": "scheduler"}, "a scheduler, and nothing else, has an address", id="no address"),
    pytest.param({"kind": "local", "address": "tcp://x:1"}, "and nothing else, has an address", id="local address"),
]


@pytest.mark.parametrize(("said", "words"), WRONG)
def test_a_wrong_place_is_refused_in_one_sentence(said: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refused:
        Where.from_mapping(said, "")
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("said", "kind", "address"),
    [
        ("slurm", "slurm", ""),
        ("local", "local", ""),
        ("tcp://10.0.0.1:8786", "scheduler", "tcp://10.0.0.1:8786"),
        ("scheduler.json", "scheduler", "scheduler.json"),
    ],
)
def test_a_study_may_say_it_in_a_word(said: str, kind: str, address: str) -> None:
    where = toys.plan(where=said).study.where
    assert (where.kind, where.address) == (kind, address)


def test_a_study_says_nothing_and_runs_here() -> None:
    assert toys.plan().study.where == Where()


def test_the_command_line_takes_a_word_an_address_or_a_file_of_settings(tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text("kind: slurm\nqueue: batch\n", encoding="utf-8")
    assert chosen_where("pbs") == {"kind": "pbs"}
    assert chosen_where("tcp://h:1") == {"kind": "scheduler", "address": "tcp://h:1"}
    assert chosen_where(str(tmp_path / "cluster.yaml")) == {"kind": "slurm", "queue": "batch"}
    with pytest.raises(InputError, match="--where is 'moon' but must be local, slurm, pbs, sge, lsf, a scheduler's"):
        chosen_where("moon")


def scripts(where: Where, folder: Path, ranks: int = 1) -> str:
    """Return the job script that a batch system would be given; none need be there."""
    import dask_jobqueue

    settings = {**job_settings(where, 8, ranks, folder), "protocol": "tcp://"}
    cluster = getattr(dask_jobqueue, f"{where.kind.upper()}Cluster")
    with cluster(**settings) as made:
        return str(made.job_script())


WISHES: dict[str, Any] = {
    "queue": "batch",
    "account": "p42",
    "walltime": "02:30:00",
    "memory": "3 GB",
    "runs_per_job": 4,
    "prologue": ("module load python",),
}
SAID: list[tuple[Any, tuple[str, ...]]] = [
    ("slurm", ("#SBATCH -p batch", "#SBATCH -A p42", "#SBATCH -t 02:30:00", "--cpus-per-task=8", "#SBATCH --mem=12G")),
    ("pbs", ("#PBS -q batch", "#PBS -A p42", "#PBS -l walltime=02:30:00", "ncpus=8")),
    ("sge", ("#$ -q batch", "#$ -P p42", "#$ -l h_rt=02:30:00")),
    ("lsf", ("#BSUB -q batch", '#BSUB -P "p42"', "#BSUB -W 02:30", "#BSUB -n 8")),
]


@pytest.mark.parametrize(("kind", "lines"), SAID, ids=[str(kind) for kind, _ in SAID])
def test_each_batch_system_is_told_in_its_own_words(kind: Any, lines: tuple[str, ...], tmp_path: Path) -> None:  # noqa: ANN401
    script = scripts(Where(kind=kind, **WISHES), tmp_path, ranks=2)
    missing = [line for line in (*lines, "module load python", "export OMP_NUM_THREADS=1") if line not in script]
    assert missing == [], script
    assert "--nworkers 4" in script
    assert "--nthreads 2" in script


def test_nothing_listens_beyond_this_machine_unless_asked(tmp_path: Path) -> None:
    alone, asked = (job_settings(Where(kind="slurm", interface=name), 1, 1, tmp_path) for name in ("", "ib0"))
    assert alone["scheduler_options"] == {"dashboard_address": "127.0.0.1:0", "host": "127.0.0.1"}
    assert alone["worker_extra_args"] == ["--host", "127.0.0.1"]
    assert asked["scheduler_options"] == {"dashboard_address": "127.0.0.1:0", "interface": "ib0"}
    assert alone["protocol"] == asked["protocol"] == "tls://"


ANSWERS: list[Any] = [
    pytest.param("slurm", "squeue", "RUNNING (None)", "", 0, False, id="slurm runs"),
    pytest.param("slurm", "squeue", "PENDING (Resources)", "", 0, False, id="slurm waits"),
    pytest.param("slurm", "squeue", "", "", 0, True, id="slurm has cancelled it"),
    pytest.param("slurm", "squeue", "", "slurm_load_jobs error: Invalid job id specified", 1, True, id="slurm forgot"),
    pytest.param("slurm", "squeue", "", "Unable to contact slurm controller", 1, False, id="slurm is away"),
    pytest.param("pbs", "qstat", "12.host  job  me  0 Q batch", "", 0, False, id="pbs waits"),
    pytest.param("pbs", "qstat", "", "qstat: Unknown Job Id 12.host", 153, True, id="pbs forgot"),
    pytest.param("pbs", "qstat", "", "qstat: 12.host Job has finished, use -x", 35, True, id="pbs ended it"),
    pytest.param("sge", "qstat", "job_number: 12", "", 0, False, id="sge runs"),
    pytest.param("sge", "qstat", "", "Following jobs do not exist: 12", 1, True, id="sge forgot"),
    pytest.param("lsf", "bjobs", "PEND", "", 0, False, id="lsf waits"),
    pytest.param("lsf", "bjobs", "EXIT", "", 0, True, id="lsf ended it"),
    pytest.param("lsf", "bjobs", "", "Job <12> is not found", 255, True, id="lsf forgot"),
]


@pytest.mark.parametrize(("kind", "program", "out", "complaint", "status", "over"), ANSWERS)
def test_a_job_is_over_when_its_system_says_so(
    kind: str, program: str, out: str, complaint: str, status: int, over: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fake = tmp_path / program
    fake.write_text(f"#!/bin/sh\necho '{out}'\necho '{complaint}' >&2\nexit {status}\n", encoding="utf-8")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert is_over(kind, "12") is over


def test_a_system_that_is_not_there_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said, complaint = queue_says("slurm", "1")
    assert said == ""
    assert "No such file" in complaint
    assert not is_over("slurm", "1")
