"""What two processes cost against one with two devices: the same step, batch and cores, on this machine's CPU.

    python -m benchmarks.processes --config=configs/demo.py [--rounds=10] [--steps=3] [--config.a.b=value ...]

Three ways to take the step are started at once and alternate, so that a busy machine slows all of them alike; the
figures are medians. Two more ways take the step of half of the batch on half of the cores, which is what one of two
processes has to compute: alone, and two at once that exchange nothing. Their difference is what cores of one machine
cost each other; what two processes need beyond it is the exchange of gradients, which is measured by itself, too, on
arrays of the same sizes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scan_jax.commands import cli
from scan_jax.core import config as configuration
from scan_jax.core import distributed
from scan_jax.core.config import Config
from scan_jax.core.errors import UserError

KINDS = ("steps", "exchange", "data")  # what a worker can be asked for


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to take the step.

    Attributes:
      name: of its row.
      processes: how many; each has its part of the cores.
      devices: in each process.
      halves: each process takes the step of half of the batch by itself, on half of the cores.
    """

    name: str
    processes: int
    devices: int
    halves: bool = False

    @property
    def joined(self) -> bool:
        """The processes take one step together."""
        return self.processes > 1 and not self.halves


ONE_DEVICE = Way("one process, one device", 1, 1)
TWO_DEVICES = Way("one process, two devices", 1, 2)
TWO_PROCESSES = Way("two processes, one device each", 2, 1)
HALF = Way("half of the batch on half of the cores", 1, 1, halves=True)
TWO_HALVES = Way("two such halves at once", 2, 1, halves=True)
WAYS = (ONE_DEVICE, TWO_DEVICES, TWO_PROCESSES, HALF, TWO_HALVES)


def main(argv: list[str]) -> int:
    """Prints the table; or, where it is started by itself, measures one way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--config", required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=3, help="in an update")
    for hidden in ("--cores", "--distributed"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    flags, overrides = parser.parse_known_args(argv)
    return cli.run(lambda: work(flags, overrides) if flags.cores else compare(flags, overrides))


def compare(flags: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Starts the workers, lets them take updates, and prints what they found.

    Raises:
      UserError: there is one core, or an odd batch.
    """
    cores, batch_size = sorted(os.sched_getaffinity(0)), batch_size_of(flags, overrides)
    if len(cores) < 2 or batch_size % 2:
        raise UserError(f"two processes want two cores and an even batch, not {len(cores)} and {batch_size}")
    groups = {way: start(way, flags, overrides, cores, batch_size) for way in WAYS}
    about = {way: [hear(worker) for worker in group] for way, group in groups.items()}  # compiled by now
    found: dict[Way, dict[str, list[float]]] = {way: {kind: [] for kind in KINDS} for way in WAYS}
    for _ in range(flags.rounds):
        for way, group in groups.items():
            for kind in KINDS:
                for worker in group:
                    ask(worker, f"{kind} {flags.steps}")
                found[way][kind] += [max(times) for times in zip(*(hear(worker)["seconds"] for worker in group))]
    for worker in (worker for group in groups.values() for worker in group):
        worker.stdin.close()  # type: ignore[union-attr]
    medians = {way: {kind: 1000 * statistics.median(times) for kind, times in found[way].items()} for way in WAYS}
    print(f"{flags.config} {' '.join(overrides)}: batch {batch_size}, {len(cores)} cores")
    fastest = {way: 1000 * min(times["steps"]) for way, times in found.items()}
    print(table(medians, fastest, {way: told[0] for way, told in about.items()}))


def batch_size_of(flags: argparse.Namespace, overrides: Sequence[str]) -> int:
    """Of the config."""
    return configuration.load(flags.config, overrides).training.batch_size


def start(
    way: Way, flags: argparse.Namespace, overrides: Sequence[str], cores: Sequence[int], batch_size: int
) -> list[subprocess.Popen[str]]:
    """The workers of a way, each on its cores."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    flag = f"--xla_force_host_platform_device_count={way.devices}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flag}
    parts = 2 if way.halves else way.processes
    workers = []
    for index in range(way.processes):
        own = ",".join(map(str, cores[index * len(cores) // parts : (index + 1) * len(cores) // parts]))
        joined = f"{address},{way.processes},{index}" if way.joined else distributed.OFF
        words = [f"--config={flags.config}", f"--cores={own}", f"--distributed={joined}", *overrides]
        # Nothing is read ahead, so that reading can be timed.
        words += [
            f"--config.training.batch_size={batch_size // (2 if way.halves else 1)}",
            "--config.training.threads=0",
        ]
        command = [sys.executable, "-m", "benchmarks.processes", *words]
        pipes: Mapping[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        workers.append(subprocess.Popen(command, env=environment, **pipes))
    return workers


def ask(worker: subprocess.Popen[str], what: str) -> None:
    """A line on its stdin."""
    assert worker.stdin is not None
    worker.stdin.write(f"{what}\n")
    worker.stdin.flush()


def hear(worker: subprocess.Popen[str]) -> dict[str, Any]:
    """The next thing that a worker found; gloo prints between them.

    Raises:
      UserError: it has ended; it said why on stderr.
    """
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.startswith("{"):
            return json.loads(line)
    raise UserError("a worker has ended")


def table(
    medians: Mapping[Way, Mapping[str, float]], fastest: Mapping[Way, float], about: Mapping[Way, Mapping[str, Any]]
) -> str:
    """For people; times in ms."""
    lines = [f"{'':40}{'ms a step':>10}{'against one device':>20}{'fastest':>9}{'exchange alone':>16}{'reading':>9}"]
    for way in WAYS:
        row, base = medians[way], medians[ONE_DEVICE]["steps"]
        exchange = f"{row['exchange']:.1f}" if about[way]["bytes"] else "-"
        against = f"{100 * (row['steps'] / base - 1):+.1f}%"
        lines.append(
            f"{way.name:40}{row['steps']:10.1f}{against:>20}{fastest[way]:9.1f}{exchange:>16}{row['data']:9.1f}"
        )
    two, half, both = medians[TWO_PROCESSES], medians[HALF]["steps"], medians[TWO_DEVICES]
    sent, beside = about[TWO_PROCESSES], medians[TWO_HALVES]["steps"] - half
    rest = two["steps"] - half - beside - two["exchange"]  # waiting; less than 0 where the step hides some exchange
    lines += [
        "",
        f"exchanged in a step: {sent['bytes'] / 1e6:.2f} MB in {sent['arrays']} arrays by {sent['count']} collectives, "
        f"{100 * two['exchange'] / two['steps']:.1f}% of a step of two processes, "
        f"{100 * both['exchange'] / both['steps']:.1f}% of one of two devices",
        f"two processes: {two['steps']:.1f} ms = {half:.1f} of a half alone + {beside:.1f} because the other half runs "
        f"beside it + {two['exchange']:.1f} of exchange {rest:+.1f} left",
        "reading: a process' part of a batch, by one thread; read ahead, a step hides what is shorter than itself",
    ]
    return "\n".join(lines)


def work(flags: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Measures what is asked for on stdin, line by line."""
    os.sched_setaffinity(0, {int(core) for core in flags.cores.split(",")})
    with distributed.joined(flags.distributed):
        worker = Worker(configuration.load(flags.config, overrides))
        print(json.dumps(worker.about), flush=True)
        for line in sys.stdin:
            kind, times = line.split()
            print(json.dumps({"seconds": [timed(worker.actions[kind]) for _ in range(int(times))]}), flush=True)


def timed(act: Callable[[], object]) -> float:
    """Seconds."""
    before = time.perf_counter()
    act()
    return time.perf_counter() - before


class Worker:
    """A config's step, compiled; what it exchanges; and its batches."""

    def __init__(self, config: Config) -> None:
        import jax

        from scan_jax.commands.inputs import open_sources
        from scan_jax.methods.api import build_method
        from scan_jax.training.cost import roofline
        from scan_jax.training.trainer import Trainer

        method = build_method(config.method)
        self._trainer = Trainer(method, config.training, config.size, config.seed)
        self._frozen = self._trainer.place(method.load_frozen())
        self._batches = open_sources(config, method.num_labels).batches_from(0)
        self._batch = next(self._trainer.prefetch(iter([next(self._batches)])))
        self._state: Any = self._trainer.begin()
        self._step = self._trainer.trace(method.frozen_shapes()).lower().compile()
        found = roofline.find(self._step.as_text(), jax.device_count())
        sizes = [size for one in found for size in one.arrays]
        self.about = {"count": sum(one.count for one in found), "arrays": len(sizes), "bytes": sum(sizes)}
        self._sum, self._parts = all_reduce(sizes)
        self.actions = {"steps": self.step, "exchange": self.exchange, "data": self.read}
        for act in self.actions.values():
            act()  # the first time is another

    def step(self) -> None:
        """One, on the same batch."""
        import jax

        self._state, _ = self._step(self._state, self._frozen, self._batch, self._trainer.key)
        jax.block_until_ready(self._state)

    def exchange(self) -> None:
        """All-reduces of as many arrays, of the same sizes, as a step's collectives have."""
        import jax

        jax.block_until_ready(self._sum(self._parts))

    def read(self) -> None:
        """This process' part of the next batch."""
        next(self._batches)


def all_reduce(sizes: Sequence[int]) -> tuple[Callable[[Any], Any], Any]:
    """A program that sums arrays over all devices, and the arrays, of so many bytes each."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(jax.devices(), ("all",))
    split, whole = NamedSharding(mesh, PartitionSpec("all")), NamedSharding(mesh, PartitionSpec())
    shapes = [(jax.device_count(), max(1, size // 4)) for size in sizes]  # float32
    make = jax.jit(lambda: [jnp.ones(shape) for shape in shapes], out_shardings=split)
    return jax.jit(lambda parts: [part.sum(axis=0) for part in parts], out_shardings=whole), make()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
