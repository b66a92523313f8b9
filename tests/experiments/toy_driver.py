"""A driver of the toy study in a process of its own, to be killed: ``toy_driver.py HOME``."""

from __future__ import annotations

import sys
from pathlib import Path

import toys

from mesoforge.experiments.drive import drive
from mesoforge.experiments.home import Home

if __name__ == "__main__":
    drive(
        toys.plan("sample", strategy="sobol"),
        Home(Path(sys.argv[1])),
        lambda _: lambda _: None,
        print,
        toys.make_slowly,
    )
