"""celeba.py's training step taken apart: each piece compiled and timed by itself, and a profile of whole steps."""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools
import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import optax

from scan_jax.commands import inputs
from scan_jax.device_check import drawn
from scan_jax.device_check.drawn import DEFAULT
from scan_jax.device_check.fast import median_seconds
from scan_jax.device_check.plan import Found, Measurement, Setting
from scan_jax.methods.api import Method, Update, Variables, build_method
from scan_jax.training.step import trained_by
from scan_jax.training.trainer import Trainer, make_optimizer

FOLDER = "profile"
PROFILED = 2  # steps


def rows(setting: Setting) -> Iterator[Measurement]:
    """The step, its pieces, feeding, and the profile."""
    step = _Step(setting.tiny)
    yield "the whole step", step.whole
    for what, piece in step.pieces(tiny=setting.tiny):
        yield what, functools.partial(step.timed, piece)
    yield "feeding, on the host", step.feeding
    yield "a profile", functools.partial(step.profile, setting.out / FOLDER)


class _Step:
    """celeba.py's, at its own batch, on drawn photographs and networks."""

    def __init__(self, tiny: bool) -> None:
        config = drawn.config("celeba", DEFAULT, 2 if tiny else 0, tiny=tiny)
        self._config = drawn.drawn_photographs(config)
        self._method = build_method(config.method)
        self._trainer = Trainer(self._method, config.training, config.size, config.seed, jax.devices()[:1])
        self._batch = self._trainer.share(
            drawn.example(config.training.batch_size, config.size, self._method.num_labels)
        )
        self._frozen = self._trainer.place(drawn.frozen(self._method))
        self._state = drawn.state(self._trainer)

    def whole(self) -> Found:
        """As it is trained, but for the state, which it takes over: another one is made each time, uncounted."""
        taken = []
        for _ in range(4):
            state = jax.block_until_ready(drawn.state(self._trainer))
            begun = time.perf_counter()
            jax.block_until_ready(self._trainer.steps[-1](state, self._frozen, self._batch, self._trainer.key))
            taken.append(time.perf_counter() - begun)
        return _milliseconds(statistics.median(taken[1:]))

    def timed(self, piece: Callable[..., Any]) -> Found:
        """A piece by itself."""
        program = jax.jit(piece)
        return _milliseconds(median_seconds(lambda: program(self._state, self._frozen, self._batch), 3))

    def pieces(self, *, tiny: bool) -> Iterator[tuple[str, Callable[..., Any]]]:
        """Functions of state, frozen weights and batch; an update by itself has no picture but that of those before."""
        method, key = self._method, self._trainer.key
        yield "the generator, forward", functools.partial(_forward, method, key)
        for count, update in enumerate(method.updates[: 1 if tiny else None], 1):
            yield (
                f"updates up to {update.name}: losses and gradients",
                functools.partial(_gradients, method, count, key),
            )
        for update in method.updates:
            settings = self._config.training
            optimizer = make_optimizer(settings.optimizers[update.name], settings.steps)
            yield f"optimiser of {update.name}", functools.partial(_optimise, update, optimizer)
        if getattr(method, "features", None) is not None:
            yield "the feature network, forward, on one side", functools.partial(_features, method)

    def feeding(self) -> Found:
        """A batch from photographs in memory, with its holes."""
        batches = inputs.open_sources(self._config, self._method.num_labels).batches_from(0)
        with contextlib.closing(batches):
            next(batches)
            begun = time.perf_counter()
            count = sum(1 for _ in itertools.islice(batches, 8))
            return _milliseconds((time.perf_counter() - begun) / count)

    def profile(self, folder: Path) -> Found:
        """Of some steps, for ui.perfetto.dev and TensorBoard."""
        shutil.rmtree(folder, ignore_errors=True)
        state = drawn.state(self._trainer)
        step = self._trainer.steps[-1]
        state, _ = jax.block_until_ready(step(state, self._frozen, self._batch, self._trainer.key))
        with jax.profiler.trace(str(folder)):
            for _ in range(PROFILED):
                state, _ = jax.block_until_ready(step(state, self._frozen, self._batch, self._trainer.key))
        (file,) = folder.rglob("*.trace.json.gz")
        events = len(json.loads(gzip.decompress(file.read_bytes()))["traceEvents"])
        size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
        found = f"{events:,} events of {PROFILED} steps in {FOLDER}/, {size / 1e6:.1f} MB"
        return Found(found, numbers={"events": events, "bytes": size})


def _milliseconds(seconds: float) -> Found:
    return Found(f"{1e3 * seconds:.2f} ms", numbers={"seconds": seconds})


def _forward(method: Method, key: Any, state: Any, frozen: Any, batch: Any) -> Any:
    del frozen
    return method.predict(Variables(state.params, state.stats), batch.observe(), key).image


def _gradients(method: Method, count: int, key: Any, state: Any, frozen: Any, batch: Any) -> Any:
    """Of the first `count` updates."""
    networks = Variables(state.params, state.stats)
    return drawn.gradients(method.updates[:count], networks, frozen, batch, key)


def _optimise(update: Update, optimizer: optax.GradientTransformation, state: Any, frozen: Any, batch: Any) -> Any:
    """With the parameters in the gradient's place."""
    del frozen, batch
    trained = trained_by(state.params, update.trains)
    deltas, moments = optimizer.update(trained, state.opt[update.name], trained)
    return optax.apply_updates(trained, deltas), moments


def _features(method: Any, state: Any, frozen: Any, batch: Any) -> Any:
    del state
    return method.features(frozen["features"], batch.image)
