"""MaskedSelfAttention against NumPy in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.layers.masked_self_attention import MaskedSelfAttention
from scan_jax.ops.attention import attention_rows

CHANNELS, LABELS = 24, 3
WIDTHS = {"query": 3, "key": 3, "value": 24}


def inputs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 7, CHANNELS)).astype(np.float32)
    known = (rng.random((2, 5, 7, 1)) > np.array([0.5, 0.1])[:, None, None, None]).astype(np.float32)
    return x, known, rng.integers(0, LABELS, (2, 5, 7)).astype(np.int32)


@functools.cache
def parameters():
    """At a scale where attention is far from uniform."""
    rng = np.random.default_rng(1)

    def draw(d):
        return {"kernel": 0.3 * rng.normal(size=(1, 1, CHANNELS, d)), "bias": rng.normal(size=d)}

    return jax.tree.map(np.float32, {**{name: draw(d) for name, d in WIDTHS.items()}, "gamma": 0.7})


@functools.cache
def run(**fields):
    """Of the parameters: what comes out of the layer, and what it sows; with labels where there is a target."""
    layer, (x, known, labels) = MaskedSelfAttention(num_labels=LABELS, query_block=8, **fields), inputs()
    given = (x, known, labels) if "target" in fields else (x, known)
    return jax.jit(lambda params: layer.apply({"params": params}, *given, mutable=["losses"]))


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
    params, (x, known, _) = parameters(), inputs()
    expected = 0.7 * weights_of(params, x, known, kind) @ project(params, x, "value") + x.reshape(2, 35, CHANNELS)
    found, _ = run(kind=kind)(params)
    np.testing.assert_allclose(found, expected.reshape(x.shape), rtol=1e-4, atol=1e-5)


def test_it_starts_as_the_identity_and_near_uniform():
    x, known, labels = inputs()
    layer = MaskedSelfAttention(kind="masked")
    variables = jax.jit(layer.init)(jax.random.key(0), x, known, labels)
    found, sown = jax.jit(lambda variables: layer.apply(variables, x, known, mutable=["intermediates"]))(variables)
    np.testing.assert_array_equal(found, x)
    (seen,) = sown["intermediates"]["attention"]
    rows = attention_rows(seen["query"], seen["key"], seen["known"], "masked", np.array([[0], [3]]))
    np.testing.assert_allclose(rows.max(-1), 1 / known.sum((1, 2)), rtol=0.05)
    assert jax.tree.map(jnp.shape, variables["params"]) == jax.tree.map(np.shape, parameters())


@pytest.mark.parametrize("kind", ["masked", "contextual"])
def test_the_loss_is_sown_and_is_eq_4_and_5_and_changes_no_output(kind):
    params, (x, known, labels) = parameters(), inputs()
    found, sown = run(kind=kind, target=0.02)(params)
    weights = weights_of(params, x, known, kind)
    flat, classes = known.reshape(2, 35), labels.reshape(2, 35)
    same = classes[:, :, None] == classes[:, None]
    distance = np.abs((weights * same).sum(-1) - 0.02 * same.sum(-1)) * (1 - flat)
    np.testing.assert_allclose(sown["losses"]["semantic_attention"][0], distance.sum(1) / (1 - flat).sum(1), rtol=1e-4)
    np.testing.assert_allclose(found, run(kind=kind)(params)[0], rtol=1e-5, atol=1e-6)


def test_the_loss_reaches_query_and_key():
    apply = run(kind="contextual", target=0.02)
    gradient = jax.jit(jax.grad(lambda params: apply(params)[1]["losses"]["semantic_attention"][0].sum()))(parameters())
    assert np.any(gradient["query"]["kernel"]) and np.any(gradient["key"]["kernel"])
    assert not np.any(gradient["value"]["kernel"]) and not np.any(gradient["gamma"])


def test_bfloat16_layer_keeps_the_inputs_dtype_and_float32_parameters():
    found, sown = run(kind="contextual", target=0.02, dtype=jnp.bfloat16)(parameters())
    exact, _ = run(kind="contextual", target=0.02)(parameters())
    assert found.dtype == jnp.float32 and sown["losses"]["semantic_attention"][0].dtype == jnp.float32
    np.testing.assert_allclose(found, exact, atol=0.2)


def test_what_does_not_fit_is_refused():
    x, known, labels = inputs()
    layer = MaskedSelfAttention(num_labels=LABELS, target=0.1)
    key = jax.random.key(0)
    refused("needs labels", layer.init, (key, x, known))
    refused("the size of x", layer.init, (key, x, known, labels[:, 1:]))
    refused("known", layer.init, (key, x, known[:, 1:], labels))
