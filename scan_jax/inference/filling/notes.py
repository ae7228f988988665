"""What is said while photographs are filled: each thing once, above the progress bar, and all of it by photograph."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator

from scan_jax.core.errors import UserError
from scan_jax.inference.filling.summary import Outcome

Say = Callable[[str], None]


class Notes(logging.Handler):
    """Keeps what is logged about each photograph; says it the first time, and at the end how often it was the case."""

    def __init__(self, say: Say) -> None:
        """`say` prints a line."""
        super().__init__(logging.WARNING)
        self._say = say
        self._outcome: Outcome | None = None
        self._counts: Counter[str] = Counter()  # by the message's template, like the first of each
        self._first: dict[str, str] = {}
        self._logger = logging.getLogger("scan_jax")

    def __enter__(self) -> Notes:
        self._propagate, self._logger.propagate = self._logger.propagate, False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *exception: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagate
        for template, count in self._counts.items():
            if count > 1:
                self._say(f"{count:,} photographs in all: {self._first[template]}")

    def emit(self, record: logging.LogRecord) -> None:
        """Called by `logging`."""
        message = record.getMessage()
        if self._outcome is not None:
            if message in self._outcome.warnings:
                return
            self._outcome.warnings.append(message)
        template = str(record.msg)
        self._counts[template] += 1
        if self._counts[template] == 1:
            self._first[template] = message
            self._say(f"{self._outcome.name}: {message}" if self._outcome else message)

    @contextlib.contextmanager
    def about(self, outcome: Outcome) -> Iterator[None]:
        """What happens inside concerns this photograph: its time, its warnings, and its failure, which ends here."""
        began = time.perf_counter()
        self._outcome = outcome
        try:
            yield
        except (UserError, MemoryError) as error:
            outcome.status, outcome.error = "failed", str(error) or "there is not enough memory to read it"
            self._say(f"{outcome.name}: {outcome.error}")
        finally:
            outcome.seconds += time.perf_counter() - began
            self._outcome = None
