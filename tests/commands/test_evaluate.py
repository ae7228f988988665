"""The evaluation as a user runs it: a run, other programs' results and baselines by the same rules, and bad input."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import jax
import miniatures
import numpy as np
import pytest
from process_groups import environment, finish, free_address, start
from tiny_demo import BUCKETS, DATA, error_of, overrides, write_run

from scan_jax.commands.evaluate import evaluate, main, parse
from scan_jax.core.errors import UserError
from scan_jax.data.builders.celeba_hq import CelebaMaskHq
from scan_jax.evaluation.benchmark import open_benchmark
from scan_jax.evaluation.entries import from_run, local_devices
from scan_jax.evaluation.protocols import find_protocol
from scan_jax.inference.trained import Trained
from scan_jax.methods.api import Variables

FEW = ["--metrics", "standard", "checks"]
BOTH = [*FEW, "--baselines", "navier_stokes", "mean"]


def run(*arguments):
    evaluate(*parse([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def runs(trained):
    """Two networks, of which only the first is trained."""
    write_run(trained[0].with_name("tiny1"), {1: 20.0})
    return trained[0].parent


@pytest.fixture(scope="module")
def results(runs):
    run("--compare", runs / "tiny0", runs / "tiny1", *BOTH)
    return runs / "tiny0" / "evaluation" / "own"


def values(folder, entry, bucket, metric, image="completion"):
    content = json.loads((folder / "results.json").read_text())
    (found,) = (one for one in content["entries"] if one["name"] == entry)
    return [float(value) for value in found[image][bucket][metric]["per_image"]]


def test_everything_is_written_and_says_its_conditions(results):
    files = {"results.csv", "results.json", "results.md", "results.tex", "report.html", "scores", ".lock"}
    assert {path.name for path in results.iterdir()} == files
    for name in ("results.md", "results.tex", "report.html"):
        text = (results / name).read_text()
        assert "of tiny0 v1" in text and "Navier-Stokes" in text and "tiny1" in text, name
    with (results / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["entry"] for row in rows} == {"tiny0", "tiny1", "Navier-Stokes", "mean colour"}
    assert {row["protocol"] for row in rows} == {"of tiny0 v1"}


def test_the_numbers_are_those_of_the_training_run(runs, results):
    trained = json.loads(next((runs / "tiny0").glob("step_*4.json")).read_text())["buckets"]
    for bucket in ("10-30%", "30-60%"):
        psnr, mae = trained[bucket]["psnr"], trained[bucket]["mae"]["prediction"]
        np.testing.assert_allclose(values(results, "tiny0", bucket, "standard/psnr"), psnr["per_image"], rtol=1e-5)
        found = values(results, "tiny0", bucket, "standard/mae", "prediction")
        np.testing.assert_allclose(found, mae["per_image"], rtol=1e-4)
    assert values(results, "tiny0", "10-30%", "standard/psnr") != values(results, "tiny1", "10-30%", "standard/psnr")


def test_the_same_command_gives_the_same_numbers_and_computes_nothing_twice(runs, results, tmp_path, monkeypatch):
    def without_speed(path):
        content = json.loads(path.read_text())
        return json.dumps({**content, "entries": [{**one, "images_per_second": 0} for one in content["entries"]]})

    arguments = ["--compare", runs / "tiny0", runs / "tiny1", *BOTH]
    before = (results / "results.json").read_bytes()
    run(*arguments, "--out", tmp_path)
    assert without_speed(tmp_path / "results.json") == without_speed(results / "results.json")
    monkeypatch.setattr("scan_jax.evaluation.scoring._score_part", lambda *_: pytest.fail("measured again"))
    run(*arguments)
    assert (results / "results.json").read_bytes() == before


def test_another_programs_results_stand_beside_our_own(runs, results, tmp_path):
    run("--run", runs / "tiny0", "--write_test", tmp_path / "test")
    for path in sorted((tmp_path / "test").glob("*/images/*.png")):
        hole = cv2.imread(str(path.parents[1] / "holes" / path.name), cv2.IMREAD_GRAYSCALE)
        image = cv2.imread(str(path)) * (hole == 0)[..., None]
        target = tmp_path / "theirs" / path.parents[1].name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), cv2.inpaint(image, hole, 3, cv2.INPAINT_NS))
    out = tmp_path / "out"
    arguments = ["--run", runs / "tiny0", "--predictions", tmp_path / "theirs", "--baselines", "--out", out, *FEW]
    run(*arguments)
    for bucket in ("10-30%", "30-60%"):
        for metric in ("standard/psnr", "standard/ssim", "checks/seam"):
            theirs, ours = values(out, "theirs", bucket, metric), values(results, "Navier-Stokes", bucket, metric)
            np.testing.assert_allclose(theirs, ours, rtol=1e-5)
    before = values(out, "theirs", "10-30%", "standard/psnr")
    changed = tmp_path / "theirs" / "10-30" / "00001.png"
    cv2.imwrite(str(changed), 255 - cv2.imread(str(changed)))
    run(*arguments)
    after = values(out, "theirs", "10-30%", "standard/psnr")
    assert [one == other for one, other in zip(before, after)] == [True, False, True, True]
    (next((tmp_path / "theirs").glob("*/00002.png"))).unlink()
    with pytest.raises(UserError, match=r"1 of 8 predictions are missing .*00002\.png"):
        run(*arguments)


def test_a_config_file_is_a_protocol_for_what_needs_no_run(results, tmp_path):
    test = ["--protocol=configs/demo.py", *DATA, *BUCKETS]
    run(*test, "--baselines", "navier_stokes", "--out", tmp_path, *FEW)
    text = (tmp_path / "results.md").read_text()
    for part in ("of demo.py with ", "data.size=32", "bucket=2"):
        assert part in text
    assert "batch" not in text
    np.testing.assert_array_equal(
        values(tmp_path, "Navier-Stokes", "10-30%", "standard/psnr"),
        values(results, "Navier-Stokes", "10-30%", "standard/psnr"),
    )


def test_buckets_without_holes_are_shown_empty(runs, tmp_path):
    run("--run", runs / "tiny0", "--config.evaluation.edges=(0.1,0.6,0.9)", "--out", tmp_path, *FEW)
    assert values(tmp_path, "tiny0", "60-90%", "standard/psnr") == []
    entries = [one["name"] for one in json.loads((tmp_path / "results.json").read_text())["entries"]]
    assert entries == ["tiny0", "Navier-Stokes", "harmonic", "biharmonic"], (
        "the photographs' labels are not for networks that see none"
    )
    assert "empty" in (tmp_path / "results.md").read_text() and "empty" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing|no --run"),
        (["--against", "runs/b"], "--against compares with the network of --run"),
        (["--run", "nowhere"], "there is no run folder nowhere"),
        (["--run", "RUN", "--baselines", "telia"], "did you mean 'telea'"),
        (["--run", "RUN", "--metrics", "standart"], "did you mean 'standard'"),
        (["--run", "RUN", "--protocol=scan_celeba"], "did you mean 'scan_celeba_hq'"),
        (["--run", "RUN", "--metrics", "edge_connect/ssim"], "edge_connect/ssim needs at least 51 pixels a side"),
        (["--run", "RUN", "--metrics", "edge_connect/fid"], "edge_connect has no 'fid'"),
        (["--run", "RUN", "--refine", "style_search"], "no optimisation at test time 'style_search'"),
        (["--run", "RUN", "--config.training.steps=3"], "config.training makes no difference"),
        (["--run", "RUN", "--config.evaluation.edge=3"], "did you mean 'edges'"),
        (["--run", "RUN", "--config.evaluation.edges=(0.1,)"], "edges must be at least 2 numbers that rise"),
        (["--run", "RUN", "--config.evaluation.refine=()"], "name optimisations with --refine"),
        (["--run", "RUN", "--baselines", "mean", "mean"], "mean colour .* named twice"),
        (["--compare", "RUN", "RUN"], "tiny0 is named twice"),
        (["--run", "RUN", "--out", "configs/demo.py/no"], "cannot write to configs/demo.py/no: .*--out"),
    ],
)
def test_bad_input_is_one_clear_line(runs, arguments, message):
    with pytest.raises(UserError, match=message):
        run(*[str(runs / "tiny0") if argument == "RUN" else argument for argument in arguments])


@pytest.mark.parametrize(
    "arguments",
    [["--run=a", "--run=b"], ["--run=a", "--compare", "b", "c"], ["--write_test=t", "--run=a", "--against", "b"]],
)
def test_flags_that_would_be_dropped_are_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        parse(arguments)
    assert "error: " in capsys.readouterr().err


def test_repeated_flags_add_up():
    flags, overrides = parse(["--run=a", "--against=b", "--against", "c", "d", "--metrics=lama", "--metrics=checks"])
    assert (flags.run, flags.against) == (Path("a"), [Path("b"), Path("c"), Path("d")])
    assert flags.metrics == ["lama", "checks"] and flags.baselines is None and overrides == []
    flags, _ = parse(["--compare", "a", "b", "--against", "c", "--baselines"])
    assert (flags.run, flags.against, flags.baselines) == (Path("a"), [Path("b"), Path("c")], [])


def test_scores_are_kept_by_everything_that_they_depend_on(runs, tmp_path):
    """What the key of a network's scores holds: parameters, statistics and the method's settings."""
    trained = Trained.load(runs / "tiny0")

    def key(**changes):
        (one,) = from_run(runs / "tiny0", dataclasses.replace(trained, **changes), (), 32, local_devices())
        return one.depends_on

    def shifted(tree):
        return jax.tree.map(lambda leaf: leaf + np.ones((), leaf.dtype), tree)

    params, stats = trained.variables.params, {"generator": {"batch": np.zeros(3, np.float32)}}
    method = {**trained.config["method"], "regions": 3}
    keys = {
        key(),
        key(variables=Variables(shifted(params), trained.variables.stats)),
        key(variables=Variables(params, stats)),
        key(variables=Variables(params, shifted(stats))),
        key(config={**trained.config, "method": method}),
    }
    assert len(keys) == 5 and key() == key()


def test_another_network_of_that_name_is_measured_anew(runs, tmp_path):
    test = ["--protocol=configs/demo.py", *DATA, *BUCKETS, "--baselines", "--metrics", "standard"]
    found = []
    for source in ("tiny0", "tiny1"):
        shutil.rmtree(tmp_path / "net", ignore_errors=True)
        shutil.copytree(runs / source, tmp_path / "net")
        run("--run", tmp_path / "net", *test, "--out", tmp_path / "out")
        found.append(values(tmp_path / "out", "net", "10-30%", "standard/psnr"))
    assert found[0] != found[1]


def test_the_command_ends_with_one_line(tmp_path):
    assert error_of(main, "--run", tmp_path / "nowhere").startswith("error: there is no run folder")


def test_a_papers_protocol_prints_its_rows_beside_what_was_measured(tmp_path, monkeypatch):
    """On a miniature of CelebAMask-HQ: six photographs, four of them in the paper's test split."""
    numbers = [0, 1, 28000, 28001, 28002, 28003]
    miniatures.write_celebamask(tmp_path / "source", numbers)
    builder = CelebaMaskHq(source=str(tmp_path / "source"), size=128, allow_missing=29994)
    miniatures.built(builder.plan(), tmp_path / "data")
    where = f"--config.data.data_dir={tmp_path / 'data'}"
    test = ["--protocol=masked_attention_celebamask_hq", where, "--baselines", "navier_stokes"]
    test += ["--metrics", "masked_attention", "--out", tmp_path / "out"]
    run(*test)
    text = (tmp_path / "out" / "results.md").read_text()
    assert "masked_attention_celebamask_hq with 4 of 2,000 photographs v1" in text.replace("\\", "")
    assert "30.49" not in text, "a part of a test is not that test"
    whole = dataclasses.replace(find_protocol("masked_attention_celebamask_hq"), count=4)
    monkeypatch.setattr("scan_jax.evaluation.benchmark.find_protocol", lambda name: whole)
    run(*test)
    text = (tmp_path / "out" / "results.md").read_text()
    for part in ("masked_attention_celebamask_hq v1", "celebahq_28k_2k", "4 photographs", "30.49", "not run"):
        assert part in text.replace("\\", ""), part
    measured = np.mean(values(tmp_path / "out", "Navier-Stokes", "1-20%", "masked_attention/psnr"))
    rows = [[cell.strip(" *") for cell in line.split("|")] for line in text.splitlines() if "measured, masked" in line]
    assert next(row[3] for row in rows if row[1] == "Navier-Stokes") == f"{measured:.2f}"
    whole = dataclasses.replace(whole, holes_digest="")  # as where a paper's own holes are not at hand
    few, _ = open_benchmark(whole.name, {}, "", [where, "--config.evaluation.holes_per_bucket=1"], 19)
    assert not few.tables, "other holes are another test"


def test_an_override_reaches_what_a_config_derives_from_it(tmp_path):
    config = tmp_path / "derived.py"
    config.write_text(
        "from scan_jax.configs import demo\n"
        "def get_config():\n"
        "    config = demo.get_config()\n"
        "    with config.unlocked():\n"
        "        config.data.held_out = config.data.get_ref('count') // 2\n"
        "    return config\n"
    )
    given = [*overrides("data.size=32 data.count=8"), *BUCKETS]
    protocol, benchmark = open_benchmark(str(config), {}, "", given, 0)
    assert benchmark.count == 4 and "data.held_out=4" in protocol.name
    protocol, benchmark = open_benchmark(str(config), {}, "", [*given, "--config.data.held_out=3"], 0)
    assert benchmark.count == 3 and "data.held_out=3" in protocol.name


PHOTOGRAPHS = 11
TEST = [
    *("--protocol=configs/demo.py", "--metrics", "standard", "checks", "--baselines", "mean", "navier_stokes"),
    *[*BUCKETS, *overrides(f"data.size=16 data.count=1 data.held_out={PHOTOGRAPHS} evaluation.batch_size=2")],
]
WORKER = """
import sys
import jax
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(sys.argv[1], num_processes=2, process_id=int(sys.argv[2]))
from scan_jax.evaluation import scoring
from scan_jax.commands.evaluate import evaluate, parse
scoring.PART = 4
evaluate(*parse(sys.argv[3:]))
"""


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path):
    address = free_address()
    words = [["-c", WORKER, address, rank, *TEST, f"--out={tmp_path / f'out{rank}'}"] for rank in range(2)]
    finish([start(one, environment(tmp_path / "cache")) for one in words])
    assert not (tmp_path / "out1" / "results.json").exists()
    parts = [{path.name for path in (tmp_path / f"out{rank}").rglob("mean_[0-9a-f]*/*.scores")} for rank in range(2)]
    assert parts[0] and parts[1] and not parts[0] & parts[1], "each process does its own parts"
    command = ["-m", "scan_jax", "evaluate", *TEST, f"--out={tmp_path / 'alone'}"]
    finish([start(command, environment(tmp_path / "cache"))])
    together, alone = (json.loads((tmp_path / out / "results.json").read_text()) for out in ("out0", "alone"))
    for ours, theirs in zip(together["entries"], alone["entries"]):
        for bucket, metrics in theirs["completion"].items():
            for name, cell in metrics.items():
                assert len(cell["per_image"]) == PHOTOGRAPHS
                found = np.float64(ours["completion"][bucket][name]["per_image"])
                np.testing.assert_allclose(found, np.float64(cell["per_image"]), rtol=1e-5, atol=1e-6)
