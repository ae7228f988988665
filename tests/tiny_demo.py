"""The demo as small as it can be, for tests of commands, and what a command says in this process."""

import contextlib
import io
import json
import logging

import jax
import numpy as np

from scan_jax.core import config as configuration
from scan_jax.methods.api import build_method
from scan_jax.training.checkpoints import Checkpoints, Keep
from scan_jax.training.trainer import Trainer


def overrides(words):
    """Of a config, each without its --config."""
    return [f"--config.{word}" for word in words.split()]


DEMO = "--config=configs/demo.py"
DATA = overrides("data.size=32 data.count=16 data.held_out=4")
BUCKETS = overrides("evaluation.edges=(0.1,0.3,0.6) evaluation.holes_per_bucket=2 evaluation.batch_size=4")
# Residual blocks, a second stage, attention and a prior would take several times as long to compile. Two networks, so
# that whatever is done to networks is done to several.
NETWORKS = """method.width=4 method.critic_width=4 method.regions=2 method.blocks=0 method.stages=1 method.attention=()
    method.prior=none method.loss.adversarial=0.01 training.optimizers.generator.algorithm=adam"""
TINY = [*DATA, *BUCKETS, *overrides(f"{NETWORKS} training.batch_size=2 training.log_every=1")]


def said(main, *words, code=0):
    """What a command writes to stderr and to its log before it ends with `code`."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logging.getLogger("scan_jax").addHandler(handler)
    try:
        with contextlib.redirect_stderr(written):
            assert main([str(word) for word in words]) == code, written.getvalue()
    finally:
        logging.getLogger("scan_jax").removeHandler(handler)
    return written.getvalue()


def error_of(main, *words):
    """The one line that tells the user what is wrong, of a command that ends with 1."""
    (line,) = [line for line in said(main, *words, code=1).splitlines() if line.startswith("error: ")]
    return line


def write_run(folder, psnr, *changes):
    """A run folder of networks that nobody trained: a checkpoint for each step of `psnr`, drawn with it as the seed."""
    config = configuration.load("configs/demo.py", [*TINY, *changes])
    trainer = Trainer(build_method(config.method), config.training, config.size, 0)
    with contextlib.closing(Checkpoints(folder / "checkpoints", Keep(latest=9))) as checkpoints:
        for step, value in psnr.items():
            with checkpoints.finished():
                checkpoints.save(step, jax.device_put(drawn(trainer.shapes, step)))
            checkpoints.score(step, value)
    (folder / "config.json").write_text(json.dumps(config.plain))
    return folder


def drawn(shapes, seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: (0.1 * rng.normal(size=leaf.shape)).astype(leaf.dtype), shapes)
