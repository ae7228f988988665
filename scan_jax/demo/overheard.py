"""What the toolkit says while it works, for the person at the page: warnings of the thread that works for them."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and record.getMessage() not in self.said:
            self.said.append(record.getMessage())


@contextlib.contextmanager
def overheard() -> Iterator[list[str]]:
    """Collects each different warning of the toolkit, of this thread alone, while the block runs."""
    ear, log = _Ear(), logging.getLogger("scan_jax")
    log.addHandler(ear)
    try:
        yield ear.said
    finally:
        log.removeHandler(ear)
