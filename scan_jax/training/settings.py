"""A config's `training` section."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from scan_jax.core.config import did_you_mean, require_at_least
from scan_jax.core.errors import UserError
from scan_jax.methods.api import Turn
from scan_jax.training.guard import GuardSettings
from scan_jax.training.optimizers import OptimizerSettings
from scan_jax.training.sharding import REPLICATE
from scan_jax.training.step import Remat


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How a method is trained.

    Attributes:
      steps: updates in the whole run.
      batch_size: over all devices.
      optimizers: by turn.
      phases: at which step each of the method's phases begins, where it is trained in phases.
      ema_decay: of the generator's moving average.
      accumulate: parts into which a step divides its batch, one after the other, so that it needs less memory; the
        gradients are averaged. Batch normalisation and losses that divide by a batch's pixels do so in each part.
      remat: what a step computes again in its backward pass rather than keep.
      log_every, checkpoint_every, evaluate_every, pictures_every: in steps; the last step counts for all four.
      keep: newest checkpoints kept.
      keep_every: those of the steps that it divides are kept, too; 0 for none.
      keep_best: and so many of those with the best PSNR on held-out photographs.
      checkpoints: where they lie instead of the run folder, such as gs://BUCKET/RUN; empty for the run folder.
      fsdp: devices over which parameters may be split.
      sharding: rules (pattern, "replicate" or "fsdp").
      threads: that read and prepare photographs, in each process.
      workers: processes that do so instead of this one; 0 for none.
      start_from: a run folder or bundle of the same method, whose networks a new run begins with; empty for none.
      guard: against losses that leap or are no longer finite.
    """

    steps: int
    batch_size: int
    optimizers: Mapping[str, OptimizerSettings]
    phases: Mapping[str, int] = dataclasses.field(default_factory=dict)
    ema_decay: float = 0.999
    accumulate: int = 1
    remat: Remat = "nothing"
    log_every: int = 50
    checkpoint_every: int = 1000
    evaluate_every: int = 0
    pictures_every: int = 500
    keep: int = 3
    keep_every: int = 0
    keep_best: int = 0
    checkpoints: str = ""
    fsdp: int = 1
    sharding: tuple[tuple[str, str], ...] = REPLICATE
    threads: int = 2
    workers: int = 0
    start_from: str = ""
    guard: GuardSettings = dataclasses.field(default_factory=GuardSettings)

    def __post_init__(self) -> None:
        where = "config.training"
        require_at_least(1, where, steps=self.steps, batch_size=self.batch_size, accumulate=self.accumulate)
        require_at_least(1, where, log_every=self.log_every, checkpoint_every=self.checkpoint_every, keep=self.keep)
        require_at_least(0, where, evaluate_every=self.evaluate_every, pictures_every=self.pictures_every)
        require_at_least(0, where, keep_every=self.keep_every, keep_best=self.keep_best, ema_decay=self.ema_decay)
        require_at_least(0, where, threads=self.threads, workers=self.workers)
        require_at_least(1, where, fsdp=self.fsdp)
        if self.ema_decay >= 1:
            raise UserError(f"{where}.ema_decay must be below 1, not {self.ema_decay:g}")
        if self.batch_size % self.accumulate:
            raise UserError(f"{where}.accumulate = {self.accumulate} does not divide the batch of {self.batch_size}")


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
