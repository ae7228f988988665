"""How every command ends: with 0, or with one line on stderr and 1."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from scan_jax.errors import UserError

# Their background threads log hundreds of lines about a failure that reaches the user as one of ours.
NOISY = ("absl", "asyncio", "grain", "jax", "orbax")


def run(action: Callable[[], object]) -> int:
    """Runs `action` with the toolkit's log on stderr; a UserError becomes `error: ...`.

    Returns:
      The exit code.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("scan_jax").setLevel(logging.INFO)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        action()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
