"""Drawn portraits with CelebAMask-HQ's 19 classes, built once instead of drawn in each run."""

from __future__ import annotations

import dataclasses
from functools import partial

from scan_jax.core.errors import UserError
from scan_jax.data.preparation.plan import Arrays, Item, Plan, check_size, flag
from scan_jax.data.synthetic_portraits import SyntheticPortraits, portrait_split
from scan_jax.images.palette import CELEBAMASK_HQ_NAMES


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person chooses."""

    size: int = flag("height and width, pixels", 256)
    count: int = flag("portraits to train with", 2000)
    held_out: int = flag("portraits to measure on", 200)
    seed: int = flag("another seed, other portraits", 0)


def plan(settings: Settings) -> Plan:
    """The portraits by number, the same as the source of that name draws.

    Raises:
      UserError: a setting makes no sense.
    """
    from scan_jax.data.portraits import portrait  # heavy

    check_size(settings.size)
    if min(settings.count, settings.held_out) <= 0 or settings.seed < 0:
        raise UserError("--count and --held_out must be positive, and --seed not negative")
    # As the source has it: held-out ones come first, so that a larger count leaves them as they are.
    last = settings.held_out + settings.count
    numbers = {"train": range(settings.held_out, last), "test": range(settings.held_out)}

    def make(number: int) -> Arrays:
        image, labels = portrait(settings.seed, number, settings.size)  # [S,S,3], [S,S]
        return {"image": image, "labels": labels}

    split = portrait_split(numbers["train"], numbers["test"])
    config = f"{settings.size}-{settings.count}-{settings.held_out}-seed{settings.seed}"
    return Plan(
        dataset="synthetic_portraits",
        config=config,
        description=f"Drawn portraits of seed {settings.seed} with the 19 classes of CelebAMask-HQ.",
        homepage="",
        arrays={"image": (settings.size, settings.size, 3), "labels": (settings.size, settings.size)},
        splits={
            part: [Item(str(number), "", partial(make, number)) for number in some] for part, some in numbers.items()
        },
        split=split,
        label_names=CELEBAMASK_HQ_NAMES,
        flip_pairs=SyntheticPortraits.flip_pairs,
        rules=f"seed={settings.seed} size={settings.size}",
        usage={"name": "prepared", "dataset": f"synthetic_portraits/{config}", "size": settings.size},
    )
