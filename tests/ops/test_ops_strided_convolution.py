"""Convolutions with a stride or a dilation, and their gradients, against PyTorch's in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.ops.strided_convolution import convolve_strided

# kernel, padding, stride, dilation, height, width, channels, features; even kernels on 16 channels are folded
CASES = [
    (7, 3, 2, 1, 16, 13, 3, 4),
    (3, 1, 2, 1, 8, 8, 5, 60),
    (4, 1, 2, 1, 10, 8, 16, 3),
    (4, 1, 2, 1, 11, 7, 16, 3),
    (4, 2, 2, 1, 6, 9, 17, 2),
    (4, 1, 2, 1, 8, 8, 3, 2),
    (3, 1, 3, 1, 11, 9, 16, 3),
    (3, 0, 3, 1, 5, 4, 16, 3),
    (3, 2, 1, 2, 8, 6, 5, 70),
    (3, 2, 1, 2, 7, 9, 3, 4),
    (3, 0, 1, 2, 9, 10, 3, 4),
    (5, 4, 1, 2, 5, 3, 2, 3),
    (3, 3, 1, 3, 8, 7, 2, 3),
    (3, 6, 1, 3, 4, 5, 2, 3),
    (7, 3, 1, 1, 9, 20, 3, 4),
]


@pytest.mark.parametrize(("size", "padding", "stride", "dilation", "height", "width", "channels", "features"), CASES)
def test_equals_pytorchs_with_its_gradients(size, padding, stride, dilation, height, width, channels, features):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, height, width, channels)).astype(np.float32)
    kernel = rng.normal(size=(size, size, channels, features)).astype(np.float32)
    found, pull = jax.vjp(lambda x, k: convolve_strided(x, k, padding, stride=stride, dilation=dilation), x, kernel)
    leaves = [torch.tensor(value).double().requires_grad_() for value in (x, kernel)]
    wanted = torch.nn.functional.conv2d(
        leaves[0].permute(0, 3, 1, 2), leaves[1].permute(3, 2, 0, 1), None, stride, padding, dilation
    ).permute(0, 2, 3, 1)
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-4, atol=1e-4)
    change = rng.normal(size=found.shape).astype(np.float32)
    wanted.backward(torch.tensor(change).double())
    for gradient, leaf in zip(pull(change), leaves):
        np.testing.assert_allclose(gradient, leaf.grad.numpy(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("options", [{"stride": 2}, {"dilation": 2}])
def test_bfloat16_keeps_its_type(options):
    x, kernel = jnp.ones((1, 8, 8, 16), jnp.bfloat16), jnp.ones((4, 4, 16, 2), jnp.bfloat16)
    found, pull = jax.vjp(lambda x, kernel: convolve_strided(x, kernel, 2, **options), x, kernel)
    assert found.dtype == jnp.bfloat16
    assert [gradient.dtype for gradient in pull(found)] == [jnp.bfloat16, jnp.bfloat16]


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((3, 3, 5, 2), {}),
        ((3, 2, 4, 2), {}),
        ((3, 3, 4, 2), {"dilation": 2}),
        ((3, 3, 4, 2), {"stride": 2, "dilation": 2}),
    ],
)
def test_what_it_cannot_do_is_refused(kernel, options):
    with pytest.raises(ValueError, match="must be"):
        convolve_strided(jnp.zeros((1, 4, 4, 4)), jnp.zeros(kernel), 1, **options)
