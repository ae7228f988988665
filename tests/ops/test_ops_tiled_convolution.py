"""Convolutions by tiles, against every tap in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from scan_jax.ops import convolution, tile_algorithms
from scan_jax.ops.convolution import convolve
from scan_jax.ops.tile_algorithms import fourier, toom_cook
from scan_jax.ops.tiled_convolution import convolve_tiled, tiled_kernel_gradient

ALGORITHMS = [toom_cook(2), toom_cook(3), toom_cook(4), fourier(3, 6), fourier(5, 8), fourier(7, 16)]


def size_of(algorithm):
    return algorithm.kernel.shape[-1]


def name(algorithm):
    kind = "fourier" if len(algorithm.rows) == 2 else "toom_cook"
    return f"{kind}{size_of(algorithm)}x{algorithm.outputs}"


def exact(x, kernel, padding, change):
    """The convolution and its two gradients in float64."""

    def whole(x, kernel):
        return lax.conv_general_dilated(x, kernel, (1, 1), (padding,) * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    with jax.enable_x64(True):
        y, pull = jax.vjp(whole, np.asarray(x, np.float64), np.asarray(kernel, np.float64))
        return [np.asarray(value) for value in (y, *pull(np.asarray(change, np.float64)))]


def draw(shape, kernel_size, padding, features):
    rng = np.random.default_rng(0)
    height, width = (side + sum(padding) - kernel_size + 1 for side in shape[1:3])
    kernel = rng.standard_normal((kernel_size, kernel_size, shape[3], features), np.float32)
    x, change = (rng.standard_normal(s, np.float32) for s in (shape, (shape[0], height, width, features)))
    return jnp.asarray(x), jnp.asarray(kernel), jnp.asarray(change)


def error(found, wanted):
    """The largest, relative to the largest value."""
    return np.abs(np.asarray(found) - wanted).max() / np.abs(wanted).max()


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=name)
@pytest.mark.parametrize("shape", [(2, 9, 13, 5), (1, 20, 17, 3), (3, 7, 8, 2)])
@pytest.mark.parametrize("where", ["same", "none", "before"])
def test_an_algorithm_computes_the_convolution_and_its_kernel_gradient(algorithm, shape, where):
    size = size_of(algorithm)
    padding = {"same": (size // 2, size // 2), "none": (0, 0), "before": (size - 1, 0)}[where]
    x, kernel, change = draw(shape, size, padding, features=4)
    wanted, _, to_kernel = exact(x, kernel, padding, change)
    assert error(convolve_tiled(x, kernel, padding, algorithm), wanted) < 3e-6
    assert error(tiled_kernel_gradient(x, change, padding, algorithm), to_kernel) < 3e-6


@pytest.mark.parametrize("size,width,side", [(3, 128, 32), (4, 128, 17), (7, 64, 32)])
def test_convolve_takes_tiles_where_they_pay_and_is_exact_there(size, width, side, monkeypatch):
    taken = []
    choose = convolution._tile_algorithm

    def watch(*arguments):
        taken.append(choose(*arguments))
        return taken[-1]

    monkeypatch.setattr(convolution, "_tile_algorithm", watch)
    padding = (size // 2, (size - 1) // 2)
    x, kernel, change = draw((2, side, side - 1, width), size, padding, features=width)
    found, pull = jax.vjp(lambda x, kernel: convolve(x, kernel, padding), x, kernel)
    gradients = pull(change)
    assert len(taken) == 2 and None not in taken  # forwards, backwards
    for ours, wanted in zip((found, *gradients), exact(x, kernel, padding, change), strict=True):
        assert error(ours, wanted) < 5e-6


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
    x, kernel, change = draw((1, 16, 16, 256), 3, (1, 1), features=8)
    wanted, _, _ = exact(x, kernel, (1, 1), change)
    ours = error(convolve_tiled(x, kernel, (1, 1), toom_cook(3)), wanted)
    monkeypatch.setattr(tile_algorithms, "_POINTS", (0.0, 1.0, -1.0, 2.0, -2.0))
    usual = error(convolve_tiled(x, kernel, (1, 1), toom_cook.__wrapped__(3)), wanted)
    assert ours < usual / 2


def test_maps_of_a_batch_do_not_mix():
    x, kernel, _ = draw((3, 11, 9, 4), 7, (3, 3), features=2)
    alone = convolve_tiled(x[1:2], kernel, (3, 3), fourier(7, 16))
    among = convolve_tiled(x.at[jnp.array([0, 2])].set(1e4), kernel, (3, 3), fourier(7, 16))[1:2]
    np.testing.assert_allclose(among, alone, atol=1e-5)
