"""The benchmark of compile times follows the trainer."""

from tiny_demo import DEMO, TINY, error_of

from benchmarks import compile_step


def test_a_config_is_compiled_twice(capsys):
    assert compile_step.main([DEMO, *TINY, "--config.method.loss.perceptual=0.1"]) == 0
    printed = capsys.readouterr().out
    assert "first start" in printed and "second start" in printed and "temporary memory" in printed


def test_a_wrong_config_is_one_line():
    assert "no config file 'configs/nowhere.py'" in error_of(compile_step.main, "--config=configs/nowhere.py")
