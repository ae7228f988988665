"""A method as small as a method can be: a generator of one convolution and a critic of one spectral one."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.types import Example, Prediction
from scan_jax.layers.spectral_conv import SpectralConv
from scan_jax.losses.adversarial import apart, one_batch
from scan_jax.methods.api import Aux, Update, Variables


class ToyMethod:
    """Fills a hole with one 3x3 convolution."""

    stride = 2
    least_size = 2
    num_labels = 0
    refiners = {}
    maps = {}
    styles = None

    def __init__(self):
        self.networks = {"generator": nn.Conv(3, (3, 3)), "critic": SpectralConv(8, kernel_size=4)}
        self.updates = (
            Update("generator", ("generator",), self.generator_loss),
            Update("critic", ("critic",), self.critic_loss),
        )

    def load_frozen(self):
        return {}

    def frozen_shapes(self):
        return {}

    def init(self, rng, example):
        generator = self.networks["generator"].init(rng, example.image)
        critic = self.networks["critic"].init(rng, example.image, train=False)
        params = {"generator": generator["params"], "critic": critic["params"]}
        return Variables(params, {"generator": {}, "critic": {"spectral": critic["spectral"]}})

    def predict(self, variables, observation, rng):
        del rng
        image = self.networks["generator"].apply({"params": variables.params["generator"]}, observation.image)
        return Prediction(image)

    def generator_loss(self, params, frozen, stats, example, carried, rng):
        seen = example.observe()
        image = self.networks["generator"].apply({"params": params["generator"]}, seen.image)
        noise = jax.random.normal(rng, image.shape)  # the loss uses its key, as SAN's sampling does
        logits = self.networks["critic"].apply({"params": frozen["critic"], **stats["critic"]}, image, train=False)
        error = jnp.abs(image + 0.01 * noise - example.image).mean()
        return error - 0.01 * logits.mean(), Aux({"l1": error}, {}, jax.lax.stop_gradient(image))

    def critic_loss(self, params, frozen, stats, example, carried, rng):
        both = one_batch(example.image, carried)
        variables = {"params": params["critic"], **stats["critic"]}
        logits, changed = self.networks["critic"].apply(variables, both, train=True, mutable=["spectral"])
        real, fake = apart(logits)
        loss = jax.nn.softplus(-real).mean() + jax.nn.softplus(fake).mean()
        return loss, Aux({"critic": loss}, {"critic": changed})


def toy_batch(step, batch_size=8, size=16):
    """Batch number `step`, pure in it."""
    rng = np.random.default_rng(step)
    image = rng.random((batch_size, size, size, 3), np.float32)
    known = (rng.random((batch_size, size, size, 1)) > 0.3).astype(np.float32)
    return Example(image, known)
