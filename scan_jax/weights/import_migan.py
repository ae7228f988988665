"""MI-GAN's generator (Sargsyan et al. 2023) from the files in which it is published, none of which is run.

These are the state dict of the network for inference (for 256 or 512 pixels), its TorchScript, the ONNX pipeline around
it, and safetensors with the same names. In an ONNX file the noise has lost its name and is multiplied by its strength.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.weights import onnx_tensors, safetensors_tree, torch_archive
from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import State, prefix_before

TITLE = "MI-GAN generator for inference"
FIRST = "encoder.b4.conv1.conv1.weight"
END = 4  # pixels a side of the smallest map
PIPELINE = "6f1f3530"  # what the digest of migan_pipeline_v2.onnx begins with; no more of it is known
PIPELINE_BYTES = 28_079_181
SMOOTHING = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
LENGTH_ERROR = 1e-3  # of the length 1 that published kernels have


def config(tree: Tree) -> dict[str, Any]:
    """What the bundle of such a generator says of it: the settings that its arrays tell, and the size."""
    params, noise = tree["params"]["generator"], tree["stats"]["generator"]["noise"]
    halvings = sum(name.startswith("to_image") for name in params) - 1
    width, max_channels = (params[f"encode{level}_first"]["kernel"].shape[2] for level in (0, halvings))
    side = noise["decode0_first"]["tile"].shape[0]
    kernels = (array for name, array in safetensors_tree.flatten(params).items() if name.endswith("kernel"))
    section = {"name": "migan", "width": width, "halvings": halvings, "max_channels": max_channels, "noise": side}
    section["kernels"] = "unit" if all(map(_is_unit, kernels)) else "free"
    return {"method": section, "data": {"size": side}}


def _is_unit(kernel: np.ndarray) -> bool:
    """Whether each output's numbers have the length 1: then dividing by it, as the training does, changes nothing."""
    return bool(np.abs(np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), axis=0) - 1).max() < LENGTH_ERROR)


def read(path: pathlib.Path) -> Tree:
    """The variables of the method `migan`, float32.

    {"params": {"generator": ...}, "stats": {"generator": {"noise": ...}}}
    """
    reader = _Reader(State(path, TITLE, arrays=_arrays(path)), path)
    reader.read()
    params, noise = map(safetensors_tree.unflatten, (reader.params, reader.noise))
    return {"params": {"generator": params}, "stats": {"generator": {"noise": noise}}}


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The generator's, by their names in it."""
    if path.suffix == ".pkl":
        raise UserError(
            f"{path} is a pickle of the training, which is not opened; the public scripts/export_inference_model.py "
            "makes models/migan.pt of it: import that"
        )
    if path.suffix in (".onnx", ".safetensors"):
        found = _of_onnx(path) if path.suffix == ".onnx" else safetensors_tree.load(path)[0]
        prefix = prefix_before(FIRST, found, path, TITLE)
        return {name.removeprefix(prefix): array for name, array in found.items() if name.startswith(prefix)}
    return torch_archive.read(path, lambda names: prefix_before(FIRST, names, path, TITLE))


def _of_onnx(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The constants, those of the noise named again: an addition's square constant of each size, in their order."""
    found, nodes = onnx_tensors.read(path)
    prefix = prefix_before(FIRST, found, path, TITLE)
    seen: dict[int, int] = {}  # how many there were of a size
    additions = (node.inputs for node in nodes if node.kind == "Add")
    for added in (one for inputs in additions for one in inputs if one in found and found[one].ndim == 2):
        tile, side = found[added], len(found[added])
        seen[side] = seen.get(side, 0) + 1
        theirs = f"{prefix}synthesis.b{side}.conv{seen[side]}"
        strength = np.std(tile)
        found[f"{theirs}.noise_strength"] = strength
        found[f"{theirs}.noise_const"] = tile / (strength or np.float32(1))
    return found


class _Reader:
    """Collects parameters and noise of all layers, by our paths."""

    def __init__(self, state: State, path: pathlib.Path) -> None:
        self.params: Tree = {}
        self.noise: Tree = {}
        self._state, self._path = state, path

    def read(self) -> None:
        """From the image down to the smallest map and up again."""
        sides = [END * 2**power for power in range(20, -1, -1)]  # the largest first, which is level 0
        sides = [side for side in sides if f"encoder.b{side}.conv1.conv1.weight" in self._state]
        widths = [self._state.shape(f"encoder.b{side}.conv1.conv1.weight")[0] for side in sides]
        usual = [(sides[0] // 2**level, min(2**level * widths[0], widths[-1])) for level in range(len(sides))]
        if list(zip(sides, widths)) != usual or len(sides) < 2:
            found = ", ".join(f"{width} at {side}" for side, width in zip(sides, widths))
            raise UserError(f"{self._path} is no {TITLE}: its encoder's channels by pixels a side are {found}")
        self._pointwise("from_image", f"encoder.b{sides[0]}.fromrgb", 4, widths[0])
        for level, (side, width) in enumerate(zip(sides, widths)):
            below = widths[min(level + 1, len(sides) - 1)]
            self._separable(f"encode{level}_first", f"encoder.b{side}.conv1", width, width)
            self._separable(f"encode{level}_second", f"encoder.b{side}.conv2", width, below)
            noise = 0 if side == END else side
            self._separable(f"decode{level}_first", f"synthesis.b{side}.conv1", below, width, noise)
            self._separable(f"decode{level}_second", f"synthesis.b{side}.conv2", width, width, noise)
            self._pointwise(f"to_image{level}", f"synthesis.b{side}.torgb", width, 3)
            self._check_smoothing(f"encoder.b{side}.conv2.downsample.filter.weight", 1)
            self._check_smoothing(f"synthesis.b{side}.conv1.upsample.filter.weight", 4)
            self._check_smoothing(f"synthesis.b{side}.upsample.filter.weight", 4)

    def _pointwise(self, ours: str, theirs: str, inputs: int, outputs: int) -> None:
        made = self._state.convolution(theirs, (1, 1, inputs, outputs))
        self.params[ours] = {"kernel": made["kernel"][0, 0], "bias": made["bias"]}

    def _separable(self, ours: str, theirs: str, inputs: int, outputs: int, noise: int = 0) -> None:
        state = self._state
        apart = state.convolution(f"{theirs}.conv1", (3, 3, 1, inputs))
        self.params[ours] = {"kernel": apart["kernel"][:, :, 0], "bias": apart["bias"]}
        kernel = state.kernel(f"{theirs}.conv2.weight", (1, 1, inputs, outputs))
        self.params[f"{ours}/pointwise"] = {"kernel": kernel[0, 0]}
        if noise:
            self.params[f"{ours}/noise_strength"] = state.array(f"{theirs}.noise_strength", ())
            self.noise[ours] = {"tile": state.array(f"{theirs}.noise_const", (noise, noise))}

    def _check_smoothing(self, name: str, gain: int) -> None:
        """The filters of halving and doubling are in the files as weights, and not here: no training changes them."""
        if name in self._state and not np.allclose(self._state.array(name), gain * SMOOTHING, rtol=1e-4):
            raise UserError(f"{self._path} is no {TITLE}: {name!r} is not the smoothing by 1, 3, 3, 1")


IMPORTERS = {
    "migan": Importer(
        file="migan_512_places2.pt",
        origin="https://github.com/Picsart-AI-Research/MI-GAN",
        licence="MIT",
        read=read,
        config=config,
        beginnings={PIPELINE: PIPELINE_BYTES},
    )
}
