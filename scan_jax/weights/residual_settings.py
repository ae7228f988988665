"""What arrays tell of the settings behind them, for the generators that EdgeConnect and Region Normalization share."""

from __future__ import annotations

from scan_jax.weights.safetensors_tree import Tree


def residual_settings(generator: Tree, params: Tree) -> dict[str, int]:
    """The widths and number of blocks of a config's `method`; the critic's only where there is one.

    Args:
      generator: parameters of an encoder, residual blocks and a decoder.
      params: of all networks.
    """
    told = {
        "width": generator["in"]["kernel"].shape[3],
        "blocks": sum(name.startswith("block") for name in generator),
    }
    if "critic" in params:
        told["critic_width"] = params["critic"]["SpectralConv_0"]["kernel"].shape[3]
    return told
