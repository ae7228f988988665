"""A disk that fills up or turns read-only ends the command with one line, a SIGKILL at once; later it goes on."""

import contextlib
import os
import re
import signal
from pathlib import Path

import pytest
from process_groups import PATIENCE, start, until
from small_disks import small_disk
from tiny_demo import DEMO, TINY, overrides
from torture import Moment, deviations, folders, torture

from scan_jax.core import checkpoint_folder

pytestmark = pytest.mark.slow
ENDLESS = [DEMO, *TINY, *overrides("training.steps=100000 training.checkpoint_every=5 training.pictures_every=0")]


def start_run(run, checkpoints):
    flags = [*ENDLESS, f"--workdir={run}", f"--config.training.checkpoints={checkpoints}"]
    return start(["-m", "scan_jax.main", *flags], dict(os.environ))


@contextlib.contextmanager
def full(disk):
    """Without room, then with room."""
    fillers = disk.fill()
    yield
    for path in fillers:
        path.unlink()


@contextlib.contextmanager
def read_only(disk):
    disk.remount("ro")
    yield
    disk.remount("rw")


@pytest.mark.parametrize(
    ("place", "accident", "reason"),
    [("run/checkpoints", full, r"is full|No space left"), ("elsewhere", read_only, "Read-only file system")],
)
def test_the_command_ends_with_one_line_and_later_goes_on(tmp_path, place, accident, reason):
    with small_disk(tmp_path / "disk", "size=40m", pytest.skip) as disk:
        checkpoints = disk.folder / place
        arguments = (disk.folder / "run", "") if place == "run/checkpoints" else (tmp_path / "run", checkpoints)

        def steps():
            return checkpoint_folder.committed_steps(checkpoints)

        process = start_run(*arguments)
        until(lambda: len(steps()) > 1, [process])
        process.send_signal(signal.SIGSTOP)  # or it would delete checkpoints meanwhile, and find room
        with accident(disk):
            process.send_signal(signal.SIGCONT)
            _, log = process.communicate(timeout=PATIENCE)
            last = log.strip().splitlines()[-1]
            assert process.returncode == 1 and last.startswith("error: ") and re.search(reason, last), log
            good = steps()
            assert good
        process = start_run(*arguments)
        until(lambda: steps()[0] > good[0], [process])
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 and f"going on from step {good[0]}" in log, log


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux: looks for orphans in /proc")
def test_nothing_shows_that_a_run_was_killed(tmp_path):
    """SIGKILL at three moments. The killed run comes first: what its first start compiles must not harm later ones."""
    whole, killed = folders(tmp_path, steps=20)
    kills = torture(whole, killed, [Moment("compile", 1, 0.1), Moment("save"), Moment("evaluation", 1, 0.01)])
    assert [kill.hit for kill in kills] == ["compile", "save", "evaluation"], "it came to its end before"
    compiling, saving, _ = kills
    assert compiling.step == 0 and saving.writing and saving.writing[0] > saving.committed
    assert deviations(whole, killed, kills, 20) == []
