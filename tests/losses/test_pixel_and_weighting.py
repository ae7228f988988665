import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.losses.pixel import l1
from scan_jax.losses.weighting import combine, hole_normalised

SHAPE = (2, 5, 7, 3)


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    known = (rng.uniform(size=(*SHAPE[:3], 1)) > 0.3).astype(np.float32)
    return rng.uniform(size=SHAPE).astype(np.float32), rng.uniform(size=SHAPE).astype(np.float32), known


def test_l1_is_unreduced_float32():
    a, b, _ = arrays()
    np.testing.assert_allclose(
        l1(jnp.asarray(a), jnp.asarray(b)), np.abs(a.astype(np.float64) - b), rtol=1e-6, atol=1e-7
    )
    assert l1(jnp.asarray(a, jnp.bfloat16), jnp.asarray(b)).dtype == jnp.float32


def test_l1_keeps_small_differences_of_bfloat16_and_float32():
    a = jnp.full((1, 2, 2, 3), 1.0, jnp.bfloat16)
    b = jnp.full((1, 2, 2, 3), 1.001, jnp.float32)
    np.testing.assert_allclose(l1(a, b), 0.001, rtol=1e-3)


def test_l1_gradient_is_finite_where_images_agree():
    a, _, _ = arrays()
    gradient = jax.grad(lambda x: l1(x, jnp.asarray(a)).sum())(jnp.asarray(a))
    np.testing.assert_array_equal(gradient, np.zeros(SHAPE))


@pytest.mark.parametrize("other", [(2, 5, 7, 1), (1, 5, 7, 3), (5, 7, 3), (2, 7, 5, 3)])
def test_l1_refuses_broadcasting(other):
    with pytest.raises(ValueError, match="two equal shapes"):
        l1(jnp.zeros(SHAPE), jnp.zeros(other))


def test_l1_refuses_other_ranks():
    with pytest.raises(ValueError, match="images"):
        l1(jnp.zeros((3, 3)), jnp.zeros((3, 3)))


def test_hole_normalised_is_the_mean_over_the_holes_share():
    a, b, known = arrays()
    values = np.abs(a.astype(np.float64) - b)
    np.testing.assert_allclose(hole_normalised(l1(a, b), known), values.mean() / (1 - known).mean(), rtol=1e-6)


def test_hole_normalised_counts_a_sole_error_in_the_hole_alike_for_any_hole_size():
    known = np.ones((1, 10, 10, 1), np.float32)
    for size in (1, 5, 10):
        hole = known.copy()
        hole[:, :size, :size] = 0
        np.testing.assert_allclose(hole_normalised(jnp.asarray((1 - hole) * np.full((1, 10, 10, 3), 0.25)), hole), 0.25)


def test_no_hole_gives_zero_and_a_zero_gradient():
    a, _, known = arrays()
    value, gradient = jax.value_and_grad(lambda x: hole_normalised(x, jnp.ones_like(known)))(jnp.asarray(a))
    assert value == 0 and not np.any(gradient) and np.isfinite(gradient).all()


@pytest.mark.parametrize("known", [(2, 5, 7, 3), (1, 5, 7, 1), (2, 5, 7), (2, 1, 7, 1)])
def test_known_is_not_broadcast(known):
    with pytest.raises(ValueError, match="need known"):
        hole_normalised(jnp.zeros(SHAPE), jnp.ones(known))


def test_combine_weighs_means_of_terms_of_any_shape():
    terms = {"a": jnp.asarray([1.0, 3.0]), "b": jnp.asarray(5.0), "c": jnp.full((2, 2, 1), -1.0, jnp.bfloat16)}
    total = combine(terms, {"a": 0.5, "b": 10.0, "c": 2.0, "absent and off": 0.0})
    assert total.shape == () and total.dtype == jnp.float32
    np.testing.assert_allclose(total, 0.5 * 2 + 10 * 5 - 2)


def test_a_term_that_is_off_cannot_spoil_the_sum():
    assert combine({"a": jnp.asarray(1.0), "b": jnp.asarray(jnp.nan)}, {"a": 2.0, "b": 0.0}) == 2


def test_combine_refuses_terms_and_weights_without_partner():
    with pytest.raises(ValueError, match=r"terms \['l2'\] have no weight"):
        combine({"l2": jnp.asarray(1.0)}, {"l1": 1.0})
    with pytest.raises(ValueError, match=r"weights \['style'\] have no term"):
        combine({"l1": jnp.asarray(1.0)}, {"l1": 1.0, "style": 250.0})
