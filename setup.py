"""Refuse to build where git wrote the package's links as text files; all else is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import setup

for name in ("physics", "surrogate", "optimize", "experiments"):
    link = Path(__file__).parent / "src" / "mesoforge" / name
    if not link.is_dir():
        sys.exit(
            f"src/mesoforge/{name} must be a link to the folder {name}/ but arrived as a text file: "
            "clone again with 'git -c core.symlinks=true clone' (on Windows in developer mode)."
        )

setup()
