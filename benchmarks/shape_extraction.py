"""How well, how fast and in how much memory are particles extracted from a tomogram?

``python benchmarks/shape_extraction.py real [--data FOLDER] [--out FOLDER]`` extracts the particles of a calendered NMC
electrode in a process of its own, compares them with another watershed of the same image, counts what either parts and
the other joins, and draws both over the image.
``... truth [--seeds N]`` does the same for 300 ellipsoids whose particles are known, with the real axis ratios.
``... large --edge N`` works on a cube of N voxels, the real image mirrored at its faces, block by block from a file,
and prints the greatest memory; with ``--check`` also on the whole at once, to see that the libraries are the same.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from mesoforge.experiments.canvas import save, style
from mesoforge.experiments.shape_pictures import boundary, empty_figure, extent
from mesoforge.physics.shapes.blocks import cut, scratch
from mesoforge.physics.shapes.library import open_library
from mesoforge.physics.shapes.phantom import overlaps, packed, recovered, stamped
from mesoforge.physics.shapes.phase import Phase
from mesoforge.physics.shapes.separate import Watershed, separate
from mesoforge.physics.shapes.stack import Layout, Stack, array_stack, open_stack

DATA = Path("..") / "shared" / "data"
NECKS = (0.8, 0.85, 0.9, 0.95)
Labels = NDArray[np.int64]


def run(*words: str) -> tuple[float, float]:
    """Run ``mesoforge shapes extract`` and return its wall-clock time [s] and greatest memory [GiB]."""
    began = time.monotonic()
    entry = "from mesoforge.experiments.cli import main; main()"
    subprocess.run([sys.executable, "-c", entry, *words], check=True)
    return time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def labels_of(stack: Stack, how: Watershed, block: int | None = None) -> tuple[Labels, NDArray[np.bool_]]:
    """Return the particles' numbers in the whole stack, and which of them are whole and have 200 voxels."""
    blocks = cut(stack.shape, block)
    with scratch(blocks) as arrays:
        found = separate(stack, Phase(1, None), blocks, how, arrays)
        image = found.image((slice(None), slice(None), slice(None)))
        return image, (found.count >= 200) & ~found.cut_off


def real(data: Path, out: Path) -> None:
    """Compare with the second opinion, in numbers and in a picture."""
    source = data / "nmc_ct_calendered.npz"
    library = out / "nmc.h5"
    wall, memory = run("shapes", "extract", str(source), "--label", "1", "-o", str(library))
    found = open_library(library)
    with (data / "nmc_ct_calendered_particles.csv").open() as file:
        rows = list(csv.DictReader(file))
    sizes = np.array([float(row["d_eq_um"]) for row in rows])
    round_ = np.array([float(row["krumbein_sphericity"]) for row in rows])
    ours, theirs = found.diameters, sizes
    print(f"{wall:.1f} s, {memory:.2f} GiB")
    print(f"particles        {len(ours):6d}   second opinion {len(theirs):6d}   {len(ours) / len(theirs) - 1:+.1%}")
    for percent in (10, 50, 90):
        a, b = np.percentile(ours, percent), np.percentile(theirs, percent)
        print(f"d{percent} um           {a:6.2f}   second opinion {b:6.2f}   {a / b - 1:+.1%}")
    a, b = found.figures["krumbein"].mean(), round_.mean()
    print(f"mean Krumbein    {a:6.4f}   second opinion {b:6.4f}   {a - b:+.4f}")
    stack = open_stack(source, Layout())
    with np.load(data / "nmc_ct_calendered_particle_labels.npz", allow_pickle=False) as arrays:
        other = arrays["labels"].astype(np.int64)
    for neck in NECKS:
        image, _ = labels_of(stack, Watershed(neck=neck))
        print(f"neck {neck:g}: {compared(image, other)}")
        if neck == Watershed().neck:
            overlay(image, other, stack.voxel_um, out / "second_opinion.png")


def compared(ours: Labels, theirs: Labels) -> str:
    """Say how many particles of the other image are the same, parted or joined in ours."""
    same, _ = recovered(theirs.astype(np.int32), ours)
    there = np.bincount(theirs.ravel())[1:] >= 200
    parted, joined = parts(theirs, ours), parts(ours, theirs)
    return (
        f"{same[there].mean():.1%} of their {there.sum()} particles of 200 voxels are one of ours (four fifths of the "
        f"union shared); {len(parted)} of theirs are parted by us, {len(joined)} of ours by them"
    )


def parts(whole: Labels, pieces: Labels) -> dict[int, int]:
    """Return the particles of one image of which another has two pieces, each a fifth of it and mostly in it."""
    pairs, shared = overlaps(whole, pieces)
    size, piece = np.bincount(whole.ravel()), np.bincount(pieces.ravel())
    good = (pairs > 0).all(axis=0) & (shared > size[pairs[0]] / 5) & (shared > piece[pairs[1]] / 2)
    number, times = np.unique(pairs[0][good & (size[pairs[0]] >= 200)], return_counts=True)
    return {int(one): int(count) for one, count in zip(number, times, strict=True) if count > 1}


def overlay(ours: Labels, theirs: Labels, edge: float, path: Path) -> None:
    """Draw three slices: boundaries of both, of one only, and the particles that one side parts."""
    parted, joined = list(parts(theirs, ours)), list(parts(ours, theirs))
    with style():
        figure = empty_figure(16, 6.4)
        for axes, place in zip(figure.subplots(1, 3), (0.3, 0.5, 0.7), strict=True):
            index = int(ours.shape[0] * place)
            a, b = ours[index], theirs[index]
            picture = np.where((a > 0)[..., None], 0.88, 1.0) * np.ones(3)
            picture[np.isin(b, parted)] = (1.0, 0.82, 0.72)
            picture[np.isin(a, joined)] = (0.74, 0.85, 1.0)
            one, other = boundary(a), boundary(b)
            picture[one & other] = (0.2, 0.2, 0.2)
            picture[one & ~other] = (0.8, 0.1, 0.1)
            picture[other & ~one] = (0.1, 0.3, 0.9)
            axes.imshow(picture, origin="lower", interpolation="nearest", extent=extent(a, edge))
            axes.set(title=f"slice {index}", xlabel="µm")
        figure.suptitle(
            "borders: dark both, red ours only, blue theirs only; filled: red, parted by us; blue, parted by them"
        )
        save(figure, path)
    print(f"overlay: {path}")


def truth(data: Path, seeds: int) -> None:
    """Recover 300 ellipsoids of 20 voxels, solid fraction 0.5, overlaps up to 5 % of the diameter."""
    with (data / "nmc_ct_calendered_particles.csv").open() as file:
        rows = list(csv.DictReader(file))
    ratios = np.array([[float(row[f"axis_{axis}_um"]) for axis in "abc"] for row in rows])
    for seed in range(1, seeds + 1):
        rng = np.random.default_rng(seed)
        axes = ratios[rng.choice(len(ratios), 300)]
        sizes = np.exp(rng.normal(0, 0.2, 300))
        axes *= (sizes / sizes.mean() * 10 / np.cbrt(axes.prod(axis=1)))[:, None]
        edge = int(np.cbrt(4 / 3 * np.pi * axes.prod(axis=1).sum() / 0.5)) + 1
        balls = packed(axes, edge - 2.0, 0.05, rng)
        balls.centres[:] += 1
        image = stamped(balls, edge)
        found, _ = labels_of(array_stack((image > 0).astype(np.uint8), 1.0), Watershed())
        same, ratio = recovered(image, found)
        off = np.abs(ratio[same] - 1)
        print(
            f"seed {seed}: solid {np.mean(image > 0):.3f}; {same.mean():.1%} recovered, found {found.max()}; volume "
            f"{np.nanmean(ratio) - 1:+.2%} in the mean, off by {off.mean():.2%} (worst {off.max():.1%}), within 3 %: "
            f"{(off < 0.03).mean():.1%}"
        )


def mirrored(size: int, edge: int) -> NDArray[np.int64]:
    """Return the places of a mirrored tiling of so many voxels, up to an edge."""
    return np.pad(np.arange(size), (0, max(0, edge - size)), "symmetric")[:edge]


def large(data: Path, out: Path, edge: int, *, check: bool) -> None:
    """Work on a large cube block by block, from a file."""
    with np.load(data / "nmc_ct_calendered.npz", allow_pickle=False) as arrays:
        image = arrays["image"]
    path = out / f"cube_{edge}.npy"
    if not path.exists():
        cube = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(edge,) * 3)
        slices, rows, columns = (mirrored(size, edge) for size in image.shape)
        for place, index in enumerate(slices):
            cube[place] = image[index][np.ix_(rows, columns)]
        del cube
    words = ("shapes", "extract", str(path), "--label", "1", "--voxel-size", "0.398", "-o")
    wall, memory = run(*words, str(out / "blocks.h5"), "--block", "256")
    blocks = open_library(out / "blocks.h5")
    print(f"{edge}^3 voxels in blocks of 256: {len(blocks)} particles, {wall:.0f} s, {memory:.2f} GiB")
    if check:
        wall, memory = run(*words, str(out / "whole.h5"), "--block", str(edge))
        whole = open_library(out / "whole.h5")
        same = whole.content_sha256 == blocks.content_sha256
        print(f"as one block: {len(whole)} particles, {wall:.0f} s; the same library: {same}")


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("real", "truth", "large"))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("mlruns") / "shapes")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--edge", type=int, default=600)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.what == "real":
        real(given.data, given.out)
    elif given.what == "truth":
        truth(given.data, given.seeds)
    else:
        large(given.data, given.out, given.edge, check=given.check)


if __name__ == "__main__":
    main()
