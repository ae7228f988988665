"""Images a second that a config's photographs and holes become batches at: no training, no accelerator.

    python -m benchmarks.feeding --config=configs/faces64.py --config.data.path=FACES --config.data.size=256 \\
        --config.training.batch_size=8 [--batches=50]

Cold is the first epoch over that many batches of photographs, warm the next, whose photographs are in memory already
(in the worker process that read them: another one reads them again). The profile is of one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import logging
import pickle
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from scan_jax.commands import cli, inputs
from scan_jax.core import config as configuration
from scan_jax.core.config import Config
from scan_jax.data.api import DataSplits, PhotoSource
from scan_jax.data.augmentation import crop, draw_box, flip
from scan_jax.data.pipeline import to_example
from scan_jax.masks.api import HoleSplits
from scan_jax.methods.api import build_method

READERS = ((1, 0), (2, 0), (4, 0), (2, 1), (1, 2), (2, 2))  # (threads in each process, worker processes)


def main(argv: list[str]) -> int:
    """Prints a line for each number of threads and workers, then the profile."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeding", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--config", required=True)
    parser.add_argument("--batches", type=int, default=50, help="in an epoch")
    flags, overrides = parser.parse_known_args(argv)
    jax.config.update("jax_platforms", "cpu")
    return cli.run(lambda: _measure(configuration.load(flags.config, overrides), flags.batches))


def _measure(config: Config, batches: int) -> None:
    logging.getLogger("scan_jax").setLevel(logging.WARNING)
    sources = inputs.open_sources(config, build_method(config.method).num_labels)
    data, holes = sources.data, sources.holes
    photographs = batches * config.training.batch_size
    print(
        f"{min(photographs, len(data.train))} of {data.train.name}, {config.size} pixels; "
        f"{holes.train.description}; batches of {config.training.batch_size}"
    )
    for threads, workers in READERS:
        # A source that was pickled remembers no photographs.
        fresh = DataSplits(first(pickle.loads(pickle.dumps(data.train)), photographs), data.held_out)
        training = dataclasses.replace(config.training, threads=threads, workers=workers)
        with_readers = dataclasses.replace(config, training=training)
        cold, warm = _epochs(with_readers, fresh, holes, batches)
        print(f"threads {threads}, workers {workers}: cold {cold:6.0f}, warm {warm:6.0f} images/s")
    _profile(config, first(pickle.loads(pickle.dumps(data.train)), photographs), holes)


def first(source: PhotoSource, count: int) -> PhotoSource:
    """The first `count` photographs of `source`, which remembers them."""
    about = source.name, source.digest, range(min(count, len(source))), source.__getitem__, str
    return PhotoSource(*about, source.flip_pairs, source.num_labels, max_bytes=0)


def _epochs(config: Config, data: DataSplits, holes: HoleSplits, batches: int) -> tuple[float, float]:
    """Images a second in the first and the second epoch; the clock starts with the first batch."""
    batch_size, rates = config.training.batch_size, []
    with contextlib.closing(inputs.Sources(config, data, holes).batches_from(0)) as iterator:
        next(iterator)
        for count in (batches - 1, batches):
            start = time.perf_counter()
            for _ in itertools.islice(iterator, count):
                pass
            rates.append(count * batch_size / (time.perf_counter() - start))
    return rates[0], rates[1]


def _profile(config: Config, source: PhotoSource, holes: HoleSplits) -> None:
    """Prints what an image costs, part by part."""
    settings, size, batch_size = config.augmentation, config.size, config.training.batch_size
    rng, indices = np.random.default_rng(0), range(len(source))

    def augment(index: int) -> dict[str, np.ndarray]:
        photo = source[index]
        photo = crop(photo, draw_box(rng, photo["image"].shape, settings, size), size)
        return flip(photo, source.flip_pairs) if rng.random() < settings.flip else photo

    def batch(index: int) -> None:
        if index % batch_size == 0:
            group = examples[index : index + batch_size]
            to_example({name: np.stack([example[name] for example in group]) for name in group[0]})

    reading, _ = _timed(lambda index: source[index], indices)
    again, _ = _timed(lambda index: source[index], indices)
    augmenting, photos = _timed(augment, indices)
    drawing, drawn = _timed(lambda _: holes.train.draw(rng, size), indices)
    examples = [photo | {"hole": hole} for photo, hole in zip(photos, drawn)]
    batching, _ = _timed(batch, indices)
    print(
        f"ms an image: reading {reading:.2f} (again {again:.2f}), augmenting {augmenting - again:.2f}, "
        f"drawing the hole {drawing:.2f}, batching {batching:.2f}"
    )


def _timed(act: Callable[[int], Any], indices: range) -> tuple[float, list[Any]]:
    """Mean milliseconds, and the results."""
    start = time.perf_counter()
    results = [act(index) for index in indices]
    return 1000 * (time.perf_counter() - start) / len(indices), results


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
