"""Tile algorithms of convolution (Toom-Cook and Fourier), and a convolution of stride 1 and its gradient by them.

Channels come last and points first from end to end, so that every transform and every product reads arrays as they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array
Padding = tuple[int, int]
Matrix = np.ndarray
_FEW = 8  # parts that are added up faster one by one than by a matrix product
# Those, with infinity, for which tiles of 6x6 inputs lose the fewest digits in float32: less than half of what the
# usual 0, 1, -1, 2 and -2 lose (a test compares them), about five times what adding up loses
# (`benchmarks.convolutions`).
_POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)


class TileAlgorithm(NamedTuple):
    """m x m outputs of a k x k kernel from n x n inputs, n = m + k - 1; rows first, then columns.

    A row has u points of z real numbers each: a real value, or the two parts of a complex one. A point of rows and its
    column points make p products.
    """

    outputs: int  # m
    rows: Matrix  # [z,u,n], from the inputs of a column
    columns: Matrix  # [p,z,n], from the points of rows
    kernel: Matrix  # [p,u,k,k], from the kernel's taps
    back_columns: Matrix  # [z,m,p], from the products
    back_rows: Matrix  # [m,z,u], from the points of rows to the outputs of a column


@lru_cache
def toom_cook(kernel_size: int) -> TileAlgorithm:
    """For kernels of up to 4, by polynomials at five real points and at infinity, from tiles of 6x6 inputs."""
    size = len(_POINTS) + 1
    outputs = size - kernel_size + 1
    # A product of polynomials is to_points, multiply, from_points; a convolution is its transpose in one factor.
    back, taps = _powers(_POINTS, outputs), _powers(_POINTS, kernel_size)  # [n,m], [n,k]
    inputs = np.linalg.inv(_powers(_POINTS, size)).T  # [n,n]
    # Powers of two lose nothing and keep the transformed map about as large as the map.
    scale = 2.0 ** np.round(np.log2(np.abs(inputs).max(axis=1, keepdims=True)))
    inputs, taps = inputs / scale, taps * scale
    return TileAlgorithm(
        outputs=outputs,
        rows=inputs[None],
        columns=inputs[:, None],
        kernel=np.einsum("ui,pj->puij", taps, taps),
        back_columns=back.T[None],
        back_rows=back.T[:, None],
    )


@lru_cache
def fourier(kernel_size: int, outputs: int) -> TileAlgorithm:
    """By the discrete Fourier transform, to `outputs` along both axes; a complex product is three real ones."""
    size = outputs + kernel_size - 1
    whole = np.exp(-2j * np.pi / size * np.outer(np.arange(size), np.arange(size)))  # [n,n]
    half = whole[: size // 2 + 1]  # a real column's transform is known by its first half
    taps = np.einsum("pj,ui->puij", whole[:, :kernel_size], half[:, :kernel_size]).conj()
    # (a + ib)(c + id): with q = (a + b)c, r = a(d - c) and s = b(c + d), its parts are q - s and q + r.
    to_real, to_imaginary = _as_real(whole)  # [n,z,n] each
    one, none = np.eye(size), np.zeros((size, size))
    parts = np.stack([np.hstack([one, none, -one]), np.hstack([one, one, none])])  # [z,n,p]
    back = np.stack(_as_real(whole.conj()[:outputs] / size))  # [z,m,z,n]
    twice = np.full(len(half), 2.0)  # the half left out
    twice[0] = 1
    if size % 2 == 0:
        twice[-1] = 1
    back_rows, _ = _as_real(half.conj().T[:outputs] * twice / size)  # [m,z,u]
    return TileAlgorithm(
        outputs=outputs,
        rows=np.stack([half.real, half.imag]),
        columns=np.concatenate([to_real + to_imaginary, to_real, to_imaginary]),
        kernel=np.concatenate([taps.real, taps.imag - taps.real, taps.real + taps.imag]),
        back_columns=np.einsum("ymzn,znp->ymp", back, parts),
        back_rows=back_rows,
    )


def _powers(points: Sequence[float], count: int) -> Matrix:
    """A polynomial's value at each point from its `count` coefficients; at infinity, the last: [points+1,count]."""
    at_infinity = np.eye(count)[-1:]
    return np.concatenate([np.vander(points, count, increasing=True), at_infinity])


def _as_real(matrix: Matrix) -> tuple[Matrix, Matrix]:
    """A complex matrix [r,c] as those to the real and imaginary part, from both parts: [r,z,c] each."""
    return np.stack([matrix.real, -matrix.imag], axis=1), np.stack([matrix.imag, matrix.real], axis=1)


def convolve_tiled(x: Array, kernel: Array, padding: Padding, algorithm: TileAlgorithm) -> Array:
    """The convolution, with `padding` zeros before and after the map, by an algorithm for kernels of k.

    [B,H,W,C], [k,k,C,D] of one dtype -> [B,H+sum(padding)-k+1,W+sum(padding)-k+1,D].
    """
    grid = _grid(x, kernel.shape[0], padding, algorithm)
    points = _kernel_points(algorithm)
    taps = (points @ kernel.reshape(points.shape[1], -1)).reshape(-1, *kernel.shape[2:])  # [P,C,D]
    products = jnp.einsum("ptc,pcd->ptd", _analyse(x, padding, grid, algorithm), taps)
    return _synthesise(products, grid, algorithm)


def tiled_kernel_gradient(x: Array, change: Array, padding: Padding, algorithm: TileAlgorithm) -> Array:
    """Its gradient to the kernel, from the map and the `change` of the output: [B,H,W,C], [B,H',W',D] -> [k,k,C,D]."""
    size = algorithm.kernel.shape[-1]
    grid = _grid(x, size, padding, algorithm)
    seen = _analyse(x, padding, grid, algorithm)
    to_taps = jnp.einsum("ptc,ptd->pcd", seen, _synthesise_transposed(change, grid, algorithm))
    points = _kernel_points(algorithm)
    gradient = points.T @ to_taps.reshape(len(points), -1)
    return gradient.reshape(size, size, *to_taps.shape[1:])


class _Grid(NamedTuple):
    """How tiles lie over an output."""

    batch: int  # number of maps
    height: int  # of the output
    width: int  # of the output
    high: int  # tiles along the height; the last may reach beyond
    wide: int  # tiles along the width


def _grid(x: Array, size: int, padding: Padding, algorithm: TileAlgorithm) -> _Grid:
    """The tiles that cover the output of a kernel of that size."""
    height, width = (side + sum(padding) - size + 1 for side in x.shape[1:3])
    m = algorithm.outputs
    return _Grid(x.shape[0], height, width, -(-height // m), -(-width // m))


def _kernel_points(algorithm: TileAlgorithm) -> Array:
    """From a kernel's taps to its values at all P points: [P,k*k]."""
    p, u, size, _ = algorithm.kernel.shape
    return _constant(algorithm.kernel.reshape(p * u, size * size))


def _analyse(x: Array, padding: Padding, grid: _Grid, algorithm: TileAlgorithm) -> Array:
    """All tiles' values at all points: [B,H,W,C] -> [P,tiles,C]."""
    m, (z, u, n) = algorithm.outputs, algorithm.rows.shape
    ends = [count * m + n - m - side - padding[0] for count, side in zip((grid.high, grid.wide), x.shape[1:3])]
    around = ((0, 0, 0), *((padding[0], end, 0) for end in ends), (0, 0, 0))
    x = lax.pad(x, jnp.zeros((), x.dtype), around)  # [B,high*m+k-1,wide*m+k-1,C]
    by_row = [x[:, i : i + (grid.high - 1) * m + 1 : m] for i in range(n)]
    rows = _combine(algorithm.rows.reshape(z * u, n), by_row).reshape(z, u, grid.batch, grid.high, *x.shape[2:])
    by_column = [rows[part, ..., j : j + (grid.wide - 1) * m + 1 : m, :] for part in range(z) for j in range(n)]
    points = _combine(algorithm.columns.reshape(-1, z * n), by_column)  # [p,u,B,high,wide,C]
    return points.reshape(-1, grid.batch * grid.high * grid.wide, x.shape[3])


def _synthesise(products: Array, grid: _Grid, algorithm: TileAlgorithm) -> Array:
    """The tiles' outputs from their products: [P,tiles,D] -> [B,H',W',D]."""
    (z, m, p), u = algorithm.back_columns.shape, algorithm.back_rows.shape[2]
    products = products.reshape(p, u, grid.batch, grid.high, grid.wide, -1)
    columns = _combine(algorithm.back_columns.reshape(z * m, p), list(products))
    columns = columns.reshape(z, m, *products.shape[1:]).transpose(0, 2, 3, 4, 5, 1, 6)  # [z,u,B,high,wide,m,D]
    by_point = [columns[part, point] for part in range(z) for point in range(u)]
    tiles = _combine(algorithm.back_rows.reshape(m, z * u), by_point)  # [m,B,high,wide,m,D]
    y = tiles.transpose(1, 2, 0, 3, 4, 5).reshape(grid.batch, grid.high * m, grid.wide * m, -1)
    return y[:, : grid.height, : grid.width]


def _synthesise_transposed(change: Array, grid: _Grid, algorithm: TileAlgorithm) -> Array:
    """What a change of the outputs changes in the products: [B,H',W',D] -> [P,tiles,D]."""
    (z, m, p), u = algorithm.back_columns.shape, algorithm.back_rows.shape[2]
    beyond = ((0, 0), (0, grid.high * m - grid.height), (0, grid.wide * m - grid.width), (0, 0))
    tiles = jnp.pad(change, beyond).reshape(grid.batch, grid.high, m, grid.wide, m, -1)
    rows = _combine(algorithm.back_rows.reshape(m, z * u).T, [tiles[:, :, i] for i in range(m)])
    rows = rows.reshape(z, u, grid.batch, grid.high, grid.wide, m, -1)
    by_column = [rows[part, ..., j, :] for part in range(z) for j in range(m)]  # each [u,B,high,wide,D]
    products = _combine(algorithm.back_columns.reshape(z * m, p).T, by_column)
    return products.reshape(p * u, grid.batch * grid.high * grid.wide, -1)


def _combine(matrix: Matrix, parts: list[Array]) -> Array:
    """Every row of a constant matrix times all parts: [r,c], c times [...] -> [r,...]."""
    if len(parts) <= _FEW:
        none = jnp.zeros_like(parts[0])
        sums = [sum((float(factor) * part for factor, part in zip(row, parts) if factor), none) for row in matrix]
        return lax.optimization_barrier(jnp.stack(sums))
    stacked = jnp.stack(parts)
    return (_constant(matrix) @ stacked.reshape(len(parts), -1)).reshape(len(matrix), *parts[0].shape)


def _constant(matrix: Matrix) -> Array:
    return jnp.asarray(matrix, jnp.float32)
