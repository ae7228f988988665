"""What the parts measure: that they see what is wrong; and the whole check, tiny, on this CPU."""

import re
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scan_jax.core.config import load, shipped
from scan_jax.core.errors import UserError
from scan_jax.device_check import drawn, pack, public, right
from scan_jax.device_check.plan import PARTS, RIGHT, WRONG, LeftOut, Setting
from scan_jax.device_check.unequal import first_unequal
from scan_jax.methods.api import METHODS, build_method
from scan_jax.ops import conv_transpose

ROOT = Path(__file__).parents[2]


def test_every_operation_that_is_chosen_by_device_is_compared():
    forms = {path.stem for path in (ROOT / "scan_jax/ops").glob("*.py") if "lax.platform_dependent" in path.read_text()}
    compared = [operation for cases in right.SHAPES.values() for operation, *_ in cases] + [*right.EQUATIONS.values()]
    assert {getattr(each, "func", each).__module__.rpartition(".")[2] for each in compared} == forms
    assert "conv_transpose" in forms


def test_a_wrong_form_is_seen(monkeypatch):
    """The forms of accelerators are what a CPU's are compared with, and one that is off by a pixel is wrong."""
    case = right.SHAPES["conv_transpose3"][0]
    assert right._operation(*case, drawn.HIGHEST).verdict == RIGHT
    right_form = conv_transpose.transpose_by_xla
    monkeypatch.setattr(conv_transpose, "transpose_by_xla", lambda x, kernel: jnp.roll(right_form(x, kernel), 1, 1))
    found = right._operation(*case, drawn.HIGHEST)
    assert found.verdict == WRONG and found.numbers["result"] > 0.1 and found.limit.startswith("1e-04")


def test_what_is_no_number_is_wrong():
    assert right._judged({"largest": float("nan")}, [1.0]).verdict == WRONG
    assert right._judged({"largest": 1.0, "median": 0.5}, [1.0, 0.4]).verdict == WRONG
    assert right._error([np.ones(4), np.zeros(2)], [np.full(4, 2.0), np.full(2, 1e-9)]) == pytest.approx(0.5)


def test_the_first_operation_that_is_not_repeatable_is_named():
    draw = np.random.default_rng(0)

    @jax.jit
    def step(x):
        noise = jax.pure_callback(lambda x: draw.random(x.shape).astype(np.float32), x, 2 * x)
        return jnp.sin(noise) + jax.nn.relu(x)

    x = jnp.ones(3)
    assert first_unequal(jax.make_jaxpr(step)(x), x).startswith("pure_callback (float32[3])")
    assert first_unequal(jax.make_jaxpr(lambda x: jax.grad(lambda x: jnp.sum(jax.nn.relu(x) ** 2))(x))(x), x) == ""
    key = jax.random.key(0)
    assert first_unequal(jax.make_jaxpr(lambda key: jax.random.normal(jax.random.fold_in(key, 1)))(key), key) == ""


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_is_drawn_small_in_the_precisions_that_it_has(name):
    for precision in drawn.PRECISIONS:
        if precision in drawn.precisions(name):
            assert build_method(drawn.small(name, 4, precision)).frozen_shapes() == {}
        else:
            with pytest.raises(UserError, match="compute_dtype"):
                build_method({**drawn.small(name, 4), "compute_dtype": "bfloat16"})


def test_every_config_of_256_pixels_is_timed():
    from scan_jax.device_check import fast

    rows = {what.split(",")[0] for part in ("celeba", "others") for what, _ in getattr(fast, part)(Setting(ROOT))}
    assert rows == {name for name in shipped() if load(name).size == 256}


def test_the_public_code_is_left_out_where_it_is_not(tmp_path):
    with pytest.raises(LeftOut, match="--public=CLONES"):
        next(public.rows(Setting(tmp_path)))
    pytest.importorskip("torch")
    with pytest.raises(LeftOut, match="no CUDA device"):
        next(public.rows(Setting(tmp_path, public=tmp_path)))


def test_what_travels(tmp_path, monkeypatch, caplog):
    """The wheels of what is required and not in an image; nothing is left where it would be too much."""
    asked, run = [], tmp_path / "runs" / "demo"
    (run / "checkpoints" / "5").mkdir(parents=True)

    def pip(command, **_):
        folder, pin = next(word for word in command if word.startswith("--dest=")).partition("=")[2], command[-1]
        asked.append(pin.partition("==")[0])
        (Path(folder) / f"{pin}.whl").write_bytes(bytes(1000))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    pack.pack(tmp_path / "packed", [run], "3.12")
    assert {"grain", "tensorflow-datasets", "array-record", "ml-collections", "clu", "promise"} <= set(asked)
    assert not {"jax", "numpy", "flax", "orbax-checkpoint"} & set(asked)
    assert len(list((tmp_path / "packed" / pack.WHEELS).iterdir())) == len(asked)
    assert (tmp_path / "packed" / "carried" / "demo" / "checkpoints" / "5").is_dir()
    assert "carried/" in (tmp_path / "packed" / "README.md").read_text()
    with pytest.raises(UserError, match="is not empty"):
        pack.pack(tmp_path / "packed", [], "")
    with pytest.raises(UserError, match=r"there is no .*none to carry"):
        pack.pack(tmp_path / "other", [tmp_path / "none"], "")
    (run / "large").write_bytes(bytes(pack.MOST))
    with pytest.raises(
        UserError, match=r"would be 60 MB, and at most 60 travel; the largest: carried/demo/large 60\.0 MB"
    ):
        pack.pack(tmp_path / "other", [run], "")
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_tiny_runs_every_part_in_three_minutes(tmp_path):
    """On two cores that do nothing else; a busy machine is given more."""
    command = [sys.executable, "-m", "scan_jax.device_check", "--tiny", "--minutes=20", f"--out={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    ends = dict(re.findall(r"^## (\w+): .*\n\n(.*), \d+ s$", table, re.MULTILINE))
    assert ends.keys() == {part.name for part in PARTS}
    assert {name for name, how in ends.items() if how != "done"} == {"public"}
    assert WRONG not in table and table.count("| estimate |") == 3
    begun = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    assert time.monotonic() - begun < 60, "what was done is taken again"
