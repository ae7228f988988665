"""Drawn portraits with CelebAMask-HQ's 19 classes, built once instead of drawn in each run."""

from __future__ import annotations

import dataclasses
from functools import partial

from scan_jax.core.errors import UserError
from scan_jax.data.preparation.plan import Item, Plan, SquareSettings, flag
from scan_jax.data.synthetic_portraits import FLIP_PAIRS, draw, portrait_split
from scan_jax.images.palette import CELEBAMASK_HQ_NAMES


@dataclasses.dataclass(frozen=True, kw_only=True)
class SyntheticPortraits(SquareSettings):
    """Drawn portraits with CelebAMask-HQ's 19 classes, built once instead of drawn in each run."""

    count: int = flag("portraits to train with", 2000)
    held_out: int = flag("portraits to measure on", 200)
    seed: int = flag("another seed, other portraits", 0)

    def plan(self) -> Plan:
        """The portraits by number, as the source of that name draws; a UserError where a setting makes no sense."""
        if min(self.count, self.held_out) <= 0 or self.seed < 0:
            raise UserError("--count and --held_out must be positive, and --seed not negative")
        split = portrait_split(self.count, self.held_out)
        make = partial(draw, self.seed, self.size)
        config = f"{self.size}-{self.count}-{self.held_out}-seed{self.seed}"
        return Plan(
            dataset="synthetic_portraits",
            config=config,
            description=f"Drawn portraits of seed {self.seed} with the 19 classes of CelebAMask-HQ.",
            arrays=self.arrays(labels=True),
            splits={
                part: [Item(number, "", partial(make, int(number))) for number in numbers]
                for part, numbers in split.members.items()
            },
            split=split,
            label_names=CELEBAMASK_HQ_NAMES,
            flip_pairs=FLIP_PAIRS,
            rules=f"seed={self.seed} size={self.size}",
            usage={"name": "prepared", "dataset": f"synthetic_portraits/{config}", "size": self.size},
        )
