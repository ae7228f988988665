"""The generator of gated convolutions and SN-PatchGAN: shapes, and what they must not depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.models.gated_conv import GatedConvGenerator
from scan_jax.models.sn_patch_gan import SnPatchGan

WIDTH = 8


def inputs(batch=2, height=32, width=24):
    image = jax.random.uniform(jax.random.key(5), (batch, height, width, 3))
    known = jnp.ones((batch, height, width, 1)).at[:, 8:20, 4:18].set(0)
    return image, known


@pytest.fixture(scope="module")
def network():
    model, (image, known) = GatedConvGenerator(WIDTH), inputs()
    params = jax.jit(model.init)(jax.random.key(0), image * known, known)["params"]
    # Each gate halves a signal: with smaller kernels nothing of an image reaches the end.
    params = jax.tree.map(lambda leaf: 3 * leaf if leaf.ndim > 1 else leaf + 0.05, params)
    return jax.jit(lambda image, known: model.apply({"params": params}, image, known))


def test_two_stages_in_range(network):
    stages = network(*inputs())
    assert [stage.shape for stage in stages] == [(2, 32, 24, 3)] * 2
    assert all(stage.dtype == jnp.float32 for stage in stages)
    assert all(float(stage.min()) >= 0 and float(stage.max()) <= 1 for stage in stages)
    assert not np.allclose(stages[0], stages[1])


def test_the_hole_has_no_influence(network):
    """Not even where the caller left something in it."""
    image, known = inputs()
    hole = known[..., 0] == 0
    stages = zip(*(network(seen, known) for seen in (image, jnp.where(known > 0, image, 0.7), 1 - image)))
    for found, repainted, inverse in stages:
        np.testing.assert_array_equal(found, repainted)
        assert np.abs(found - inverse)[hole].max() > 1e-3, "it is blind"


def test_a_sample_does_not_depend_on_its_batch(network):
    image, known = inputs(batch=4)
    known = known.at[1, :8].set(0)  # the attention of each image looks at its own hole
    whole = network(image, known)[-1]
    np.testing.assert_allclose(whole, network(image[::-1], known[::-1])[-1][::-1], atol=1e-5)
    np.testing.assert_allclose(whole[2:3], network(image[2:3], known[2:3])[-1], atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_hole_and_no_hole_are_answered(network, value):
    image, known = inputs()
    assert all(np.isfinite(stage).all() for stage in network(image, jnp.full_like(known, value)))


def test_widths_are_the_papers():
    """4.1 million parameters, by the authors; a gated convolution has half of its channels come out."""
    image, known = (jax.ShapeDtypeStruct((1, 64, 64, channels), jnp.float32) for channels in (3, 1))
    params = jax.eval_shape(GatedConvGenerator().init, jax.random.key(0), image, known)["params"]
    assert params["coarse_encoder"]["conv1"]["kernel"].shape == (5, 5, 5, 48)
    assert params["coarse_encoder"]["conv2"]["kernel"].shape == (3, 3, 24, 96)
    assert params["fine_encoder"]["conv2"]["kernel"].shape == (3, 3, 24, 48)
    assert params["attentive_branch"]["conv9"]["kernel"].shape == (3, 3, 96, 192)
    assert params["fine_decoder"]["conv11"]["kernel"].shape == (3, 3, 192, 192)
    assert params["fine_decoder"]["conv17"]["kernel"].shape == (3, 3, 12, 3)
    assert round(sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6, 1) == 4.1


def test_sizes_must_fit_the_stride():
    model, (image, known) = GatedConvGenerator(WIDTH), inputs(height=36)
    with pytest.raises(ValueError, match="multiples of 8"):
        jax.eval_shape(model.init, jax.random.key(0), image, known)


def test_bfloat16_stays_near_float32():
    image, known = inputs()
    params = jax.jit(GatedConvGenerator(WIDTH).init)(jax.random.key(0), image, known)["params"]
    exact, rough = (
        jax.jit(GatedConvGenerator(WIDTH, dtype).apply)({"params": params}, image * known, known)[-1]
        for dtype in (jnp.float32, jnp.bfloat16)
    )
    assert rough.dtype == jnp.float32
    assert float(jnp.abs(exact - rough).mean()) < 0.01


def test_the_critic_sees_the_hole_and_judges_by_every_feature():
    critic, (image, known) = SnPatchGan(width=4), inputs(height=128, width=64)
    variables = jax.jit(lambda key: critic.init(key, image, known, train=False))(jax.random.key(1))
    judge = jax.jit(lambda known: critic.apply(variables, image, known, train=False))
    assert judge(known).shape == (2, 2, 1, 16)
    assert not np.allclose(judge(known), judge(jnp.ones_like(known)))


def test_a_step_of_the_spectral_norm_is_taken_in_training_alone():
    critic, (image, known) = SnPatchGan(width=4), inputs()
    variables = jax.jit(lambda key: critic.init(key, image, known, train=False))(jax.random.key(1))
    apply = jax.jit(critic.apply, static_argnames=("train", "mutable"))
    _, kept = apply(variables, image, known, train=False, mutable="spectral")
    _, moved = apply(variables, image, known, train=True, mutable="spectral")
    same = [
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(variables["spectral"]), jax.tree.leaves(kept["spectral"]))
    ]
    other = [
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(variables["spectral"]), jax.tree.leaves(moved["spectral"]))
    ]
    assert all(same)
    assert not any(other)
