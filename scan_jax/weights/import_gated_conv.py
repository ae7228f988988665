"""The generator of gated convolutions (Yu et al. 2019), and its critic, from the public TensorFlow checkpoint.

Only the variables' values are read, by TensorFlow, which is no dependency; no graph is loaded or run. The public code
trains on photographs as OpenCV reads them, blue first: what sees or paints colours is turned around here.
"""

from __future__ import annotations

import glob
import importlib
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from scan_jax.core.errors import UserError
from scan_jax.weights import safetensors_tree
from scan_jax.weights.registry import Importer

FIRST = "inpaint_net/conv1/kernel"
CRITIC = "discriminator/sn_patch_gan/conv{}"
PUBLISHED_SIZE = 256  # pixels
NOTE = "checkpoint"  # TensorFlow's file that names the newest checkpoint of its folder
RGB = 3

# Ours, theirs, the number of the first convolution, its inputs (in widths, or in channels) and outputs in widths.
_ENCODERS = (
    ("coarse_encoder", "", 5, (1, 2, 2, 4, 4, 4, 4, 4, 4, 4)),
    ("fine_encoder", "x", 3, (1, 1, 2, 2, 4, 4, 4, 4, 4, 4)),
    ("attentive_branch/encoder", "pm", 3, (1, 1, 2, 4, 4, 4)),
)
_DECODERS = (("coarse_decoder", "", 2), ("fine_decoder", "all", 4))
_DECODER = (4, 4, 2, 2, 1, 0.5)
_CRITIC = (1, 2, 4, 4, 4, 4)


def config(tree: safetensors_tree.Tree) -> dict[str, Any]:
    """What the bundle of such networks says of them: the method's settings that the arrays tell, and the size."""
    params = tree["params"]
    method = {"name": "gated_conv", "width": params["generator"]["coarse_encoder"]["conv1"]["kernel"].shape[3]}
    if "critic" in params:
        method["critic_width"] = params["critic"]["conv1"]["kernel"].shape[3]
    return {"method": method, "data": {"size": PUBLISHED_SIZE}}


def read(path: pathlib.Path) -> safetensors_tree.Tree:
    """The variables of the method `gated_conv`, float32; with the critic where the checkpoint has it.

    `path` is a checkpoint's `.index` file, beside which its data lies. Its data file, its prefix, its folder or the
    file `checkpoint` in there, which says which one is the newest, will do as well.
    """
    variables = _Variables(path)
    width = variables.shape(FIRST)[-1]
    generator = safetensors_tree.unflatten(dict(_generator(variables, width)))
    params: safetensors_tree.Tree = {"generator": generator}
    stats: safetensors_tree.Tree = {"generator": {}}
    if f"{CRITIC.format(1)}/kernel" in variables:
        params["critic"], stats["critic"] = _critic(variables)
    return {"params": params, "stats": stats}


class _Variables:
    """A checkpoint's arrays by name, of which each is taken with the shape that it must have."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._get, self._shapes = _open(path)

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def shape(self, name: str) -> tuple[int, ...]:
        if name not in self._shapes:
            raise UserError(f"{self._path} is no checkpoint of gated convolutions: it has no {name!r}")
        return self._shapes[name]

    def __call__(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        found = self.shape(name)
        if found != shape:
            raise UserError(f"{self._path} is no checkpoint of this network: {name!r} has shape {found}, not {shape}")
        return np.asarray(self._get(name), np.float32)

    def convolution(self, name: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Its kernel [h,w,I,O], as it is, and bias [O]."""
        return {"kernel": self(f"{name}/kernel", shape), "bias": self(f"{name}/bias", shape[-1:])}


def _open(path: pathlib.Path) -> tuple[Callable[[str], Any], dict[str, tuple[int, ...]]]:
    """What gives a variable's value by its name, and all variables' shapes."""
    tensorflow = _tensorflow(path)
    # A data file that was cut short is an IndexError.
    errors = (OSError, ValueError, RuntimeError, IndexError, tensorflow.errors.OpError)

    def guarded(ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except errors as error:
            line = str(error).partition("\n")[0]
            raise UserError(f"{path} is damaged or no TensorFlow checkpoint ({line}); get it anew") from error

    reader = guarded(lambda: tensorflow.train.load_checkpoint(str(_prefix(path))))
    shapes = guarded(reader.get_variable_to_shape_map)
    return lambda name: guarded(lambda: reader.get_tensor(name)), {name: tuple(shape) for name, shape in shapes.items()}


def _tensorflow(path: pathlib.Path) -> Any:
    """The package, if it is there."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # it reports on the processor otherwise
    try:
        return importlib.import_module("tensorflow")
    except ImportError as error:
        raise UserError(
            f"reading {path.name} needs TensorFlow, which is not installed: pip install tensorflow-cpu"
        ) from error


def files(path: pathlib.Path) -> list[pathlib.Path]:
    """The checkpoint's `.index` file and its data, of any of the names that `read` takes.

    UserError where a file is missing, or a folder has several checkpoints and does not say which.
    """
    prefix = _prefix(path)
    index = prefix.with_name(f"{prefix.name}.index")
    data = sorted(prefix.parent.glob(f"{glob.escape(prefix.name)}.data-?????-of-?????"))
    if not index.is_file() or not data:
        absent = f"{prefix}.data-00000-of-00001" if index.is_file() else index
        raise UserError(f"no TensorFlow checkpoint at {path}: {absent} is missing; give its .index file or its folder")
    return [index, *data]


def _prefix(path: pathlib.Path) -> pathlib.Path:
    """Of a checkpoint's files, by the checkpoint's folder, by one of them, or by the file `checkpoint` beside them."""
    note = path / NOTE if path.is_dir() else path
    if note.name == NOTE and note.is_file():
        named = re.search(r'^model_checkpoint_path:\s*"(.+)"', note.read_text(errors="replace"), re.MULTILINE)
        if named is None:
            raise UserError(f"{note} names no checkpoint; give the .index file")
        return note.parent / pathlib.PurePath(named[1]).name  # the folder was that of the machine that trained
    if path.is_dir():
        found = sorted(path.glob("*.index"))
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise UserError(f"{path} must hold one checkpoint, a file ending in .index; found: {names}; name the file")
        path = found[0]
    return path.with_name(re.sub(r"\.(index|data-\d+-of-\d+|meta)$", "", path.name))


def _generator(variables: _Variables, width: int) -> Iterator[tuple[str, np.ndarray]]:
    """Our paths, joined by "/", and arrays."""
    for ours, theirs, shape in _layers(width):
        layer = variables.convolution(f"inpaint_net/{theirs}", shape)
        if ours.endswith("/conv1"):
            layer["kernel"] = _red_first(layer["kernel"])
        if ours.endswith("/conv17"):
            layer = {name: array[..., ::-1] for name, array in layer.items()}
        for name, array in layer.items():
            yield f"{ours}/{name}", array


def _layers(width: int) -> Iterator[tuple[str, str, tuple[int, int, int, int]]]:
    """Our path, their name and the kernel's shape of every convolution of the generator."""
    for ours, prefix, channels, widths in _ENCODERS:
        yield from _chain(ours, prefix, 1, channels, [width * n for n in widths])
    yield from _chain("attentive_branch", "pm", 9, 2 * width, [4 * width] * 2)
    for ours, prefix, inputs in _DECODERS:
        yield from _chain(ours, prefix, 11, inputs * width, [*(int(width * n) for n in _DECODER), RGB])


def _chain(
    ours: str, prefix: str, first: int, channels: int, widths: list[int]
) -> Iterator[tuple[str, str, tuple[int, int, int, int]]]:
    """Convolutions one after the other; of each, half the channels go on, the other half are gates."""
    for number, out in enumerate(widths, start=first):
        size = 5 if number == 1 else 3
        yield f"{ours}/conv{number}", _their_name(prefix, number), (size, size, channels, out)
        channels = out // 2


def _their_name(prefix: str, number: int) -> str:
    """Of a convolution of the generator."""
    name = f"{prefix}conv{number}"
    if number in (2, 4):
        return f"{name}_downsample"
    if number in (13, 15):
        return f"{name}_upsample/{name}_upsample_conv"
    return f"{name}_atrous" if number in range(7, 11) and prefix != "pm" else name


def _critic(variables: _Variables) -> tuple[safetensors_tree.Tree, safetensors_tree.Tree]:
    """Parameters and statistics.

    The checkpoint has one vector of each spectral norm, from which every pass of the public code first takes a step;
    the two that this step gives are stored here.
    """
    width, channels = variables.shape(f"{CRITIC.format(1)}/kernel")[-1], RGB + 1
    params, vectors = {}, {}
    for number, widths in enumerate(_CRITIC, start=1):
        theirs, out = CRITIC.format(number), widths * width
        layer = variables.convolution(theirs, (5, 5, channels, out))
        if number == 1:
            layer["kernel"] = _red_first(layer["kernel"])
        u = variables(f"{theirs}/kernel_sn/u", (1, out))[0]
        params[f"conv{number}"], vectors[f"conv{number}"] = layer, {"vectors": _step(layer["kernel"], u)}
        channels = out
    return params, {"spectral": vectors}


def _step(kernel: np.ndarray, u: np.ndarray) -> dict[str, np.ndarray]:
    """One step of the power iteration for [h,w,I,O], from u [O]."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    v = matrix @ u
    v = v / max(float(np.linalg.norm(v)), 1e-12)
    u = v @ matrix
    return {"u": u / max(float(np.linalg.norm(u)), 1e-12), "v": v}


def _red_first(kernel: np.ndarray) -> np.ndarray:
    """[h,w,I,O] whose first three inputs are blue, green and red -> red, green and blue."""
    return kernel[:, :, [2, 1, 0, *range(RGB, kernel.shape[2])]]


IMPORTERS = {
    "gated_conv": Importer(
        file="snap-0.index",
        origin="https://github.com/JiahuiYu/generative_inpainting",
        licence="CC BY-NC 4.0, non-commercial",
        read=read,
        config=config,
        files=files,
    )
}
