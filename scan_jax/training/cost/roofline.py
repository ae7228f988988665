"""How fast a step could be at best: its operations and bytes over the rates that the makers state.

A roofline (Williams et al. 2009) with a third roof for the links. It leaves out everything else that takes time, the
input pipeline and the host among it, so it is a bound, not a forecast.
"""

from __future__ import annotations

import dataclasses

from scan_jax.training.cost.accelerators import Accelerator, Network, Precision
from scan_jax.training.cost.estimate import Estimate


@dataclasses.dataclass(frozen=True)
class Roofline:
    """Seconds of a step.

    Attributes:
      compute: matrix products and convolutions at their peak rate, evenly shared.
      memory: the device's memory traffic at its peak rate.
      network: the collectives one after the other, at the links' rate and latency.
      peak: operations a second of all devices together, what a utilisation is a share of.
    """

    compute: float
    memory: float
    network: float
    peak: float

    @property
    def alone(self) -> float:
        """On one device with the same share of the batch."""
        return max(self.compute, self.memory)

    @property
    def shortest(self) -> float:
        """If all communication goes on behind the computation."""
        return max(self.alone, self.network)

    @property
    def longest(self) -> float:
        """If none does."""
        return self.alone + self.network

    @property
    def efficiency(self) -> tuple[float, float]:
        """Of scaling at a fixed batch a device: the time alone over the longest and the shortest time."""
        return self.alone / self.longest, self.alone / self.shortest


def roofline(found: Estimate, accelerator: Accelerator, network: Network, dtype: Precision) -> Roofline:
    """The bounds of a step.

    Args:
      found: of the step.
      accelerator: of every device.
      network: of them all.
      dtype: of convolutions and products that ask for no higher precision.
    """
    peak, devices = accelerator.flops[dtype], found.devices
    compute = (found.flops.default / peak + found.flops.highest / accelerator.flops["highest"]) / devices
    sent = sum(each.sent for each in found.collectives) / network.bandwidth
    # Two passes, as an all-reduce is a reduction and a broadcast.
    waited = sum(2 * each.count for each in found.collectives if each.group > 1) * network.latency
    return Roofline(compute, found.accessed / accelerator.bandwidth, sent + waited, peak * devices)


def table(bound: Roofline, accelerator: Accelerator, network: Network, batch_size: int) -> str:
    """The bounds for people, with what they stand on."""
    worst, best = bound.efficiency
    return "\n".join(
        (
            f"roofline on {accelerator.name}: {bound.peak / 1e12:,.0f} TFLOP/s in all (the denominator of MFU), "
            f"memory {accelerator.bandwidth / 1e9:,.0f} GB/s each, links {network.bandwidth / 1e9:,.0f} GB/s and "
            f"{network.latency * 1e6:.0f} us each",
            f"  matrix products      {bound.compute * 1e3:>10.3f} ms",
            f"  memory               {bound.memory * 1e3:>10.3f} ms",
            f"  collectives          {bound.network * 1e3:>10.3f} ms",
            f"  step                 {bound.shortest * 1e3:>10.3f} ms if communication is hidden, "
            f"{bound.longest * 1e3:.3f} ms if not: at most {batch_size / bound.shortest:,.0f} images/s",
            f"  scaling efficiency   {worst:>10.1%} to {best:.1%} of one device's speed at the same batch for each",
        )
    )
