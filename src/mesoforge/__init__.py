"""Design lithium-ion battery electrodes by simulating how they are made."""

from __future__ import annotations

__version__ = "0.1.0"
