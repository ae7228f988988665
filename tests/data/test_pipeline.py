"""Batches: pure in (seed, step), the same on any number of hosts."""

import contextlib
import gc
import hashlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import cloudpickle
import numpy as np
import pytest
from jax._src import xla_bridge

from scan_jax.data.augmentation import DEFAULT, AugmentationSettings
from scan_jax.data.memory import PhotoMemory
from scan_jax.data.pipeline import batch_members, training_batches
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

    def title(self, index):
        return f"photograph {index}"

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


def test_a_batch_says_which_photographs_it_has():
    seen = batches(7, batch_size=6)
    for number in (0, 3, 6):  # 20 photographs: the last is of the second epoch, batch 3 of both
        titles = batch_members(Photos(20), batch_size=6, seed=5, number=number)
        assert titles == [f"photograph {which_photo(image)[0]}" for image in seen[number].image]


def test_half_are_flipped_with_their_labels():
    flips = []
    for example in batches(10):
        for image, labels in zip(example.image, example.labels):
            flips.append(which_photo(image)[1])
            np.testing.assert_array_equal(labels, Photos(20)[0]["labels"])  # mirrored and renamed: left stays left
    assert 20 < sum(flips) < 60


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


CROPPED = AugmentationSettings(crop="random_resized", flip=0.25)


def test_holes_do_not_depend_on_the_augmentation():
    for whole, cropped in zip(batches(3), batches(3, augmentation=CROPPED), strict=True):
        np.testing.assert_array_equal(whole.known, cropped.known)
        assert (whole.image != cropped.image).any()


@pytest.mark.parametrize(("share", "expected"), [(0.0, set()), (1.0, {True})])
def test_none_or_all_are_flipped(share, expected):
    shown = [
        which_photo(image)[1]
        for example in batches(3, augmentation=AugmentationSettings(flip=share))
        for image in example.image
    ]
    assert set(shown) == (expected or {False})


def test_a_larger_source_is_reduced_to_the_size():
    (example,) = batches(1, size=SIZE // 2, augmentation=AugmentationSettings(flip=0.0))
    (whole,) = batches(1, augmentation=AugmentationSettings(flip=0.0))
    assert example.known.shape == (8, 8, 8, 1)
    assert example.labels.shape == (8, 8, 8)
    means = whole.image.reshape(8, 8, 2, 8, 2, 3).mean((2, 4))
    assert np.abs(example.image - means).max() <= 0.5 / 255 + 1e-6


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


@pytest.mark.parametrize("augmentation", [DEFAULT, CROPPED], ids=["default", "cropped"])
@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_share_the_same_global_batches(hosts, augmentation):
    alone = batches(6, augmentation=augmentation)
    shares = [batches(6, process_index=host, process_count=hosts, augmentation=augmentation) for host in range(hosts)]
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
        ({"threads": -1}, "threads and workers must not be negative, not -1 and 0"),
        ({"workers": -2}, "must not be negative"),
        (
            {"size": 17},
            r"config.data.size is 17, but test photographs has photographs of 16x16; choose a size from 1 to",
        ),
        ({"size": 0}, "size is 0"),
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


class Photographer(Photos):
    """Each image is of the process that made it: its number, and how many accelerators or CPUs JAX found in it."""

    def __getitem__(self, index):
        image = np.zeros((SIZE, SIZE, 3), np.uint8)
        image.reshape(-1)[:8] = np.frombuffer(os.getpid().to_bytes(8, "little"), np.uint8)
        image[1] = len(xla_bridge._backends)
        if self.count == 21 and index == 7:
            raise UserError("photograph 7 is gone")
        return {"image": image}


def process_of(example):
    """The process that made the batch, and the number of JAX's backends there."""
    (made,) = {image.tobytes() for image in np.round(255 * example.image).astype(np.uint8)}
    image = np.frombuffer(made, np.uint8).reshape(SIZE, SIZE, 3)
    return int.from_bytes(image.reshape(-1)[:8].tobytes(), "little"), int(image[1, 0, 0])


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_do_not_show_and_start_anywhere():
    for workers, threads, start in ((1, 0, 0), (2, 1, 3), (2, 1, 10_000_002)):
        settings = {"start_step": start, "augmentation": CROPPED}
        iterator = batches(**settings, workers=workers, threads=threads)
        with contextlib.closing(iterator):
            assert_same(list(itertools.islice(iterator, 5)), batches(5, **settings))


def test_workers_take_turns_leave_signals_and_devices_alone_and_one_that_dies_is_said():
    unflipped = AugmentationSettings(flip=0.0)
    with contextlib.closing(batches(source=Photographer(20), workers=2, threads=0, augmentation=unflipped)) as iterator:
        (one, backends), (other, _), (again, _) = (process_of(next(iterator)) for _ in range(3))
        assert one != other
        assert again == one
        assert os.getpid() not in (one, other)
        assert backends == 0, "a worker that touches JAX takes memory of the trainer's accelerator"
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(one, number)  # as a whole process group gets them
        for _ in range(6):
            next(iterator)
        os.kill(other, signal.SIGKILL)
        with pytest.raises(UserError, match=r"a worker process .* died \(exit code -9\)"):
            list(itertools.islice(iterator, 10))
    assert not alive(one)
    assert not alive(other)


def test_an_error_in_a_worker_reaches_the_caller():
    iterator = batches(source=Photographer(21), workers=1, threads=1)
    with contextlib.closing(iterator), pytest.raises(UserError, match="photograph 7 is gone"):
        list(itertools.islice(iterator, 10))


def test_what_cannot_be_sent_to_a_worker_is_said_at_once():
    source = Photos(20)
    source.lock = threading.Lock()
    with pytest.raises(UserError, match=r"cannot be read in worker processes .*set config\.training\.workers=0"):
        batches(source=source, workers=1)


def test_a_memory_is_sent_empty():
    made = []

    def make(index):
        made.append(index)
        return {"image": np.zeros((4, 4, 3), np.uint8)}

    memory = PhotoMemory(make, most_bytes=100)
    for index in (0, 0, 1, 2, 1):
        memory[index]
    assert made == [0, 1, 2], "two of 48 bytes each are kept"
    sent = cloudpickle.loads(cloudpickle.dumps(memory))
    assert (sent._photos, sent._room) == ({}, 100)


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


@pytest.mark.parametrize("workers", [0, 2])
def test_a_process_that_leaves_batches_unread_ends(workers):
    script = f"""
import itertools, numpy as np
from scan_jax.data.api import open_data
from scan_jax.data.pipeline import training_batches
from scan_jax.masks.rectangles import Rectangles
from scan_jax.masks.ratio import Bucket
class Photos:
    name, digest, flip_pairs = "p", "", ()
    def __len__(self): return 5
    def __getitem__(self, index): return {{"image": np.zeros((8, 8, 3), np.uint8)}}
holes = Rectangles(Bucket(0.1, 0.2))
batches = training_batches(Photos(), holes, batch_size=4, seed=0, start_step=0, workers={workers})
print(next(batches).image.shape)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "(4, 8, 8, 3)"
    assert ended.stderr == ""


def test_synthetic_portraits_are_drawn_once_and_fed():
    drawn = []

    def portrait(seed, index, size):
        drawn.append((seed, index, size))
        return np.full((size, size, 3), index, np.uint8), np.full((size, size), index % 19, np.uint8)

    source = SyntheticPortraits(portrait, 3, range(10, 16), SIZE)
    shown = {round(255 * image[0, 0, 0]) for example in batches(6, source, threads=0) for image in example.image}
    assert shown == set(range(10, 16))
    assert sorted(drawn) == [(3, index, SIZE) for index in range(10, 16)]
