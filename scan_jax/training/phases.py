"""A training in phases: which turns a step takes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from scan_jax.core.config import did_you_mean
from scan_jax.core.errors import UserError
from scan_jax.methods.api import Turn

WHERE = "config.training.phases"


@dataclasses.dataclass(frozen=True)
class Phase:
    """A stretch of steps that take the same turns.

    Attributes:
      name: empty for a training without phases.
      begin: steps done before its first.
      length: in steps; the last one ends with the run.
      turns: in their order.
    """

    name: str
    begin: int
    length: int
    turns: tuple[Turn, ...]


def turns_in(turns: Sequence[Turn], phase: str) -> tuple[Turn, ...]:
    """Those that steps of a phase take: its own, and those of the whole training."""
    return tuple(turn for turn in turns if turn.phase in ("", phase))


def phases_of(turns: Sequence[Turn], begins: Mapping[str, int], steps: int) -> tuple[Phase, ...]:
    """A method's phases in the order of its turns; one that has no begin is left out.

    Args:
      turns: the method's.
      begins: steps done before each phase, by name: `config.training.phases`.
      steps: of the run; a phase that would begin later is never reached.

    Raises:
      UserError: a phase is unknown, the first does not begin at 0, or one begins before its predecessor.
    """
    names = list(dict.fromkeys(turn.phase for turn in turns if turn.phase))
    for name in begins:
        if name not in names:
            there_are = f"the method's phases are {', '.join(names)}" if names else "the method has no phases"
            raise UserError(f"{WHERE}.{name} is unknown{did_you_mean(name, names)}; {there_are}")
    if not names:
        return (Phase("", 0, steps, tuple(turns)),)
    chosen = [name for name in names if name in begins]
    if not chosen or begins[chosen[0]] != 0:
        raise UserError(
            f"{WHERE} says at which step each phase begins ({', '.join(names)}), and the first must begin at 0: "
            f"--{WHERE}.{(chosen or names)[0]}=0"
        )
    starts = [begins[name] for name in chosen]
    if any(after <= before for before, after in itertools.pairwise(starts)):
        raise UserError(f"{WHERE} must rise in the order {', '.join(chosen)}, not {starts}")
    ends = [*starts[1:], max(steps, starts[-1] + 1)]
    return tuple(
        Phase(name, start, end - start, turns_in(turns, name)) for name, start, end in zip(chosen, starts, ends)
    )


def phase_after(phases: Sequence[Phase], done: int) -> Phase:
    """That of the step which follows on `done` steps."""
    return [phase for phase in phases if phase.begin <= done][-1]
