"""The lines for machines on which the check cannot run, and for flags that mean nothing."""

import dataclasses

import pytest

from scan_jax.core.errors import UserError
from scan_jax.device_check import __main__ as command
from scan_jax.device_check import machine
from scan_jax.doctor import machine as doctor
from scan_jax.doctor import probe

GIB = 2**30
GPU = doctor.Gpu("NVIDIA H200", 140 * GIB, 139 * GIB, "9.0")
SMI = """#!/bin/sh
case "$1" in --query-compute-apps=*) echo '4711, 61440, /opt/train/python' ;; *) exit 1 ;; esac
"""


def device(kind="NVIDIA H200", platform="gpu"):
    return probe.Backend(platform, "CUDA 13", 1, (probe.Device(0, kind, platform, None, None, 0.1, 0.1, True),))


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Makes up what the machine has."""
    (tmp_path / "nvidia-smi").write_text(SMI)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)

    def have(gpu=GPU, backend=None, driver="580.65.06"):
        found = doctor.Hardware((gpu,) if gpu else (), driver, "13.0", ("nvidia-smi lists 1",) * bool(gpu), (), "")
        monkeypatch.setattr(doctor, "find_hardware", lambda: found)
        monkeypatch.setattr(probe, "find_backend", lambda limit: backend or device())

    return have


def asked(*, platform="", tiny=False):
    return machine.require_device(1.0, platform, tiny=tiny)


def test_a_device_is_named_with_its_driver_and_versions(here):
    here()
    head = asked()
    assert head["device"] == "NVIDIA H200, 1 of 1" and head["driver"] == "580.65.06" and head["CUDA"] == "13.0"
    assert all(f"{name} " in head["versions"] for name in ("scan_jax", "Python", "jaxlib", "optax"))


def test_without_a_device_it_says_what_else_can_be_done(here):
    here(gpu=None, backend=device("cpu", "cpu"), driver="")
    with pytest.raises(UserError, match=r"there is no device.*--tiny.*--device=cpu"):
        asked()
    assert asked(tiny=True)["device"] == asked(platform="cpu")["device"]
    assert "cores of a CPU" in asked(tiny=True)["device"] and "driver" not in asked(tiny=True)


def test_a_driver_that_is_too_old(here):
    here(backend=device("cpu", "cpu"), driver="470.82.01")
    for tiny in (False, True):
        with pytest.raises(UserError, match=r"^NVIDIA driver 470\.82\.01 is too old for JAX: install 580 or newer"):
            asked(tiny=tiny)
    assert "CPU" in asked(platform="cpu")["device"]


def test_memory_that_another_process_has(here, monkeypatch, tmp_path):
    here(dataclasses.replace(GPU, memory_free=80 * GIB))
    whose = (
        r"60\.0 of 140\.0 GiB of GPU 0 \(NVIDIA H200\) are taken by process 4711 \(/opt/train/python, 61440 MiB\): end"
    )
    with pytest.raises(UserError, match=whose):
        asked()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="a process that nvidia-smi does not name"):
        asked()


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("name a folder for the results: --out=DIR", ()),
        ("--minutes must be positive, not -1", ("--minutes=-1", "--out=OUT")),
        ("--minutes must be positive, not nan", ("--minutes=nan", "--out=OUT")),
        ("there is no folder nowhere", ("--public=nowhere", "--out=OUT")),
        ("did you mean 'attention'", ("--only", "attentive", "--out=OUT")),
    ],
)
def test_flags_that_mean_nothing_start_nothing(words, flags, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(list(flags)) == 1
    assert words in capsys.readouterr().err and not list(tmp_path.iterdir())
