"""Images of electrodes from files that ``shapes.stack`` opens, checked before anything is computed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.beads import ACTIVE, CBD
from mesoforge.physics.shapes.stack import HDF5, PICKLES, TIFF, Layout, array_names, open_array
from mesoforge.physics.voxels import CLOSED, PORE, Periodic, Voxels

BYTES = 130
"""Memory that a measurement takes per voxel: the pore network's need (122 measured at 200^3, closed sides)."""
PHASES = {"pore": PORE, "active": ACTIVE, "cbd": CBD}
SUFFIXES = (".npy", ".npz", *TIFF, *HDF5)
PARTICLE = "particle"
"""Name of the array of an NPZ file that tells particles apart."""
Labels = NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read."""

    voxel: float | None = None
    """Edge of the cubic voxel [um]; by default what the file says."""
    labels: Mapping[int, str] = field(default_factory=lambda: {0: "pore", 1: "active", 2: "cbd"})
    """What each label of the file stands for: pore, active or cbd."""
    thickness_axis: int = 2
    """Which axis of the file runs from collector to surface."""
    periodic: Periodic | None = None
    """Which axes, thickness last, close upon themselves; None: as the file says, or none of an image's."""
    whole: bool = False
    """Whether the image reaches from the collector to the free surface."""
    dataset: str | None = None
    """Name of the array in an NPZ or HDF5 file that holds several."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Of files of balls: what each type stands for, active or cbd; by default as ``mesoforge export`` writes them."""
    diameters: Mapping[str, float] = field(default_factory=dict)
    """Of files of balls: diameters by type [um], in place of the file's."""
    particles: Path | None = None
    """A file of the same shape in which each particle of active material has a number of its own, and all else 0."""


def read_image(path: Path, reading: Reading | None = None) -> Voxels:
    """Read a labelled image of an electrode; what ``Voxels.save`` wrote is an image too.

    Raises:
        InputError: one sentence on the first thing that is wrong, before anything large is read.
    """
    how = reading or Reading()
    array, edges, particle = _read_checked(path, how.dataset)
    if how.particles is not None:
        particle = _read_checked(how.particles, None)[0]
        if particle.shape != array.shape:
            raise InputError(
                f"'{how.particles}' has {particle.shape} voxels but the image {array.shape}: give particles of the "
                "same image."
            )
    return labelled(array, _edge(edges, str(path)), how, str(path), particle)


def _read_checked(path: Path, dataset: str | None) -> tuple[Labels, tuple[float, ...] | None, Labels | None]:
    """Return labels, voxel edges and particle labels of a file, the latter two where it has them."""
    if not path.is_dir() and path.suffix.lower() not in (*SUFFIXES, *PICKLES):
        raise InputError(f"'{path}' ends in '{path.suffix}' but one of {', '.join(SUFFIXES)} is due: convert it.")
    array, edges = _read(path, dataset)
    particle = _read(path, PARTICLE)[0] if dataset is None and PARTICLE in array_names(path) else None
    return array, edges, particle


def _read(path: Path, dataset: str | None) -> tuple[Labels, tuple[float, ...] | None]:
    opened = open_array(path, Layout(dataset=dataset))
    require_memory(math.prod(opened.voxels.shape), str(path))
    return np.asarray(opened.voxels[(slice(None),) * len(opened.voxels.shape)]), opened.voxel_um


def _edge(edges: tuple[float, ...] | None, name: str) -> float | None:
    """Return the one edge of a file's voxels."""
    if edges is not None and max(edges) > min(edges) * 1.001:
        shown = " x ".join(f"{edge:g}" for edge in edges)
        raise InputError(f"{name}: voxels are {shown} um but must be cubes: resample the image to equal edges first.")
    return None if edges is None else float(edges[0])


def labelled(
    array: Labels, edge: float | None, how: Reading, name: str = "image", particle: Labels | None = None
) -> Voxels:
    """Turn an array of labels into an image, thickness last.

    Raises:
        InputError: one sentence on the first thing that is wrong.
    """
    _check_array(array, how, name)
    voxel = how.voxel if how.voxel is not None else edge
    if voxel is None or not 0 < voxel < 1e3:
        came = "not given" if voxel is None else f"{voxel:g}"
        raise InputError(f"{name}: the voxel's edge is {came} but a length in um is due: give it with --voxel.")
    phase = np.ascontiguousarray(np.moveaxis(_phases(array, how.labels, name), how.thickness_axis, 2))
    if np.all(phase == phase.flat[0]):
        only = next(word for word, label in PHASES.items() if label == phase.flat[0])
        raise InputError(f"{name}: all voxels are {only} but two phases at least are due: check the labels.")
    apart = np.broadcast_to(np.int32(0), phase.shape)
    if particle is not None and particle.shape == array.shape:
        apart = np.ascontiguousarray(np.moveaxis(particle, how.thickness_axis, 2)).astype(np.int32)
    return Voxels(phase, apart, float(voxel), how.periodic or CLOSED, how.whole)


def require_memory(voxels: int, name: str = "image") -> None:
    """Refuse what is larger than this machine's memory, before the attempt.

    Raises:
        InputError: with the sizes and what to do.
    """
    due, there = voxels * BYTES, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if due > 0.9 * there:
        raise InputError(
            f"{name}: {voxels:.3g} voxels need about {due / 1e9:.3g} GB and this machine has {there / 1e9:.3g} GB: cut "
            "a piece, or make the voxels larger."
        )


def _check_array(array: Labels, how: Reading, name: str) -> None:
    """Refuse what is no three-dimensional array of whole numbers."""
    if array.ndim != 3:
        raise InputError(f"{name}: the image has {array.ndim} dimensions but must have 3: give a stack of slices.")
    if min(array.shape) < 2:
        raise InputError(
            f"{name}: the image has {' x '.join(map(str, array.shape))} voxels but at least two along each axis are "
            "due: give a stack of slices."
        )
    if not np.issubdtype(array.dtype, np.integer) and array.dtype != np.bool_:
        raise InputError(
            f"{name}: the image holds {array.dtype} numbers but whole labels are due: segment it first, as 0 pore, 1 "
            "active material, 2 CBD."
        )
    if how.thickness_axis not in (0, 1, 2):
        raise InputError(f"{name}: the thickness axis is {how.thickness_axis} but must be 0, 1 or 2: correct it.")
    require_memory(array.size, name)


def _phases(array: Labels, labels: Mapping[int, str], name: str) -> NDArray[np.uint8]:
    """Turn the file's labels into phases."""
    wrong = [word for word in labels.values() if word not in PHASES]
    if wrong:
        raise InputError(f"label meaning '{wrong[0]}' is not known: use pore, active or cbd, as in 0=pore,1=active.")
    found = np.unique(array)
    unknown = [int(one) for one in found if int(one) not in labels]
    if unknown:
        shown = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
        raise InputError(
            f"{name}: labels {shown} are in the image but only {', '.join(map(str, labels))} have a meaning: say what "
            "they are, as in --labels 0=pore,1=active,2=cbd."
        )
    phase = np.zeros(array.shape, dtype=np.uint8)
    for label in found:
        phase[array == label] = PHASES[labels[int(label)]]
    return phase
