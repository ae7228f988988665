"""Photographs and holes to training batches, the same ones on any number of hosts, threads and worker processes.

Grain's order is what makes it so: source, seed, shuffle, repeat, random_map, [host::hosts], batch, [start:]. Every draw
is made before the hosts part, so global batch k is one set of examples, and the data position is the step.
"""

from __future__ import annotations

import atexit
import dataclasses
import multiprocessing
import os
import pickle
import signal
import threading
import weakref
from collections.abc import Generator, Mapping
from typing import Any

import cloudpickle
import cv2
import grain
import jax
import numpy as np
from absl import flags

from scan_jax.core.errors import UserError
from scan_jax.core.sections import AugmentationSettings
from scan_jax.core.types import Example
from scan_jax.data.api import Photo, PhotoSource
from scan_jax.data.augmentation import DEFAULT, crop, draw_box, flip
from scan_jax.masks.api import HoleSource

Batches = Generator[Example, None, None]
_OPEN: weakref.WeakSet[Batches] = weakref.WeakSet()  # the batches that somebody may yet read


def training_batches(
    source: PhotoSource,
    holes: HoleSource,
    *,
    batch_size: int,
    seed: int,
    start_step: int,
    size: int | None = None,
    augmentation: AugmentationSettings = DEFAULT,
    process_index: int = 0,
    process_count: int = 1,
    threads: int = 2,
    workers: int = 0,
) -> Batches:
    """Batches without end: batch k is pure in (seed, k), wherever they started and however many threads read.

    Args:
      source: photographs; fewer than a batch are repeated within it.
      holes: one is drawn for each example.
      batch_size: over all hosts.
      seed: of order, crops, flips and holes.
      start_step: the first batch's number.
      size: S, at most the source's own, which it is by default.
      augmentation: of each photograph; its hole does not depend on it.
      process_index: this host, of `process_count`. Over all, batch k holds the same examples as on one host.
      threads: that read ahead, in each process; 0 reads in the caller's.
      workers: processes that read and prepare instead of this one; 0 for none.

    Returns:
      NumPy Examples of b = batch_size / process_count: image float32 [b,S,S,3] in [0, 1], known float32 [b,S,S,1],
      labels int32 [b,S,S] or None. Closing or dropping the iterator stops its threads and processes.

    Raises:
      UserError: the batch does not divide among the hosts, the seed or the size is out of range, or a source has
        nothing to give; from the iterator, whatever a source raises, or that a worker died.
    """
    if len(source) == 0:
        raise UserError(f"{source.name} has no photographs to train with")
    if batch_size <= 0 or batch_size % process_count:
        raise UserError(f"the batch of {batch_size} must be a positive multiple of the {process_count} processes")
    if not 0 <= seed < 2**32:
        raise UserError(f"the seed must be from 0 to {2**32 - 1}, not {seed}")
    if min(threads, workers) < 0:
        raise UserError(f"config.training.threads and workers must not be negative, not {threads} and {workers}")
    size = _training_size(source, size)
    holes.draw(np.random.default_rng(seed), size)  # a source that refuses does so here, not in a thread
    dataset = (
        grain.MapDataset.source(source)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(DrawExample(holes, size, source.flip_pairs, augmentation))[process_index::process_count]
        .batch(batch_size // process_count, drop_remainder=True)[start_step:]
    )
    # Without threads Grain reads in the caller's, and wants no buffer.
    batches = _read(in_workers(dataset.to_iter_dataset(grain.ReadOptions(threads, 2 * threads)), workers))
    _OPEN.add(batches)
    return batches


def batch_members(source: PhotoSource, *, batch_size: int, seed: int, number: int) -> list[str]:
    """The titles of the photographs in batch `number` of `training_batches`, over all hosts; none is read."""
    order = grain.MapDataset.range(len(source)).seed(seed).shuffle().repeat()
    return [source.title(order[place]) for place in range(number * batch_size, (number + 1) * batch_size)]


def _training_size(source: PhotoSource, size: int | None) -> int:
    """`size`, or the source's own; none that would enlarge photographs."""
    stored = min(source[0]["image"].shape[:2])  # of the first, where they differ: the source looked at the rest
    if size is not None and not 0 < size <= stored:
        raise UserError(
            f"config.data.size is {size}, but {source.name} has photographs of {stored}x{stored}; choose a size from 1 "
            f"to {stored}, or prepare them larger"
        )
    return stored if size is None else size


@atexit.register
def _close() -> None:
    """For a program that ends without closing its batches: Grain's own end comes too late and is noisy."""
    for batches in list(_OPEN):
        batches.close()
    # Waits until Grain's thread has unlinked the batches that were shared: left at the end, they make a warning.
    releasing = getattr(grain.multiprocessing.SharedMemoryArray, "_del_thread_pool", None)
    if releasing is not None:
        releasing.apply(int)  # a task of no effect, after all others


def _read(dataset: grain.IterDataset) -> Batches:
    """The batches in the toolkit's types; leaving the generator stops the readers."""
    iterator = iter(dataset)
    try:
        for batch in iterator:
            yield to_example(batch)
    except RuntimeError as error:
        if "Worker process was terminated" not in str(error):
            raise
        code = str(error).partition("exit code ")[2].partition(".")[0]
        raise UserError(
            f"a worker process that prepares photographs died (exit code {code}); -9 is mostly memory that ran out, -7 "
            "a full /dev/shm: set fewer config.training.workers, or 0"
        ) from error
    finally:
        iterator.close()


@dataclasses.dataclass(frozen=True)
class DrawExample(grain.transforms.RandomMap):
    """One photograph to one example, still in bytes: cropped, perhaps flipped, and with its own hole."""

    holes: HoleSource
    size: int
    flip_pairs: tuple[tuple[int, int], ...]
    augmentation: AugmentationSettings

    def random_map(self, element: Photo, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Adds "hole" bool [S,S]; crops and flips image and labels together."""
        # In this order, so that whoever augments otherwise still trains on the same holes.
        flipped = rng.random() < self.augmentation.flip
        hole = self.holes.draw(rng, self.size)  # [S,S]
        photo = crop(element, draw_box(rng, element["image"].shape, self.augmentation, self.size), self.size)
        return (flip(photo, self.flip_pairs) if flipped else photo) | {"hole": hole}


def to_example(batch: Mapping[str, np.ndarray]) -> Example:
    """A batch of bytes, "image" [b,S,S,3], "hole" [b,S,S] and perhaps "labels" [b,S,S], in the toolkit's types."""
    given: dict[str, Any] = {name: np.asarray(array) for name, array in batch.items()}  # a worker's are Grain's kind
    return Example(  # of NumPy arrays, until the step takes them to its devices
        image=np.divide(given["image"], np.float32(255), dtype=np.float32),  # [b,S,S,3]
        known=(~given["hole"])[..., None].astype(np.float32),  # [b,S,S,1]
        labels=given["labels"].astype(np.int32) if "labels" in given else None,  # [b,S,S]
    )


def in_workers(dataset: grain.IterDataset, workers: int) -> grain.IterDataset:
    """`dataset` with its elements made by `workers` processes in turn, in the same order; 0 leaves it as it is."""
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
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
