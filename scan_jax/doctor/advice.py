"""From what was found to what is wrong: one line for each problem, with the command that puts it right.

Which driver runs which CUDA, and what WSL2 needs: https://docs.jax.dev/en/latest/installation.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scan_jax.doctor.backend import Backend
from scan_jax.doctor.hardware import Hardware
from scan_jax.doctor.machine import Machine
from scan_jax.doctor.packages import CUDA_PLUGINS, TPU_LIBRARY, Package, version_of, wanted_of
from scan_jax.doctor.places import Place

CUDA13_DRIVER, CUDA12_DRIVER = 580, 525  # the oldest that run it on Linux
CUDA13_CAPABILITY = 7.5  # the oldest GPUs (Turing) that CUDA 13 knows
LEAST_FREE = 1024**3  # bytes; the least that is worth a warning: most runs want more
HIDING = ("", "-1", "none", "void", "NoDevFiles")  # values of CUDA_VISIBLE_DEVICES that hide every GPU


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


def of_absent_jax(packages: tuple[Package, ...], hardware: Hardware) -> Iterator[str]:
    """Where versions could not be compared, that JAX is missing must still be said."""
    if not packages and not version_of("jax"):
        yield f"jax is not installed: {install_line(extra_of(hardware))}"


def of_devices(backend: Backend, environ: Mapping[str, str]) -> Iterator[str]:
    """JAX that does not start, and devices that do not compute."""
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


def of_resources(machine: Machine, places: tuple[Place, ...]) -> Iterator[str]:
    """Too little memory or disk, and folders that were chosen and are not there."""
    if machine.memory_free is not None and machine.memory_free < LEAST_FREE:
        yield f"only {_mib(machine.memory_free)} of memory are free: end what else runs here"
    for place in places:
        chosen = f"${place.chosen_by}" if place.chosen_by else place.name
        if place.chosen_by and not place.exists and place.name != "compiled programs":  # JAX makes that one
            yield f"{chosen} names a folder that is not there: {place.path}"
        if not place.writable and place.name in ("working folder", "compiled programs"):
            yield f"the {place.name} cannot be written to: {place.path}"
        if place.free < LEAST_FREE:
            yield f"only {_mib(place.free)} of disk are free in {place.path} ({place.name})"


def install_line(extra: str) -> str:
    """What makes JAX see the accelerator, within the bounds that hold here.

    Args:
      extra: "cuda13", "cuda12" or "tpu"; empty for the CPU.
    """
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
    windows_only = ", on Windows and not inside WSL2," if machine.kind == "wsl2" else ""
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
        yield f"JAX sees no accelerator, but the machine has one ({signs}): {line}{_wsl_note(machine)}"
    elif extra == "cuda12" and "cuda12" not in plugins:
        gone = "pip uninstall -y jax-cuda13-plugin jax-cuda13-pjrt"
        yield f"driver {hardware.driver} with {_named(hardware)} does not run CUDA 13: {gone}; {line}"
    elif environ.get("CUDA_VISIBLE_DEVICES", "0") in HIDING:
        yield f"CUDA_VISIBLE_DEVICES={environ['CUDA_VISIBLE_DEVICES']!r} hides the GPU ({signs}): unset it"
    elif not backend.failure:
        said = f": {backend.complaint}" if backend.complaint else ""
        other = "unset LD_LIBRARY_PATH, which can put other CUDA libraries first, or "
        cure = other if environ.get("LD_LIBRARY_PATH") else ""
        yield f"{' and '.join(plugins.values())} installed, but JAX sees no GPU ({signs}){said}; {cure}{line}"


def _wsl_note(machine: Machine) -> str:
    note = " (WSL2: the driver is the one of Windows; install none inside)"
    return note if machine.kind == "wsl2" else ""


def _named(hardware: Hardware) -> str:
    return ", ".join(sorted({gpu.name for gpu in hardware.gpus})) or "this GPU"


def _major(driver: str) -> int:
    return int(driver.partition(".")[0])


def _mib(number: int) -> str:
    return f"{number / 1024**2:.0f} MiB"
