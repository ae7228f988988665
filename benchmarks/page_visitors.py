"""Visitors at the web page for minutes, each with a photograph of their own: is anyone given another's, is any lost?

    python -m benchmarks.page_visitors [--run=telea] [--visitors=50] [--minutes=10] [--size=128] [--keep_minutes=1]

Starts the page, and lets each visitor upload, press Fill and download again and again, in a session of their own. An
answer is right if it is bit for bit what the same network fills in this process, and lost if an error came instead.
The page's memory (read on Linux) and the disk in its temporary folder are to stay as they are after a fifth of the
time, which should be longer than --keep_minutes. Ends with 1 if an answer was wrong or lost. Needs Gradio.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.page_load import ask, connect, draw, megabytes, serving
from scan_jax import Inpainter


def main() -> None:
    """Prints the table."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--run", default="telea", help="what the page is started with")
    flags.add_argument("--visitors", type=int, default=50)
    flags.add_argument("--minutes", type=float, default=10)
    flags.add_argument("--size", type=int, default=128, help="of a photograph's sides, pixels")
    flags.add_argument("--keep_minutes", type=int, default=1, help="the page's")
    given = flags.parse_args()
    inpainter = Inpainter.load(given.run)
    with tempfile.TemporaryDirectory() as name:
        folder, temporary = Path(name), Path(name) / "page"
        temporary.mkdir()
        cases = [draw(folder, i, given.size, inpainter.num_labels) for i in range(given.visitors)]
        expected = [inpainter(case["photograph"], case["hole"], case.get("labels")) for case in cases]
        with serving(given.run, f"--keep_minutes={given.keep_minutes}", TMPDIR=str(temporary)) as (address, process):

            def measure() -> tuple[float, float]:
                return megabytes(process, "VmRSS"), _disk(temporary)

            clients = connect(address, given.visitors, folder)
            used, answers = _watch(clients, cases, expected, 60 * given.minutes, measure)
    _report(used, answers, given)
    sys.exit(not all(right for right, _, _ in answers))


def _watch(
    clients: list[Any],
    cases: list[dict[str, Path]],
    expected: list[np.ndarray],
    seconds: float,
    measure: Callable[[], tuple[float, float]],
) -> tuple[dict[str, tuple[float, float]], list[tuple[bool, float, str]]]:
    """What `measure` found by when, and of each answer whether it was right, its seconds, and its error."""
    import httpx  # comes with Gradio

    answers: list[tuple[bool, float, str]] = []
    start, ended = time.perf_counter(), threading.Event()

    def visit(client: Any, case: dict[str, Path], wanted: np.ndarray) -> None:
        while not ended.is_set():
            begin = time.perf_counter()
            try:
                result, waited = ask(client, case, begin)
                answers.append((np.array_equal(result, wanted), waited, ""))
            except (OSError, RuntimeError, ValueError, httpx.HTTPError, concurrent.futures.CancelledError) as error:
                answers.append((False, time.perf_counter() - begin, f"{type(error).__name__}: {error}"))

    used = {"before": measure()}
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        visits = [pool.submit(visit, *each) for each in zip(clients, cases, expected)]
        for name, share in (("beginning", 0.2), ("middle", 0.6), ("end", 1.0)):
            time.sleep(max(0.0, start + share * seconds - time.perf_counter()))
            used[name] = measure()
        ended.set()
        for each in visits:
            each.result()
    return used, answers


def _report(
    used: dict[str, tuple[float, float]], answers: list[tuple[bool, float, str]], given: argparse.Namespace
) -> None:
    lost = [error for _, _, error in answers if error]
    seconds = [waited for _, waited, error in answers if not error] or [float("nan")]
    wrong = sum(not right and not error for right, _, error in answers)
    print(f"{given.visitors} visitors for {given.minutes:g} minutes, {given.size}x{given.size}, --run={given.run}\n")
    print("| fillings | wrong | lost | median, s | worst, s |\n|---|---|---|---|---|")
    print(f"| {len(answers)} | {wrong} | {len(lost)} | {np.median(seconds):.2f} | {max(seconds):.2f} |\n")
    print("| page | memory, MB | disk, MB |\n|---|---|---|")
    for name, (memory, disk) in used.items():
        print(f"| {name} | {memory:,.0f} | {disk:,.1f} |")
    for error in sorted(set(lost))[:5]:
        print(f"lost: {error[:200]}")


def _disk(folder: Path) -> float:
    """Megabytes of the files in it."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # thrown away meanwhile
            continue
    return total / 1e6


if __name__ == "__main__":
    main()
