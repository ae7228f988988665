"""The benchmark of compile times follows the trainer."""

import pytest
from tiny_demo import DEMO, TINY, error_of, overrides

from benchmarks import compile_step


@pytest.mark.parametrize("perceptual", [0.0, pytest.param(0.1, marks=pytest.mark.slow)])
def test_a_config_is_compiled_twice(capsys, perceptual):
    """With a frozen network, too, whose weights nobody needs."""
    assert compile_step.main([DEMO, *TINY, *overrides(f"method.loss.perceptual={perceptual}")]) == 0
    printed = capsys.readouterr().out
    assert "first start" in printed and "second start" in printed and "temporary memory" in printed


def test_a_wrong_config_is_one_line():
    assert "no config file 'configs/nowhere.py'" in error_of(compile_step.main, "--config=configs/nowhere.py")
