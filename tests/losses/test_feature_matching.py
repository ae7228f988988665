import jax
import jax.numpy as jnp
import numpy as np
from refusals import refused

from scan_jax.losses.feature_matching import feature_matching


def features(seed):
    """Two scales of two layers and logits."""
    rng = np.random.default_rng(seed)
    shapes = [[(2, 5, 5, 4), (2, 3, 3, 8), (2, 4, 4, 1)], [(2, 3, 3, 4), (2, 2, 2, 8), (2, 3, 3, 1)]]
    return [[rng.normal(size=shape).astype(np.float32) for shape in scale] for scale in shapes]


def test_it_sums_layers_averages_scales_and_leaves_the_logits_out():
    fake, real = features(0), features(1)
    run = jax.jit(jax.value_and_grad(feature_matching, argnums=(0, 1)))
    found, (for_fake, for_real) = run(fake, real)
    expected = np.mean([sum(np.abs(f - r).mean() for f, r in zip(a[:-1], b[:-1])) for a, b in zip(fake, real)])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(for_real)), "only the completion's side has a gradient"
    np.testing.assert_allclose(for_fake[0][0], np.sign(fake[0][0] - real[0][0]) / 200 / 2, rtol=1e-5)
    assert not np.any(for_fake[0][-1]) and not np.any(for_fake[1][-1])
    half = jax.eval_shape(feature_matching, *jax.tree.map(lambda x: x.astype(jnp.bfloat16), (fake, real)))
    assert half.shape == () and half.dtype == jnp.float32
    value, slopes = run(fake, fake)
    assert value == 0 and not any(np.any(leaf) for leaf in jax.tree.leaves(slopes)), "equal features give no push"


def test_features_that_do_not_belong_together_are_refused():
    fake, real = features(0), features(1)
    refused("equal shapes", feature_matching, (fake, real[:1]))
    refused("before the logits", feature_matching, ([fake[0][-1:]], [real[0][-1:]]))
