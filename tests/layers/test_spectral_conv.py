"""SpectralConv against the SVD and against PyTorch's spectral norm."""

import functools

import jax
import numpy as np
import pytest

from scan_jax.layers.spectral_conv import SpectralConv

torch = pytest.importorskip("torch")
LAYER = SpectralConv(features=5)
apply = jax.jit(LAYER.apply, static_argnames=("train", "mutable"))


@functools.cache
def make(train_passes=0):
    x = np.random.default_rng(1).standard_normal((2, 9, 7, 3), np.float32)
    variables = jax.jit(functools.partial(LAYER.init, train=False))(jax.random.key(0), x)
    for _ in range(train_passes):
        _, changed = apply(variables, x, train=True, mutable=("spectral",))
        variables = {**variables, **changed}
    return x, variables


def reference_of(x, variables):
    """PyTorch's layer with these variables, and its input."""
    reference = torch.nn.utils.spectral_norm(torch.nn.Conv2d(3, 5, 4, stride=2, padding=1))
    params, vectors = (jax.tree.map(np.array, variables[name]) for name in ("params", "spectral"))
    with torch.no_grad():
        reference.weight_orig.copy_(torch.tensor(params["kernel"].transpose(3, 2, 0, 1)))
        reference.bias.copy_(torch.tensor(params["bias"]))
        reference.weight_u.copy_(torch.tensor(vectors["vectors"]["u"]))
        # PyTorch flattens [out, in, kh, kw], we [kh, kw, in]
        v = vectors["vectors"]["v"].reshape(4, 4, 3).transpose(2, 0, 1)
        reference.weight_v.copy_(torch.tensor(v.reshape(-1).copy()))
    return reference, torch.tensor(x.transpose(0, 3, 1, 2))


def by_pixel(tensor):
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


# after many passes; at the start; where the kernel has changed
@pytest.mark.parametrize(("train_passes", "factor", "tolerance"), [(100, 1, 1e-5), (0, 1, 0.02), (20, 3, 1e-3)])
def test_sigma_is_the_largest_singular_value(train_passes, factor, tolerance):
    x, variables = make(train_passes)
    variables = {**variables, "params": jax.tree.map(lambda leaf: factor * np.asarray(leaf), variables["params"])}
    kernel = variables["params"]["kernel"]
    assert not np.any(variables["params"]["bias"])
    given, weight = torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(kernel.transpose(3, 2, 0, 1))
    bare = torch.nn.functional.conv2d(given, weight, None, 2, 1)
    sigma = float(bare.norm()) / np.linalg.norm(apply(variables, x, train=False))
    largest = np.linalg.svd(kernel.reshape(-1, 5).astype(np.float64))[1][0]
    assert sigma == pytest.approx(largest, rel=tolerance)


def test_evaluation_is_pure_and_training_moves_the_vectors():
    x, variables = make()
    first, same = apply(variables, x, train=False, mutable=("spectral",))
    second = apply({**variables, **same}, x, train=False)
    np.testing.assert_array_equal(first, second)
    _, moved = apply(variables, x, train=True, mutable=("spectral",))
    assert not np.array_equal(moved["spectral"]["vectors"]["u"], variables["spectral"]["vectors"]["u"])


def test_the_stored_kernel_keeps_its_initial_scale():
    layer, x = SpectralConv(features=256), np.zeros((1, 8, 8, 64), np.float32)
    kernel = jax.jit(lambda: layer.init(jax.random.key(0), x, train=False)["params"]["kernel"])()
    assert float(kernel.std()) == pytest.approx((1 / (16 * 64)) ** 0.5, rel=0.02)


def test_training_passes_equal_pytorch():
    x, variables = make()
    reference, given = reference_of(x, variables)
    for _ in range(3):
        found, changed = apply(variables, x, train=True, mutable=("spectral",))
        variables = {**variables, **changed}
        np.testing.assert_allclose(found, by_pixel(reference.train()(given)), rtol=1e-4, atol=1e-5)
    found = apply(variables, x, train=False)
    np.testing.assert_allclose(found, by_pixel(reference.eval()(given)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("train", [False, True])
def test_the_gradient_through_the_division_equals_pytorch(train):
    """Also where the vectors are far from where they settle: they are constants to it."""
    x, variables = make()
    u = np.random.default_rng(4).standard_normal(5).astype(np.float32)
    vectors = {**variables["spectral"]["vectors"], "u": u / np.linalg.norm(u)}
    variables = {**variables, "spectral": {"vectors": vectors}}
    reference, given = reference_of(x, variables)
    (reference.train(train)(given) ** 2).sum().backward()

    def loss(kernel):
        params = {**variables["params"], "kernel": kernel}
        return (LAYER.apply({**variables, "params": params}, x, train=train) ** 2).sum()

    slope = jax.jit(jax.grad(loss))(variables["params"]["kernel"])
    wanted = reference.weight_orig.grad.numpy().transpose(2, 3, 1, 0)
    np.testing.assert_allclose(slope, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
