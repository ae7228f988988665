"""Beside the public PyTorch code on the same device: by programs of benchmarks/, which a checkout has."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import scan_jax
from scan_jax.core.errors import UserError
from scan_jax.device_check.plan import Found, LeftOut, Measurement, Setting

ROOT = Path(scan_jax.__file__).parents[1]
STEPS = ("edge_connect", "region_norm", "rfr", "lama", "migan")  # of benchmarks.public_steps
HALVED = ("lama",)  # of these, what has bfloat16 on our side
SEAN = "SEAN"  # the folder of its clone
RATIO = re.compile(r"([\d.]+) times (?:as fast|faster)")
HALF_OF_MEMORY = {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.45"}  # PyTorch is in the same process


def rows(setting: Setting) -> Iterator[Measurement]:
    """SEAN's training pass, then the steps of the others; LeftOut where something that is needed is not here."""
    device = _require(setting)
    for dtype in ("bfloat16", "float32"):
        if (setting.public / SEAN).is_dir():  # type: ignore[operator]
            words = ["benchmarks.sean_generator", f"--public={setting.public}/{SEAN}", f"--dtype={dtype}"]
            yield f"SEAN, {dtype}", functools.partial(_ratio, *words, f"--device={device}")
        for name in STEPS:
            if dtype == "float32" or name in HALVED:
                words = ["benchmarks.public_steps", f"--clones={setting.public}", f"--only={name}", f"--dtype={dtype}"]
                yield f"{name}, {dtype}", functools.partial(_ratio, *words, "--side=256", f"--device={device}")


def _require(setting: Setting) -> str:
    """PyTorch's name of the device."""
    if setting.public is None:
        raise LeftOut("no clones of the public code were given: --public=CLONES")
    if not (ROOT / "benchmarks").is_dir():
        raise LeftOut("benchmarks/ is only in a checkout")
    if importlib.util.find_spec("torch") is None:
        raise LeftOut("PyTorch is not installed: pip install torch torchvision")
    import torch

    if not torch.cuda.is_available():
        raise LeftOut("this PyTorch has no CUDA device, and on a CPU benchmarks.public_steps prints the same rows")
    return "cuda"


def _ratio(*words: str) -> Found:
    """What a benchmark printed last."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, env={**os.environ, **HALF_OF_MEMORY}, capture_output=True, text=True
    )
    lines = [
        line.strip() for line in (done.stdout if done.returncode == 0 else done.stderr).splitlines() if line.strip()
    ]
    if done.returncode:
        if lines and lines[-1].startswith("error: "):  # a clone that is missing costs the others nothing
            return Found(f"left out: {lines[-1].removeprefix('error: ')}")
        raise UserError(f"{' '.join(words)}: {lines[-1] if lines else done.returncode}")
    told = next(line for line in lines if RATIO.search(line))
    ratio = RATIO.search(told)
    return Found(" ".join(told.split()), numbers={"ratio": float(ratio[1]) if ratio else None})
