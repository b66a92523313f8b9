"""Whether files are as they were written."""

from __future__ import annotations

import hashlib
from pathlib import Path


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder, by its name there."""
    return {file.relative_to(folder).as_posix(): checksum(file) for file in sorted(folder.rglob("*")) if file.is_file()}


def differs(path: Path, due: str | int) -> bool:
    """Whether a file that is there is not as its record says: the SHA-256, or in records of format 1 the size."""
    return path.stat().st_size != due if isinstance(due, int) else checksum(path) != due
