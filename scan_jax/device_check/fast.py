"""How fast the device is: training steps by batch and precision, attention, filling, style search, the equations.

Nothing here is right or wrong. What a step could reach is its roofline, as `launch.aot_check --chip` has it; where the
device is none that rates are known of, a CPU, it is that of `ASSUMED`, and an estimate.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scan_jax.core.config import load, shipped
from scan_jax.core.errors import UserError
from scan_jax.device_check import drawn
from scan_jax.device_check.drawn import BFLOAT16, DEFAULT, HIGHEST, PRECISIONS
from scan_jax.device_check.plan import ESTIMATE, Found, Measurement, Setting
from scan_jax.inference.engine import Engine
from scan_jax.inference.inpainter import Inpainter
from scan_jax.methods.api import Method, build_method
from scan_jax.ops.attention import Kind, attend_with_semantic_loss
from scan_jax.ops.smooth_fill import biharmonic_fill, harmonic_fill
from scan_jax.training.cost import accelerators, roofline
from scan_jax.training.cost.accelerators import GIB, Precision
from scan_jax.training.cost.estimate import Estimate, compile_step
from scan_jax.training.trainer import Trainer

ASSUMED = "h100"
MEMORY_ENDS = "memory ends here"
MOST, TIMES = 4096, 4  # photographs in a batch, and how many times as many the next one has
SECONDS, STEPS = 1.0, 20  # a measurement takes so long or so many steps, whichever is less
RATES: dict[str, Precision] = {BFLOAT16: "bfloat16", DEFAULT: "float32", HIGHEST: "highest"}
BIG = 256  # pixels a side of the configs that are measured


def celeba(setting: Setting) -> Iterator[Measurement]:
    """As `_steps_of`."""
    return _steps_of(("celeba",), setting)


def celebamask(setting: Setting) -> Iterator[Measurement]:
    """As `_steps_of`."""
    return _steps_of(("celebamask",), setting)


def others(setting: Setting) -> Iterator[Measurement]:
    """Of all that have 256 pixels; tiny, of the one that compiles fastest."""
    names = [name for name in shipped() if name != "celeba" and load(name).size == BIG]
    return _steps_of(("compare/partial_conv",) if setting.tiny else tuple(names), setting)


def _steps_of(names: tuple[str, ...], setting: Setting) -> Iterator[Measurement]:
    """By batch size from the config's own until memory ends, first in bfloat16; tiny, one batch in float32."""
    ended: set[tuple[str, str]] = set()
    for times in range(1 if setting.tiny else 6):
        for precision in (DEFAULT,) if setting.tiny else reversed(PRECISIONS):
            for name in names:
                known = load(name)
                batch = 2 if setting.tiny else known.training.batch_size * TIMES**times
                if (
                    precision not in drawn.precisions(known.method["name"])
                    or batch > MOST
                    or (name, precision) in ended
                ):
                    continue
                what = f"{name}, {precision}, batch {batch}"
                yield what, functools.partial(_step, name, precision, batch, setting.tiny, ended)
                if setting.done.get(what, {}).get("found", "").startswith(MEMORY_ENDS):
                    ended.add((name, precision))


def _step(name: str, precision: str, batch: int, tiny: bool, ended: set[tuple[str, str]]) -> Found:
    """Seconds to compile, images a second, memory, and the shares of the peak."""
    config = drawn.config(name, precision, batch, tiny=tiny)
    method = build_method(config.method)
    trainer = Trainer(method, config.training, config.size, config.seed, jax.devices()[:1])
    before = _peak()
    try:
        with drawn.at(precision):
            found, program = compile_step(trainer, method.frozen_shapes())
        seconds = _time_steps(trainer, program, method)
    except (UserError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        ended.add((name, precision))
        return Found(f"{MEMORY_ENDS}: {str(error).splitlines()[0][:150]}", numbers={"batch": batch})
    peak = _peak()
    numbers: dict[str, Any] = {"batch": batch, "compile_seconds": found.seconds, "images_per_second": batch / seconds}
    numbers |= {"milliseconds": 1e3 * seconds, "bytes": found.memory, "peak_bytes": peak if peak > before else None}
    words = f"compiled in {found.seconds:.1f} s, {batch / seconds:.1f} images/s ({1e3 * seconds:.1f} ms), "
    words += f"{found.memory / GIB:.2f} GiB by the compiler"
    words += f", {peak / GIB:.2f} at the peak" if peak > before else ""
    shares, told = _shares(found, precision, seconds)
    is_estimate = accelerators.of_kind(jax.devices()[0].device_kind) is None and bool(shares)
    return Found(words + told, verdict=ESTIMATE if is_estimate else "", numbers=numbers | shares)


def _time_steps(trainer: Trainer, program: Any, method: Method) -> float:
    """Seconds of a step, of several in a row; the first is not counted."""
    settings = trainer.settings
    state, frozen = drawn.state(trainer), trainer.place(drawn.frozen(method))
    batch = trainer.share(drawn.example(settings.batch_size, trainer.example.image.shape[1], method.num_labels))
    state, _ = jax.block_until_ready(program(state, frozen, batch, trainer.key))
    begun, steps = time.perf_counter(), 0
    while steps < STEPS and time.perf_counter() - begun < SECONDS:
        state, scalars = program(state, frozen, batch, trainer.key)
        jax.block_until_ready(scalars)  # as the loop, which never runs ahead of the device by more than a step
        steps += 1
    jax.block_until_ready(state)
    return (time.perf_counter() - begun) / steps


def _shares(found: Estimate, precision: str, seconds: float) -> tuple[dict[str, float], str]:
    """Of the peak rate: what the roofline allows and what was reached; as numbers and in words."""
    known = accelerators.of_kind(jax.devices()[0].device_kind)
    accelerator = known or accelerators.named(ASSUMED)
    if known is None and precision == BFLOAT16:
        return {}, ""  # a CPU computes it in float32: its program's traffic is not that of a device
    network = accelerators.join(accelerator, (), found.devices)
    bound = roofline.roofline(found, accelerator, network, RATES[precision])
    ideal = (found.flops.default + found.flops.highest) / bound.peak
    shares = {"promised_share": ideal / bound.shortest, "promised_images_per_second": found.batch_size / bound.shortest}
    words = f"; {accelerator.name}: at most {shares['promised_images_per_second']:.0f} images/s"
    if known is None:
        return shares, f"{words}, {shares['promised_share']:.0%} of its peak, by the roofline"
    shares["reached_share"] = ideal / seconds
    return shares, f"{words}, {shares['promised_share']:.0%} of the peak; reached {shares['reached_share']:.1%}"


def _peak() -> int:
    """Bytes that this process had in use at most; 0 where the device does not say."""
    return int((jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0))


def median_seconds(work: Callable[[], Any], rounds: int = 5) -> float:
    """Of some work that ends on the device; a round more comes first, which compiles."""
    taken = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        jax.block_until_ready(work())
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken[1:])


def attention(setting: Setting) -> Iterator[Measurement]:
    """With its loss, forward and to the gradients, as masked attention trains it."""
    for tokens in (256,) if setting.tiny else (16_384, 65_536):
        for kind in ("contextual", "masked"):
            yield f"{kind}, {tokens:,} tokens", functools.partial(_attention, kind, tokens, 32 if setting.tiny else 256)


def _attention(kind: Kind, tokens: int, channels: int) -> Found:
    keys = jax.random.split(jax.random.key(0), 5)
    widths = (channels // 8, channels // 8, channels)
    inputs = tuple(jax.random.normal(key, (1, tokens, width)) for key, width in zip(keys, widths))  # [1,N,.]
    labels = jax.random.randint(keys[3], (1, tokens), 0, 19)
    known = (jax.random.uniform(keys[4], (1, tokens)) > 0.2).astype(jnp.float32)

    def loss(inputs: Any) -> jax.Array:
        query, key, value = inputs
        attended, semantic = attend_with_semantic_loss(
            query, key, value, labels, known, kind, num_labels=19, target=5e-4
        )
        return jnp.mean(jnp.square(attended)) + jnp.sum(semantic)

    program: Any = jax.jit(jax.value_and_grad(loss)).lower(inputs).compile()
    extra, seconds = program.memory_analysis().temp_size_in_bytes, median_seconds(lambda: program(inputs))
    whole = 4 * tokens**2 / GIB
    found = f"{1e3 * seconds:.1f} ms, {extra / GIB:.3f} GiB beside its inputs (the map alone would be {whole:.2f})"
    return Found(found, numbers={"seconds": seconds, "extra_bytes": extra})


def filling(setting: Setting) -> Iterator[Measurement]:
    """Squares with a hole of a quarter of their side."""
    for side in (128,) if setting.tiny else (256, 512, 1024, 2048, 4096):
        yield f"{side}x{side}", functools.partial(_filling, side)


@functools.cache
def _open() -> Inpainter:
    return Inpainter.load()


def _filling(side: int) -> Found:
    photograph = (np.asarray(drawn.example(1, side).image[0]) * 255).astype(np.uint8)  # [S,S,3]
    hole = np.zeros((side, side), bool)
    hole[3 * side // 8 : 5 * side // 8, 3 * side // 8 : 5 * side // 8] = True
    begun = time.perf_counter()
    filled = _open()(photograph, hole)
    first, seconds = time.perf_counter() - begun, median_seconds(lambda: _open()(photograph, hole), 3)
    changed = int((filled != photograph).any(-1)[~hole].sum())
    found = f"{seconds:.3f} s, the first {first:.1f} s with compiling; known pixels changed: {changed}"
    return Found(found, numbers={"seconds": seconds, "first_seconds": first, "changed": changed})


def style_search(setting: Setting) -> Iterator[Measurement]:
    """Without a feature network."""
    yield "updates of the styles", functools.partial(_style_search, setting.tiny)


def _style_search(tiny: bool) -> Found:
    config = drawn.config("celebamask", DEFAULT, tiny=tiny)
    section = {**config.method, "style_search": {"perceptual": 0.0}}
    method = build_method(section)
    size, steps, count = (32, 2, 1) if tiny else (config.size, 20, 4)
    engine = Engine(method, drawn.variables(method, size), frozen={})
    seen = drawn.example(count, size, method.num_labels).observe()
    begun = time.perf_counter()
    engine.refine("style_search", seen, 0, steps)
    first = time.perf_counter() - begun
    seconds = median_seconds(lambda: engine.refine("style_search", seen, 0, steps), 1 if tiny else 3)
    found = f"{seconds:.3f} s for {steps} of {count}, the first {first:.1f} s with compiling"
    return Found(found, numbers={"seconds": seconds, "first_seconds": first, "updates": steps, "photographs": count})


def solver(setting: Setting) -> Iterator[Measurement]:
    """A batch of photographs."""
    for name, fill in (("harmonic", harmonic_fill), ("biharmonic", biharmonic_fill))[: 1 if setting.tiny else 2]:
        for size, batch in ((64, 1),) if setting.tiny else ((256, 8), (512, 8), (1024, 2)):
            yield f"{name}, {batch} of {size}x{size}", functools.partial(_solver, fill, size, batch)


def _solver(fill: Any, size: int, batch: int) -> Found:
    given, sides = drawn.example(batch, size), {}
    for name, device in (("device", jax.devices()[0]), ("CPU", drawn.cpu())):
        placed = jax.device_put((given.image, given.known), device)
        sides[name] = median_seconds(functools.partial(jax.jit(fill), *placed), 3)
    ratio = sides["CPU"] / sides["device"]
    found = f"{1e3 * sides['device']:.1f} ms, the CPU {1e3 * sides['CPU']:.1f} ms: {ratio:.1f} times as fast"
    return Found(found, numbers={"seconds": sides["device"], "cpu_seconds": sides["CPU"]})
