"""Blockwise attention against the N x N map in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refused

from scan_jax.ops.attention import (
    attend_with_semantic_loss,
    attention_rows,
    choose_query_block,
    masked_attention,
)

LABELS, TARGET = 4, 0.03
OF_CLASSES = {"num_labels": LABELS, "target": TARGET}
each_kind = pytest.mark.parametrize("kind", ["self", "masked", "contextual"])
by_kind = functools.partial(jax.jit, static_argnames="kind")
attend = by_kind(masked_attention)


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


def loss_of_map(weights, labels, known):
    """Eqs. (4)-(5), query by query."""
    losses = []
    for rows, classes, seen in zip(weights, labels, known, strict=True):
        alike = [(row, classes == classes[query]) for query, row in enumerate(rows) if not seen[query]]
        losses.append(np.mean([abs(row[same].sum() - TARGET * same.sum()) for row, same in alike] or [0.0]))
    return np.array(losses)


@each_kind
def test_values_loss_and_rows_are_those_of_the_map(kind):
    query, key, value, labels, known = make()
    weights, rows = full_map(query, key, known, kind), np.array([[0, 36, 5], [7, 7, 20]])

    @jax.jit
    def run(query, key, value, labels, known):
        attended = [masked_attention(query, key, value, known, kind, query_block=block) for block in (None, 1)]
        _, loss = attend_with_semantic_loss(query, key, value, labels, known, kind, **OF_CLASSES)
        return attended, loss, attention_rows(query, key, known, kind, rows)

    attended, loss, seen = run(query, key, value, labels, known)
    for found in attended:
        np.testing.assert_allclose(found, weights @ value, rtol=1e-5, atol=1e-5)
    assert loss.dtype == jnp.float32
    np.testing.assert_allclose(loss, loss_of_map(weights, labels, known), rtol=1e-5)
    np.testing.assert_allclose(seen, np.take_along_axis(weights, rows[..., None], axis=1), rtol=1e-5, atol=1e-7)


@by_kind
def both_and_slopes(query, key, value, labels, known, direction, kind):
    """Attended values and loss in one pass, and the slopes of their sum, weighed, to query, key and value."""

    def total(*x):
        attended, loss = attend_with_semantic_loss(*x, labels, known, kind, **OF_CLASSES, query_block=8)
        return jnp.vdot(attended, direction) + jnp.vdot(loss, jnp.arange(1.0, 3.0)), (attended, loss)

    slopes, both = jax.grad(total, argnums=(0, 1, 2), has_aux=True)(query, key, value)
    return *both, slopes


def dense_loss(query, key, value, labels, known, direction, kind):
    """The same sum in a form that autodiff differentiates by itself: JAX, with the N x N map."""
    logits = jnp.einsum("bqd,bkd->bqk", query, key)
    if kind != "self":
        logits = jnp.where(known[:, None] > 0.5, logits, -1e9)
    weights = jax.nn.softmax(logits, axis=-1)
    if kind == "contextual":
        weights = weights * (1 - known)[..., None]
    same = labels[:, :, None] == labels[:, None]
    distance = jnp.abs(jnp.sum(weights * same, -1) - TARGET * jnp.sum(same, -1)) * (1 - known)
    return jnp.vdot(weights @ value, direction) + jnp.sum(distance.sum(1) / (1 - known).sum(1) * jnp.arange(1.0, 3.0))


@each_kind
def test_one_pass_gives_both_with_the_gradients_of_the_map_and_answers_all_hole_and_all_known(kind):
    query, key, value, labels, known = make()
    direction = np.random.default_rng(1).normal(size=value.shape).astype(np.float32)
    expected = by_kind(jax.grad(dense_loss, argnums=(0, 1, 2)))(query, key, value, labels, known, direction, kind=kind)
    for seen in (known, np.zeros_like(known), np.ones_like(known)):
        weights = full_map(query, key, seen, kind)
        attended, loss, slopes = both_and_slopes(query, key, value, labels, seen, direction, kind=kind)
        np.testing.assert_allclose(attended, weights @ value, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(loss, loss_of_map(weights, labels, seen), rtol=1e-5)
        assert all(np.isfinite(slope).all() for slope in slopes)
        if seen is known:
            for slope, wanted in zip(slopes, expected):
                np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-5)
        elif kind != "self" and not seen.any():
            assert not np.any(attended) and not any(np.any(slope) for slope in slopes)


def test_large_logits_neither_overflow_nor_lose_the_known_pixels():
    query, key, value, _, known = make()
    query, key = 30 * query, 30 * key
    # Where the hole's keys have all of the mass but 1e-300, the paper's rescaling is 0/0: leave them out first.
    logits = query.astype(np.float64) @ key.astype(np.float64).transpose(0, 2, 1) + np.where(known, 0, -1e9)[:, None]
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    expected = weights / weights.sum(-1, keepdims=True) @ value
    np.testing.assert_allclose(attend(query, key, value, known, kind="masked"), expected, atol=1e-3)


@pytest.mark.parametrize("kind", ["masked", "contextual"])
def test_nothing_is_read_from_the_hole(kind):
    query, key, value, _, known = make()
    hole = known[..., None] == 0
    other_key, other_value = np.where(hole, np.float32(7), key), np.where(hole, np.float32(1e6), value)
    changed = attend(query, other_key, other_value, known, kind=kind)
    np.testing.assert_array_equal(attend(query, key, value, known, kind=kind), changed)


@pytest.mark.parametrize("kind", ["self", "contextual"])
def test_bfloat16_inputs_give_bfloat16_values_and_a_float32_loss(kind):
    query, key, value, labels, known = make()
    query, key, value = (x.astype(jnp.bfloat16) for x in (query, key, value))
    weights = full_map(*(np.asarray(x, np.float64) for x in (query, key)), known, kind)

    @jax.jit
    def run(query, key, value):
        total = jax.grad(lambda *x: masked_attention(*x, known, kind).astype(jnp.float32).sum(), argnums=(0, 1, 2))
        both = attend_with_semantic_loss(query, key, value, labels, known, kind, **OF_CLASSES)
        return *both, total(query, key, value)

    attended, loss, slopes = run(query, key, value)
    assert attended.dtype == jnp.bfloat16 and loss.dtype == jnp.float32
    np.testing.assert_allclose(attended.astype(np.float32), weights @ np.asarray(value, np.float64), atol=0.03)
    np.testing.assert_allclose(loss, loss_of_map(weights, labels, known), rtol=0.02)
    assert all(slope.dtype == jnp.bfloat16 and np.isfinite(slope).all() for slope in slopes)


def test_known_queries_of_contextual_attention_are_not_computed():
    query, key, value, _, known = make(tokens=64)
    known[:, :] = 1
    known[0, 3], known[1, 60] = 0, 0
    poisoned = np.where(known[..., None] == 1, np.float32(np.nan), query)  # whatever is computed from it is no number

    def run(key):
        attended = masked_attention(poisoned, key, value, known, "contextual", query_block=1)
        return attended.sum(), attended

    slope, found = jax.jit(jax.grad(run, has_aux=True))(key)
    np.testing.assert_allclose(found, full_map(query, key, known, "contextual") @ value, rtol=1e-5, atol=1e-6)
    assert np.isfinite(slope).all() and np.any(slope)


def test_labels_outside_the_classes_do_not_count():
    query, key, value, labels, known = make()
    expected = loss_of_map(full_map(query, key, known, "masked"), labels, known)
    some = np.flatnonzero(known[0] == 1)[:4]  # known pixels: no query is lost, their class is smaller
    unlabelled = labels.copy()
    unlabelled[0, some] = 255
    loss = jax.jit(
        lambda labels: attend_with_semantic_loss(query, key, value, labels, known, "masked", **OF_CLASSES)[1]
    )
    found = loss(unlabelled)
    assert found[1] == pytest.approx(expected[1], rel=1e-5) and abs(found[0] - expected[0]) > 1e-4
    assert not np.any(loss(np.full_like(labels, -1)))


@pytest.mark.parametrize("batch,tokens,expected", [(1, 16384, 256), (1, 65536, 128), (2, 4096, 512), (8, 100, 100)])
def test_blocks_are_short_on_long_maps(batch, tokens, expected):
    assert choose_query_block(batch, tokens) == expected


def test_memory_does_not_hold_the_map():
    tokens, shape = 2048, (1, 2048, 8)
    x, flat = jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct(shape[:2], jnp.float32)
    labels = jax.ShapeDtypeStruct(shape[:2], jnp.int32)

    def run(*x):
        attended, loss = attend_with_semantic_loss(*x, "contextual", **OF_CLASSES, query_block=64)
        return jnp.sum(attended) + jnp.sum(loss)

    program = jax.jit(jax.value_and_grad(run, argnums=(0, 1, 2))).lower(x, x, x, labels, flat)
    assert program.compile().memory_analysis().temp_size_in_bytes < tokens * tokens * 4 / 2


def test_other_shapes_and_kinds_are_refused():
    query, key, value, labels, known = make()
    refused("query and key", masked_attention, (query, key[:, 1:], value, known, "self"))
    refused("known", masked_attention, (query, key, value, known[..., None], "self"))
    refused("value must be", masked_attention, (query, key, value[:, 1:], known, "self"))
    refused("kind must be one of", masked_attention, (query, key, value, known, "local"))
    refused("query_block", masked_attention, (query, key, value, known, "self"), query_block=0)
    refused("rows must be integers", attention_rows, (query, key, known, "self", np.zeros((2, 3))))
    given = (query, key, value)
    refused("labels must be", attend_with_semantic_loss, (*given, labels * 1.0, known, "self"), **OF_CLASSES)
    no_class = {**OF_CLASSES, "num_labels": 0}
    refused("num_labels", attend_with_semantic_loss, (*given, labels, known, "self"), **no_class)
