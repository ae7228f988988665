"""`python -m scan_jax prepare NAME`: builds a dataset; `verify`: reads one again."""

from __future__ import annotations

import argparse
import ast
import logging
import os
import shlex
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import scan_jax.data.builders
from scan_jax.core import registry
from scan_jax.core.errors import UserError
from scan_jax.data.preparation.flags import add_flags, read_flags

log = logging.getLogger(__name__)


def add_commands(commands: Any) -> None:
    """A command for each builder, and one that verifies."""
    for module in registry.choices(scan_jax.data.builders, "plan"):
        command = commands.add_parser(
            module.__name__.rpartition(".")[2], help=module.__doc__, description=module.__doc__, allow_abbrev=False
        )
        command.set_defaults(act=partial(_build, module), takes_overrides=False)
        command.add_argument("--data_dir", default="", help="of all datasets ($TFDS_DATA_DIR, ~/tensorflow_datasets)")
        command.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="images made at a time (the cores)")
        add_flags(command, module.Settings)
    text = "whether a prepared dataset still has the pixels that were built"
    command = commands.add_parser("verify", help=text, description=text)
    command.set_defaults(act=_verify, takes_overrides=False)
    command.add_argument("folder", type=Path, help="the dataset's folder, as the building command printed it")


def _build(module: ModuleType, flags: argparse.Namespace) -> None:
    """Looks through the source, builds, and says what became of it."""
    from scan_jax.data.preparation.build import build

    if flags.jobs < 1:
        raise UserError(f"--jobs must be positive, not {flags.jobs}")
    plan = module.plan(read_flags(flags, module.Settings))
    dataset = build(plan, flags.data_dir, flags.jobs)
    for split, records in dataset.splits.items():
        log.info("%s: %s records (%s)", split, f"{len(records):,}", dataset.digests[split][:12])
    size = sum(file.stat().st_size for file in dataset.folder.iterdir())
    log.info("%s, %.1f MB", dataset.folder, size / 1e6)
    usage = plan.usage | ({"data_dir": flags.data_dir} if flags.data_dir else {})
    log.info("train on it with %s", " ".join(_override(plan.section, key, value) for key, value in usage.items()))


def _override(section: str, key: str, value: Any) -> str:
    """The argument of a command, as a shell takes it; text that would be read as a number is quoted for Python, too."""
    text = repr(value) if isinstance(value, str) and _is_literal(value) else value
    return shlex.quote(f"--config.{section}.{key}={text}")


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def _verify(flags: argparse.Namespace) -> None:
    """Reads every record and compares with what was built."""
    from scan_jax.data.preparation.verify import verify

    for split, count in verify(flags.folder).items():
        log.info("%s: %s records are as they were built", split, f"{count:,}")
