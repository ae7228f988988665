"""What every command's flags have in common: --device, --verbose, and a --help that says each default."""

import logging
import os
import re
import subprocess
import sys

import pytest

from scan_jax.commands import cli

PARTS = {"prepare": ("holes", "inspect", "verify", "photo_folder"), "weights": ("import", "list")}
HELPS = [[word, *part] for word in cli.COMMANDS for part in [[], *([one] for one in PARTS.get(word, ()))]]
HEAR = "import sys; from scan_jax.commands.cli import main; sys.exit(main())"


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
def test_help_has_the_flags_of_all_and_each_default_once(words, capsys):
    with pytest.raises(SystemExit):
        cli.main([*words, "--help"])
    said = capsys.readouterr().out
    assert "--device {cpu,gpu,tpu}" in said and "--verbose" in said
    assert not re.search(r"\((\S+)\)\s+\(\1\)|\(None\)|==SUPPRESS==|\(\)", said)


def test_defaults_of_prepare_are_those_that_count(capsys):
    for words, shown in ((["holes"], ("pixels (256)", "(0.1 0.2 0.3 0.4 0.5 0.6)")), (["inspect"], ("hole (white)",))):
        with pytest.raises(SystemExit):
            cli.main(["prepare", *words, "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert all(one in said for one in shown), said


def run(*words, **environ):
    command = [sys.executable, "-c", HEAR, *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environ}, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--config=demo"),
        ("evaluate", "--protocol=configs/demo.py", "--write_test=x"),
        ("inpaint", "docs/photo.jpg", "docs/hole.png", "--out=filled.png"),
        ("export", "--run=scan_jax/weights/open", "--out=x"),
        ("show-batch", "--config=demo", "--out=x.png"),
    ],
    ids=lambda words: words[0],
)
def test_a_platform_that_is_not_there_is_one_line_before_anything_is_done(words):
    done = run(*words, "--device=gpu", CUDA_VISIBLE_DEVICES="-1")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert last.startswith("error: --device=gpu: JAX has no gpu here, only cpu; "), done.stderr


def test_an_address_is_no_run_folder(capsys):
    assert cli.main(["train", "--config=demo", "--workdir=gs://bucket/run"]) == 1
    assert "is no folder; mount the bucket" in capsys.readouterr().err


def test_a_device_goes_before_the_environment():
    show = "from scan_jax.commands import cli; cli.parser('x', '').parse_args(); import jax; print(jax.devices())"
    done = subprocess.run(
        [sys.executable, "-c", show, "--device=cpu"],
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "none"},
        check=True,
    )
    assert "CpuDevice" in done.stdout


@pytest.mark.parametrize(("flags", "level"), [(["list"], logging.INFO), (["list", "--verbose"], logging.DEBUG)])
def test_verbose_says_all_and_only_where_it_is_given(flags, level, capsys):
    assert cli.main(["weights", *flags]) == 0
    assert logging.getLogger("scan_jax").level == level
    assert "vgg19" in capsys.readouterr().out
