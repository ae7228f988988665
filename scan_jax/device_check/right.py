"""Whether the device computes what the CPU does: operations, methods, repeated steps, checkpoints, exports.

Limits are stated here, before anything was run on a device. Of an operation: the largest difference over the largest
value. Of a method: the largest and the median difference of the picture, in [0, 1]; of an update's whole gradient the
length of the difference over its length, and the median of that over the arrays, some of which are rounding errors
alone: biases before a normalisation have no influence. Where the device is a CPU, it takes the forms of accelerators.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export

from scan_jax.commands import inputs
from scan_jax.device_check import drawn
from scan_jax.device_check.drawn import BFLOAT16, DEFAULT, HIGHEST, PRECISIONS
from scan_jax.device_check.plan import RIGHT, WRONG, Found, Measurement, Setting
from scan_jax.device_check.unequal import first_unequal
from scan_jax.inference.bundles import program
from scan_jax.methods.api import GENERATOR, METHODS, Method, build_method
from scan_jax.ops import conv_transpose, convolution, smooth_fill, strided_convolution
from scan_jax.training.checkpoints import Checkpoints, Keep
from scan_jax.training.step import TrainState
from scan_jax.training.trainer import Trainer
from scan_jax.weights import safetensors_tree

OF_OPERATIONS = {HIGHEST: 1e-4, DEFAULT: 5e-3, BFLOAT16: 5e-2}
OF_EQUATIONS = 1e-3  # of fillings in [0, 1], found by iterations that end at a tolerance
# Picture: largest, median; gradients: of the worst update, median of the arrays.
OF_METHODS = {
    HIGHEST: (1e-3, 1e-5, 1e-3, 1e-4),
    DEFAULT: (5e-2, 2e-3, 1e-1, 5e-2),
    BFLOAT16: (2e-1, 2e-2, 5e-1, 2e-1),
}
# Map [B,H,W,C] and kernel [k,k,C,D] of each form: tiles, matrix products, strips, XLA's own.
SHAPES = {
    "convolve": (
        (functools.partial(convolution.convolve, padding=(1, 1)), (2, 64, 64, 16), (3, 3, 16, 16)),
        (functools.partial(convolution.convolve, padding=(1, 1)), (2, 32, 32, 128), (3, 3, 128, 128)),
        (functools.partial(convolution.convolve, padding=(3, 3)), (1, 64, 64, 64), (7, 7, 64, 64)),
        (functools.partial(convolution.convolve, padding=(1, 2)), (1, 8, 8, 256), (4, 4, 256, 256)),
    ),
    "convolve_strided": (
        (functools.partial(strided_convolution.convolve_strided, padding=1, stride=2), (2, 64, 64, 32), (4, 4, 32, 64)),
        (
            functools.partial(strided_convolution.convolve_strided, padding=2, dilation=2),
            (2, 32, 32, 32),
            (3, 3, 32, 32),
        ),
    ),
    "conv_transpose": ((conv_transpose.conv_transpose, (2, 32, 32, 64), (4, 4, 64, 32)),),
    "conv_transpose3": ((conv_transpose.conv_transpose3, (2, 32, 32, 64), (3, 3, 64, 32)),),
}
EQUATIONS = {"harmonic_fill": smooth_fill.harmonic_fill, "biharmonic_fill": smooth_fill.biharmonic_fill}


def ops(setting: Setting) -> Iterator[Measurement]:
    """Result and both gradients of every form."""
    for precision in (HIGHEST, BFLOAT16) if setting.tiny else PRECISIONS:
        for name, cases in list(SHAPES.items())[: 1 if setting.tiny and precision == BFLOAT16 else None]:
            for operation, x, kernel in cases[:1] if setting.tiny else cases:
                sides = " x ".join("{}x{}x{}".format(*sides[1:]) for sides in (x, (0, *kernel[1:])))
                yield f"{name}, {sides}, {precision}", functools.partial(_operation, operation, x, kernel, precision)
    for name, fill in list(EQUATIONS.items())[: 1 if setting.tiny else 2]:
        yield name, functools.partial(_equation, fill, 64 if setting.tiny else 256)


def _operation(operation: Any, x: tuple[int, ...], kernel: tuple[int, ...], precision: str) -> Found:
    rng = np.random.default_rng(0)
    dtype = jnp.bfloat16 if precision == BFLOAT16 else jnp.float32
    arrays = [
        jnp.asarray(rng.standard_normal(shape, np.float32) / np.sqrt(np.prod(shape[1:3]))) for shape in (x, kernel)
    ]

    def both(dtype: Any) -> Any:
        def passes(x: jax.Array, kernel: jax.Array) -> Any:
            out, back = jax.vjp(operation, x.astype(dtype), kernel.astype(dtype))
            return out, back(jnp.cos(jnp.arange(out.size, dtype=jnp.float32)).reshape(out.shape).astype(dtype))

        return passes

    truth, found = _on_both(both(jnp.float32), both(dtype), tuple(arrays), precision)
    errors = [float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in zip(_leaves(found), _leaves(truth))]
    return _judged(dict(zip(("result", "to map", "to kernel"), errors)), [OF_OPERATIONS[precision]] * 3)


def _equation(fill: Any, size: int) -> Found:
    given = drawn.example(2, size)

    def fill_anew() -> Any:  # another function each time, for what is traced is remembered by function
        return lambda image, known: fill(image, known)

    truth, found = _on_both(fill_anew(), fill_anew(), (given.image, given.known), HIGHEST)
    return _judged({"largest": float(np.abs(found - truth).max())}, [OF_EQUATIONS])


def _on_both(on_cpu: Callable[..., Any], on_device: Callable[..., Any], given: Any, precision: str) -> tuple[Any, Any]:
    """Results of the CPU's program at the highest precision and of the device's; both are compiled at once."""
    with jax.default_device(drawn.cpu()), drawn.at(HIGHEST):
        first = jax.jit(on_cpu).lower(*jax.device_put(given, drawn.cpu()))
    with drawn.forms_of_the_device(), drawn.at(precision):
        second = jax.jit(on_device).lower(*given)
    with ThreadPoolExecutor(2) as threads:
        programs = list(threads.map(lambda lowered: lowered.compile(), (first, second)))
    truth = jax.device_get(programs[0](*jax.device_put(given, drawn.cpu())))
    return truth, jax.device_get(programs[1](*given))


def _leaves(tree: Any) -> list[np.ndarray]:
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]


def _judged(errors: dict[str, float], limits: list[float]) -> Found:
    """A row of errors and their limits, in order; what is not a number is wrong."""
    found = ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
    is_right = all(error <= limit for error, limit in zip(errors.values(), limits))
    limit = ", ".join(f"{limit:.0e}" for limit in limits)
    return Found(found, limit, RIGHT if is_right else WRONG, errors)


def methods(setting: Setting) -> Iterator[Measurement]:
    """Picture and gradients of all updates of every method; tiny ones without gradients but for the first."""
    width, size = (4, 32) if setting.tiny else (32, 64)
    for precision in (HIGHEST, BFLOAT16) if setting.tiny else PRECISIONS:
        for name in sorted(METHODS, key=lambda name: name != "partial_conv"):  # which compiles fastest
            slopes = not setting.tiny or name == "partial_conv"
            if (slopes or precision == HIGHEST) and precision in drawn.precisions(name):
                yield f"{name}, {precision}", functools.partial(_method, name, width, size, precision, slopes)


def _method(name: str, width: int, size: int, precision: str, slopes: bool) -> Found:
    exact, rounded = (build_method(drawn.small(name, width, each)) for each in (HIGHEST, precision))
    given = (drawn.variables(exact, size), drawn.example(2, size, exact.num_labels), jax.random.key(1))
    truth, found = _on_both(_passes(exact, slopes), _passes(rounded, slopes), given, precision)
    error = np.abs(found[0].astype(np.float64) - truth[0])
    errors, limits = {"picture": float(error.max()), "median": float(np.median(error))}, OF_METHODS[precision]
    if slopes:
        whole = max(_error(_leaves(found[1][name]), _leaves(truth[1][name])) for name in truth[1])
        each = [_error([one], [other]) for one, other in zip(_leaves(found[1]), _leaves(truth[1])) if other.any()]
        errors |= {"gradients": whole, "median array": float(np.median(each))}
    return _judged(errors, list(limits[: len(errors)]))


def _passes(method: Method, slopes: bool) -> Callable[..., Any]:
    """The picture, and gradients of every update as a step takes them, but all at the same parameters."""

    def passes(variables: Any, example: Any, key: jax.Array) -> Any:
        image = method.predict(variables, example.observe(), key).image
        updates = method.updates if slopes else ()
        return image, drawn.gradients(updates, variables, {}, example, key)

    return passes


def _error(found: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """The difference of some arrays by their size, both as one vector's length."""
    pairs = [(np.sum(np.square(one - other)), np.sum(np.square(other))) for one, other in zip(found, truth)]
    return float(np.sqrt(sum(error for error, _ in pairs) / sum(size for _, size in pairs)))


def bits(setting: Setting) -> Iterator[Measurement]:
    """Steps of the trainer: of `demo` with a critic, and of masked attention."""
    for name in ("demo",) if setting.tiny else ("demo", "portraits64"):
        run = _Run(name, tiny=setting.tiny)
        yield f"{name}: equal steps", run.equal_steps
        if name == "demo":
            yield "a run stopped and resumed", run.resumed
            yield "a checkpoint of the CPU there and back", run.there_and_back


class _Run:
    """Training of a config, on photographs that are drawn, from networks that are drawn."""

    def __init__(self, name: str, *, tiny: bool) -> None:
        config = drawn.config(name, DEFAULT, 2 if tiny else 0, tiny=tiny)
        self._config = drawn.drawn_photographs(dataclasses.replace(config, method=_with_critic(config.method)))
        self._method = build_method(self._config.method)

    @functools.cached_property
    def _trainer(self) -> Trainer:
        return self._trainer_on(jax.devices()[:1])

    def _trainer_on(self, devices: list[Any]) -> Trainer:
        return Trainer(self._method, self._config.training, self._config.size, self._config.seed, devices)

    @functools.cached_property
    def _sources(self) -> inputs.Sources:
        return inputs.open_sources(self._config, self._method.num_labels)

    def _steps(self, trainer: Trainer, state: TrainState, count: int) -> TrainState:
        """So many more."""
        first, frozen = int(state.step), trainer.place(drawn.frozen(self._method))
        batches = trainer.prefetch(self._sources.batches_from(first))
        try:
            for number, batch in zip(range(first, first + count), batches):
                state, _ = trainer.step_after(number)(state, frozen, batch, trainer.key)
        finally:
            batches.close()
        return jax.block_until_ready(state)

    def equal_steps(self) -> Found:
        """Three from one state; where they differ, which operation of the step does so when it is repeated."""
        trainer = self._trainer
        results = [drawn.bits(self._steps(trainer, drawn.state(trainer), 1)) for _ in range(3)]
        different = sum(len(set(arrays)) > 1 for arrays in zip(*results))
        if not different:
            return Found(f"3 steps, {len(results[0])} arrays, all equal", "equal bits", RIGHT)
        batch = trainer.share(
            drawn.example(self._config.training.batch_size, self._config.size, self._method.num_labels)
        )
        given = (drawn.state(trainer), trainer.place(drawn.frozen(self._method)), batch, trainer.key)
        operation = first_unequal(trainer.steps[-1].trace(*given).jaxpr, *jax.tree.leaves(given))
        found = f"{different} of {len(results[0])} arrays differ; {operation or 'no operation does by itself'}"
        return Found(found, "equal bits", WRONG)

    def resumed(self) -> Found:
        """Four steps, and two and two with a checkpoint between."""
        trainer = self._trainer
        through = self._steps(trainer, drawn.state(trainer), 4)
        half = self._steps(trainer, drawn.state(trainer), 2)
        with tempfile.TemporaryDirectory() as folder:
            resumed = self._steps(trainer, _through_disk(Path(folder), half, trainer), 2)
        return _equal(through, resumed)

    def there_and_back(self) -> Found:
        """A state of the CPU, a step on the device, a step on the CPU; what is read is what was written."""
        there = self._trainer
        here = there if jax.default_backend() == "cpu" else self._trainer_on([drawn.cpu()])
        begun = drawn.state(here)
        with tempfile.TemporaryDirectory() as folder:
            arrived = _through_disk(Path(folder) / "there", begun, there)
            found = _equal(begun, arrived)
            stepped = self._steps(there, arrived, 1)
            back = _through_disk(Path(folder) / "back", stepped, here)
            second = _equal(stepped, back)
            last = self._steps(here, back, 1)
        if not all(np.isfinite(array).all() for array in _leaves(jax.device_get(last))):
            return Found("the step back on the CPU is not finite", "finite", WRONG)
        return found if found.verdict == WRONG else second


def _with_critic(section: Any) -> dict[str, Any]:
    """A method's section in which the critic has a weight, so that it is trained, too."""
    loss = dict(section.get("loss", {}))
    return {**section, "loss": {**loss, "adversarial": loss.get("adversarial") or 0.01}}


def _through_disk(folder: Path, state: TrainState, trainer: Trainer) -> TrainState:
    """What the trainer makes of a checkpoint of the state."""
    for action in ("write", "read"):
        checkpoints = Checkpoints(folder.absolute(), Keep(1))
        try:
            if action == "write":
                checkpoints.save(int(state.step), state)
            else:
                return trainer.start(checkpoints)
        finally:
            checkpoints.close()
    raise AssertionError("unreachable")


def _equal(state: TrainState, other: TrainState) -> Found:
    pairs = list(itertools.zip_longest(drawn.bits(state), drawn.bits(other)))
    different = sum(one != two for one, two in pairs)
    found = f"{different} of {len(pairs)} arrays differ" if different else f"{len(pairs)} arrays, all equal"
    return Found(found, "equal bits", WRONG if different else RIGHT)


def export(setting: Setting) -> Iterator[Measurement]:
    """Filling, exported for every platform at once."""
    for name in ("partial_conv",) if setting.tiny else ("scan", "masked_attention"):
        yield f"{name}, {', '.join(program.PLATFORMS)}", functools.partial(_exported, name, 4 if setting.tiny else 32)


def _exported(name: str, width: int) -> Found:
    """The program on the device, beside what it was made of on the CPU."""
    method = build_method(drawn.small(name, width))
    networks = drawn.variables(method, 64)
    generator = {
        "params": {GENERATOR: networks.params[GENERATOR]},
        "stats": {GENERATOR: networks.stats.get(GENERATOR, {})},
    }
    arrays = safetensors_tree.flatten(generator)
    with drawn.at(HIGHEST):
        made = program.make_program(method, arrays, program.PLATFORMS)
    given = (arrays, *program.example((2, 3 * method.stride, 5 * method.stride), method.num_labels))
    answer = jax.jit(jax_export.deserialize(bytearray(made)).call)(*given)
    with jax.default_device(drawn.cpu()), drawn.at(HIGHEST):
        truth = jax.jit(program.make_fill(method))(*given)
    error = np.abs(np.asarray(answer, np.float64) - np.asarray(truth))
    errors = {"picture": float(error.max()), "median": float(np.median(error))}
    return _judged(errors, list(OF_METHODS[HIGHEST][:2]))
