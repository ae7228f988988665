"""Adversarial losses on a critic's logits, for each patch; positive logits mean real.

SCAN section 3.3 (the term L_G) leaves the form open; the default is the non-saturating logistic loss (Goodfellow et al.
2014). EdgeConnect halves the critic's sum, which Adam does not notice.

Masked attention's eq. (3) is E[log D(I) + log(1 - D(fake))], which the critic ascends (`logistic_critic`, negated) and
the generator descends (`minimax_generator`, which saturates). The released code's logistic form gives the generator
`logistic_generator` instead, and its default is the hinge loss with feature matching.

A generator's loss is of the logits [B,h,w,1] of completions, a critic's of two equal shapes, else a ValueError.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from einops import rearrange

from scan_jax.core.types import Array


def logistic_generator(fake: Array) -> Array:
    """-log sigmoid(fake), non-saturating: [B,h,w,1] -> [B,h,w,1] float32."""
    return jax.nn.softplus(-fake.astype(jnp.float32))


def minimax_generator(fake: Array) -> Array:
    """log(1 - sigmoid(fake)), eq. (3) of masked attention: [B,h,w,1] -> [B,h,w,1] float32.

    At most 0, and its slope vanishes where the critic is sure of a fake.
    """
    return -jax.nn.softplus(fake.astype(jnp.float32))


def logistic_critic(real: Array, fake: Array) -> Array:
    """-log sigmoid(real) - log sigmoid(-fake): [B,h,w,1] twice -> [B,h,w,1] float32."""
    _check(real, fake)
    return jax.nn.softplus(-real.astype(jnp.float32)) + jax.nn.softplus(fake.astype(jnp.float32))


def hinge_generator(fake: Array) -> Array:
    """-fake (Lim & Ye 2017): [B,h,w,1] -> [B,h,w,1] float32."""
    return -fake.astype(jnp.float32)


def hinge_critic(real: Array, fake: Array) -> Array:
    """max(0, 1 - real) + max(0, 1 + fake): [B,h,w,1] twice -> [B,h,w,1] float32."""
    _check(real, fake)
    return jax.nn.relu(1.0 - real.astype(jnp.float32)) + jax.nn.relu(1.0 + fake.astype(jnp.float32))


def _check(real: Array, fake: Array) -> None:
    if real.shape != fake.shape:
        raise ValueError(f"logits of real and fake images must have equal shapes, not {real.shape} and {fake.shape}")


def one_batch(real: Array, fake: Array) -> Array:
    """[B,...] twice -> [2B,...], pair by pair, so that no image leaves its device where a batch is split over many."""
    return rearrange([real, fake], "two b ... -> (b two) ...")


def apart(both: Array) -> tuple[Array, Array]:
    """What `one_batch` put together, or a network's answers to it: [2B,...] -> real and fake, [B,...] each."""
    real, fake = rearrange(both, "(b two) ... -> two b ...", two=2)
    return real, fake


def critic_accuracy(real: Array, fake: Array) -> Array:
    """The share of logits on the right side of 0, for the balance of critic and generator: two arrays -> [] float32.

    0.5 is a critic that cannot tell, 1 one from which the generator has little to learn.
    """
    return 0.5 * (jnp.mean(real > 0) + jnp.mean(fake < 0))
