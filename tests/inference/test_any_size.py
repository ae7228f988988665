"""A real network at random sizes: the size, the known pixels, nothing of the hole, nothing of the batch."""

import functools

import numpy as np
import pytest
from jax import monitoring
from small_networks import MASKED_ATTENTION, PLAIN, small_trained

from scan_jax.core.errors import UserError
from scan_jax.inference.inpainter import Inpainter

SIZE = 32
COMPILED = "/jax/core/compile/backend_compile_duration"


@functools.cache
def inpainter(*attention):
    """Random weights, far enough from their start that all of them count."""
    trained = small_trained({**PLAIN, "attention": attention}, size=SIZE)
    return Inpainter(trained.method, trained.variables, size=SIZE)


def photograph(seed, height, width, num_labels=0):
    """Smooth colours with noise, a few rectangles as hole, and labels where they are wanted."""
    rng = np.random.default_rng(seed)
    rows, columns = np.arange(height)[:, None, None] / height, np.arange(width)[None, :, None] / width
    smooth = 127 + 90 * np.sin(6 * rows + rng.random(3)) * np.cos(5 * columns + rng.random(3))
    image = np.clip(smooth + rng.normal(0, 15, (height, width, 3)), 0, 255).astype(np.uint8)
    hole = np.zeros((height, width), bool)
    for _ in range(rng.integers(1, 5)):
        top, left = rng.integers(height), rng.integers(width)
        hole[top : top + 1 + rng.integers(height // 3), left : left + 1 + rng.integers(width // 3)] = True
    labels = (rng.random((height, width)) * num_labels).astype(np.int32) if num_labels else None
    return image, hole, labels


def sizes(seed, count):
    """From 17 to 900 pixels a side, as many short sides as long ones."""
    return np.exp(np.random.default_rng(seed).uniform(np.log(17), np.log(900), (count, 2))).round().astype(int).tolist()


def assert_fills(fill, image, hole, *more, **options):
    """It keeps the size and what is known, does not read the hole, and puts something else there."""
    filled = fill(image, hole, *more, **options)
    assert filled.shape == image.shape and filled.dtype == np.uint8
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    other = np.where(hole[..., None], 255 - image, image)
    np.testing.assert_array_equal(fill(other, hole, *more, **options), filled)
    assert np.any(filled[hole] != image[hole])


@pytest.mark.parametrize("strategy", ["auto", "whole", "windows"])
@pytest.mark.parametrize(("height", "width"), sizes(0, 4))
def test_scan_at_random_sizes(height, width, strategy):
    assert_fills(inpainter(), *photograph(height * width, height, width)[:2], strategy=strategy)


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), sizes(3, 2))
def test_masked_attention_at_random_sizes(height, width):
    trained = small_trained({**MASKED_ATTENTION, "num_labels": 19}, size=SIZE)
    fill = Inpainter(trained.method, trained.variables, size=SIZE)
    assert_fills(fill, *photograph(7, height, width, num_labels=19))


@pytest.mark.parametrize("strategy", ["whole", "windows"])
def test_nothing_depends_on_the_batch(strategy):
    """One photograph, alone in a batch and among others of its size and of other sizes."""
    image, hole, _ = photograph(0, 70, 61)
    mates = [photograph(seed, *size)[:2] for seed, size in enumerate([(70, 61), (68, 64), (120, 40), (70, 61)])]
    fill = functools.partial(inpainter().batch, batch_size=4, strategy=strategy)
    (alone,) = fill([image], [hole])
    for place in range(4):
        some = [*mates[:place], (image, hole), *mates[place:]]
        filled = list(fill(*zip(*some)))
        assert len(filled) == 5
        np.testing.assert_array_equal(filled[place], alone)
    single = inpainter()(image, hole, strategy=strategy)
    assert np.abs(single.astype(int) - alone).max() <= 1  # a batch of another size rounds in another way
    np.testing.assert_array_equal(single[~hole], alone[~hole])


def test_numbers_that_differ_are_refused():
    image, hole, _ = photograph(0, 40, 40)
    with pytest.raises(UserError, match="2 photographs, 1 holes: give one of each"):
        next(inpainter().batch([image, image], [hole]))
    with pytest.raises(UserError, match="batch_size is a whole number from 1 on"):
        next(inpainter().batch([image], [hole], batch_size=0))
    with pytest.raises(UserError, match="no strategy 'tiles'; there are: auto, whole, windows"):
        inpainter()(image, hole, strategy="tiles")


def test_a_second_photograph_of_the_same_bucket_compiles_nothing():
    compiled = []

    def listen(event, seconds, **_):
        compiled.append(event)

    fill = functools.partial(inpainter(), strategy="whole", blend="none")
    fill(*photograph(1, 90, 97)[:2])
    monitoring.register_event_duration_secs_listener(listen)
    try:
        fill(*photograph(2, 88, 95)[:2])
        fill(*photograph(3, 400, 420)[:2])
        assert COMPILED not in compiled
        fill(*photograph(4, 32, 320)[:2])  # no other test's shape
        assert COMPILED in compiled  # the listener hears it
    finally:
        monitoring.unregister_event_duration_listener(listen)
