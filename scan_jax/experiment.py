"""One run, from a config to a trained and measured network: opens every room's part and hands it to the next."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scan_jax.data.api import DataSplits, open_data
from scan_jax.data.pipeline import training_batches
from scan_jax.evaluation.curves import draw_curves
from scan_jax.evaluation.evaluator import EvaluationSettings, Evaluator
from scan_jax.evaluation.pictures import save_grid
from scan_jax.masks.api import HoleSplits, open_holes
from scan_jax.masks.fixed_set import fixed_set
from scan_jax.masks.ratio import make_buckets
from scan_jax.methods import api
from scan_jax.methods.api import Method, Variables
from scan_jax.settings import bind
from scan_jax.training import run_folder
from scan_jax.training.checkpoints import Checkpoints
from scan_jax.training.loop import Callback, Loop, TrainingSettings
from scan_jax.training.scalars import ScalarWriters, forget_after
from scan_jax.training.setup import Trainer, keep_compilations, make_trainer
from scan_jax.training.state import TrainState
from scan_jax.types import Observation, Prediction

log = logging.getLogger(__name__)


def run(config: Mapping[str, Any], folder: Path) -> None:
    """Trains and measures what `config` describes, in the run folder, from where an earlier start left it.

    Raises:
      UserError: whatever the user can put right, before anything is compiled where possible.
    """
    settings = bind(config["training"], TrainingSettings, "config.training")
    evaluation = bind(config["evaluation"], EvaluationSettings, "config.evaluation")
    method = api.build(config["method"])
    frozen = method.load_frozen()
    data, holes = open_data(config["data"]), open_holes(config["holes"])
    keep_compilations()
    trainer = make_trainer(method, settings, config["data"]["size"], config["seed"])
    run_folder.claim(folder, config)
    _announce(config, data, holes, trainer)
    checkpoints = Checkpoints(folder.absolute() / run_folder.CHECKPOINTS, settings.keep)
    state = trainer.start(checkpoints)
    first = int(state.step)
    forget_after(folder, first)
    batches = training_batches(
        data.train,
        holes.train,
        batch_size=settings.batch_size,
        seed=config["seed"],
        start_step=first,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=settings.threads,
    )
    predict = make_predict(method)
    with contextlib.closing(checkpoints), contextlib.closing(batches), ScalarWriters(folder) as writers:
        callbacks = (
            Callback(settings.pictures_every, _pictures(predict, data, holes, folder)),
            Callback(settings.evaluate_every or settings.steps, _measure(predict, data, holes, evaluation, folder)),
        )
        loop = Loop(settings, checkpoints, writers, callbacks)
        loop.run(trainer.step, state, trainer.place(frozen), trainer.feed(batches), trainer.key)
    draw_curves(folder)
