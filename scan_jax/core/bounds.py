"""What the numbers of settings may be, said once, in the annotations of their fields; `config.bind` refuses all others.

Numbers with a plain annotation are finite and not negative, and fit into 32 bits.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Annotated

WHOLE_MOST, MOST = 2**31 - 1, 3e38  # of int32 and float32


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers between two ends; NaN is in none."""

    low: float = 0
    high: float = WHOLE_MOST
    above: bool = False  # without `low` itself
    below: bool = False  # without `high` itself
    multiple: int = 1  # only whole numbers that it divides

    def __contains__(self, value: float) -> bool:
        open_ends = (self.above and value == self.low) or (self.below and value == self.high)
        return self.low <= value <= self.high and not open_ends and (self.multiple == 1 or value % self.multiple == 0)

    def __str__(self) -> str:
        low, high = f"{self.low:g}", f"{self.high:.10g}"
        multiple = f", a multiple of {self.multiple}" if self.multiple > 1 else ""
        if not (self.above or self.below or self.high == MOST):
            return f"from {low} to {high}{multiple}"
        upper = "finite" if self.high == MOST else f"{'below' if self.below else 'at most'} {high}"
        return f"{'above' if self.above else 'at least'} {low} and {upper}{multiple}"


@dataclasses.dataclass(frozen=True)
class Rising:
    """Tuples of numbers, each larger than the one before."""

    least: int = 2  # so many numbers or more
    equal: bool = False  # whether they may be equal, too

    def __contains__(self, values: Sequence[float]) -> bool:
        pairs = itertools.pairwise(values)
        return len(values) >= self.least and all(a < b or (self.equal and a == b) for a, b in pairs)

    def __str__(self) -> str:
        return f"at least {self.least} numbers that {'do not fall' if self.equal else 'rise'}"


PLAIN = {int: Range(), float: Range(0, MOST)}
Count = Annotated[int, Range(1)]
Many = Annotated[int, Range(1, 10**6)]  # things that are drawn
Size = Annotated[int, Range(1, 2**16)]  # of a photograph, in pixels, or of a network, in channels
Repeats = Annotated[int, Range(0, 100)]  # blocks of a network, one after the other
Classes = Annotated[int, Range(1, 256)]  # labels are kept in bytes
Positive = Annotated[float, Range(0, MOST, above=True)]
Share = Annotated[float, Range(0, 1)]
Decay = Annotated[float, Range(0, 1, below=True)]
Blur = Annotated[float, Range(0.1, 100)]  # a standard deviation, in pixels
Ratios = Annotated[tuple[Share, Share], Rising()]  # (low, high] of what a hole takes of the image
