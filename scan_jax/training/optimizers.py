"""Optimisers from config: Adam, a learning rate that may warm up and decay, clipping by global norm."""

from __future__ import annotations

import dataclasses
from typing import Literal

import optax


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """One network's Adam (Kingma & Ba 2015).

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
    """

    learning_rate: float = 1e-4
    b1: float = 0.0
    b2: float = 0.9
    warmup: int = 0
    schedule: Literal["constant", "cosine"] = "constant"
    final_share: float = 0.0
    clip: float = 0.0
    update_clip: float = 0.0


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
    """Adam as `settings` has it, for a run of `steps`."""
    return optax.chain(
        optax.clip_by_global_norm(settings.clip) if settings.clip else optax.identity(),
        optax.scale_by_adam(settings.b1, settings.b2),
        optax.clip_by_block_rms(settings.update_clip) if settings.update_clip else optax.identity(),
        optax.scale_by_learning_rate(learning_rate(settings, steps)),
    )
