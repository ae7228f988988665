"""Many people at the web page at once: every answer is checked, and the server's memory is read.

    python -m benchmarks.page_load --run=runs/demo [--count=50] [--size=256]

Starts the page, uploads as many different photographs, each with a hole of its own, and presses Fill for all of them at
the same time, each in a session of its own. An answer is right if its known pixels are those of its own photograph and
the rest is bit for bit what the same network fills in this process. Needs Gradio; memory is read on Linux.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from scan_jax import Inpainter
from scan_jax.data.portraits import portrait
from scan_jax.masks.api import open_holes


def main() -> None:
    """Prints times, memory and how many answers were right; ends with 1 if one was not."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--run", required=True)
    flags.add_argument("--count", type=int, default=50)
    flags.add_argument("--size", type=int, default=256)
    given = flags.parse_args()
    inpainter = Inpainter.load(given.run)
    with tempfile.TemporaryDirectory() as name:
        cases = [draw(Path(name), i, given.size, inpainter.num_labels) for i in range(given.count)]
        with serving(given.run) as (address, process):
            before = megabytes(process, "VmRSS")
            clients = connect(address, given.count, Path(name))
            start = time.perf_counter()
            with concurrent.futures.ThreadPoolExecutor(given.count) as pool:
                answers = list(pool.map(ask, clients, cases, [start] * given.count))
            peak = megabytes(process, "VmHWM")
        right = sum(_is_right(inpainter, case, result) for case, (result, _) in zip(cases, answers))
    seconds = np.sort([waited for _, waited in answers])
    print(f"{given.count} at once, {given.size}x{given.size}: {right} right")
    print(f"answers after {seconds[0]:.1f} s (first), {np.median(seconds):.1f} s (median), {seconds[-1]:.1f} s (last)")
    print(f"server's memory: {before:,.0f} MB before, {peak:,.0f} MB at most")
    sys.exit(right != given.count)


def draw(folder: Path, index: int, size: int, num_labels: int) -> dict[str, Path]:
    """A portrait, a hole and a label map, as files; the same index, the same files."""
    image, labels = portrait(1, index, size)
    hole = open_holes({"name": "free_form", "ratio": (0.1, 0.3)}).train.draw(np.random.default_rng(index), size)
    arrays = {"photograph": image, "hole": np.where(hole, np.uint8(255), np.uint8(0))}
    if num_labels:
        arrays["labels"] = labels
    files = {name: folder / f"{name}_{index}.png" for name in arrays}
    for name, path in files.items():
        Image.fromarray(arrays[name]).save(path)
    return files


@contextmanager
def serving(run: str, *flags: str, **variables: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """The page's address and process; `variables` are of its environment."""
    command = [sys.executable, "-m", "scan_jax", "demo", f"--run={run}", "--port=0", *flags]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    for line in process.stderr or ():
        if found := re.search(r"open (http://\S+?)/? in a browser", line):
            break
    else:
        raise SystemExit("the page did not open")
    try:
        yield found[1], process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def connect(address: str, count: int, folder: Path) -> list:
    """A session for each."""
    import gradio_client

    return [gradio_client.Client(address, verbose=False, download_files=str(folder / f"c{i}")) for i in range(count)]


def ask(client, case: dict[str, Path], start: float) -> tuple[np.ndarray, float]:
    """The result's pixels, and when it was there."""
    from gradio_client import handle_file

    files = {name: handle_file(str(path)) for name, path in case.items()}
    nothing = {"painted": None, "blend": "none", **({"painted_labels": None} if "labels" in case else {})}
    _, download, _, _ = client.predict(**files, **nothing, api_name="/fill")
    path = download["value"] if isinstance(download, dict) else download
    return np.asarray(Image.open(path)), time.perf_counter() - start


def _is_right(inpainter: Inpainter, case: dict[str, Path], result: np.ndarray) -> bool:
    """Known pixels are its own, and the rest is what the network fills."""
    expected = inpainter(case["photograph"], case["hole"], case.get("labels"))  # [S,S,3]
    return bool(np.array_equal(result, expected))


def megabytes(process: subprocess.Popen, key: str) -> float:
    """From /proc; not a number elsewhere."""
    status = Path(f"/proc/{process.pid}/status")
    found = re.search(rf"{key}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1000 if found else float("nan")


if __name__ == "__main__":
    main()
