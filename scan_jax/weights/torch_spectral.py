"""Spectrally normalised convolutions of PyTorch state dicts, and the patch critic that is made of them."""

from __future__ import annotations

import numpy as np

from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_convolutions import State

CRITIC_LAYERS = 5


def spectral(state: State, name: str, shape: tuple[int, int, int, int], *, transposed: str = "") -> tuple[Tree, Tree]:
    """Parameters {"kernel": [h,w,I,O] (, "bias": [O])} and {"vectors": {"u": [O], "v": [h*w*I]}} of a convolution.

    PyTorch's v runs over (in, height, width), ours over (height, width, in). Files of PyTorch 1.0 hold no v, but the
    kernel as it was after the division: then v is what u leads to, at the length that makes the quotient the same.

    Args:
      state: of the file.
      name: of the layer.
      shape: of its kernel, [h,w,I,O].
      transposed: "transposed" for a transposed convolution, whose inputs PyTorch puts first.

    Raises:
      UserError: the file has no such layer.
    """
    height, width, inputs, outputs = shape
    kernel = _oriented(state, f"{name}.weight_orig", shape, transposed)
    params = {"kernel": kernel}
    if f"{name}.bias" in state:
        params["bias"] = state.array(f"{name}.bias", (outputs,))
    u = state.array(f"{name}.weight_u", (outputs,))
    if f"{name}.weight_v" in state:
        v = state.array(f"{name}.weight_v", (inputs * height * width,))
        return params, {"vectors": {"u": u, "v": v.reshape(inputs, height, width).transpose(1, 2, 0).reshape(-1)}}
    led_to = kernel.reshape(-1, outputs) @ u  # [h*w*I]
    divided = _oriented(state, f"{name}.weight", shape, transposed)
    sigma = np.linalg.norm(kernel) / np.linalg.norm(divided)
    return params, {"vectors": {"u": u, "v": (led_to * (sigma / np.square(led_to).sum())).astype(np.float32)}}


def _oriented(state: State, name: str, shape: tuple[int, int, int, int], transposed: str) -> np.ndarray:
    """A kernel as [h,w,I,O]."""
    height, width, inputs, outputs = shape
    if transposed:
        return state.array(name, (inputs, outputs, height, width)).transpose(2, 3, 0, 1)
    return state.array(name, (outputs, inputs, height, width)).transpose(2, 3, 1, 0)


def patch_critic(state: State, channels: int, prefix: str = "") -> tuple[Tree, Tree]:
    """Parameters and statistics of EdgeConnect's critic, `PatchDiscriminator` here.

    Args:
      state: of the file.
      channels: of the images that it judges.
      prefix: of its names in the file.

    Raises:
      UserError: the file holds no such critic.
    """
    width = state.shape(f"{prefix}conv1.0.weight_orig")[0]
    widths = [channels, width, 2 * width, 4 * width, 8 * width, 1]
    params: Tree = {}
    vectors: Tree = {}
    for index in range(CRITIC_LAYERS):
        shape = (4, 4, widths[index], widths[index + 1])
        layer = f"SpectralConv_{index}"
        params[layer], vectors[layer] = spectral(state, f"{prefix}conv{index + 1}.0", shape)
    return params, {"spectral": vectors}
