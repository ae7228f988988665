"""Building a dataset beside a plain loop of OpenCV: decode, crop, resize by areas, encode as PNG.

python -m benchmarks.prepare --source=FACES [--sizes 64 256] [--repeats=5] [--jobs=2] [--forms FACES.zip ...]

The loop writes nothing, checks nothing and hashes nothing; it runs once as a loop and once shared by as many threads.
With --forms, archives or tables of the same photographs, it is left out, and each form's processor time stands beside
the folder's.
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


def processors(action: Callable[[], None]) -> float:
    """Seconds of all threads and of the processes that it started."""
    before = sum(os.times()[:4])
    action()
    return sum(os.times()[:4]) - before


def compare_forms(flags: argparse.Namespace) -> None:
    """A line for each form and size."""
    sources = [flags.source, *flags.forms]
    for size in flags.sizes:
        rounds = [[processors(partial(ours, each, size, flags.jobs)) for each in sources] for _ in range(flags.repeats)]
        folder, *others = (statistics.median(taken) for taken in zip(*rounds))
        print(f"{size:4d} px  {flags.source}: {folder:.2f} s of the processors, the median of {flags.repeats} in turn")
        for form, taken in zip(flags.forms, others):
            print(f"{size:4d} px  {form}: {taken / folder:.2f} of that", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, help="a folder of photographs")
    parser.add_argument("--sizes", type=int, nargs="+", default=(64, 256))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--forms", nargs="+", help="other forms of the same photographs")
    flags = parser.parse_args()
    if flags.forms:
        compare_forms(flags)
        return
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
