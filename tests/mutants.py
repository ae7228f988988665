"""Small wrong changes to the source, one at a time: does a test see each? Hours on two cores, and no part of CI.

    python tests/mutants.py [--checkout=DIR] [--only NAME ...] [--jobs=2] [--json=FILE] [--trust]

Each is made in a copy of the checkout's tracked files, where the tests named beside it run: the fast tier, then, if
nothing failed, the slow one. Unchanged, they must pass there; --trust takes that for granted. Where no test is marked
slow, there is one run of all. mutants.txt has the changes.
"""

import argparse
import collections
import contextlib
import dataclasses
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).parent
LIMIT = 1800  # seconds of one run of pytest: a change may make it wait for ever
FAILED, NOTHING_FAILED = 1, (0, 5)  # exit codes of pytest; 5 is no test at all, as where all are of the other tier
TWO_TIERS = {"fast": ("-m", "not slow"), "slow": ("-m", "slow")}


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    tests: tuple[str, ...]
    old: str
    new: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    name: str
    file: str
    seen_in: str  # a tier, "none" or "error"
    seconds: float
    by: str  # the test that failed, or what went wrong
    missing: list[str]  # tests that are not in this checkout


def read(text: str) -> list[Mutant]:
    """A line for each; those that begin with # are for people."""
    rows = [line.split(" | ", 3) for line in text.splitlines() if not line.startswith("#")]
    return [Mutant(name, file, tuple(tests.split()), *change.split(" => ")) for name, file, tests, change in rows]


def changed(mutant: Mutant, root: Path) -> str:
    """The file with the change; ends the command where it cannot be made, or makes no Python."""
    text = (root / mutant.file).read_text(encoding="utf-8")
    if text.count(mutant.old) != 1 or not mutant.old or mutant.old == mutant.new:
        sys.exit(f"{mutant.name}: {mutant.old!r} occurs {text.count(mutant.old)} times in {mutant.file}, not once")
    text = text.replace(mutant.old, mutant.new)
    if mutant.file.endswith(".py"):
        compile(text, mutant.file, "exec")
    return text


class Bench:
    """The checkout as it is now, and copies of it in which tests run."""

    def __init__(self, checkout: Path, folder: Path, trust: bool) -> None:
        self.pristine, self._cache, self._folder = folder / "pristine", folder / "xla", folder
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=checkout, check=True, capture_output=True, text=True)
        for name in filter(None, listed.stdout.split("\0")):
            if (checkout / name).is_file():
                (self.pristine / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(checkout / name, self.pristine / name)
        kept = checkout / ".pytest_cache" / "xla"  # programs that its tests compiled; those of mutants stay out of it
        if kept.is_dir():
            shutil.copytree(kept, self._cache, copy_function=os.link)
        self._cache.mkdir(exist_ok=True)
        has_tiers = '"slow:' in (self.pristine / "pyproject.toml").read_text(encoding="utf-8")
        self.tiers = TWO_TIERS if has_tiers else {"caught": ()}
        self._trust, self._baselines = trust, {}
        self._locks = collections.defaultdict(threading.Lock)

    @contextlib.contextmanager
    def copy(self):
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="", ignore_cleanup_errors=True) as place:
            copy = Path(place, "copy")
            shutil.copytree(self.pristine, copy)
            (copy / ".pytest_cache").mkdir()
            (copy / ".pytest_cache" / "xla").symlink_to(self._cache)
            yield copy

    def run(self, copy: Path, tier: str, tests: list[str]) -> tuple[int, str]:
        """pytest's exit code, and what it said."""
        own = copy.with_name("tmp")
        own.mkdir(exist_ok=True)
        quiet = ["-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider"]
        command = [sys.executable, *quiet, *self.tiers[tier], *(f"tests/{path}" for path in tests)]
        inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
        with (own / "log").open("w+", encoding="utf-8", errors="replace") as log:
            options = {"cwd": copy, "env": {**inherited, "TMPDIR": str(own)}, "start_new_session": True}
            process = subprocess.Popen(command, stdout=log, stderr=log, **options)
            try:
                code = process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                code = -signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also what the tests left running
            process.wait()
            log.seek(0)
            return code, log.read()

    def complaint(self, tier: str, path: str) -> str:
        """Empty where the unchanged source passes these tests; asked of each but once."""
        with self._locks[tier, path]:
            if not self._trust and (tier, path) not in self._baselines:
                with self.copy() as copy:
                    code, said = self.run(copy, tier, [path])
                self._baselines[tier, path] = "" if code in NOTHING_FAILED else f"unchanged, too: {by_whom(code, said)}"
            return self._baselines.get((tier, path), "")

    def judge(self, mutant: Mutant) -> Verdict:
        missing = [path for path in mutant.tests if not (self.pristine / "tests" / path).exists()]
        seen_in, seconds, by = self._look(mutant, [path for path in mutant.tests if path not in missing])
        print(f"{mutant.name}: {seen_in}, {seconds:.0f} s {by}", file=sys.stderr, flush=True)
        return Verdict(mutant.name, mutant.file, seen_in, round(seconds, 1), by, missing)

    def _look(self, mutant: Mutant, tests: list[str]) -> tuple[str, float, str]:
        seconds = 0.0
        if not tests:
            return "error", seconds, "none of its tests is there"
        with self.copy() as copy:
            (copy / mutant.file).write_text(changed(mutant, self.pristine), encoding="utf-8")
            for tier in self.tiers:
                if wrong := next(filter(None, (self.complaint(tier, path) for path in tests)), ""):
                    return "error", seconds, wrong
                begun = time.monotonic()
                code, said = self.run(copy, tier, tests)
                seconds += time.monotonic() - begun
                if code not in NOTHING_FAILED:
                    return tier if code == FAILED else "error", seconds, by_whom(code, said)
        return "none", seconds, ""


def by_whom(code: int, said: str) -> str:
    """The first test that failed, or how pytest ended."""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return failed[1].removeprefix("tests/") if failed else f"exit code {code}: {said.strip()[-200:]!r}"


def table(verdicts: list[Verdict], tiers: list[str]) -> str:
    columns = [*tiers, "none", "error"]
    lines = [
        f"| mutant | file | {' | '.join(columns)} | seconds | by |",
        "| --- " * 2 + "| ---: " * (len(columns) + 1) + "| --- |",
    ]
    for one in verdicts:
        by = "; ".join(filter(None, [one.by, *(f"no tests/{path}" for path in one.missing)])).replace("|", "/")
        marks = [str(int(one.seen_in == column)).replace("0", "") for column in columns]
        lines.append("| " + " | ".join([one.name, one.file, *marks, f"{one.seconds:.0f}", by]) + " |")
    counts = collections.Counter(one.seen_in for one in verdicts)
    totals = [*(str(counts[column]) for column in columns), f"{sum(one.seconds for one in verdicts):.0f}"]
    return "\n".join([*lines, "| " + " | ".join([f"{len(verdicts)} in all", "", *totals, ""]) + " |"])


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=TESTS.parent, help="whose source and tests (this one's)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2, help="so many at a time")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--trust", action="store_true", help="take it that the tests pass unchanged")
    flags = parser.parse_args(argv)
    if importlib.util.find_spec("scan_jax"):
        sys.exit("scan_jax is installed for this interpreter: tests would import that one, not the copy's")
    mutants = read((TESTS / "mutants.txt").read_text(encoding="utf-8"))
    if unknown := set(flags.only) - {mutant.name for mutant in mutants}:
        sys.exit(f"no mutants are called {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="mutants_", ignore_cleanup_errors=True) as folder:
        bench = Bench(flags.checkout.resolve(), Path(folder), flags.trust)
        for mutant in mutants:
            changed(mutant, bench.pristine)
        with ThreadPoolExecutor(flags.jobs) as pool:
            chosen = [mutant for mutant in mutants if not flags.only or mutant.name in flags.only]
            verdicts = list(pool.map(bench.judge, chosen))
    print(table(verdicts, list(bench.tiers)))
    if flags.json:
        flags.json.write_text(json.dumps([dataclasses.asdict(one) for one in verdicts], indent=1) + "\n")
    return int(any(one.seen_in in ("none", "error") for one in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
