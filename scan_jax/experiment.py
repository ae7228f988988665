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
from scan_jax.evaluation.pictures import save_grid, tint_hole
from scan_jax.masks.api import HoleSplits, open_holes
from scan_jax.masks.fixed_set import FixedSet, fixed_set
from scan_jax.masks.ratio import make_buckets
from scan_jax.methods import api
from scan_jax.methods.api import Method, Variables
from scan_jax.run_layout import CHECKPOINTS
from scan_jax.settings import bind
from scan_jax.training import run_folder
from scan_jax.training.checkpoints import Checkpoints
from scan_jax.training.loop import Callback, Loop, TrainingSettings
from scan_jax.training.scalars import ScalarWriters, forget_after
from scan_jax.training.setup import Trainer, keep_compilations, make_trainer
from scan_jax.training.state import TrainState
from scan_jax.types import Observation, Prediction

log = logging.getLogger(__name__)

PICTURED = 6  # held-out photographs in a picture grid
PredictWith = Callable[[TrainState, np.ndarray, np.ndarray], Prediction]


def run(config: Mapping[str, Any], folder: Path) -> None:
    """Trains and measures what `config` describes, in the run folder, from where an earlier start left it.

    Raises:
      UserError: whatever the user can put right; before anything is compiled, where possible.
    """
    settings = bind(config["training"], TrainingSettings, "config.training")
    evaluation = bind(config["evaluation"], EvaluationSettings, "config.evaluation")
    method = api.build_method(config["method"])
    frozen = method.load_frozen()
    data, holes = open_data(config["data"]), open_holes(config["holes"])
    buckets = make_buckets(evaluation.edges)
    fixed = fixed_set(holes.held_out, config["data"]["size"], buckets, evaluation.holes_per_bucket)
    trainer = make_trainer(method, settings, config["data"]["size"], config["seed"])
    evaluator = Evaluator(
        data.held_out,
        fixed,
        folder,
        method=config["method"]["name"].upper(),
        batch_size=evaluation.batch_size,
        limit=evaluation.photographs,
    )
    run_folder.claim(folder, config)
    _announce(folder, data, holes, fixed, trainer)
    keep_compilations()
    predict = make_predict(method)
    callbacks = (
        Callback(settings.pictures_every, _pictures(predict, data, fixed, folder)),
        Callback(settings.evaluate_every or settings.steps, _measure(predict, evaluator)),
    )
    _train(config["seed"], settings, trainer, trainer.place(frozen), data, holes, callbacks, folder)
    draw_curves(folder)
    log.info("table, pictures, curves and checkpoints are in %s", folder)


def _train(
    seed: int,
    settings: TrainingSettings,
    trainer: Trainer,
    frozen: Any,
    data: DataSplits,
    holes: HoleSplits,
    callbacks: tuple[Callback, ...],
    folder: Path,
) -> None:
    """From the newest checkpoint to the last step; a run that was complete already is only measured again."""
    checkpoints = Checkpoints(folder.absolute() / CHECKPOINTS, settings.keep)
    with contextlib.closing(checkpoints):
        state = trainer.start(checkpoints)
        first = int(state.step)
        forget_after(folder, first)
        batches = training_batches(
            data.train,
            holes.train,
            batch_size=settings.batch_size,
            seed=seed,
            start_step=first,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            threads=settings.threads,
        )
        with contextlib.closing(batches), ScalarWriters(folder) as writers:  # type: ignore[type-var]
            loop = Loop(settings, checkpoints, writers, callbacks)
            if first >= settings.steps:
                log.info("all %d steps are done; raise training.steps to go on", settings.steps)
                loop.call_back(settings.steps, state)
            else:
                loop.run(trainer.step, state, frozen, trainer.feed(batches), trainer.key)


def make_predict(method: Method) -> PredictWith:
    """A jitted `(state, image [B,S,S,3], known [B,S,S,1]) -> Prediction` by the generator's moving average."""

    def predict(params: Any, stats: Any, observation: Observation) -> Prediction:
        return method.predict(Variables(params, stats), observation, jax.random.key(0))

    compiled = jax.jit(predict)

    def predict_with(state: TrainState, image: np.ndarray, known: np.ndarray) -> Prediction:
        observation = Observation(jax.numpy.asarray(image * known), jax.numpy.asarray(known))
        return compiled({**state.params, **state.ema}, state.stats, observation)

    return predict_with


def _measure(predict: PredictWith, evaluator: Evaluator) -> Callable[[int, TrainState], Mapping[str, float]]:
    """Every held-out photograph in every bucket, beside the baseline."""

    def act(step: int, state: TrainState) -> Mapping[str, float]:
        return dict(evaluator(lambda image, known: np.asarray(predict(state, image, known).image), step))

    return act


def _pictures(
    predict: PredictWith, data: DataSplits, fixed: FixedSet, folder: Path
) -> Callable[[int, TrainState], Mapping[str, float]]:
    """A grid of the same held-out photographs each time: input, every stage's completion, truth."""
    labels = list(fixed.holes)
    chosen = [(i, labels[i % len(labels)]) for i in range(min(PICTURED, len(data.held_out)))]
    image = np.stack([data.held_out[i]["image"] for i, _ in chosen]).astype(np.float32) / 255  # [n,S,S,3]
    hole = np.stack([fixed.holes[label][i % len(fixed.holes[label])] for i, label in chosen])  # [n,S,S]
    known = 1 - hole[..., None].astype(np.float32)  # [n,S,S,1]

    def act(step: int, state: TrainState) -> Mapping[str, float]:
        found = jax.device_get(predict(state, image, known).intermediates)
        columns = {
            "input": np.stack([tint_hole(*pair) for pair in zip(image, known)]),
            **{name: np.where(known > 0.5, image, picture) for name, picture in found.items()},
            "truth": image,
        }
        rows = [(label, [column[n] for column in columns.values()]) for n, (_, label) in enumerate(chosen)]
        save_grid(folder / "pictures" / f"{step:07d}.png", list(columns), rows)
        return {}

    return act


def _announce(folder: Path, data: DataSplits, holes: HoleSplits, fixed: FixedSet, trainer: Trainer) -> None:
    """The first lines of a run: where it runs, on what, and how large its networks are."""
    devices = jax.devices()
    log.info("run folder %s", folder)
    log.info("platform %s, %d x %s, jax %s", devices[0].platform, len(devices), devices[0].device_kind, jax.__version__)
    log.info("train on %d photographs, %s (%s)", len(data.train), data.train.name, data.train.digest[:12])
    log.info("measure on %d, %s (%s)", len(data.held_out), data.held_out.name, data.held_out.digest[:12])
    log.info("holes: %s; measured on %d fixed ones (%s)", holes.train.description, _count(fixed), fixed.digest[:12])
    for name, tree in trainer.shapes.params.items():
        log.info("%s: %.2f M parameters", name, sum(leaf.size for leaf in jax.tree.leaves(tree)) / 1e6)


def _count(fixed: FixedSet) -> int:
    return sum(len(stack) for stack in fixed.holes.values())
