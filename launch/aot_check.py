"""Compiles a config's training step for devices that are not here, and prints what it needs and could reach there.

    python -m launch.aot_check --config=configs/celeba.py --topology=v5e:16x16 --batch_per_chip=1
    python -m launch.aot_check --config=configs/celeba.py --cpu_devices=8 --chip=h100

A TPU topology needs no TPU, only its compiler, of the version that belongs to JAX: pip install "jax[tpu]". Virtual CPU
devices need nothing; with --chip, the roofline is of that chip, by the memory traffic of the CPU's program, which fuses
less and computes bfloat16 in float32; --topology=v5p:2x2x2 --chip=h100 takes a TPU's program instead. No photographs or
weights are read, and nothing is written. Overrides (--config.method.compute_dtype=bfloat16) are as for scan_jax.main.

Compilers spend most of their time on the last tenths of speed. O0 spares that, and is another program: its memory
traffic is no bound of the other's, in either direction. Training itself is compiled at JAX's default; see it, and how
long its compiler expects a step to take, with --optimization_level=UNKNOWN, in several times as long.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Any

from packaging.requirements import Requirement

from launch import tpu_cycles, tpu_slices
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
IN_FLOAT32 = (
    "no roofline of {0}: CPUs compute bfloat16 in float32, so this program's traffic and memory are not those of one "
    "for {0}; a TPU's program keeps bfloat16: --topology=v5p:2x2x2 --chip={0}"
)
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
    where.add_argument(
        "--topology", help="such as v5e:1x1, v5e:2x4, v5e:16x16, v4:2x2x1, v5p:2x2x1, v6e:8x8, tpu7x:2x2x1"
    )
    where.add_argument("--cpu_devices", type=int, help="virtual ones")
    parser.add_argument("--chip", help="of the roofline, if it is another one: v5e, a100, h100, h200, l4, ...")
    parser.add_argument(
        "--batch_per_chip", type=int, help="of each device (a tpu7x chip is two); instead of training.batch_size"
    )
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
    jax.config.update("jax_enable_compilation_cache", False)  # nothing is written; no TPU's entry could be read again
    if flags.cpu_devices:
        jax.config.update("jax_num_cpu_devices", flags.cpu_devices)

    from scan_jax.commands import dry_run
    from scan_jax.training.cost import accelerators
    from scan_jax.training.cost.estimate import require_fit, table

    chip = accelerators.named(flags.chip) if flags.chip else None
    on_tpu = flags.topology is not None
    devices = topology(flags.topology) if on_tpu else jax.devices()
    config = load(flags.config, overrides)
    config = adapt(config, len(devices), flags.batch_per_chip, flags.fsdp)
    where = f"{flags.topology}, {compiler()}" if on_tpu else f"{flags.cpu_devices} virtual CPU devices"
    found = dry_run.estimate_config(config, devices)
    kind, level = devices[0].device_kind, flags.optimization_level
    accelerator = chip or accelerators.of_kind(kind)
    print(f"{flags.config} on {where}, JAX {jax.__version__}, {level}")
    print(table(found) + "\n")
    if accelerator is None:
        print(dry_run.unknown(kind))
    elif not on_tpu and dry_run.dtype_of(config) == "bfloat16":
        print(IN_FLOAT32.format(accelerator.name))
    else:
        print(dry_run.bounds(found, accelerator, accelerators.torus(devices), config))
        print(tpu_cycles.line(tpu_cycles.count(found.text), accelerator.clock, level))
        share = "" if accelerator.wraps else f", of which JAX takes {accelerators.PREALLOCATED:.0%} by default,"
        require_fit(found, accelerator.memory, accelerator.name + share)


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
    resolved, options = tpu_slices.resolve(name)
    if importlib.util.find_spec("libtpu") is None:
        raise UserError(
            'compiling for TPUs needs their compiler: pip install "jax[tpu]" (or check with --cpu_devices=8)'
        )
    from jax.experimental import topologies

    try:
        return topologies.get_topology_desc(resolved, platform="tpu", **options).devices
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:200]
        raise UserError(f"{compiler()} makes nothing for {name!r}: {reason}") from error


def compiler() -> str:
    """The TPU compiler and its version, and whether it is the one that this JAX asks for."""
    try:
        installed = importlib.metadata.version("libtpu")
    except importlib.metadata.PackageNotFoundError:  # a nightly build goes by another name
        return "libtpu of unknown version"
    asked = (Requirement(line) for line in importlib.metadata.requires("jax") or ())
    wanted = next((one.specifier for one in asked if one.name == "libtpu"), None)
    if wanted is None or wanted.contains(installed):
        return f"libtpu {installed}"
    return f'libtpu {installed} (this JAX was made with {wanted}, which pip install "jax[tpu]" brings)'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
