import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.losses.feature_matching import feature_matching


def features(seed):
    """Two scales of two layers and logits."""
    rng = np.random.default_rng(seed)
    shapes = [[(2, 5, 5, 4), (2, 3, 3, 8), (2, 4, 4, 1)], [(2, 3, 3, 4), (2, 2, 2, 8), (2, 3, 3, 1)]]
    return [[rng.normal(size=shape).astype(np.float32) for shape in scale] for scale in shapes]


def test_it_sums_layers_averages_scales_and_leaves_the_logits_out():
    fake, real = features(0), features(1)
    expected = np.mean([sum(np.abs(f - r).mean() for f, r in zip(a[:-1], b[:-1])) for a, b in zip(fake, real)])
    np.testing.assert_allclose(feature_matching(fake, real), expected, rtol=1e-6)


def test_only_the_completions_side_has_a_gradient():
    fake, real = features(0), features(1)
    for_fake, for_real = jax.grad(feature_matching, argnums=(0, 1))(fake, real)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(for_real))
    np.testing.assert_allclose(for_fake[0][0], np.sign(fake[0][0] - real[0][0]) / 200 / 2, rtol=1e-5)
    assert not np.any(for_fake[0][-1]) and not np.any(for_fake[1][-1])


def test_equal_features_give_zero_without_a_push():
    fake = features(0)
    value, slope = jax.value_and_grad(feature_matching)(fake, fake)
    assert value == 0 and not any(np.any(leaf) for leaf in jax.tree.leaves(slope))


def test_bfloat16_features_give_a_float32_scalar():
    fake, real = (jax.tree.map(lambda x: jnp.asarray(x, jnp.bfloat16), features(seed)) for seed in (0, 1))
    found = feature_matching(fake, real)
    assert found.shape == () and found.dtype == jnp.float32


def test_features_that_do_not_belong_together_are_refused():
    fake, real = features(0), features(1)
    with pytest.raises(ValueError, match="equal shapes"):
        feature_matching(fake, real[:1])
    with pytest.raises(ValueError, match="before the logits"):
        feature_matching([fake[0][-1:]], [real[0][-1:]])
