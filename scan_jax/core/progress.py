"""Progress of what takes long: a bar on a terminal and in a notebook, a line now and then in a log."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tqdm import tqdm

log = logging.getLogger(__name__)
LINE_EVERY = 30.0  # seconds between two lines of a log
SILENCE = 2.0  # seconds after which what has no items to count says what it is
LINE = "{desc} {percentage:.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


def progress_bar(items: Iterable[Any] | None = None, **options: Any) -> tqdm:
    """tqdm with its options, as it suits stderr; of what is done within seconds, a log hears nothing.

    With `leave=False` nothing stays on a terminal, and a log has no line for the end.
    """
    if sys.stderr.isatty() or "ipykernel" in sys.modules:  # a notebook draws bars, too
        return tqdm(items, dynamic_ncols=True, **options)
    return _Lines(items, bar_format=LINE, **options)


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
    """A context of what cannot be counted, such as "compiling the step": says so once it takes long, then how long.

    What is done within two seconds says nothing.
    """
    began, done = time.monotonic(), threading.Event()

    def tell() -> None:
        if not done.wait(SILENCE):
            log.info("%s", what)
        while not done.wait(LINE_EVERY):
            log.info("still %s, for %.0f s", what, time.monotonic() - began)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def tells_of_compiling(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A jitted function that says so where compiling it takes long: at its first call with arguments of such shapes."""
    import jax

    seen: set[tuple[tuple[int, ...], ...]] = set()

    def call(*given: Any) -> Any:
        shapes = tuple(leaf.shape for leaf in jax.tree.leaves(given))
        if shapes in seen:
            return function(*given)
        seen.add(shapes)
        with telling(f"compiling {what}, which takes long the first time only"):
            return function(*given)

    return call


class _Lines(tqdm):
    """Writes whole lines, where a bar would be drawn over itself some hundred times."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._next = time.monotonic() + LINE_EVERY
        super().__init__(*arguments, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """A line, if the last one is long enough ago."""
        if time.monotonic() >= self._next:
            self._write_line()
        return True

    def clear(self, nolock: bool = False) -> None:
        """Nothing is to be cleared for what tqdm.write says in between."""

    def close(self) -> None:
        """The last line, where it is to stay."""
        if not self.disable and self.leave:
            self._write_line()
        self.delay = float("inf")  # tqdm clears its line on closing, unless it was never to be shown yet
        super().close()

    def _write_line(self) -> None:
        self._next = time.monotonic() + LINE_EVERY
        print(str(self).strip(), file=self.fp, flush=True)
