"""The optimisation at test time on a generator of one line: each image for itself, stopped early, with progress."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.core.types import Observation
from scan_jax.methods.api import Variables
from scan_jax.methods.masked_attention.settings import Settings, StyleSearchSettings
from scan_jax.methods.masked_attention.style_search import StyleSearch, StyleSpace

DEVICES = 2
VARIABLES = Variables({"generator": {"start": np.float32(0.2)}}, {"generator": {}})


class Painter:
    """A generator whose styles [B,1,3] are the colour of the whole image; it starts at one grey, and counts."""

    def __init__(self):
        self.painted = []

    def apply(self, networks, *inputs, method, train=None):
        if method == "encode":
            image, _, _ = inputs
            return jnp.full((image.shape[0], 1, 3), networks["params"]["start"])
        styles, labels, keys = inputs
        assert train is False
        assert keys.shape == labels.shape[:1]
        jax.debug.callback(lambda: self.painted.append(None))
        return jnp.broadcast_to(styles[:, :, None], (*labels.shape, 3))


def search(painter=None, **settings):
    chosen = StyleSearchSettings(**{"perceptual": 0.0, "learning_rate": 0.1, **settings})
    return StyleSearch(
        StyleSpace(painter or Painter()),
        lambda frozen, image, target: jnp.zeros(len(image)),
        Settings(style_search=chosen),
    )


def observation(colours):
    image = jnp.broadcast_to(jnp.asarray(colours, jnp.float32)[:, None, None, None], (len(colours), 8, 8, 3))
    known = jnp.ones((len(colours), 8, 8, 1)).at[:, 2:6, 2:6].set(0)
    return Observation(image * known, known, jnp.zeros((len(colours), 8, 8), jnp.int32))


def test_it_lowers_eq8_and_keeps_the_best():
    seen = observation([0.9, 0.25])
    found = jax.jit(search(steps=12))(VARIABLES, {}, seen, jax.random.key(0))
    assert found.objective.shape == (13, 2)
    lowest = np.min(found.objective, axis=0)
    assert np.all(lowest < found.objective[0])
    for name, values in (("before", found.objective[0]), ("style search", lowest)):
        difference = (np.asarray(found.prediction.intermediates[name]) - seen.image) * seen.known
        np.testing.assert_allclose(values, 5e-3 * 4 * np.square(difference).mean((1, 2, 3)), rtol=1e-5)
    np.testing.assert_array_equal(found.prediction.image, found.prediction.intermediates["style search"])
    np.testing.assert_allclose(found.prediction.image[0], 0.9, atol=0.1)


def test_the_feature_distance_joins_in_where_it_has_a_weight():
    settings = Settings(style_search=StyleSearchSettings(steps=1, pixel=0.0, perceptual=2.0))

    def distance(frozen, image, target):
        return frozen["w"] * image.mean((1, 2, 3))

    seen, refine = observation([0.9]), StyleSearch(StyleSpace(Painter()), distance, settings)
    found = jax.jit(refine)(VARIABLES, {"w": jnp.float32(3.0)}, seen, jax.random.key(0))
    assert float(found.objective[0, 0]) == pytest.approx(2 * 3 * 0.2 * float(seen.known.mean()), rel=1e-5)


def test_an_image_does_not_depend_on_its_batch():
    refine = jax.jit(search(steps=6))
    together = refine(VARIABLES, {}, observation([0.9, 0.25]), jax.random.key(0))
    alone = refine(VARIABLES, {}, observation([0.25]), jax.random.key(0))
    np.testing.assert_array_equal(together.prediction.image[1:], alone.prediction.image)
    np.testing.assert_array_equal(together.objective[:, 1:], alone.objective)


def test_an_image_that_no_longer_improves_is_left_alone():
    # Steps of 0.5 overshoot a target 0.05 away at once, and approach one 2 away for four updates.
    refine = jax.jit(search(steps=10, learning_rate=0.5, patience=1))
    found = refine(VARIABLES, {}, observation([0.25, 2.2]), jax.random.key(0))
    near, far = np.asarray(found.objective).T
    assert near[1] > near[0]
    np.testing.assert_array_equal(near[1:], near[1])
    assert np.all(np.diff(far[:4]) < 0)


def test_updates_are_skipped_once_no_image_improves():
    painter = Painter()
    refine = jax.jit(search(painter, steps=10, learning_rate=0.5, patience=1))
    found = refine(VARIABLES, {}, observation([0.25, 0.15]), jax.random.key(0))
    jax.effects_barrier()
    assert len(painter.painted) == 2 + 3  # the first overshoots, the second sees it; the last value, before and after
    np.testing.assert_array_equal(found.objective[1:], np.broadcast_to(found.objective[1], (10, 2)))


def test_the_caller_may_choose_the_number_of_updates_and_is_told_of_each():
    refine = jax.jit(search(steps=12), static_argnames="steps")
    found = refine(VARIABLES, {}, observation([0.9]), jax.random.key(0), steps=3)
    assert found.objective.shape == (4, 1)
    none = refine(VARIABLES, {}, observation([0.9]), jax.random.key(0), steps=0)
    np.testing.assert_array_equal(none.prediction.image, none.prediction.intermediates["before"])
    done = []
    refine = search(steps=4)
    jax.jit(lambda *given: refine(*given, progress=done.append))(VARIABLES, {}, observation([0.9]), jax.random.key(0))
    jax.effects_barrier()
    assert sorted(int(index) for index in done) == [0, 1, 2, 3]


def test_a_batch_divides_among_devices():
    seen = observation(np.linspace(0.1, 0.9, 8))
    mesh = jax.sharding.Mesh(jax.devices(), ("data",))
    split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    refine = jax.jit(search(steps=6))
    together = refine(VARIABLES, {}, seen, jax.random.key(0))
    divided = refine(VARIABLES, {}, jax.device_put(seen, split), jax.random.key(0))
    assert divided.prediction.image.sharding.is_equivalent_to(split, 4)
    np.testing.assert_allclose(divided.objective, together.objective, rtol=1e-6)
    np.testing.assert_allclose(divided.prediction.image, together.prediction.image, rtol=1e-6)
