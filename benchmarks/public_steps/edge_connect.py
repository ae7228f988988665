"""EdgeConnect's joint phase: both generators and both critics, in the order of knazeri/edge-connect."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.public_steps.batch import Batch, Step, adam, as_torch
from benchmarks.public_steps.clones import load

SECTION = {"name": "edge_connect", "loss": {"perceptual": 0.0, "style": 0.0}}
PHASE = "joint"


def public_step(clones: Path, batch: Batch) -> Step:
    """A step without the terms of a feature network, on edges that are given."""
    networks, losses = (load(clones, "edge-connect", name) for name in ("src.networks", "src.loss"))
    game, l1 = losses.AdversarialLoss("nsgan"), torch.nn.L1Loss()
    draw, judge_edges = networks.EdgeGenerator(), networks.Discriminator(2)
    paint, judge = networks.InpaintGenerator(), networks.Discriminator(3)
    optimizers = [adam(network) for network in (judge, paint, judge_edges, draw)]
    image, hole, edges = as_torch(batch.image), as_torch(1 - batch.known), as_torch(batch.edges)
    gray = image.mean(1, keepdim=True)

    def take() -> None:
        drawn = draw(torch.cat((gray * (1 - hole) + hole, edges * (1 - hole), hole), 1))
        real, real_layers = judge_edges(torch.cat((gray, edges), 1))
        fake, _ = judge_edges(torch.cat((gray, drawn.detach()), 1))
        edge_critic_loss = (game(real, True, True) + game(fake, False, True)) / 2
        fake, fake_layers = judge_edges(torch.cat((gray, drawn), 1))
        matching = sum(l1(ours, theirs.detach()) for ours, theirs in zip(fake_layers, real_layers))
        edge_loss = game(fake, True, False) + 10 * matching
        painted = paint(torch.cat((image * (1 - hole) + hole, drawn * hole + edges * (1 - hole)), 1))
        critic_loss = (game(judge(image)[0], True, True) + game(judge(painted.detach())[0], False, True)) / 2
        loss = 0.1 * game(judge(painted)[0], True, False) + l1(painted, image) / hole.mean()
        critics = [*judge.parameters(), *judge_edges.parameters()]
        generators = [*paint.parameters(), *draw.parameters()]
        for total, trained in ((critic_loss + edge_critic_loss, critics), (loss + edge_loss, generators)):
            for parameter, gradient in zip(trained, torch.autograd.grad(total, trained)):
                parameter.grad = gradient
        for optimizer in optimizers:
            optimizer.step()

    return take
