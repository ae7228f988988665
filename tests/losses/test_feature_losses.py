import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.losses.features import gram, perceptual_loss, select, style_loss

SHAPES = {"shallow": (2, 9, 7, 4), "deep": (2, 3, 5, 8)}


def activations(seed):
    rng = np.random.default_rng(seed)
    return {name: np.float32(np.maximum(rng.normal(size=shape), 0)) for name, shape in SHAPES.items()}


def exact(x):
    return np.asarray(x, np.float64)


def gram_from_its_definition(x):
    """PyTorch's layout and a loop, as the definition has it: [B,H,W,C] -> [B,C,C]."""
    b, h, w, c = x.shape
    flat = exact(x).transpose(0, 3, 1, 2).reshape(b, c, h * w)
    return np.stack([sample @ sample.T for sample in flat]) / (h * w * c)


def test_perceptual_loss_sums_the_layers_means():
    a, b = activations(0), activations(1)
    expected = sum(np.abs(exact(a[name]) - exact(b[name])).mean() for name in SHAPES)
    loss = jax.jit(perceptual_loss)(a, b)
    assert loss.shape == () and loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_gram_is_its_definition_and_of_bfloat16_is_computed_in_float32():
    x = activations(0)["shallow"]
    np.testing.assert_allclose(gram(x), gram_from_its_definition(x), rtol=1e-5, atol=1e-8)
    x = jnp.asarray(100 + np.random.default_rng(0).normal(size=(1, 31, 33, 5)), jnp.bfloat16)
    assert gram(x).dtype == jnp.float32
    np.testing.assert_allclose(gram(x), gram_from_its_definition(x), rtol=1e-5)


def test_style_loss_sums_the_layers_means_and_keeps_samples_apart():
    a, b = activations(0), activations(1)
    expected = sum(np.abs(gram_from_its_definition(a[n]) - gram_from_its_definition(b[n])).mean() for n in SHAPES)
    style = jax.jit(style_loss)
    np.testing.assert_allclose(style(a, b), expected, rtol=1e-5)
    swapped = {name: x[::-1] for name, x in a.items()}
    assert float(style(a, swapped)) > 1e-4  # each sample has its own Gram matrix
    moved = {name: np.roll(x, (1, 2), (1, 2)) for name, x in a.items()}  # style does not see where things are
    assert float(style(a, moved)) < 1e-6 and float(jax.jit(perceptual_loss)(a, moved)) > 0.1


@pytest.mark.parametrize("loss", [perceptual_loss, style_loss])
def test_gradients_are_finite_at_zero_distance_and_at_zero(loss):
    run = jax.jit(jax.value_and_grad(loss))
    for value in (0, 1):
        a = {name: np.full(shape, value, np.float32) for name, shape in SHAPES.items()}
        distance, gradient = run(a, a)
        assert distance == 0 and all(not np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_style_gradient_is_pytorchs():
    torch = pytest.importorskip("torch")
    a, b = activations(0)["deep"], activations(1)["deep"]
    found = jax.jit(jax.grad(lambda x: style_loss({"deep": x}, {"deep": b})))(a)
    x, y = (torch.tensor(exact(v)).permute(0, 3, 1, 2).flatten(2) for v in (a, b))
    x.requires_grad_()
    size = x.shape[1] * x.shape[2]
    torch.nn.functional.l1_loss(x @ x.mT / size, y @ y.mT / size).backward()
    expected = x.grad.reshape(2, 8, 3, 5).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("loss", [perceptual_loss, style_loss])
def test_other_layers_or_shapes_are_refused(loss):
    a, flat = activations(0), {"x": np.zeros((2, 3))}
    refused("layers differ", loss, (a, {"deep": a["deep"]}))
    refused("layers differ or are none", loss, ({}, {}))
    refused("deep needs two equal shapes", loss, (a, {**a, "deep": a["deep"][:1]}))
    refused("needs two equal shapes", loss, (flat, flat))
    refused("B,H,W,C", gram, (np.zeros((3, 3, 4)),))


def test_select_takes_the_layers_asked_for():
    a = activations(0)
    assert list(select(a, ("deep",))) == ["deep"]
    refused(r"\['absent'\] were not computed", select, (a, ("absent",)))
