"""MaskedSelfAttention against PyTorch's plain self-attention and against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.layers.masked_self_attention import MaskedSelfAttention
from scan_jax.ops.attention import attention_rows

CHANNELS, LABELS = 24, 3


def inputs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 7, CHANNELS)).astype(np.float32)
    known = (rng.random((2, 5, 7, 1)) > np.array([0.5, 0.1])[:, None, None, None]).astype(np.float32)
    return x, known, rng.integers(0, LABELS, (2, 5, 7)).astype(np.int32)


def make(**fields):
    """The layer with parameters at a scale where attention is far from uniform."""
    layer = MaskedSelfAttention(num_labels=LABELS, query_block=8, kernel_init=jax.nn.initializers.normal(0.3), **fields)
    params = layer.init(jax.random.key(0), *inputs())["params"]
    rng = np.random.default_rng(1)
    for name in ("query", "key", "value"):
        params[name]["bias"] = jnp.asarray(rng.normal(size=params[name]["bias"].shape), jnp.float32)
    return layer, {**params, "gamma": jnp.asarray(0.7)}


def project(params, x, name):
    kernel, bias = (np.asarray(params[name][part], np.float64) for part in ("kernel", "bias"))
    return x.reshape(2, 35, CHANNELS) @ kernel[0, 0] + bias


def weights_of(params, x, known, kind):
    """[B,N,N] in float64."""
    logits = project(params, x, "query") @ project(params, x, "key").transpose(0, 2, 1)
    flat = known.reshape(2, 35)
    weights = np.exp(logits) * (1 if kind == "self" else flat[:, None])
    weights /= weights.sum(-1, keepdims=True)
    return weights * (1 - flat)[..., None] if kind == "contextual" else weights


@pytest.mark.parametrize("kind", ["self", "masked", "contextual"])
def test_output_is_gamma_attention_plus_x(kind):
    layer, params = make(kind=kind)
    x, known, _ = inputs()
    expected = 0.7 * weights_of(params, x, known, kind) @ project(params, x, "value") + x.reshape(2, 35, CHANNELS)
    found = layer.apply({"params": params}, x, known)
    np.testing.assert_allclose(found, expected.reshape(x.shape), rtol=1e-4, atol=1e-5)


def test_self_attention_equals_pytorch():
    torch = pytest.importorskip("torch")
    layer, params = make(kind="self")
    x, known, _ = inputs()
    given = torch.tensor(x.transpose(0, 3, 1, 2))  # [B,C,H,W]

    def convolve(name):
        kernel, bias = (torch.tensor(np.asarray(params[name][part])) for part in ("kernel", "bias"))
        return torch.nn.functional.conv2d(given, kernel.permute(3, 2, 0, 1), bias).flatten(2)  # [B,D,N]

    weights = torch.softmax(convolve("query").transpose(1, 2) @ convolve("key"), dim=-1)  # [B,N,N]
    attended = (convolve("value") @ weights.transpose(1, 2)).reshape(given.shape)
    expected = (0.7 * attended + given).numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(layer.apply({"params": params}, x, known), expected, rtol=1e-4, atol=1e-5)


def test_it_starts_as_the_identity_and_near_uniform():
    x, known, labels = inputs()
    layer = MaskedSelfAttention(kind="masked")
    variables = layer.init(jax.random.key(0), x, known, labels)
    found, sown = layer.apply(variables, x, known, mutable=["intermediates"])
    np.testing.assert_array_equal(found, x)
    (seen,) = sown["intermediates"]["attention"]
    rows = attention_rows(seen["query"], seen["key"], seen["known"], "masked", jnp.array([[0], [3]]))
    np.testing.assert_allclose(rows.max(-1), 1 / known.sum((1, 2)), rtol=0.05)
    shapes = jax.tree.map(jnp.shape, variables["params"])
    dense = {
        name: {"kernel": (1, 1, CHANNELS, d), "bias": (d,)} for name, d in (("query", 3), ("key", 3), ("value", 24))
    }
    assert shapes == {**dense, "gamma": ()}


@pytest.mark.parametrize("kind", ["masked", "contextual"])
def test_the_loss_is_sown_and_is_eq_4_and_5(kind):
    layer, params = make(kind=kind, target=0.02)
    x, known, labels = inputs()
    _, sown = layer.apply({"params": params}, x, known, labels, mutable=["losses"])
    weights = weights_of(params, x, known, kind)
    flat, classes = known.reshape(2, 35), labels.reshape(2, 35)
    same = classes[:, :, None] == classes[:, None]
    distance = np.abs((weights * same).sum(-1) - 0.02 * same.sum(-1)) * (1 - flat)
    np.testing.assert_allclose(sown["losses"]["semantic_attention"][0], distance.sum(1) / (1 - flat).sum(1), rtol=1e-4)


def test_the_loss_reaches_query_and_key_and_changes_no_output():
    layer, params = make(target=0.02)
    x, known, labels = inputs()

    def loss(params):
        _, sown = layer.apply({"params": params}, x, known, labels, mutable=["losses"])
        return sown["losses"]["semantic_attention"][0].sum()

    gradient = jax.grad(loss)(params)
    assert np.any(gradient["query"]["kernel"]) and np.any(gradient["key"]["kernel"])
    assert not np.any(gradient["value"]["kernel"]) and not np.any(gradient["gamma"])
    with_loss = layer.apply({"params": params}, x, known, labels)
    without = MaskedSelfAttention(query_block=8).apply({"params": params}, x, known)
    np.testing.assert_allclose(with_loss, without, rtol=1e-5, atol=1e-6)


def test_bfloat16_layer_keeps_the_inputs_dtype_and_float32_parameters():
    layer, params = make(dtype=jnp.bfloat16, target=0.02)
    x, known, labels = inputs()
    found, sown = layer.apply({"params": params}, x, known, labels, mutable=["losses"])
    exact = make(target=0.02)[0].apply({"params": params}, x, known, labels)
    assert found.dtype == jnp.float32 and sown["losses"]["semantic_attention"][0].dtype == jnp.float32
    np.testing.assert_allclose(found, exact, atol=0.2)


def test_what_does_not_fit_is_refused():
    x, known, labels = inputs()
    layer = MaskedSelfAttention(num_labels=LABELS, target=0.1)
    with pytest.raises(ValueError, match="needs labels"):
        layer.init(jax.random.key(0), x, known)
    with pytest.raises(ValueError, match="the size of x"):
        layer.init(jax.random.key(0), x, known, labels[:, 1:])
    with pytest.raises(ValueError, match="known"):
        layer.init(jax.random.key(0), x, known[:, 1:], labels)
