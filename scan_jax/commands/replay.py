"""Looks into a bad step of a run: takes it once more, one operation at a time, and says where it went wrong.

    python -m scan_jax replay --run=runs/faces64 [--incident=1]

Prints the losses and gradient norms of the steps before, the photographs of the bad one, and the first operation whose
result is not finite. Draws the step's batch into the run folder. Nothing else is written, and the run is as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scan_jax.commands import cli
from scan_jax.core.errors import UserError, told_of

PACKAGE = str(Path(__file__).parents[1])


def parse(argv: list[str]) -> argparse.Namespace:
    """The flags."""
    parser = cli.parser("replay", __doc__)
    parser.add_argument("--run", type=Path, required=True, help="the run folder")
    parser.add_argument("--incident", type=int, default=0, help="its number in incidents.json, from 1; 0 is the newest")
    return parser.parse_args(argv)


def replay(flags: argparse.Namespace) -> None:
    """Takes the bad step again; a UserError where there is no such incident, or its checkpoint or data are gone."""
    from scan_jax.commands import inputs, show_batch
    from scan_jax.core.checkpoint_folder import place
    from scan_jax.core.config import Config
    from scan_jax.core.run_layout import CONFIG
    from scan_jax.inference.trained import read_config
    from scan_jax.training.guard import Incidents, shown

    number, incident = _choose(list(Incidents(flags.run)), flags.incident, flags.run)
    print(f"incident {number}: {incident.reason} at step {incident.step}")
    print("photographs: " + ", ".join(incident.photographs))
    with told_of(flags.run / CONFIG):
        parts = inputs.open_config(Config.of(read_config(flags.run), "it"))
    trainer, frozen = parts.trainer, parts.frozen
    state = trainer.state_at(place(flags.run, parts.config.training.checkpoints), incident.restored, parts.networks)
    with contextlib.closing(trainer.prefetch(parts.batches_from(incident.first_batch))) as batches:
        for step in range(incident.restored + 1, incident.step):
            state, scalars = trainer.step_after(step - 1)(state, frozen, next(batches), trainer.key)
            print(f"step {step}: {shown(scalars)}", flush=True)
        batch = next(batches)
    bad_step = trainer.step_after(incident.step - 1)
    _, scalars = bad_step(trainer.own(state), frozen, batch, trainer.key)
    again = "as it was" if shown(scalars) == shown(incident.scalars) else f"it was: {shown(incident.scalars)}"
    print(f"step {incident.step}: {shown(scalars)} ({again})")
    picture = flags.run / f"incident_{number}.png"
    show_batch.draw(picture, batch, trainer.method.num_labels)
    print(f"its batch: {picture}\nlooking at every operation ...", flush=True)
    operation = first_not_finite(bad_step, state, frozen, batch, trainer.key)
    print(f"the first that is not finite: {operation or 'none; every operation of the step is'}")


def _choose(incidents: list[Any], number: int, run: Path) -> tuple[int, Any]:
    """An incident by its number, the newest for 0."""
    if not incidents:
        raise UserError(f"{run} has no incidents.json with a bad step to replay")
    if not 0 <= number <= len(incidents):
        raise UserError(f"--incident must be from 1 to {len(incidents)}, not {number}")
    return number or len(incidents), incidents[number - 1]


def first_not_finite(function: Callable[..., Any], *arguments: Any) -> str | None:
    """Where a jitted function's values stop being finite: what, and the line of ours that asked for it; else None.

    NaN is looked for first: an infinity on the way, as in the logits of what is masked, need not be wrong.
    """
    import jax  # not for --help

    for name, check in (("NaN", jax.debug_nans), ("infinity", jax.debug_infs)):
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


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    return cli.run(lambda: replay(parse(argv)))
