"""The wheel: what is in it, and that it works where there is no checkout. And the command `scan-jax`."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image

from scan_jax.commands import cli
from scan_jax.core import config
from scan_jax.core.errors import UserError

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "requirements.txt", "scan_jax", "configs")
TINY = [
    *("--config.data.size=32", "--config.data.count=8", "--config.data.held_out=2"),
    *("--config.method.width=4", "--config.method.critic_width=4", "--config.method.regions=2"),
    *("--config.method.blocks=1", "--config.method.stages=1", "--config.method.attention=()"),
    *("--config.method.prior=none", "--config.training.optimizers.generator.algorithm=adam"),
    *("--config.training.batch_size=2", "--config.training.steps=1", "--config.evaluation.batch_size=2"),
    *("--config.evaluation.edges=(0.1,0.6)", "--config.evaluation.holes_per_bucket=1"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of the sources, so that nothing of it stays in the checkout."""
    if not importlib.util.find_spec("setuptools") or Version(metadata.version("setuptools")) < Version("77"):
        pytest.skip("needs setuptools, to build the wheel offline: pip install -r requirements-slow.txt")
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    pip("wheel", copy, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", out)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs Python in a folder where the wheel is found and the checkout is not."""
    target, elsewhere = tmp_path_factory.mktemp("target"), tmp_path_factory.mktemp("elsewhere")
    pip("install", "--no-deps", "--no-index", "--no-compile", "--target", target, wheel)
    environment = {**os.environ, "PYTHONPATH": str(target), "JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(elsewhere)}
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiling takes longer than running here

    def run(*arguments, code=(0,)):
        return python(*arguments, code=code, cwd=elsewhere, env=environment)

    run.target, run.elsewhere = target, elsewhere
    return run


def pip(command, *arguments):
    python("-m", "pip", command, "--disable-pip-version-check", "--quiet", *arguments, cwd=ROOT.parent)


def python(*arguments, code=(0,), timeout=300, **options):
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)
    assert done.returncode in code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_wheel_has_every_file_and_says_what_it_needs(wheel):
    archive = zipfile.ZipFile(wheel)
    files = {name for name in archive.namelist() if "dist-info" not in name}
    ours = {path for path in (ROOT / "scan_jax").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    wanted = {path.relative_to(ROOT).as_posix() for path in ours}
    wanted |= {f"scan_jax/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "configs").rglob("*.py")}
    assert files == wanted
    said = {name.rpartition("/")[2]: archive.read(name).decode() for name in set(archive.namelist()) - files}
    needs = [Requirement(line) for line in re.findall(r"^Requires-Dist: (.*)$", said["METADATA"], re.MULTILINE)]
    assert {str(need) for need in needs if need.marker is None} == listed("requirements.txt")
    assert "scan-jax = scan_jax.commands.cli:main" in said["entry_points.txt"]


def listed(*names):
    lines = [line.partition("#")[0].strip() for name in names for line in (ROOT / name).read_text().splitlines()]
    return {str(Requirement(line)) for line in lines if line}


def test_the_extras_have_the_bounds_of_the_requirements():
    extras = PROJECT["optional-dependencies"]
    assert {"demo", "tpu", "cuda", "dev", "tensorboard", "torch", "gcs"} <= extras.keys()
    tests = listed("requirements-test.txt", "requirements-slow.txt")
    assert {str(Requirement(line)) for line in extras["dev"]} == tests, "the extra dev and the files differ"
    (jax,) = (need for need in map(Requirement, listed("requirements.txt")) if need.name == "jax")
    assert all(Requirement(extras[extra][0]).specifier == jax.specifier for extra in ("tpu", "cuda"))


@pytest.mark.slow
def test_it_trains_fills_and_looks_from_another_folder(installed):
    """In one process a command each, as a person has it."""
    elsewhere = installed.elsewhere
    log = installed("-m", "scan_jax.commands.cli", "train", "--config=demo", *TINY)
    assert "train on 8 photo" in log and (elsewhere / "runs" / "demo" / "checkpoints" / "1").is_dir()
    photograph = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    hole = np.zeros((40, 50), np.uint8)
    hole[10:30, 10:30] = 255
    Image.fromarray(photograph).save(elsewhere / "photo.png")
    Image.fromarray(hole).save(elsewhere / "hole.png")
    for by in (["--run=runs/demo"], []):  # the second is the network that comes with the package
        installed("-m", "scan_jax", "inpaint", *by, "photo.png", "hole.png", "--out=filled.png")
        filled = np.asarray(Image.open(elsewhere / "filled.png"))
        np.testing.assert_array_equal(filled[hole == 0], photograph[hole == 0])
        assert np.any(filled[hole > 0] != photograph[hole > 0])


@pytest.mark.slow
def test_it_knows_its_requirements_its_name_and_its_configs(installed):
    """From what was installed: there are no requirements.txt and no configs/ beside it."""
    doctor = installed("-m", "scan_jax", "doctor", "--json", code=(0, 1))
    found = json.loads(doctor.partition("\nerror: ")[0])
    bounds = {package["name"]: package["wanted"] for package in found["packages"]}
    assert bounds["jax"] == ">=0.10.2,<0.13" and "flax" in bounds
    version = installed(installed.target / "bin" / "scan-jax", "--version")
    assert version.startswith(f"scan_jax {PROJECT['version']} (jax ")
    script = (
        "import scan_jax; from scan_jax.core import config as c\n"
        "print(scan_jax.__file__, sorted(c.shipped()), c.load('portraits64:attention=masked').method['attention'])\n"
        "c.load('configs/demo.py')"
    )
    text = installed("-c", script, code=(1,))
    assert text.startswith(f"{installed.target}/scan_jax/") and f"{sorted(config.shipped())} masked" in text
    assert "no config file 'configs/demo.py'; the one that comes with scan_jax is --config=demo" in text


HEAVY = {"jax", "flax", "orbax", "grain", "clu", "torch", "tensorflow", "tensorflow_datasets", "matplotlib", "h5py"}
BUILDERS = (
    "celeba_hq celebamask_hq irregular_masks labelled_folder open_photographs paris_street_view photo_folder "
    "synthetic_portraits"
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--help", " ".join(cli.COMMANDS)),
        ("weights --help", "import"),
        ("inpaint --help", "--hole_color"),
        ("evaluate --help", "--protocol"),
        ("replay --help", "--incident"),
        ("show-batch --help", "--rows"),
        ("prepare --help", f"{BUILDERS} verify holes inspect"),
        ("prepare celebamask_hq --help", "--allow_missing (256)"),
    ],
)
def test_help_is_quick_and_loads_nothing_heavy(line, words):
    heavy = HEAVY if line.startswith("prepare") else HEAVY | {"numpy", "cv2", "PIL", "safetensors"}
    script = f"""
import sys
from scan_jax.commands.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
assert not {heavy} & set(sys.modules)
"""
    text = python("-c", script, *line.split(), cwd=ROOT, timeout=10)  # a third of a second on an idle machine
    assert all(word in text for word in words.split())
    for name, module in cli.COMMANDS.items() if line == "--help" else ():
        (row,) = (row for row in text.splitlines() if row.startswith(f"  {name} "))
        assert row.endswith(cli.summary(module)) and len(cli.summary(module)) > 20


@pytest.mark.parametrize("name", [*cli.COMMANDS, "show_batch"])  # an underscore will do
def test_every_command_is_a_module_with_a_main(name, capsys):
    if name == "demo" and not importlib.util.find_spec("gradio"):
        pytest.skip("needs gradio: pip install -r requirements-slow.txt")
    with pytest.raises(SystemExit) as end:
        cli.main([name, "--help"])
    assert end.value.code == 0
    assert "usage: " in capsys.readouterr().out


def test_every_module_that_is_a_command_has_a_name():
    paths = (ROOT / "scan_jax" / "commands").glob("*.py")
    commands = {f"scan_jax.commands.{path.stem}" for path in paths if "\ndef main(" in path.read_text()}
    assert commands - {"scan_jax.commands.cli"} == set(cli.COMMANDS.values())


def test_exit_codes_and_errors_pass_through(capsys, tmp_path):
    assert cli.main(["export", f"--run={tmp_path / 'none'}", f"--out={tmp_path / 'out'}"]) == 1
    assert "there is no run folder" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "--no_such_flag"])
    assert end.value.code == 2
    assert cli.main([]) == 2 and "usage: scan-jax" in capsys.readouterr().out
    assert cli.main(["trian"]) == 2
    assert "no command 'trian', did you mean 'train'?" in capsys.readouterr().err
    assert cli.main(["prepair"]) == 2
    assert re.fullmatch(r"error: .*did you mean 'prepare'\?.*\n", capsys.readouterr().err)


def test_configs_by_name():
    assert config.load("celeba") == config.load("configs/celeba.py")
    assert config.load("celebamask:attention=self").method["attention"] == "self"
    assert config.run_name("celebamask:attention=self") == "celebamask,attention=self"
    files = (path.relative_to(ROOT / "configs") for path in (ROOT / "configs").rglob("*.py"))
    assert config.shipped().keys() == {file.with_suffix("").as_posix() for file in files}
    assert config.is_config("demo:a=b") and config.is_config("x.py") and not config.is_config("x")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("celebaa", "no config is called 'celebaa', did you mean 'celeba'"),
        ("nothing like it", r"no config is called 'nothing like it' \(there are camvid64, celeba, .*ends in \.py"),
        ("../configs/demo", r"no config is called '\.\./configs/demo'"),
        ("configs/dem.py", r"no config file 'configs/dem\.py', did you mean 'configs/demo\.py'"),
        ("demo.py", r"no config file 'demo\.py'; the one that comes with scan_jax is --config=demo"),
    ],
)
def test_the_nearest_config_is_named(name, message, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match=message):
        config.load(name)


@pytest.mark.parametrize("name", ["demo", "faces64"])  # which builds on another
def test_a_config_of_ones_own_lies_beside(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "configs" / f"{name}.py", "mine.py")
    assert config.load("mine.py") == config.load(name)
    with pytest.raises(UserError, match=r"no config is called 'mine', did you mean 'mine\.py'"):
        config.load("mine")
