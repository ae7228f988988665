"""A bundle of a run fills holes as the run does, bit for bit; and which of a run's checkpoints is meant by --run."""

import contextlib
import hashlib
import json
import logging
import re

import jax
import numpy as np
import pytest
from PIL import Image

from scan_jax import configuration, export, inpaint
from scan_jax.errors import UserError
from scan_jax.evaluate.__main__ import main as evaluate
from scan_jax.inference import run_folder
from scan_jax.inference.bundles import program_check
from scan_jax.inference.trained import Trained
from scan_jax.methods.api import build_method
from scan_jax.settings import bind
from scan_jax.training.checkpoints import Checkpoints
from scan_jax.training.keeping import Keep
from scan_jax.training.settings import TrainingSettings
from scan_jax.training.setup import make_trainer
from scan_jax.weights import safetensors_tree

TINY = [
    *("--config.data.size=32", "--config.data.count=8", "--config.data.held_out=3", "--config.method.width=4"),
    *("--config.method.critic_width=4", "--config.method.regions=2", "--config.method.blocks=1"),
    *("--config.method.stages=1", "--config.method.attention=()"),
    *(
        "--config.training.batch_size=8",
        "--config.evaluation.edges=(0.1,0.6)",
        "--config.evaluation.holes_per_bucket=2",
    ),
]
PSNR = {2: 21.0, 4: 23.0, 6: 22.0}


def drawn(shapes, seed):
    """A state of random arrays."""
    rng = np.random.default_rng(seed)
    arrays = jax.tree.map(lambda leaf: (0.1 * rng.normal(size=leaf.shape)).astype(leaf.dtype), shapes)
    return jax.device_put(arrays)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with three checkpoints, of which the second is the best; their generators differ."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    config = configuration.load("configs/demo.py", TINY)
    method = build_method(config["method"])
    trainer = make_trainer(method, bind(config["training"], TrainingSettings, "config.training"), 32, 0)
    with contextlib.closing(Checkpoints(folder / "checkpoints", Keep(latest=9))) as checkpoints:
        for step, psnr in PSNR.items():
            with checkpoints.finished():
                checkpoints.save(step, drawn(trainer.shapes, step))
            checkpoints.score(step, psnr)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Commands in this process leave its logging and its compilation cache as they are."""
    monkeypatch.setattr("scan_jax.command_line.logging.basicConfig", lambda **_: None)
    for room in ("inpaint", "export", "evaluate.examination"):
        monkeypatch.setattr(f"scan_jax.{room}.keep_compilations", lambda: None)


def command(main, *arguments):
    assert main([str(argument) for argument in arguments]) == 0


def refused(capsys, *arguments):
    assert export.main([str(argument) for argument in arguments]) == 1
    message = capsys.readouterr().err.strip()
    assert message.startswith("error: ") and "\n" not in message
    return message


def test_the_newest_the_best_or_one_by_its_number(run):
    assert [Trained.load(run.with_name(name)).step for name in ("tiny", "tiny@newest", "tiny@best", "tiny@2")] == [
        6,
        6,
        4,
        2,
    ]
    newest, best = Trained.load(run), Trained.load(run.with_name("tiny@best"))
    assert newest.folder == best.folder == run and newest.identity != best.identity


def test_relative_names_work(run, monkeypatch):
    monkeypatch.chdir(run.parent)
    assert Trained.load(type(run)("tiny@best")).step == 4


def test_a_step_that_is_not_there_lists_those_that_are(run, tmp_path, capsys):
    message = refused(capsys, f"--run={run}@5", f"--out={tmp_path / 'out'}")
    assert message.endswith("tiny has no checkpoint 5; there are: 2, 4, 6, of which 4 is the best")
    message = refused(capsys, f"--run={run}@last", f"--out={tmp_path / 'out'}")
    assert "after the @ stands best, newest or a step such as 4000, not 'last'" in message
    message = refused(capsys, f"--run={run.parent}/other@best", f"--out={tmp_path / 'out'}")
    assert "there is no run folder" in message and "other@best" in message
    assert not (tmp_path / "out").exists()


def test_without_a_measurement_none_is_the_best(run, tmp_path):
    (tmp_path / "checkpoints" / "7").mkdir(parents=True)
    (tmp_path / "checkpoints" / "7" / "commit_success.txt").touch()
    with pytest.raises(UserError, match=r"no checkpoint of .* was measured while it trained.*; there are: 7$"):
        run_folder.restore(tmp_path, "best")
    with pytest.raises(UserError, match=r"checkpoint 7 of .* cannot be read; there are: 7$"):
        run_folder.restore(tmp_path, "7")


def test_a_folder_with_an_at_in_its_name_is_itself_meant(run):
    odd = run.with_name("odd@best")
    odd.mkdir()
    (odd / "config.json").write_text("{}")
    assert run_folder.split(odd) == (odd, "newest")
    assert run_folder.split(run.with_name("tiny@best")) == (run, "best")


@pytest.fixture(scope="module")
def bundle(run):
    out = run.with_name("bundle")
    command(export.main, f"--run={run}@best", f"--out={out}", "--no_stablehlo")
    return out


def test_a_bundle_holds_the_generator_alone_and_says_whence(run, bundle):
    assert {path.name for path in bundle.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    best, exported = Trained.load(run.with_name("tiny@best")), Trained.load(bundle)
    assert exported.step == 4 and exported.identity == best.identity and exported.folder == bundle
    assert set(exported.variables.params) == {"generator"}
    jax.tree.map(
        np.testing.assert_array_equal, exported.variables.params["generator"], best.variables.params["generator"]
    )
    config = json.loads((bundle / "config.json").read_text())
    assert config["exported"] == {"run": "tiny", "step": 4, "generator": best.identity}
    assert config["method"] == best.config["method"]
    _, metadata = safetensors_tree.load(bundle / "model.safetensors")
    assert metadata["generator"] == best.identity and metadata["step"] == "4"


def test_the_hash_is_printed(run, tmp_path, caplog):
    caplog.set_level(logging.INFO, "scan_jax")
    command(export.main, f"--run={run}", f"--out={tmp_path / 'out'}", "--no_stablehlo")
    (told,) = re.findall(
        r"wrote .*out: [\d.]+ M parameters at step 6, sha256 ([0-9a-f]{64})$", caplog.text, re.MULTILINE
    )
    assert told == Trained.load(run).identity


def test_a_bundle_fills_a_hole_as_the_run_does(run, bundle, tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (45, 61, 3), np.uint8)).save(tmp_path / "photo.png")
    hole = np.zeros((45, 61), np.uint8)
    hole[10:30, 20:50] = 255
    Image.fromarray(hole).save(tmp_path / "hole.png")
    for name, source in {"run": f"{run}@best", "bundle": bundle}.items():
        pictures = (tmp_path / "photo.png", tmp_path / "hole.png")
        command(inpaint.main, f"--run={source}", *pictures, f"--out={tmp_path / name}.png")
    assert (tmp_path / "run.png").read_bytes() == (tmp_path / "bundle.png").read_bytes()
    filled, given = np.asarray(Image.open(tmp_path / "run.png")), np.asarray(Image.open(tmp_path / "photo.png"))
    assert not np.array_equal(filled[hole > 0], given[hole > 0])


def test_an_evaluation_of_both_is_the_same(run, bundle, tmp_path):
    found = {}
    for name, source in {"run": f"{run}@best", "bundle": bundle}.items():
        flags = ("--baselines", "--metrics", "standard/psnr", f"--out={tmp_path / name}")
        command(evaluate, f"--run={source}", *flags)
        (entry,) = json.loads((tmp_path / name / "results.json").read_text())["entries"]
        found[name] = (entry["completion"], entry["prediction"], entry["details"]["step"])
    assert found["run"] == found["bundle"]


def test_an_older_export_is_replaced_and_its_evaluation_stays(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    command(export.main, f"--run={run}@2", f"--out={out}", "--platforms=tpu")
    assert (out / "fill.stablehlo").is_file()
    (out / "evaluation").mkdir()
    command(export.main, f"--run={run}@4", f"--out={out}", "--no_stablehlo")
    assert not (out / "fill.stablehlo").exists(), "it would be another network's"
    assert Trained.load(out).step == 4 and (out / "evaluation").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing is left beside it"


def test_what_is_not_an_export_is_never_overwritten(run, tmp_path, capsys):
    assert "holds something else" in refused(capsys, f"--run={run}", f"--out={run}")
    (tmp_path / "notes.txt").write_text("mine")
    assert "holds something else (notes.txt)" in refused(capsys, f"--run={run}", f"--out={tmp_path}")
    assert "is a file" in refused(capsys, f"--run={run}", f"--out={tmp_path / 'notes.txt'}")
    other = tmp_path / "imported"
    other.mkdir()
    for name in ("config.json", "model.safetensors"):
        (other / name).write_text("{}")
    assert "holds something else" in refused(capsys, f"--run={run}", f"--out={other}")
    assert (other / "model.safetensors").read_text() == "{}"


def test_a_bundle_has_no_steps(bundle, tmp_path, capsys):
    message = refused(capsys, f"--run={bundle}@best", f"--out={tmp_path / 'out'}")
    assert "is a bundle, which holds one network; leave out @best" in message


def test_a_program_for_any_size_is_checked_and_its_hash_noted(run, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(program_check, "CHECKED", ((1, 3, 3),))
    caplog.set_level(logging.INFO, "scan_jax")
    out = tmp_path / "out"
    command(export.main, f"--run={run}@best", f"--out={out}", "--licence=CC BY 4.0", "--platforms=cpu,cuda")
    assert "tracing fill.stablehlo for any height and width on cpu, cuda" in caplog.text
    (difference,) = re.findall(r"checked .* at 24x24: largest difference (\S+)", caplog.text)
    assert float(difference) < 1e-5
    section = json.loads((out / "config.json").read_text())["bundle"]
    assert section["platforms"] == ["cpu", "cuda"]
    for name, expected in section["sha256"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == expected
    assert set(section["sha256"]) == {"fill.stablehlo", "model.safetensors"}
    card = (out / "README.md").read_text()
    assert "| Licence of the weights | CC BY 4.0 |" in card and "| Steps of training | 4 |" in card


def test_an_export_of_an_export_is_the_same_network_under_the_same_licence(run, tmp_path):
    command(export.main, f"--run={run}", f"--out={tmp_path / 'a'}", "--no_stablehlo", "--licence=CC0")
    command(export.main, f"--run={tmp_path / 'a'}", f"--out={tmp_path / 'b'}", "--no_stablehlo")
    assert Trained.load(tmp_path / "b").identity == Trained.load(run).identity
    assert "| Licence of the weights | CC0 |" in (tmp_path / "b" / "README.md").read_text()


def test_a_platform_that_does_not_exist_is_refused_before_the_run_is_read(tmp_path, capsys):
    message = refused(capsys, f"--run={tmp_path}", f"--out={tmp_path / 'out'}", "--platforms=cpu,gpu")
    assert "not 'gpu'; for NVIDIA's GPUs it is cuda" in message
