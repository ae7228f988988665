"""Convolutions of PyTorch state dicts, checked and turned into Flax's layout."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.weights import safetensors_tree
from scan_jax.weights.torch_file import load_state


class State:
    """The arrays of a file by PyTorch's names, of which each is taken with the shape that it must have."""

    def __init__(self, path: pathlib.Path, title: str, section: str = "") -> None:
        """Reads a `.pth` file, or a `.safetensors` one with PyTorch's names.

        Args:
          path: the file.
          title: what it should hold, for messages, such as "torchvision VGG-19".
          section: under which a `.pth` file may keep the state dict, beside other things of a training.

        Raises:
          UserError: the file cannot be read, or PyTorch is needed and absent.
        """
        self._arrays: Mapping[str, Any]
        self._arrays = safetensors_tree.load(path)[0] if path.suffix == ".safetensors" else load_state(path, section)
        self._path, self._title = path, title

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def shape(self, name: str) -> tuple[int, ...]:
        """Of one array.

        Raises:
          UserError: the file has none of this name.
        """
        if name not in self._arrays:
            raise UserError(f"{self._path} is no {self._title}: it has no {name!r}")
        return tuple(self._arrays[name].shape)

    def array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """One array, float32.

        Raises:
          UserError: the file has none of this name and shape.
        """
        found = self.shape(name)
        if found != shape:
            raise UserError(f"{self._path} is no {self._title}: {name!r} has shape {found}, not {shape}")
        return np.asarray(self._arrays[name], dtype=np.float32)

    def kernel(self, name: str, shape: tuple[int, int, int, int]) -> np.ndarray:
        """`name.weight` of a convolution as [h,w,I,O].

        Args:
          name: of the layer.
          shape: in Flax's order, [h,w,I,O].

        Raises:
          UserError: the file has no such convolution.
        """
        height, width, channels, out = shape
        return self.array(f"{name}.weight", (out, channels, height, width)).transpose(2, 3, 1, 0)

    def convolution(self, name: str, shape: tuple[int, int, int, int]) -> dict[str, np.ndarray]:
        """`name.weight` and `name.bias` as {"kernel": [h,w,I,O], "bias": [O]}.

        Args:
          name: of the layer.
          shape: of its kernel in Flax's order, [h,w,I,O].

        Raises:
          UserError: the file has no such convolution.
        """
        return {"kernel": self.kernel(name, shape), "bias": self.array(f"{name}.bias", shape[3:])}

    def batch_norm(self, name: str, channels: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """A batch normalisation's {"scale": [C], "bias": [C]} and its running {"mean": [C], "variance": [C]}.

        Raises:
          UserError: the file has no such layer.
        """
        params = {"scale": f"{name}.weight", "bias": f"{name}.bias"}
        stats = {"mean": f"{name}.running_mean", "variance": f"{name}.running_var"}
        one, other = ({ours: self.array(theirs, (channels,)) for ours, theirs in d.items()} for d in (params, stats))
        return one, other
