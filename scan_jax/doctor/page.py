"""A diagnosis as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scan_jax.doctor.backend import Backend, Device
from scan_jax.doctor.diagnosis import Diagnosis
from scan_jax.doctor.hardware import Gpu, Hardware
from scan_jax.doctor.machine import Machine
from scan_jax.doctor.packages import Package
from scan_jax.doctor.places import Place

Row = tuple[str, str]


def lines(found: Diagnosis) -> Iterator[str]:
    """All of it, the problems last."""
    yield from _section("machine", (*_machine(found.machine), *_hardware(found.hardware)))
    yield from _section("jax", _backend(found.backend))
    yield from _section("packages", map(_package, found.packages))
    yield from _section("places", map(_place, found.places))
    yield from _section("environment", found.variables.items())
    if not found.problems:
        yield "healthy"
    for problem in found.problems:
        yield f"problem: {problem}"


def _section(title: str, rows: Iterable[Row]) -> Iterator[str]:
    """A title and its rows, names in a column; nothing where there are none."""
    shown = list(rows)
    if not shown:
        return
    width = max(len(name) for name, _ in shown)
    yield title
    yield from (f"  {name:<{width}}  {value}" for name, value in shown)
    yield ""


def _machine(machine: Machine) -> Iterator[Row]:
    yield "system", f"{machine.system}{' (WSL2)' if machine.kind == 'wsl2' else ''}"
    yield "python", f"{machine.python} ({machine.executable})"
    yield "processors", f"{machine.cpus}"
    yield "memory", f"{_gib(machine.memory_free)} free of {_gib(machine.memory_total)}"


def _hardware(hardware: Hardware) -> Iterator[Row]:
    if hardware.nvidia_signs:
        yield "NVIDIA", ", ".join(hardware.nvidia_signs)
        yield "driver", f"{hardware.driver or 'none that answers'}" + (f", CUDA {hardware.cuda}" * bool(hardware.cuda))
    if hardware.tpu_signs:
        yield "TPU", ", ".join(hardware.tpu_signs)
    yield from ((f"GPU {number}", _gpu(gpu)) for number, gpu in enumerate(hardware.gpus))


def _gpu(gpu: Gpu) -> str:
    memory = f"{_gib(gpu.memory_free)} free of {_gib(gpu.memory_total)}"
    return f"{gpu.name}, {memory}" + (f", capability {gpu.capability}" if gpu.capability else "")


def _backend(backend: Backend) -> Iterator[Row]:
    """Platform, devices and what became of the computation."""
    if not backend.platform:
        yield "platform", backend.failure or "not installed"
        return
    version = f" ({backend.platform_version})" if backend.platform_version != backend.platform else ""
    yield "platform", f"{backend.platform}{version}"
    yield "devices", f"{len(backend.devices)} here, in {backend.processes} process{'es' * (backend.processes > 1)}"
    yield from ((f"device {device.id}", _device(device)) for device in backend.devices)


def _device(device: Device) -> str:
    memory = f", {_gib(device.memory_limit)} for JAX" if device.memory_limit else ""
    if device.first_seconds is None or device.next_seconds is None:
        return f"{device.kind}{memory}: does not compute"
    times = f"{device.first_seconds:.2f} s with compiling, then {1000 * device.next_seconds:.2f} ms"
    return f"{device.kind}{memory}: {'works' if device.right else 'WRONG RESULT'}, {times}"


def _package(package: Package) -> Row:
    state = "" if package.fits else "  <- out of bounds" if package.version else "  <- missing"
    return package.name, f"{package.version or '-':<12} {package.wanted}{state}".rstrip()


def _place(place: Place) -> Row:
    notes = [f"{_gib(place.free)} free"]
    notes += [] if place.exists else ["not made yet"]
    notes += [] if place.writable else ["read-only"]
    notes += [f"${place.chosen_by}"] if place.chosen_by else []
    notes += [f"holds {', '.join(place.content)}"] if place.content else []
    return place.name, f"{place.path} ({'; '.join(notes)})"


def _gib(number: int | None) -> str:
    return "unknown" if number is None else f"{number / 1024**3:.1f} GiB"
