"""What is measured on: a paper's protocol, a config file's test or a run's own; its photographs and holes."""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scan_jax.core import config as configuration
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.sections import EvaluationSettings
from scan_jax.core.types import Example, Observation
from scan_jax.data.api import PhotoSource, agree_on_labels, open_data
from scan_jax.evaluation.protocols import Protocol, find_protocol
from scan_jax.evaluation.results import Conditions
from scan_jax.masks.api import fixed_set, open_holes
from scan_jax.masks.ratio import make_buckets

COMPLETION = "prediction rounded to 8 bits in the hole, the photograph itself elsewhere"
SECTIONS = ("data", "holes", "evaluation")
MEASURED = ("edges", "holes_per_bucket", "photographs")  # of `evaluation`, what is a part of a test
# Where things lie, and how many are done at a time, is no part of a protocol.
FREE = {f"{section}.{key}" for section in ("data", "holes") for key in ("data_dir", "path", "held_out_path")}
FREE |= {"evaluation.batch_size"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One photograph, by its index, with its hole of one bucket."""

    bucket: str
    index: int

    def __str__(self) -> str:
        return f"photograph {self.index} with its hole of {self.bucket}"


@dataclasses.dataclass(frozen=True)
class Batch:
    """Photographs with one hole each."""

    photographs: np.ndarray  # uint8 [B,S,S,3]
    holes: np.ndarray  # bool [B,S,S]
    labels: np.ndarray | None  # int32 [B,S,S]
    # Which ones these are, up to B; the images after them repeat the last, so that every batch has one shape.
    rows: tuple[Row, ...]

    @property
    def known(self) -> np.ndarray:
        """float32 [B,S,S,1], 1 = known pixel."""
        return 1 - self.holes[..., None].astype(np.float32)

    def observe(self) -> Observation:
        """What a network may see of it, on the host."""
        arrays: Any = (self.photographs.astype(np.float32) / np.float32(255), self.known, self.labels)
        return Example(*arrays).observe()


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What everybody is measured on: photograph i meets hole i modulo their number, in every bucket."""

    photographs: PhotoSource  # the held-out ones
    holes: Mapping[str, np.ndarray]  # bool [n,S,S] by bucket; a bucket without any is empty in the result
    count: int  # photographs, from the first
    batch_size: int  # the last batch is padded, so that a network is compiled once
    protocol: str = "of the config"  # name and version of the test
    holes_name: str = ""  # their source in one line
    holes_digest: str = ""  # the same digest, the same holes

    @functools.cached_property
    def size(self) -> int:
        """Height and width of the photographs."""
        return int(self.photographs[0]["image"].shape[0])

    @functools.cached_property
    def conditions(self) -> Conditions:
        """What every table says of it."""
        return Conditions(
            protocol=self.protocol,
            photographs=self.photographs.name,
            photographs_digest=self.photographs.digest,
            holes=self.holes_name,
            holes_digest=self.holes_digest,
            count=self.count,
            size=self.size,
            completion=COMPLETION,
        )

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of every pixel, class and hole that is measured, read from the test itself."""
        hasher = hashlib.sha256(f"{self.count}\n".encode())
        for index in range(self.count):
            photo = self.photographs[index]
            for name in sorted(photo):
                hasher.update(f"{name} {photo[name].dtype} {photo[name].shape}\n".encode())
                hasher.update(np.ascontiguousarray(photo[name]).tobytes())
        for bucket, holes in self.holes.items():
            hasher.update(f"{bucket} {holes.shape}\n".encode())
            hasher.update(np.packbits(holes).tobytes())
        return hasher.hexdigest()

    def rows(self) -> list[Row]:
        """Photograph by photograph, each with all buckets in turn."""
        filled = [bucket for bucket, holes in self.holes.items() if len(holes)]
        return [Row(bucket, index) for index in range(self.count) for bucket in filled]

    def batch(self, rows: Sequence[Row]) -> Batch:
        """Those rows, at most `batch_size`; the last is repeated."""
        padded = [*rows, *[rows[-1]] * (self.batch_size - len(rows))]
        photos = {index: self.photographs[index] for index in {row.index for row in rows}}
        labels = [photos[row.index]["labels"] for row in padded if "labels" in photos[row.index]]
        holes = [self.holes[row.bucket] for row in padded]
        return Batch(
            np.stack([photos[row.index]["image"] for row in padded]),  # [B,S,S,3]
            np.stack([hole[row.index % len(hole)] for row, hole in zip(padded, holes)]),  # [B,S,S]
            np.stack(labels).astype(np.int32) if labels else None,  # [B,S,S]
            tuple(rows),
        )


def open_benchmark(
    name: str, run_config: Mapping[str, Any], run: str, overrides: Sequence[str], num_labels: int
) -> tuple[Protocol, Benchmark]:
    """A protocol, without a paper's tables where something of it was overridden or differs; and what it describes.

    `name` is a protocol's, a config file, or empty for the test of `run`, the first one, whose config is empty where
    there is none; `overrides` are such as `--config.data.path=FACES`; `num_labels` are the classes that networks need,
    0 for none. UserError where there is no such protocol, nothing to measure on, or a source that cannot be opened.
    """
    found, reached = (_find(name, run_config, run, given) for given in ((), overrides))
    protocol, evaluation = _override(found, reached, overrides)
    source = open_data(protocol.data)
    photographs = (agree_on_labels(source, num_labels) if num_labels else source).held_out
    held_out = open_holes(protocol.holes).held_out
    if not len(photographs):
        raise UserError(f"{photographs.name} has no photographs to evaluate on")
    size = photographs[0]["image"].shape[0]
    buckets = make_buckets(protocol.edges)
    fixed = fixed_set(held_out, size, buckets, protocol.holes_per_bucket)
    holes = {b.label: fixed.holes.get(b.label, np.zeros((0, size, size), bool)) for b in buckets}
    count, digest = min(protocol.photographs or len(photographs), len(photographs)), fixed.digest
    about_test = {
        f"{count} of {protocol.count:,} photographs": protocol.count not in (0, count),
        "another split": protocol.split not in photographs.name,
        "other holes": protocol.holes_digest not in ("", digest),
    }
    protocol = _differing(protocol, [what for what, differs in about_test.items() if differs])
    batch_size = evaluation.batch_size
    return protocol, Benchmark(photographs, holes, count, batch_size, str(protocol), held_out.description, digest)


def _differing(protocol: Protocol, what: Sequence[str]) -> Protocol:
    """The protocol without a paper's tables, and with what differs in its name; itself where nothing does."""
    if not what:
        return protocol
    return dataclasses.replace(protocol, name=f"{protocol.name} with {', '.join(what)}", tables=())


Described = tuple[Protocol, EvaluationSettings]


def _find(name: str, run_config: Mapping[str, Any], run: str, overrides: Sequence[str]) -> Described:
    """What is named; in a config file, what refers to an overridden field has followed it."""
    if not name and not run_config:
        raise UserError("there is no --run whose test could be taken; name one: --protocol=NAME or a config file")
    if not name:
        return _of_config(run_config, f"of {run}")
    if configuration.is_config(name):
        return _of_config(configuration.load(name, overrides).plain, f"of {configuration.run_name(name)}.py")
    return find_protocol(name), EvaluationSettings()


def _of_config(config: Mapping[str, Any], name: str) -> Described:
    """The test that a config's `evaluation` section describes."""
    missing = [section for section in SECTIONS if section not in config]
    if missing:
        raise UserError(f"the config of {name.removeprefix('of ')} has no section {missing[0]!r}; name a --protocol")
    settings = bind(config["evaluation"], EvaluationSettings, "config.evaluation")
    measured = {key: getattr(settings, key) for key in MEASURED}
    return Protocol(name=name, version=1, data=config["data"], holes=config["holes"], **measured), settings


def _sections(protocol: Protocol, settings: EvaluationSettings) -> dict[str, dict[str, Any]]:
    """As a config has them."""
    evaluation = dataclasses.asdict(settings) | {key: getattr(protocol, key) for key in MEASURED}
    return copy.deepcopy({"data": dict(protocol.data), "holes": dict(protocol.holes), "evaluation": evaluation})


def _override(named: Described, reached: Described, overrides: Sequence[str]) -> Described:
    """The protocol as the command line wants it; what was changed becomes a part of its name."""
    before, config, (protocol, _) = _sections(*named), _sections(*reached), named
    configuration.apply_overrides(config, overrides)
    foreign = [key for key in config if key not in SECTIONS]
    if foreign:
        only = ", ".join(SECTIONS)
        raise UserError(f"config.{foreign[0]} makes no difference to a test; only {only} can be set here")
    if any(override.startswith("--config.evaluation.refine=") for override in overrides):
        raise UserError(
            "config.evaluation.refine is no part of a test; name optimisations with --refine, or none after it"
        )
    changed = [
        f"{section}.{key}={value}"
        for section in SECTIONS
        for key, value in config[section].items()
        if f"{section}.{key}" not in FREE and before[section].get(key) != value
    ]
    settings = bind(config["evaluation"], EvaluationSettings, "config.evaluation")
    measured = {key: getattr(settings, key) for key in MEASURED}
    found = dataclasses.replace(protocol, data=config["data"], holes=config["holes"], **measured)
    return _differing(found, changed), settings
