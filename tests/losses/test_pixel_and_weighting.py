import jax
import jax.numpy as jnp
import numpy as np
from refusals import refused

from scan_jax.losses.pixel import combine, hole_normalised, l1

SHAPE = (2, 5, 7, 3)


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    known = (rng.uniform(size=(*SHAPE[:3], 1)) > 0.3).astype(np.float32)
    return rng.uniform(size=SHAPE).astype(np.float32), rng.uniform(size=SHAPE).astype(np.float32), known


def test_l1_is_unreduced_float32():
    a, b, _ = arrays()
    np.testing.assert_allclose(l1(a, b), np.abs(a.astype(np.float64) - b), rtol=1e-6, atol=1e-7)
    found = l1(jnp.full((1, 2, 2, 3), 1, jnp.bfloat16), jnp.full((1, 2, 2, 3), 1.001, jnp.float32))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, 0.001, rtol=1e-3)


def test_gradients_where_images_agree_and_without_a_hole_are_zero():
    a, _, known = arrays()
    for loss in (lambda x: l1(x, a).sum(), lambda x: hole_normalised(x, np.ones_like(known))):
        value, gradient = jax.jit(jax.value_and_grad(loss))(a)
        assert value == 0
        np.testing.assert_array_equal(gradient, np.zeros(SHAPE))


def test_broadcasting_other_ranks_and_terms_without_partner_are_refused():
    for other in ((2, 5, 7, 1), (1, 5, 7, 3), (5, 7, 3), (2, 7, 5, 3)):
        refused("two equal shapes", l1, (np.zeros(SHAPE), np.zeros(other)))
    refused("images", l1, (np.zeros((3, 3)), np.zeros((3, 3))))
    for known in ((2, 5, 7, 3), (1, 5, 7, 1), (2, 5, 7), (2, 1, 7, 1)):
        refused("need known", hole_normalised, (np.zeros(SHAPE), np.ones(known)))
    refused(r"terms \['l2'\] have no weight", combine, ({"l2": jnp.asarray(1.0)}, {"l1": 1.0}))
    refused(r"weights \['style'\] have no term", combine, ({"l1": jnp.asarray(1.0)}, {"l1": 1.0, "style": 250.0}))


def test_hole_normalised_is_the_mean_over_the_holes_share():
    a, b, known = arrays()
    values = np.abs(a.astype(np.float64) - b)
    np.testing.assert_allclose(hole_normalised(l1(a, b), known), values.mean() / (1 - known).mean(), rtol=1e-6)
    for size in (1, 5, 10):  # a sole error in the hole counts alike for any hole
        hole = np.zeros((1, 10, 10, 1), np.float32)
        hole[:, :size, :size] = 1
        np.testing.assert_allclose(hole_normalised(hole * np.full((1, 10, 10, 3), 0.25, np.float32), 1 - hole), 0.25)


def test_combine_weighs_means_of_terms_of_any_shape_and_one_that_is_off_cannot_spoil_the_sum():
    terms = {"a": jnp.asarray([1.0, 3.0]), "b": jnp.asarray(5.0), "c": jnp.full((2, 2, 1), -1.0, jnp.bfloat16)}
    total = combine(terms, {"a": 0.5, "b": 10.0, "c": 2.0, "absent and off": 0.0})
    assert total.shape == () and total.dtype == jnp.float32
    np.testing.assert_allclose(total, 0.5 * 2 + 10 * 5 - 2)
    assert combine({"a": jnp.asarray(1.0), "b": jnp.asarray(jnp.nan)}, {"a": 2.0, "b": 0.0}) == 2
