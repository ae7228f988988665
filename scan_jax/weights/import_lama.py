"""LaMa's generator (Suvorov et al. 2022) from the files in which it is published, none of which is run.

These are the checkpoint of the training, also inside of its big-lama.zip, TorchScript, and safetensors with the names
of either. Other widths and numbers of blocks than Big-LaMa's are read, too, as long as there are Fourier convolutions.
"""

from __future__ import annotations

import itertools
import pathlib
from typing import Any

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.weights import safetensors_tree, torch_archive
from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import Shape, State, prefix_before

SIZE = 512  # of the paper's tests; it was trained on crops of 256
TITLE = "LaMa generator with Fourier convolutions"
FIRST = "model.1.ffc.convl2l.weight"
HALVINGS = 3
PUBLISHED = {
    "big-lama.pt": "344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9",
    "best.ckpt": "fccb7adffd53ec0974ee5503c3731c2c2f1e7e07856fd9228cdcc0b46fd5d423",
}


def config(tree: Tree) -> dict[str, Any]:
    """What the bundle of such a generator says of it: the settings that its arrays tell, and the size."""
    params = tree["params"]["generator"]
    blocks = sum(name.startswith("block") for name in params)
    return {
        "method": {"name": "lama", "width": params["in"]["kernel"].shape[3], "blocks": blocks},
        "data": {"size": SIZE},
    }


def read(path: pathlib.Path) -> Tree:
    """The variables of the method `lama`, float32.

    {"params": {"generator": ...}, "stats": {"generator": {"batch_stats": ...}}}
    """
    reader = _Reader(State(path, TITLE, arrays=_arrays(path)))
    reader.read()
    params, stats = map(safetensors_tree.unflatten, (reader.params, reader.stats))
    return {"params": {"generator": params}, "stats": {"generator": {"batch_stats": stats}}}


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The generator's, by their names in it."""
    if path.suffix == ".onnx":
        raise UserError(
            f"{path} is an ONNX export, in which the names of the weights are lost; give big-lama.pt or best.ckpt"
        )
    if path.suffix != ".safetensors":
        return torch_archive.read(path, lambda names: prefix_before(FIRST, names, path, TITLE))
    found = safetensors_tree.load(path)[0]
    prefix = prefix_before(FIRST, found, path, TITLE)
    return {name.removeprefix(prefix): array for name, array in found.items() if name.startswith(prefix)}


class _Reader:
    """Collects parameters and statistics of all layers, by our paths."""

    def __init__(self, state: State) -> None:
        self.params: Tree = {}
        self.stats: Tree = {}
        self._state = state.under("model")

    def read(self) -> None:
        """From the first layer to the last, of which theirs are numbered, those without weights too."""
        state, width = self._state, self._state.shape("1.ffc.convl2l.weight")[0]
        self._conv("in", "1.ffc.convl2l", (7, 7, 4, width))
        self._norm("in_norm", "1.bn_l", width)
        for level in range(1, HALVINGS):
            outputs = 2**level * width
            self._conv(f"down{level}", f"{level + 1}.ffc.convl2l", (3, 3, outputs // 2, outputs))
            self._norm(f"down{level}_norm", f"{level + 1}.bn_l", outputs)
        channels, place = 2**HALVINGS * width, HALVINGS + 1
        self._of_local(f"down{HALVINGS}", f"{place}.ffc", channels // 2, channels)
        self._norms(f"down{HALVINGS}_norm", f"{place}", channels)
        for index in itertools.takewhile(lambda i: f"{HALVINGS + 2 + i}.conv1.bn_l.weight" in state, itertools.count()):
            place = HALVINGS + 2 + index
            self._fourier(f"block{index}/first", f"{place}.conv1", channels)
            self._fourier(f"block{index}/second", f"{place}.conv2", channels)
        place += 2
        for level in range(HALVINGS - 1, -1, -1):
            shape = (3, 3, 2 ** (level + 1) * width, 2**level * width)
            self.params[f"up{level}"] = state.convolution(f"{place}", shape, transposed=True)
            self._norm(f"up{level}_norm", f"{place + 1}", shape[3])
            place += 3
        self.params["out"] = state.convolution(f"{place + 1}", (7, 7, width, 3))

    def _fourier(self, ours: str, theirs: str, channels: int) -> None:
        """A fast Fourier convolution and the normalisations after it."""
        whole = channels * 3 // 4
        spectral, waves, inside = f"{ours}/spectral", f"{ours}/spectral/waves", f"{theirs}.ffc.convg2g"
        if f"{inside}.lfu.conv_layer.weight" in self._state:
            raise UserError(f"a {TITLE} with local Fourier units, which this one has not; give Big-LaMa's")
        self._of_local(f"{ours}/from_local", f"{theirs}.ffc", channels - whole, channels)
        self._conv(f"{ours}/to_local", f"{theirs}.ffc.convg2l", (3, 3, whole, channels - whole))
        self._conv(f"{spectral}/narrow", f"{inside}.conv1.0", (1, 1, whole, whole // 2))
        self._norm(f"{spectral}/narrow_norm", f"{inside}.conv1.1", whole // 2)
        self._conv(waves, f"{inside}.fu.conv_layer", (1, 1, whole, whole))
        self._norm(f"{waves}_norm", f"{inside}.fu.bn", whole)
        # Theirs alternate between real and imaginary parts; ours have all real ones first.
        order = np.arange(whole).reshape(-1, 2).T.ravel()
        self.params[waves]["kernel"] = self.params[waves]["kernel"][:, :, order]
        for tree in (self.params[waves], self.params[f"{waves}_norm"], self.stats[f"{waves}_norm"]["norm"]):
            tree.update({name: array[..., order] for name, array in tree.items()})
        self._conv(f"{spectral}/widen", f"{inside}.conv2", (1, 1, whole // 2, whole))
        self._norms(f"{ours}_norm", theirs, channels)

    def _of_local(self, ours: str, theirs: str, inputs: int, outputs: int) -> None:
        """The two convolutions of the local channels, to local and to global ones, as one."""
        whole = outputs * 3 // 4
        parts = (("convl2l", outputs - whole), ("convl2g", whole))
        kernels = [self._state.kernel(f"{theirs}.{name}.weight", (3, 3, inputs, count)) for name, count in parts]
        self.params[ours] = {"kernel": np.concatenate(kernels, axis=-1)}

    def _norms(self, ours: str, theirs: str, channels: int) -> None:
        """Of the local and of the global channels."""
        whole = channels * 3 // 4
        self._norm(f"{ours}_local", f"{theirs}.bn_l", channels - whole)
        self._norm(f"{ours}_global", f"{theirs}.bn_g", whole)

    def _conv(self, ours: str, theirs: str, shape: Shape) -> None:
        self.params[ours] = {"kernel": self._state.kernel(f"{theirs}.weight", shape)}

    def _norm(self, ours: str, theirs: str, channels: int) -> None:
        self.params[ours], running = self._state.batch_norm(theirs, channels)
        self.stats[ours] = {"norm": running}


IMPORTERS = {
    "lama": Importer(
        file="big-lama.pt",
        origin="https://github.com/advimman/lama",
        licence="Apache-2.0",
        read=read,
        config=config,
        also=tuple(PUBLISHED.values()),
    )
}
