"""Worker processes that read and prepare photographs, for where Python's lock keeps threads from it.

Grain spawns them; what is seen to here is that they take no accelerator, leave signals to the trainer, never outlive
it, and that one which dies is one clear line.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator

import cloudpickle
import cv2
import grain
import jax
from absl import flags

from scan_jax.core.errors import UserError


def in_workers(dataset: grain.IterDataset, workers: int) -> grain.IterDataset:
    """`dataset` with its elements made by `workers` processes in turn, in the same order; 0 leaves it as it is.

    Raises:
      UserError: its photographs or holes cannot be handed to another process.
    """
    if workers == 0:
        return dataset
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()  # Grain reads its flags; a program without any has none to parse
    try:
        cloudpickle.dumps(dataset)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise UserError(
            f"these photographs and holes cannot be read in worker processes ({error}); set config.training.workers=0"
        ) from error
    return dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers), _begin)


@contextlib.contextmanager
def deaths_reported() -> Iterator[None]:
    """A context in which a worker that ended is a UserError.

    Raises:
      UserError: it died, as when memory runs out; it says how.
    """
    try:
        yield
    except RuntimeError as error:
        if "Worker process was terminated" not in str(error):
            raise
        code = str(error).partition("exit code ")[2].partition(".")[0]
        raise UserError(
            f"a worker process that prepares photographs died (exit code {code}); -9 is mostly memory that ran out, -7 "
            "a full /dev/shm: set fewer config.training.workers, or 0"
        ) from error


def release_memory() -> None:
    """Waits until Grain's thread has unlinked the batches that were shared: left at the end, they make a warning."""
    releasing = getattr(grain.multiprocessing.SharedMemoryArray, "_del_thread_pool", None)
    if releasing is not None:
        releasing.apply(int)  # a task of no effect, after all others


def _begin(index: int, count: int) -> None:
    """What a worker does first."""
    del index, count
    jax.config.update("jax_platforms", "cpu")  # an accelerator is the trainer's alone
    cv2.setNumThreads(1)  # the workers are the threads
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # both reach whole process groups; the trainer decides when to end
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A trainer that is killed closes nothing; its workers end all the same."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
