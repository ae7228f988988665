"""Batches: pure in (seed, step), the same on any number of hosts."""

import hashlib
import itertools
import time

import numpy as np
import pytest
from noise_photographs import CROPPED, SIZE, Photos, assert_same, batches, which_photo

from scan_jax.core.errors import UserError
from scan_jax.core.sections import AugmentationSettings
from scan_jax.data import portraits as drawing
from scan_jax.data.augmentation import DEFAULT
from scan_jax.data.pipeline import batch_members, training_batches
from scan_jax.data.synthetic_portraits import portraits
from scan_jax.masks.ratio import Bucket


def rows(example):
    """Each example of a batch as bytes, so that batches compare as sets."""
    return sorted(
        image.tobytes() + known.tobytes() + labels.tobytes()
        for image, known, labels in zip(example.image, example.known, example.labels)
    )


def test_shapes_types_and_ranges():
    (example,) = batches(1)
    assert (example.image.shape, example.image.dtype) == ((8, SIZE, SIZE, 3), np.float32)
    assert (example.known.shape, example.known.dtype) == ((8, SIZE, SIZE, 1), np.float32)
    assert (example.labels.shape, example.labels.dtype) == ((8, SIZE, SIZE), np.int32)
    assert all(type(array) is np.ndarray for array in (example.image, example.known, example.labels))
    assert (example.image.min(), example.image.max()) == (0.0, 1.0)
    assert set(np.unique(example.known)) == {0.0, 1.0}
    assert all(0.1 < 1 - known.mean() <= 0.6 for known in example.known)
    assert len({known.tobytes() for known in example.known}) == 8
    assert batches(1, Photos(20, with_labels=False))[0].labels is None


def test_each_epoch_shows_each_photograph_once_in_another_order_and_few_are_repeated_with_other_holes():
    seen = batches(7, batch_size=6)
    shown = [which_photo(image)[0] for example in seen for image in example.image]
    assert sorted(shown[:20]) == sorted(shown[20:40]) == list(range(20))
    assert shown[:20] != shown[20:40]
    assert shown[:20] != list(range(20))
    for number in (0, 3, 6):  # 20 photographs: the last is of the second epoch, batch 3 of both
        titles = batch_members(Photos(20), batch_size=6, seed=5, number=number)
        assert titles == [f"photograph {which_photo(image)[0]}" for image in seen[number].image]
    (example,) = batches(1, Photos(3))
    shown = [which_photo(image)[0] for image in example.image]
    assert sorted(shown) in ([0, 0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 1, 1, 1, 2, 2, 2])
    assert len({known.tobytes() for known in example.known}) == 8


@pytest.mark.parametrize(("share", "fewest", "most"), [(0.5, 21, 59), (0.0, 0, 0), (1.0, 80, 80)])
def test_some_are_flipped_with_their_labels(share, fewest, most):
    flips = 0
    for example in batches(10, augmentation=AugmentationSettings(flip=share)):
        for image, labels in zip(example.image, example.labels):
            flips += which_photo(image)[1]
            np.testing.assert_array_equal(labels, Photos(20)[0]["labels"])  # mirrored and renamed: left stays left
    assert fewest <= flips <= most


class Noise:
    """Holes that depend on nothing but the generator that they are drawn with."""

    description, limits = "noise", Bucket(0.0, 1.0)

    def draw(self, rng, size):
        return rng.random((size, size)) < 0.3


def test_the_default_is_what_published_results_were_trained_on():
    """Order, flips and holes as they were before crops and workers came; whoever changes them changes every result."""
    hasher = hashlib.sha256()
    for example in itertools.islice(training_batches(Photos(20), Noise(), batch_size=8, seed=5, start_step=3), 4):
        for array in (example.image, example.known, example.labels):
            hasher.update(array.tobytes())
    assert hasher.hexdigest() == "759472f3310e21c3806de29c8baa5488f62eed0fa57b5fca682a1b8fc36ceb79"
    for whole, cropped in zip(batches(3), batches(3, augmentation=CROPPED), strict=True):
        np.testing.assert_array_equal(whole.known, cropped.known)
        assert (whole.image != cropped.image).any()


def test_a_larger_source_is_reduced_to_the_size():
    (example,) = batches(1, size=SIZE // 2, augmentation=AugmentationSettings(flip=0.0))
    (whole,) = batches(1, augmentation=AugmentationSettings(flip=0.0))
    assert example.known.shape == (8, 8, 8, 1)
    assert example.labels.shape == (8, 8, 8)
    means = whole.image.reshape(8, 8, 2, 8, 2, 3).mean((2, 4))
    assert np.abs(example.image - means).max() <= 0.5 / 255 + 1e-6


def test_resuming_is_never_having_stopped_however_late():
    whole = batches(8)
    for step in (1, 5):
        assert_same(whole[step:], batches(8 - step, start_step=step))
    assert rows(whole[0]) != rows(*batches(1, seed=2))
    began = time.perf_counter()
    batches(1, start_step=10_000_000)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("hosts", "augmentation", "start"), [(2, DEFAULT, 0), (4, DEFAULT, 3), (2, CROPPED, 3), (4, CROPPED, 0)]
)
def test_hosts_share_the_same_global_batches(hosts, augmentation, start):
    """However many there were before the run went on."""
    alone = batches(5, augmentation=augmentation)[start:]
    settings = {"start_step": start, "process_count": hosts, "augmentation": augmentation}
    shares = [batches(5 - start, process_index=host, **settings) for host in range(hosts)]
    for step, example in enumerate(alone):
        parts = [share[step] for share in shares]
        assert all(part.image.shape[0] == 8 // hosts for part in parts)
        assert sorted(row for part in parts for row in rows(part)) == rows(example)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": Photos(0)}, "no photographs"),
        ({"batch_size": 6, "process_count": 4}, "multiple of the 4 processes"),
        ({"batch_size": 0}, "positive multiple"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"threads": -1}, "threads and workers must not be negative, not -1 and 0"),
        ({"workers": -2}, "must not be negative"),
        ({"size": 17}, r"size is 17, but test photographs has photographs of 16x16; choose a size from 1 to"),
        ({"size": 0}, r"config\.data\.size is 0"),
    ],
)
def test_what_cannot_work_is_refused_at_once(settings, message):
    with pytest.raises(UserError, match=message):
        batches(**settings)


def test_a_hole_source_that_refuses_does_so_at_once():
    class Refuses:
        description, limits = "nothing", Bucket(0.1, 0.2)

        def draw(self, rng, size):
            raise UserError("no hole in the range")

        def fixed(self, size, bucket, count, seed):
            raise AssertionError

    with pytest.raises(UserError, match="no hole in the range"):
        training_batches(Photos(20), Refuses(), batch_size=4, seed=0, start_step=0)


def test_synthetic_portraits_are_drawn_once_and_fed(monkeypatch):
    drawn = []

    def portrait(seed, index, size):
        drawn.append((seed, index, size))
        return np.full((size, size, 3), index, np.uint8), np.full((size, size), index % 19, np.uint8)

    monkeypatch.setattr(drawing, "portrait", portrait)
    source = portraits(3, range(10, 16), SIZE)
    shown = {round(255 * image[0, 0, 0]) for example in batches(6, source, threads=0) for image in example.image}
    assert shown == set(range(10, 16))
    assert sorted(drawn) == [(3, index, SIZE) for index in range(10, 16)]
