"""Image inpainting on JAX: `scan_jax.Inpainter.load(run)` fills holes; commands train and measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scan_jax.inference.inpainter import Inpainter

__all__ = ["Inpainter"]


def __getattr__(name: str) -> Any:
    """Imports what a user asks for when it is asked for, so that `--help` need not wait for JAX."""
    if name == "Inpainter":
        from scan_jax.inference.inpainter import Inpainter

        return Inpainter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
