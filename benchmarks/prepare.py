"""Building a dataset beside a plain loop of OpenCV: decode, crop, resize by areas, encode as PNG.

python -m benchmarks.prepare --source=FACES [--sizes 64 256] [--repeats=5] [--jobs=2]

The loop writes nothing, checks nothing and hashes nothing; it runs once as a loop and once shared by as many threads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2

from scan_jax.data.builders import photo_folder
from scan_jax.data.photo_folder import list_photographs
from scan_jax.data.preparation.build import build


def plain(path: str, size: int) -> int:
    """One photograph; bytes of its PNG file."""
    image = cv2.imread(path)  # [H,W,3]
    assert image is not None, f"OpenCV cannot read {path}"
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    square = cv2.resize(image[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
    return len(cv2.imencode(".png", square)[1])


def loop(paths: list[str], size: int) -> None:
    for path in paths:
        plain(path, size)


def shared(paths: list[str], size: int, jobs: int) -> None:
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(partial(plain, size=size), paths))


def ours(source: str, size: int, jobs: int) -> None:
    with tempfile.TemporaryDirectory() as data_dir:
        build(photo_folder.PhotoFolder(source=source, size=size).plan(), data_dir, jobs)


def seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="a folder of photographs")
    parser.add_argument("--sizes", type=int, nargs="+", default=(64, 256))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    flags = parser.parse_args()
    paths = [str(file.path) for file in list_photographs(Path(flags.source))]
    print(f"{len(paths)} photographs, {flags.jobs} jobs, medians of {flags.repeats} in turn")
    for size in flags.sizes:
        ways = {
            "a loop of OpenCV": partial(loop, paths, size),
            f"the loop in {flags.jobs} threads": partial(shared, paths, size, flags.jobs),
            "scan_jax prepare": partial(ours, flags.source, size, flags.jobs),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(flags.repeats):
            for way, action in ways.items():
                times[way].append(seconds(action))
        own = statistics.median(times["scan_jax prepare"])
        for way, taken in times.items():
            median = statistics.median(taken)
            print(f"{size:4d} px  {way:24s} {len(paths) / median:7.0f} images/s  {median / own:5.2f} of our time")


if __name__ == "__main__":
    main()
