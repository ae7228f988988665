"""A bundle of a run fills holes as the run does, bit for bit; and which of a run's checkpoints is meant by --run."""

import hashlib
import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from tiny_demo import error_of, said, write_run

from scan_jax.commands import export, inpaint
from scan_jax.commands.evaluate import main as evaluate
from scan_jax.core.errors import UserError
from scan_jax.inference import trained as run_folder
from scan_jax.inference.bundles import exporting, program
from scan_jax.inference.trained import Trained
from scan_jax.weights import safetensors_tree


@pytest.fixture(scope="module")
def run(one_cache, tmp_path_factory):
    """A run folder with three checkpoints, of which the second is the best; their generators differ."""
    return write_run(tmp_path_factory.mktemp("runs") / "tiny", {2: 21.0, 4: 23.0, 6: 22.0})


def exported(run, out, *flags):
    return said(export.main, f"--run={run}", f"--out={out}", *flags)


def refused(run, out, *flags):
    return error_of(export.main, f"--run={run}", f"--out={out}", *flags)


def test_the_newest_the_best_or_one_by_its_number_but_a_folder_with_an_at_in_its_name_is_itself_meant(run, monkeypatch):
    names = {"tiny": 6, "tiny@newest": 6, "tiny@best": 4, "tiny@2": 2}
    assert {name: Trained.load(run.with_name(name)).step for name in names} == names
    newest, best = Trained.load(run), Trained.load(run.with_name("tiny@best"))
    assert newest.folder == best.folder == run and newest.identity != best.identity
    monkeypatch.chdir(run.parent)
    assert Trained.load(Path("tiny@best")).step == 4
    odd = run.with_name("odd@best")
    odd.mkdir()
    (odd / "config.json").write_text("{}")
    assert run_folder.split(odd) == (odd, "newest")
    assert run_folder.split(run.with_name("tiny@best")) == (run, "best")


def test_half_halves_the_file_and_rounds_the_network(run, tmp_path):
    for name, flags in (("whole", []), ("half", ["--half"])):
        exported(run, tmp_path / name, "--no_stablehlo", *flags)
    whole, half = (Trained.load(tmp_path / name) for name in ("whole", "half"))
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert 0.45 < sizes[1] / sizes[0] < 0.65
    for a, b in zip(jax.tree.leaves(whole.variables.params), jax.tree.leaves(half.variables.params), strict=True):
        assert b.dtype == np.float32
        np.testing.assert_array_equal(b, a.astype(np.float16).astype(np.float32))
    assert half.identity == run_folder.parameter_hash(half.variables.params["generator"]) != whole.identity
    exported(tmp_path / "half", tmp_path / "again", "--no_stablehlo")
    assert Trained.load(tmp_path / "again").identity == half.identity
    assert (tmp_path / "again" / "model.safetensors").stat().st_size < 1.05 * sizes[1]
    trained = Trained.load(run)
    trained.variables.params["generator"]["dec"]["rgb"]["bias"] = np.full(3, 1e6, np.float32)
    with pytest.raises(UserError, match="beyond 65,504, the largest of 16 bits; leave out --half"):
        exporting.export(trained, tmp_path / "large", platforms=(), half=True)
    assert not (tmp_path / "large").exists()


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("tiny@5", [], "tiny has no checkpoint 5; there are: 2, 4, 6, of which 4 is the best$"),
        ("tiny@last", [], "after the @ stands best, newest or a step such as 4000, not 'last'"),
        ("other@best", [], "there is no run folder .*other@best"),
        ("bundle@best", [], "is a bundle, which holds one network; leave out @best"),
        ("missing", ["--platforms=cpu,gpu"], "not 'gpu'; for NVIDIA's GPUs it is cuda"),  # before the run is read
    ],
)
def test_what_is_not_there_is_named(run, bundle, tmp_path, name, flags, message):
    assert re.search(message, refused(run.with_name(name), tmp_path / "out", *flags))
    assert not (tmp_path / "out").exists()


def test_without_a_measurement_none_is_the_best(run, tmp_path):
    (tmp_path / "checkpoints" / "7").mkdir(parents=True)
    (tmp_path / "checkpoints" / "7" / "commit_success.txt").touch()
    with pytest.raises(UserError, match=r"no checkpoint of .* was measured while it trained.*; there are: 7$"):
        run_folder.restore(tmp_path, "best")
    with pytest.raises(UserError, match=r"checkpoint 7 of .* cannot be read; there are: 7$"):
        run_folder.restore(tmp_path, "7")


@pytest.fixture(scope="module")
def bundle(run):
    exported(f"{run}@best", run.with_name("bundle"), "--no_stablehlo")
    return run.with_name("bundle")


def test_a_bundle_holds_the_generator_alone_and_says_whence(run, bundle):
    assert {path.name for path in bundle.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    best, ours = Trained.load(run.with_name("tiny@best")), Trained.load(bundle)
    assert ours.step == 4 and ours.identity == best.identity and ours.folder == bundle
    assert set(ours.variables.params) == {"generator"}
    jax.tree.map(np.testing.assert_array_equal, ours.variables.params["generator"], best.variables.params["generator"])
    config = json.loads((bundle / "config.json").read_text())
    assert config["exported"] == {"run": "tiny", "step": 4, "generator": best.identity}
    assert config["method"] == best.config["method"]
    _, metadata = safetensors_tree.load(bundle / "model.safetensors")
    assert metadata["generator"] == best.identity and metadata["step"] == "4"


def test_a_bundle_fills_a_hole_as_the_run_does(run, bundle, tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (45, 61, 3), np.uint8)).save(tmp_path / "photo.png")
    hole = np.zeros((45, 61), np.uint8)
    hole[10:30, 20:50] = 255
    Image.fromarray(hole).save(tmp_path / "hole.png")
    pictures = (tmp_path / "photo.png", tmp_path / "hole.png")
    for name, source in {"run": f"{run}@best", "bundle": bundle}.items():
        said(inpaint.main, f"--run={source}", *pictures, f"--out={tmp_path / name}.png")
    assert (tmp_path / "run.png").read_bytes() == (tmp_path / "bundle.png").read_bytes()
    filled, given = np.asarray(Image.open(tmp_path / "run.png")), np.asarray(Image.open(tmp_path / "photo.png"))
    assert not np.array_equal(filled[hole > 0], given[hole > 0])
    np.testing.assert_array_equal(filled[hole == 0], given[hole == 0])


def test_an_evaluation_of_both_is_the_same(run, bundle, tmp_path):
    found = {}
    for name, source in {"run": f"{run}@best", "bundle": bundle}.items():
        said(evaluate, f"--run={source}", "--baselines", "--metrics", "standard/psnr", f"--out={tmp_path / name}")
        (entry,) = json.loads((tmp_path / name / "results.json").read_text())["entries"]
        found[name] = (entry["completion"], entry["prediction"], entry["details"]["step"])
    assert found["run"] == found["bundle"]


def test_an_older_export_is_replaced_and_its_evaluation_stays(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    exported(f"{run}@2", out, "--platforms=tpu")
    assert (out / "fill.stablehlo").is_file()
    (out / "evaluation").mkdir()
    exported(f"{run}@4", out, "--no_stablehlo")
    assert not (out / "fill.stablehlo").exists(), "it would be another network's"
    assert Trained.load(out).step == 4 and (out / "evaluation").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing is left beside it"
    (out / "README.md").unlink()
    (out / "README.md").mkdir()  # so that it cannot be replaced
    assert "cannot write" in refused(f"{run}@6", out, "--no_stablehlo")
    assert not (out / "config.json").exists(), "of two networks it is no export"


def test_what_is_not_an_export_is_never_overwritten(run, tmp_path):
    assert "holds something else" in refused(run, run)
    (tmp_path / "notes.txt").write_text("mine")
    assert "holds something else (notes.txt)" in refused(run, tmp_path)
    assert "is a file" in refused(run, tmp_path / "notes.txt")
    other = tmp_path / "imported"
    other.mkdir()
    for name in ("config.json", "model.safetensors"):
        (other / name).write_text("{}")
    assert "holds something else" in refused(run, other)
    assert (other / "model.safetensors").read_text() == "{}"


def test_a_program_for_any_size_is_checked_and_its_hash_noted(run, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "CHECKED", ((1, 3, 3),))
    out = tmp_path / "out"
    log = exported(f"{run}@best", out, "--licence=CC BY 4.0", "--platforms=cpu,cuda")
    assert "tracing fill.stablehlo for any batch, height and width on cpu, cuda" in log
    (difference,) = re.findall(r"checked .* at 24x24: largest difference (\S+)", log)
    assert float(difference) < 1e-5
    section = json.loads((out / "config.json").read_text())["bundle"]
    assert section["platforms"] == ["cpu", "cuda"]
    for name, expected in section["sha256"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == expected
    assert set(section["sha256"]) == {"fill.stablehlo", "model.safetensors"}
    card = (out / "README.md").read_text()
    assert "| Licence of the weights | CC BY 4.0 |" in card and "| Steps of training | 4 |" in card


def test_an_export_of_an_export_is_the_same_network_under_the_same_licence(run, tmp_path):
    log = exported(run, tmp_path / "a", "--no_stablehlo", "--licence=CC0")
    identity = Trained.load(run).identity
    assert re.findall(r"wrote .*a: [\d.]+ M parameters at step 6, sha256 ([0-9a-f]{64})$", log, re.M) == [identity]
    exported(tmp_path / "a", tmp_path / "b", "--no_stablehlo")
    assert Trained.load(tmp_path / "b").identity == identity
    assert "| Licence of the weights | CC0 |" in (tmp_path / "b" / "README.md").read_text()
