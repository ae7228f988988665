"""The sections of a config that do not depend on a name: every key, its type, its default and what it may be."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from scan_jax.core.bounds import Count, Decay, Positive, Range, Rising, Share
from scan_jax.core.errors import UserError

Remat = Literal["nothing", "activations"]
Few = Annotated[int, Range(0, 1024)]
PartShare = Annotated[float, Range(0, 1, above=True)]  # of a photograph: some of it


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """One update's optimiser."""

    learning_rate: float = 1e-4  # at its height
    # b1, b2: decay of the moments; GANs use a b1 of 0 or 0.5
    b1: Decay = 0.0
    b2: Decay = 0.9
    warmup: int = 0  # steps of linear warm-up
    # "constant", or "cosine", which falls to `final_share` of the height at the run's last step
    schedule: Literal["constant", "cosine"] = "constant"
    final_share: Share = 0.0  # of the learning rate at the end of "cosine"
    clip: float = 0.0  # largest global norm of a gradient; 0 is no limit
    # Largest root mean square of Adam's update of one array, before the learning rate; 0 is no limit. Where gradients
    # jump, Adam with b2 = 0.999 takes steps of up to 31 learning rates (after StableAdamW, Wortsman et al. 2023).
    update_clip: float = 0.0
    # "adam" (Kingma & Ba 2015); "muon" (Jordan et al. 2024) for the kernels of convolutions, whose updates it makes
    # orthogonal (momentum 0.95), at a root mean square near Adam's, and Adam with Nesterov's momentum for all else,
    # without `update_clip`; or "sgd" without momentum: slow, but what differs in its last bits stays so, where Adam's
    # division makes it whole steps; for comparing devices and processes.
    algorithm: Literal["adam", "muon", "sgd"] = "adam"


@dataclasses.dataclass(frozen=True)
class GuardSettings:
    """A config's `training.guard` section."""

    enabled: bool = True  # whether a bad step is undone; without it, a value that is not finite ends the run
    # A step is bad where an update's loss or gradient norm is so many times the largest of the steps before; 0 only
    # looks for values that are not finite
    spike: float = 10.0
    # How many steps before it are compared with; at least half as many must have been seen
    window: Annotated[int, Range(2)] = 200
    retries: int = 3  # how often a run may go back to one checkpoint


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a method is trained."""

    steps: Count  # updates in the whole run
    batch_size: Count  # over all devices
    optimizers: Mapping[str, OptimizerSettings]  # by update
    # At which step each of the method's phases begins, where it is trained in phases
    phases: Mapping[str, int] = dataclasses.field(default_factory=dict)
    ema_decay: Decay = 0.999  # of the generator's moving average
    # Parts into which a step divides its batch, one after the other, so that it needs less memory; the gradients are
    # averaged. Batch normalisation and losses that divide by a batch's pixels do so in each part.
    accumulate: Count = 1
    remat: Remat = "nothing"  # what a step computes again in its backward pass rather than keep
    # log_every, checkpoint_every, evaluate_every, pictures_every: in steps; the last step counts for all four
    log_every: Count = 50
    checkpoint_every: Count = 1000
    evaluate_every: int = 0
    pictures_every: int = 500
    keep: Count = 3  # newest checkpoints kept
    keep_every: int = 0  # those of the steps that it divides are kept, too; 0 for none
    keep_best: int = 0  # and so many of those with the best PSNR on held-out photographs
    checkpoints: str = ""  # where they lie instead of the run folder, such as gs://BUCKET/RUN; empty for the run folder
    fsdp: Count = 1  # devices over which parameters may be split
    # Rules (pattern, "replicate" or "fsdp")
    sharding: tuple[tuple[str, Literal["replicate", "fsdp"]], ...] = ((".*", "replicate"),)
    threads: Few = 2  # that read and prepare photographs, in each process
    workers: Few = 0  # processes that do so instead of this one; 0 for none
    # A run folder or bundle of the same method, whose networks a new run begins with; empty for none
    start_from: str = ""
    guard: GuardSettings = GuardSettings()  # against losses that leap or are no longer finite

    def __post_init__(self) -> None:
        where = "config.training"
        if self.batch_size % self.accumulate:
            raise UserError(f"{where}.accumulate = {self.accumulate} does not divide the batch of {self.batch_size}")
        for pattern, _ in self.sharding:
            try:
                re.compile(pattern)
            except re.error as error:
                raise UserError(f"{where}.sharding: {pattern!r} is no regular expression ({error})") from error


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """A config's `evaluation` section."""

    # Of the hole-ratio buckets, as fractions; each bucket contains its upper edge
    edges: Annotated[tuple[Share, ...], Rising()] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    # In the fixed set; 0 is all held-out ones of a folder, 50 of drawn ones
    holes_per_bucket: Annotated[int, Range(0, 10**6)] = 50
    photographs: int = 0  # how many held-out ones are measured, from the first; 0 is all
    batch_size: Count = 16  # photographs at a time
    # The method's optimisations at test time that are measured too, when the run is complete
    refine: tuple[str, ...] = ()


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
    scale: Annotated[tuple[PartShare, PartShare], Rising(equal=True)] = (0.5, 1.0)
    # Its least and greatest width by height
    aspect: Annotated[tuple[Positive, Positive], Rising(equal=True)] = (3 / 4, 4 / 3)
    # Least and greatest side of the square, as shares of the photograph's short side. One that would have to be
    # enlarged is taken larger: 0 goes down to the photograph's own pixels.
    share: Annotated[tuple[Share, Share], Rising(equal=True)] = (0.0, 1.0)
    flip: Share = 0.5  # the share of photographs that are mirrored
