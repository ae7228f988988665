"""How long `python -m scan_jax inpaint` takes from its start to the filled file, and where that time goes.

    python -m benchmarks.start_time --width=16 --width=64
    python -m benchmarks.start_time --run=runs/demo

Without --run the networks are SCAN's with random parameters, as a run folder and as a bundle. Every start is a process
of its own; those of the first start of each, which fill the compilation cache, are not counted. The forward pass is
measured in the same process by filling once more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 256
PHASES = ("imports", "loading", "tracing", "compiling", "forward", "rest", "total", "besides forward")
# Runs in the measured process: the command itself, with clocks around what it calls.
CHILD = """
import importlib, json, os, pathlib, sys, time
born, spent = float(os.environ["BORN"]), {"loading": 0.0}
import jax
from scan_jax.commands import inpaint
from scan_jax.inference import batch, engine, inpainter, trained
method = json.loads(pathlib.Path(sys.argv[1].partition("=")[2], "config.json").read_text())["method"]["name"]
importlib.import_module(f"scan_jax.methods.{method}")
spent["imports"] = time.time() - born
events, asked = {}, []
def count(event, seconds, **_):
    events[event] = events.get(event, 0.0) + seconds
jax.monitoring.register_event_duration_secs_listener(count)
def clocked(function):
    def run(*given, **named):
        start, before = time.perf_counter(), dict(events)
        done = function(*given, **named)
        spent["loading"] += time.perf_counter() - start
        events.clear(), events.update(before)  # what loading traces counts as loading
        return done
    return run
trained.Trained.load = staticmethod(clocked(trained.Trained.load))
inpainter.Inpainter.__init__ = clocked(inpainter.Inpainter.__init__)
predict = engine.Engine.predict
def noted(*given):
    asked.append(given)
    return predict(*given)
engine.Engine.predict = noted
assert inpaint.main(sys.argv[1:]) == 0
spent["total"] = time.time() - born
times = []
for _ in range(3):
    start = time.perf_counter()
    jax.block_until_ready(predict(*asked[0]))
    times.append(time.perf_counter() - start)
spent["again"] = sorted(times)[1]
print(json.dumps(spent | events))
"""


def main() -> None:
    """Prints medians."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--run", type=Path, help="a run folder or a bundle")
    flags.add_argument("--width", type=int, action="append", help="of networks with random parameters")
    flags.add_argument("--starts", type=int, default=5, help="processes, after one that fills the cache")
    given = flags.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_pictures(folder)
        print(f"{'':24}" + "".join(f"{phase:>17}" for phase in PHASES))
        for title, run in [(str(given.run), given.run)] if given.run else networks(given.width or [16, 64], folder):
            starts = [start(run, folder) for _ in range(1 + given.starts)][1:]
            medians = (statistics.median(one[phase] for one in starts) for phase in PHASES)
            print(f"{title:24}" + "".join(f"{seconds:15.2f} s" for seconds in medians), flush=True)


def draw_pictures(folder: Path) -> None:
    """A photograph and its hole."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(folder / "photo.png")
    hole = np.zeros((SIZE, SIZE), np.uint8)
    hole[80:160, 60:180] = 255
    Image.fromarray(hole).save(folder / "hole.png")


def networks(widths: list[int], folder: Path) -> Iterator[tuple[str, Path]]:
    """Of each width a run folder as training leaves it, and its export."""
    for width in widths:
        run = folder / f"width{width}"
        python("-c", f"from benchmarks import start_time; start_time.make_run({str(run)!r}, {width})")
        yield f"run folder, width {width}", run
        bundle = folder / f"bundle{width}"
        python("-m", "scan_jax", "export", f"--run={run}", f"--out={bundle}", "--no_stablehlo")
        yield f"bundle, width {width}", bundle


def make_run(name: str, width: int) -> None:
    """Configuration and one checkpoint; in a process of its own, for JAX stays out of the measuring one."""
    import jax

    from scan_jax.core.config import bind
    from scan_jax.core.sections import TrainingSettings
    from scan_jax.methods.api import build_method
    from scan_jax.training.checkpoints import Checkpoints, Keep
    from scan_jax.training.trainer import Trainer

    section = {"name": "scan", "width": width, "critic_width": 8, "loss": {"perceptual": 0.0, "style": 0.0}}
    rates = {name: {"learning_rate": 1e-4} for name in ("generator", "critic")}
    training = {"steps": 1, "batch_size": 1, "optimizers": rates}
    config = {"data": {"size": SIZE}, "method": section, "training": training}
    trainer = Trainer(build_method(section), bind(training, TrainingSettings, "training"), 64, 0)
    rng = np.random.default_rng(0)
    state = jax.tree.map(lambda leaf: (0.02 * rng.normal(size=leaf.shape)).astype(leaf.dtype), trainer.shapes)
    folder = Path(name)
    with contextlib.closing(Checkpoints(folder / "checkpoints", Keep(latest=1))) as checkpoints, checkpoints.finished():
        checkpoints.save(1, jax.device_put(state))
    (folder / "config.json").write_text(json.dumps(config))


def python(*arguments: str) -> None:
    """A quiet process."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def start(run: Path, folder: Path) -> dict[str, float]:
    """One start of the command: seconds by phase."""
    import time

    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(folder / "cache"), "BORN": str(time.time())}
    flags = [f"--run={run}", str(folder / "photo.png"), str(folder / "hole.png"), f"--out={folder / 'filled.png'}"]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *flags], env=environment, check=True, capture_output=True, text=True
    )
    spent = json.loads(done.stdout.splitlines()[-1])
    events = "/jax/core/compile/"
    found = {
        "imports": spent["imports"],
        "loading": spent["loading"],
        "tracing": sum(spent.get(f"{events}{name}_duration", 0.0) for name in ("jaxpr_trace", "jaxpr_to_mlir_module")),
        "compiling": spent.get(f"{events}backend_compile_duration", 0.0),
        "forward": spent["again"],
    }
    rest = spent["total"] - sum(found.values())
    return {**found, "rest": rest, "total": spent["total"], "besides forward": spent["total"] - spent["again"]}


if __name__ == "__main__":
    main()
