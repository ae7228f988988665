"""EdgeConnect's networks (Nazeri et al. 2019) from the official PyTorch release.

Its four files lie in one folder, two for the edges and two for the colours. The two generators are needed; the critics,
of which only further training makes use, are read where both are there. Name any of the four.
"""

from __future__ import annotations

import itertools
import pathlib
from typing import Any

from scan_jax.core.errors import UserError
from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import Shape, State, patch_critic, residual_settings, spectral

PUBLISHED_SIZE = 256
EDGES, COLOURS = "EdgeModel", "InpaintingModel"
GENERATOR, CRITIC = "_gen", "_dis"
# ours -> theirs: sides of the kernels, and widths in and out by that at stride 1; of the first and the last one of them
# is given by the images.
ENCODER = {"in": ("encoder.1", 7, 0, 1), "down1": ("encoder.4", 4, 1, 2), "down2": ("encoder.7", 4, 2, 4)}
DECODER = {"up1": ("decoder.0", 4, 2), "up0": ("decoder.3", 2, 1)}
OUT = "decoder.7"


def config(tree: Tree) -> dict[str, Any]:
    """What the bundle of these networks says of them: the widths that their arrays tell, and the size."""
    method = {"name": "edge_connect", **residual_settings(tree["params"]["generator"]["completion"], tree["params"])}
    return {"method": method, "data": {"size": PUBLISHED_SIZE}}


def read(path: pathlib.Path) -> Tree:
    """The variables of the method `edge_connect`, float32.

    {"params": {"generator": {"edge": ..., "completion": ...} (, "edge_critic", "critic")}, "stats": ...}
    """
    # Grey, edges and hole to edges, then RGB and edges to RGB.
    edge, vectors = _generator(_state(path, EDGES, GENERATOR), 3, 1, is_spectral=True)
    completion, _ = _generator(_state(path, COLOURS, GENERATOR), 4, 3)
    _check_alike(path, edge, completion)
    params: Tree = {"generator": {"edge": edge, "completion": completion}}
    stats: Tree = {"generator": {"spectral": {"edge": vectors}}}
    critics = {"edge_critic": (EDGES, 2), "critic": (COLOURS, 3)}
    if all(_sibling(path, model, CRITIC).is_file() for model, _ in critics.values()):
        for name, (model, channels) in critics.items():
            params[name], stats[name] = patch_critic(_state(path, model, CRITIC), channels)
    return {"params": params, "stats": stats}


def _sibling(path: pathlib.Path, model: str, part: str) -> pathlib.Path:
    """The file of another network beside the one that was named."""
    return path.with_name(f"{model}{part}{path.suffix}")


def _state(path: pathlib.Path, model: str, part: str) -> State:
    """The state dict of one of the networks."""
    file = _sibling(path, model, part)
    if not file.is_file():
        raise UserError(
            f"{file} is missing: EdgeConnect's generators are two files, in one folder under their own names"
        )
    kind, section = {GENERATOR: ("generator", "generator"), CRITIC: ("critic", "discriminator")}[part]
    return State(file, f"{kind} of EdgeConnect's {model}", section)


def _generator(state: State, inputs: int, outputs: int, *, is_spectral: bool = False) -> tuple[Tree, Tree]:
    """From and to so many channels; parameters, and the spectral vectors of all layers but the last."""
    weight = "weight_orig" if is_spectral else "weight"
    width = state.shape(f"encoder.1.{weight}")[0]

    def layer(name: str, shape: Shape, *, transposed: bool = False) -> tuple[Tree, Tree]:
        if is_spectral:
            return spectral(state, name, shape, transposed=transposed)
        return state.convolution(name, shape, transposed=transposed), {}

    params: Tree = {}
    vectors: Tree = {}
    for ours, (theirs, side, before, after) in ENCODER.items():
        params[ours], vectors[ours] = layer(theirs, (side, side, before * width or inputs, after * width))
    for index in itertools.takewhile(lambda i: f"middle.{i}.conv_block.1.{weight}" in state, itertools.count()):
        names = {"dilated": f"middle.{index}.conv_block.1", "plain": f"middle.{index}.conv_block.5"}
        block = {ours: layer(theirs, (3, 3, 4 * width, 4 * width)) for ours, theirs in names.items()}
        params[f"block{index}"] = {ours: found for ours, (found, _) in block.items()}
        vectors[f"block{index}"] = {ours: found for ours, (_, found) in block.items()}
    for ours, (theirs, before, after) in DECODER.items():
        params[ours], vectors[ours] = layer(theirs, (4, 4, before * width, after * width), transposed=True)
    return {**params, "out": state.convolution(OUT, (7, 7, width, outputs))}, vectors


def _check_alike(path: pathlib.Path, edge: Tree, completion: Tree) -> None:
    """Refuses two generators of different sizes, which no config describes."""
    sizes = [(tree["in"]["kernel"].shape[3], len(tree)) for tree in (edge, completion)]
    if sizes[0] != sizes[1]:
        raise UserError(
            f"the two generators beside {path} are of different widths or depths, {sizes[0]} and {sizes[1]} (channels, "
            "layers); only equal ones can be imported"
        )


IMPORTERS = {
    "edge_connect": Importer(
        file="InpaintingModel_gen.pth",
        origin="https://github.com/knazeri/edge-connect",
        licence="CC BY-NC 4.0, non-commercial",
        read=read,
        config=config,
    )
}
