"""One run, from a config to a trained and measured network: opens every part and hands it to the next."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import jax

from scan_jax.commands.inputs import Inputs, open_config
from scan_jax.core.checkpoint_folder import place
from scan_jax.core.config import Config
from scan_jax.core.distributed import fetch, is_first, keep_compilations, on_process_zero, true_on_process_zero
from scan_jax.core.folder_lock import held
from scan_jax.evaluation.entries import Predict
from scan_jax.evaluation.evaluator import Evaluator
from scan_jax.evaluation.run_pictures import ContactSheet, draw_curves
from scan_jax.inference.engine import Engine
from scan_jax.masks.api import FixedSet, fixed_set
from scan_jax.masks.ratio import make_buckets
from scan_jax.methods.api import Variables
from scan_jax.training import run_folder
from scan_jax.training.checkpoints import Checkpoints, Keep
from scan_jax.training.loop import Callback, Run
from scan_jax.training.run_folder import Provenance
from scan_jax.training.scalars import has_scalars
from scan_jax.training.step import TrainState, averaged

log = logging.getLogger(__name__)


def run(config: Config, folder: Path) -> None:
    """Trains and measures what `config` describes, in the run folder, from where an earlier start left it.

    A UserError comes before anything is compiled, where possible.
    """
    # Before data are read: once a path was looked at, etils no longer asks how buckets are to be reached.
    checkpoint_folder = place(folder, config.training.checkpoints)
    inputs = open_config(config)
    buckets = make_buckets(config.evaluation.edges)
    fixed = fixed_set(inputs.holes.held_out, config.size, buckets, config.evaluation.holes_per_bucket)
    data = inputs.data
    provenance = {
        "train": data.train.name,
        "train_digest": data.train.digest,
        "held_out": data.held_out.name,
        "held_out_digest": data.held_out.digest,
        "holes": inputs.holes.held_out.description,
        "holes_digest": fixed.digest,
    }
    with contextlib.ExitStack() as stack:
        on_process_zero(lambda: _begin(stack, folder, config, provenance))
        _announce(folder, inputs, fixed)
        keep_compilations()
        callbacks = _callbacks(inputs, fixed, folder)
        keep = Keep(config.training.keep, config.training.keep_every, config.training.keep_best)
        checkpoints = stack.enter_context(contextlib.closing(Checkpoints(checkpoint_folder, keep, provenance)))
        Run(inputs, folder, checkpoints, callbacks).train()
        on_process_zero(lambda: draw_curves(folder))
    log.info("table, pictures, curves and checkpoints are in %s", folder)


def _callbacks(inputs: Inputs, fixed: FixedSet, folder: Path) -> tuple[Callback, ...]:
    """Pictures and measurements."""
    config, training, trainer = inputs.config, inputs.config.training, inputs.trainer
    engine = Engine(trainer.method, Variables({}, {}), share=trainer.share, copy=trainer.place, frozen=inputs.frozen)
    sheet = ContactSheet(inputs.data.held_out, fixed.holes, trainer.method.num_labels)
    evaluator = Evaluator(
        inputs.data.held_out,
        fixed,
        folder,
        method=config.method["name"].upper(),
        holes_name=inputs.holes.held_out.description,
        batch_size=config.evaluation.batch_size,
        limit=config.evaluation.photographs,
    )
    measure = _measure(engine, config.evaluation.refine, evaluator, training.steps)

    def is_drawn(step: int) -> bool:
        return true_on_process_zero(_picture(folder, step).exists)

    def is_measured(step: int) -> bool:
        return true_on_process_zero(lambda: has_scalars(folder, step, "eval/"))

    return (
        Callback(training.pictures_every, _pictures(engine, sheet, folder), is_drawn),
        Callback(training.evaluate_every or training.steps, measure, is_measured),
    )


def _picture(folder: Path, step: int) -> Path:
    return folder / "pictures" / f"{step:07d}.png"


def _begin(stack: contextlib.ExitStack, folder: Path, config: Config, provenance: Provenance) -> None:
    """Makes the folder this run's, or checks that it is, likewise a place of its checkpoints; holds the folder."""
    stack.enter_context(held(folder, "choose another --workdir"))
    run_folder.claim(folder, config.plain)
    if config.training.checkpoints:
        run_folder.claim(place(folder, config.training.checkpoints), config.plain)
    run_folder.keep(folder, provenance)
    run_folder.note_versions(folder)


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


def _announce(folder: Path, inputs: Inputs, fixed: FixedSet) -> None:
    """The first lines of a run: where it runs, on what, and how large its networks are."""
    devices, data, holes = jax.devices(), inputs.data, inputs.holes
    log.info("run folder %s", folder)
    log.info("platform %s, %d x %s, jax %s", devices[0].platform, len(devices), devices[0].device_kind, jax.__version__)
    log.info("train on %d photographs, %s (%s)", len(data.train), data.train.name, data.train.digest[:12])
    log.info("augmentation: %s", inputs.config.augmentation)
    log.info("measure on %d, %s (%s)", len(data.held_out), data.held_out.name, data.held_out.digest[:12])
    fixed_ones = sum(map(len, fixed.holes.values()))
    log.info("holes: %s; measured on %d fixed ones (%s)", holes.train.description, fixed_ones, fixed.digest[:12])
    for name, tree in inputs.trainer.shapes.params.items():
        log.info("%s: %.2f M parameters", name, sum(leaf.size for leaf in jax.tree.leaves(tree)) / 1e6)
