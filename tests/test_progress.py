"""Progress: a bar that is drawn over itself on a terminal, whole lines at intervals in a log."""

import contextlib
import io
import logging
import sys
import time

import numpy as np
import pytest

from scan_jax.core import progress


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def passed(monkeypatch):
    """Seconds, which pass when a test says so; tqdm draws whenever it is told."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def run(stream, monkeypatch, passed, seconds, leave=True):
    """What 600 steps of so many seconds each leave on stderr."""
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.progress_bar(total=600, desc="training", unit="step", leave=leave, mininterval=0) as bar:
        for step in range(600):
            passed(seconds)
            bar.update()
            bar.set_postfix({"l1": f"{step}"})
    return stream.getvalue()


def test_a_log_has_lines_at_intervals_and_one_for_the_end_and_a_terminal_one_bar(monkeypatch, passed):
    log = run(io.StringIO(), monkeypatch, passed, 1.0)
    lines = log.splitlines()
    assert "\r" not in log and log.endswith("\n")
    assert len(lines) == 600 / progress.LINE_EVERY + 1
    assert lines[0].startswith("training 5% 30/600 [") and lines[-1].startswith("training 100% 600/600 [")
    assert "l1=599]" in lines[-1]
    shown = run(Screen(), monkeypatch, passed, 1.0)
    assert shown.count("\r") > 100 and shown.count("\n") == 1


@pytest.mark.parametrize(("leave", "lines"), [(True, 1), (False, 0)])
def test_a_log_hears_of_what_is_short_at_most_the_end(monkeypatch, passed, leave, lines):
    assert run(io.StringIO(), monkeypatch, passed, 0.001, leave).count("\n") == lines


def test_what_is_disabled_says_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert list(progress.progress_bar(range(3), disable=True)) == [0, 1, 2]
    assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize(("seconds", "said"), [(0.0, []), (0.5, ["compiling it", "still compiling it, for 0 s"])])
def test_what_cannot_be_counted_says_so_once_it_takes_long(monkeypatch, caplog, seconds, said):
    monkeypatch.setattr(progress, "SILENCE", 0.1)
    monkeypatch.setattr(progress, "LINE_EVERY", 0.3)
    with caplog.at_level(logging.INFO, "scan_jax"), contextlib.suppress(ValueError), progress.telling("compiling it"):
        time.sleep(seconds)
        raise ValueError("ends it, too")
    time.sleep(0.4)
    assert [record.message for record in caplog.records] == said


def test_a_compiled_function_tells_of_its_first_call_with_each_shape(monkeypatch):
    told = []
    monkeypatch.setattr(progress, "telling", lambda what: told.append(what) or contextlib.nullcontext())
    double = progress.tells_of_compiling("it", lambda x: 2 * x)
    assert [double(np.ones(size)).sum() for size in (1, 1, 2)] == [2, 2, 4]
    assert told == ["compiling it, which takes long the first time only"] * 2
