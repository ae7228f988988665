"""SIGKILL at three moments, the same command again each time: every bit as if there had been no kill.

`python tests/torture.py --kills=20` is the long version.
"""

from pathlib import Path

import pytest
from torture import Folder, Moment, began_at, deviations, kill_at, names, run_through

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for orphans in /proc")
MOMENTS = (Moment("compile", 0.1), Moment("save", 0.0), Moment("evaluation", 0.01))


@pytest.fixture(scope="module")
def kills_and_folders(tmp_path_factory):
    """The killed run comes first: its first start compiles, and what it left of that must not harm later ones."""
    base = tmp_path_factory.mktemp("kills")
    killed, whole = (
        Folder(base / name, base / "caches", base / f"{name}_logs", ("--config.training.steps=20",))
        for name in ("killed", "whole")
    )
    kills = [kill_at(killed, f"start{number:02d}", moment) for number, moment in enumerate(MOMENTS, 1)]
    run_through(killed, "last")
    run_through(whole, "whole")
    return kills, killed, whole


def test_the_kills_hit_what_they_aimed_at(kills_and_folders):
    kills, _, _ = kills_and_folders
    assert None not in kills, "a start came to its end before it was killed"
    compiling, saving, evaluating = kills
    assert "compile" in compiling.phases and compiling.step == 0
    assert saving.writing and saving.writing[0] > saving.committed
    assert "evaluation" in evaluating.phases


def test_nothing_shows_that_the_run_was_killed(kills_and_folders):
    kills, killed, whole = kills_and_folders
    beginnings = [began_at(killed.log(name)) for name in names(kills)]
    assert deviations(whole, killed, kills, beginnings) == []
