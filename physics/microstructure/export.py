"""Labelled voxels for flow and infiltration solvers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mesoforge.errors import InputError
from mesoforge.physics.voxels import Voxels

EXPORTS = (".raw", ".npy", ".tif", ".tiff")


def export_labels(voxels: Voxels, path: Path) -> None:
    """Write the phases (0 pore, 1 active material, 2 CBD) in the order x, y, z.

    ``.raw`` is one byte a voxel, z fastest, with a JSON of the same name beside it that says shape, edge and labels, as
    lattice-Boltzmann codes read it; ``.npy`` is NumPy's own; ``.tif`` is a stack of slices along z, with the voxel's
    edge where ImageJ looks for it.

    Raises:
        InputError: another ending.
    """
    suffix = path.suffix.lower()
    if suffix not in EXPORTS:
        raise InputError(f"'{path}' ends in '{path.suffix}' but one of {', '.join(EXPORTS)} is due: change it.")
    if suffix == ".raw":
        path.write_bytes(np.ascontiguousarray(voxels.phase).tobytes())
        path.with_suffix(".json").write_text(json.dumps(_header(voxels), indent=1), encoding="utf-8")
    elif suffix == ".npy":
        np.save(path, voxels.phase, allow_pickle=False)
    else:
        from tifffile import imwrite

        sizes: dict[str, Any] = {"axes": "ZYX", "spacing": voxels.edge, "unit": "um"}
        across = (1 / voxels.edge,) * 2
        stack = np.ascontiguousarray(np.moveaxis(voxels.phase, 2, 0))
        imwrite(path, stack, imagej=True, resolution=across, metadata=sizes)


def _header(voxels: Voxels) -> dict[str, object]:
    return {
        "shape": list(voxels.phase.shape),
        "order": "x, y, z; z fastest",
        "type": "uint8",
        "voxel_um": voxels.edge,
        "labels": {"0": "pore", "1": "active material", "2": "CBD"},
        "periodic": list(voxels.periodic),
    }
