"""Big-LaMa's generator and critic, in the order of advimman/lama."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import torch

from benchmarks.public_steps.batch import Batch, Step, adam, as_torch
from benchmarks.public_steps.clones import load

SECTION = {"name": "lama", "loss": {"perceptual": 0.0}}
PHASE = ""
# What its modules import and neither network uses.
UNUSED = {"kornia.geometry.transform": "rotate", "kornia": "SamplePadding", "pytorch_lightning": "seed_everything"}
PLAIN = {"ratio_gin": 0, "ratio_gout": 0, "enable_lfu": False}
FOURIER = {"ratio_gin": 0.75, "ratio_gout": 0.75, "enable_lfu": False}


def generator(clones: Path) -> torch.nn.Module:
    """Big-LaMa's; a UserError without its clone."""
    kinds = {"init_conv_kwargs": PLAIN, "downsample_conv_kwargs": PLAIN, "resnet_conv_kwargs": FOURIER}
    return _modules(clones).FFCResNetGenerator(4, 3, n_blocks=18, add_out_act="sigmoid", **kinds)


def _modules(clones: Path) -> Any:
    for package, name in UNUSED.items():
        stub = types.ModuleType(package)
        setattr(stub, name, None)
        sys.modules.setdefault(package, stub)
    return load(clones, "lama", "saicinpainting.training.modules")


def public_step(clones: Path, batch: Batch) -> Step:
    """A step of both without the perceptual term."""
    modules, fill = _modules(clones), generator(clones)
    losses, matching = (
        load(clones, "lama", f"saicinpainting.training.losses.{name}") for name in ("adversarial", "feature_matching")
    )
    critic = modules.NLayerDiscriminator(3, n_layers=4)
    game = losses.NonSaturatingWithR1(0.001, 10, mask_as_fake_target=True, allow_scale_mask=True)
    image, hole, optimizers = as_torch(batch.image), as_torch(1 - batch.known), (adam(fill), adam(critic))

    def take() -> None:
        filled = fill(torch.cat((image * (1 - hole), hole), 1))
        (_, real), (fake, layers) = critic(image), critic(filled)
        loss = matching.masked_l1_loss(filled, image, hole, 10, 0) + 100 * matching.feature_matching_loss(layers, real)
        loss = loss + game.generator_loss(image, filled, None, fake)[0]
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        game.pre_discriminator_step(image, filled, fill, critic)
        (true, _), (fake, _) = critic(image), critic(filled.detach())
        optimizers[1].zero_grad()
        game.discriminator_loss(image, filled, true, fake, hole)[0].backward()
        optimizers[1].step()

    return take
