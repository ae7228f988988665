"""A run that diverges: it goes back, gives up with one line, and its bad step can be looked into."""

import json

import pytest
from PIL import Image

from scan_jax import experiment, replay
from scan_jax.configuration import load
from scan_jax.errors import UserError

TINY = [
    *("--config.data.size=16", "--config.data.count=16", "--config.data.held_out=3"),
    *("--config.method.width=4", "--config.method.critic_width=4", "--config.method.regions=2"),
    *("--config.method.blocks=1", "--config.training.batch_size=8", "--config.training.steps=6"),
    *("--config.training.log_every=1", "--config.training.checkpoint_every=1", "--config.training.guard.retries=1"),
    *("--config.evaluation.edges=(0.1,0.6)", "--config.evaluation.holes_per_bucket=1"),
    *("--config.method.loss.adversarial=0.0", "--config.training.optimizers.generator.schedule=constant"),
    "--config.training.optimizers.generator.warmup=2",  # so that the first step is good and saved
    "--config.training.optimizers.generator.learning_rate=1e30",
]


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diverged")
    with pytest.raises(UserError, match=r"not finite at step \d, after 1 other tries from step \d; .*scan_jax\.replay"):
        experiment.run(load("configs/demo.py", TINY), folder)
    return folder


def test_the_operation_is_named(diverged, capsys):
    before = sorted(path.name for path in (diverged / "checkpoints").iterdir())
    assert replay.main([f"--run={diverged}"]) == 0
    said = capsys.readouterr().out
    incidents = json.loads((diverged / "incidents.json").read_text())
    assert said.startswith("incident 2: ") and "photographs: portrait " in said
    assert all(title in said for title in incidents[-1]["photographs"])
    assert "the first that is not finite: NaN: " in said and "scan_jax/" in said.splitlines()[-1]
    with Image.open(diverged / "incident_2.png") as picture:
        assert picture.width > 2 * 16 and picture.height > 8 * 16
    assert sorted(path.name for path in (diverged / "checkpoints").iterdir()) == before


def test_the_steps_are_as_they_were(diverged, capsys):
    """The first incident's batches are others than the second's; each is met again to the last digit shown."""
    assert replay.main([f"--run={diverged}", "--incident=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith("(as it was)")]
    first, second = json.loads((diverged / "incidents.json").read_text())
    assert first["photographs"] != second["photographs"]


@pytest.mark.parametrize(
    ("flag", "words"), [("--incident=9", "must be from 1 to 2, not 9"), ("--incident=-1", "from 1")]
)
def test_an_incident_that_was_not_is_refused(diverged, capsys, flag, words):
    assert replay.main([f"--run={diverged}", flag]) == 1
    assert words in capsys.readouterr().err


def test_a_run_without_incidents_is_refused(tmp_path, capsys):
    assert replay.main([f"--run={tmp_path}"]) == 1
    assert "no incidents.json" in capsys.readouterr().err
