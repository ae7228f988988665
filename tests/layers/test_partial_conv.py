"""PartialConv against eq. (1)-(2) of Liu et al. 2018 in float64."""

import jax
import numpy as np
import pytest
from refusals import refused

from scan_jax.layers.partial_conv import PartialConv


def reference(x, known, kernel, bias, stride):
    """W^T (X . M) * k^2 / sum(M) + b where sum(M) > 0, else 0; the sums over all channels of a M that has many."""
    size, pad = kernel.shape[0], kernel.shape[0] // 2
    around = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    masked, weight = np.pad(x * known, around), np.pad(known, around)
    rows, columns = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    out = np.zeros((x.shape[0], rows, columns, kernel.shape[-1]))
    updated = np.zeros((x.shape[0], rows, columns, 1))
    for i, j in np.ndindex(rows, columns):
        window = np.s_[:, i * stride : i * stride + size, j * stride : j * stride + size]
        total = weight[window].sum(axis=(1, 2, 3))[:, None]  # [B,1]
        value = np.einsum("bijc,ijcd->bd", masked[window], kernel)
        ratio = size**2 * known.shape[-1] / np.maximum(total, 1)
        out[:, i, j] = np.where(total > 0, value * ratio + bias, 0)
        updated[:, i, j] = total > 0
    return out, updated


@pytest.mark.parametrize(
    ("size", "stride", "share", "channels"),
    [(3, 1, 0.5, 1), (5, 2, 0.05, 1), (7, 1, 0.0, 1), (3, 2, 1.0, 1), (3, 1, 0.1, 3), (3, 2, 0.1, 3)],
)
def test_equals_the_equations(size, stride, share, channels):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 9, 11, 3)).astype(np.float32)
    known = (rng.random((2, 9, 11, channels)) < share).astype(np.float32)
    layer = PartialConv(4, size, stride, use_bias=channels == 1)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), x, known)["params"]
    assert set(shapes) == ({"kernel", "bias"} if channels == 1 else {"kernel"})
    params = {name: rng.normal(size=leaf.shape).astype(np.float32) for name, leaf in shapes.items()}
    found, updated = jax.jit(layer.apply)({"params": params}, x, known)
    wanted, wanted_known = reference(*map(np.float64, (x, known, params["kernel"], params.get("bias", 0))), stride)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=2e-5)
    np.testing.assert_array_equal(updated, wanted_known)


def test_never_reads_the_hole_and_equal_channels_are_one():
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 5), np.float32)
    known = np.ones((1, 8, 8, 1), np.float32)
    known[:, 2:7, 1:6] = 0
    layer = PartialConv(3)
    apply = jax.jit(lambda *given: layer.init_with_output(jax.random.key(0), *given)[0])
    one, changed, many = (
        apply(*given)
        for given in ((x, known), (np.where(known > 0, x, np.float32(1e6)), known), (x, np.tile(known, 5)))
    )
    np.testing.assert_array_equal(one[0], changed[0])
    np.testing.assert_allclose(one[0], many[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(one[1], many[1])


def test_other_channels_are_refused():
    given = jax.random.key(0), np.ones((1, 4, 4, 5)), np.ones((1, 4, 4, 2))
    refused("one channel or, as x, 5", PartialConv(3).init, given)
