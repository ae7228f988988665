"""The sections of a config that do not depend on a name: every key, its type, its default and what it may be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

from scan_jax.core.errors import UserError, require_at_least

Remat = Literal["nothing", "activations"]


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """One update's optimiser."""

    learning_rate: float = 1e-4  # at its height
    # b1, b2: decay of the moments; GANs use a b1 of 0 or 0.5
    b1: float = 0.0
    b2: float = 0.9
    warmup: int = 0  # steps of linear warm-up
    # "constant", or "cosine", which falls to `final_share` of the height at the run's last step
    schedule: Literal["constant", "cosine"] = "constant"
    final_share: float = 0.0  # of the learning rate at the end of "cosine"
    clip: float = 0.0  # largest global norm of a gradient; 0 is no limit
    # Largest root mean square of Adam's update of one array, before the learning rate; 0 is no limit. Where gradients
    # jump, Adam with b2 = 0.999 takes steps of up to 31 learning rates (after StableAdamW, Wortsman et al. 2023).
    update_clip: float = 0.0
    # "adam" (Kingma & Ba 2015); "muon" (Jordan et al. 2024) for the kernels of convolutions, whose updates it makes
    # orthogonal (momentum 0.95), at a root mean square near Adam's, and Adam with Nesterov's momentum for all else,
    # without `update_clip`; or "sgd" without momentum: slow, but what differs in its last bits stays so, where Adam's
    # division makes it whole steps; for comparing devices and processes.
    algorithm: Literal["adam", "muon", "sgd"] = "adam"

    def __post_init__(self) -> None:
        section = "config.training.optimizers"
        require_at_least(0, section, learning_rate=self.learning_rate, warmup=self.warmup, clip=self.clip)
        require_at_least(0, section, b1=self.b1, b2=self.b2, final_share=self.final_share, update_clip=self.update_clip)
        if max(self.b1, self.b2) >= 1:
            raise UserError(f"{section}: b1 and b2 must be below 1, not {self.b1} and {self.b2}")


@dataclasses.dataclass(frozen=True)
class GuardSettings:
    """A config's `training.guard` section."""

    enabled: bool = True  # whether a bad step is undone; without it, a value that is not finite ends the run
    # A step is bad where an update's loss or gradient norm is so many times the largest of the steps before; 0 only
    # looks for values that are not finite
    spike: float = 10.0
    window: int = 200  # how many steps before it are compared with; at least half as many must have been seen
    retries: int = 3  # how often a run may go back to one checkpoint

    def __post_init__(self) -> None:
        require_at_least(0, "config.training.guard", spike=self.spike, retries=self.retries)
        require_at_least(2, "config.training.guard", window=self.window)


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a method is trained."""

    steps: int  # updates in the whole run
    batch_size: int  # over all devices
    optimizers: Mapping[str, OptimizerSettings]  # by update
    # At which step each of the method's phases begins, where it is trained in phases
    phases: Mapping[str, int] = dataclasses.field(default_factory=dict)
    ema_decay: float = 0.999  # of the generator's moving average
    # Parts into which a step divides its batch, one after the other, so that it needs less memory; the gradients are
    # averaged. Batch normalisation and losses that divide by a batch's pixels do so in each part.
    accumulate: int = 1
    remat: Remat = "nothing"  # what a step computes again in its backward pass rather than keep
    # log_every, checkpoint_every, evaluate_every, pictures_every: in steps; the last step counts for all four
    log_every: int = 50
    checkpoint_every: int = 1000
    evaluate_every: int = 0
    pictures_every: int = 500
    keep: int = 3  # newest checkpoints kept
    keep_every: int = 0  # those of the steps that it divides are kept, too; 0 for none
    keep_best: int = 0  # and so many of those with the best PSNR on held-out photographs
    checkpoints: str = ""  # where they lie instead of the run folder, such as gs://BUCKET/RUN; empty for the run folder
    fsdp: int = 1  # devices over which parameters may be split
    sharding: tuple[tuple[str, str], ...] = ((".*", "replicate"),)  # rules (pattern, "replicate" or "fsdp")
    threads: int = 2  # that read and prepare photographs, in each process
    workers: int = 0  # processes that do so instead of this one; 0 for none
    # A run folder or bundle of the same method, whose networks a new run begins with; empty for none
    start_from: str = ""
    guard: GuardSettings = GuardSettings()  # against losses that leap or are no longer finite

    def __post_init__(self) -> None:
        where = "config.training"
        require_at_least(1, where, steps=self.steps, batch_size=self.batch_size, accumulate=self.accumulate)
        require_at_least(1, where, log_every=self.log_every, checkpoint_every=self.checkpoint_every, keep=self.keep)
        require_at_least(0, where, evaluate_every=self.evaluate_every, pictures_every=self.pictures_every)
        require_at_least(0, where, keep_every=self.keep_every, keep_best=self.keep_best, ema_decay=self.ema_decay)
        require_at_least(0, where, threads=self.threads, workers=self.workers)
        require_at_least(1, where, fsdp=self.fsdp)
        if self.ema_decay >= 1:
            raise UserError(f"{where}.ema_decay must be below 1, not {self.ema_decay:g}")
        if self.batch_size % self.accumulate:
            raise UserError(f"{where}.accumulate = {self.accumulate} does not divide the batch of {self.batch_size}")


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """A config's `evaluation` section."""

    # Of the hole-ratio buckets, as fractions; each bucket contains its upper edge
    edges: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    holes_per_bucket: int = 50  # in the fixed set; 0 is all held-out ones of a folder, 50 of drawn ones
    photographs: int = 0  # how many held-out ones are measured, from the first; 0 is all
    batch_size: int = 16  # photographs at a time
    # The method's optimisations at test time that are measured too, when the run is complete
    refine: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.edges) < 2:
            raise UserError(f"config.evaluation.edges must have at least two, the ends of a bucket, not {self.edges}")
        where = "config.evaluation"
        require_at_least(0, where, holes_per_bucket=self.holes_per_bucket, photographs=self.photographs)
        require_at_least(1, where, batch_size=self.batch_size)


@dataclasses.dataclass(frozen=True)
class AugmentationSettings:
    """A config's `augmentation` section; without one, half of the photographs are flipped and none is cropped."""

    # "none" shows each photograph whole, or of one that is no square the largest centred one. "random_resized" shows a
    # rectangle of it, resized to the square (Szegedy et al. 2015, "Going deeper with convolutions", section 6), of
    # uniform area and log-uniform aspect. "random_square" shows a square anywhere in it, of log-uniform side: as much
    # of far views as of near ones, for large photographs of different sizes.
    crop: Literal["none", "random_resized", "random_square"] = "none"
    # Least and greatest area of the rectangle, as shares of the photograph's. Classifiers take 0.08 and 1; half keeps a
    # face a face.
    scale: tuple[float, float] = (0.5, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)  # its least and greatest width by height
    # Least and greatest side of the square, as shares of the photograph's short side. One that would have to be
    # enlarged is taken larger: 0 goes down to the photograph's own pixels.
    share: tuple[float, float] = (0.0, 1.0)
    flip: float = 0.5  # the share of photographs that are mirrored

    def __post_init__(self) -> None:
        if not 0.0 < self.scale[0] <= self.scale[1] <= 1.0:
            raise UserError(f"config.augmentation.scale must be 0 < low <= high <= 1, not {self.scale}")
        if not 0.0 < self.aspect[0] <= self.aspect[1] < math.inf:
            raise UserError(f"config.augmentation.aspect must be 0 < low <= high, not {self.aspect}")
        if not 0.0 <= self.share[0] <= self.share[1] <= 1.0:
            raise UserError(f"config.augmentation.share must be 0 <= low <= high <= 1, not {self.share}")
        if not 0.0 <= self.flip <= 1.0:
            raise UserError(f"config.augmentation.flip must be from 0 to 1, the share that is flipped, not {self.flip}")
