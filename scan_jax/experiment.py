"""One run, from a config to a trained and measured network: opens every room's part and hands it to the next."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from scan_jax.compilation_cache import keep_compilations
from scan_jax.compiled import LookWith, PredictWith, make_look, make_predict, make_refine
from scan_jax.data.agreement import agree_on_labels
from scan_jax.data.api import DataSplits, open_data
from scan_jax.data.augmentation import AugmentationSettings
from scan_jax.data.pipeline import Batches, training_batches
from scan_jax.evaluation.contact_sheet import ContactSheet
from scan_jax.evaluation.curves import draw_curves
from scan_jax.evaluation.evaluator import EvaluationSettings, Evaluator
from scan_jax.evaluation.filling import Predict
from scan_jax.inference.trained import Trained, fit
from scan_jax.masks.api import HoleSplits, open_holes
from scan_jax.masks.fixed_set import FixedSet, fixed_set
from scan_jax.masks.ratio import make_buckets
from scan_jax.methods import api
from scan_jax.methods.api import Method, Variables
from scan_jax.processes import by_first, fetch, is_first
from scan_jax.run_layout import CHECKPOINTS
from scan_jax.settings import bind
from scan_jax.training import provenance, run_folder
from scan_jax.training.checkpoints import Checkpoints
from scan_jax.training.loop import Callback, Loop
from scan_jax.training.provenance import Provenance
from scan_jax.training.scalars import forget_after, open_writers
from scan_jax.training.settings import TrainingSettings
from scan_jax.training.setup import Trainer, make_trainer
from scan_jax.training.state import TrainState

log = logging.getLogger(__name__)


def run(config: Mapping[str, Any], folder: Path) -> None:
    """Trains and measures what `config` describes, in the run folder, from where an earlier start left it.

    Raises:
      UserError: whatever the user can put right; before anything is compiled, where possible.
    """
    settings = bind(config["training"], TrainingSettings, "config.training")
    evaluation = bind(config["evaluation"], EvaluationSettings, "config.evaluation")
    augmentation = _augmentation(config)
    method = api.build_method(config["method"])
    for name in evaluation.refine:
        api.find_refiner(method, name)  # before hours of training, not after
    frozen, networks = method.load_frozen(), _start_from(settings.start_from, method)
    data, holes = open_sources(config, method.num_labels)
    buckets = make_buckets(evaluation.edges)
    fixed = fixed_set(holes.held_out, config["data"]["size"], buckets, evaluation.holes_per_bucket)
    trainer = make_trainer(method, settings, config["data"]["size"], config["seed"])
    evaluator = Evaluator(
        data.held_out,
        fixed,
        folder,
        method=config["method"]["name"].upper(),
        holes_name=holes.held_out.description,
        batch_size=evaluation.batch_size,
        limit=evaluation.photographs,
    )
    used = _provenance(data, holes, fixed)
    by_first(lambda: _begin(folder, config, used))
    _announce(folder, data, holes, augmentation, fixed, trainer)
    keep_compilations()
    predict, on_devices = make_predict(method, trainer.share), trainer.place(frozen)
    refine = {name: make_refine(method, name, on_devices, trainer.share) for name in evaluation.refine}
    sheet = ContactSheet(data.held_out, fixed.holes, method.num_labels)
    callbacks = (
        Callback(settings.pictures_every, _pictures(predict, make_look(method, trainer.share), sheet, folder)),
        Callback(settings.evaluate_every or settings.steps, _measure(predict, refine, evaluator, settings.steps)),
    )

    def batches_from(step: int) -> Batches:
        return open_batches(config, data, holes, step)

    with contextlib.closing(Checkpoints(folder.absolute() / CHECKPOINTS, settings.keep, used)) as checkpoints:
        _train(settings, trainer, networks, on_devices, batches_from, callbacks, checkpoints, folder)
    by_first(lambda: draw_curves(folder))
    log.info("table, pictures, curves and checkpoints are in %s", folder)


def _begin(folder: Path, config: Mapping[str, Any], used: Provenance) -> None:
    """Makes the folder this run's, or checks that it is."""
    run_folder.claim(folder, config)
    provenance.keep(folder, used)


def open_sources(config: Mapping[str, Any], num_labels: int) -> tuple[DataSplits, HoleSplits]:
    """Photographs, with labels of so many classes or for 0 without any, and holes.

    Raises:
      UserError: either cannot be opened, or the photographs have other labels.
    """
    return agree_on_labels(open_data(config["data"]), num_labels), open_holes(config["holes"])


def open_batches(config: Mapping[str, Any], data: DataSplits, holes: HoleSplits, step: int) -> Batches:
    """This process' part of what training sees from `step` on, in NumPy.

    Raises:
      UserError: a setting makes no sense, or a source has nothing to give.
    """
    settings = bind(config["training"], TrainingSettings, "config.training")
    return training_batches(
        data.train,
        holes.train,
        batch_size=settings.batch_size,
        seed=config["seed"],
        start_step=step,
        size=config["data"]["size"],
        augmentation=_augmentation(config),
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=settings.threads,
        workers=settings.workers,
    )


def _augmentation(config: Mapping[str, Any]) -> AugmentationSettings:
    """The config's, or the default where it has no such section."""
    return bind(config.get("augmentation", {}), AugmentationSettings, "config.augmentation")


def _train(
    settings: TrainingSettings,
    trainer: Trainer,
    networks: Variables | None,
    frozen: Any,
    batches_from: Callable[[int], Batches],
    callbacks: tuple[Callback, ...],
    checkpoints: Checkpoints,
    folder: Path,
) -> None:
    """From the newest checkpoint to the last step; a run that was complete already is only measured again."""
    state = trainer.start(checkpoints, networks)
    first = int(state.step)
    by_first(lambda: forget_after(folder, first))
    with open_writers(folder) as writers:
        loop = Loop(settings, checkpoints, writers, callbacks)
        if first >= settings.steps:
            log.info("all %d steps are done; raise training.steps to go on", settings.steps)
            loop.call_back(settings.steps, state)
            return
        with contextlib.closing(trainer.feed(batches_from(first))) as batches:
            loop.run(trainer.step, state, frozen, batches, trainer.key)


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


def _start_from(folder: str, method: Method) -> Variables | None:
    """The networks that a new run begins with, where the config names some.

    Raises:
      UserError: they cannot be read, or are another method's.
    """
    if not folder:
        return None
    return fit(Trained.load(Path(folder)).variables, method, f"the networks in {folder}")


def _measure(
    predict: PredictWith, refine: Mapping[str, PredictWith], evaluator: Evaluator, last: int
) -> Callable[[int, TrainState], Mapping[str, float]]:
    """Every held-out photograph in every bucket, beside the baselines; after the last step refined, too."""

    def images(run: PredictWith, state: TrainState) -> Predict:
        return lambda *seen: fetch(run(state, *seen).image)

    def act(step: int, state: TrainState) -> Mapping[str, float]:
        refined = {name: images(run, state) for name, run in refine.items()} if step == last else {}
        return dict(evaluator(images(predict, state), step, refined))

    return act


def _pictures(
    predict: PredictWith, look: LookWith, sheet: ContactSheet, folder: Path
) -> Callable[[int, TrainState], Mapping[str, float]]:
    """A contact sheet of the same held-out photographs each time."""

    def act(step: int, state: TrainState) -> Mapping[str, float]:
        seen = sheet.image, sheet.known, sheet.labels
        prediction = fetch(predict(state, *seen))
        stages = prediction.intermediates or {"completion": prediction.image}
        looks = fetch(look(state, *seen, sheet.points))
        if is_first():
            sheet.write(folder / "pictures" / f"{step:07d}.png", stages, looks)
        return {}

    return act


def _announce(
    folder: Path,
    data: DataSplits,
    holes: HoleSplits,
    augmentation: AugmentationSettings,
    fixed: FixedSet,
    trainer: Trainer,
) -> None:
    """The first lines of a run: where it runs, on what, and how large its networks are."""
    devices = jax.devices()
    log.info("run folder %s", folder)
    log.info("platform %s, %d x %s, jax %s", devices[0].platform, len(devices), devices[0].device_kind, jax.__version__)
    log.info("train on %d photographs, %s (%s)", len(data.train), data.train.name, data.train.digest[:12])
    log.info("augmentation: %s", augmentation)
    log.info("measure on %d, %s (%s)", len(data.held_out), data.held_out.name, data.held_out.digest[:12])
    log.info("holes: %s; measured on %d fixed ones (%s)", holes.train.description, _count(fixed), fixed.digest[:12])
    for name, tree in trainer.shapes.params.items():
        log.info("%s: %.2f M parameters", name, sum(leaf.size for leaf in jax.tree.leaves(tree)) / 1e6)


def _count(fixed: FixedSet) -> int:
    return sum(len(stack) for stack in fixed.holes.values())
