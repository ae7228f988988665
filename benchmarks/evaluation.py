"""What measuring costs: metrics against the network whose images they measure, and a whole test without a network.

    python -m benchmarks.evaluation --config=configs/celeba.py [--size=256] [--count=2000] [--repeats=5]

The network has random weights, which take as long as others. The test's photographs are noise, filled at no cost.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core import config as configuration
from scan_jax.core.config import Config
from scan_jax.core.types import Example
from scan_jax.data.api import PhotoSource
from scan_jax.evaluation.benchmark import Batch, Benchmark
from scan_jax.evaluation.results import COMPLETION, PREDICTION
from scan_jax.evaluation.scoring import MetricSuite, score
from scan_jax.methods.api import build_method
from scan_jax.metrics import api


class Noise(PhotoSource):
    """Photographs as fast as they can be had: shifted pieces of one field of noise."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__("noise", "noise", range(count), self._draw, str, max_bytes=0)
        self._size = size
        self._field = np.random.default_rng(0).integers(0, 256, (2 * size, 2 * size, 3), np.uint8)

    def _draw(self, index: int) -> dict[str, np.ndarray]:
        top, left = index % self._size, index * 7 % self._size
        return {"image": self._field[top : top + self._size, left : left + self._size]}


def seconds_of(run: Callable[[], object], repeats: int) -> float:
    """The median over `repeats`, after one that compiles."""
    run()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def network_seconds(config: Config, size: int, batch: int, repeats: int) -> float:
    """For one image."""
    method = build_method(config.method)
    labels = jnp.zeros((batch, size, size), jnp.int32) if method.num_labels else None
    example = Example(jnp.full((batch, size, size, 3), 0.5), jnp.ones((batch, size, size, 1)), labels)
    variables = jax.jit(method.init)(jax.random.key(0), example)
    predict = jax.jit(lambda variables, seen: method.predict(variables, seen, jax.random.key(0)).image)
    return seconds_of(lambda: jax.block_until_ready(predict(variables, example.observe())), repeats) / batch


def metric_seconds(groups: list[str], size: int, batch: int, repeats: int) -> float:
    """For one completion or raw prediction: scores and vectors."""
    suite, noise = MetricSuite(api.collect_metrics(groups)), Noise(batch, size)
    images = np.stack([noise[i]["image"] for i in range(batch)])
    holes = np.random.default_rng(0).random((batch, size, size)) < 0.3

    def measure() -> None:
        suite.scores(np.where(holes[..., None], 255 - images, images), images, holes)
        suite.vectors(images)

    return seconds_of(measure, repeats) / batch


def whole_test(groups: list[str], size: int, count: int, batch: int) -> float:
    """Completions and raw predictions of one bucket, from photographs to scores."""
    holes = {"30-40%": np.random.default_rng(0).random((10, size, size)) < 0.35}
    suite, test = MetricSuite(api.collect_metrics(groups)), Benchmark(Noise(count, size), holes, count, batch)

    def fill(batch: Batch) -> dict[str, np.ndarray]:
        prediction = 255 - batch.photographs
        return {
            COMPLETION: np.where(batch.holes[..., None], prediction, batch.photographs),
            PREDICTION: prediction,
        }

    begun = time.perf_counter()
    score(fill, test, suite, title="whole test")
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--metrics", nargs="+", default=[], help="groups; those of single images without it")
    flags, overrides = parser.parse_known_args()
    sets = ("inception", "squeezenet", "lpips")
    groups = flags.metrics or [name for name in api.GROUPS if name not in sets]
    network = network_seconds(configuration.load(flags.config, overrides), flags.size, flags.batch, flags.repeats)
    measuring = metric_seconds(groups, flags.size, flags.batch, flags.repeats)
    print(f"{flags.size}x{flags.size}, batch {flags.batch}, {len(groups)} groups: {', '.join(groups)}")
    share = measuring / network
    print(f"network {1000 * network:.0f} ms an image, metrics {1000 * measuring:.1f} ms: {share:.1%} of it")
    whole = whole_test(groups, flags.size, flags.count, flags.batch)
    print(f"{flags.count} completions and as many raw predictions, without the network: {whole:.0f} s")


if __name__ == "__main__":
    main()
