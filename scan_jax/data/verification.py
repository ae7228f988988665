"""Finds the files of a folder that do not decode, and remembers large folders' results between runs."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.core.progress import progress_bar
from scan_jax.data.decode import DECODE_ERRORS, verify_image
from scan_jax.data.files import AnyFile, File

log = logging.getLogger(__name__)

MANY = 500  # files; from here on progress is shown and the result kept
TOLERATED = 0.01  # of the files may be broken


def verify_photograph(file: File) -> None:
    """Reads the whole file.

    Raises:
      One of DECODE_ERRORS: it does not decode.
    """
    verify_image(file.path)


def without_broken(
    files: Sequence[AnyFile], folder: Path, verify: Callable[[AnyFile], None] = verify_photograph, rules: str = ""
) -> list[AnyFile]:
    """The files that decode; the others are named and counted in the log.

    Args:
      files: of one folder.
      folder: for messages.
      verify: raises one of DECODE_ERRORS for a file that is broken; a UserError of its own is not tolerated once.
      rules: what `verify` depends on besides the files, as a line; a result is remembered for the same line only.

    Raises:
      UserError: none decodes, more than 1% do not, or `verify` refuses a file.
    """
    broken = find_broken(files, verify, rules)
    good = [file for file in files if file.name not in broken]
    named = [f"{name} ({reason})" for name, reason in broken.items()]
    if not good:
        raise UserError(f"none of the {len(files)} files in {folder} decodes as an image, such as {named[0]}")
    if len(broken) > TOLERATED * len(files):
        raise UserError(
            f"{len(broken)} of {len(files)} files in {folder} do not decode (at most 1% are skipped): "
            f"{'; '.join(named[:3])}; replace or remove them"
        )
    for line in named:
        log.warning("skipped, it does not decode: %s", line)
    log.info("%d photographs, %d broken, in %s", len(good), len(broken), folder)
    return good


def find_broken(
    files: Sequence[AnyFile], verify: Callable[[AnyFile], None] = verify_photograph, rules: str = ""
) -> dict[str, str]:
    """The names of the files that do not decode, with the reason; large folders are looked up before they are read."""
    if len(files) <= MANY:
        return _decode_all(files, verify)
    memory = _memory(files, rules)
    try:
        return json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        log.info("decoding %d files once, to find broken ones", len(files))
    broken = _decode_all(files, verify)
    _remember(memory, broken)
    return broken


def _decode_all(files: Sequence[AnyFile], verify: Callable[[AnyFile], None]) -> dict[str, str]:
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        reasons = progress_bar(
            pool.map(partial(_reason_broken, verify), files),
            desc="verifying photographs",
            total=len(files),
            disable=len(files) <= MANY,
        )
        return {file.name: reason for file, reason in zip(files, reasons) if reason is not None}


def _reason_broken(verify: Callable[[AnyFile], None], file: AnyFile) -> str | None:
    """Why `file` does not decode, in one line; None where it does."""
    try:
        verify(file)
    except DECODE_ERRORS as error:
        return " ".join(str(error).replace(str(file.path), file.name).split()) or type(error).__name__
    return None


def _memory(files: Sequence[File], rules: str) -> Path:
    """Where the result for exactly these files, unchanged, under these rules is kept."""
    hasher = hashlib.sha256(rules.encode())
    for file in files:
        hasher.update(file.identity().encode())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "scan_jax" / "verified" / f"{hasher.hexdigest()[:32]}.json"


def _remember(memory: Path, broken: dict[str, str]) -> None:
    """Keeps the result; a cache that cannot be written only costs time."""
    try:
        write_atomically(memory, json.dumps(broken).encode())
    except UserError as error:
        log.info("the list of verified files is not kept: %s", error)
