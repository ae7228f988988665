"""EdgeConnect's networks (Nazeri et al. 2019) from the official PyTorch release.

Its four files lie in one folder, two for the edges and two for the colours. The two generators are needed; the critics,
of which only further training makes use, are read where both are there. Name any of the four.
"""

from __future__ import annotations

import pathlib
from typing import Any

from scan_jax.core.errors import UserError
from scan_jax.weights.registry import Importer
from scan_jax.weights.safetensors_tree import Tree
from scan_jax.weights.torch_state import State, patch_critic, residual_settings, spectral

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
    edge, spectral_vectors = _spectral_generator(_state(path, EDGES, GENERATOR))
    completion = _free_generator(_state(path, COLOURS, GENERATOR))
    _check_alike(path, edge, completion)
    params: Tree = {"generator": {"edge": edge, "completion": completion}}
    stats: Tree = {"generator": {"spectral": {"edge": spectral_vectors}}}
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


def _blocks(state: State, weight: str) -> int:
    """How many residual blocks there are."""
    return next(index for index in range(1000) if f"middle.{index}.conv_block.1.{weight}" not in state)


def _free_generator(state: State) -> Tree:
    """The completion generator: RGB and edges to RGB."""
    width = state.shape("encoder.1.weight")[0]
    tree: Tree = {}
    for ours, (theirs, side, inputs, outputs) in ENCODER.items():
        tree[ours] = state.convolution(theirs, (side, side, inputs * width or 4, outputs * width))
    for index in range(_blocks(state, "weight")):
        shape = (3, 3, 4 * width, 4 * width)
        names = {"dilated": f"middle.{index}.conv_block.1", "plain": f"middle.{index}.conv_block.5"}
        tree[f"block{index}"] = {ours: state.convolution(theirs, shape) for ours, theirs in names.items()}
    for ours, (theirs, inputs, outputs) in DECODER.items():
        weight = state.array(f"{theirs}.weight", (inputs * width, outputs * width, 4, 4))
        bias = state.array(f"{theirs}.bias", (outputs * width,))
        tree[ours] = {"kernel": weight.transpose(2, 3, 0, 1), "bias": bias}
    return {**tree, "out": state.convolution(OUT, (7, 7, width, 3))}


def _spectral_generator(state: State) -> tuple[Tree, Tree]:
    """The edge generator: grey, edges and hole to edges; parameters and spectral vectors."""
    width = state.shape("encoder.1.weight_orig")[0]
    params: Tree = {}
    vectors: Tree = {}
    for ours, (theirs, side, inputs, outputs) in ENCODER.items():
        shape = (side, side, inputs * width or 3, outputs * width)
        params[ours], vectors[ours] = spectral(state, theirs, shape)
    for index in range(_blocks(state, "weight_orig")):
        block: Tree = {}
        block_vectors: Tree = {}
        for ours, place in (("dilated", 1), ("plain", 5)):
            name, shape = f"middle.{index}.conv_block.{place}", (3, 3, 4 * width, 4 * width)
            block[ours], block_vectors[ours] = spectral(state, name, shape)
        params[f"block{index}"], vectors[f"block{index}"] = block, block_vectors
    for ours, (theirs, inputs, outputs) in DECODER.items():
        shape = (4, 4, inputs * width, outputs * width)
        params[ours], vectors[ours] = spectral(state, theirs, shape, transposed="transposed")
    params["out"] = state.convolution(OUT, (7, 7, width, 1))
    return params, vectors


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
        name="edge_connect",
        file="InpaintingModel_gen.pth",
        sha256="",  # none was published
        origin="https://github.com/knazeri/edge-connect",
        licence="CC BY-NC 4.0, non-commercial",
        read=read,
        config=config,
    )
}
