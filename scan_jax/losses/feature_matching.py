"""Feature matching (Wang et al. 2018, pix2pixHD): inside the critic, completions should look as real images do."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from scan_jax.core.types import Array
from scan_jax.losses.pixel import absolute_difference


def feature_matching(fake: Sequence[Sequence[Array]], real: Sequence[Sequence[Array]]) -> Array:
    """Sum over a critic's layers of mean |fake - real|, averaged over its scales: a float32 scalar.

    The released code of masked attention adds it to the hinge loss, weighted 10.

    Args:
      fake: the critic's activations on completions, one sequence a scale, each [B,h,w,C]. The last of a scale are its
        logits, and do not count.
      real: those on the real images; no gradient flows into them.

    Raises:
      ValueError: the scales, layers or shapes differ, or a scale has only logits.
    """
    _check(fake, real)
    scales = [
        sum(
            jnp.mean(absolute_difference(found, jax.lax.stop_gradient(wanted)))
            for found, wanted in zip(fake_layers[:-1], real_layers[:-1])
        )
        for fake_layers, real_layers in zip(fake, real)
    ]
    return jnp.mean(jnp.stack(scales))


def _check(fake: Sequence[Sequence[Array]], real: Sequence[Sequence[Array]]) -> None:
    shapes = [[[layer.shape for layer in scale] for scale in features] for features in (fake, real)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"features of fake and real images must have equal shapes, not {shapes[0]} and {shapes[1]}")
    if not fake or any(len(scale) < 2 for scale in fake):
        raise ValueError("feature matching needs at least one scale, each with a layer before the logits")


def match_layers(fake: Sequence[Array], real: Sequence[Array]) -> Array:
    """Sum over all the layers given of mean |fake - real|, the logits among them (EdgeConnect): a float32 scalar.

    Args:
      fake: the critic's activations on what was generated, each [B,h,w,C].
      real: those on the real images; no gradient flows into them.

    Raises:
      ValueError: the layers or shapes differ, or there is none.
    """
    if not fake or [layer.shape for layer in fake] != [layer.shape for layer in real]:
        raise ValueError("layers of fake and real images must be as many and of equal shapes, at least one")
    return jnp.sum(jnp.stack([jnp.mean(absolute_difference(a, jax.lax.stop_gradient(b))) for a, b in zip(fake, real)]))
