"""Extraction: from a stack to a particle library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesoforge.errors import InputError
from mesoforge.physics.shapes.blocks import cut, scratch
from mesoforge.physics.shapes.figures import Figures, Mask, equivalent_diameter, figures
from mesoforge.physics.shapes.library import Contacts, Library, Origin, write_library
from mesoforge.physics.shapes.phase import Denoise, find_phase
from mesoforge.physics.shapes.separate import Particles, Told, Watershed, separate
from mesoforge.physics.shapes.stack import Region, Stack

PLAUSIBLE = (0.05, 200.0)
"""Diameters of a sample's largest particle that a voxel size may lead to [um]."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """How particles are taken from a stack."""

    label: int | None = None
    """Label of the active material; without it a stack of two values means the greater, another one is grey."""
    threshold: float | None = None
    """Grey value above which a voxel is active material; without it Otsu's."""
    classes: int = 2
    """Grey phases that Otsu's method tells; active material is the brightest."""
    denoise: Denoise = "median"
    """What is done to grey values before: a median over 3 x 3 x 3 voxels, a Gaussian of 1 voxel, or nothing."""
    watershed: Watershed = field(default_factory=Watershed)
    """How particles are parted."""
    least: int = 200
    """Fewest voxels of a particle that is kept."""
    border: bool = False
    """Whether particles that the stack's faces cut are kept."""
    block: int | None = None
    """Edge of the blocks that are worked on one by one, in voxels; chosen by the stack's size."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """A library, how many particles were dropped, and a middle slice of the labels for a picture."""

    library: Library
    kept: int
    cut_off: int
    """Dropped because the stack's faces cut them."""
    small: int
    """Dropped because they have too few voxels."""
    active_fraction: float
    """Share of the stack's voxels that are active material."""
    slices: dict[int, NDArray[np.int64]]
    """Particles' rows plus one in the stack's middle slice across each axis; -1 dropped, 0 none."""


def extract(stack: Stack, how: Extraction, path: Path, told: Told = lambda *_: None) -> Extracted:
    """Extract the particles of a stack into a library.

    Args:
        stack: the image.
        how: the parameters.
        path: where the library is written.
        told: given the step under way and the share of it that is done.

    Raises:
        InputError: nothing is left, or the voxel size cannot be right.
    """
    blocks = cut(stack.shape, how.block)
    told("grey values", 0.0)
    phase = find_phase(stack, blocks, how.label, how.threshold, how.denoise, how.classes)
    with scratch(blocks) as arrays:
        found = separate(stack, phase, blocks, how.watershed, arrays, told)
        kept = _kept(found, how, stack)
        said = _parameters(how, phase.threshold, phase.label) | _dropped(found, how)
        origin = Origin(stack.source, stack.sha256, said)
        contacts = _contacts(found, kept, stack.voxel_um)
        library = write_library(path, _measured(found, kept, stack.voxel_um, told), stack.voxel_um, contacts, origin)
        fraction = float(found.count[1:].sum() / np.prod(stack.shape))
        drops = {name: int(said[name]) for name in ("cut_off", "small")}
        return Extracted(library, len(kept), **drops, active_fraction=fraction, slices=_slices(found, kept))


def _kept(found: Particles, how: Extraction, stack: Stack) -> NDArray[np.int64]:
    """Return the numbers of the particles that stay.

    Raises:
        InputError: there is none, or the largest of them has no plausible size.
    """
    stays = (found.count >= how.least) & (~found.cut_off | how.border)
    stays[0] = False
    if not stays.any():
        raise InputError(
            f"'{stack.source}' has {len(found.count) - 1} particles but none is whole and has {how.least} voxels or "
            "more: lower --min-voxels, keep cut ones with --keep-border, or give a larger stack."
        )
    largest = equivalent_diameter(float(found.count[stays].max()) * stack.voxel_um**3)
    if not PLAUSIBLE[0] <= largest <= PLAUSIBLE[1]:
        raise InputError(
            f"the largest particle of '{stack.source}' is {largest:.3g} um wide, with voxels of {stack.voxel_um:g} um, "
            f"but {PLAUSIBLE[0]:g} to {PLAUSIBLE[1]:g} um are plausible: correct --voxel-size (in um)."
        )
    return np.flatnonzero(stays)


def _measured(found: Particles, kept: NDArray[np.int64], voxel_um: float, told: Told) -> Iterator[tuple[Mask, Figures]]:
    for place, number in enumerate(kept.tolist()):
        told("figures", place / len(kept))
        mask = found.image(found.region(number)) == number
        yield mask, figures(mask, voxel_um)


def _contacts(found: Particles, kept: NDArray[np.int64], voxel_um: float) -> Contacts:
    """Return the facets of the particles that stay, the others as -1."""
    row = np.full(len(found.count), -1, dtype=np.int64)
    row[kept] = np.arange(len(kept))
    pair = np.stack([row[found.borders.first], row[found.borders.second]], axis=1)
    some = (pair >= 0).any(axis=1)
    return Contacts(pair[some], found.borders.faces[some].astype(np.float64) * voxel_um**2)


def _dropped(found: Particles, how: Extraction) -> dict[str, int]:
    """Count what is dropped, as cut off first."""
    there = np.arange(len(found.count)) > 0
    cut_off = there & found.cut_off & (not how.border)
    small = there & ~cut_off & (found.count < how.least)
    return {"cut_off": int(cut_off.sum()), "small": int(small.sum())}


def _parameters(how: Extraction, threshold: float | None, label: int | None) -> dict[str, Any]:
    """Return the parameters as they were used, for the library's attributes."""
    plain = asdict(how) | asdict(how.watershed) | {"threshold": threshold, "label": label}
    if threshold is None:
        del plain["denoise"], plain["classes"]
    return {name: value for name, value in plain.items() if value is not None and name not in ("watershed", "block")}


def _slices(found: Particles, kept: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    row = np.full(len(found.count), -1, dtype=np.int64)
    row[0] = 0
    row[kept] = np.arange(1, len(kept) + 1)
    whole: Region = tuple(slice(0, size) for size in found.shape)  # type: ignore[assignment]
    middles = {
        axis: tuple(slice(size // 2, size // 2 + 1) if axis == a else whole[a] for a, size in enumerate(found.shape))
        for axis in range(3)
    }
    return {axis: row[found.image(region)].squeeze(axis) for axis, region in middles.items()}  # type: ignore[arg-type]
