"""Which files of scan_jax are entered on four ways through it, and how many calls go from one file to another.

    python -m benchmarks.trace_files --run=RUN [--config=configs/demo.py] [--way=photograph] [--list]

The ways: a photograph to its filled file, a training batch, an evaluated number, an override of a config. A file is
entered when a function of it runs; what runs while modules are imported does not count, nor do class bodies. The last
columns count how often scan_jax opens a file of the photograph and its hole, and how often `tiling.plan` runs.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import scan_jax
from scan_jax.commands import cli

ROOT = str(Path(scan_jax.__file__).parent) + os.sep
QUICK = ("--config.data.size=32", "--config.training.batch_size=2", "--config.data.held_out=2")


class Trace:
    """Counts while it is entered.

    Attributes:
      files: calls into each.
      between: calls from one file into another.
      opened: of each file that is no module.
      plans: runs of `tiling.plan`.
    """

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.between: Counter[tuple[str, str]] = Counter()
        self.opened: Counter[str] = Counter()
        self.plans = 0
        self._stacks = threading.local()
        sys.addaudithook(self._audit)  # which cannot be taken away again

    def __enter__(self) -> Trace:
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *exception: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and sys.getprofile() is not None and isinstance(arguments[0], str | os.PathLike):
            self.opened[os.path.realpath(arguments[0])] += 1

    def _profile(self, frame: Any, event: str, argument: object) -> None:
        """Keeps each thread's stack of scan_jax's own frames, modules and class bodies with None."""
        del argument
        name = frame.f_code.co_filename
        if event not in ("call", "return") or not name.startswith(ROOT):
            return
        stack = self._stacks.__dict__.setdefault("frames", [])
        if event == "return":
            stack.pop() if stack else None
            return
        imported = not frame.f_code.co_flags & inspect.CO_OPTIMIZED or (bool(stack) and stack[-1] is None)
        stack.append(None if imported else name.removeprefix(ROOT))
        if imported:
            return
        self.files[stack[-1]] += 1
        self.plans += (stack[-1], frame.f_code.co_name) == (f"inference{os.sep}tiling.py", "plan")
        if len(stack) > 1 and stack[-2] != stack[-1]:
            self.between[stack[-2], stack[-1]] += 1


def photograph(given: argparse.Namespace, folder: Path) -> Callable[[], object]:
    """From `scan_jax inpaint` to the filled file."""
    files = [str(folder / name) for name in ("photo.png", "hole.png")]
    return lambda: cli.main(["inpaint", f"--run={given.run}", *files, f"--out={folder / 'filled.png'}"])


def batch(given: argparse.Namespace, folder: Path) -> Callable[[], object]:
    """A training of one step, with all that begins and ends it."""
    once = [f"--config.training.{name}=1" for name in ("steps", "checkpoint_every", "pictures_every")]
    return lambda: cli.main(["train", f"--config={given.config}", f"--workdir={folder / 'run'}", *QUICK, *once])


def number(given: argparse.Namespace, folder: Path) -> Callable[[], object]:
    """One metric of one network."""
    flags = ["--baselines", "--metrics", "standard/psnr", f"--out={folder / 'evaluation'}"]
    return lambda: cli.main(["evaluate", f"--run={given.run}", *flags])


def override(given: argparse.Namespace, folder: Path) -> Callable[[], object]:
    """From a flag to the method that it changes."""
    from scan_jax.core import config
    from scan_jax.methods.api import build_method

    del folder
    change = ["--config.method.width=8"]
    return lambda: build_method(config.load(given.config, change).method)


WAYS = {"photograph": photograph, "batch": batch, "number": number, "override": override}


def main() -> None:
    """Prints a line for each way."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--run", type=Path, required=True, help="a run folder, such as of a short training")
    flags.add_argument("--config", default="configs/demo.py", help="of the training batch and the override")
    flags.add_argument("--way", choices=WAYS, action="append", help="all without it")
    flags.add_argument("--list", action="store_true", help="the files, and the calls between them")
    given = flags.parse_args()
    print(f"{'way':12}{'files':>8}{'calls between files':>22}{'photo opened':>14}{'hole opened':>13}{'plans':>7}")
    for way in given.way or WAYS:
        trace(way, given)


def trace(way: str, given: argparse.Namespace) -> None:
    """Goes one way and prints what it entered."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = np.random.default_rng(0).integers(0, 256, (48, 60, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "photo.png")
        Image.fromarray(pixels[..., 0] > 200).save(folder / "hole.png")
        go = WAYS[way](given, folder)
        with Trace() as found, contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(said):
            code = go()
        if isinstance(code, int) and code:
            raise SystemExit(f"{way} ended with {code}: {said.getvalue()}")
        opened = [found.opened[os.path.realpath(folder / each)] for each in ("photo.png", "hole.png")]
    calls = sum(found.between.values())
    print(f"{way:12}{len(found.files):8}{calls:22,}{opened[0]:14}{opened[1]:13}{found.plans:7}", flush=True)
    if given.list:
        for file in sorted(found.files):
            into = ", ".join(f"{to} {count}" for (start, to), count in found.between.most_common() if start == file)
            print(f"    {file}{': ' * bool(into)}{into}")


if __name__ == "__main__":
    main()
