"""Region Normalization: generator and critic, in the order of geekyutao/RN."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.public_steps.batch import Batch, Step, adam, as_torch
from benchmarks.public_steps.clones import load

SECTION = {"name": "region_norm"}
PHASE = ""


def public_step(clones: Path, batch: Batch) -> Step:
    """A step of both."""
    networks, models = (load(clones, "RN", name) for name in ("networks", "models"))
    fill, judge = networks.G_Net(3, 8, 0.8), networks.D_Net(3)
    game, l1, optimizers = models.AdversarialLoss("nsgan"), torch.nn.L1Loss(), (adam(judge), adam(fill))
    image, hole = as_torch(batch.image), as_torch(1 - batch.known)

    def take() -> None:
        filled = fill(image, hole)
        critic_loss = (game(judge(image)[0], True, True) + game(judge(filled.detach())[0], False, True)) / 2
        optimizers[0].zero_grad()
        critic_loss.backward()
        optimizers[0].step()
        completion = filled * hole + image * (1 - hole)
        loss = 0.1 * game(judge(filled)[0], True, False) + l1(image, completion) / hole.mean()
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()

    return take
