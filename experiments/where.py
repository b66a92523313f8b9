"""Where a study's simulations run: on this machine, on a Dask scheduler that is there, or as jobs of a batch system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from mesoforge.errors import InputError
from mesoforge.physics.record import Record, read_yaml
from mesoforge.physics.remote import Remote

Kind = Literal["local", "scheduler", "slurm", "pbs", "sge", "lsf"]
BATCH: Final = ("slurm", "pbs", "sge", "lsf")
ADDRESS: Final = re.compile(r"(tcp|tls|ucx|ws|wss)://\S+:\d+")
_WORD: Final = re.compile(r"[\w./:@+-]+")
_WALLTIME: Final = re.compile(r"(\d+-)?\d{1,3}:\d{2}(:\d{2})?")
_MEMORY: Final = re.compile(r"\d+(\.\d+)? ?[KMGT]i?B")


class Where(Record):
    """Where simulations run; every field but ``kind`` has a default that does."""

    kind: Kind = "local"
    """``local``: processes here; ``scheduler``: workers of a Dask scheduler; ``slurm``, ``pbs``, ``sge``, ``lsf``."""
    address: str = ""
    """Of ``scheduler``: tcp://HOST:PORT or tls://HOST:PORT, or the path of its scheduler file."""
    queue: str = ""
    """Queue or partition of the jobs; empty: the system's default."""
    account: str = ""
    """Account or project that the jobs are charged to."""
    walltime: str = "04:00:00"
    """How long a job may last, as [DAYS-]HOURS:MINUTES[:SECONDS]; a job that reaches it is replaced."""
    memory: str = "4 GB"
    """Memory of one simulation."""
    runs_per_job: int = Field(default=1, ge=1, le=512)
    """Simulations that run at once in one job; each has as many cores as the recipe's ``numerics.ranks``."""
    prologue: tuple[str, ...] = ()
    """Shell lines that a job begins with, as in ``module load python``."""
    options: tuple[str, ...] = ()
    """More of the batch system's own options, as in ``--exclusive``."""
    interface: str = ""
    """Network that jobs reach this process by, as in ``ib0``; empty: this machine's own (127.0.0.1) and no other."""
    python: str = ""
    """Path of the Python that jobs run; empty: the one that runs this."""
    adaptive: bool = False
    """Whether jobs that have nothing to do for a while are given back."""
    patience_s: float = Field(default=600.0, gt=0)
    """How long the first worker may take to report [s]; jobs may wait in the queue for long."""
    run_limit_s: float | None = Field(default=None, gt=0)
    """How long one simulation may take from first stage to last [s]; it has failed then, and its worker is renewed."""

    store: str = ""
    """URL that a copy of each stage goes to, as in ``s3://bucket/path`` (fsspec); secrets come from the environment."""
    scratch: str = ""
    """Folder of the workers' own machines to work in, where they do not share the home folder; needs ``store``."""

    @model_validator(mode="before")
    @classmethod
    def _read_word(cls, said: Any) -> Any:  # noqa: ANN401 - whatever a file holds
        """Take a word for the kind, or the address of a scheduler."""
        if not isinstance(said, str):
            return said
        return {"kind": "scheduler", "address": said} if _is_address(said) else {"kind": said}

    @field_validator("queue", "account", "interface", "python")
    @classmethod
    def _is_word(cls, said: str) -> str:
        """Refuse what a job's script could take for more than a name."""
        if said and not _WORD.fullmatch(said):
            raise ValueError(f"{said!r} has other characters than letters, digits and . _ - / : @ +: correct it.")
        return said

    @field_validator("options")
    @classmethod
    def _are_lines(cls, said: tuple[str, ...]) -> tuple[str, ...]:
        if any("\n" in one for one in said):
            raise ValueError("an option goes over several lines: give each its own item.")
        return said

    @field_validator("walltime")
    @classmethod
    def _is_walltime(cls, said: str) -> str:
        if not _WALLTIME.fullmatch(said):
            raise ValueError(f"{said!r} is no time but HOURS:MINUTES:SECONDS was due: write '04:00:00', in quotes.")
        return said

    @field_validator("memory")
    @classmethod
    def _is_memory(cls, said: str) -> str:
        if not _MEMORY.fullmatch(said):
            raise ValueError(f"{said!r} is no amount of memory: write a number and MB or GB, as in '4 GB'.")
        return said

    @field_validator("store")
    @classmethod
    def _is_place(cls, said: str) -> str:
        if said:
            Remote(said)
        return said

    @model_validator(mode="after")
    def _check_scratch(self) -> Self:
        if self.scratch and not (self.store and Path(self.scratch).is_absolute()):
            raise ValueError(
                f"the scratch folder is '{self.scratch}' but must be a path from / on, with a 'store' that workers and "
                "this process reach: give both."
            )
        return self

    @model_validator(mode="after")
    def _check_address(self) -> Self:
        if (self.kind == "scheduler") is not bool(self.address):
            raise ValueError(
                "a scheduler, and nothing else, has an address: give 'kind: scheduler' and 'address: tcp://HOST:PORT' "
                "or the path of its scheduler file."
            )
        return self

    def refused(self, why: str) -> InputError:
        """Return the error of a store that cannot be written."""
        return InputError(
            f"nothing can be written at where.store: {why}: correct the URL, or the environment's secrets."
        )

    @property
    def shown(self) -> str:
        """What it is in a few words."""
        if self.kind == "scheduler":
            return f"the Dask scheduler {self.address}"
        return f"{self.kind.upper()}{f' queue {self.queue}' if self.queue else ''}" if self.kind in BATCH else "here"


def chosen_where(text: str) -> Mapping[str, Any]:
    """Read where to run from the command line: a kind, a scheduler's address or file, or a YAML file of settings.

    Raises:
        InputError: it is none of these.
    """
    if text.endswith((".yaml", ".yml")):
        return read_yaml(Path(text))
    if text in Where.model_fields["kind"].annotation.__args__:  # type: ignore[union-attr]
        return {"kind": text}
    if _is_address(text) or Path(text).is_file():
        return {"kind": "scheduler", "address": text}
    raise InputError(
        f"--where is '{text}' but must be local, slurm, pbs, sge, lsf, a scheduler's address (tcp://HOST:PORT) or "
        "file, or a YAML file of settings: correct it."
    )


def _is_address(text: str) -> bool:
    return bool(ADDRESS.fullmatch(text)) or text.endswith(".json")
