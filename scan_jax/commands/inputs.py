"""The parts of a config, opened and checked: what is trained, on what. Nothing is compiled yet and nothing written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from scan_jax.core.config import bind
from scan_jax.core.sections import AugmentationSettings, TrainingSettings
from scan_jax.data.api import DataSplits, agree_on_labels, open_data
from scan_jax.data.pipeline import Batches, batch_members, training_batches
from scan_jax.inference.trained import Trained, fit
from scan_jax.masks.api import HoleSplits, open_holes
from scan_jax.methods import api
from scan_jax.methods.api import Method, Trees, Variables
from scan_jax.training.setup import Trainer, make_trainer


@dataclasses.dataclass(frozen=True)
class Opened:
    """What training needs.

    Attributes:
      config: all of it.
      settings: its `training` section.
      method: its `method` section.
      trainer: of the method.
      frozen: weights that nothing trains, on the host.
      networks: that a new run begins with; None for random ones.
      data, holes: to train with and to measure on.
    """

    config: Mapping[str, Any]
    settings: TrainingSettings
    method: Method
    trainer: Trainer
    frozen: Trees
    networks: Variables | None
    data: DataSplits
    holes: HoleSplits

    def batches_from(self, number: int) -> Batches:
        """This process' part of what training sees from a batch on, in NumPy.

        Raises:
          UserError: a setting makes no sense, or a source has nothing to give.
        """
        return open_batches(self.config, self.data, self.holes, number)

    def members(self, number: int) -> list[str]:
        """The titles of the photographs in a batch."""
        size, seed = self.settings.batch_size, self.config["seed"]
        return batch_members(self.data.train, batch_size=size, seed=seed, number=number)


def open_config(config: Mapping[str, Any]) -> Opened:
    """Opens every part.

    Raises:
      UserError: whatever the user can put right.
    """
    settings = bind(config["training"], TrainingSettings, "config.training")
    augmentation_of(config)
    method = api.build_method(config["method"])
    frozen, networks = method.load_frozen(), _start_from(settings.start_from, method)
    data, holes = open_sources(config, method.num_labels)
    trainer = make_trainer(method, settings, config["data"]["size"], config["seed"])
    return Opened(config, settings, method, trainer, frozen, networks, data, holes)


def open_sources(config: Mapping[str, Any], num_labels: int) -> tuple[DataSplits, HoleSplits]:
    """Photographs, with labels of so many classes or for 0 without any, and holes.

    Raises:
      UserError: either cannot be opened, or the photographs have other labels.
    """
    return agree_on_labels(open_data(config["data"]), num_labels), open_holes(config["holes"])


def open_batches(config: Mapping[str, Any], data: DataSplits, holes: HoleSplits, number: int) -> Batches:
    """This process' part of what training sees from batch `number` on, in NumPy.

    Raises:
      UserError: a setting makes no sense, or a source has nothing to give.
    """
    settings = bind(config["training"], TrainingSettings, "config.training")
    return training_batches(
        data.train,
        holes.train,
        batch_size=settings.batch_size,
        seed=config["seed"],
        start_step=number,
        size=config["data"]["size"],
        augmentation=augmentation_of(config),
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=settings.threads,
        workers=settings.workers,
    )


def augmentation_of(config: Mapping[str, Any]) -> AugmentationSettings:
    """The config's, or the default where it has no such section."""
    return bind(config.get("augmentation", {}), AugmentationSettings, "config.augmentation")


def _start_from(folder: str, method: Method) -> Variables | None:
    """The networks that a new run begins with, where the config names some.

    Raises:
      UserError: they cannot be read, or are another method's.
    """
    if not folder:
        return None
    return fit(Trained.load(Path(folder)).variables, method, f"the networks in {folder}")
