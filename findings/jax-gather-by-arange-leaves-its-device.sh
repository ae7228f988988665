#!/usr/bin/env bash
# x[jnp.arange(B)[:, None], i] of a batch that is split over devices sends the indices to every device and sums the whole
# result over all of them; vmap(lambda x, i: x[i]) and take_along_axis, which compute the same, send nothing.
#
# Guessed beforehand: the compiler sees that the first index counts the batch, and all three forms stay on their devices.
# Seen: on eight CPU devices, jax 0.10.2, 0.11.2 and 0.12.0.1 alike, the first form has an all-gather of s32[8,16,2] and an
# all-reduce of f32[8,16,64], whatever the mode of the gather; its gradient gathers the cotangents and the indices. The
# other two forms and their gradients have no collective. The values are equal, so nothing but the compiled text, or the
# time on many devices, tells.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jax==0.10.2 jaxlib==0.10.2
cat > "$folder/gather.py" <<'PYTHON'
import re

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

B, N, C, K = 8, 4096, 64, 16
FORMS = {
    "arange": lambda x, i: x[jnp.arange(B)[:, None], i],
    "vmap": jax.vmap(lambda x, i: x[i]),
    "take_along_axis": lambda x, i: jnp.take_along_axis(x, i[..., None], axis=1),
}
EXPECTED = {
    "arange": (["s32[8,16,2] all-gather", "f32[8,16,64] all-reduce"], ["f32[8,16,64] all-gather", "s32[8,16,2] all-gather"]),
    "vmap": ([], []),
    "take_along_axis": ([], []),
}

split = NamedSharding(Mesh(np.array(jax.devices()), ("data",)), PartitionSpec("data"))
rng = np.random.default_rng(0)
x = jax.device_put(rng.random((B, N, C), np.float32), split)
i = jax.device_put(rng.integers(0, N, (B, K), np.int32), split)
g = jax.device_put(rng.random((B, K, C), np.float32), split)


def sent(function, *given):
    """What the compiled program sends between devices, and what it answers."""
    compiled = jax.jit(function, out_shardings=split).lower(*given).compile()
    kinds = "all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter"
    found = re.findall(rf"= (\w+\[[\d,]*\])\S* ({kinds})\(", compiled.as_text())
    return [" ".join(one) for one in found], np.asarray(compiled(*given))


print("jax", jax.__version__, jax.device_count(), "devices")
found, values = {}, {}
for name, form in FORMS.items():
    def gradient(x, i, g, form=form):
        return jax.vjp(lambda x: form(x, i), x)[1](g)[0]

    (forward, values[name]), (backward, _) = sent(form, x, i), sent(gradient, x, i, g)
    found[name] = (forward, backward)
    print(f"{name}: forward {forward}, gradient {backward}")
assert all(np.array_equal(values["arange"], other) for other in values.values())
assert found == EXPECTED, found
PYTHON
JAX_PLATFORMS=cpu JAX_NUM_CPU_DEVICES=8 "$folder/venv/bin/python" "$folder/gather.py"
