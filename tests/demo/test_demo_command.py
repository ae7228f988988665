"""The command before there is a page: its help, and what it refuses."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scan_jax.commands import demo as demo

ROOT = Path(__file__).parents[2]


def test_help_waits_for_neither_jax_nor_gradio():
    code = (
        "import sys; sys.modules.update(jax=None, gradio=None, cv2=None)\n"
        "from scan_jax.commands.demo import main\nmain(['--help'])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "--max_pixels" in result.stdout


def refusal(capsys, *flags):
    assert demo.main(["--run=nowhere", *flags]) == 1
    return capsys.readouterr().err


def test_limits_come_first_and_without_gradio_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    for flag in ("max_pixels", "queue", "keep_minutes"):
        assert f"--{flag} must be at least 1" in refusal(capsys, f"--{flag}=0")
    assert refusal(capsys) == 'error: the page needs Gradio: pip install "scan_jax[demo]"\n'


@pytest.mark.slow
def test_ports_hosts_and_runs_that_are_no_good(capsys):
    pytest.importorskip("gradio")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = refusal(capsys, f"--port={other.getsockname()[1]}")
    assert said.count("\n") == 1 and "Address already in use; choose another with --port" in said
    assert "--port is from 0 to 65535" in refusal(capsys, "--port=70000")
    assert "is no address of this machine" in refusal(capsys, "--host=no.such.host.invalid")
    assert "error: there is no run folder nowhere" in refusal(capsys, "--port=0")
