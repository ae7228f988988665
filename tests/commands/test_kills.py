"""SIGKILL at three moments, the same command again each time: every bit as if there had been no kill.

`python tests/torture.py --kills=20` is the long version.
"""

from pathlib import Path

import pytest
from torture import Moment, deviations, folders, torture

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux: looks for orphans in /proc"),
]
STEPS = 20


def test_nothing_shows_that_a_run_was_killed(tmp_path):
    """The killed run comes first: its first start compiles, and what it left of that must not harm later ones."""
    whole, killed = folders(tmp_path, STEPS)
    kills = torture(whole, killed, [Moment("compile", 1, 0.1), Moment("save"), Moment("evaluation", 1, 0.01)])
    assert [kill.hit for kill in kills] == ["compile", "save", "evaluation"], "it came to its end before"
    compiling, saving, _ = kills
    assert compiling.step == 0 and saving.writing and saving.writing[0] > saving.committed
    assert deviations(whole, killed, kills, STEPS) == []
