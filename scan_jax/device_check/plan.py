"""The parts of the check, most important first, and how the time is shared among those that are still to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError

RIGHT, WRONG, ESTIMATE = "right", "WRONG", "estimate"


class LeftOut(Exception):
    """Raised by a part that cannot be taken here: why, in one line."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What a measurement came to: a row of the table, without its name."""

    found: str  # for people
    limit: str = ""  # stated before it was measured; empty where nothing can be wrong
    verdict: str = ""  # RIGHT or WRONG by the limit; ESTIMATE of what was computed, not measured
    numbers: Mapping[str, float | str | None] = dataclasses.field(default_factory=dict)  # for programs


@dataclasses.dataclass(frozen=True)
class Setting:
    """What every part is told."""

    out: Path  # the folder of the results
    tiny: bool = False  # everything small, for a CPU, and of each part only its first rows
    public: Path | None = None  # where clones of the public code lie
    done: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)  # the part's rows so far, by name


Measurement = tuple[str, Callable[[], Found]]  # the row's name, and what measures it
Rows = Callable[[Setting], Iterator[Measurement]]


@dataclasses.dataclass(frozen=True)
class Part:
    """Measurements that share a process."""

    name: str
    share: float  # of the time
    least: float  # seconds below which it is not begun
    tiny: float  # its share where it is tiny: seconds on two cores
    rows: str  # "module:function" of its `Rows`, which imports JAX
    about: str  # for the table's heading


PACKAGE = "scan_jax.device_check"
PARTS = (
    Part(
        "ops",
        5,
        20,
        12,
        f"{PACKAGE}.right:ops",
        "each form of an operation that is chosen by device, against the CPU's",
    ),
    Part("methods", 22, 90, 32, f"{PACKAGE}.right:methods", "every method forward and its gradients, against the CPU"),
    Part(
        "bits", 8, 40, 14, f"{PACKAGE}.right:bits", "equal steps, resuming, and a checkpoint of the CPU there and back"
    ),
    Part("export", 3, 15, 3, f"{PACKAGE}.right:export", "a StableHLO program for several platforms, against the CPU"),
    Part("celeba", 14, 60, 12, f"{PACKAGE}.fast:celeba", "training steps of celeba.py, by batch and precision"),
    Part("celebamask", 12, 60, 28, f"{PACKAGE}.fast:celebamask", "likewise of celebamask.py"),
    Part("public", 10, 60, 2, f"{PACKAGE}.public:rows", "beside the public PyTorch code, the same batch, in turn"),
    Part("apart", 7, 40, 18, f"{PACKAGE}.apart:rows", "celeba.py's step taken apart, with a profile"),
    Part("attention", 3, 15, 4, f"{PACKAGE}.fast:attention", "attention between all pixels, both passes, one image"),
    Part("filling", 5, 20, 14, f"{PACKAGE}.fast:filling", "photographs filled by `open`, which comes with the package"),
    Part("style", 2, 15, 15, f"{PACKAGE}.fast:style_search", "the style search of celebamask.py"),
    Part("solver", 3, 15, 5, f"{PACKAGE}.fast:solver", "the two equations, beside the CPU"),
    Part("others", 6, 60, 5, f"{PACKAGE}.fast:others", "training steps of every other config of 256 pixels"),
)
TINY_LEAST = 1.0  # seconds


def chosen(names: Sequence[str]) -> tuple[Part, ...]:
    """The parts of these names, in the plan's order; all without names. A UserError for a name that is none."""
    known = [part.name for part in PARTS]
    for name in names:
        if name not in known:
            raise UserError(f"no part is called {name!r}{did_you_mean(name, known)}; there are: {', '.join(known)}")
    return tuple(part for part in PARTS if not names or part.name in names)


def allot(parts: Collection[Part], seconds: float, *, tiny: bool = False) -> dict[Part, float]:
    """Seconds for each part by its share, which sum to `seconds`; the last ones are left out until each has enough."""
    kept, shares = list(parts), {part: part.tiny if tiny else part.share for part in parts}
    while kept:
        whole = sum(shares[part] for part in kept)
        limits = {part: seconds * shares[part] / whole for part in kept}
        short = [part for part in kept if limits[part] < (TINY_LEAST if tiny else part.least)]
        if not short:
            return limits
        kept.remove(short[-1])
    return {}
