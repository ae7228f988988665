"""Run in a process of its own (`backend.look`): starts JAX and lets every device compute. Prints one JSON a line."""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import Any

SIZE, CHANNELS = 16, 8
# A 3x3 convolution of ones under zero padding: 3 taps a position, less one at either end, in each direction.
EXPECTED = CHANNELS**2 * (3 * SIZE - 2) ** 2


def main() -> None:
    """First what JAX found, then how each device computed."""
    import jax

    from scan_jax.core.distributed import keep_compilations

    keep_compilations()
    folder = jax.config.values["jax_compilation_cache_dir"] or ""
    jax.config.update("jax_enable_compilation_cache", False)  # compiling is part of what must work
    devices = jax.local_devices()
    version = " ".join(str(devices[0].client.platform_version).split())
    tell(platform=jax.default_backend(), platform_version=version, compilations=folder, processes=jax.process_count())
    for device in devices:
        tell(device={"id": device.id, "kind": device.device_kind, "platform": device.platform} | memory(device))
    for device in devices:
        tell(computed={"id": device.id} | compute(device))


def memory(device: Any) -> dict[str, int | None]:
    """Bytes, where the backend tells; the CPU's does not."""
    stats = device.memory_stats() or {}
    return {"memory_limit": stats.get("bytes_limit"), "memory_used": stats.get("bytes_in_use")}


def compute(device: Any) -> dict[str, Any]:
    """A convolution (which on a GPU needs cuDNN), its exact sum, and the seconds with and without compiling."""
    import jax
    import jax.numpy as jnp

    image = jax.device_put(jnp.ones((1, SIZE, SIZE, CHANNELS)), device)  # [1,16,16,8]
    kernel = jax.device_put(jnp.ones((3, 3, CHANNELS, CHANNELS)), device)  # [3,3,8,8]
    layout = ("NHWC", "HWIO", "NHWC")

    @jax.jit
    def total(image: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(image, kernel, (1, 1), "SAME", dimension_numbers=layout).sum()  # []

    start = time.perf_counter()
    result = float(total(image, kernel))
    compiled = time.perf_counter()
    float(total(image, kernel))
    seconds = {"first_seconds": compiled - start, "next_seconds": time.perf_counter() - compiled}
    return seconds | {"right": result == EXPECTED}


def tell(**values: Any) -> None:
    """Flushed, so that what was found is known even where the next thing crashes."""
    print(json.dumps(values), flush=True)


def tell_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The error in one line; where it came from goes to stderr."""
    said = str(error).strip().splitlines()
    tell(failure=": ".join([kind.__name__, *said[:1]]))
    sys.__excepthook__(kind, error, trace)


if __name__ == "__main__":
    sys.excepthook = tell_failure
    main()
