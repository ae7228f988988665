"""Compiles a config's training step for devices that are not here, and prints what it needs and could reach there.

    python -m launch.aot_check --config=configs/celeba.py --topology=v5e:16x16 --batch_per_chip=1
    python -m launch.aot_check --config=configs/celeba.py --cpu_devices=8 --chip=h100

A TPU topology needs no TPU, only its compiler: pip install libtpu. Virtual CPU devices need nothing; with --chip, the
roofline is of that chip, by the memory traffic of the CPU's program, which fuses less. No photographs or weights
are read, and nothing is written. Overrides (--config.method.compute_dtype=bfloat16) are as for scan_jax.main.

Compilers spend most of their time on the last tenths of speed. O0 spares that: the same partitioning and collectives,
a little more temporary memory. Training itself is compiled at JAX's default; see it with --optimization_level=UNKNOWN.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Any

from scan_jax.commands import cli
from scan_jax.core.config import Config, load
from scan_jax.core.errors import UserError

# Of the machine that is not there; the compiler asks for them before it reads the topology's name.
TPU_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-8",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # nothing is run, so nobody's TPU is taken
}
MEGACORE = ("v4", "v5p")  # whose chips have two cores that work as one device
FSDP_RULES = ((".*", "fsdp"),)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    flags, overrides = parse(argv)
    os.environ["JAX_PLATFORMS"] = "cpu"
    for name, value in TPU_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    return cli.run(lambda: check(flags, overrides))


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags, and the overrides beside them."""
    parser = argparse.ArgumentParser(prog="python -m launch.aot_check", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--config", required=True, help="a name such as celeba, or a file")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--topology", help="such as v5e:2x4, v5e:16x16, v4:2x2x1, v5p:2x2x1, v6e:8x8")
    where.add_argument("--cpu_devices", type=int, help="virtual ones")
    parser.add_argument("--chip", help="of the roofline, with --cpu_devices: v5e, a100, h100, h200, l4, ...")
    parser.add_argument("--batch_per_chip", type=int, help="instead of training.batch_size over all")
    parser.add_argument("--optimization_level", default="O0", choices=("O0", "O1", "O2", "O3", "UNKNOWN"))
    parser.add_argument("--fsdp", type=int, help="training.fsdp, and every array split where the config has no rules")
    return parser.parse_known_args(argv)


def check(flags: argparse.Namespace, overrides: list[str]) -> None:
    """Compiles and prints.

    Raises:
      UserError: whatever the user can put right; a step that does not fit.
    """
    import jax

    jax.config.update("jax_optimization_level", flags.optimization_level)
    if flags.cpu_devices:
        jax.config.update("jax_num_cpu_devices", flags.cpu_devices)

    from scan_jax.commands import dry_run
    from scan_jax.training.cost import accelerators
    from scan_jax.training.cost.estimate import require_fit, table

    chip = accelerators.named(flags.chip) if flags.chip else None
    devices = topology(flags.topology) if flags.topology else jax.devices()
    config = load(flags.config, overrides)
    config = adapt(config, len(devices), flags.batch_per_chip, flags.fsdp)
    found = dry_run.estimate_config(config, devices)
    kind, level = devices[0].device_kind, flags.optimization_level
    accelerator = chip or accelerators.of_kind(kind)
    where = flags.topology or f"{flags.cpu_devices} virtual CPU devices"
    print(f"{flags.config} on {where}, JAX {jax.__version__}, {level}")
    print(table(found) + "\n")
    if accelerator is None:
        print(dry_run.unknown(kind))
        return
    print(dry_run.bounds(found, accelerator, accelerators.torus(devices), config))
    require_fit(found, accelerator.memory, accelerator.name)


def adapt(config: Config, devices: int, batch_per_chip: int | None, fsdp: int | None) -> Config:
    """The config with another batch and mesh.

    Raises:
      UserError: the config's own batch does not divide among the devices.
    """
    training = dict(config.plain["training"])
    if batch_per_chip is not None:
        training["batch_size"] = batch_per_chip * devices
    elif training["batch_size"] % devices:
        raise UserError(
            f"training.batch_size = {training['batch_size']} does not divide among {devices} devices; "
            "choose what each gets, such as --batch_per_chip=1"
        )
    if fsdp is not None:
        training = {"sharding": FSDP_RULES, **training, "fsdp": fsdp}
    return Config.of({**config.plain, "training": training})


def topology(name: str) -> Sequence[Any]:
    """The devices of a TPU slice, which need not be there.

    Raises:
      UserError: no TPU compiler is installed, or it knows no such topology.
    """
    if importlib.util.find_spec("libtpu") is None:
        raise UserError("compiling for TPUs needs their compiler: pip install libtpu (or check with --cpu_devices=8)")
    from jax.experimental import topologies

    cores = {"chip_config_name": "megacore"} if name.startswith(MEGACORE) else {}
    try:
        return topologies.get_topology_desc(name, platform="tpu", **cores).devices
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:200]
        raise UserError(f"no TPU topology {name!r}; they look like v5e:2x4 or v4:2x2x1 ({reason})") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
