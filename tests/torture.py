"""Kills a training run again and again, starts it again each time, and compares the end with a run that was left alone.

    python tests/torture.py --kills=20 [--seed=0] [--out=DIR] [--config.training.workers=2 ...]

SIGKILL to the whole process group, at moments uniform over a start or, so that no phase is missed, as soon as a run
compiles, reads, steps, saves or evaluates. Exit code 1 where anything deviates.
"""

import argparse
import contextlib
import dataclasses
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from run_comparison import checkpoint_steps, compare, left_over, scalars, steps_missing_or_repeated

ROOT = Path(__file__).parents[1]
CHECKPOINT_EVERY, CYCLE = 5, 10  # steps between checkpoints, and between evaluations
FARTHEST = 15  # steps of a start that is to be killed, if it does not come to what the kill aims at
TINY = (
    "--config=configs/demo.py",
    "--config.data.size=32",
    "--config.data.count=16",
    "--config.data.held_out=4",
    "--config.method.width=4",
    "--config.method.critic_width=4",
    "--config.method.regions=2",
    "--config.method.blocks=1",
    "--config.training.batch_size=4",
    "--config.training.log_every=1",
    f"--config.training.checkpoint_every={CHECKPOINT_EVERY}",
    f"--config.training.evaluate_every={CYCLE}",
    f"--config.training.pictures_every={CYCLE}",
    "--config.training.keep_best=1",
    "--config.evaluation.edges=(0.1,0.3,0.6)",
    "--config.evaluation.holes_per_bucket=2",
)
COMPLAINT = re.compile(r"^.*(?:Traceback|Error|[Ww]arning|damaged).*$", re.MULTILINE)
PATIENCE = 600.0  # seconds that a start may take

SITE, LENGTH = Path(__file__).parent / "torture_site", 64  # notes what a run is doing, in so many bytes a thread
OUTSIDE = ("any", "end", "step", "imports")  # moments that are seen from outside of the run
MUST_BE_HIT = ("imports", "compile", "data", "step", "save", "evaluation")
BEFORE_STEPS = frozenset({"imports", "opening", "compile", "restore"})


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to kill: at `aim`, a phase, and `delay` seconds later; or for "any" once that share of a start is over."""

    aim: str
    delay: float


@dataclasses.dataclass(frozen=True)
class Kill:
    """What a kill hit, and what was there then."""

    aim: str
    seconds: float  # after the start
    phases: frozenset  # of all threads
    step: int  # the last one in scalars.jsonl
    committed: int  # the newest checkpoint with a commit file; 0 for none
    writing: tuple  # steps whose checkpoint has none


@dataclasses.dataclass(frozen=True)
class Folder:
    """A run folder and what lies beside it."""

    path: Path
    caches: Path  # of compilations
    logs: Path
    overrides: tuple

    def start(self, name, aim=""):
        """The command, in a process group of its own, and the file that says what it does; see torture_site."""
        self.logs.mkdir(parents=True, exist_ok=True)
        paths = [str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # of the compiler: it takes longer than the run
            "XDG_CACHE_HOME": str(self.caches),
            "PYTHONPATH": os.pathsep.join(paths),
            "TORTURE_PHASE": str(self.logs / name),
            "TORTURE_RUN": str(self.path),
            "TORTURE_AIM": aim,
        }
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
        command = [sys.executable, "-m", "scan_jax.main", *TINY, *self.overrides, f"--workdir={self.path}"]
        with (self.logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log, start_new_session=True)
        return process, self.logs / f"{name}.{process.pid}"

    def last_step(self):
        """The last that was logged."""
        return next((line["step"] for line in reversed(scalars(self.path))), 0)

    def written_since(self, moment):
        """Whether a start has cleaned up behind an earlier one and begun to write, since that time of the clock."""
        path = self.path / "scalars.jsonl"
        return path.exists() and path.stat().st_mtime >= moment

    def checkpoints(self):
        """Steps with and without a commit file."""
        return checkpoint_steps(self.path)

    def log(self, name):
        return (self.logs / f"{name}.log").read_text(errors="replace")


def run_through(folder, name):
    """Lets a start run to its end; the seconds until its first step."""
    begun, clock, first = time.monotonic(), time.time(), 0.0
    process, _ = folder.start(name)
    while process.poll() is None:
        if not first and folder.written_since(clock) and scalars(folder.path):
            first = time.monotonic() - begun
        if time.monotonic() - begun > PATIENCE:
            end(process)
            raise RuntimeError(f"{name} did not end within {PATIENCE:.0f} s\n{folder.log(name)[-2000:]}")
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"{name} ended with {process.returncode}\n{folder.log(name)[-2000:]}")
    return first


def kill_at(folder, name, moment, startup=PATIENCE):
    """Starts the command and kills it at a moment; None where it came to its end before.

    Others than "any" moment need no `startup`, the seconds that a start takes to its first step.
    """
    begun, clock = time.monotonic(), time.time()
    first = max(folder.checkpoints()[0], default=0)
    process, note = folder.start(name, "" if moment.aim in OUTSIDE else f"{moment.aim},{moment.delay}")
    while process.poll() is None and not _has_come(
        folder, moment, note, (time.monotonic() - begun) / startup, clock, first
    ):
        if time.monotonic() - begun > PATIENCE:
            end(process)
            raise RuntimeError(f"{name} never came to {moment.aim}\n{folder.log(name)[-2000:]}")
        time.sleep(0.01)
    seconds, code = time.monotonic() - begun, process.poll()
    end(process)
    if code == 0:
        return None
    if code not in (None, -signal.SIGKILL):
        raise RuntimeError(f"{name} ended with {code}\n{folder.log(name)[-2000:]}")
    (main, others), (committed, writing) = look(note), folder.checkpoints()
    phases = {phase for phase in main if phase not in ("opening", "step")} | {main[-1], *others}
    if _steps_since(folder, clock, first) == 0:
        phases = {"compile" if phase == "step" else phase for phase in phases}  # traced or lowered, at least
    if writing and folder.written_since(clock):
        phases.add("save")  # in the background
    return Kill(moment.aim, seconds, frozenset(phases), folder.last_step(), max(committed, default=0), tuple(writing))


def _steps_since(folder, clock, first):
    """That a start at that time, which went on from step `first`, has done."""
    return max(folder.last_step() - first, 0) if folder.written_since(clock) else 0


def _has_come(folder, moment, note, share, clock, first):
    """Whether it is time; `share` of a start's way to its first step is over, which is the one after `first`."""
    steps = _steps_since(folder, clock, first)
    if moment.aim == "any":
        return share >= 1.2 * moment.delay or steps >= max(1, round(moment.delay * CYCLE))
    if moment.aim == "end":
        hit = first + steps >= _steps(folder)
    elif moment.aim == "step":
        hit = steps > 0 and look(note)[0][-1] == "step"
    else:
        hit = moment.aim == "imports" and look(note)[0] == ["imports"]
    if hit:
        time.sleep(moment.delay)
    return hit or (moment.aim != "end" and steps >= FARTHEST)


def _steps(folder):
    """Of the whole run."""
    return next(int(text.partition("=")[2]) for text in folder.overrides[::-1] if "training.steps=" in text)


def look(note):
    """What a start's main thread is doing, the innermost last, and what another is; "imports" before the first note."""
    told = note.read_text() if note.exists() else ""
    return told[:LENGTH].split() or ["imports"], told[LENGTH:].split()


def end(process, patience=10.0):
    """SIGKILL to the whole group.

    Raises:
      RuntimeError: one of them outlives it.
    """
    with contextlib.suppress(ProcessLookupError):  # it may have killed itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + patience
    while alive := members(process.pid):
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes {alive} outlived the SIGKILL to their group {process.pid}")
        time.sleep(0.01)


def members(session):
    """The living processes of a session, those included that left its group."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, sid = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue  # it ended while we looked
        if int(sid) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def moments(kills, seed):
    """Half of them anywhere in a start, the others at one phase after the other, and one after the last step."""
    draw = random.Random(seed)
    aims = itertools.cycle(("compile", "save", "evaluation", "data", "step", "pictures", "restore", "imports"))
    aimed = [Moment(aim, draw.uniform(0, 0.05)) for aim in itertools.islice(aims, (kills - 1) // 2)]
    anywhere = [Moment("any", draw.random()) for _ in range(kills - 1 - len(aimed))]
    mixed = aimed + anywhere
    draw.shuffle(mixed)
    return [*mixed, Moment("end", draw.uniform(0, 0.5))]


def torture(whole, killed, planned):
    """Kills and restarts until the run is complete; every kill with the step that the start after it began with."""
    startup = run_through(whole, "whole")
    kills = []
    for number, moment in enumerate(planned, 1):
        kill = kill_at(killed, f"start{number:02d}", moment, startup)
        if kill is None:
            break
        kills.append(kill)
        print(f"{number:3d} {row(kill)}", flush=True)
    run_through(killed, "last")
    return kills, [began_at(killed.log(name)) for name in names(kills)]


def names(kills):
    """Of all starts after which somebody went on, and of the last one."""
    return [*(f"start{number:02d}" for number in range(1, len(kills) + 1)), "last"]


def began_at(log):
    """The step that a start went on from; 0 where it began anew, None where it was killed before it could say."""
    found = re.search(r"going on from step (\d+)|all (\d+) steps are done", log)
    if found:
        return int(found[1] or found[2])
    return 0 if "step/s" in log else None


def row(kill):
    """One kill of the table."""
    writing, hit = ",".join(map(str, kill.writing)) or "-", "+".join(sorted(kill.phases))
    return f"{kill.aim:>10} {kill.seconds:7.1f} s  {hit:<22} {kill.step:9d} {kill.committed:7d} {writing:>13}"


def deviations(whole, killed, kills, beginnings):
    """Everything that is not as if the run had been left alone, a line each."""
    complaints = [f"{name} says: {line[:160]}" for name in names(kills) for line in COMPLAINT.findall(killed.log(name))]
    return [
        *lost(kills, beginnings),
        *compare(whole.path, killed.path),
        *steps_missing_or_repeated(killed.path, _steps(killed)),
        *left_over(killed.path),
        *complaints,
    ]


def lost(kills, beginnings):
    """Starts that went on from before the newest checkpoint, and kills that cost more than an interval."""
    found = []
    for number, kill in enumerate(kills, 1):
        later = next((step for step in beginnings[number:] if step is not None), None)
        if later is None or later < kill.committed:
            found.append(f"after kill {number} the run went on from {later}, though {kill.committed} was saved")
        if kill.phases <= BEFORE_STEPS:  # it lost nothing itself: the last step was lost to the kill before it
            continue
        if kill.step - kill.committed > CHECKPOINT_EVERY * (2 if kill.writing else 1):
            found.append(f"kill {number} cost {kill.step - kill.committed} steps")
    return found


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, help="a new folder for both runs and their logs")
    flags, overrides = parser.parse_known_args(argv)
    out = flags.out or Path(tempfile.mkdtemp(prefix="torture"))
    steps = max(60, 10 * flags.kills)
    settings = (f"--config.training.steps={steps}", *overrides)
    whole = Folder(out / "whole", out / "caches_of_whole", out / "logs_of_whole", settings)
    killed = Folder(out / "killed", out / "caches_of_killed", out / "logs_of_killed", settings)
    print(f"{flags.kills} kills in {steps} steps, a checkpoint every {CHECKPOINT_EVERY}; in {out}", flush=True)
    kills, beginnings = torture(whole, killed, moments(flags.kills, flags.seed))
    found = deviations(whole, killed, kills, beginnings)
    hits = Counter(phase for kill in kills for phase in kill.phases)
    missed = [phase for phase in MUST_BE_HIT if not hits[phase]]
    if missed and flags.kills >= 12:
        found.append(f"no kill hit: {', '.join(missed)}")
    if len(kills) < flags.kills:
        found.append(f"the run was complete after {len(kills)} of {flags.kills} kills")
    report(kills, beginnings, hits, found)
    return 1 if found else 0


def report(kills, beginnings, hits, found):
    """The table of kills, and what came of them."""
    print("\nkill     aim     after    hit                    last step   saved  half-written    next start from")
    for number, kill in enumerate(kills, 1):
        later = next((step for step in beginnings[number:] if step is not None), None)
        print(f"{number:3d} {row(kill)} {later:18d}")
    print("\nhit: " + ", ".join(f"{phase} {count}" for phase, count in hits.most_common()))
    costs = [kill.step - kill.committed for kill in kills if not kill.phases <= BEFORE_STEPS]
    print(f"steps lost to a kill: {np.mean(costs):.1f} on average, {max(costs)} at most")
    print(
        "\n".join(found) or f"{len(kills)} of {len(kills)} kills survived: bit by bit as if the run had been left alone"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
