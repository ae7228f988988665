"""Batches are read ahead, by threads and by worker processes: neither shows, fails in silence or outlives its run."""

import contextlib
import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from jax._src import xla_bridge
from noise_photographs import CROPPED, SIZE, Photos, assert_same, batches

from scan_jax.core.errors import UserError
from scan_jax.core.sections import AugmentationSettings
from scan_jax.data.pipeline import batch_members


def test_threads_do_not_show():
    expected = batches(12)
    for threads in (0, 1, 4):
        assert_same(batches(12, threads=threads), expected)


class Torn(Photos):
    def __init__(self, torn):
        super().__init__(20)
        self.torn = torn

    def __getitem__(self, index):
        if index == self.torn:
            raise UserError(f"photograph {index} is gone")
        return super().__getitem__(index)


@pytest.mark.parametrize(("workers", "threads"), [(0, 2), (1, 1)])
def test_batches_come_until_an_error_reaches_the_caller(workers, threads):
    members = [set(batch_members(Photos(20), batch_size=8, seed=5, number=number)) for number in range(3)]
    torn = sorted(members[2] - members[1] - members[0])[0]  # a photograph of the third batch alone
    settings = {"workers": workers, "threads": threads, "augmentation": CROPPED}
    with contextlib.closing(batches(source=Torn(int(torn.split()[1])), **settings)) as iterator:
        assert_same([next(iterator), next(iterator)], batches(2, augmentation=CROPPED))
        with pytest.raises(UserError, match=f"{torn} is gone"):
            next(iterator)


class Photographer(Photos):
    """Each image is of the process that made it: its number, and how many accelerators or CPUs JAX found in it."""

    def __getitem__(self, index):
        image = np.zeros((SIZE, SIZE, 3), np.uint8)
        image.reshape(-1)[:8] = np.frombuffer(os.getpid().to_bytes(8, "little"), np.uint8)
        image[1] = len(xla_bridge._backends)
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


@pytest.mark.slow
def test_workers_do_not_show_and_start_anywhere():
    for workers, threads, start in ((1, 0, 3), (2, 1, 10_000_002)):
        settings = {"start_step": start, "augmentation": CROPPED}
        with contextlib.closing(batches(**settings, workers=workers, threads=threads)) as iterator:
            assert_same(list(itertools.islice(iterator, 5)), batches(5, **settings))


@pytest.mark.slow
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


def test_what_cannot_be_sent_to_a_worker_is_said_at_once():
    source = Photos(20)
    source.lock = threading.Lock()
    with pytest.raises(UserError, match=r"cannot be read in worker processes .*set config\.training\.workers=0"):
        batches(source=source, workers=1)


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("grain-prefetch")]


def wait_until_no_readers():
    deadline = time.monotonic() + 60  # on a machine that does much else
    while readers() and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    return readers()


@pytest.mark.parametrize("close", [True, False])
def test_readers_end_with_the_iterator(close):
    assert wait_until_no_readers() == []
    iterator = batches()
    next(iterator)
    assert readers()
    if close:
        iterator.close()
    del iterator
    assert wait_until_no_readers() == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_process_that_leaves_batches_unread_ends(workers):
    script = f"""
import numpy as np
from scan_jax.data.pipeline import training_batches
from scan_jax.masks.shapes import Rectangles
class Photos:
    name, digest, flip_pairs = "p", "", ()
    def __len__(self): return 5
    def __getitem__(self, index): return {{"image": np.zeros((8, 8, 3), np.uint8)}}
holes = Rectangles((0.1, 0.2))
batches = training_batches(Photos(), holes, batch_size=4, seed=0, start_step=0, workers={workers})
print(next(batches).image.shape)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, "(4, 8, 8, 3)", "")
