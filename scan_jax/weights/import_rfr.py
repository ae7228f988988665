"""RFR's generator (Li et al. 2020) from the public PyTorch code's checkpoints."""

from __future__ import annotations

import pathlib
from typing import Any

from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import State

PUBLISHED_SIZE = 256
# Channels in and out by the width of the map that recurs, and whether the convolution is transposed.
REASONING = {
    "enc1": (1, 2, False),
    "enc2": (2, 4, False),
    "enc3": (4, 8, False),
    "enc4": (8, 8, False),
    "enc5": (8, 8, False),
    "enc6": (8, 8, False),
    "dec5": (16, 8, False),
    "dec4": (16, 8, False),
    "dec3": (16, 8, True),
    "dec2": (12, 4, True),
    "dec1": (6, 1, True),
}


def config(tree: Tree) -> dict[str, Any]:
    """What the bundle of such a generator says of it: the width that its arrays tell, and the size."""
    width = tree["params"]["generator"]["down"]["conv1"]["kernel"].shape[3]
    return {"method": {"name": "rfr", "width": width}, "data": {"size": PUBLISHED_SIZE}}


def read(path: pathlib.Path) -> Tree:
    """The variables of the method `rfr`, float32.

    {"params": {"generator": ...}, "stats": {"generator": {"batch_stats": ...}}}
    """
    reader = _Reader(State(path, "RFR generator", "generator"))
    reader.read()
    return {"params": {"generator": reader.params}, "stats": {"generator": {"batch_stats": reader.stats}}}


class _Reader:
    """Fills two trees, of parameters and of running statistics."""

    def __init__(self, state: State) -> None:
        self.state, self.width = state, state.shape("Pconv1.weight")[0]
        self.params: Tree = {"reason": {}, "bottleneck": {}}
        self.stats: Tree = {"reason": {}, "bottleneck": {}}

    def read(self) -> None:
        """All layers in their order."""
        state, w = self.state, self.width
        self._partial("down", ("Pconv1",), "bn1", 3)
        self._partial("rim", ("Pconv2",), "bn20", w)
        self._partial("shrink", ("Pconv21", "Pconv22"), "bn2", w)
        for name, (inputs, outputs, transposed) in REASONING.items():
            theirs = f"RFRModule.{name[:3]}_{name[3:]}"
            kernel = self._kernel(f"{theirs}.0", inputs * w, outputs * w, transposed=transposed)
            self._block("reason", name, kernel, f"{theirs}.1")
        self.params["reason"]["attention"] = {
            "ratio": state.array("RFRModule.att.att.ratio", (1,)).reshape(()),
            "mix": state.convolution("RFRModule.att.combiner", (1, 1, 16 * w, 8 * w)),
        }
        self._block("", "up", self._kernel("Tconv", w, w, transposed=True), "bn3")
        self.params["tail"] = {"kernel": self._kernel("tail1", 3 + w, w // 2)}
        half, narrow = w // 2, w // 8
        bottleneck = (("narrow", 1, half, narrow), ("look", 3, narrow, narrow), ("widen", 1, narrow, half))
        for index, (name, size, inputs, outputs) in enumerate(bottleneck, start=1):
            kernel = self._kernel(f"tail2.conv{index}", inputs, outputs, size)
            self._block("bottleneck", name, kernel, f"tail2.bn{index}")
        self.params["rgb"] = {"kernel": self._kernel("out", w, 3)}

    def _kernel(self, theirs: str, inputs: int, outputs: int, size: int = 3, *, transposed: bool = False) -> Any:
        """[k,k,I,O] of a convolution; if transposed, of 4x4 taps."""
        size = 4 if transposed else size
        return self.state.kernel(f"{theirs}.weight", (size, size, inputs, outputs), transposed=transposed)

    def _block(self, part: str, ours: str, kernel: Any, norm: str) -> None:
        """A convolution and the normalisation behind it."""
        params, stats = (tree[part] if part else tree for tree in (self.params, self.stats))
        affine, running = self.state.batch_norm(norm, kernel.shape[3])
        params[ours], stats[ours] = {"conv": {"kernel": kernel}, "norm": affine}, {"norm": {"norm": running}}

    def _partial(self, ours: str, convs: tuple[str, ...], norm: str, inputs: int) -> None:
        """Partial convolutions and the normalisation behind them."""
        affine, running = self.state.batch_norm(norm, self.width)
        kernels = {
            f"conv{index}": {"kernel": self._kernel(theirs, inputs, self.width, 7)}
            for index, theirs in enumerate(convs, start=1)
        }
        self.params[ours], self.stats[ours] = {**kernels, "norm": affine}, {"norm": {"norm": running}}


IMPORTERS = {
    "rfr": Importer(
        file="g_*.pth",
        origin="https://github.com/jingyuanli001/RFR-Inpainting",
        licence="MIT",
        read=read,
        config=config,
    )
}
