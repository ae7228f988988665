"""Every method on the same photographs and holes for the same number of pictures, and their common table.

    python -m benchmarks.compared_systems --photographs=FACES --held_out=TEST_FACES --holes=HOLES \\
        [--workdir=runs/compared] [--pictures=64000] [--only edge_connect rfr]

Each is trained by its laptop config (configs/faces64.py and configs/compare/*64.py), phases at the same shares of the
run as there. What is complete is not trained again, so the same command goes on where it was stopped. At the end
`python -m scan_jax evaluate` measures all of them on one test and prints the table with intervals.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scan_jax.commands import cli
from scan_jax.core import checkpoint_folder, config
from scan_jax.core.errors import UserError

# The labelled one first: its test has labels, which the others do not look at.
CONFIGS = {
    "masked_attention": "compare/masked_attention64",
    "scan": "compare/scan64",
    "partial_conv": "compare/partial_conv64",
    "gated_conv": "compare/gated_conv64",
    "edge_connect": "compare/edge_connect64",
    "region_norm": "compare/region_norm64",
    "rfr": "compare/rfr64",
    "lama": "compare/lama64",
    "migan": "compare/migan64",
}
BASELINES = ("navier_stokes", "biharmonic")


def main(argv: list[str]) -> int:
    """Trains and measures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compared_systems", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--photographs", required=True, help="a folder to train with")
    parser.add_argument("--held_out", required=True, help="a folder to measure on")
    parser.add_argument("--holes", required=True, help="a folder of hole masks")
    parser.add_argument("--workdir", type=Path, default=Path("runs/compared"))
    parser.add_argument("--pictures", type=int, default=64_000, help="that each method sees in training")
    parser.add_argument("--only", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    flags = parser.parse_args(argv)
    return cli.run(lambda: compare(flags))


def compare(flags: argparse.Namespace) -> None:
    """One method after the other.

    Raises:
      UserError: one of them could not be trained or measured; what it printed says why.
    """
    runs = [flags.workdir / name for name in flags.only]
    for name, run in zip(flags.only, runs):
        given = list(overrides(CONFIGS[name], flags))
        steps = int(given[0].rpartition("=")[2])
        if checkpoint_folder.committed_steps(run / "checkpoints")[:1] != [steps]:
            call("train", f"--config={CONFIGS[name]}", f"--workdir={run}", *given)
    first, *others = map(str, runs)
    against = ["--against", *others] if others else []
    out = f"--out={flags.workdir / 'table'}"
    call("evaluate", f"--run={first}", *against, "--baselines", *BASELINES, "--metrics", "standard", out)


def overrides(name: str, flags: argparse.Namespace) -> Iterator[str]:
    """What a config is told: where the data lie, and the length of the run; the number of steps comes first."""
    training = config.load(name).training
    steps = flags.pictures // training.batch_size
    yield f"--config.training.steps={steps}"
    for phase, begin in training.phases.items():
        yield f"--config.training.phases.{phase}={begin * steps // training.steps}"
    yield f"--config.data.path={flags.photographs}"
    yield f"--config.data.held_out_path={flags.held_out}"
    yield f"--config.holes.path={flags.holes}"
    yield "--config.training.evaluate_every=0"


def call(command: str, *arguments: str) -> None:
    """A command of the toolkit in a process of its own, so that one method's memory is not the next one's.

    Raises:
      UserError: it failed.
    """
    print("python -m scan_jax", command, *arguments, flush=True)
    if subprocess.run([sys.executable, "-m", "scan_jax", command, *arguments]).returncode:
        raise UserError(f"{command} ended with an error; mend it, and the same command goes on")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
