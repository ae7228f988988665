"""What cannot work is refused by every command that takes a config, before anything is made."""

import pytest
from tiny_demo import DEMO, TINY, error_of, overrides

from scan_jax.commands import evaluate, show_batch, train

SENSELESS = {
    "data.size=100": "config.data.size must be a multiple of 8 from 32 on for this method, not 100; the nearest: 96",
    "data.size=0": "config.data.size must be from 1 to 65536, not 0",
    "data.count=0": "config.data.count must be from 1",
    "data.held_out=-1": "config.data.held_out must be from 1",
    "holes.ratio=5": "config.holes.ratio must be tuple[float, float], not 5 (int)",
    "holes.ratio=(0.5,0.1)": "config.holes.ratio must be at least 2 numbers that rise, not (0.5, 0.1)",
    "holes.held_out_path=3": "config.holes.held_out_path must be str, not 3 (int)",
    "method.width=0": "config.method.width must be from 1 to 65536, not 0",
    "method.regions=0": "config.method.regions must be from 1 to 65536, not 0",
    "method.blocks=-1": "config.method.blocks must be from 0 to 100, not -1",
    "training.threads=1e9": "config.training.threads must be int, not 1000000000.0 (float)",
    "evaluation.refine=('style_serch',)": "no optimisation at test time 'style_serch'",
}


@pytest.mark.parametrize(("setting", "says"), SENSELESS.items(), ids=SENSELESS)
def test_no_command_begins_with_it(setting, says, tmp_path, monkeypatch):
    monkeypatch.setattr("scan_jax.commands.dry_run.estimate_config", None)  # nothing is compiled for it
    words = [DEMO, *TINY, *overrides(setting)]
    for main, more in (
        (train.main, f"--workdir={tmp_path / 'run'}"),
        (train.main, "--dry_run"),
        (show_batch.main, f"--out={tmp_path / 'batch.png'}"),
    ):
        assert says in error_of(main, *words, more)
    assert not list(tmp_path.iterdir())


def test_a_test_that_no_hole_reaches_is_found_by_a_dry_run(monkeypatch):
    monkeypatch.setattr("scan_jax.commands.dry_run.estimate_config", None)
    narrow = overrides("holes.ratio=(0.01,0.05)")
    assert "no hole to evaluate on in 10-30%, 30-60%" in error_of(train.main, DEMO, *TINY, *narrow, "--dry_run")


def test_an_argument_that_is_none_is_refused_before_a_run_is_read():
    assert "cannot read the argument '--nonsense'" in error_of(evaluate.main, "--run=nowhere", "--nonsense")
