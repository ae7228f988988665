"""The harmonic and the biharmonic equation by `ops.smooth_fill`, beside direct solvers: PSNR, and seconds a picture.

    python -m benchmarks.smooth_fill [--photographs=DIR --holes=DIR] [--sizes=64,128,256,512] [--count=8] [--rounds=3]

Direct are scikit-image's `inpaint_biharmonic` and, for the harmonic equation, SciPy's sparse solver. Without folders:
held-out synthetic portraits and free-form holes. PSNR is that of the completion rounded to 8 bits, over the picture.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve
from skimage.metrics import peak_signal_noise_ratio
from skimage.restoration import inpaint_biharmonic

from benchmarks.public_steps.in_turn import medians
from scan_jax.commands import cli
from scan_jax.core.split_folders import evenly_spaced
from scan_jax.data.api import open_data
from scan_jax.data.photo_folder import PhotoFolder, list_photographs
from scan_jax.inference.ways import WAYS, ByEquation
from scan_jax.masks.api import fixed_set, open_holes
from scan_jax.masks.ratio import make_buckets

EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
TIMED = ((256, 8), (512, 1))  # size, batch
FillOne = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main(argv: list[str]) -> int:
    """Prints both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.smooth_fill", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--photographs", type=Path, help="a folder of them, cut to squares; portraits without it")
    parser.add_argument(
        "--holes", type=Path, help="a folder of masks, of which every second counts; free-form without it"
    )
    parser.add_argument("--sizes", default="64,128,256,512")
    parser.add_argument("--count", type=int, default=8, help="photographs, each with a hole of every bucket")
    parser.add_argument("--rounds", type=int, default=3, help="how often both are timed")
    flags = parser.parse_args(argv)
    return cli.run(lambda: compare(flags))


def compare(flags: argparse.Namespace) -> None:
    """Fills, and prints.

    Raises:
      UserError: a folder is missing or empty.
    """
    direct = {"harmonic": solve_harmonic, "biharmonic": scikit_image}
    print(f"{jax.devices()[0].device_kind}, {os.cpu_count()} cores, scikit-image {version('scikit-image')}", end=", ")
    print(f"{flags.count} of {flags.photographs or 'the portraits'}, holes of {flags.holes or 'free form'}")
    print(f"{'PSNR, dB':>10}{'hole':>8}" + "".join(f"{name:>12}{'direct':>9}{'off':>7}" for name in direct))
    for size in map(int, flags.sizes.split(",")):
        for label, photographs, holes in pictures(flags, size):
            cells = ""
            for name, fill in direct.items():
                ours = psnr(photographs, equation(name).fill_batch(photographs, holes))
                theirs = psnr(photographs, np.stack([fill(*each) for each in zip(photographs, holes)]))
                cells += f"{ours.mean():12.2f}{theirs.mean():9.2f}{np.abs(ours - theirs).max():7.2f}"
            print(f"{size:10}{label:>8}{cells}", flush=True)
    print("off: the largest difference of one picture")
    print(f"\n{'seconds a picture':28}{'ours':>9}{'direct':>9}{'ratio':>8}")
    for size, batch in TIMED:
        for name, fill in direct.items():
            print(f"{name:12}{f'{size}x{size}, batch {batch}':16}{seconds(flags, size, batch, name, fill)}", flush=True)


def pictures(flags: argparse.Namespace, size: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """By bucket: its label, photographs uint8 [n,S,S,3] and holes bool [n,S,S]."""
    if flags.photographs:
        files = list_photographs(flags.photographs)
        source = PhotoFolder(path="", size=size).source("photographs", evenly_spaced(files, flags.count))
    else:
        section = {"name": "synthetic_portraits", "size": size, "count": 1, "held_out": flags.count}
        source = open_data(section).held_out  # type: ignore[assignment]
    images = np.stack([source[index]["image"] for index in range(min(flags.count, len(source)))])
    kind = {"name": "mask_folder", "path": str(flags.holes)} if flags.holes else {"name": "free_form"}
    found = fixed_set(
        open_holes({**kind, "ratio": EDGES[:: len(EDGES) - 1]}).held_out, size, make_buckets(EDGES), flags.count
    )
    for label, holes in found.holes.items():
        yield label, images, holes[np.arange(len(images)) % len(holes)]


def seconds(flags: argparse.Namespace, size: int, batch: int, name: str, fill: FillOne) -> str:
    """Medians of both on a middling hole, in turn, and their ratio."""
    few = argparse.Namespace(**{**vars(flags), "count": batch})
    _, photographs, holes = list(pictures(few, size))[2]
    photographs, holes = (np.resize(each, (batch, *each.shape[1:])) for each in (photographs, holes))

    def direct() -> None:
        for each in zip(photographs, holes):
            fill(*each)

    sides = {"ours": lambda: equation(name).fill_batch(photographs, holes), "direct": direct}
    found = medians(sides, flags.rounds)  # type: ignore[arg-type]
    ours, theirs = found["ours"] / batch, found["direct"] / batch
    return f"{ours:9.4f}{theirs:9.3f}{theirs / ours:8.1f}"


def equation(name: str) -> ByEquation:
    """Ours, compiled for every shape that it meets."""
    way = WAYS[name]
    assert isinstance(way, ByEquation)
    return way


def psnr(photographs: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Of each, [n]."""
    return np.array([peak_signal_noise_ratio(*pair) for pair in zip(photographs, filled)])


def scikit_image(photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The biharmonic equation, uint8 [H,W,3]."""
    visible = np.where(hole[..., None], 0.0, photograph / 255.0)
    return _rounded(photograph, hole, inpaint_biharmonic(visible, hole, channel_axis=-1))


def solve_harmonic(photograph: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The harmonic equation in float64, uint8 [H,W,3]."""

    def line(count: int) -> sparse.spmatrix:
        diagonal = np.r_[1.0, np.full(count - 2, 2.0), 1.0]
        return sparse.diags([-np.ones(count - 1), diagonal, -np.ones(count - 1)], [-1, 0, 1])

    height, width = hole.shape
    system = (sparse.kron(line(height), sparse.eye(width)) + sparse.kron(sparse.eye(height), line(width))).tocsr()
    unknown, filled = hole.ravel(), (photograph / 255.0).reshape(hole.size, -1)
    right = -(system[unknown][:, ~unknown] @ filled[~unknown])
    filled[unknown] = spsolve(system[unknown][:, unknown].tocsc(), right)
    return _rounded(photograph, hole, filled.reshape(photograph.shape))


def _rounded(photograph: np.ndarray, hole: np.ndarray, filled: np.ndarray) -> np.ndarray:
    return np.where(hole[..., None], np.round(255 * np.clip(filled, 0, 1)).astype(np.uint8), photograph)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
