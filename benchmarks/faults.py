"""Faults on purpose: campaigns are hit again and again, and must end as if nothing had happened.

    python benchmarks/faults.py --faults 200 --real 10 --out faults.json

Stand-in physics goes through the real store, runner, journal, Dask and an MLflow server; the real rounds run LAMMPS.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import stand_in

from mesoforge.errors import InputError
from mesoforge.experiments import view
from mesoforge.experiments.drive import drive
from mesoforge.experiments.home import Home
from mesoforge.experiments.keeping import verify_store
from mesoforge.experiments.pool import HerePool, SchedulerLostError
from mesoforge.experiments.runner import run
from mesoforge.experiments.study import Plan, Study
from mesoforge.experiments.work import make_electrode
from mesoforge.optimize.campaign import Campaign
from mesoforge.optimize.journal import Journal
from mesoforge.optimize.trial import Measured
from mesoforge.physics.store import Store

VARIABLES = {
    "calendering.pressure": {"low": 10, "high": 300, "scale": "log"},
    "formulation.active_material": {"low": 0.92, "high": 0.97},
}
AIMS = {"porosity": {"match": 0.3, "tolerance": 0.01}, "tortuosity_factor_z": "minimize"}
RETRIED = ("crashed", "timeout", "infrastructure")
REAL_LIMIT_S = 90
PATIENCE_S = 1800.0
FIXED = {
    "driver killed": 2, "worker killed": 4, "segfault": 14, "hang": 5, "out of memory": 12, "disk full": 12,
    "file cut short": 10, "tracking server away": 1, "second driver": 2, "clock set": 2,
}  # fmt: skip
ADAPTIVE = FIXED | {"segfault": 3, "hang": 2, "out of memory": 4, "disk full": 4, "file cut short": 3}
REAL = ("driver killed", "worker killed", "segfault", "out of memory", "hang", "file cut short", "second driver")
AWAY_S = 3.0
CLOCKS_S = (-3 * 86400.0, -3600.0, 3600.0, 3 * 86400.0)
REFUSED = 4


@dataclass
class Round:
    """One campaign under fire."""

    seed: int
    kind: str
    home: Home
    where: Any = "local"
    tracking: str | None = None
    met: Counter[str] = field(default_factory=Counter)
    cut: list[str] = field(default_factory=list)
    drivers: int = 0

    def plan(self) -> Plan:
        """Return its study."""
        real = {"recipe": {"volume": {"side": 10, "mass_loading": 2.5}, "numerics": {"time_limit": REAL_LIMIT_S}}}
        said = {
            "name": f"round-{self.seed}",
            "variables": VARIABLES,
            "seed": self.seed,
            "workers": 2,
            "where": self.where,
        }
        if self.kind == "adaptive":
            said |= {"objectives": AIMS, "budget": {"start": 10, "proposed": 20}}
        else:
            said |= {"budget": {"start": 3 if self.kind == "real" else 40}, "strategy": "sobol"}
        kind = "optimize" if self.kind == "adaptive" else "sample"
        return Plan(Study.from_mapping(said | (real if self.kind == "real" else {})), kind)  # type: ignore[arg-type]

    @property
    def clock(self) -> Path:
        """The file that says by how much its drivers' and workers' clocks are wrong."""
        return self.home.root / "clock.txt"

    def work(self) -> Any:  # noqa: ANN401
        """Return what makes an electrode."""
        return make_electrode if self.kind == "real" else stand_in.make


# The driver, a process of its own


def as_driver(words: list[str]) -> None:
    """Drive a round to its end; the last driver makes again what crashed or hung."""
    seed, kind, root, where, tracking, retry = words
    one = Round(int(seed), kind, Home(Path(root)), json.loads(where), tracking or None)
    view.PAUSE_S = 1.0
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    again = RETRIED if retry == "retry" else ()
    try:
        drive(one.plan(), one.home, lambda _: lambda _: None, lambda _: None, one.work(), one.tracking, again)
    except SchedulerLostError:
        sys.exit(3)
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)


def start_driver(one: Round, *, retry: bool = False) -> subprocess.Popen[bytes]:
    """Start a driver of a round."""
    one.drivers += 1
    words = [
        str(one.seed),
        one.kind,
        str(one.home.root),
        json.dumps(one.where),
        one.tracking or "",
        "retry" if retry else "",
    ]
    log, said = (one.home.root / "driver.log").open("ab"), os.environ | {"FAULTS_CLOCK": str(one.clock)}
    return subprocess.Popen([sys.executable, __file__, "--driver", *words], stdout=log, stderr=log, env=said)


# Services


@contextmanager
def mlflow_server(folder: Path) -> Iterator[tuple[str, Callable[[float], None]]]:
    """Serve MLflow; yield its address, and what takes it away for some seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "a")]
    command = [sys.executable, "-m", "mlflow", "server", *store, "--port", str(port), "--workers", "1"]
    quiet = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        running.append(
            subprocess.Popen(
                command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
        )

    def stop() -> None:
        os.killpg(running.pop().pid, signal.SIGKILL)

    def away(seconds: float) -> None:
        stop()
        time.sleep(seconds)
        start()

    start()
    await_port(port)
    yield f"http://127.0.0.1:{port}", away
    stop()


def await_port(port: int) -> None:
    """Wait until something listens."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.2)
    raise TimeoutError(port)


class Dask:
    """A scheduler with two workers that somebody else started, and that may be lost."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        self._folder, self.file = folder, folder / "scheduler.json"
        self.start()

    def _dask(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(self.file)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder)

    def start(self) -> None:
        """Start scheduler and workers."""
        self.file.unlink(missing_ok=True)
        self._scheduler = self._dask(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"
        )
        while not self.file.exists():
            time.sleep(0.1)
        self._workers = self._dask("worker", "--nworkers", "2", "--nthreads", "1", "--death-timeout", "300")

    def lose(self) -> None:
        """Kill the scheduler, and end the workers that are left."""
        self._scheduler.kill()
        self._scheduler.wait()
        self._workers.terminate()
        self._workers.wait(PATIENCE_S)

    def stop(self) -> None:
        """End it all."""
        for process in (self._workers, self._scheduler):
            process.terminate()
            process.wait(PATIENCE_S)


# Faults


def inject(
    one: Round, fault: str, driver: subprocess.Popen[bytes], chance: random.Random, services: dict[str, Any]
) -> bool:
    """Do one fault from outside, or order it from the stand-in; return whether it was met."""
    if fault == "driver killed":
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    elif fault == "scheduler lost":
        services["dask"].lose()
        driver.wait(PATIENCE_S)
        services["dask"].start()
    elif fault == "tracking server away":
        services["away"](services["away_s"])
    elif fault == "clock set":
        one.clock.write_text(str(chance.choice(CLOCKS_S)), encoding="utf-8")
    elif fault == "second driver":
        return refused(one, driver)
    elif fault == "file cut short":
        return cut_short(one, chance)
    elif one.kind == "real":
        return strike(fault, driver)
    else:
        order = one.home.root / "faults" / f"{fault}-{time.monotonic_ns()}.due"
        order.parent.mkdir(exist_ok=True)
        order.touch()
        return True
    return True


def refused(one: Round, driver: subprocess.Popen[bytes]) -> bool:
    """Start a second driver; whether it was refused while the first lived. One that goes on is two at once."""
    ended = start_driver(one).wait(PATIENCE_S)
    one.drivers -= 1
    if ended == 0 and driver.poll() is None:
        raise RuntimeError(f"round {one.seed} had two drivers at once")
    return ended == REFUSED


def cut_short(one: Round, chance: random.Random) -> bool:
    """Cut a file of a finished stage in half."""
    files = sorted(path for path in one.home.store.glob("*/*/*.npz") if path.parts[-3] not in ("failed", "unfinished"))
    if not files:
        return False
    file = chance.choice(files)
    with suppress(OSError):
        os.truncate(file, file.stat().st_size // 2)
        one.cut.append(f"{file.parts[-3]}/{file.parts[-2]}")
        return True
    return False


def strike(fault: str, driver: subprocess.Popen[bytes]) -> bool:
    """Strike a real LAMMPS that runs below a driver, or the worker that waits for it."""
    with suppress(psutil.Error):
        for child in psutil.Process(driver.pid).children(recursive=True):
            if "mesoforge.physics.lammps.child" in child.cmdline():
                parent = child.parent()
                target = parent if fault == "worker killed" and parent else child
                how = {"segfault": signal.SIGSEGV, "hang": signal.SIGSTOP}.get(fault, signal.SIGKILL)
                target.send_signal(how)
                return True
    return False


def under_fire(one: Round, faults: list[str], chance: random.Random, services: dict[str, Any], pause: float) -> None:
    """Run a round to its end while faults come; whoever stopped is started again."""
    driver, left = start_driver(one), list(faults)
    end = time.monotonic() + PATIENCE_S
    due = time.monotonic() + chance.uniform(1, 3) * pause
    while time.monotonic() < end:
        if driver.poll() is not None:
            if driver.returncode == 0:
                break
            driver = start_driver(one)
        if left and time.monotonic() > due and one.home.journal(f"round-{one.seed}").exists():
            if inject(one, left[0], driver, chance, services):
                one.met[left.pop(0)] += 1
            due = time.monotonic() + chance.uniform(0.1, 1.0) * pause
        time.sleep(0.05)
    else:
        driver.kill()
        raise TimeoutError(f"round {one.seed} did not end")
    unmet = list((one.home.root / "faults").glob("*.due"))
    for order in unmet:
        one.met[order.stem.rpartition("-")[0]] -= 1
        order.unlink()


# Judgement


def record(campaign: Campaign) -> dict[int, Any]:
    """Return all that a campaign found, without times."""
    return {
        trial.number: (
            trial.values,
            trial.seed,
            trial.outcome.properties if isinstance(trial.outcome, Measured) else None,
        )
        for trial in campaign.trials
    }


def undisturbed(one: Round, folder: Path) -> dict[int, Any]:
    """Run the plan of a round without faults, in this process."""
    plan = one.plan()
    campaign = Campaign(plan.problem, Journal(folder / "journal.jsonl"), plan.study.strategy, learn=None)
    run(campaign, plan, folder, HerePool(), one.work(), lambda _: None)
    return record(campaign)


def replayed(one: Round) -> int:
    """Replay the recorded order in a new journal; return how many asks came out differently."""
    plan, name = one.plan(), f"round-{one.seed}"
    events = Journal(one.home.journal(name)).events()
    with tempfile.TemporaryDirectory() as folder:
        again, wrong = Campaign(plan.problem, Journal(Path(folder) / "journal.jsonl"), plan.study.strategy), 0
        for event in events:
            number: Any = event.get("number")
            if event["event"] == "ask":
                trial = again.ask()
                wrong += trial is None or trial.values != event["values"] or trial.seed != event["seed"]
            elif event["event"] == "retry":
                if again.trials[number].outcome is not None:
                    again.retry(RETRIED)
            elif event["event"] in ("tell", "fail"):
                again.end(number, _outcome(event))
    return wrong


def _outcome(event: Any) -> Any:  # noqa: ANN401
    from mesoforge.optimize.record import with_outcome
    from mesoforge.optimize.trial import Trial

    return with_outcome(Trial(0, "sobol", {}, 0, 0.0), event).outcome


def states(one: Round) -> Counter[str]:
    """Count the states of a round's runs in MLflow, and runs beyond one for a key."""
    import mlflow
    from mlflow import MlflowClient

    uri = one.tracking or f"sqlite:///{one.home.root.resolve() / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(f"round-{one.seed}")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    keys = [run.data.tags["mesoforge.key"] for run in runs]
    return Counter(run.info.status for run in runs) + Counter({"DUPLICATES": len(keys) - len(set(keys))})


def judge(one: Round, folder: Path) -> dict[str, Any]:
    """Say what a round lost, doubled or left, after what crashed or hung was made again."""
    plan, name = one.plan(), f"round-{one.seed}"
    await_port(int(str(one.tracking).rpartition(":")[2]))
    driver = start_driver(one, retry=True)
    if driver.wait(PATIENCE_S):
        raise RuntimeError((one.home.root / "driver.log").read_text(encoding="utf-8")[-2000:])
    damaged = verify_store(one.home, remove=True)["damaged"]
    campaign = Campaign(plan.problem, Journal(one.home.journal(name)).reading(), plan.study.strategy, learn=None)
    seen = states(one)
    return {
        "round": one.seed,
        "kind": one.kind,
        "where": "local" if one.where == "local" else "scheduler",
        "faults": dict(one.met),
        "drivers": one.drivers,
        "trials": len(campaign.trials),
        "measured": len(campaign.measured),
        "stages lost": None if one.kind == "real" else stages_lost(one),
        "runs doubled": seen["DUPLICATES"] + len(campaign.ended) - len({trial.number for trial in campaign.ended}),
        "stuck RUNNING": seen["RUNNING"],
        "record differs": replayed(one)
        if one.kind == "adaptive"
        else int(undisturbed(one, folder) != record(campaign)),
        "damaged files found": len(damaged),
    }


def stages_lost(one: Round) -> int:
    """Count finished stages that are gone, and stages that were made more often than their cut files explain."""
    store = Store(one.home.store)
    log = one.home.root / "made.txt"
    made = Counter(log.read_text(encoding="utf-8").split() if log.exists() else [])
    again = sum((made - Counter(made.keys()) - Counter(one.cut)).values())
    cut = set(one.cut)
    gone = sum(1 for name in made if name not in cut and store.get(*name.split("/")) is None)
    return again + gone


def main() -> None:
    """Run the campaign and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--real", type=int, default=10)
    parser.add_argument("--pause", type=float, default=1.0, help="how far apart faults are, in seconds or so")
    parser.add_argument("--first", type=int, default=1, help="seed of the first round")
    parser.add_argument("--away", type=float, default=AWAY_S, help="how long the tracking server is away [s]")
    parser.add_argument("--out", type=Path, default=Path("faults.json"))
    given = parser.parse_args()
    here = Path(__file__).resolve().parent
    os.environ["PYTHONPATH"] = f"{here}:{here / 'clock'}:{os.environ.get('PYTHONPATH', '')}"
    rounds: list[dict[str, Any]] = []
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    with mlflow_server(folder) as (address, away):
        services = {"away": away, "away_s": given.away}
        seed = given.first
        while sum(sum(row["faults"].values()) for row in rounds if row["kind"] != "real") < given.faults:
            one = stand_in_round(seed, folder, address)
            rounds.append(fought(one, folder, services, given))
            seed += 1
        while sum(sum(row["faults"].values()) for row in rounds if row["kind"] == "real") < given.real:
            one = Round(seed, "real", Home(folder / f"home-{seed}"), tracking=address)
            rounds.append(fought(one, folder, services, given))
            seed += 1
    shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(total(rounds), indent=1))


def stand_in_round(seed: int, folder: Path, address: str) -> Round:
    """Return a round: every second is adaptive, every third on a scheduler that somebody else started."""
    one = Round(seed, "adaptive" if seed % 2 == 0 else "fixed", Home(folder / f"home-{seed}"), tracking=address)
    one.where = {"kind": "scheduler", "address": str(folder / "scheduler.json")} if seed % 3 == 0 else "local"
    return one


def fought(one: Round, folder: Path, services: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    """Run a round under fire and judge it."""
    one.home.root.mkdir(parents=True)
    chance, began = random.Random(one.seed), time.monotonic()  # noqa: S311
    faults, pause = list(Counter(ADAPTIVE if one.kind == "adaptive" else FIXED).elements()), given.pause
    if one.where != "local":
        services["dask"] = Dask(folder)
        faults += ["scheduler lost"] * 2
    if one.kind == "real":
        faults = list(REAL)
        pause *= 15
    chance.shuffle(faults)
    under_fire(one, faults, chance, services, pause)
    row = judge(one, folder / f"plain-{one.seed}")
    if one.where != "local":
        services.pop("dask").stop()
    row["minutes"] = round((time.monotonic() - began) / 60, 1)
    with given.out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(json.dumps(row), flush=True)
    return row


def total(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Add the rounds up."""
    sums = ("stages lost", "runs doubled", "stuck RUNNING", "record differs", "drivers", "trials", "measured")
    faults: Counter[str] = Counter()
    for row in rounds:
        faults.update(row["faults"])
    return {"rounds": len(rounds), "faults": dict(faults), "all faults": faults.total()} | {
        name: sum(row[name] or 0 for row in rounds) for name in sums
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--driver"]:
        as_driver(sys.argv[2:])
    else:
        main()
