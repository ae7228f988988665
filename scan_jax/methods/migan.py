"""MI-GAN: A Simple Baseline for Image Inpainting on Mobile Devices (Sargsyan et al. 2023).

The paper's, as in the released training: the networks, the critic's logistic loss on completions with a penalty of its
slopes at photographs, and distillation in the hole at all levels from 32 pixels on. Its teacher is Co-Mod-GAN, of which
each level's change of the picture is learned. Ours: any network of this package is the teacher, whose finished picture,
made as small, is learned at each level; a term of plain differences; and the penalty at every step, not every 16th.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.bounds import Range, Size
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import BUNDLE, CONFIG, read_sections
from scan_jax.core.types import Array, Example, Observation, Prediction
from scan_jax.losses.adversarial import logistic_critic, logistic_generator
from scan_jax.losses.pixel import l1
from scan_jax.methods import api
from scan_jax.methods.api import Aux, Method, Trees, Variables
from scan_jax.methods.terms import AdversarialMethod, PatchCritic, critic_terms, fresh
from scan_jax.models.migan import END, MiganCritic, MiganGenerator
from scan_jax.ops.image import complete
from scan_jax.weights import bundle, registry

NAME = "migan"
MIN_SIDE = 32  # pixels a side of the smallest picture that is compared with the teacher's


@dataclasses.dataclass(frozen=True)
class MiganWeights:
    """The terms' weights; one of weight 0 is not computed."""

    adversarial: float = 1.0
    distillation: float = 4.0  # where there is a teacher; the released code has 2, in a range twice as wide
    l1: float = 0.0  # of the whole image; not in the paper


@dataclasses.dataclass(frozen=True)
class MiganSettings:
    """A config's `method` section; the defaults are those of the published network for 512 pixels."""

    width: Size = 64  # channels at level 0; 128 for 256 pixels
    halvings: Annotated[int, Range(1, 9)] = 7  # 6 for 256 pixels
    max_channels: Size = 512  # channels of any level
    noise: Size = 512  # pixels a side of what is added when a hole is filled; on larger images it is repeated
    kernels: Literal["unit", "free"] = "unit"  # each output's divided by its length, as in the paper, or as they are
    critic_width: Size = 64  # channels of the critic at level 0
    gradient_penalty: float = 10.0  # of the critic's slopes at photographs (R1, gamma)
    # What it learns from: a bundle, or imported weights by their name such as "lama"; empty for none.
    teacher: str = ""
    loss: MiganWeights = MiganWeights()  # the terms' weights


def build(section: Mapping[str, Any]) -> Migan:
    """The method for a config's `method` section; a UserError, too, where no term is left. No teacher is read."""
    settings = bind(section, MiganSettings, "config.method")
    if not (settings.loss.adversarial or settings.loss.l1 or (settings.teacher and settings.loss.distillation)):
        raise UserError("config.method.loss leaves no term to train with; give one of its weights, or a teacher")
    return Migan(settings)


class Migan(AdversarialMethod):
    """The method: a generator and a critic, trained alternately on one forward pass of the generator a step."""

    def __init__(self, settings: MiganSettings) -> None:
        generator = MiganGenerator(
            settings.width, settings.halvings, settings.max_channels, settings.noise, settings.kernels
        )
        critic = MiganCritic(settings.critic_width, settings.halvings, settings.max_channels)
        super().__init__(settings, generator, PatchCritic(critic))
        self.stride = 2**settings.halvings
        if not settings.teacher:
            self.weights.pop("distillation", None)

    @property
    def least_size(self) -> int:
        """The critic's last map has 4 pixels a side, or more."""
        return END * self.stride

    def init(self, rng: Array, example: Example) -> Variables:
        """Fresh variables of both networks; nothing of `example` matters."""
        del example
        generator_rng, critic_rng = jax.random.split(rng)
        blank = jnp.zeros((1, self.least_size, self.least_size, 4))
        made = {"generator": self.generator.init(generator_rng, blank[..., :3], blank[..., 3:], train=False)}
        if "critic" in self.networks:
            made["critic"] = self.critic.network.init(critic_rng, blank)
        return fresh(made)

    @functools.cached_property
    def teacher(self) -> Teacher:
        """The network to learn from, read when it is first asked for; a UserError where it cannot be."""
        return Teacher.load(self.settings.teacher)

    def load_frozen(self) -> Trees:
        """The teacher's variables, where there is one."""
        return {"teacher": self.teacher.tree} if "distillation" in self.weights else {}

    def frozen_shapes(self) -> Trees:
        """What `load_frozen` returns, by its shapes alone."""
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), self.load_frozen())

    def predict(self, variables: Variables, observation: Observation, rng: Array) -> Prediction:
        """Fills the hole, with the noise that the variables hold."""
        del rng
        seen = (observation.image, observation.known)
        return Prediction(jnp.clip(self.generator.apply(variables.of("generator"), *seen, train=False)[-1], 0, 1))

    def generator_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The first update; the critic sees the completion."""
        del carried
        seen, networks = example.observe(), {"params": params["generator"], **stats["generator"]}
        noise_rng, teacher_rng = jax.random.split(rng)
        pictures = self.generator.apply(networks, seen.image, seen.known, train=True, rngs={"noise": noise_rng})
        completion = complete(example.image, pictures[-1], example.known)
        terms = {"l1": l1(pictures[-1], example.image).mean()}
        if "critic" in self.networks:
            logits = self.critic.network.apply({"params": frozen["critic"]}, critic_input(completion, example.known))
            terms["adversarial"] = logistic_generator(logits).mean()
        if "distillation" in self.weights:
            taught = jax.lax.stop_gradient(self.teacher.fill(frozen["teacher"], seen, teacher_rng))
            terms["distillation"] = distillation(pictures, taught, example.known)
        return self.weigh(terms, {}, completion)

    def critic_loss(
        self, params: Trees, frozen: Trees, stats: Trees, example: Example, carried: Any, rng: Array
    ) -> tuple[Array, Aux]:
        """The second update: photographs against completions, and the penalty."""
        del frozen, stats, rng

        def of_real(real: Array) -> tuple[Array, Array]:
            logits = self.critic.network.apply({"params": params["critic"]}, real)  # [B,h,w,1]
            return logits.sum(), logits

        slopes, real = jax.grad(of_real, has_aux=True)(critic_input(example.image, example.known))  # [B,H,W,4]
        fake = self.critic.network.apply({"params": params["critic"]}, critic_input(carried, example.known))
        penalty = jnp.mean(jnp.sum(jnp.square(slopes), axis=(1, 2, 3)))
        loss = logistic_critic(real, fake).mean() + 0.5 * self.settings.gradient_penalty * penalty
        terms = critic_terms("critic", loss, real, fake) | {"critic_slope": penalty}
        return loss, Aux(terms, {})


def critic_input(image: Array, known: Array) -> Array:
    """What the critic sees of [B,H,W,3] in [0, 1] and known: [B,H,W,4]."""
    return jnp.concatenate([known - 0.5, 2 * image - 1], axis=-1)


def distillation(pictures: tuple[Array, ...], taught: Array, known: Array) -> Array:
    """The mean absolute difference in the hole, added up over the levels of at least 32 pixels and the largest: [].

    `pictures` are [B,H/2^l,W/2^l,3], the largest last, and are compared with the means of `taught` [B,H,W,3] over as
    many pixels; `known` [B,H,W,1] counts by every 2^l-th.
    """
    total = jnp.zeros(())
    batch, height, _, _ = taught.shape
    for picture in pictures:
        _, high, wide, _ = picture.shape
        step = height // high
        if min(high, wide) >= MIN_SIDE or step == 1:
            mean = taught.reshape(batch, high, step, wide, step, 3).mean(axis=(2, 4))
            total += (l1(picture, mean) * (1 - known[:, ::step, ::step])).mean()
    return total


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A trained network that is learned from."""

    method: Method
    tree: Trees  # {"params": ..., "stats": ...}, float32

    @classmethod
    def load(cls, name: str) -> Teacher:
        """A bundle's or an imported network; a UserError where there is none, or none that can teach this method."""
        where = "config.method.teacher"
        folder = pathlib.Path(name)
        if not folder.exists():
            folder = registry.imported_bundle(name) or folder
        if not (folder / BUNDLE).is_file():
            raise UserError(f"{where}: there is no bundle {name}; of a run it is made by python -m scan_jax export")
        config = read_sections(folder / CONFIG, "export the bundle anew")
        bundle.check(folder, config)
        section = config.get("method", {})
        if section.get("name") == NAME:
            raise UserError(f"{where}: {name} is a {NAME} itself, from which nothing is to be learned; give another")
        method = api.build_method(section)
        if method.num_labels:
            raise UserError(f"{where}: {name} wants labels, and {NAME} is trained without; give another")
        tree, _ = bundle.load(folder, config)
        return cls(method, jax.tree.map(lambda leaf: np.asarray(leaf, np.float32), tree))

    def fill(self, tree: Trees, seen: Observation, rng: Array) -> Array:
        """Its prediction [B,H,W,3], whose sides must be multiples of its stride, too."""
        return self.method.predict(Variables(tree["params"], tree["stats"]), seen, rng).image
