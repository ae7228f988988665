"""The SCAN generator: shapes, sharing, and what it must not depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.models.patch_discriminator import PatchDiscriminator
from scan_jax.models.scan import ScanGenerator

SMALL = {"width": 4, "regions": 3, "blocks": 1}


def inputs(batch=2, height=32, width=24):
    keys = jax.random.split(jax.random.key(5), 2)
    image = jax.random.uniform(keys[0], (batch, height, width, 3))
    known = jnp.ones((batch, height, width, 1)).at[:, 8:20, 4:18].set(0)
    return image, known, jax.random.split(keys[1], batch)


@pytest.fixture(scope="module")
def network():
    """A generator whose SAN and CAN act: gamma, eta and the like start at zero, where nothing would be tested."""
    model = ScanGenerator(**SMALL)
    image, known, keys = inputs()
    params = jax.jit(model.init)(jax.random.key(0), image * known, known, keys)["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.3 if leaf.shape == () else leaf, params)
    return jax.jit(lambda image, known, keys: model.apply({"params": params}, image * known, known, keys))


def test_two_stages_in_range(network):
    stages = network(*inputs())
    assert [stage.shape for stage in stages] == [(2, 32, 24, 3)] * 2
    assert all(float(stage.min()) >= 0 and float(stage.max()) <= 1 for stage in stages)
    assert not np.allclose(stages[0], stages[1])


def test_the_hole_has_no_influence(network):
    image, known, keys = inputs()
    other = jnp.where(known > 0, image, jax.random.uniform(jax.random.key(9), image.shape))
    for a, b in zip(network(image, known, keys), network(other, known, keys)):
        np.testing.assert_array_equal(a, b)


def test_a_sample_does_not_depend_on_its_batch(network):
    image, known, _ = inputs(batch=4)
    same = jnp.broadcast_to(jax.random.key(1), (4,))
    whole = network(image, known, same)[-1]
    shuffled = network(image[::-1], known[::-1], same)[-1][::-1]
    np.testing.assert_allclose(whole, shuffled, atol=1e-6)
    alone = network(image[2:3], known[2:3], same[:1])[-1]
    np.testing.assert_allclose(whole[2:3], alone, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_hole_and_no_hole_are_answered(network, value):
    image, known, keys = inputs()
    assert all(np.isfinite(stage).all() for stage in network(image, jnp.full_like(known, value), keys))


def test_both_stages_share_one_decoder():
    model = ScanGenerator(**SMALL)
    params = jax.eval_shape(model.init, jax.random.key(0), *inputs())["params"]
    assert set(params) == {"enc1", "enc2", "dec"}
    sizes = [params[name]["PartialConv_0"]["kernel"].shape[0] for name in ("enc1", "enc2")]
    assert sizes == [7, 5]


@pytest.mark.parametrize(
    ("attention", "prefixes"), [((), set()), (("spatial",), {"spatial"}), (("channel",), {"channel"})]
)
def test_ablations_remove_their_parameters(attention, prefixes):
    model = ScanGenerator(**SMALL, attention=attention, stages=1)
    params = jax.eval_shape(model.init, jax.random.key(0), *inputs())["params"]
    assert set(params) == {"enc1", "dec"}
    assert {name.rstrip("012") for name in params["dec"]} == {"join", "rgb"} | prefixes


def test_the_second_stage_sees_the_rough_image():
    model = ScanGenerator(**SMALL)
    image, known, keys = inputs()
    params = jax.jit(model.init)(jax.random.key(0), image, known, keys)["params"]

    def fine(first_kernel):
        kernel = {**params["enc1"]["PartialConv_0"], "kernel": first_kernel}
        changed = {**params, "enc1": {**params["enc1"], "PartialConv_0": kernel}}
        return model.apply({"params": changed}, image * known, known, keys)[1].mean()

    gradient = jax.grad(fine)(params["enc1"]["PartialConv_0"]["kernel"])
    assert float(jnp.abs(gradient).max()) > 0


def test_sizes_must_fit_the_stride():
    model = ScanGenerator(**SMALL)
    with pytest.raises(ValueError, match="multiples of 8"):
        jax.eval_shape(model.init, jax.random.key(0), *inputs(height=36))


def test_bfloat16_stays_near_float32():
    image, known, keys = inputs()
    params = jax.jit(ScanGenerator(**SMALL).init)(jax.random.key(0), image, known, keys)["params"]
    exact, rough = (
        jax.jit(ScanGenerator(**SMALL, dtype=dtype).apply)({"params": params}, image * known, known, keys)[-1]
        for dtype in (jnp.float32, jnp.bfloat16)
    )
    assert rough.dtype == jnp.float32
    assert float(jnp.abs(exact - rough).mean()) < 0.01


def test_the_critic_sees_70_pixels():
    critic = PatchDiscriminator(width=4)
    image = jax.random.uniform(jax.random.key(0), (1, 128, 128, 3))
    variables = jax.jit(lambda key: critic.init(key, image, train=False))(jax.random.key(1))

    def middle(image):
        return critic.apply(variables, image, train=False)[0, 7, 7, 0]

    assert critic.apply(variables, image, train=False).shape == (1, 14, 14, 1)
    rows = np.flatnonzero(np.abs(jax.grad(middle)(image)).sum(axis=(0, 2, 3)))
    assert rows[-1] - rows[0] + 1 == 70
