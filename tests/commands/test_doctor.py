"""The doctor on machines that the tests make up, and once, in earnest, on this one."""

import dataclasses
import importlib.metadata
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from scan_jax.commands import doctor as command
from scan_jax.doctor import advice, machine, probe

REPOSITORY = Path(__file__).parents[2]
GIB = 1024**3
BOUNDS = machine.wanted_of("jax")
CUDA13, CUDA12 = (f'pip install -U "jax[{extra}]{BOUNDS}"' for extra in ("cuda13", "cuda12"))
TPU = f'pip install -U "jax[tpu]{BOUNDS}"'
LINUX = machine.Machine("Linux 6.8 x86_64", "linux", "3.12.1", "/usr/bin/python", 8, 32 * GIB, 16 * GIB)
WSL2, WINDOWS = (dataclasses.replace(LINUX, kind=kind) for kind in ("wsl2", "windows"))
H200 = machine.Gpu("NVIDIA H200", 140 * GIB, 139 * GIB, "9.0")
V100 = machine.Gpu("Tesla V100-SXM2-16GB", 16 * GIB, 16 * GIB, "7.0")
NONE = machine.Hardware((), "", "", (), (), "")
ON_CPU = probe.Backend(platform="cpu", devices=(probe.Device(0, "cpu", "cpu", None, None, 0.1, 0.001, True),))


def with_gpu(driver, gpu=H200):
    return dataclasses.replace(NONE, gpus=(gpu,), driver=driver, nvidia_signs=("nvidia-smi lists 1",))


def fake_tool(folder, body):
    """An nvidia-smi in `folder`; the environment in which it is found."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def fake_files(root, **files):
    """Files below `root`, `__` for a slash in their names."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def advised(computer, accelerators, jax=ON_CPU, **environ):
    return list(advice.of_accelerator(computer, accelerators, jax, environ))


@pytest.fixture
def installed(monkeypatch):
    """Makes packages look installed, or not, for the advice."""
    known = {"jax": "0.10.2"}
    monkeypatch.setattr(advice, "version_of", lambda name: known.get(name, ""))
    return known


def test_gpus_as_nvidia_smi_lists_them_and_an_old_driver_that_knows_not_every_question(tmp_path):
    body = """case "$1" in
        --query-gpu=compute_cap) echo 9.0; echo 9.0 ;;
        --query-gpu=*) echo '580.65.06, 143771, 143000, NVIDIA H200'; echo '580.65.06, [N/A], [N/A], NVIDIA H200' ;;
        *) echo '| NVIDIA-SMI 580.65.06     Driver Version: 580.65.06     CUDA Version: 13.0 |' ;; esac"""
    found = machine.find_hardware(
        fake_files(tmp_path / "root", dev__nvidia0="", dev__nvidiactl=""), fake_tool(tmp_path, body)
    )
    first, second = found.gpus
    assert first == machine.Gpu("NVIDIA H200", 143771 * 1024**2, 143000 * 1024**2, "9.0")
    assert second == machine.Gpu("NVIDIA H200", None, None, "9.0")
    assert (found.driver, found.cuda, found.complaint) == ("580.65.06", "13.0", "")
    assert found.nvidia_signs == ("nvidia-smi lists 2", "/dev/nvidia0", "/dev/nvidiactl")
    assert found.tpu_signs == ()
    body = """case "$1" in --query-gpu=compute_cap) echo 'Field "compute_cap" is not a valid field to query.'; exit 2 ;;
        --query-gpu=*) echo '470.82.01, 16160, 16000, Tesla P100' ;; *) echo nothing ;; esac"""
    found = machine.find_hardware(tmp_path, fake_tool(tmp_path, body))
    assert (found.driver, found.cuda, found.gpus[0].capability) == ("470.82.01", "", "")


def test_a_silent_driver_is_told_from_no_gpu(installed, tmp_path):
    environ = fake_tool(tmp_path, "echo 'NVIDIA-SMI has failed because it could not talk to the driver.'; exit 9")
    assert machine.find_hardware(tmp_path / "empty", environ).nvidia_signs == ()
    bus = {"sys__bus__pci__devices__0000:01:00.0__vendor": "0x10de\n"}
    with_sound = fake_files(tmp_path / "sound", **bus, **{"sys__bus__pci__devices__0000:01:00.0__class": "0x040300\n"})
    assert machine.find_hardware(with_sound, environ).nvidia_signs == ()
    with_card = fake_files(tmp_path / "card", **bus, **{"sys__bus__pci__devices__0000:01:00.0__class": "0x030200\n"})
    found = machine.find_hardware(with_card, environ)
    assert found.nvidia_signs == ("1 on the PCI bus",)
    assert_one_line(advised(LINUX, found), ["", "NVIDIA-SMI has failed", "install driver 580 or newer", CUDA13])


def test_a_container_without_nvidia_smi_has_the_kernels_word(installed, tmp_path):
    told = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n"
    found = machine.find_hardware(
        fake_files(tmp_path, dev__nvidia3="", proc__driver__nvidia__version=told), {"PATH": ""}
    )
    assert (found.driver, found.nvidia_signs, found.gpus) == ("535.104.05", ("/dev/nvidia3",), ())
    assert advised(LINUX, found) == [f"JAX sees no accelerator, but the machine has one (/dev/nvidia3): {CUDA12}"]


def test_a_tpu_shows_in_the_environment_as_a_device_and_on_the_bus_and_a_network_card_does_not(installed, tmp_path):
    for variable in machine.TPU_VARIABLES:
        assert machine.find_hardware(tmp_path, {"PATH": "", variable: "v5e"}).tpu_signs == (f"${variable}",)
    first, second = ("sys__bus__pci__devices__0000:00:0" + number for number in "45")
    files = {f"{first}.0__vendor": "0x1ae0\n", f"{second}.0__vendor": "0x1ae0\n", f"{second}.0__device": "0x0042\n"}
    root = fake_files(tmp_path, dev__accel0="", dev__accel__accel0="", **files, **{f"{first}.0__device": "0x0063\n"})
    found = machine.find_hardware(root, {"PATH": ""})
    assert found.tpu_signs == ("/dev/accel0", "1 on the PCI bus")
    (line,) = advised(LINUX, found)
    assert line.endswith(f"has no libtpu: {TPU}")


UNSEEN = "JAX sees no accelerator, but the machine has one (nvidia-smi lists 1): "
LOG = "ERROR: Jax plugin configuration error\nRuntimeError: Unable to load cuSPARSE. Is it installed?\ngood bye"
UNINSTALL = "does not run CUDA 13: pip uninstall -y jax-cuda13-plugin jax-cuda13-pjrt; "
ON_WINDOWS = "(WSL2: the driver is the one of Windows; install none inside)"
OLD = "NVIDIA driver 470.82.01 is too old for JAX: install 580 or newer (at least 525) and pip"


@pytest.mark.parametrize(
    ("computer", "accelerators", "parts"),
    [
        (LINUX, with_gpu("580.65.06"), [UNSEEN + CUDA13]),
        (LINUX, with_gpu("590.10"), [UNSEEN + CUDA13]),
        (LINUX, with_gpu("550.54.15"), [UNSEEN + CUDA12]),
        (LINUX, with_gpu("525.60.13"), [UNSEEN + CUDA12]),
        (LINUX, with_gpu("580.65.06", V100), [UNSEEN + CUDA12]),  # CUDA 13 does not know Volta
        (WSL2, with_gpu("581.29"), [f"{UNSEEN}{CUDA13} {ON_WINDOWS}"]),
        (LINUX, with_gpu("470.82.01"), [OLD, ""]),
        (WSL2, with_gpu("470.82.01"), ["", "on Windows and not inside WSL2", ""]),
        (WINDOWS, with_gpu("581.29"), ["", "wsl --install", CUDA13]),
    ],
)
def test_the_line_that_lets_jax_see_a_gpu(installed, computer, accelerators, parts):
    assert_one_line(advised(computer, accelerators), parts)


def assert_one_line(lines, parts):
    """That begins with the first part, has all of them, and ends with the last."""
    (line,) = lines
    assert line.startswith(parts[0]) and all(part in line for part in parts) and line.endswith(parts[-1]), line


def test_variables_that_hide_an_accelerator_and_a_plugin_that_finds_none_are_named(installed):
    found = advised(LINUX, with_gpu("580.65"), JAX_PLATFORMS="cpu")
    assert_one_line(found, ["JAX_PLATFORMS=cpu hides", "unset JAX_PLATFORMS"])
    installed["jax-cuda13-plugin"] = "0.10.2"
    found = advised(LINUX, with_gpu("580.65"), CUDA_VISIBLE_DEVICES="")
    assert_one_line(found, ["CUDA_VISIBLE_DEVICES='' hides the GPU", ""])
    installed["jax-cuda13-plugin"] = "0.10.2"
    failed = dataclasses.replace(ON_CPU, log=LOG)
    found = advised(LINUX, with_gpu("580.65"), failed, LD_LIBRARY_PATH="/usr/local/cuda/lib64")
    begin = "jax-cuda13-plugin installed, but JAX sees no GPU"
    assert_one_line(found, [begin, "Unable to load cuSPARSE", "unset LD_LIBRARY_PATH", CUDA13])
    assert_one_line(advised(LINUX, with_gpu("550.54"), failed), ["", UNINSTALL, CUDA12])
    installed["libtpu"] = "0.0.42"
    found = advised(LINUX, dataclasses.replace(NONE, tpu_signs=("/dev/accel0",)))
    assert_one_line(found, ["", "libtpu is installed, but JAX sees no TPU"])


def test_what_works_needs_no_advice_and_a_jax_that_is_missing_is_installed_for_the_accelerator(installed):
    both = dataclasses.replace(with_gpu("470.1"), tpu_signs=("$TPU_NAME",))
    for platform in ("gpu", "tpu"):
        assert advised(LINUX, both, dataclasses.replace(ON_CPU, platform=platform)) == []
    assert advised(LINUX, NONE) == []
    row = machine.Package("jax", "", BOUNDS, "scan_jax", False)
    assert list(advice.of_packages((row,), with_gpu("550.54"))) == [f"jax is not installed: {CUDA12}"]
    assert list(advice.of_packages((row,), NONE)) == [f'jax is not installed: pip install -U "jax{BOUNDS}"']


@pytest.mark.parametrize(
    ("source", "failure"),
    [
        ("raise ImportError('libcudart.so: cannot open')", "ImportError: libcudart.so: cannot open"),
        ("raise RuntimeError('jaxlib is version 0.4\\nsecond')", "RuntimeError: jaxlib is version 0.4"),
        ("import os; os.abort()", "crashed with SIGABRT"),
        ("import os; os._exit(3)", "ended with exit code 3"),
        ("import time; time.sleep(60)", "no answer within 2 s"),
    ],
)
def test_a_broken_jax_is_one_line(monkeypatch, tmp_path, source, failure):
    (tmp_path / "jax.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = probe.find_backend(time_limit=2 if "sleep" in source else 60)
    assert found.platform == "" and found.failure == failure
    (line,) = advice.of_devices(found, {})
    assert line.startswith(f"JAX does not start: {failure}")


def test_a_platform_that_was_asked_for_and_is_not_there(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "nonsense")
    (line,) = advice.of_devices(probe.find_backend(60), os.environ)
    assert line.startswith("JAX does not start: RuntimeError: Unable to initialize backend 'nonsense'")
    assert line.endswith("JAX_PLATFORMS=nonsense allows no other")


def test_the_mode_in_which_nothing_here_computes_is_named():
    (line,) = advice.of_devices(ON_CPU, {"JAX_ENABLE_X64": "True"})
    assert line.startswith("JAX_ENABLE_X64 switches JAX to 64 bits") and line.endswith("unset JAX_ENABLE_X64")
    assert not list(advice.of_devices(ON_CPU, {"JAX_ENABLE_X64": "0"}))


def test_devices_that_crash_or_compute_wrongly_are_named():
    told = [
        {"platform": "gpu", "platform_version": "cuda 13000", "compilations": "", "processes": 1},
        *({"device": {"id": number, "kind": "NVIDIA H200", "platform": "gpu"}} for number in range(3)),
        {"device": {"id": 0, "first_seconds": 1.0, "next_seconds": 0.001, "right": True}},
        {"device": {"id": 1, "first_seconds": 1.0, "next_seconds": 0.001, "right": False}},
        {"loud library": 1},
    ]
    output = "noise of a library\n" + "\n".join(map(json.dumps, told)) + '\n{"cut'
    found = probe.read(output.encode(), b"E0000 failed to get cuDNN\nbye", "crashed with SIGSEGV")
    assert [device.right for device in found.devices] == [True, False, False]
    assert found.complaint == "E0000 failed to get cuDNN"
    assert list(advice.of_devices(found, {})) == [
        "device 1 (NVIDIA H200) computes a wrong result; do not train on it",
        "device 2 (NVIDIA H200) does not compute: crashed with SIGSEGV",
    ]


def test_memory_is_the_containers_where_that_is_less(tmp_path):
    kernel = "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    8000000 kB\n"
    root = fake_files(tmp_path, proc__meminfo=kernel, proc__sys__kernel__osrelease="5.15.1-microsoft-standard-WSL2\n")
    found = machine.find_machine(root)
    assert (found.memory_total, found.memory_free, found.kind) == (16000000 * 1024, 8000000 * 1024, "wsl2")
    fake_files(tmp_path, **{"sys__fs__cgroup__memory.max": f"{2 * GIB}\n"})
    fake_files(tmp_path, **{"sys__fs__cgroup__memory.current": f"{GIB}\n"})
    fake_files(tmp_path, **{"sys__fs__cgroup__memory.stat": f"anon 1\ninactive_file {GIB // 2}"})
    found = machine.find_machine(root)
    assert (found.memory_total, found.memory_free) == (2 * GIB, GIB + GIB // 2)
    fake_files(tmp_path, **{"sys__fs__cgroup__memory.max": "max\n"})
    assert machine.find_machine(root).memory_total == 16000000 * 1024
    assert machine.find_machine(tmp_path / "elsewhere").memory_free is None


def test_what_lies_where(monkeypatch, tmp_path):
    data, weights, programs = (tmp_path / name for name in ("data", "weights", "programs"))
    fake_files(data, **{"celeba_hq__256__1.0.0__dataset_info.json": "{}", "stray.txt": ""})
    fake_files(weights, **{"vgg19.safetensors": "", "mat__config.json": "", "note.txt": ""})
    fake_files(programs, **{"jit_step-0f-cache": "", "jit_step-0f-atime": ""})
    monkeypatch.setenv("TFDS_DATA_DIR", str(data))
    monkeypatch.setenv("SCAN_JAX_WEIGHTS", str(weights))
    monkeypatch.chdir(tmp_path)
    found = {place.name: place for place in machine.find_folders(str(programs))}
    assert found["working folder"].path == str(tmp_path) and found["working folder"].free > 0
    assert found["datasets"].content == ("celeba_hq/256",) and found["datasets"].chosen_by == "TFDS_DATA_DIR"
    assert found["weights"].content == ("mat", "vgg19.safetensors") and found["weights"].writable
    assert found["compiled programs"].content == ("1 program",)
    assert list(advice.of_resources(LINUX, tuple(found.values()))) == []
    assert "compiled programs" not in {place.name for place in machine.find_folders("gs://bucket/xla")}


def test_full_disks_full_memory_and_absent_folders_are_problems():
    place = machine.Folder("datasets", "/nowhere", "TFDS_DATA_DIR", False, True, 10 * GIB, ())
    work = machine.Folder("working folder", "/work", "", True, False, 3 * 1024**2, ())
    tight = dataclasses.replace(LINUX, memory_free=200 * 1024**2)
    assert list(advice.of_resources(tight, (place, work))) == [
        "only 200 MiB of memory are free: end what else runs here",
        "$TFDS_DATA_DIR names a folder that is not there: /nowhere",
        "the working folder cannot be written to: /work",
        "only 3 MiB of disk are free in /work (working folder)",
    ]


@pytest.fixture
def sick(monkeypatch):
    """A machine with a GPU that JAX does not see."""
    monkeypatch.setattr(machine, "find_machine", lambda: LINUX)
    monkeypatch.setattr(machine, "find_hardware", lambda: dataclasses.replace(with_gpu("580.65.06"), cuda="13.0"))
    monkeypatch.setattr(probe, "find_backend", lambda time_limit: ON_CPU)
    monkeypatch.setattr(machine, "find_folders", lambda compilations: ())
    monkeypatch.setattr(machine, "find_packages", lambda extras: ())
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)


@pytest.mark.usefixtures("sick", "installed")
def test_a_problem_is_a_line_and_exit_code_one(capsys):
    assert command.main([]) == 1
    printed = capsys.readouterr()
    assert "GPU 0       NVIDIA H200, 139.0 GiB free of 140.0 GiB, capability 9.0" in printed.out
    assert "driver      580.65.06, CUDA 13.0" in printed.out
    assert "device 0  cpu: works, 0.10 s with compiling, then 1.00 ms" in printed.out
    problems = [line for line in printed.out.splitlines() if line.startswith("problem: ")]
    assert problems == [f"problem: {UNSEEN}{CUDA13}"]
    assert "error: 1 problem, listed above" in printed.err


@pytest.mark.usefixtures("sick")
def test_a_healthy_machine_ends_with_zero_and_a_time_limit_must_be_positive(monkeypatch, capsys):
    monkeypatch.setattr(probe, "find_backend", lambda time_limit: dataclasses.replace(ON_CPU, platform="gpu"))
    assert command.main([]) == 0
    assert capsys.readouterr().out.endswith("\nhealthy\n")
    assert command.main(["--time_limit=0"]) == 1
    assert "--time_limit must be positive, not 0.0" in capsys.readouterr().err


@pytest.mark.usefixtures("sick")
def test_without_packaging_no_versions_are_compared(monkeypatch):
    def broken(extras):
        raise ImportError("No module named 'packaging'")

    monkeypatch.setattr(machine, "find_packages", broken)
    assert advice.examine(1).problems[0].startswith("packaging is not installed")


def run_here(*arguments, **environ):
    paths = {"PYTHONPATH": str(REPOSITORY)}
    environ = os.environ | paths | environ
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environ)


def test_this_machine_and_one_where_nothing_is_installed(tmp_path):
    absent = str(tmp_path / "absent")
    chosen = {"JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu", "TFDS_DATA_DIR": absent}
    done = run_here("-m", "scan_jax", "doctor", "--json", **chosen)
    found = json.loads(done.stdout)
    assert done.returncode == 1 and not found["healthy"] and "Traceback" not in done.stderr
    assert f"$TFDS_DATA_DIR names a folder that is not there: {absent}" in found["problems"]
    assert found["backend"]["platform"] == "cpu" and found["backend"]["failure"] == ""
    assert [device["right"] for device in found["backend"]["devices"]] == [True, True]
    assert all(0 < device["next_seconds"] < device["first_seconds"] for device in found["backend"]["devices"])
    versions = {package["name"]: package["version"] for package in found["packages"]}
    assert versions["jax"] == importlib.metadata.version("jax") and versions["jaxlib"]
    done = run_here("-S", "-m", "scan_jax", "doctor")  # without site-packages
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "problem: jax is not installed: pip install -U " in done.stdout


def make_distribution(folder, name, version, *lines):
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    needs = "".join(f"{line}\n" for line in lines)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")


def test_versions_out_of_bounds_and_missing_ones(monkeypatch, tmp_path):
    make_distribution(tmp_path, "fake_base", "1.4")
    make_distribution(tmp_path, "fake_tool", "2.0", "Requires-Dist: Fake.Base<1.2", 'Requires-Dist: x; extra == "y"')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(machine, "requirements", lambda: (">=3.99", ("fake-tool>=1.0,<3", "fake-absent>=2", "jax<1")))
    found = {package.name: package for package in machine.find_packages()}
    assert not found["python"].fits and found["fake-tool"].fits and "x" not in found
    assert found["jaxlib"].fits and found["jaxlib"].required_by == "jax"
    problems = list(advice.of_packages(tuple(found.values()), NONE))
    assert problems == [
        f"Python {found['python'].version} is not >=3.99: make the environment with another",
        'fake-absent is not installed: pip install -U "fake-absent>=2"',
        'Fake.Base 1.4 is not <1.2, which fake-tool needs: pip install -U "Fake.Base<1.2"',
    ]


@pytest.mark.parametrize(
    ("extra", "name", "fits", "newer", "wanted"),
    [("gradio", "pillow", "12.3.0", "13.0.0", "<13"), ("pytorch-fid", "scipy", "1.17.1", "1.18.1", "<1.18")],
)
def test_what_an_extra_needs_is_told_where_it_is_installed(monkeypatch, tmp_path, extra, name, fits, newer, wanted):
    monkeypatch.setattr(machine, "requirements", lambda: (">=3.11", (f"{name}>=1,<14",)))
    told = f'{name} {newer} is not {wanted}, which {extra} needs: pip install -U "{name}{wanted}"'
    for version, problems in ((fits, []), (newer, [told])):
        make_distribution(tmp_path / version, extra.replace("-", "_"), "1.0")
        make_distribution(tmp_path / version, name, version)
        monkeypatch.syspath_prepend(tmp_path / version)
        assert list(advice.of_packages(machine.find_packages(), NONE)) == problems


def test_plugins_must_fit_jax(monkeypatch):
    versions = {"jax": "0.10.2", "jaxlib": "0.10.2", "jax-cuda12-plugin": "0.9.0"}
    needs = ["jaxlib<=0.10.2", 'jaxlib<=0.10.2; extra == "cuda12"', 'jax-cuda12-plugin==0.10.2; extra == "cuda12"']
    monkeypatch.setattr(machine, "version_of", lambda name: versions.get(name, ""))
    monkeypatch.setattr(machine, "_requires", lambda name: needs if name == "jax" else [])
    monkeypatch.setattr(machine, "requirements", lambda: (">=3.11", ("jax>=0.10.2",)))
    rows = machine.find_packages(("cuda12", "cuda13"))
    assert [row.name for row in rows] == ["python", "jax", "jaxlib", "jax-cuda12-plugin"]
    assert [row.fits for row in rows] == [True, True, True, False]


def test_another_opencv_will_do(monkeypatch, tmp_path):
    make_distribution(tmp_path, "opencv_contrib_python", "4.99")
    monkeypatch.setattr(importlib.metadata.MetadataPathFinder, "find_distributions", only_in(tmp_path))
    assert machine.version_of("opencv-python-headless") == "4.99"
    assert machine.version_of("jax") == ""


def only_in(folder):
    plain = importlib.metadata.MetadataPathFinder.find_distributions
    return lambda context: plain(importlib.metadata.DistributionFinder.Context(name=context.name, path=[str(folder)]))


def test_bounds_come_from_the_installed_package_where_there_are_no_sources(monkeypatch, tmp_path):
    lines = ("Requires-Python: >=3.11", "Requires-Dist: jax<0.12,>=0.10.2", 'Requires-Dist: torch>=2; extra == "torch"')
    make_distribution(tmp_path, "scan_jax", "0.1.0", *lines)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(machine, "scan_jax", types.SimpleNamespace(__file__=f"{tmp_path}/scan_jax/__init__.py"))
    python, needs = machine.requirements()
    assert python == ">=3.11" and needs[0] == "jax<0.12,>=0.10.2" and len(needs) == 2
    assert machine.wanted_of("jax") == "<0.12,>=0.10.2"
    assert machine.wanted_of("jaxlib") == ""
