"""The plan, the processes and the table, on parts that end in every way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import made_up_parts
import pytest
from made_up_parts import part

from scan_jax.core.errors import UserError
from scan_jax.device_check import plan, runner
from scan_jax.device_check.plan import PARTS, Setting, allot
from scan_jax.device_check.results import LINES, TABLE, Results

HEAD = {"device": "a device", "driver": "1.2"}


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(made_up_parts.__file__).parent))


def run(folder, *names, seconds=60.0, head=HEAD, tiny=False):
    parts = [one if isinstance(one, plan.Part) else part(one) for one in names]
    results = Results(folder, parts)
    results.begin(head)
    runner.run(parts, Setting(folder, tiny), seconds, results)
    return results


def lines_of(folder, name):
    return [line for line in (folder / LINES).read_text().splitlines() if f'"{name}"' in line]


@pytest.mark.parametrize("minutes", [1, 3, 10, 45, 120])
@pytest.mark.parametrize("tiny", [False, True])
def test_shares_sum_to_the_time_and_each_part_has_enough(minutes, tiny):
    limits = allot(PARTS, 60 * minutes, tiny=tiny)
    assert sum(limits.values()) == pytest.approx(60 * minutes, rel=0.1)
    assert all(limit >= (plan.TINY_LEAST if tiny else one.least) for one, limit in limits.items())
    if minutes >= (3 if tiny else 45):
        assert list(limits) == list(PARTS)


def test_too_few_minutes_leave_out_the_last_parts_first():
    parts = [part("works", least=5), part("errs", least=1), part("lacks", least=20)]
    assert list(allot(parts, 40)) == parts[:2]
    assert list(allot(parts, 8)) == parts[1:2]
    assert allot(parts, 0.5) == {} == allot([], 10)


def test_a_part_that_ends_badly_is_a_row_and_costs_the_others_nothing(tmp_path):
    names = ("raises", "crashes", "lacks", "errs", part("overruns", share=1.0), "works")
    results = run(tmp_path, *names, seconds=30)
    assert results.ended["raises"] == "failed: ArithmeticError: no such number (exit code 1)"
    assert results.ended["crashes"] == "failed: signal SIGSEGV"
    assert results.ended["lacks"] == "left out: there is no torch"
    assert results.ended["overruns"].startswith("ran out of its ")
    assert results.ended["works"] == results.ended["errs"] == "done"
    assert list(results.rows["overruns"]) == list(results.rows["raises"]) == ["first"]
    assert [word.split()[0] for word in results.wrong()] == ["errs:", "raises", "crashes"]
    table = (tmp_path / TABLE).read_text()
    assert table.startswith("# Device check: a device\n") and "| driver | 1.2 |" in table
    assert "| first | 2e-1 | 1e-3 | WRONG |" in table and "| a / b | right |" in table
    assert "left out: there is no torch" in table and table.index("## raises") < table.index("## works")


def test_the_same_call_again_does_only_what_is_left(tmp_path):
    before = run(tmp_path, "works", part("overruns", share=1.0), seconds=8).rows
    assert "overruns" in Results(tmp_path).ended
    told = lines_of(tmp_path, "works")
    after = run(tmp_path, "works", "overruns", "errs")
    assert lines_of(tmp_path, "works") == told
    assert after.rows["works"] == before["works"] and after.ended["overruns"] == "done"
    assert next(iter(after.rows["overruns"].values())) == before["overruns"]["first"]
    assert list(after.rows["overruns"]) == ["first", "second"]
    with pytest.raises(UserError, match=r"results of a device, and this is another: choose another --out"):
        run(tmp_path, "works", head={"device": "another"})


def test_two_tiny_parts_run_at_once_and_no_row_is_lost(tmp_path):
    parts = [part("works"), part("raises"), part("lacks"), part("errs")]
    results = run(tmp_path, *parts, tiny=True)
    assert results.rows == Results(tmp_path).rows and results.ended.keys() == {one.name for one in parts}
    assert [len(rows) for rows in map(results.rows.get, ("works", "raises", "errs"))] == [3, 1, 1]


def test_left_out_for_time_says_so_and_is_taken_later(tmp_path):
    results = run(tmp_path, "works", part("errs", least=1e4))
    assert results.ended["errs"].startswith("left out: too few minutes for its 10000 s")
    assert run(tmp_path, "works", "errs").ended["errs"] == "done"


def test_killed_in_the_middle_it_leaves_a_table_and_no_process(tmp_path):
    script = (
        "import sys; from pathlib import Path; import test_runner as t\n"
        "t.run(Path(sys.argv[1]), 'works', 'kills_the_caller')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, timeout=60)
    assert done.returncode == -signal.SIGKILL
    table = (tmp_path / TABLE).read_text()
    assert table.count("| right |") == 3 and "| first | here |" in table and "was running when" in table
    end = time.monotonic() + 20
    while any(str(tmp_path) in text for text in environments()):
        assert time.monotonic() < end, "its part still runs"
        time.sleep(0.1)
    with (tmp_path / LINES).open("a") as file:
        file.write('{"part": "works", "what": "cut sh')  # as a kill within a write leaves it
    found = run(tmp_path, "works", "errs", head={**HEAD, "driver": "1.3"})
    assert list(found.rows) == ["works", "kills_the_caller", "errs"]
    assert Results(tmp_path).head["driver"] == "1.3"  # the line after the one that was cut
    assert all(json.loads(line) for line in (tmp_path / LINES).read_text().splitlines() if "cut sh" not in line)


def environments():
    """Working files of the processes of this user: which have this test's folder open."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield " ".join(os.readlink(file) for file in (process / "fd").iterdir())
        except OSError:
            continue


def test_an_unknown_part_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="no part is called 'op', did you mean 'ops'"):
        plan.chosen(["op"])
    assert [one.name for one in plan.chosen(["style", "ops"])] == ["ops", "style"]
