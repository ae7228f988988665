"""What commands share: how each ends, with 0 or with one line on stderr and 1; and the flags of a photograph."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from scan_jax.core.errors import UserError

# Their background threads log hundreds of lines about a failure that reaches the user as one of ours.
NOISY = ("absl", "asyncio", "gcsfs", "grain", "jax", "orbax")
NO_NEWS = "Event loop is closed"  # what TensorStore's futures still say when a write of theirs has failed


def run(action: Callable[[], object]) -> int:
    """Runs `action` with the toolkit's log on stderr; a UserError becomes `error: ...`.

    Returns:
      The exit code.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("scan_jax").setLevel(logging.INFO)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _pass_over_no_news()
    try:
        action()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130  # as a shell has it: 128 + SIGINT
    return 0


def _pass_over_no_news() -> None:
    """Leaves out one message of those that have nowhere to go but stderr."""
    say = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if NO_NEWS not in str(unraisable.exc_value):
            say(unraisable)

    sys.unraisablehook = hook


def add_photograph_flags(parser: argparse.ArgumentParser) -> None:
    """Those of every command on one photograph; `inference.request` reads what they name."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("photograph", type=Path, help="an image file of any size")
    parser.add_argument("hole", type=Path, help="an image file of the same size, white where to fill")
    parser.add_argument("--run", required=True, help="a run folder, RUN@best, RUN@STEP, or a bundle")
    parser.add_argument("--hole_color", choices=("white", "black"), default="white", help="what marks the hole")
    parser.add_argument("--labels", type=Path, help="for methods that want one: a PNG whose pixel values are classes")
    parser.add_argument("--resize_labels", action="store_true", help="labels of another size: by nearest neighbour")
