"""A run that diverges: it goes back, gives up with one line, and its bad step can be looked into."""

import json

import pytest
from PIL import Image
from tiny_demo import TINY, error_of, overrides

from scan_jax.commands import experiment, replay
from scan_jax.core.config import load
from scan_jax.core.errors import UserError

DIVERGING = [
    *TINY,
    *overrides("data.size=16 training.steps=6 training.checkpoint_every=1 training.guard.retries=1"),
    *overrides("evaluation.edges=(0.1,0.6) evaluation.holes_per_bucket=1 method.loss.adversarial=0.0"),
    # The first step is good and saved.
    *overrides("training.optimizers.generator.schedule=constant training.optimizers.generator.warmup=2"),
    *overrides("training.optimizers.generator.learning_rate=1e30"),
]


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diverged")
    with pytest.raises(UserError, match=r"not finite at step \d, after 1 other tries from step \d; .*scan_jax replay"):
        experiment.run(load("configs/demo.py", DIVERGING), folder)
    return folder


@pytest.mark.slow
def test_the_operation_is_named_and_the_steps_are_as_they_were(diverged, capsys):
    before = sorted(path.name for path in (diverged / "checkpoints").iterdir())
    assert replay.main([f"--run={diverged}"]) == 0
    said = capsys.readouterr().out
    incidents = json.loads((diverged / "incidents.json").read_text())
    assert said.startswith("incident 2: ") and "photographs: portrait " in said
    assert all(title in said for title in incidents[-1]["photographs"])
    assert "the first that is not finite: NaN: " in said and "scan_jax/" in said.splitlines()[-1]
    with Image.open(diverged / "incident_2.png") as picture:
        assert picture.width > 2 * 16 and picture.height > 2 * 16
    assert sorted(path.name for path in (diverged / "checkpoints").iterdir()) == before
    assert replay.main([f"--run={diverged}", "--incident=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith("(as it was)")]
    first, second = json.loads((diverged / "incidents.json").read_text())
    assert first["photographs"] != second["photographs"]


def test_what_was_not_is_refused(diverged, tmp_path):
    assert "must be from 1 to 2, not 9" in error_of(replay.main, f"--run={diverged}", "--incident=9")
    assert "from 1" in error_of(replay.main, f"--run={diverged}", "--incident=-1")
    assert "no incidents.json" in error_of(replay.main, f"--run={tmp_path}")
