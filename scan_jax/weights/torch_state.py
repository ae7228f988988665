"""PyTorch state dicts: read, checked, and their layers turned into Flax's layout.

Whatever cannot be read, is not there or has another shape is a UserError; and so is a `.pth` file without PyTorch.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import pathlib
import pickle
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.weights import safetensors_tree
from scan_jax.weights.safetensors_tree import Tree

Shape = tuple[int, int, int, int]  # of a kernel, [h,w,I,O]
# What wraps a network for training puts before every name: several GPUs, torch.compile, a class around it.
WRAPPERS = ("module.", "_orig_mod.", "net.")


class State:
    """The arrays of a file by PyTorch's names, of which each is taken with the shape that it must have."""

    def __init__(
        self, path: pathlib.Path, title: str, section: str = "", arrays: Mapping[str, Any] | None = None
    ) -> None:
        """Reads a `.pth` file, or a `.safetensors` one with PyTorch's names; not where its `arrays` are given.

        The `title` says in messages what it should hold, such as "torchvision VGG-19". A `.pth` file may keep the state
        dict under a `section`, beside other things of a training. What wrappers put before every name is taken off.
        """
        if arrays is None:
            arrays = safetensors_tree.load(path)[0] if path.suffix == ".safetensors" else _load_pth(path, section)
        self._arrays: Mapping[str, Any] = _unwrap(arrays)
        self._path, self._title, self._prefix = path, title, ""

    def under(self, name: str) -> State:
        """The same file, of which only names that begin with `name` and a dot are seen, and without that."""
        part = copy.copy(self)
        part._prefix = f"{self._prefix}{name}."
        return part

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._arrays

    def shape(self, name: str) -> tuple[int, ...]:
        """Of one array."""
        if name not in self:
            raise UserError(f"{self._path} is no {self._title}: it has no {self._prefix + name!r}")
        return tuple(self._arrays[self._prefix + name].shape)

    def array(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """One array, float32, of any shape where none is given."""
        found = self.shape(name)
        if shape is not None and found != shape:
            raise UserError(f"{self._path} is no {self._title}: {self._prefix + name!r} has shape {found}, not {shape}")
        return np.asarray(self._arrays[self._prefix + name], dtype=np.float32)

    def kernel(self, name: str, shape: Shape | None = None, *, transposed: bool = False) -> np.ndarray:
        """A convolution's weight as [h,w,I,O], of which `shape` is in this order; if transposed, [I,O,h,w] before."""
        theirs, ours = ((2, 3, 0, 1), (2, 3, 0, 1)) if transposed else ((3, 2, 0, 1), (2, 3, 1, 0))
        return self.array(name, shape and tuple(shape[axis] for axis in theirs)).transpose(ours)

    def convolution(self, name: str, shape: Shape | None = None, *, transposed: bool = False) -> dict[str, np.ndarray]:
        """`name.weight` and `name.bias` as {"kernel": [h,w,I,O], "bias": [O]}, of which `shape` is the kernel's."""
        kernel = self.kernel(f"{name}.weight", shape, transposed=transposed)
        return {"kernel": kernel, "bias": self.array(f"{name}.bias", kernel.shape[3:])}

    def batch_norm(self, name: str, channels: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """A batch normalisation's {"scale": [C], "bias": [C]} and its running {"mean": [C], "variance": [C]}."""
        params = {"scale": f"{name}.weight", "bias": f"{name}.bias"}
        stats = {"mean": f"{name}.running_mean", "variance": f"{name}.running_var"}
        one, other = ({ours: self.array(theirs, (channels,)) for ours, theirs in d.items()} for d in (params, stats))
        return one, other


def spectral(state: State, name: str, shape: Shape, *, transposed: bool = False) -> tuple[Tree, Tree]:
    """Parameters {"kernel": [h,w,I,O] (, "bias": [O])} and {"vectors": {"u": [O], "v": [h*w*I]}} of a convolution.

    PyTorch's v runs over (in, height, width), ours over (height, width, in). Files of PyTorch 1.0 hold no v, but the
    kernel as it was after the division: then v is what u leads to, at the length that makes the quotient the same.
    `shape` is the kernel's, [h,w,I,O]; `transposed` is for a transposed convolution, whose inputs PyTorch puts first.
    """
    height, width, inputs, outputs = shape
    kernel = state.kernel(f"{name}.weight_orig", shape, transposed=transposed)
    params = {"kernel": kernel}
    if f"{name}.bias" in state:
        params["bias"] = state.array(f"{name}.bias", (outputs,))
    u = state.array(f"{name}.weight_u", (outputs,))
    if f"{name}.weight_v" in state:
        v = state.array(f"{name}.weight_v", (inputs * height * width,))
        return params, {"vectors": {"u": u, "v": v.reshape(inputs, height, width).transpose(1, 2, 0).reshape(-1)}}
    led_to = kernel.reshape(-1, outputs) @ u  # [h*w*I]
    divided = state.kernel(f"{name}.weight", shape, transposed=transposed)
    sigma = np.linalg.norm(kernel) / np.linalg.norm(divided)
    return params, {"vectors": {"u": u, "v": (led_to * (sigma / np.square(led_to).sum())).astype(np.float32)}}


def side_by_side(state: State, *names: str, shape: Shape | None = None) -> dict[str, np.ndarray]:
    """Convolutions of one map as one, along the outputs."""
    parts = [state.convolution(name, shape) for name in names]
    return {key: np.concatenate([part[key] for part in parts], axis=-1) for key in ("kernel", "bias")}


def patch_critic(state: State, channels: int, prefix: str = "") -> tuple[Tree, Tree]:
    """Parameters and statistics of EdgeConnect's critic of images of so many channels, `PatchDiscriminator` here."""
    width = state.shape(f"{prefix}conv1.0.weight_orig")[0]
    widths = [channels, width, 2 * width, 4 * width, 8 * width, 1]
    params: Tree = {}
    vectors: Tree = {}
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        layer, theirs = f"SpectralConv_{index}", f"{prefix}conv{index + 1}.0"
        params[layer], vectors[layer] = spectral(state, theirs, (4, 4, inputs, outputs))
    return params, {"spectral": vectors}


def residual_settings(generator: Tree, params: Tree) -> dict[str, int]:
    """Width and number of blocks of a generator for a config's `method`, and the critic's width if there is one."""
    blocks = sum(name.startswith("block") for name in generator)
    told = {"width": generator["in"]["kernel"].shape[3], "blocks": blocks}
    if "critic" in params:
        told["critic_width"] = params["critic"]["SpectralConv_0"]["kernel"].shape[3]
    return told


def prefix_before(first: str, names: Collection[str], path: pathlib.Path, title: str) -> str:
    """What stands before the name `first` of an array, and before all others of its network.

    Not of its moving average, whose prefix is longer. A UserError with the nearest name where it is not there.
    """
    prefixes = [name.removesuffix(first) for name in names if name.endswith(first)]
    if not prefixes:
        near = difflib.get_close_matches(first, names, n=1, cutoff=0)
        nearest = f"; the nearest that it has is {near[0]!r}" if near else ""
        raise UserError(f"{path} is no {title}: it has no {first!r}{nearest}")
    return min(prefixes, key=len)


def _unwrap(arrays: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arrays without the prefixes of `WRAPPERS` that every name has, each at most once."""
    left = list(WRAPPERS)
    while found := next((one for one in left if arrays and all(name.startswith(one) for name in arrays)), None):
        left.remove(found)
        arrays = {name.removeprefix(found): array for name, array in arrays.items()}
    return arrays


def _load_pth(path: pathlib.Path, section: str = "") -> dict[str, np.ndarray]:
    """The tensors of a `.pth` state dict by name, float32."""
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
