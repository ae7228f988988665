"""The commands as a user runs them: train, stop, go on, fill a hole; and what bad input is answered with."""

import json
import os
import signal

import pytest
from process_groups import finish, start, until
from run_comparison import checkpoint_steps, scalars
from tiny_demo import error_of, said

from scan_jax.commands.train import main


def test_a_run_leaves_all_that_it_promises(trained):
    folder, log = trained
    for expected in ("platform cpu, 1 x", "train on 16 photo", "measure on 4", "generator: ", "critic: ", "images/s"):
        assert expected in log
    assert checkpoint_steps(folder) == ([2, 4], [])
    for name in ("config.json", "versions.json", "losses.png", "psnr.png", "pictures/0000004.png"):
        assert (folder / name).stat().st_size > 0
    lines = scalars(folder)
    assert [line["step"] for line in lines if "term/l1" in line] == [1, 2, 3, 4]
    table, report = (next(folder.glob(f"step_*4.{suffix}")).read_text() for suffix in ("md", "json"))
    assert "30-60%" in table and "Navier-Stokes" in table
    assert "class mean" not in table, "the portraits have labels, the method takes none"
    assert f"{lines[-1]['eval/psnr/10-30%']:.2f}" in table and "10-30%" in json.dumps(json.loads(report))


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_numbers(trained, four_steps, tmp_path):
    """SIGTERM in the middle, then the same command: every scalar of every step equals the run that never stopped."""
    words = ["-m", "scan_jax.main", *four_steps, f"--workdir={tmp_path}"]
    process = start(words, dict(os.environ))
    until(lambda: scalars(tmp_path), [process])
    process.send_signal(signal.SIGTERM)
    finish([process])
    (log,) = finish([start(words, dict(os.environ))])
    assert "going on from step" in log or "steps are done" in log

    def losses(folder):
        lines = [line for line in scalars(folder) if "term/l1" in line]
        return [{k: v for k, v in line.items() if k[:4] in ("step", "term", "loss", "grad")} for line in lines]

    assert losses(tmp_path) == losses(trained[0])


def test_a_finished_run_is_not_trained_and_another_config_is_refused_with_the_difference(trained, four_steps):
    words, before = [*four_steps, f"--workdir={trained[0]}"], scalars(trained[0])
    log = said(main, *words)
    assert "all 4 steps are done" in log and "other versions" not in log
    assert scalars(trained[0]) == before, "nothing is noted twice"
    versions = trained[0] / "versions.json"
    (begun,) = json.loads(versions.read_text())["starts"]
    versions.write_text(json.dumps({"starts": [{**begun, "jax": "0.4"}]}))
    assert f"other versions than before (jax 0.4 -> {begun['jax']}): the same steps" in said(main, *words)
    assert checkpoint_steps(trained[0]) == ([2, 4], [])
    assert "method.width: 4 -> 5" in error_of(main, *words, "--config.method.width=5")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--config.training.stps=3"], "unknown config key config.training.stps, did you mean 'steps'?"),
        (["--config.data.name=photo_folder", "--config.data.path=/nowhere"], "/nowhere"),
        (["--config.holes.name=mask_folder", "--config.holes.path=/nowhere"], "/nowhere"),
        (["--config.method.loss.style=250.0"], "python -m scan_jax weights import vgg19"),
        (["--config.training.batch_size='many'"], "config.training.batch_size must be int"),
    ],
)
def test_bad_input_is_one_line(four_steps, monkeypatch, tmp_path, overrides, message):
    monkeypatch.setenv("SCAN_JAX_WEIGHTS", str(tmp_path))
    given = [word for word in four_steps if word.split("=")[0] != overrides[0].split("=")[0]]
    assert message in error_of(main, *given, f"--workdir={tmp_path / 'run'}", *overrides)
    assert not (tmp_path / "run").exists()
