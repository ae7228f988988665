"""Which operation was the first whose result is not finite: a function once more, one operation at a time."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

PACKAGE = str(Path(__file__).parents[1])
CHECKS: tuple[tuple[str, Any], ...] = (("NaN", jax.debug_nans), ("infinity", jax.debug_infs))


def first_not_finite(function: Callable[..., Any], *arguments: Any) -> str | None:
    """Where a jitted function's values stop being finite: what, and the line of ours that asked for it; else None.

    NaN is looked for first: an infinity on the way, as in the logits of what is masked, need not be wrong.
    """
    for name, check in CHECKS:
        with jax.disable_jit(), check(True):
            try:
                jax.block_until_ready(function(*arguments))
            except FloatingPointError as error:
                return f"{name}: {error}, {_where(error)}"
    return None


def _where(error: BaseException) -> str:
    """The innermost line of ours: of the forward pass, where the operation is of its gradient."""
    ours = [frame for link in _chain(error) for frame in traceback.extract_tb(link.__traceback__) if _is_ours(frame)]
    if not ours:
        return "outside of this package"
    frame = ours[-1]
    return f"at {frame.filename}:{frame.lineno}: {frame.line}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and its causes; JAX names the line before differentiation in one of them."""
    while error is not None:
        yield error
        error = error.__cause__


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(PACKAGE) and frame.filename != __file__
