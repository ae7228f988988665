"""Convolutions of small tiles with few products: both are transformed, multiplied point by point, and transformed back.

Every such algorithm is a handful of constant matrices. Toom and Cook's (Winograd's, as the field says; Lavin and Gray
2016, Fast Algorithms for Convolutional Neural Networks) evaluates polynomials at real points: the fewest products, but
the points' powers cost digits, so it is for small kernels. The Fourier transform evaluates on the unit circle: as exact
as adding up, for kernels of every size. 3x3 with tiles of 4x4 takes 2.25 products an output instead of 9, 7x7 with
tiles of 16x16 takes 3.1 instead of 49.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

Matrix = np.ndarray


class TileAlgorithm(NamedTuple):
    """m x m outputs of a k x k kernel from n x n inputs, n = m + k - 1; rows first, then columns.

    A row has u points of z real numbers each: a real value, or the two parts of a complex one. A point of rows and its
    column points make p products.

    Attributes:
      outputs: m.
      rows: [z,u,n], from the inputs of a column.
      columns: [p,z,n], from the points of rows.
      kernel: [p,u,k,k], from the kernel's taps.
      back_columns: [z,m,p], from the products.
      back_rows: [m,z,u], from the points of rows to the outputs of a column.
    """

    outputs: int
    rows: Matrix
    columns: Matrix
    kernel: Matrix
    back_columns: Matrix
    back_rows: Matrix


# Those, with infinity, for which tiles of 6x6 inputs lose the fewest digits in float32: less than half of what the
# usual 0, 1, -1, 2 and -2 lose (a test compares them), about five times what adding up loses
# (`benchmarks.convolutions`).
_POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)


@lru_cache
def toom_cook(kernel_size: int) -> TileAlgorithm:
    """By polynomials at five real points and at infinity, from tiles of 6x6 inputs.

    Args:
      kernel_size: k, up to 4.
    """
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
    """By the discrete Fourier transform; a complex product is three real ones.

    Args:
      kernel_size: k.
      outputs: m, along both axes.
    """
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
