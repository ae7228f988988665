"""Which TPU slices there are to rent, and what their names ask of the compiler, which is told no other.

libtpu by itself takes slices that nobody offers, answers common names with a regular expression, and by an impossible
size may end the process. Shapes are those of docs.cloud.google.com/tpu/docs/v2, /v3, /v4, /v5e, /v5p, /v6e, /tpu7x.
"""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError

EXAMPLES = "they look like v5e:2x4, v6e:4x4, v5p:2x2x1 or tpu7x:2x2x1"
TWO_SIDES = ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16")
OLD = ("2x2", "4x4", "8x8", "8x16", "16x16")
# Those named by a count of cores or chips alone; any other with sides of 2 and 4, or of multiples of 4, is there, too.
CUBES = (
    "1x1x1",
    "2x2x1",
    "2x2x2",
    "2x2x4",
    "2x4x4",
    "4x4x4",
    "4x4x8",
    "4x8x8",
    "8x8x8",
    "8x8x16",
    "8x16x16",
    "16x16x16",
)


@dataclasses.dataclass(frozen=True)
class Generation:
    """One kind of chip."""

    shapes: tuple[str, ...]  # two sides: all there are; three: the common ones
    largest: int  # chips of a slice
    counted: int = 1  # what gcloud counts of a chip in names such as v5p-8: chips, or two cores
    megacore: bool = False  # the two cores of a chip are one device; of v2, v3 and tpu7x they are two


GENERATIONS = {
    "v2": Generation(OLD, 256, 2),
    "v3": Generation((*OLD, "16x32", "32x32"), 1024, 2),
    "v4": Generation(CUBES, 4096, 2, megacore=True),
    "v5e": Generation(TWO_SIDES, 256),
    "v5p": Generation(CUBES, 6144, 2, megacore=True),
    "v6e": Generation(TWO_SIDES, 256),
    "tpu7x": Generation(CUBES, 9216, 2),
}
OTHER_NAMES = {
    **dict.fromkeys(("v7x", "v7", "tpu7", "tpu-v7x", "ironwood"), "tpu7x"),
    **dict.fromkeys(("v5litepod", "v5lite", "v5 lite"), "v5e"),
    **dict.fromkeys(("v6", "v6 lite", "trillium"), "v6e"),
    "v5": "v5p",
}


def resolve(name: str) -> tuple[str, dict[str, Any]]:
    """A slice's name as the compiler takes it, and the options that it needs besides.

    Raises:
      UserError: there is no such slice; the line names one that there is.
    """
    plain = name.strip().lower()
    if not plain:
        raise UserError(f"--topology names no slice (an empty variable?); {EXAMPLES}")
    if counted := re.fullmatch(r"(?P<chip>[a-z0-9 ]+)-(?P<count>\d{1,6})", plain):
        raise UserError(_by_shape(name, counted["chip"], int(counted["count"])))
    parts = re.fullmatch(r"(?P<chip>[a-z0-9 -]+):(?P<shape>\d{1,4}(x\d{1,4})*)", plain)
    if not parts:
        raise UserError(f"no TPU slice {name!r}; {EXAMPLES}")
    chip, shape = parts["chip"], parts["shape"]
    if chip not in GENERATIONS:
        near = f"; did you mean {OTHER_NAMES[chip]!r}?" if chip in OTHER_NAMES else did_you_mean(chip, GENERATIONS)
        raise UserError(f"no TPU slice {name!r}: no chip is called {chip!r}{near}; {EXAMPLES}")
    found = GENERATIONS[chip]
    if not _offered(found, shape):
        raise UserError(f"no TPU slice {name!r}: {chip} comes as {_shapes(found)}")
    options: dict[str, Any] = {"chip_config_name": "megacore"} if found.megacore else {}
    if shape in ("1x1", "1x1x1"):  # less than the four chips that the compiler takes a machine for
        options["chips_per_host_bounds"] = (1, 1, 1)
    return f"{chip}:{shape}", options


def _by_shape(name: str, chip: str, count: int) -> str:
    """What to say of a name such as v5litepod-8."""
    chip = OTHER_NAMES.get(chip, chip)
    if chip not in GENERATIONS:
        return f"no TPU slice {name!r}; {EXAMPLES}"
    found = GENERATIONS[chip]
    same = [shape for shape in found.shapes if found.counted * _chips(shape) == count]
    what = "cores" if found.counted > 1 else "chips"
    instead = f"--topology={chip}:{same[0]}" if same else f"{chip} comes as {_shapes(found)}"
    return f"slices are named by their shape: {name!r} is {count} {what} of {chip}; {instead}"


def _offered(found: Generation, shape: str) -> bool:
    if shape in found.shapes or found.shapes is not CUBES:
        return shape in found.shapes
    sides = [int(side) for side in shape.split("x")]
    whole = all(side in (2, 4) for side in sides) or all(side and side % 4 == 0 for side in sides)
    return len(sides) == 3 and whole and _chips(shape) <= found.largest


def _chips(shape: str) -> int:
    return math.prod(int(side) for side in shape.split("x"))


def _shapes(found: Generation) -> str:
    if found.shapes is not CUBES:
        return ", ".join(found.shapes)
    return f"1x1x1, 2x2x1, or three sides of 2 and 4 or of multiples of 4, up to {found.largest:,} chips"
