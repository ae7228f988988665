"""What a step computes again in its backward pass rather than keep in memory."""

from __future__ import annotations

from typing import Literal

Remat = Literal["nothing", "activations"]
