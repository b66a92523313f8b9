"""A real Slurm of one node on 127.0.0.1, started and stopped by the tests as root from the system's packages."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
PATIENCE_S = 60.0
STOP_S = 10.0
QUEUE = "mesoforge"
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SlurmdParameters=config_overrides
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={slots} RealMemory=16000 State=UNKNOWN
PartitionName={queue} Nodes={host} Default=YES MaxTime=60 State=UP
"""


def missing() -> str:
    """Say why no Slurm can be started here, or nothing."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"{', '.join(absent)} not installed: apt install slurmctld slurmd slurm-client"
    return "" if os.geteuid() == 0 else "slurmd must be started as root"


@dataclass(frozen=True)
class Slurm:
    """A Slurm that runs; ``environment`` is what its commands need."""

    environment: dict[str, str]

    def ask(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it says."""
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout.strip()

    def jobs(self) -> list[str]:
        """Return the numbers of the jobs that run."""
        return self.ask("squeue", "--noheader", "--states=RUNNING", "--format=%A").split()


@contextmanager
def slurm(folder: Path, slots: int) -> Iterator[Slurm]:
    """Start a Slurm whose only node offers so many cores, whatever the machine has, and stop it at the end."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    control, node = _free_ports()
    host = socket.gethostname().split(".")[0]
    settings = {"folder": folder, "host": host, "slots": slots, "control": control, "node": node, "queue": QUEUE}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(**settings), encoding="utf-8")
    made = Slurm({"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _path()})
    daemons = [_start(made, "slurmctld", "-D", "-i"), _start(made, "slurmd", "-D", "-c")]
    try:
        _wait_idle(made, folder)
        yield made
        _empty(made)
    finally:
        for daemon in reversed(daemons):
            _stop(daemon)


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin"


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _start(made: Slurm, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, env=os.environ | made.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _empty(made: Slurm) -> None:
    """Cancel all jobs, and wait until the last step has been buried: what slurmd leaves behind lives on."""
    made.ask("scancel", "--user=root")
    end = time.monotonic() + PATIENCE_S
    while made.ask("squeue", "--noheader") and time.monotonic() < end:
        time.sleep(0.2)


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(STOP_S)
    except subprocess.TimeoutExpired:  # slurmd waits for the last breath of each job
        daemon.kill()
        daemon.wait(STOP_S)


def _wait_idle(made: Slurm, folder: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if made.ask("sinfo", "--noheader", "--format=%t") == "idle":
                return
        except subprocess.CalledProcessError:
            pass
        time.sleep(0.2)
    logs = [path.read_text(encoding="utf-8")[-2000:] for path in folder.glob("*.log")]
    raise AssertionError("Slurm did not become idle:\n" + "\n".join(logs))
