"""Optimisers from config: Adam, Muon or SGD, a learning rate that may warm up and decay, clipping by global norm."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import jax
import optax
import optax.contrib

from scan_jax.core.config import require_at_least
from scan_jax.core.errors import UserError


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """One turn's optimiser.

    Attributes:
      learning_rate: at its height.
      b1, b2: decay of the moments; GANs use a b1 of 0 or 0.5.
      warmup: steps of linear warm-up.
      schedule: "constant", or "cosine", which falls to `final_share` of the height at the run's last step.
      final_share: of the learning rate at the end of "cosine".
      clip: largest global norm of a gradient; 0 is no limit.
      update_clip: largest root mean square of Adam's update of one array, before the learning rate; 0 is no limit.
        Where gradients jump, Adam with b2 = 0.999 takes steps of up to 31 learning rates (after StableAdamW, Wortsman
        et al. 2023).
      algorithm: "adam" (Kingma & Ba 2015); "muon" (Jordan et al. 2024) for the kernels of convolutions, whose updates
        it makes orthogonal (momentum 0.95), at a root mean square near Adam's, and Adam with Nesterov's momentum for
        all else, without `update_clip`; or "sgd" without momentum: slow, but what differs in its last bits stays so,
        where Adam's division makes it whole steps; for comparing devices and processes.
    """

    learning_rate: float = 1e-4
    b1: float = 0.0
    b2: float = 0.9
    warmup: int = 0
    schedule: Literal["constant", "cosine"] = "constant"
    final_share: float = 0.0
    clip: float = 0.0
    update_clip: float = 0.0
    algorithm: Literal["adam", "muon", "sgd"] = "adam"

    def __post_init__(self) -> None:
        section = "config.training.optimizers"
        require_at_least(0, section, learning_rate=self.learning_rate, warmup=self.warmup, clip=self.clip)
        require_at_least(0, section, b1=self.b1, b2=self.b2, final_share=self.final_share, update_clip=self.update_clip)
        if max(self.b1, self.b2) >= 1:
            raise UserError(f"{section}: b1 and b2 must be below 1, not {self.b1} and {self.b2}")


def learning_rate(settings: OptimizerSettings, steps: int) -> optax.Schedule:
    """The learning rate at each step of a run of `steps`."""
    height, rest = settings.learning_rate, max(steps - settings.warmup, 1)
    after = {
        "constant": optax.constant_schedule(height),
        "cosine": optax.cosine_decay_schedule(height, rest, settings.final_share),
    }[settings.schedule]
    if not settings.warmup:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, height, settings.warmup), after], [settings.warmup])


def make_optimizer(settings: OptimizerSettings, steps: int) -> optax.GradientTransformation:
    """The optimiser as `settings` has it, for a run of `steps`."""
    rate = learning_rate(settings, steps)
    clip = optax.clip_by_global_norm(settings.clip) if settings.clip else optax.identity()
    if settings.algorithm == "muon":
        moments = {"adam_b1": settings.b1, "adam_b2": settings.b2}
        muon = optax.contrib.muon(rate, consistent_rms=0.2, muon_weight_dimension_numbers=_convolutions, **moments)
        return optax.chain(clip, muon)
    return optax.chain(
        clip,
        optax.scale_by_adam(settings.b1, settings.b2) if settings.algorithm == "adam" else optax.identity(),
        optax.clip_by_block_rms(settings.update_clip) if settings.update_clip else optax.identity(),
        optax.scale_by_learning_rate(rate),
    )


def _convolutions(params: Any) -> Any:
    """How Muon reads each array of `params` as a matrix: kernels [h,w,C,D] as [h*w*C,D], others not at all."""
    kernel = optax.contrib.MuonDimensionNumbers((0, 1, 2), 3)
    return jax.tree.map(lambda array: kernel if array.ndim == 4 else None, params)
