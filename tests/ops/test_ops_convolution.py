"""Partial convolution's rule for `known`, against a loop over windows; convolutions against PyTorch in float64."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from exact_convolution import assert_exact, assert_keeps_bfloat16, draw, with_gradients
from jax import lax
from refusals import refused

from scan_jax.ops.conv_transpose import (
    conv_transpose,
    conv_transpose3,
    convolve_doubled,
    shuffle_pixels,
    transpose_by_xla,
)
from scan_jax.ops.convolution import convolve, update_known
from scan_jax.ops.strided_convolution import convolve_same, convolve_strided, same_padding


def oracle(known, kernel_size, stride):
    batch, height, width, _ = known.shape
    pad = kernel_size // 2
    padded = np.pad(known, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    result = np.zeros((batch, -(-height // stride), -(-width // stride), 1), np.float32)
    for sample, row, column, _ in np.ndindex(result.shape):
        top, left = row * stride, column * stride
        window = padded[sample, top : top + kernel_size, left : left + kernel_size]
        result[sample, row, column, 0] = window.sum() > 0
    return result


def test_known_where_any_known_pixel_lies_under_the_kernel_in_its_type_and_without_a_gradient():
    share = np.array([0.0, 0.06, 1.0])[:, None, None, None]
    known = (np.random.default_rng(0).random((3, 13, 10, 1)) < share).astype(np.float32)
    cases = list(itertools.product([1, 3, 5, 7], [1, 2, 3]))  # kernel, stride
    updated = jax.jit(lambda known: [update_known(known, *arguments) for arguments in cases])(known)
    for case, found in zip(cases, updated, strict=True):
        np.testing.assert_array_equal(found, oracle(known, *case), str(case))
    known = np.ones((1, 5, 5, 1), np.float32)
    assert jax.eval_shape(lambda k: update_known(k, 3, 2), known.astype(jnp.bfloat16)).dtype == jnp.bfloat16
    np.testing.assert_array_equal(jax.jit(jax.grad(lambda k: update_known(k, 3, 1).sum()))(known), 0.0)


# kernel, padding, height, width, channels, features: the kernel outweighs the map in the first four
CONVOLUTIONS = [
    *((3, (1, 1), 3, 4, 5, 30), (3, (0, 2), 3, 4, 2, 20), (4, (2, 1), 3, 2, 3, 25), (1, (0, 0), 5, 7, 3, 2)),
    *((3, (1, 1), 5, 7, 3, 4), (3, (0, 0), 30, 12, 3, 2), (2, (0, 1), 7, 9, 4, 3)),
    *((3, (1, 1), 34, 40, 2, 3), (4, (2, 2), 40, 33, 2, 1)),
]


@pytest.mark.parametrize(("size", "padding", "height", "width", "channels", "features"), CONVOLUTIONS)
def test_convolve_and_its_gradients_are_pytorchs(size, padding, height, width, channels, features):
    given = draw((2, height, width, channels), size, features)
    assert_exact(lambda x, kernel: convolve(x, kernel, padding), *given, padding, rtol=1e-3, atol=1e-3)


# kernel, padding, stride, dilation, height, width, channels, features; on 16 channels they are folded
STRIDED = [
    *((7, 3, 2, 1, 16, 13, 3, 4), (3, 1, 2, 1, 8, 8, 5, 60), (4, 1, 2, 1, 10, 8, 16, 3), (4, 1, 2, 1, 11, 7, 16, 3)),
    *((4, 2, 2, 1, 6, 9, 17, 2), (4, 1, 2, 1, 8, 8, 3, 2), (3, 1, 3, 1, 11, 9, 16, 3), (3, 0, 3, 1, 5, 4, 16, 3)),
    *((5, 2, 2, 1, 9, 12, 16, 3), (3, 1, 2, 1, 9, 8, 16, 3), (3, 2, 1, 2, 8, 6, 5, 70), (3, 2, 1, 2, 7, 9, 3, 4)),
    *((3, 0, 1, 2, 9, 10, 3, 4), (5, 4, 1, 2, 5, 3, 2, 3), (3, 3, 1, 3, 8, 7, 2, 3), (3, 6, 1, 3, 4, 5, 2, 3)),
    (7, 3, 1, 1, 9, 20, 3, 4),
]


@pytest.mark.parametrize(("size", "padding", "stride", "dilation", "height", "width", "channels", "features"), STRIDED)
def test_strides_and_dilations_are_pytorchs(size, padding, stride, dilation, height, width, channels, features):
    given = draw((2, height, width, channels), size, features)
    ours = functools.partial(convolve_strided, padding=padding, stride=stride, dilation=dilation)
    assert_exact(ours, *given, (padding, padding), None, stride, dilation, atol=1e-3)


def around(side, reach, stride):
    """Zeros before and after, for ceil(side / stride) outputs."""
    total = max((-(-side // stride) - 1) * stride + reach - side, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(3, 1, 1), (5, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2), (3, 1, 4), (3, 1, 16)]
)
@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (1, 2, 7, 4), (1, 1, 5, 2)])  # the last are small, see `_is_small`
def test_convolutions_are_padded_as_tensorflow_does(size, stride, dilation, shape):
    rows, columns = (around(side, dilation * (size - 1) + 1, stride) for side in shape[1:3])
    ours = functools.partial(convolve_same, stride=stride, dilation=dilation)
    assert_exact(ours, *draw(shape, size, 5), rows, columns, stride, dilation)
    found = jax.eval_shape(ours, *draw(shape, size, 5))
    assert found.shape == (shape[0], -(-shape[1] // stride), -(-shape[2] // stride), 5)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "wanted"),
    [(8, 3, 2, (0, 1)), (7, 3, 2, (1, 1)), (8, 5, 2, (1, 2)), (7, 5, 2, (2, 2)), (1, 5, 2, (2, 2)), (8, 3, 1, (1, 1))],
)
def test_padding(size, kernel, stride, wanted):
    assert same_padding(size, kernel, stride) == wanted


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (6, 5)])
@pytest.mark.parametrize(
    ("form", "taps"),  # a CPU's and the others'
    [(conv_transpose, 4), (transpose_by_xla, 4), (conv_transpose3, 3), (transpose_by_xla, 3)],
)
def test_doubling_and_its_gradients_are_pytorchs(form, taps, size):
    torch = pytest.importorskip("torch")
    x, kernel = draw((2, *size, 3), taps, 6)
    change = np.random.default_rng(1).standard_normal((2, 2 * size[0], 2 * size[1], 6), np.float32)
    given = [torch.tensor(value).double().requires_grad_() for value in (x, kernel)]
    by_channel = given[0].permute(0, 3, 1, 2), given[1].permute(2, 3, 0, 1)
    options = {"stride": 2, "padding": 1, "output_padding": 4 - taps}
    wanted = torch.nn.functional.conv_transpose2d(*by_channel, **options).permute(0, 2, 3, 1)
    wanted.backward(torch.tensor(change).double())
    found = with_gradients(form)(x, kernel, change)
    for ours, truth in zip(found, (wanted.detach(), given[0].grad, given[1].grad), strict=True):
        np.testing.assert_allclose(ours, truth.numpy(), atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (6, 5)])
def test_repeated_pixels_are_convolved_as_if_they_were_there(size):
    def repeated(x, kernel):
        x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
        return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    given = draw((2, *size, 3), 3, 6)
    change = np.random.default_rng(1).standard_normal((2, 2 * size[0], 2 * size[1], 6), np.float32)
    for ours, truth in zip(with_gradients(convolve_doubled)(*given, change), with_gradients(repeated)(*given, change)):
        np.testing.assert_allclose(ours, truth, atol=1e-4)


def test_pixels_are_dealt_out_as_pytorch_does():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).random((2, 3, 5, 8), np.float32)
    wanted = torch.nn.functional.pixel_shuffle(torch.tensor(x.transpose(0, 3, 1, 2)), 2)
    np.testing.assert_array_equal(shuffle_pixels(jnp.asarray(x)), wanted.numpy().transpose(0, 2, 3, 1))


def test_bfloat16_is_kept():
    ours = functools.partial(convolve, padding=(1, 1))
    assert_keeps_bfloat16(ours, (1, 40, 40, 3), (3, 3, 3, 2), (1, 40, 40, 2))
    for options, side in (({"stride": 2}, 5), ({"dilation": 2}, 6)):
        ours = functools.partial(convolve_strided, padding=2, **options)
        assert_keeps_bfloat16(ours, (1, 8, 8, 16), (4, 4, 16, 2), (1, side, side, 2))


def test_wrong_inputs_are_named():
    one, x, kernel = np.ones((1, 5, 5, 1)), np.zeros((1, 4, 4, 4)), np.zeros((3, 3, 4, 2))
    refused("must be", update_known, (one[0], 3, 1), (np.ones((1, 5, 5, 3)), 3, 1), (one, 4, 1), (one, 3, 0))
    for wrong in ((3, 3, 5, 2), (3, 2, 4, 2), (3, 3, 4)):
        refused("must be", convolve, (x, np.zeros(wrong), (1, 1)))
    refused("must be", convolve_strided, (x[..., :3], kernel, 1), (x, kernel[:, :2], 1))
    for options in ({"dilation": 2}, {"stride": 2, "dilation": 2}):
        refused("must be", convolve_strided, (x, kernel, 1), **options)
    refused(r"\[k,k,C,D\]", convolve_same, (np.zeros((1, 8, 8, 2)), np.zeros((3, 3, 1, 1))), stride=2)
    refused("k odd", convolve_same, (np.zeros((1, 8, 8, 1)), np.zeros((4, 4, 1, 1))))
    refused("kernel", conv_transpose, (x[..., :3], np.zeros((3, 3, 3, 2))))
    for doubling in (convolve_doubled, conv_transpose3):
        refused(r"\[3,3,C,D\]", doubling, (x, np.zeros((4, 4, 4, 2))))
    refused("4C", shuffle_pixels, (np.zeros((1, 4, 4, 6)),))
