"""Convolutions of PyTorch state dicts, checked and turned into Flax's layout."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from scan_jax.errors import UserError
from scan_jax.weights import safetensors_tree
from scan_jax.weights.torch_file import load_state


class State:
    """The arrays of a file by PyTorch's names, of which each is taken with the shape that it must have."""

    def __init__(self, path: pathlib.Path, title: str) -> None:
        """Reads a `.pth` file, or a `.safetensors` one with PyTorch's names.

        Args:
          path: the file.
          title: what it should hold, for messages, such as "torchvision VGG-19".

        Raises:
          UserError: the file cannot be read, or PyTorch is needed and absent.
        """
        self._arrays: Mapping[str, Any]
        self._arrays = safetensors_tree.load(path)[0] if path.suffix == ".safetensors" else load_state(path)
        self._path, self._title = path, title

    def array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """One array, float32.

        Raises:
          UserError: the file has none of this name and shape.
        """
        if name not in self._arrays:
            raise UserError(f"{self._path} is no {self._title}: it has no {name!r}")
        array = np.asarray(self._arrays[name], dtype=np.float32)
        if array.shape != shape:
            raise UserError(f"{self._path} is no {self._title}: {name!r} has shape {array.shape}, not {shape}")
        return array

    def convolution(self, name: str, shape: tuple[int, int, int, int]) -> dict[str, np.ndarray]:
        """`name.weight` and `name.bias` as {"kernel": [h,w,I,O], "bias": [O]}.

        Args:
          name: of the layer.
          shape: of its kernel in Flax's order, [h,w,I,O].

        Raises:
          UserError: the file has no such convolution.
        """
        height, width, channels, out = shape
        weight = self.array(f"{name}.weight", (out, channels, height, width))
        return {"kernel": weight.transpose(2, 3, 1, 0), "bias": self.array(f"{name}.bias", (out,))}
