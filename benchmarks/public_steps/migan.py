"""MI-GAN's generator and critic, as Picsart-AI-Research/MI-GAN trains them, but for the teacher."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.public_steps.batch import Batch, Step, adam, as_torch
from benchmarks.public_steps.clones import load

WIDTH = 256  # channels at level 0; with 5 halvings these are the published networks without their largest level
SECTION = {"name": "migan", "width": WIDTH, "halvings": 5, "noise": 128, "critic_width": WIDTH}
PHASE = ""


def public_step(clones: Path, batch: Batch) -> Step:
    """A step of both; the penalty in every one, as here, where the public code has it in every 16th."""
    module, side = load(clones, "MI-GAN", "lib.model_zoo.migan"), batch.image.shape[1]
    kinds = {"depthwise": True, "reparametrize": True, "num_reparam_tensors": 9}
    size = {"resolution": side, "ch_base": WIDTH * side, "ch_max": 512}
    fill = module.Generator(module.Encoder(ic_n=4, **size, **kinds), module.Synthesis(**size, **kinds))
    critic = module.Discriminator(ic_n=4, **size, **kinds)
    image, known, optimizers = as_torch(batch.image) * 2 - 1, as_torch(batch.known), (adam(fill), adam(critic))
    softplus = torch.nn.functional.softplus

    def take() -> None:
        filled = fill(torch.cat((known - 0.5, image * known), 1))
        made = torch.cat((known - 0.5, filled * (1 - known) + image * known), 1)
        optimizers[0].zero_grad()
        softplus(-critic(made)).mean().backward()
        optimizers[0].step()
        real = torch.cat((known - 0.5, image), 1).requires_grad_()
        answers = critic(real)
        (slopes,) = torch.autograd.grad(answers.sum(), real, create_graph=True)
        loss = softplus(critic(made.detach())).mean() + softplus(-answers).mean()
        optimizers[1].zero_grad()
        (loss + 5 * slopes.square().sum((1, 2, 3)).mean()).backward()
        optimizers[1].step()

    return take
