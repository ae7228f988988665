"""The parts of a config, opened and checked: what is trained, on what. Nothing is compiled yet and nothing written."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import jax

from scan_jax.core.config import Config
from scan_jax.data.api import DataSplits, agree_on_labels, open_data
from scan_jax.data.pipeline import Batches, batch_members, training_batches
from scan_jax.inference.trained import Trained, fit
from scan_jax.masks.api import HoleSplits, open_holes
from scan_jax.methods import api
from scan_jax.methods.api import Method, Trees, Variables
from scan_jax.training.setup import Trainer


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What training needs.

    Attributes:
      config: all of it.
      trainer: of its method.
      weights: that nothing trains, on the host.
      networks: that a new run begins with; None for random ones.
      data, holes: to train with and to measure on.
    """

    config: Config
    trainer: Trainer
    weights: Trees
    networks: Variables | None
    data: DataSplits
    holes: HoleSplits

    @functools.cached_property
    def frozen(self) -> Trees:
        """The weights that nothing trains, on the devices."""
        return self.trainer.place(self.weights)

    def batches_from(self, number: int) -> Batches:
        """This process' part of what training sees from a batch on, in NumPy.

        Raises:
          UserError: a setting makes no sense, or a source has nothing to give.
        """
        return open_batches(self.config, self.data, self.holes, number)

    def members(self, number: int) -> list[str]:
        """The titles of the photographs in a batch."""
        size, seed = self.config.training.batch_size, self.config.seed
        return batch_members(self.data.train, batch_size=size, seed=seed, number=number)


def open_config(config: Config) -> Inputs:
    """Opens every part.

    Raises:
      UserError: whatever the user can put right.
    """
    method = api.build_method(config.method)
    weights, networks = method.load_frozen(), _start_from(config.training.start_from, method)
    data, holes = open_sources(config, method.num_labels)
    trainer = Trainer(method, config.training, config.size, config.seed)
    return Inputs(config, trainer, weights, networks, data, holes)


def open_sources(config: Config, num_labels: int) -> tuple[DataSplits, HoleSplits]:
    """Photographs, with labels of so many classes or for 0 without any, and holes.

    Raises:
      UserError: either cannot be opened, or the photographs have other labels.
    """
    return agree_on_labels(open_data(config.data), num_labels), open_holes(config.holes)


def open_batches(config: Config, data: DataSplits, holes: HoleSplits, number: int) -> Batches:
    """This process' part of what training sees from batch `number` on, in NumPy.

    Raises:
      UserError: a setting makes no sense, or a source has nothing to give.
    """
    return training_batches(
        data.train,
        holes.train,
        batch_size=config.training.batch_size,
        seed=config.seed,
        start_step=number,
        size=config.size,
        augmentation=config.augmentation,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=config.training.threads,
        workers=config.training.workers,
    )


def _start_from(folder: str, method: Method) -> Variables | None:
    """The networks that a new run begins with, where the config names some.

    Raises:
      UserError: they cannot be read, or are another method's.
    """
    if not folder:
        return None
    return fit(Trained.load(Path(folder)).variables, method, f"the networks in {folder}")
