"""Takes the style of named parts from a reference photograph, whole or part of the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError


def pick_styles(found: Mapping[str, np.ndarray], parts: Sequence[str]) -> dict[str, np.ndarray]:
    """The styles of some parts; of all that are there where none are named.

    Args:
      found: by name, as `Inpainter.styles` returns them.
      parts: names of classes.

    Raises:
      UserError: the reference has no such part; it names those that it has.
    """
    for part in parts:
        if part not in found:
            near = did_you_mean(part, found)
            raise UserError(f"the reference photograph shows no part {part!r}{near}; it shows: {', '.join(found)}")
    return {part: found[part] for part in parts or found}


def interpolate(start: Mapping[str, np.ndarray], end: Mapping[str, np.ndarray], amount: float) -> dict[str, np.ndarray]:
    """Every part of `end`, `amount` of the way from its style in `start`; a part that `start` lacks is `end`'s.

    Raises:
      UserError: `amount` is not in [0, 1].
    """
    if not 0 <= amount <= 1:
        raise UserError(f"the amount of a style is from 0 (the photograph's own) to 1 (the reference's), not {amount}")
    return {
        part: style if part not in start else (1 - amount) * start[part] + amount * style for part, style in end.items()
    }
