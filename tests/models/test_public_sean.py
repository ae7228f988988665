"""SEAN's generator against the public PyTorch code of both papers, on random weights and the same inputs.

The checkouts, which nothing else here needs; a test without its own is skipped:

    git clone https://github.com/ZPdesu/SEAN && export SCAN_JAX_PUBLIC_SEAN=$PWD/SEAN
    git clone https://github.com/hamzapehlivan/cs559_project
    export SCAN_JAX_PUBLIC_MASKED_ATTENTION=$PWD/cs559_project

At the papers' size, in some minutes and 4 GB of memory: SCAN_JAX_PARITY_WIDTH=64 SCAN_JAX_PARITY_SIZE=128x128; `-rP`
prints the errors. The public code runs in a process of its own, for the names of its packages are `models` and `util`.
"""

import argparse
import concurrent.futures
import importlib
import importlib.util
import multiprocessing
import os
import sys
import types

import jax
import numpy as np
import pytest

from scan_jax.models.sean import Sean
from scan_jax.weights.import_sean import read

WIDTH = int(os.environ.get("SCAN_JAX_PARITY_WIDTH", "8"))  # of the decoder; the public encoder's is always 64
HEIGHT, BREADTH = map(int, os.environ.get("SCAN_JAX_PARITY_SIZE", "64x32").split("x"))
CLASSES = 19  # the public code has a layer by name for each
FOLDERS = {"none": "SCAN_JAX_PUBLIC_SEAN"} | dict.fromkeys(
    ("self", "masked", "contextual"), "SCAN_JAX_PUBLIC_MASKED_ATTENTION"
)
UNUSED = ("torchvision", "dill", "cv2")  # what the public code imports beside and its generator does not use


@pytest.mark.slow
@pytest.mark.parametrize("attention", FOLDERS)
def test_end_to_end(tmp_path, attention):
    pytest.importorskip("torch")
    folder = os.environ.get(FOLDERS[attention], "")
    if not os.path.isfile(os.path.join(folder, "models", "networks", "generator.py")):
        pytest.skip(f"runs beside public code: set {FOLDERS[attention]} to its checkout, see the head of this file")
    inputs, path = draw(attention), tmp_path / "latest_net_G.pth"
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as process:
        wanted = process.submit(run_public, folder, attention, path, *inputs).result()
    tree = read(path)
    path.unlink()  # 0.4 GB, or 1 GB
    variables = {"params": tree["params"]["generator"], **tree["stats"]["generator"]}
    found = run_ours(attention, variables, *inputs)
    for name, ours, theirs in zip(("evaluation", "training", "evaluation after it"), found, wanted, strict=True):
        error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs - theirs.mean())
        print(f"{attention}, {name}: relative error {error:.1e}; standard deviation {theirs.std():.2f}")
        assert theirs.std() > 0.05 and ours.shape == theirs.shape == (2, HEIGHT, BREADTH, 3)
        assert error < 1e-4
    assert np.abs(wanted[2] - wanted[0]).max() > 0.01  # the step in between moved the statistics


def draw(attention):
    """Image [2,H,W,3] in [0, 1], known [2,H,W,1] and labels [2,H,W]; the last class is absent."""
    rng = np.random.default_rng(0)
    image = rng.random((2, HEIGHT, BREADTH, 3), np.float32)
    labels = rng.integers(0, CLASSES - 1, (2, HEIGHT, BREADTH))  # a pixel apart: which one is read when shrunk shows
    labels[0] = labels[0, ::8, ::8].repeat(8, 0).repeat(8, 1)
    known = (rng.random((2, HEIGHT, BREADTH, 1)) > 0.3).astype(np.float32)
    known[1, : HEIGHT // 2] = 0
    return image, np.ones_like(known) if attention == "none" else known, labels.astype(np.int32)  # SEAN has no hole


def run_ours(attention, variables, image, known, labels):
    """The images [2,H,W,3] in evaluation, in training and in evaluation with what training changed."""
    encode = jax.jit(Sean(CLASSES, attention=attention).apply, static_argnames="method")
    styles = encode(variables, image, known, labels, method="encode")
    in_evaluation = _decode(variables, styles, labels, train=False)[0]
    in_training, changed = _decode(variables, styles, labels, train=True)
    afterwards = _decode({**variables, **changed}, styles, labels, train=False)[0]
    return [np.asarray(image) for image in (in_evaluation, in_training, afterwards)]


@jax.jit(static_argnames="train")
def _decode(variables, styles, labels, *, train):
    changing = ("batch_stats", "spectral")
    return Sean(CLASSES, WIDTH).apply(variables, styles, labels, None, train=train, method="decode", mutable=changing)


def run_public(folder, attention, path, image, known, labels):
    """What `run_ours` returns, by the code in `folder`, in a process of its own; its random weights go to `path`."""
    import torch

    generator = _build(folder, attention, torch)
    maps = [torch.tensor(value.transpose(0, 3, 1, 2)) for value in (np.eye(CLASSES)[labels], 2 * image - 1, known)]
    seen = [value.float() for value in (maps[:2] if attention == "none" else maps)]

    def paint(train):
        painted = generator.train(train)(*seen)
        painted = painted if torch.is_tensor(painted) else painted[0]  # [2,3,H,W]; beside it the attention
        return (painted.permute(0, 2, 3, 1).numpy() + 1) / 2

    with torch.no_grad():
        paint(train=True)  # spectral norm's vectors are random before
        torch.save(generator.state_dict(), path)
        return [paint(train) for train in (False, True, False)]


def _build(folder, attention, torch):
    """The public generator with random weights, its noise off."""
    sys.path.insert(0, folder)
    for name in UNUSED:
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = types.ModuleType(name)
    importlib.import_module("torch.nn.utils.spectral_norm")
    torch.Tensor.cuda = lambda self, *_, **__: self  # the noise is drawn "on the GPU"
    sizes = {"ngf": WIDTH, "semantic_nc": CLASSES, "crop_size": BREADTH, "aspect_ratio": BREADTH / HEIGHT}
    kinds = {"norm_G": "spectralspadesyncbatch3x3", "num_upsampling_layers": "normal", "status": "train"}
    options = argparse.Namespace(**sizes, **kinds)
    torch.manual_seed(0)  # of the vectors of spectral norm as well
    generator = importlib.import_module("models.networks.generator").SPADEGenerator(options)
    if attention in ("self", "masked"):
        generator.Zencoder.attention = _choose_attention(attention, torch)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            _randomize(name, parameter)
    return generator


def _choose_attention(attention, torch):
    """The kinds that the public generator, where the contextual one is fixed, does not choose.

    Its unused `Self_Attention` is the masked kind; told that every pixel is known, it attends to all, the kind `self`.
    """
    layer = importlib.import_module("models.networks.attention").Self_Attention(256)
    if attention == "self":
        layer.register_forward_pre_hook(lambda _, inputs: (inputs[0], torch.ones_like(inputs[1])))
    return layer


def _randomize(name, parameter):
    """Weights that keep the scale of a map, biases and blends that count, no noise, an open gate of the attention."""
    if name.endswith("noise_var"):
        parameter.zero_()
    elif name.endswith("attention.gamma"):
        parameter.fill_(0.7)
    elif parameter.ndim > 1:
        parameter.normal_(0, parameter[0].numel() ** -0.5)
    else:
        parameter.uniform_(-0.5, 0.5)
