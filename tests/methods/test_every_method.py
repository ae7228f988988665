"""What holds of any method: holes of any extent, odd sizes, known pixels, batch mates, and a run cut in any phase."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_methods import SMALL, phase_begins, portrait_batches, small_method, worst
from small_networks import observation, small_trained

from scan_jax.inference.inpainter import Inpainter
from scan_jax.training.checkpoints import Checkpoints, abstract
from scan_jax.training.keeping import Keep
from scan_jax.training.optimizers import OptimizerSettings
from scan_jax.training.settings import TrainingSettings
from scan_jax.training.setup import make_trainer
from scan_jax.training.state import as_dict
from scan_jax.types import Observation

NAMES = sorted(SMALL)
PHASED = [name for name in NAMES if phase_begins(small_method(name))]


@functools.cache
def trained(name):
    return small_trained({"name": name, **SMALL[name]})


@pytest.mark.parametrize("name", NAMES)
def test_a_photograph_of_odd_sides(name):
    """Known pixels stay, nothing of the hole is read, and batch mates of other sizes do not matter."""
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


@pytest.mark.parametrize("extent", ["nothing", "everything", "one of two"])
@pytest.mark.parametrize("name", NAMES)
def test_holes_of_any_extent_leave_numbers(name, extent):
    method, variables = trained(name).method, trained(name).variables
    side = max(64, method.stride)
    image, _, labels = observation((2, side, side), method.num_labels)
    known = np.ones((2, side, side, 1), np.float32)
    known[{"nothing": [], "everything": [0, 1], "one of two": [1]}[extent]] = 0
    seen = Observation(jnp.asarray(image * known), jnp.asarray(known), labels)
    prediction = jax.jit(method.predict)(variables, seen, jax.random.key(0))
    assert prediction.image.shape == image.shape and np.isfinite(prediction.image).all()


@pytest.mark.parametrize("name", PHASED)
def test_a_run_goes_on_in_the_middle_of_every_phase(name, tmp_path):
    """Bit for bit, as one that was never stopped."""
    method = small_method(name)
    begins = {phase: 2 * index for index, phase in enumerate(phase_begins(method))}
    steps = 2 * len(begins)
    optimizers = {turn.name: OptimizerSettings(1e-3) for turn in method.turns}
    settings = TrainingSettings(steps=steps, batch_size=2, optimizers=optimizers, phases=begins)
    trainer = make_trainer(method, settings, 32, 0, jax.devices()[:1])
    batches = portrait_batches(method, steps, size=32, batch_size=2)

    def go_on(state, checkpoints):
        for done in range(int(state.step), steps):
            state, _ = trainer.step_after(done)(state, {}, jax.device_put(batches[done], jax.devices()[0]), trainer.key)
            if checkpoints is not None:
                checkpoints.save(done + 1, state)
        return jax.device_get(state)

    checkpoints = Checkpoints(tmp_path, Keep(steps))
    with checkpoints.finished():
        whole = go_on(trainer.fresh(), checkpoints)
    checkpoints.close()
    like = abstract(trainer.shapes, trainer.shardings)
    for stop in range(1, steps, 2):
        reader = Checkpoints(tmp_path, Keep(steps))
        state = trainer.own(reader.restore(like, stop))
        reader.close()
        assert worst(as_dict(go_on(state, None)), as_dict(whole)) == 0, stop
