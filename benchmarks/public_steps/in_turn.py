"""Two sides of one thing, timed in turn in one run, so that what else the machine does meets both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def medians(sides: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Seconds that each takes; a round more comes first, which compiles.

    Args:
      sides: by name, each with its work.
      rounds: how often each is timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for update in range(rounds + 1):
        for name, work in sides.items():
            begun = time.perf_counter()
            work()
            if update:
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def line(name: str, found: Mapping[str, float]) -> str:
    """What `medians` found of the sides "public" and "ours"."""
    public, ours = found["public"], found["ours"]
    return f"{name:14} public {public:7.3f} s  ours {ours:7.3f} s  {public / ours:5.2f} times as fast"
