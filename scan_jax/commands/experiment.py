"""One run, from a config to a trained and measured network: opens every room's part and hands it to the next."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from scan_jax.commands.inputs import Opened, augmentation_of, open_config
from scan_jax.core.checkpoint_folder import place
from scan_jax.core.config import bind
from scan_jax.core.distributed import by_first, fetch, first_knows, is_first, keep_compilations
from scan_jax.data.api import DataSplits
from scan_jax.evaluation.benchmark import EvaluationSettings
from scan_jax.evaluation.entries import Predict
from scan_jax.evaluation.evaluator import Evaluator
from scan_jax.evaluation.run_pictures import ContactSheet, draw_curves
from scan_jax.inference.engine import Engine
from scan_jax.masks.api import HoleSplits
from scan_jax.masks.fixed_set import FixedSet, fixed_set
from scan_jax.masks.ratio import make_buckets
from scan_jax.methods.api import Trees, Variables, find_refiner
from scan_jax.training import run_folder
from scan_jax.training import run_folder as provenance
from scan_jax.training.checkpoints import Checkpoints, Keep
from scan_jax.training.loop import Callback
from scan_jax.training.recovery import Run, train
from scan_jax.training.run_folder import Provenance
from scan_jax.training.scalars import has_scalars
from scan_jax.training.settings import TrainingSettings
from scan_jax.training.step import TrainState, averaged

log = logging.getLogger(__name__)


def run(config: Mapping[str, Any], folder: Path) -> None:
    """Trains and measures what `config` describes, in the run folder, from where an earlier start left it.

    Raises:
      UserError: whatever the user can put right; before anything is compiled, where possible.
    """
    # Before data are read: once a path was looked at, etils no longer asks how buckets are to be reached.
    place(folder, bind(config["training"], TrainingSettings, "config.training").checkpoints)
    evaluation = bind(config["evaluation"], EvaluationSettings, "config.evaluation")
    opened = open_config(config)
    for name in evaluation.refine:
        find_refiner(opened.method, name)  # before hours of training, not after
    buckets = make_buckets(evaluation.edges)
    fixed = fixed_set(opened.holes.held_out, config["data"]["size"], buckets, evaluation.holes_per_bucket)
    used = _provenance(opened.data, opened.holes, fixed)
    by_first(lambda: _begin(folder, config, opened.settings.checkpoints, used))
    _announce(folder, opened, fixed)
    keep_compilations()
    frozen = opened.trainer.place(opened.frozen)
    callbacks = _callbacks(opened, frozen, fixed, evaluation, folder)
    with contextlib.closing(_checkpoints(folder, opened.settings, used)) as checkpoints:
        train(
            Run(
                folder=folder,
                settings=opened.settings,
                trainer=opened.trainer,
                networks=opened.networks,
                frozen=frozen,
                batches_from=opened.batches_from,
                members=opened.members,
                callbacks=callbacks,
                checkpoints=checkpoints,
            )
        )
    by_first(lambda: draw_curves(folder))
    log.info("table, pictures, curves and checkpoints are in %s", folder)


def _checkpoints(folder: Path, settings: TrainingSettings, used: Provenance) -> Checkpoints:
    """Those of the run."""
    keep = Keep(settings.keep, settings.keep_every, settings.keep_best)
    return Checkpoints(place(folder, settings.checkpoints), keep, used)


def _callbacks(
    opened: Opened, frozen: Trees, fixed: FixedSet, evaluation: EvaluationSettings, folder: Path
) -> tuple[Callback, ...]:
    """Pictures and measurements."""
    method, trainer, settings = opened.method, opened.trainer, opened.settings
    engine = Engine(method, Variables({}, {}), share=trainer.share, copy=trainer.place, frozen=frozen)
    sheet = ContactSheet(opened.data.held_out, fixed.holes, method.num_labels)
    evaluator = Evaluator(
        opened.data.held_out,
        fixed,
        folder,
        method=opened.config["method"]["name"].upper(),
        holes_name=opened.holes.held_out.description,
        batch_size=evaluation.batch_size,
        limit=evaluation.photographs,
    )
    return (
        Callback(
            settings.pictures_every,
            _pictures(engine, sheet, folder),
            lambda step: first_knows(_picture(folder, step).exists),
        ),
        Callback(
            settings.evaluate_every or settings.steps,
            _measure(engine, evaluation.refine, evaluator, settings.steps),
            lambda step: first_knows(lambda: has_scalars(folder, step, "eval/")),
        ),
    )


def _picture(folder: Path, step: int) -> Path:
    return folder / "pictures" / f"{step:07d}.png"


def _begin(folder: Path, config: Mapping[str, Any], elsewhere: str, used: Provenance) -> None:
    """Makes the folder this run's, or checks that it is; likewise a place of its checkpoints outside of it."""
    run_folder.claim(folder, config)
    if elsewhere:
        run_folder.claim(place(folder, elsewhere), config)
    provenance.keep(folder, used)


def _provenance(data: DataSplits, holes: HoleSplits, fixed: FixedSet) -> Provenance:
    """Names, splits among them, and hashes of what the run sees."""
    return {
        "train": data.train.name,
        "train_digest": data.train.digest,
        "held_out": data.held_out.name,
        "held_out_digest": data.held_out.digest,
        "holes": holes.held_out.description,
        "holes_digest": fixed.digest,
    }


def _measure(
    engine: Engine, refine: tuple[str, ...], evaluator: Evaluator, last: int
) -> Callable[[int, TrainState], Mapping[str, float]]:
    """Every held-out photograph in every bucket, beside the baselines; after the last step refined, too."""

    def refined(name: str) -> Predict:
        return lambda seen: fetch(engine.refine(name, seen, 0, None).prediction.image)

    def act(step: int, state: TrainState) -> Mapping[str, float]:
        engine.variables = averaged(state)
        after = {name: refined(name) for name in refine} if step == last else {}
        return dict(evaluator(lambda seen: fetch(engine.predict(seen, 0)), step, after))

    return act


def _pictures(engine: Engine, sheet: ContactSheet, folder: Path) -> Callable[[int, TrainState], Mapping[str, float]]:
    """A contact sheet of the same held-out photographs each time."""

    def act(step: int, state: TrainState) -> Mapping[str, float]:
        engine.variables = averaged(state)
        stages = engine.stages(sheet.observation)
        looks = engine.look(sheet.observation, sheet.points) if engine.method.maps else {}
        if is_first():
            sheet.write(_picture(folder, step), stages, looks)
        return {}

    return act


def _announce(folder: Path, opened: Opened, fixed: FixedSet) -> None:
    """The first lines of a run: where it runs, on what, and how large its networks are."""
    devices, data, holes = jax.devices(), opened.data, opened.holes
    log.info("run folder %s", folder)
    log.info("platform %s, %d x %s, jax %s", devices[0].platform, len(devices), devices[0].device_kind, jax.__version__)
    log.info("train on %d photographs, %s (%s)", len(data.train), data.train.name, data.train.digest[:12])
    log.info("augmentation: %s", augmentation_of(opened.config))
    log.info("measure on %d, %s (%s)", len(data.held_out), data.held_out.name, data.held_out.digest[:12])
    log.info("holes: %s; measured on %d fixed ones (%s)", holes.train.description, _count(fixed), fixed.digest[:12])
    for name, tree in opened.trainer.shapes.params.items():
        log.info("%s: %.2f M parameters", name, sum(leaf.size for leaf in jax.tree.leaves(tree)) / 1e6)


def _count(fixed: FixedSet) -> int:
    return sum(len(stack) for stack in fixed.holes.values())
