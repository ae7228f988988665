"""RFR's one generator, as jingyuanli001/RFR-Inpainting trains it."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.public_steps.batch import Batch, Step, adam, as_torch
from benchmarks.public_steps.clones import load

SECTION = {"name": "rfr", "loss": {"perceptual": 0.0, "style": 0.0}}
PHASE = "first"


def public_step(clones: Path, batch: Batch) -> Step:
    """A step without the terms of a feature network."""
    if not torch.cuda.is_available():  # its attention puts a constant there
        torch.Tensor.cuda = lambda self: self  # type: ignore[method-assign,assignment,misc]
    network = load(clones, "RFR-Inpainting", "modules.RFRNet").RFRNet()
    losses, optimizer = load(clones, "RFR-Inpainting", "model").RFRNetModel(), adam(network)
    image, known = as_torch(batch.image), as_torch(batch.known).expand(-1, 3, -1, -1).contiguous()

    def take() -> None:
        filled, _ = network(image * known, known)
        completion = filled * (1 - known) + image * known
        smoothness = losses.TV_loss(completion * (1 - known))
        valid, hole = losses.l1_loss(image, filled, known), losses.l1_loss(image, filled, 1 - known)
        optimizer.zero_grad()
        (0.1 * smoothness + valid + 6 * hole).backward()
        optimizer.step()

    return take
