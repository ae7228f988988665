"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

from scan_jax.core.errors import UserError


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `content` beside `path`, flushes it to the disk and renames it over `path`; makes the folder where needed.

    An older file is as it was if that ends with a UserError.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")  # several hosts may write at once
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the folder itself may be out of reach; the first error is the one to tell
            temporary.unlink(missing_ok=True)
        reason = error.strerror or error
        raise UserError(f"cannot write {path}: {reason}; free some space or choose another place") from error
