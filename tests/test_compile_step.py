"""The benchmark of compile times follows the trainer."""

from benchmarks import compile_step


def test_a_config_is_compiled_twice(capsys):
    changes = ["--config.data.size=32", "--config.method.width=4", "--config.method.loss.perceptual=0.1"]
    assert compile_step.main(["--config=configs/demo.py", *changes]) == 0
    printed = capsys.readouterr().out
    assert "first start" in printed and "second start" in printed and "temporary memory" in printed


def test_a_wrong_config_is_one_line(capsys):
    assert compile_step.main(["--config=configs/nowhere.py"]) == 1
    assert "no config file 'configs/nowhere.py'" in capsys.readouterr().err
