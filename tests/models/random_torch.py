"""Random weights for public PyTorch networks with batch normalisation."""

import pytest


def randomize(network):
    """Kernels by the size of their inputs, scales about 1, biases about 0, statistics that count; constants stay."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in (p for p in network.parameters() if p.requires_grad):
            if parameter.ndim > 1:
                torch.nn.init.kaiming_normal_(parameter)
            else:
                parameter.uniform_(-0.2, 0.2)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
    return network
