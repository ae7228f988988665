"""What holds of any method: holes of any extent, odd sizes, known pixels, batch mates, and a run cut in any phase."""

import dataclasses
import functools
import operator
from functools import partial

import jax
import numpy as np
import pytest
from small_methods import SMALL, phase_begins, portrait_batches, registered, small_method, worst
from small_networks import observation, small_trained

from scan_jax.core.errors import UserError
from scan_jax.core.sections import OptimizerSettings, TrainingSettings
from scan_jax.core.types import Example, Observation
from scan_jax.inference.inpainter import Inpainter
from scan_jax.methods import api
from scan_jax.training.checkpoints import Checkpoints, Keep
from scan_jax.training.step import as_dict
from scan_jax.training.trainer import Trainer

NAMES = sorted(SMALL)
PHASED = [name for name in NAMES if phase_begins(small_method(name))]
DRAWING = ("scan", "masked_attention")  # of the others, predictions are the same whatever the key
STAGES = {"stage 1", "stage 2"}
INTERMEDIATES = {"scan": STAGES, "gated_conv": STAGES, "masked_attention": {"filled"}, "edge_connect": {"edges"}}
GAINS = {"gated_conv": 3.0}  # each gate halves a signal: with smaller kernels nothing of an image reaches the end
in_each = pytest.mark.parametrize("name", NAMES)


@functools.cache
def trained(name):
    """A network to whose predictions all that it sees matters."""
    network, gain = small_trained({"name": name, **SMALL[name]}), GAINS.get(name, 1.0)
    params = dict(network.variables.params)
    params["generator"] = jax.tree.map(lambda leaf: gain * leaf if leaf.ndim > 1 else leaf, params["generator"])
    return dataclasses.replace(network, variables=dataclasses.replace(network.variables, params=params))


@functools.cache
def predict(name):
    """(observation, key) -> prediction; compiled once for all tests."""
    return partial(jax.jit(trained(name).method.predict), trained(name).variables)


def two_examples(name):
    """Noise [2,S,S,.] with a large hole and many of a pixel."""
    method = trained(name).method
    side = max(64, method.stride)
    return Example(*observation((2, side, side), method.num_labels))


def test_every_method_is_tested():
    assert registered() == set(SMALL)


def test_what_is_observed_is_black_in_the_hole():
    example = two_examples("scan")
    seen, hole = example.observe(), example.known == 0
    assert hole.any()
    np.testing.assert_array_equal(seen.image, np.where(hole, 0, example.image))
    np.testing.assert_array_equal(seen.known, example.known)


@in_each
def test_holes_of_any_extent_leave_numbers(name):
    example = two_examples(name)
    for rows in ([], [0, 1], [1]):  # nothing is hole, everything, one of two images
        known = np.ones_like(example.known)
        known[rows] = 0
        prediction = predict(name)(dataclasses.replace(example, known=known).observe(), jax.random.key(0))
        assert set(prediction.intermediates) == INTERMEDIATES.get(name, set())
        for picture in jax.tree.leaves(prediction):
            assert picture.shape == example.image.shape and np.isfinite(picture).all()
        assert 0 <= float(prediction.image.min()) <= float(prediction.image.max()) <= 1


@in_each
def test_no_bit_of_a_prediction_is_of_the_hole(name):
    """It is of the known pixels, even where the caller left something in the hole."""
    example, key = two_examples(name), jax.random.key(4)
    hole = example.known[..., 0] < 0.5
    repainted = dataclasses.replace(example, image=np.where(hole[..., None], np.float32(0.7), example.image))
    inverse = dataclasses.replace(example, image=1 - example.image)
    found = predict(name)(example.observe(), key)
    left = Observation(repainted.image, repainted.known, repainted.labels)
    for seen in (repainted.observe(), left):
        again = predict(name)(seen, key if name in DRAWING else jax.random.key(5))
        jax.tree.map(np.testing.assert_array_equal, again, found)
    other = predict(name)(inverse.observe(), key)
    assert all(np.abs(a - b)[where].max() > 1e-3 for a, b, where in zip(other.image, found.image, hole)), "it is blind"


@in_each
def test_batch_mates_and_their_order_do_not_matter(name):
    example, key = two_examples(name), jax.random.key(4)
    found = predict(name)(example.observe(), key)
    image, known = example.image.copy(), example.known.copy()
    image[1], known[1] = 1 - image[1], 1
    other = dataclasses.replace(example, image=image, known=known).observe()
    for seen, rows in (
        (other, np.s_[:1]),
        (jax.tree.map(operator.itemgetter(np.s_[::-1]), example.observe()), np.s_[::-1]),
    ):
        again = jax.tree.map(operator.itemgetter(rows), predict(name)(seen, key))
        wanted = jax.tree.map(operator.itemgetter(np.s_[: len(again.image)]), found)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=0, atol=1e-5), again, wanted)


@in_each
def test_sizes_must_fit_the_stride(name):
    method, side = trained(name).method, trained(name).method.stride
    seen = Example(*observation((1, 2 * side, 5 * side // 2), method.num_labels)).observe()
    with pytest.raises(ValueError, match=f"multiples of {side}"):
        jax.eval_shape(method.predict, trained(name).variables, seen, jax.random.key(0))


@pytest.mark.slow
@in_each
def test_a_photograph_of_odd_sides(name):
    """Known pixels stay, nothing of the hole is read; batch mates of other sizes and their number do not matter."""
    method = trained(name).method
    inpainter = Inpainter(method, trained(name).variables, size=32)
    (image,), (known,), labels = observation((1, 37, 53), method.num_labels)  # [37,53,.]
    image, hole = (255 * image).astype(np.uint8), known[..., 0] < 0.5
    labels = None if labels is None else labels[0]
    filled = inpainter(image, hole, labels)
    assert filled.shape == image.shape
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    assert np.any(filled[hole] != image[hole])
    other = np.where(hole[..., None], 255 - image, image)
    np.testing.assert_array_equal(inpainter(other, hole, labels), filled)
    mate = np.flip(image, axis=1)[:20]
    maps = None if labels is None else [labels, labels[:20]]
    together, _ = inpainter.batch([image, mate], [hole, hole[:20]], maps, batch_size=2)
    assert np.abs(together.astype(int) - filled).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", PHASED)
def test_a_run_goes_on_in_the_middle_of_every_phase(name, tmp_path):
    """Bit for bit, as one that was never stopped."""
    method = small_method(name)
    begins = {phase: 2 * index for index, phase in enumerate(phase_begins(method))}
    steps = 2 * len(begins)
    optimizers = {update.name: OptimizerSettings(1e-3) for update in method.updates}
    settings = TrainingSettings(steps=steps, batch_size=2, optimizers=optimizers, phases=begins)
    trainer = Trainer(method, settings, 32, 0, jax.devices()[:1])
    batches = portrait_batches(method, steps, size=32, batch_size=2)

    def go_on(state, checkpoints):
        for done in range(int(state.step), steps):
            state, _ = trainer.step_after(done)(state, {}, jax.device_put(batches[done], jax.devices()[0]), trainer.key)
            if checkpoints is not None:
                checkpoints.save(done + 1, state)
        return jax.device_get(state)

    checkpoints = Checkpoints(tmp_path, Keep(steps))
    with checkpoints.finished():
        whole = go_on(trainer.begin(), checkpoints)
    checkpoints.close()
    for stop in range(1, steps, 2):
        state = trainer.state_at(tmp_path, stop)
        assert worst(as_dict(go_on(state, None)), as_dict(whole)) == 0, stop


BAD_SECTIONS = [
    ("scam", {}, "did you mean 'scan'"),
    *((name, {"blurb": 3}, r"unknown config key config\.method\.blurb") for name in NAMES),
    ("scan", {"widht": 3}, r"unknown config key config\.method\.widht, did you mean 'width'"),
    ("scan", {"width": "wide"}, r"config\.method\.width must be int, not 'wide'"),
    ("scan", {"loss": {"l2": 1.0}}, r"config\.method\.loss\.l2, did you mean 'l1'"),
    ("scan", {"statistics": "letter"}, r"config\.method\.statistics must be one of"),
    ("scan", {"attention": ("spatial", "chanel")}, r"attention\[1\] must be one of"),
    ("scan", {"stages": 3}, r"stages must be one of"),
    ("masked_attention", {"attention": "contextal"}, r"attention must be one of .*did you mean 'contextual'"),
    ("masked_attention", {"attention": "none"}, r"semantic_attention needs an attention; set it to 0"),
    ("gated_conv", {"width": 10}, r"config\.method\.width must be from 4 to 65536, a multiple of 4, not 10"),
    ("partial_conv", {"features": {"name": "alexnet"}}, r"no loss looks through 'alexnet'"),
    ("edge_connect", {"loss": {"edge_adversarial": 0.0}}, "edge_adversarial must not be 0"),
    ("edge_connect", {"sigma": 0.0}, r"config\.method\.sigma must be from 0\.1 to 100, not 0"),
    ("edge_connect", {"features": {"name": "vgg18"}}, "did you mean 'vgg1"),
    ("region_norm", {"treshold": 0.5}, r"unknown config key config\.method\.treshold, did you mean 'threshold'"),
    ("rfr", {"width": 4}, r"config\.method\.width must be from 8 to 65536, not 4"),
    ("rfr", {"feature_input": "raw"}, r"feature_input must be one of"),
]


@pytest.mark.parametrize(("name", "section", "message"), BAD_SECTIONS)
def test_a_bad_section_is_one_clear_line(name, section, message):
    with pytest.raises(UserError, match=message):
        api.build_method({"name": name, **section})


@pytest.mark.parametrize(("name", "weights"), [
    ("scan", "vgg19-dcbd9e11.pth"), ("masked_attention", "vgg19-dcbd9e11.pth"), ("partial_conv", "vgg16-397923af.pth"),
])  # fmt: skip
def test_feature_terms_need_their_published_weights(name, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("SCAN_JAX_WEIGHTS", str(tmp_path))
    network = weights.partition("-")[0]
    with pytest.raises(UserError, match=rf"{weights}.*python -m scan_jax weights import {network}"):
        api.build_method({"name": name}).load_frozen()
    assert small_method(name).load_frozen() == {}
