"""The command before there is a page: its help, and what it refuses."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scan_jax.demo import __main__ as demo

ROOT = Path(__file__).parents[2]


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_waits_for_neither_jax_nor_gradio():
    result = python(
        "import sys; sys.modules.update(jax=None, gradio=None, cv2=None)\n"
        "from scan_jax.demo.__main__ import main\nmain(['--help'])"
    )
    assert result.returncode == 0, result.stderr
    assert "--max_pixels" in result.stdout


def test_without_gradio_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    assert demo.main([f"--run={tmp_path}"]) == 1
    assert capsys.readouterr().err == 'error: the page needs Gradio: pip install "scan_jax[demo]"\n'


def refusal(capsys, *flags):
    pytest.importorskip("gradio", reason="the page needs Gradio")
    assert demo.main(["--run=nowhere", *flags]) == 1
    return capsys.readouterr().err


def test_a_port_that_is_taken(capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = refusal(capsys, f"--port={other.getsockname()[1]}")
    assert said.count("\n") == 1
    assert "Address already in use; choose another with --port" in said


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--port=70000", "--port is from 0 to 65535"),
        ("--host=no.such.host.invalid", "is no address of this machine"),
        ("--max_pixels=0", "--max_pixels must be at least 1"),
        ("--queue=0", "--queue must be at least 1"),
        ("--keep_minutes=0", "--keep_minutes must be at least 1"),
    ],
)
def test_flags_that_make_no_sense(capsys, flag, message):
    assert message in refusal(capsys, flag)


def test_a_run_that_is_not_there(capsys):
    assert "error: there is no run folder nowhere" in refusal(capsys, "--port=0")
