"""A hole of 300x300 in a photograph of 4000x3000: seconds and memory beside those of the crop around it alone.

    python -m benchmarks.large_photograph --run=runs/demo [--width=4000 --height=3000 --hole=300 --repeats=5]

Each of both is a process of its own, so that its peak is its own: file to file, after one fill that compiles. The crop
is what the network is shown of the photograph, saved as a photograph.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from scan_jax.commands import cli


def main(argv: list[str]) -> int:
    """Prints the table; or, where it is started by itself, fills one file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_photograph", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--run", type=Path, required=True)
    for name, default in (("width", 4000), ("height", 3000), ("hole", 300), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--strategy", default="auto")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    flags = parser.parse_args(argv)
    return cli.run(lambda: fill(flags) if flags.one else compare(flags))


def compare(flags: argparse.Namespace) -> None:
    """Makes the files, measures both, prints."""
    from scan_jax.inference import tiling
    from scan_jax.inference.trained import Trained

    pixels, hole = photograph(flags)
    seen = np.zeros_like(hole)  # through any window
    for layer in tiling.plan(hole, Trained.load(flags.run).size, "windows"):
        for each in layer.windows:
            seen[each.slices] = True
    window = tiling.bounds(seen)
    crop = window.slices
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, shown, gap, strategy in (
            ("crop", pixels[crop], hole[crop], "windows"),
            ("photograph", pixels, hole, flags.strategy),
        ):
            cv2.imwrite(f"{folder}/{name}.png", shown)
            cv2.imwrite(f"{folder}/{name}_hole.png", gap.astype(np.uint8) * 255)
            command = [sys.executable, "-m", "benchmarks.large_photograph", f"--one={folder}/{name}"]
            command += [f"--run={flags.run}", f"--strategy={strategy}", f"--repeats={flags.repeats}"]
            found[name] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(
        f"{flags.run}: {flags.width}x{flags.height}, hole {flags.hole}x{flags.hole}; "
        f"the crop has {window.width}x{window.height}"
    )
    print(f"{'':12}{'fill, s':>9}{'read and write, s':>19}{'peak memory, GB':>17}")
    for name, row in found.items():
        print(f"{name:12}{row['fill']:9.3f}{row['files']:19.3f}{row['memory']:17.2f}")


def photograph(flags: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Smooth colours with some noise, uint8 [H,W,3], and a square hole in its middle, bool [H,W]."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (flags.height // 100 + 1, flags.width // 100 + 1, 3), np.uint8)
    smooth = cv2.resize(coarse, (flags.width, flags.height), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(0, 16, smooth.shape, np.uint8)
    hole = np.zeros(smooth.shape[:2], bool)
    top, left = (flags.height - flags.hole) // 2, (flags.width - flags.hole) // 2
    hole[top : top + flags.hole, left : left + flags.hole] = True
    return cv2.add(smooth, noise), hole


def fill(flags: argparse.Namespace) -> None:
    """Prints seconds (medians) and the peak of this process in GB."""
    from scan_jax.images.hole import read_hole
    from scan_jax.images.photograph import read_photograph, write_photograph
    from scan_jax.inference.inpainter import Inpainter

    inpainter, times = Inpainter.load(flags.run), []
    for _ in range(flags.repeats + 1):
        start = time.perf_counter()
        shown, hole = read_photograph(f"{flags.one}.png"), read_hole(f"{flags.one}_hole.png")
        read = time.perf_counter()
        filled = inpainter(shown.pixels, hole, strategy=flags.strategy)
        done = time.perf_counter()
        write_photograph(Path(f"{flags.one}_filled.png"), filled, shown, hole)
        times.append((done - read, read - start + time.perf_counter() - done))
    fills, files = zip(*times[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # GB
    print(json.dumps({"fill": statistics.median(fills), "files": statistics.median(files), "memory": peak}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
