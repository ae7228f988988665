"""A method that is conditioned on labels and needs no training: each class is painted in the mean of its colours."""

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.types import Prediction
from scan_jax.methods.api import Variables

GREY = Variables({"generator": {"level": np.float32(0.2)}}, {"generator": {}})


class MeanColours:
    """Its styles are those means; a pixel attends to the known ones of its class."""

    stride, refiners = 4, {}

    def __init__(self, num_labels=19):
        self.num_labels, self.styles, self.maps = num_labels, self, {"attention": self.attend}

    def init(self, rng, example):
        return GREY

    def load_frozen(self):
        return {}

    def read(self, variables, observation):
        members = jax.nn.one_hot(observation.labels, self.num_labels) * observation.known  # [B,H,W,L]
        total = jnp.einsum("bhwl,bhwc->blc", members, observation.image)
        return total / jnp.maximum(members.sum((1, 2))[..., None], 1)  # [B,L,3]

    def paint(self, variables, observation, styles, rng):
        return Prediction(jnp.einsum("bhwl,blc->bhwc", jax.nn.one_hot(observation.labels, self.num_labels), styles))

    def predict(self, variables, observation, rng):
        return self.paint(variables, observation, self.read(variables, observation), rng)

    def attend(self, variables, observation, points):
        labels = observation.labels
        classes = jax.vmap(lambda one, at: one[at[:, 0], at[:, 1]])(labels, points)  # [B,P]
        same = labels[:, None] == classes[..., None, None]  # [B,P,H,W]
        return same * observation.known[..., 0][:, None]
