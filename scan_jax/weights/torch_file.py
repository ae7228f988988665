"""State dicts of PyTorch, read without running any code that the file may hold."""

from __future__ import annotations

import pathlib
import pickle
from collections.abc import Mapping

import numpy as np

from scan_jax.core.errors import UserError


def load_state(path: pathlib.Path, section: str = "") -> dict[str, np.ndarray]:
    """The tensors of a `.pth` state dict by name, float32.

    Args:
      path: the file.
      section: under which the file may keep the state dict, beside other things of a training.

    Raises:
      UserError: the file cannot be read or holds no state dict, or PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise UserError(f"reading {path.name} needs PyTorch, which is not installed: pip install torch") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        line = str(error).partition("\n")[0]
        raise UserError(f"{path} is damaged or no PyTorch state dict ({line}); get it anew") from error
    if not isinstance(state, Mapping):
        raise UserError(f"{path} holds a {type(state).__name__}, not a state dict of tensors")
    if isinstance(state.get(section), Mapping):
        state = state[section]
    return {key: value.float().numpy() for key, value in state.items() if isinstance(value, torch.Tensor)}
