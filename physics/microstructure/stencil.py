"""Loops over voxels for the conduction equation: seven-point stencils on arrays whose last axis carries the current.

A grid is ``gx, gy, gz, diagonal, ends``: ``gx[i]`` (nx, ny, nz) is the conductance of the face between layers i and
i + 1, the last one closing the period; ``gy`` likewise; ``gz[:, :, k]`` that between k - 1 and k, 0 at k = 0; ``ends``
(2, nx, ny) those to both electrodes; ``diagonal`` the sum of a voxel's six faces, or 1 where nothing conducts.
Layers along the first axis are taken as one long row each, so that loops over them vectorise.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]
Grid: TypeAlias = tuple[Field, Field, Field, Field, Field]
TINY = np.float32(1e-30)
"""Keeps a mean of two zeros from being a division by zero."""


def jit(function: Any) -> Any:
    """Compile a function and keep the result on disk; sums may be reordered.

    Division by zero gives infinity, as in NumPy: a check for it would keep loops from being vectorised.
    """
    return numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")(function)


def finest(conductivity: Field, periodic: tuple[bool, bool]) -> Grid:
    """Return the grid of an image: faces are harmonic means, doubled at the electrodes."""
    grid = _room(*conductivity.shape)
    _faces(conductivity, grid, *periodic)
    return grid


def coarser(grid: Grid) -> Grid:
    """Return the grid of twice the edge.

    A face's conductance is half the sum of those it stands for: the middles of its voxels lie twice as far apart.
    """
    nx, ny, nz = grid[0].shape
    coarse = _room((nx + 1) // 2, (ny + 1) // 2, (nz + 1) // 2)
    _sum_faces(grid, coarse)
    return coarse


def _room(nx: int, ny: int, nz: int) -> Grid:
    """Return room for a grid."""
    gx, gy, gz, diagonal = fields(4, (nx, ny, nz))
    return gx, gy, gz, diagonal, np.empty((2, nx, ny), np.float32)


def fields(number: int, shape: tuple[int, ...]) -> Field:
    """Return room for fields, (number, nx, ny, nz), in one piece: from 4 MiB on it has large pages, faster to touch."""
    return np.empty((number, *shape), np.float32)


@jit
def _faces(conductivity: Any, grid: Any, periodic_x: bool, periodic_y: bool) -> None:
    """Fill the finest grid."""
    gx, gy, gz, _, ends = grid
    nx, ny, nz = conductivity.shape
    for i in range(nx):
        for j in range(ny):
            row = conductivity[i, j]
            _harmonic(gx[i, j], row, conductivity[(i + 1) % nx, j], nx > 1 and (i + 1 < nx or periodic_x))
            _harmonic(gy[i, j], row, conductivity[i, (j + 1) % ny], ny > 1 and (j + 1 < ny or periodic_y))
            _harmonic(gz[i, j, 1:], row[: nz - 1], row[1:], True)
            gz[i, j, 0] = 0
            ends[0, i, j], ends[1, i, j] = 2 * row[0], 2 * row[nz - 1]
    _sum_diagonal(grid)


@jit
def _harmonic(mean: Any, first: Any, second: Any, joined: bool) -> None:
    """Write the harmonic mean of two rows; 0 where one of them is, or where they are not joined."""
    twice = np.float32(2 if joined else 0)
    for k in range(len(mean)):
        mean[k] = twice * first[k] * second[k] / (first[k] + second[k] + TINY)


@jit
def _sum_diagonal(grid: Any) -> None:
    """Write the sum of each voxel's faces, 1 where it has none."""
    gx, gy, gz, diagonal, ends = grid
    nx, ny, nz = gx.shape
    many = ny * nz
    one = np.ones(many, np.float32)
    for i in range(nx):
        total, back, front = diagonal[i].reshape(many), gx[i - 1].reshape(many), gx[i].reshape(many)
        side, below = gy[i].reshape(many), gz[i].reshape(many)
        for k in range(many):
            total[k] = back[k] + front[k] + side[k] + below[k]
        _add_products(total, below[1:], one)
        _add_products(total[nz:], side, one)
        _add_products(total, side[many - nz :], one)
        for j in range(ny):
            total[j * nz] += ends[0, i, j]
            total[(j + 1) * nz - 1] += ends[1, i, j]
        for k in range(many):
            total[k] = total[k] if total[k] > 0 else np.float32(1)


@jit
def _add_products(total: Any, a: Any, b: Any) -> None:
    """Add a times b to a sum, as far as the shortest goes."""
    for k in range(min(len(total), len(a), len(b))):
        total[k] += a[k] * b[k]


@jit
def _sum_faces(grid: Any, coarse: Any) -> None:
    """Fill the coarser grid."""
    gx, gy, gz, _, ends = grid
    cx, cy, cz, _, coarse_ends = coarse
    nx, ny, nz = gx.shape
    half = np.float32(0.5)
    cx[:], cy[:], cz[:], coarse_ends[:] = 0, 0, 0, 0
    for i in range(nx):
        for j in range(ny):
            if i % 2 == 1 or i == nx - 1:
                for k in range(nz):
                    cx[i // 2, j // 2, k // 2] += half * gx[i, j, k]
            if j % 2 == 1 or j == ny - 1:
                for k in range(nz):
                    cy[i // 2, j // 2, k // 2] += half * gy[i, j, k]
            for k in range(0, nz, 2):
                cz[i // 2, j // 2, k // 2] += half * gz[i, j, k]
            coarse_ends[0, i // 2, j // 2] += half * ends[0, i, j]
            coarse_ends[1, i // 2, j // 2] += half * ends[1, i, j]
    _sum_diagonal(coarse)


@jit
def _inflow(total: Any, x: Any, grid: Any, i: int) -> None:
    """Sum conductance times potential over the six neighbours of each voxel of layer i into ``total`` (ny * nz,).

    All rows but the first and the last are one loop: what a row's ends lend from other rows their faces, 0, leave out.
    """
    nx, ny, nz = x.shape
    many = ny * nz
    here, behind, ahead = x[i].reshape(many), x[i - 1].reshape(many), x[(i + 1) % nx].reshape(many)
    back, front, side = grid[0][i - 1].reshape(many), grid[0][i].reshape(many), grid[1][i].reshape(many)
    below, last = grid[2][i].reshape(many), many - nz
    for start, left, right in ((0, last, nz % many), (last, (last - nz) % many, 0)):
        for k in range(nz):
            n = start + k
            total[n] = (
                back[n] * behind[n] + front[n] * ahead[n] + side[left + k] * here[left + k] + side[n] * here[right + k]
            )
        _add_products(total[start + 1 : start + nz], below[start + 1 :], here[start:])
        _add_products(total[start : start + nz - 1], below[start + 1 :], here[start + 1 :])
    middle = total[nz:last]
    back, front, behind, ahead = back[nz:], front[nz:], behind[nz:], ahead[nz:]
    under, above, lower, higher = below[nz:], below[nz + 1 :], here[nz - 1 :], here[nz + 1 :]
    outer, beyond = side[nz:], here[2 * nz :]
    for k in range(len(middle)):
        middle[k] = (
            back[k] * behind[k]
            + front[k] * ahead[k]
            + under[k] * lower[k]
            + above[k] * higher[k]
            + side[k] * here[k]
            + outer[k] * beyond[k]
        )


@jit
def _relax_layer(x: Any, b: Any, grid: Any, i: int, total: Any, chosen: Any) -> None:
    """Solve for the chosen voxels (1, else 0) of layer i with their neighbours held."""
    _inflow(total, x, grid, i)
    here, source, own = x[i].reshape(len(total)), b[i].reshape(len(total)), grid[3][i].reshape(len(total))
    for k in range(len(total)):
        here[k] += chosen[k] * ((total[k] + source[k]) / own[k] - here[k])


@jit
def _colours(ny: int, nz: int) -> Any:
    """Return the red and the black fields of a board, (2, ny * nz)."""
    board = np.zeros((2, ny, nz), np.float32)
    for j in range(ny):
        for k in range(nz):
            board[(j + k) % 2, j, k] = 1
    return board.reshape(2, ny * nz)


@jit
def relax(x: Any, b: Any, grid: Any) -> None:
    """Do one red-black Gauss-Seidel sweep.

    The black voxels of a layer follow the red ones of the next, while both are in the cache.
    """
    nx, ny, nz = x.shape
    total, colours = np.empty(ny * nz, np.float32), _colours(ny, nz)
    for i in range(nx):
        _relax_layer(x, b, grid, i, total, colours[i % 2])
        if i > 1:
            _relax_layer(x, b, grid, i - 1, total, colours[i % 2])
    if nx > 1:
        _relax_layer(x, b, grid, nx - 1, total, colours[nx % 2])
    _relax_layer(x, b, grid, 0, total, colours[1])


@jit
def relax_from_nothing(x: Any, b: Any, grid: Any) -> None:
    """Do what ``relax`` does from potentials of 0, whatever x holds; with nothing around, red voxels need no sum.

    Only where an odd number of layers closes upon itself do the last red ones see others.
    """
    nx, ny, nz = x.shape
    total, colours = np.empty(ny * nz, np.float32), _colours(ny, nz)
    for i in range(nx):
        here, source, own = x[i].reshape(ny * nz), b[i].reshape(ny * nz), grid[3][i].reshape(ny * nz)
        chosen = colours[i % 2]
        for k in range(ny * nz):
            here[k] = chosen[k] * source[k] / own[k]
        if i == nx - 1 and i % 2 == 0:
            here[:] = 0
            _relax_layer(x, b, grid, i, total, chosen)
        if i > 1:
            _relax_layer(x, b, grid, i - 1, total, colours[i % 2])
    if nx > 1:
        _relax_layer(x, b, grid, nx - 1, total, colours[nx % 2])
    _relax_layer(x, b, grid, 0, total, colours[1])


@jit
def relax_back(x: Any, b: Any, grid: Any) -> None:
    """Do the exact reverse of ``relax``, so that the pair of them is symmetric."""
    nx, ny, nz = x.shape
    total, colours = np.empty(ny * nz, np.float32), _colours(ny, nz)
    _relax_layer(x, b, grid, 0, total, colours[1])
    if nx > 1:
        _relax_layer(x, b, grid, nx - 1, total, colours[nx % 2])
    for i in range(nx - 1, -1, -1):
        if i > 1:
            _relax_layer(x, b, grid, i - 1, total, colours[i % 2])
        _relax_layer(x, b, grid, i, total, colours[i % 2])


@jit
def settle(x: Any, b: Any, grid: Any, sweeps: int, begun: bool) -> None:
    """Sweep forth and back so many times, from 0 unless begun."""
    if not begun:
        x[:] = 0
    for _ in range(sweeps):
        relax(x, b, grid)
        relax_back(x, b, grid)


@jit
def restrict_residual(coarse: Any, x: Any, b: Any, grid: Any) -> None:
    """Sum what is left of b over 2 x 2 x 2 voxels into ``coarse``."""
    nx, ny, nz = x.shape
    total = np.empty(ny * nz, np.float32)
    coarse[:] = 0
    for i in range(nx):
        _inflow(total, x, grid, i)
        here, source, own = x[i].reshape(ny * nz), b[i].reshape(ny * nz), grid[3][i].reshape(ny * nz)
        for k in range(ny * nz):
            total[k] += source[k] - own[k] * here[k]
        for j in range(ny):
            row, into = total[j * nz : (j + 1) * nz], coarse[i // 2, j // 2]
            for k in range(nz // 2):
                into[k] += row[2 * k] + row[2 * k + 1]
            if nz % 2:
                into[nz // 2] += row[nz - 1]


@jit
def add_correction(x: Any, coarse: Any) -> None:
    """Add to each voxel the potential of its coarse one; the sweep that follows clears what conducts nothing."""
    nx, ny, nz = x.shape
    for i in range(nx):
        for j in range(ny):
            row, source = x[i, j], coarse[i // 2, j // 2]
            for k in range(nz // 2):
                row[2 * k] += source[k]
                row[2 * k + 1] += source[k]
            if nz % 2:
                row[nz - 1] += source[nz // 2]


@jit
def apply(out: Any, x: Any, grid: Any) -> float:
    """Write the net current out of each voxel at potentials x, and return its product with x."""
    nx, ny, nz = x.shape
    total = np.empty(ny * nz, np.float32)
    whole = 0.0
    for i in range(nx):
        _inflow(total, x, grid, i)
        here, own, into = x[i].reshape(ny * nz), grid[3][i].reshape(ny * nz), out[i].reshape(ny * nz)
        part = np.float32(0)
        for k in range(ny * nz):
            into[k] = own[k] * here[k] - total[k]
            part += into[k] * here[k]
        whole += float(part)
    return whole


@jit
def dissipation(x: Any, grid: Any) -> float:
    """Return the sum of conductance times drop squared at potentials x, 0 below the first layer and 1 above the last.

    It is the conductance between the electrodes; any x but the exact one gives more, by the square of its error.
    """
    gx, gy, gz, _, ends = grid
    nx, ny, nz = x.shape
    total = 0.0
    for i in range(nx):
        for j in range(ny):
            row, ahead, beside, a, b, c = x[i, j], x[(i + 1) % nx, j], x[i, (j + 1) % ny], gx[i, j], gy[i, j], gz[i, j]
            part = np.float32(0)
            for k in range(nz):
                part += a[k] * (ahead[k] - row[k]) ** 2 + b[k] * (beside[k] - row[k]) ** 2
            for k in range(1, nz):
                part += c[k] * (row[k] - row[k - 1]) ** 2
            total += float(part) + ends[0, i, j] * row[0] ** 2 + ends[1, i, j] * (1 - row[nz - 1]) ** 2
    return total


@jit
def product(a: Any, b: Any) -> float:
    """Return the sum of a times b, row by row in single and over rows in double precision."""
    total = 0.0
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            part = np.float32(0)
            for k in range(a.shape[2]):
                part += a[i, j, k] * b[i, j, k]
            total += float(part)
    return total


@jit
def add(x: Any, factor: Any, direction: Any) -> None:
    """Add a multiple of a direction to x."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            row, other = x[i, j], direction[i, j]
            for k in range(x.shape[2]):
                row[k] += factor * other[k]


@jit
def turn(direction: Any, factor: Any, z: Any) -> None:
    """Replace a direction by z plus a multiple of it."""
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            row, other = direction[i, j], z[i, j]
            for k in range(z.shape[2]):
                row[k] = other[k] + factor * row[k]


@jit
def ramp(conductivity: Any) -> Any:
    """Turn conductivities, in place, into potentials that rise evenly from the near to the far electrode."""
    nx, ny, nz = conductivity.shape
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                if conductivity[i, j, k] > 0:
                    conductivity[i, j, k] = (k + np.float32(0.5)) / nz
    return conductivity


@jit
def idle(x: Any, grid: Any, floor: Any) -> int:
    """Count the conducting voxels through none of whose faces the floor over their number flows."""
    gx, gy, gz, _, ends = grid
    nx, ny, nz = x.shape
    conducting = 0
    for i in range(nx):
        for j in range(ny):
            for k in range(nz):
                conducting += x[i, j, k] > 0
    least, count = floor / max(conducting, 1), 0
    for i in range(nx):
        for j in range(ny):
            row, behind, ahead, left, right = x[i, j], x[i - 1, j], x[(i + 1) % nx, j], x[i, j - 1], x[i, (j + 1) % ny]
            for k in range(nz):
                v = row[k]
                low = gz[i, j, k] * (v - row[k - 1]) if k else ends[0, i, j] * v
                high = gz[i, j, k + 1] * (row[k + 1] - v) if k + 1 < nz else ends[1, i, j] * (1 - v)
                most = max(abs(low), abs(high))
                most = max(most, max(abs(gx[i, j, k] * (ahead[k] - v)), abs(gx[i - 1, j, k] * (v - behind[k]))))
                most = max(most, max(abs(gy[i, j, k] * (right[k] - v)), abs(gy[i, j - 1, k] * (v - left[k]))))
                count += v > 0 and most < least
    return count
