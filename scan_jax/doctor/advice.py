"""What the machine has, as a page; and what is wrong, one line for each problem, with the command that puts it right.

Which driver runs which CUDA, and what WSL2 needs: https://docs.jax.dev/en/latest/installation.html
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping

from scan_jax.doctor import machine, probe
from scan_jax.doctor.machine import CUDA_PLUGINS, TPU_LIBRARY, Folder, Hardware, Machine, Package, version_of, wanted_of
from scan_jax.doctor.probe import Backend, Device

CUDA13_DRIVER, CUDA12_DRIVER = 580, 525  # the oldest that run it on Linux
CUDA13_CAPABILITY = 7.5  # the oldest GPUs (Turing) that CUDA 13 knows
MIN_FREE = 1024**3  # bytes; the least that is worth a warning: most runs want more
HIDING = ("", "-1", "none", "void", "NoDevFiles")  # values of CUDA_VISIBLE_DEVICES that hide every GPU
# What changes how JAX starts, by the beginning of the name.
VARIABLES = ("JAX_", "XLA_", "TPU_", "LIBTPU_", "CUDA_", "NVIDIA_", "LD_LIBRARY_PATH", "TFDS_DATA_DIR", "SCAN_JAX_")
ON = ("y", "yes", "t", "true", "on", "1")  # what JAX takes for it
Row = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """All of it; `problems` has one line for each that can be put right, and is empty on a healthy machine."""

    machine: Machine
    hardware: Hardware
    backend: Backend
    packages: tuple[Package, ...]
    places: tuple[Folder, ...]
    variables: Mapping[str, str]
    problems: tuple[str, ...]


def examine(time_limit: float) -> Diagnosis:
    """Looks at this machine; `time_limit` is in seconds, for JAX to start and to compute."""
    computer, hardware = machine.find_machine(), machine.find_hardware()
    backend = probe.find_backend(time_limit) if version_of("jax") else Backend()
    folders = machine.find_folders(backend.compilations)
    problems: list[str] = []
    packages: tuple[Package, ...] = ()
    try:
        packages = machine.find_packages((*CUDA_PLUGINS, *["tpu"] * bool(hardware.tpu_signs)))
    except ImportError:
        problems.append("packaging is not installed, so no versions were compared: pip install packaging")
    problems += of_packages(packages, hardware)
    if version_of("jax"):
        problems += (*of_devices(backend, os.environ), *of_accelerator(computer, hardware, backend, os.environ))
    elif not packages:
        problems.append(f"jax is not installed: {install_line(extra_of(hardware))}")
    problems += of_resources(computer, folders)
    variables = {name: value for name, value in sorted(os.environ.items()) if name.startswith(VARIABLES)}
    return Diagnosis(computer, hardware, backend, packages, folders, variables, tuple(problems))


def of_packages(packages: tuple[Package, ...], hardware: Hardware) -> Iterator[str]:
    """Missing ones and those out of bounds."""
    for package in packages:
        if package.name == "python" and not package.fits:
            yield f"Python {package.version} is not {package.wanted}: make the environment with another"
        elif not package.fits:
            state = f"{package.version} is not {package.wanted}" if package.version else "is not installed"
            by = "" if package.required_by == "scan_jax" else f", which {package.required_by} needs"
            name, wanted = package.name, package.wanted
            line = install_line(extra_of(hardware)) if name == "jax" else f'pip install -U "{name}{wanted}"'
            yield f"{name} {state}{by}: {line}"


def of_devices(backend: Backend, environ: Mapping[str, str]) -> Iterator[str]:
    """JAX that does not start or in 64 bits, and devices that do not compute."""
    if environ.get("JAX_ENABLE_X64", "").lower() in ON:
        yield "JAX_ENABLE_X64 switches JAX to 64 bits, and everything here is made for 32: unset JAX_ENABLE_X64"
    if not backend.platform and backend.failure:
        late = "; on a TPU pod, start this on all hosts at once" if "no answer" in backend.failure else ""
        chosen = f"; JAX_PLATFORMS={platforms} allows no other" if (platforms := environ.get("JAX_PLATFORMS")) else ""
        yield f"JAX does not start: {backend.failure}{late}{chosen}"
        return
    for device in backend.devices:
        if device.first_seconds is None:
            yield f"device {device.id} ({device.kind}) does not compute: {backend.failure}"
        elif not device.right:
            yield f"device {device.id} ({device.kind}) computes a wrong result; do not train on it"
    if backend.failure and not backend.devices:
        yield f"JAX does not list its devices: {backend.failure}"


def of_accelerator(machine: Machine, hardware: Hardware, backend: Backend, environ: Mapping[str, str]) -> Iterator[str]:
    """One that the machine shows and JAX does not use."""
    if backend.platform not in ("", "cpu"):
        return
    signs = ", ".join((*hardware.nvidia_signs, *hardware.tpu_signs))
    platforms = environ.get("JAX_PLATFORMS", "")
    if signs and platforms and "cpu" in platforms and not {"cuda", "gpu", "tpu"} & set(platforms.split(",")):
        yield f"JAX_PLATFORMS={platforms} hides an accelerator ({signs}) from JAX: unset JAX_PLATFORMS"
    elif hardware.tpu_signs:
        yield from _of_tpu(hardware, backend)
    elif hardware.nvidia_signs:
        yield from _of_nvidia(machine, hardware, backend, environ)


def of_resources(machine: Machine, places: tuple[Folder, ...]) -> Iterator[str]:
    """Too little memory or disk, and folders that were chosen and are not there."""
    if machine.memory_free is not None and machine.memory_free < MIN_FREE:
        yield f"only {_mib(machine.memory_free)} of memory are free: end what else runs here"
    for place in places:
        chosen = f"${place.chosen_by}" if place.chosen_by else place.name
        if place.chosen_by and not place.exists and place.name != "compiled programs":  # JAX makes that one
            yield f"{chosen} names a folder that is not there: {place.path}"
        if not place.writable and place.name in ("working folder", "compiled programs"):
            yield f"the {place.name} cannot be written to: {place.path}"
        if place.free < MIN_FREE:
            yield f"only {_mib(place.free)} of disk are free in {place.path} ({place.name})"


def install_line(extra: str) -> str:
    """What makes JAX see the accelerator, within the bounds that hold here; `extra` is as `extra_of` has it."""
    return f'pip install -U "jax{f"[{extra}]" if extra else ""}{wanted_of("jax")}"'


def extra_of(hardware: Hardware) -> str:
    """JAX's extra for what the machine shows; empty where it shows no accelerator."""
    if hardware.tpu_signs:
        return "tpu"
    if not hardware.nvidia_signs:
        return ""
    old = any(gpu.capability and float(gpu.capability) < CUDA13_CAPABILITY for gpu in hardware.gpus)
    return "cuda12" if old or (hardware.driver and _major(hardware.driver) < CUDA13_DRIVER) else "cuda13"


def _of_tpu(hardware: Hardware, backend: Backend) -> Iterator[str]:
    signs = ", ".join(hardware.tpu_signs)
    if not version_of(TPU_LIBRARY):
        yield f"this is a TPU's host ({signs}), but JAX has no {TPU_LIBRARY}: {install_line('tpu')}"
    elif not backend.failure:
        said = f": {backend.complaint}" if backend.complaint else ""
        yield f"this is a TPU's host ({signs}) and {TPU_LIBRARY} is installed, but JAX sees no TPU{said}"


def _of_nvidia(machine: Machine, hardware: Hardware, backend: Backend, environ: Mapping[str, str]) -> Iterator[str]:
    extra, signs = extra_of(hardware), ", ".join(hardware.nvidia_signs)
    line = install_line(extra)
    wsl2 = machine.kind == "wsl2"
    windows_only = ", on Windows and not inside WSL2," * wsl2
    note = " (WSL2: the driver is the one of Windows; install none inside)" * wsl2
    plugins = {name: plugin for name, plugin in CUDA_PLUGINS.items() if version_of(plugin)}
    if machine.kind == "windows":
        yield f"JAX runs on no GPU under Windows itself ({signs}): wsl --install, and inside WSL2: {line}"
    elif not hardware.driver:
        said = f" ({hardware.complaint})" if hardware.complaint else ""
        need = f"driver {CUDA13_DRIVER} or newer{windows_only}"
        yield f"the NVIDIA driver does not answer{said}: install {need} and {line}"
    elif _major(hardware.driver) < CUDA12_DRIVER:
        need = f"{CUDA13_DRIVER} or newer (at least {CUDA12_DRIVER})"
        yield f"NVIDIA driver {hardware.driver} is too old for JAX: install {need}{windows_only} and {line}"
    elif not plugins:
        yield f"JAX sees no accelerator, but the machine has one ({signs}): {line}{note}"
    elif extra == "cuda12" and "cuda12" not in plugins:
        names = ", ".join(sorted({gpu.name for gpu in hardware.gpus})) or "this GPU"
        gone = "pip uninstall -y jax-cuda13-plugin jax-cuda13-pjrt"
        yield f"driver {hardware.driver} with {names} does not run CUDA 13: {gone}; {line}"
    elif environ.get("CUDA_VISIBLE_DEVICES", "0") in HIDING:
        yield f"CUDA_VISIBLE_DEVICES={environ['CUDA_VISIBLE_DEVICES']!r} hides the GPU ({signs}): unset it"
    elif not backend.failure:
        said = f": {backend.complaint}" if backend.complaint else ""
        other = "unset LD_LIBRARY_PATH, which can put other CUDA libraries first, or "
        cure = other if environ.get("LD_LIBRARY_PATH") else ""
        yield f"{' and '.join(plugins.values())} installed, but JAX sees no GPU ({signs}){said}; {cure}{line}"


def _major(driver: str) -> int:
    return int(driver.partition(".")[0])


def _mib(number: int) -> str:
    return f"{number / 1024**2:.0f} MiB"


def lines(found: Diagnosis) -> Iterator[str]:
    """All of it, the problems last."""
    yield from _section("machine", (*_machine(found.machine), *_hardware(found.hardware)))
    yield from _section("jax", _backend(found.backend))
    yield from _section("packages", map(_package, found.packages))
    yield from _section("places", map(_folder, found.places))
    yield from _section("environment", found.variables.items())
    yield from (f"problem: {problem}" for problem in found.problems)
    if not found.problems:
        yield "healthy"


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
    for number, gpu in enumerate(hardware.gpus):
        memory = f"{_gib(gpu.memory_free)} free of {_gib(gpu.memory_total)}"
        yield f"GPU {number}", f"{gpu.name}, {memory}" + (f", capability {gpu.capability}" if gpu.capability else "")


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


def _folder(place: Folder) -> Row:
    notes = [f"{_gib(place.free)} free"]
    notes += [] if place.exists else ["not made yet"]
    notes += [] if place.writable else ["read-only"]
    notes += [f"${place.chosen_by}"] if place.chosen_by else []
    notes += [f"holds {', '.join(place.content)}"] if place.content else []
    return place.name, f"{place.path} ({'; '.join(notes)})"


def _gib(number: int | None) -> str:
    return "unknown" if number is None else f"{number / 1024**3:.1f} GiB"
