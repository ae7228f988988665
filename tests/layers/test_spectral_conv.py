"""SpectralConv against the SVD and against PyTorch's spectral norm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from scan_jax.layers.spectral_conv import SpectralConv


def make(train_passes=0, **fields):
    layer = SpectralConv(features=5, **fields)
    x = jax.random.normal(jax.random.key(1), (2, 9, 7, 3))
    variables = layer.init(jax.random.key(0), x, train=False)
    for _ in range(train_passes):
        _, changed = layer.apply(variables, x, train=True, mutable=["spectral"])
        variables = {**variables, **changed}
    return layer, x, variables


def sigma_of(layer, x, variables):
    """The divisor in use: output of the bare kernel over the output."""
    kernel = variables["params"]["kernel"]
    bare = jax.lax.conv_general_dilated(x, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return float(jnp.linalg.norm(bare) / jnp.linalg.norm(layer.apply(variables, x, train=False)))


def test_sigma_converges_to_the_largest_singular_value():
    layer, x, variables = make(train_passes=100)
    kernel = np.asarray(variables["params"]["kernel"], np.float64).reshape(-1, 5)
    assert sigma_of(layer, x, variables) == pytest.approx(np.linalg.svd(kernel)[1][0], rel=1e-5)


def test_sigma_is_near_at_the_start():
    layer, x, variables = make()
    kernel = np.asarray(variables["params"]["kernel"], np.float64).reshape(-1, 5)
    assert sigma_of(layer, x, variables) == pytest.approx(np.linalg.svd(kernel)[1][0], rel=0.02)


def test_sigma_follows_a_changed_kernel():
    layer, x, variables = make(train_passes=20)
    variables = {**variables, "params": jax.tree.map(lambda leaf: leaf * 3, variables["params"])}
    kernel = np.asarray(variables["params"]["kernel"], np.float64).reshape(-1, 5)
    assert sigma_of(layer, x, variables) == pytest.approx(np.linalg.svd(kernel)[1][0], rel=1e-3)


def test_evaluation_is_pure_and_training_moves_the_vectors():
    layer, x, variables = make()
    first, same = layer.apply(variables, x, train=False, mutable=["spectral"])
    second = layer.apply({**variables, **same}, x, train=False)
    np.testing.assert_array_equal(first, second)
    _, moved = layer.apply(variables, x, train=True, mutable=["spectral"])
    assert not np.array_equal(moved["spectral"]["vectors"]["u"], variables["spectral"]["vectors"]["u"])


def test_the_stored_kernel_keeps_its_initial_scale():
    layer = SpectralConv(features=256)
    x = jnp.zeros((1, 8, 8, 64))
    kernel = layer.init(jax.random.key(0), x, train=False)["params"]["kernel"]
    assert float(kernel.std()) == pytest.approx((1 / (16 * 64)) ** 0.5, rel=0.02)


def test_gradient_flows_through_the_division():
    layer, x, variables = make()

    def loss(kernel):
        params = {**variables["params"], "kernel": kernel}
        return jnp.sum(layer.apply({**variables, "params": params}, x, train=False) ** 2)

    check_grads(loss, (variables["params"]["kernel"],), order=1, modes=["rev"], rtol=2e-2)


def test_training_passes_equal_pytorch():
    torch = pytest.importorskip("torch")
    layer, x, variables = make()
    reference = torch.nn.utils.spectral_norm(torch.nn.Conv2d(3, 5, 4, stride=2, padding=1))
    kernel = np.asarray(variables["params"]["kernel"])
    vectors = jax.tree.map(np.array, variables["spectral"]["vectors"])
    with torch.no_grad():
        reference.weight_orig.copy_(torch.tensor(kernel.transpose(3, 2, 0, 1)))
        reference.bias.copy_(torch.tensor(np.asarray(variables["params"]["bias"])))
        reference.weight_u.copy_(torch.tensor(vectors["u"]))
        # PyTorch flattens [out, in, kh, kw], we [kh, kw, in]
        reference.weight_v.copy_(torch.tensor(vectors["v"].reshape(4, 4, 3).transpose(2, 0, 1).reshape(-1).copy()))
    given = torch.tensor(np.asarray(x).transpose(0, 3, 1, 2))
    for _ in range(3):
        found, changed = layer.apply(variables, x, train=True, mutable=["spectral"])
        variables = {**variables, **changed}
        wanted = reference.train()(given).detach().numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    wanted = reference.eval()(given).detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(layer.apply(variables, x, train=False), wanted, rtol=1e-4, atol=1e-5)
