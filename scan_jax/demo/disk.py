"""What lies in the page's folder, and whose it is: who has most loses the oldest of it once there is too much."""

from __future__ import annotations

import contextlib
import ipaddress
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from scan_jax.core.errors import UserError
from scan_jax.demo.serving import Limits

MB = 1_000_000


def owner_of(address: str) -> str:
    """Who is charged for what comes from an address: it, or of IPv6 the 64 bits that a household is given."""
    try:
        given = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(given) if given.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


class Disk:
    """Files of a page by their owners, safe in several threads."""

    def __init__(self, limits: Limits) -> None:
        """Nothing lies there yet."""
        self._limits, self._lock = limits, threading.Lock()
        self._files: dict[Path, tuple[str, int, float]] = {}  # oldest first: its owner, bytes, when it was noted
        self._coming: Counter[str] = Counter()  # bytes on their way, by owner

    @contextlib.contextmanager
    def reserved(self, owner: str, size: int) -> Iterator[None]:
        """Keeps room for `size` bytes of `owner` while the block runs; a UserError where too much comes at once."""
        with self._lock:
            if self._coming[owner] + size > self._share:
                raise UserError("too much comes from your address at once; wait until the other uploads have ended")
            if self._coming.total() + size > self._limits.disk * MB:
                raise UserError("too much comes to this page at once; try again in a minute")
            self._coming[owner] += size
            self._make_room()
        try:
            yield
        finally:
            with self._lock:
                self._coming[owner] -= size
                self._coming += Counter()  # forgets owners of nothing

    def note(self, owner: str, paths: Iterable[Path]) -> None:
        """Charges `owner` for new files, which make older ones go where they leave too little room."""
        with self._lock:
            for path in paths:
                self._files.pop(path, None)  # the same file, uploaded by two, is the later one's
                self._files[path] = owner, path.stat().st_size, time.time()
            self._make_room()

    def _make_room(self) -> None:
        """Throws away what is too old; and of who has most the oldest, while that is beyond a share or all too much."""
        used: Counter[str] = Counter()
        for path, (owner, size, when) in list(self._files.items()):
            if when < time.time() - 60 * self._limits.minutes or not path.exists():
                self._throw_away(path)
            else:
                used[owner] += size
        while used:
            ((heaviest, most),) = used.most_common(1)
            if most <= self._share and used.total() + self._coming.total() <= self._limits.disk * MB:
                return
            oldest = next(path for path, (owner, _, _) in self._files.items() if owner == heaviest)
            used[heaviest] -= self._files[oldest][1]
            used += Counter()
            self._throw_away(oldest)

    def _throw_away(self, path: Path) -> None:
        del self._files[path]
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others lie there, too, or it is gone
            path.parent.rmdir()

    @property
    def _share(self) -> float:
        """Bytes."""
        return self._limits.disk * MB * self._limits.share / 100
