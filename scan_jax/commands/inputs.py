"""The parts of a config, opened and checked: what is trained, on what. Nothing is compiled yet and nothing written."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import jax

from scan_jax.core import device
from scan_jax.core.config import Config
from scan_jax.core.errors import told_of
from scan_jax.data.api import DataSplits, agree_on_labels, open_data
from scan_jax.data.pipeline import Batches, batch_members, training_batches
from scan_jax.inference.trained import Trained, fit
from scan_jax.masks.api import HoleSplits, open_holes
from scan_jax.methods import api
from scan_jax.methods.api import Method, Trees, Variables
from scan_jax.training.trainer import Trainer


@dataclasses.dataclass(frozen=True)
class Sources:
    """Photographs and holes, to train with and to measure on."""

    config: Config  # all of it
    data: DataSplits  # with labels, where the method takes some
    holes: HoleSplits  # to go with them

    def batches_from(self, number: int) -> Batches:
        """This process' part of what training sees from a batch on, in NumPy."""
        training = self.config.training
        return training_batches(
            self.data.train,
            self.holes.train,
            batch_size=training.batch_size,
            seed=self.config.seed,
            start_step=number,
            size=self.config.size,
            augmentation=self.config.augmentation,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            threads=training.threads,
            workers=training.workers,
        )

    def members(self, number: int) -> list[str]:
        """The titles of the photographs in a batch."""
        size, seed = self.config.training.batch_size, self.config.seed
        return batch_members(self.data.train, batch_size=size, seed=seed, number=number)


@dataclasses.dataclass(frozen=True)
class Inputs(Sources):
    """All that training needs."""

    trainer: Trainer  # of the config's method
    weights: Trees  # that nothing trains, on the host
    networks: Variables | None  # that a new run begins with; None for random ones

    @functools.cached_property
    def frozen(self) -> Trees:
        """The weights that nothing trains, on the devices."""
        return self.trainer.place(self.weights)


def open_sources(config: Config, num_labels: int) -> Sources:
    """Photographs, with labels of so many classes or for 0 without any, and holes."""
    device.require_chosen()
    return Sources(config, agree_on_labels(open_data(config.data), num_labels), open_holes(config.holes))


def build_method(config: Config) -> Method:
    """The config's method; a UserError, too, where the photographs' size or a wanted optimisation do not go with it."""
    method = api.build_method(config.method)
    api.require_size(method, config.size)
    with told_of("config.evaluation.refine"):
        for name in config.evaluation.refine:
            api.find_refiner(method, name)
    return method


def open_networks(config: Config, method: Method) -> Variables | None:
    """What a new run begins with; None for random ones."""
    begin = config.training.start_from
    return fit(Trained.load(Path(begin)).variables, method, f"the networks in {begin}") if begin else None


def open_config(config: Config) -> Inputs:
    """Opens every part; a UserError is something that the user can put right."""
    method = build_method(config)
    weights, networks = method.load_frozen(), open_networks(config, method)
    sources = open_sources(config, method.num_labels)
    trainer = Trainer(method, config.training, config.size, config.seed)
    return Inputs(config, sources.data, sources.holes, trainer, weights, networks)
