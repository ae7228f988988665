"""Blockwise attention against the N x N map in float64."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from scan_jax.ops.attention import (
    attend_with_semantic_loss,
    attention_rows,
    masked_attention,
    semantic_attention_loss,
)
from scan_jax.ops.blockwise_attention import choose_query_block

KINDS = ("self", "masked", "contextual")
LABELS, TARGET = 4, 0.03


def make(tokens=37, width=5, values=3, batch=2):
    """query, key, value, labels, known: holes of different sizes, the last sample's smaller; class 3 never occurs."""
    rng = np.random.default_rng(0)
    query, key = (rng.normal(size=(batch, tokens, width)).astype(np.float32) for _ in range(2))
    value = rng.normal(size=(batch, tokens, values)).astype(np.float32)
    labels = rng.integers(0, LABELS - 1, (batch, tokens)).astype(np.int32)
    known = (rng.random((batch, tokens)) > np.linspace(0.6, 0.2, batch)[:, None]).astype(np.float32)
    return query, key, value, labels, known


def full_map(query, key, known, kind):
    """[B,N,N] in float64: softmax, columns of the hole set to zero, rows rescaled, rows of known pixels set to zero."""
    logits = query.astype(np.float64) @ key.astype(np.float64).transpose(0, 2, 1)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    if kind != "self":
        weights = weights * known[:, None]
        total = weights.sum(-1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return weights * (1 - known)[:, :, None] if kind == "contextual" else weights


def loss_of_map(weights, labels, known, target):
    """Eqs. (4)-(5), query by query."""
    losses = []
    for sample in range(len(labels)):
        terms = []
        for query in np.flatnonzero(known[sample] == 0):
            same = labels[sample] == labels[sample, query]
            terms.append(abs(weights[sample, query, same].sum() - target * same.sum()))
        losses.append(np.mean(terms) if terms else 0.0)
    return np.array(losses)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [None, 1, 8])
def test_attention_is_the_map_times_the_values(kind, block):
    query, key, value, _, known = make()
    expected = full_map(query, key, known, kind) @ value
    found = masked_attention(query, key, value, known, kind, query_block=block)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_loss_is_that_of_the_map(kind):
    query, key, _, labels, known = make()
    found = semantic_attention_loss(query, key, labels, known, kind, num_labels=LABELS, target=TARGET)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, loss_of_map(full_map(query, key, known, kind), labels, known, TARGET), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_one_pass_gives_both(kind):
    query, key, value, labels, known = make()
    weights = full_map(query, key, known, kind)
    attended, loss = attend_with_semantic_loss(
        query, key, value, labels, known, kind, num_labels=LABELS, target=TARGET, query_block=8
    )
    np.testing.assert_allclose(attended, weights @ value, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(loss, loss_of_map(weights, labels, known, TARGET), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_rows_of_the_map(kind):
    query, key, _, _, known = make()
    rows = np.array([[0, 36, 5], [7, 7, 20]])
    expected = np.take_along_axis(full_map(query, key, known, kind), rows[..., None], axis=1)
    np.testing.assert_allclose(attention_rows(query, key, known, kind, rows), expected, rtol=1e-5, atol=1e-7)


def dense_loss(query, key, value, labels, known, kind, direction):
    """The same result and loss in a form that autodiff differentiates by itself: JAX, with the N x N map."""
    logits = jnp.einsum("bqd,bkd->bqk", query, key)
    if kind != "self":
        logits = jnp.where(known[:, None] > 0.5, logits, -1e9)
    weights = jax.nn.softmax(logits, axis=-1)
    if kind == "contextual":
        weights = weights * (1 - known)[..., None]
    same = labels[:, :, None] == labels[:, None]
    distance = jnp.abs(jnp.sum(weights * same, -1) - TARGET * jnp.sum(same, -1)) * (1 - known)
    return jnp.vdot(weights @ value, direction) + jnp.sum(distance.sum(1) / (1 - known).sum(1) * jnp.arange(1.0, 3.0))


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_that_of_the_map(kind):
    query, key, value, labels, known = make()
    direction = np.random.default_rng(1).normal(size=value.shape).astype(np.float32)

    def loss(query, key, value):
        attended, semantic = attend_with_semantic_loss(
            query, key, value, labels, known, kind, num_labels=LABELS, target=TARGET, query_block=8
        )
        return jnp.vdot(attended, direction) + jnp.vdot(semantic, jnp.arange(1.0, 3.0))

    found = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(query, key, value)
    dense = partial(dense_loss, labels=labels, known=known, kind=kind, direction=direction)
    expected = jax.jit(jax.grad(dense, argnums=(0, 1, 2)))(query, key, value)
    for gradient, wanted in zip(found, expected):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5)


def test_gradient_is_that_of_finite_differences():
    query, key, value, _, known = make(tokens=9)

    def attend(*x):
        return masked_attention(*x, known, "contextual", query_block=4)

    check_grads(attend, (query, key, value), order=1, modes=["rev"], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 1.0], ids=["all hole", "all known"])
def test_all_hole_and_all_known_are_answered(kind, share):
    query, key, value, labels, _ = make()
    known = np.full(labels.shape, share, np.float32)

    def run(query, key, value):
        return attend_with_semantic_loss(
            query, key, value, labels, known, kind, num_labels=LABELS, target=TARGET, query_block=8
        )

    weights = full_map(query, key, known, kind)
    attended, loss = run(query, key, value)
    np.testing.assert_allclose(attended, weights @ value, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(loss, loss_of_map(weights, labels, known, TARGET), rtol=1e-5)
    total = jax.grad(lambda *x: sum(jnp.sum(y) for y in run(*x)), argnums=(0, 1, 2))
    gradients = jax.jit(total)(query, key, value)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    if kind != "self" and share == 0.0:
        assert not np.any(attended) and not any(np.any(gradient) for gradient in gradients)


def test_large_logits_neither_overflow_nor_lose_the_known_pixels():
    query, key, value, _, known = make()
    query, key = 30 * query, 30 * key
    # Where the hole's keys have all of the mass but 1e-300, the paper's rescaling is 0/0: leave them out first.
    logits = query.astype(np.float64) @ key.astype(np.float64).transpose(0, 2, 1) + np.where(known, 0, -1e9)[:, None]
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    expected = weights / weights.sum(-1, keepdims=True) @ value
    np.testing.assert_allclose(masked_attention(query, key, value, known, "masked"), expected, atol=1e-3)


@pytest.mark.parametrize("kind", ["masked", "contextual"])
def test_nothing_is_read_from_the_hole(kind):
    query, key, value, _, known = make()
    hole = known[..., None] == 0
    changed = masked_attention(query, np.where(hole, 7.0, key), np.where(hole, 1e6, value), known, kind)
    np.testing.assert_array_equal(masked_attention(query, key, value, known, kind), changed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_does_not_depend_on_its_batch(kind):
    query, key, value, _, known = make()
    both = masked_attention(query, key, value, known, kind, query_block=8)
    alone = masked_attention(query[1:], key[1:], value[1:], known[1:], kind, query_block=8)
    np.testing.assert_allclose(both[1:], alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_inputs_give_bfloat16_values_and_a_float32_loss(kind):
    query, key, value, labels, known = make()
    query, key, value = (jnp.asarray(x, jnp.bfloat16) for x in (query, key, value))
    weights = full_map(*(np.asarray(x, np.float64) for x in (query, key)), known, kind)
    attended, loss = attend_with_semantic_loss(query, key, value, labels, known, kind, num_labels=LABELS, target=TARGET)
    assert attended.dtype == jnp.bfloat16 and loss.dtype == jnp.float32
    np.testing.assert_allclose(attended.astype(np.float32), weights @ np.asarray(value, np.float64), atol=0.03)
    np.testing.assert_allclose(loss, loss_of_map(weights, labels, known, TARGET), rtol=0.02)
    gradients = jax.grad(lambda *x: masked_attention(*x, known, kind).astype(jnp.float32).sum(), argnums=(0, 1, 2))(
        query, key, value
    )
    assert all(gradient.dtype == jnp.bfloat16 and np.isfinite(gradient).all() for gradient in gradients)


def test_known_queries_of_contextual_attention_are_not_computed():
    query, key, value, _, known = make(tokens=64)
    known[:, :] = 1
    known[0, 3], known[1, 60] = 0, 0
    poisoned = np.where(known[..., None] == 1, np.nan, query)  # whatever is computed from it is not a number
    found = masked_attention(poisoned, key, value, known, "contextual", query_block=1)
    np.testing.assert_allclose(found, full_map(query, key, known, "contextual") @ value, rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda k: masked_attention(poisoned, k, value, known, "contextual", query_block=1).sum())(key)
    assert np.isfinite(gradient).all() and np.any(gradient)


def test_labels_outside_the_classes_do_not_count():
    query, key, _, labels, known = make()
    expected = loss_of_map(full_map(query, key, known, "masked"), labels, known, TARGET)
    some = np.flatnonzero(known[0] == 1)[:4]  # known pixels: no query is lost, their class is smaller
    unlabelled = labels.copy()
    unlabelled[0, some] = 255
    found = semantic_attention_loss(query, key, unlabelled, known, "masked", num_labels=LABELS, target=TARGET)
    assert found[1] == pytest.approx(expected[1], rel=1e-5) and abs(found[0] - expected[0]) > 1e-4
    nothing = np.full_like(labels, -1)
    assert not np.any(semantic_attention_loss(query, key, nothing, known, "self", num_labels=LABELS, target=TARGET))


@pytest.mark.parametrize("batch,tokens,expected", [(1, 16384, 256), (1, 65536, 128), (2, 4096, 512), (8, 100, 100)])
def test_blocks_are_short_on_long_maps(batch, tokens, expected):
    assert choose_query_block(batch, tokens) == expected


@pytest.mark.parametrize("pass_", ["forward", "gradient"])
def test_memory_does_not_hold_the_map(pass_):
    tokens, shape = 2048, (1, 2048, 8)
    x, flat = jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct(shape[:2], jnp.float32)
    labels = jax.ShapeDtypeStruct(shape[:2], jnp.int32)

    def run(query, key, value, labels, known):
        attended, loss = attend_with_semantic_loss(
            query, key, value, labels, known, "contextual", num_labels=LABELS, target=TARGET, query_block=64
        )
        return jnp.sum(attended) + jnp.sum(loss)

    program = jax.jit(run if pass_ == "forward" else jax.grad(run, argnums=(0, 1, 2))).lower(x, x, x, labels, flat)
    assert program.compile().memory_analysis().temp_size_in_bytes < tokens * tokens * 4 / 2


def test_other_shapes_and_kinds_are_refused():
    query, key, value, labels, known = make()
    with pytest.raises(ValueError, match="query and key"):
        masked_attention(query, key[:, 1:], value, known, "self")
    with pytest.raises(ValueError, match="known"):
        masked_attention(query, key, value, known[..., None], "self")
    with pytest.raises(ValueError, match="value must be"):
        masked_attention(query, key, value[:, 1:], known, "self")
    with pytest.raises(ValueError, match="kind must be one of"):
        masked_attention(query, key, value, known, "local")
    with pytest.raises(ValueError, match="query_block"):
        masked_attention(query, key, value, known, "self", query_block=0)
    with pytest.raises(ValueError, match="rows must be integers"):
        attention_rows(query, key, known, "self", jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match="labels must be integers"):
        semantic_attention_loss(query, key, labels * 1.0, known, "self", num_labels=LABELS, target=TARGET)
    with pytest.raises(ValueError, match="num_labels"):
        semantic_attention_loss(query, key, labels, known, "self", num_labels=0, target=TARGET)
