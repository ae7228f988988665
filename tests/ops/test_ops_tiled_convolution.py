"""Convolutions by tiles, and their gradients, against PyTorch's in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact_convolution import draw, exact, with_gradients

from scan_jax.ops import convolution, tiled_convolution
from scan_jax.ops.convolution import convolve
from scan_jax.ops.tiled_convolution import convolve_tiled, fourier, tiled_kernel_gradient, toom_cook

# Each with a map of several tiles, the last of which reach beyond it.
CASES = [
    ((toom_cook, 2), (2, 9, 13, 5), (1, 1)),
    ((toom_cook, 3), (1, 20, 17, 3), (0, 0)),
    ((toom_cook, 3), (3, 7, 8, 2), (2, 0)),
    ((toom_cook, 4), (2, 9, 13, 5), (2, 2)),
    ((fourier, 3, 6), (3, 7, 8, 2), (2, 0)),
    ((fourier, 5, 8), (1, 20, 17, 3), (0, 0)),
    ((fourier, 7, 16), (1, 20, 17, 3), (3, 3)),
]


def error(found, wanted):
    return np.abs(np.asarray(found) - wanted).max() / np.abs(wanted).max()


@functools.partial(jax.jit, static_argnums=(3, 4))
def by_tiles(x, kernel, change, padding, make):
    algorithm = make[0](*make[1:])
    return convolve_tiled(x, kernel, padding, algorithm), tiled_kernel_gradient(x, change, padding, algorithm)


@pytest.mark.parametrize(("make", "shape", "padding"), CASES)
def test_an_algorithm_computes_the_convolution_and_its_kernel_gradient(make, shape, padding):
    x, kernel = draw(shape, make[1], 4)
    wanted, change, _, to_kernel = exact(x, kernel, padding)
    for ours, truth in zip(by_tiles(x, kernel, change, padding, make), (wanted, to_kernel), strict=True):
        assert error(ours, truth) < 3e-6


@pytest.mark.parametrize(("size", "width", "sides"), [(3, 128, (13, 11)), (4, 128, (9, 8)), (7, 64, (19, 18))])
def test_convolve_takes_tiles_where_they_pay_and_is_exact_there(size, width, sides, monkeypatch):
    taken = []
    choose = convolution._tile_algorithm

    def watch(*arguments):
        taken.append(choose(*arguments))
        return taken[-1]

    monkeypatch.setattr(convolution, "_tile_algorithm", watch)
    padding = (size // 2, (size - 1) // 2)
    x, kernel = draw((2, *sides, width), size, width)
    wanted, change, *gradients = exact(x, kernel, padding)
    found = with_gradients(lambda x, kernel: convolve(x, kernel, padding))(x, kernel, change)
    assert len(taken) == 2 and None not in taken  # forwards, backwards
    for ours, truth in zip(found, (wanted, *gradients), strict=True):
        assert error(ours, truth) < 5e-6


@pytest.mark.parametrize("changed", ["narrow", "dtype", "large", "size"])
def test_other_convolutions_do_without(changed):
    width = 127 if changed == "narrow" else 128
    side = 300 if changed == "large" else 32
    size = 5 if changed == "size" else 3
    dtype = jnp.bfloat16 if changed == "dtype" else jnp.float32
    x = jax.ShapeDtypeStruct((1, side, side, width), dtype)
    kernel = jax.ShapeDtypeStruct((size, size, width, 128), dtype)
    assert convolution._tile_algorithm(kernel, x, (1, 1)) is None


def test_fewer_products_than_taps():
    for algorithm, products in ((toom_cook(3), 36 / 16), (toom_cook(4), 36 / 9), (fourier(7, 16), 792 / 256)):
        assert algorithm.kernel[..., 0, 0].size / algorithm.outputs**2 == products


def test_the_points_lose_less_than_the_usual_ones(monkeypatch):
    x, kernel = draw((1, 16, 16, 256), 3, 8)
    wanted, change, *_ = exact(x, kernel, (1, 1))
    ours = error(by_tiles(x, kernel, change, (1, 1), (toom_cook, 3))[0], wanted)
    monkeypatch.setattr(tiled_convolution, "_POINTS", (0.0, 1.0, -1.0, 2.0, -2.0))
    usual = error(by_tiles(x, kernel, change, (1, 1), (toom_cook.__wrapped__, 3))[0], wanted)
    assert ours < usual / 2
