"""Optimisers from config: Adam, Muon or SGD, a learning rate that may warm up and decay, clipping by global norm."""

from __future__ import annotations

from typing import Any

import jax
import optax
import optax.contrib

from scan_jax.core.sections import OptimizerSettings


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
