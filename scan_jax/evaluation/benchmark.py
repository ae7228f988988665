"""Which test: a protocol of a paper, that of a config file, or a run's own; and its photographs and holes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scan_jax.core import config as configuration
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.core.sections import EvaluationSettings
from scan_jax.data.api import agree_on_labels, open_data
from scan_jax.evaluation.protocol import Protocol
from scan_jax.evaluation.protocols import find_protocol
from scan_jax.evaluation.results import Conditions
from scan_jax.evaluation.scoring import Test
from scan_jax.masks.api import open_holes
from scan_jax.masks.fixed_set import fixed_set
from scan_jax.masks.ratio import make_buckets

SECTIONS = ("data", "holes", "evaluation")
REFINE = "evaluation.refine"  # is no part of a test either, and --refine says it
# Where things lie, and how many are done at a time, is no part of a protocol.
FREE = {"data.data_dir", "data.path", "data.held_out_path", "holes.data_dir", "holes.path", "holes.held_out_path"}
FREE |= {"evaluation.batch_size"}


@dataclasses.dataclass(frozen=True)
class Opened:
    """A test, ready to be taken.

    Attributes:
      protocol: its name, version and published tables; no tables where something of it was overridden.
      conditions: what every table says of it.
      test: the photographs and holes.
    """

    protocol: Protocol
    conditions: Conditions
    test: Test


def open_test(name: str, run_config: Mapping[str, Any], run: str, overrides: Sequence[str], num_labels: int) -> Opened:
    """Opens photographs and holes.

    Args:
      name: a protocol's, a config file, or empty for the run's own test.
      run_config: of the first run; empty without one.
      run: its name.
      overrides: such as `--config.data.path=FACES`.
      num_labels: classes that the networks need; 0 where they need none.

    Raises:
      UserError: no such protocol, nothing to measure on, or a source that cannot be opened.
    """
    protocol, evaluation = _override(*_find(name, run_config, run), overrides)
    source = open_data(protocol.data)
    photographs = (agree_on_labels(source, num_labels) if num_labels else source).held_out
    held_out = open_holes(protocol.holes).held_out
    if not len(photographs):
        raise UserError(f"{photographs.name} has no photographs to evaluate on")
    size = photographs[0]["image"].shape[0]
    buckets = make_buckets(protocol.edges)
    fixed = fixed_set(held_out, size, buckets, protocol.holes_per_bucket)
    holes = {b.label: fixed.holes.get(b.label, np.zeros((0, size, size), bool)) for b in buckets}
    count = min(protocol.photographs or len(photographs), len(photographs))
    protocol = _as_measured(protocol, count, photographs.name, fixed.digest)
    conditions = Conditions(
        protocol=str(protocol),
        photographs=photographs.name,
        photographs_digest=photographs.digest,
        holes=held_out.description,
        holes_digest=fixed.digest,
        count=count,
        size=size,
        completion=protocol.completion,
    )
    return Opened(protocol, conditions, Test(photographs, holes, count, evaluation.batch_size))


def _as_measured(protocol: Protocol, count: int, photographs: str, holes_digest: str) -> Protocol:
    """The protocol where everything is as it says; else without a paper's tables, and with what differs in its name."""
    differs = [
        *([f"{count} of {protocol.count:,} photographs"] if protocol.count not in (0, count) else []),
        *(["another split"] if protocol.split not in photographs else []),
        *(["other holes"] if protocol.holes_digest not in ("", holes_digest) else []),
    ]
    if not differs:
        return protocol
    return dataclasses.replace(protocol, name=f"{protocol.name} with {', '.join(differs)}", tables=())


def _find(name: str, run_config: Mapping[str, Any], run: str) -> tuple[Protocol, EvaluationSettings]:
    if not name and not run_config:
        raise UserError("there is no --run whose test could be taken; name one: --protocol=NAME or a config file")
    if not name:
        return _of_config(run_config, f"of {run}")
    if configuration.is_config(name):
        return _of_config(configuration.load(name).plain, f"of {configuration.run_name(name)}.py")
    return find_protocol(name), EvaluationSettings()


def _of_config(config: Mapping[str, Any], name: str) -> tuple[Protocol, EvaluationSettings]:
    """The test that a config's `evaluation` section describes."""
    missing = [section for section in SECTIONS if section not in config]
    if missing:
        raise UserError(f"the config of {name.removeprefix('of ')} has no section {missing[0]!r}; name a --protocol")
    settings = bind(config["evaluation"], EvaluationSettings, "config.evaluation")
    protocol = Protocol(
        name=name,
        version=1,
        data=config["data"],
        holes=config["holes"],
        edges=settings.edges,
        holes_per_bucket=settings.holes_per_bucket,
        photographs=settings.photographs,
    )
    return protocol, settings


def _override(
    protocol: Protocol, settings: EvaluationSettings, overrides: Sequence[str]
) -> tuple[Protocol, EvaluationSettings]:
    """The protocol as the command line wants it; what was changed becomes a part of its name."""
    measured = {"edges", "holes_per_bucket", "photographs"}
    evaluation = dataclasses.asdict(settings) | {key: getattr(protocol, key) for key in measured}
    config = copy.deepcopy({"data": dict(protocol.data), "holes": dict(protocol.holes), "evaluation": evaluation})
    before = copy.deepcopy(config)
    configuration.apply(config, overrides)
    foreign = [key for key in config if key not in SECTIONS]
    if foreign:
        raise UserError(
            f"config.{foreign[0]} makes no difference to a test; only {', '.join(SECTIONS)} can be set here"
        )
    if any(override.startswith(f"--config.{REFINE}=") for override in overrides):
        raise UserError(f"config.{REFINE} is no part of a test; name optimisations with --refine, or none after it")
    changed = [
        f"{section}.{key}={value}"
        for section in SECTIONS
        for key, value in config[section].items()
        if f"{section}.{key}" not in FREE and before[section].get(key) != value
    ]
    settings = bind(config["evaluation"], EvaluationSettings, "config.evaluation")
    return dataclasses.replace(
        protocol,
        name=" ".join([protocol.name, *(["with", ", ".join(changed)] if changed else [])]),
        data=config["data"],
        holes=config["holes"],
        tables=() if changed else protocol.tables,
        **{key: getattr(settings, key) for key in measured},
    ), settings
