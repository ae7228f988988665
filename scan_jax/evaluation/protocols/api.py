"""Where to find a protocol: `scan_jax/evaluation/protocols/scan_celeba_hq.py` is "scan_celeba_hq"."""

from __future__ import annotations

import scan_jax.evaluation.protocols
from scan_jax.core import registry
from scan_jax.evaluation.protocol import Protocol


def names() -> list[str]:
    """All protocols."""
    return [module.__name__.rsplit(".", 1)[1] for module in registry.choices(scan_jax.evaluation.protocols, "PROTOCOL")]


def find_protocol(name: str, where: str = "--protocol") -> Protocol:
    """The protocol of that name.

    Args:
      name: such as "scan_celeba_hq".
      where: what named it, for messages.

    Raises:
      UserError: there is none; it names the nearest.
    """
    return registry.find(scan_jax.evaluation.protocols, name, "PROTOCOL", where).PROTOCOL
