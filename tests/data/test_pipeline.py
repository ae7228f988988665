"""Batches: pure in (seed, step), the same on any number of hosts."""

import gc
import itertools
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from scan_jax.data.api import open_data
from scan_jax.data.pipeline import flip, training_batches
from scan_jax.data.synthetic_portraits import SyntheticPortraits
from scan_jax.errors import UserError
from scan_jax.masks.free_form import FreeForm
from scan_jax.masks.ratio import Bucket

SIZE = 16
HOLES = FreeForm(Bucket(0.1, 0.6))


class Photos:
    """Each photograph is noise of its own; labels tell left from right."""

    name = "test photographs"
    digest = ""
    flip_pairs = ((4, 5),)

    def __init__(self, count, with_labels=True):
        self.count, self.with_labels = count, with_labels

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        labels = np.full((SIZE, SIZE), 4, np.uint8)
        labels[:, SIZE // 2 :] = 5
        labels[0] = 1
        photo = {"image": rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8), "labels": labels}
        return photo if self.with_labels else {"image": photo["image"]}


def batches(count=None, source=None, **settings):
    settings = {"batch_size": 8, "seed": 5, "start_step": 0} | settings
    iterator = training_batches(Photos(20) if source is None else source, HOLES, **settings)
    return list(itertools.islice(iterator, count)) if count else iterator


def assert_same(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.known, b.known)
        np.testing.assert_array_equal(a.labels, b.labels)


def rows(example):
    """Each example of a batch as bytes, so that batches compare as sets."""
    return sorted(
        image.tobytes() + known.tobytes() + labels.tobytes()
        for image, known, labels in zip(example.image, example.known, example.labels)
    )


def which_photo(image):
    """The index of the photograph that `image` [S,S,3] shows, and whether it is flipped."""
    for index in range(20):
        original = Photos(20)[index]["image"].astype(np.float32) / np.float32(255)
        if (image == original).all():
            return index, False
        if (image == original[:, ::-1]).all():
            return index, True
    raise AssertionError("no photograph looks so")


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


def test_photographs_without_labels():
    (example,) = batches(1, Photos(20, with_labels=False))
    assert example.labels is None


def test_each_epoch_shows_each_photograph_once_in_another_order():
    shown = [which_photo(image)[0] for example in batches(10, batch_size=4) for image in example.image]
    assert sorted(shown[:20]) == sorted(shown[20:]) == list(range(20))
    assert shown[:20] != shown[20:]
    assert shown[:20] != list(range(20))


def test_half_are_flipped_with_their_labels():
    flips = []
    for example in batches(10):
        for image, labels in zip(example.image, example.labels):
            flips.append(which_photo(image)[1])
            np.testing.assert_array_equal(labels, Photos(20)[0]["labels"])  # mirrored and renamed: left stays left
    assert 20 < sum(flips) < 60


def test_flip_mirrors_and_swaps_left_and_right():
    photo = {"image": np.arange(12, dtype=np.uint8).reshape(1, 4, 3), "labels": np.array([[4, 5, 6, 1]], np.uint8)}
    flipped = flip(photo, ((4, 5), (6, 7)))
    np.testing.assert_array_equal(flipped["image"], photo["image"][:, ::-1])
    np.testing.assert_array_equal(flipped["labels"], [[1, 7, 4, 5]])
    np.testing.assert_array_equal(flip(photo, ())["labels"], [[1, 6, 5, 4]])


@pytest.mark.parametrize("step", [1, 5])
def test_resuming_is_never_having_stopped(step):
    assert_same(batches(8)[step:], batches(8 - step, start_step=step))


def test_a_late_start_is_as_quick_as_an_early_one():
    began = time.perf_counter()
    batches(1, start_step=10_000_000)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_threads_do_not_show(threads):
    assert_same(batches(12, threads=threads), batches(12))


def test_seeds_differ():
    (one,), (other,) = batches(1, seed=1), batches(1, seed=2)
    assert rows(one) != rows(other)


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_share_the_same_global_batches(hosts):
    alone = batches(6)
    shares = [batches(6, process_index=host, process_count=hosts) for host in range(hosts)]
    for step, example in enumerate(alone):
        parts = [share[step] for share in shares]
        assert all(part.image.shape[0] == 8 // hosts for part in parts)
        assert sorted(row for part in parts for row in rows(part)) == rows(example)


def test_a_run_moves_to_another_number_of_hosts():
    alone = batches(6)
    resumed = [batches(3, start_step=3, process_index=host, process_count=2) for host in range(2)]
    for step in range(3):
        assert sorted(rows(resumed[0][step]) + rows(resumed[1][step])) == rows(alone[3 + step])


def test_fewer_photographs_than_a_batch_are_repeated_with_other_holes():
    (example,) = batches(1, Photos(3))
    shown = [which_photo(image)[0] for image in example.image]
    assert sorted(shown) in ([0, 0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 1, 1, 1, 2, 2, 2])
    assert len({known.tobytes() for known in example.known}) == 8


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": Photos(0)}, "no photographs"),
        ({"batch_size": 6, "process_count": 4}, "multiple of the 4 processes"),
        ({"batch_size": 0}, "positive multiple"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
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


def test_an_error_in_a_reader_reaches_the_caller():
    class Breaks(Photos):
        def __getitem__(self, index):
            if index == 7:
                raise UserError("photograph 7 is gone")
            return super().__getitem__(index)

    with pytest.raises(UserError, match="photograph 7 is gone"):
        batches(10, Breaks(20))


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("grain-prefetch")]


def wait_until_no_readers():
    deadline = time.monotonic() + 10
    while readers() and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    return readers()


@pytest.mark.parametrize("leave", ["close", "drop"])
def test_readers_end_with_the_iterator(leave):
    assert wait_until_no_readers() == []
    iterator = batches()
    next(iterator)
    assert readers()
    if leave == "close":
        iterator.close()
    del iterator
    assert wait_until_no_readers() == []


def test_a_process_that_leaves_batches_unread_ends():
    script = """
import itertools, numpy as np
from scan_jax.data.api import open_data
from scan_jax.data.pipeline import training_batches
from scan_jax.masks.rectangles import Rectangles
from scan_jax.masks.ratio import Bucket
class Photos:
    name, digest, flip_pairs = "p", "", ()
    def __len__(self): return 5
    def __getitem__(self, index): return {"image": np.zeros((8, 8, 3), np.uint8)}
batches = training_batches(Photos(), Rectangles(Bucket(0.1, 0.2)), batch_size=4, seed=0, start_step=0)
print(next(batches).image.shape)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "(4, 8, 8, 3)"


def draw_stand_in(seed, index, size):
    image = np.full((size, size, 3), index, np.uint8)
    return image, np.full((size, size), index % 19, np.uint8)


def test_synthetic_portraits_are_drawn_once_and_fed():
    drawn = []

    def portrait(seed, index, size):
        drawn.append((seed, index, size))
        return draw_stand_in(seed, index, size)

    source = SyntheticPortraits(portrait, 3, range(10, 16), SIZE)
    shown = {round(255 * image[0, 0, 0]) for example in batches(6, source, threads=0) for image in example.image}
    assert shown == set(range(10, 16))
    assert sorted(drawn) == [(3, index, SIZE) for index in range(10, 16)]


def test_synthetic_digests_tell_portraits_apart():
    sources = [
        SyntheticPortraits(draw_stand_in, seed, indices, size)
        for seed, indices, size in ((0, range(9), 8), (1, range(9), 8), (0, range(8), 8), (0, range(9), 9))
    ]
    assert len({source.digest for source in sources}) == 4


def test_held_out_portraits_are_never_trained_on():
    splits = open_data({"name": "synthetic_portraits", "size": SIZE, "count": 12, "held_out": 5})
    more = open_data({"name": "synthetic_portraits", "size": SIZE, "count": 30, "held_out": 5})
    assert (len(splits.train), len(splits.held_out)) == (12, 5)
    held_out = {splits.held_out[i]["image"].tobytes() for i in range(5)}
    assert held_out == {more.held_out[i]["image"].tobytes() for i in range(5)}
    assert len(held_out) == 5
    assert not held_out & {more.train[i]["image"].tobytes() for i in range(30)}
    assert splits.train[0]["labels"].shape == (SIZE, SIZE)
    for section in ({"count": 0}, {"held_out": 0}, {"seed": -1}):
        with pytest.raises(UserError, match="must be positive"):
            open_data({"name": "synthetic_portraits", "size": SIZE} | section)
