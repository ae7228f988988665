#!/usr/bin/env bash
# Two devices share a batch, and a loop adds up what its rows contribute to one matrix, as a convolution's gradient to its
# kernel may be computed. And each of the batch's maps is Fourier transformed.
#
# Guessed beforehand: the sum over the devices is moved behind the loop, for XLA has a pass for that; a transform of each
# map needs nothing from other devices. CPUs and TPUs alike, since partitioning is one code for all.
# Seen: the compiler for CPUs has the devices wait for each other in every turn of the loop, and brings the whole batch to
# each device for the transform. The compiler for TPUs sums once, behind the loop, and brings nothing. With an accumulator for each device and the sum written behind the loop, CPUs wait once, too;
# jax.shard_map keeps the transform where its maps lie.
# jax 0.10.2 with libtpu 0.0.42.1 here, which compiles for a v5e without one; Linux on x86-64. In jax 0.12.0.1 with libtpu
# 0.0.50 the loop is as before, and the plain transform brings nothing on CPUs either.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q "jax==${JAX:-0.10.2}" "jaxlib==${JAX:-0.10.2}" "libtpu==${LIBTPU:-0.0.42.1}"
cat > "$folder/collectives.py" <<'PYTHON'
import re

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import topologies
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

jax.config.update("jax_num_cpu_devices", 4)


def one_sum(x, y, devices):
    def add(row, total):
        a, b = (lax.dynamic_index_in_dim(each, row, 1, keepdims=False) for each in (x, y))
        return total + jnp.einsum("bc,bd->cd", a, b)

    return lax.fori_loop(0, x.shape[1], add, jnp.zeros((x.shape[2], y.shape[2])))


def a_sum_for_each(x, y, devices):
    x, y = (each.reshape(devices, -1, *each.shape[1:]) for each in (x, y))

    def add(row, total):
        a, b = (lax.dynamic_index_in_dim(each, row, 2, keepdims=False) for each in (x, y))
        return total + jnp.einsum("nbc,nbd->ncd", a, b)

    return lax.fori_loop(0, x.shape[2], add, jnp.zeros((devices, x.shape[3], y.shape[3]))).sum(axis=0)


def transform(x, y, devices):
    return jnp.fft.rfft2(x, axes=(1, 2)).real


def transform_of_each(x, y, devices):
    return jax.shard_map(lambda x: transform(x, y, devices), in_specs=PartitionSpec("d"), out_specs=PartitionSpec("d"))(x)


def collectives(function, devices, batched):
    """Where they are in the compiled program: "loop" or "entry"."""
    mesh = Mesh(devices, ("d",), axis_types=(AxisType.Auto,))
    split = NamedSharding(mesh, PartitionSpec("d"))
    given = jax.ShapeDtypeStruct((8, 64, 16), jnp.float32, sharding=split)

    def run(x, y):
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return function(x, y, len(devices))

    places = split if batched else NamedSharding(mesh, PartitionSpec())
    text = jax.jit(run, out_shardings=places).lower(given, given).compile().as_text()
    where, found = "", []
    for line in text.splitlines():
        if re.match(r"(ENTRY )?%?[\w.\-]+ .*\{$", line):
            where = "entry" if line.startswith("ENTRY") else "loop"
        found += [f"{kind} in {where}" for kind in re.findall(r" (all-reduce|all-gather)(?:-start)?\(", line)]
    return found


tpus = topologies.get_topology_desc(topology_name="v5e:2x2", platform="tpu").devices
for function, batched, on_cpus, on_tpus in (
    (one_sum, False, ["all-reduce in loop"], ["all-reduce in entry"]),
    (a_sum_for_each, False, ["all-reduce in entry"], ["all-reduce in entry"]),
    (transform, True, ["all-gather in entry"], []),
    (transform_of_each, True, [], []),
):
    for name, devices, expected in (("4 CPUs", jax.devices("cpu"), on_cpus), ("4 TPUs", tpus, on_tpus)):
        found = collectives(function, devices, batched)
        print(f"jax {jax.__version__}, {function.__name__}, {name}: {found}", flush=True)
        assert found == expected, expected
PYTHON
JAX_PLATFORMS=cpu TPU_SKIP_MDS_QUERY=1 TPU_ACCELERATOR_TYPE=v5litepod-4 TPU_WORKER_HOSTNAMES=localhost \
  "$folder/venv/bin/python" "$folder/collectives.py" 2> "$folder/errors" || { cat "$folder/errors" >&2; exit 1; }
