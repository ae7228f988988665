"""Kills a training run again and again, starts it again each time, and compares the end with a run that was left alone.

    python tests/torture.py --kills=20 [--seed=0] [--out=DIR] [--config.training.workers=2 ...]

SIGKILL to the whole process group at moments at random, and in each phase: as soon as a run imports, compiles, reads,
steps, saves, evaluates and so on. Exit code 1 where anything deviates.
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
from process_groups import ROOT
from process_groups import environment as environment_of
from run_comparison import checkpoint_steps, compare, left_over, scalars, steps_missing_or_repeated

SITE = Path(__file__).parent / "torture_site"
CHECKPOINT_EVERY, CYCLE = 5, 10  # steps between checkpoints, and between evaluations
TINY = f"""
    data.size=32 data.count=16 data.held_out=4
    method.width=4 method.critic_width=4 method.regions=2 method.blocks=0 method.stages=1 method.attention=()
    method.prior=none method.loss.adversarial=0.01 training.optimizers.generator.algorithm=adam
    training.batch_size=4 training.log_every=1 training.checkpoint_every={CHECKPOINT_EVERY} training.keep_best=1
    training.evaluate_every={CYCLE} training.pictures_every={CYCLE}
    evaluation.edges=(0.1,0.3,0.6) evaluation.holes_per_bucket=2
""".split()
COMPLAINT = re.compile(r"^.*(?:Traceback|Error|[Ww]arning|damaged).*$", re.MULTILINE)
PATIENCE = 600.0  # seconds that a start may take
AIMS = ("compile", "save", "evaluation", "data", "step", "pictures", "restore", "imports", "opening")


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to kill: `delay` seconds after the run has entered the phase `aim`, or "any" phase, so many times."""

    aim: str
    times: int = 1
    delay: float = 0.0


@dataclasses.dataclass(frozen=True)
class Kill:
    """What a kill hit, and what was there then."""

    aim: str
    seconds: float  # after the start
    hit: str  # the phase
    step: int  # the last one that the start has logged; else that of the checkpoint
    committed: int  # the newest checkpoint with a commit file; 0 for none
    writing: tuple  # steps whose checkpoint has none


@dataclasses.dataclass(frozen=True)
class Folder:
    path: Path
    caches: Path  # of compilations
    logs: Path
    overrides: tuple

    def run(self, name, aim=""):
        """The command, in a process group of its own, until it ends; its exit code, which is 0 or that of a SIGKILL."""
        self.logs.mkdir(parents=True, exist_ok=True)
        environment = {
            **environment_of(self.caches),
            "PYTHONPATH": os.pathsep.join([str(SITE), str(ROOT)]),
            "TORTURE_HIT": str(self.logs / f"{name}.hit"),
            "TORTURE_RUN": str(self.path),
            "TORTURE_AIM": aim,
        }
        changes = [*(f"--config.{word}" for word in TINY), *self.overrides, f"--workdir={self.path}"]
        command = [sys.executable, "-m", "scan_jax.main", "--config=configs/demo.py", *changes]
        with (self.logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log, start_new_session=True)
        try:
            code = process.wait(PATIENCE)
        finally:
            end(process)
        if code not in (0, -signal.SIGKILL if aim else 0):
            raise RuntimeError(f"{name} ended with {code}\n{self.log(name)[-2000:]}")
        return code

    def log(self, name):
        return (self.logs / f"{name}.log").read_text(errors="replace")


def kill_at(folder, name, moment):
    """Starts the command, which kills itself at a moment; None where it came to its end before."""
    begun, clock = time.monotonic(), time.time()
    if folder.run(name, f"{moment.aim},{moment.times},{moment.delay}") == 0:
        return None
    committed, writing = checkpoint_steps(folder.path)
    logged, newest = folder.path / "scalars.jsonl", max(committed, default=0)
    wrote = logged.exists() and logged.stat().st_mtime >= clock  # else the last step was lost to an earlier kill
    step = max((line["step"] for line in scalars(folder.path)), default=0) if wrote else newest
    hit = (folder.logs / f"{name}.hit").read_text()
    return Kill(moment.aim, time.monotonic() - begun, hit, step, newest, tuple(writing))


def end(process, patience=10.0):
    """SIGKILL to the whole group, which nobody outlives."""
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
    aimed = [Moment(aim, 1, draw.uniform(0, 0.05)) for aim in itertools.islice(itertools.cycle(AIMS), kills // 2)]
    anywhere = [Moment("any", draw.randint(1, 100), draw.uniform(0, 0.5)) for _ in range(kills - 1 - len(aimed))]
    mixed = aimed + anywhere
    draw.shuffle(mixed)
    return [*mixed, Moment("end", 1, draw.uniform(0, 0.05))]


def torture(whole, killed, planned):
    """Kills and restarts until the run is complete, and runs another one without; the kills."""
    kills = []
    for number, moment in enumerate(planned, 1):
        kill = kill_at(killed, f"start{number:02d}", moment)
        if kill is None:
            break
        kills.append(kill)
        print(f"{number:3d} {row(kill)}", flush=True)
    killed.run("last")
    whole.run("whole")
    return kills


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
    writing = ",".join(map(str, kill.writing)) or "-"
    return f"{kill.aim:>10} {kill.seconds:7.1f} s  {kill.hit:<10} {kill.step:9d} {kill.committed:7d} {writing:>13}"


def deviations(whole, killed, kills, steps):
    """Everything that is not as if the run of so many steps had been left alone, a line each."""
    complaints = [f"{name} says: {line[:160]}" for name in names(kills) for line in COMPLAINT.findall(killed.log(name))]
    return [
        *lost(kills, [began_at(killed.log(name)) for name in names(kills)]),
        *compare(whole.path, killed.path),
        *steps_missing_or_repeated(killed.path, steps),
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
        if kill.step - kill.committed > CHECKPOINT_EVERY * (2 if kill.writing else 1):
            found.append(f"kill {number} cost {kill.step - kill.committed} steps")
    return found


def folders(base, steps, *overrides):
    """One for a run that is left alone and one for a run that is killed, with one cache of compiled programs."""
    settings = (f"--config.training.steps={steps}", *overrides)
    return [Folder(base / name, base / "caches", base / f"logs_of_{name}", settings) for name in ("whole", "killed")]


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, help="a new folder for both runs and their logs")
    flags, overrides = parser.parse_known_args(argv)
    out = flags.out or Path(tempfile.mkdtemp(prefix="torture"))
    steps = max(60, 10 * flags.kills)
    whole, killed = folders(out, steps, *overrides)
    print(f"{flags.kills} kills in {steps} steps, a checkpoint every {CHECKPOINT_EVERY}; in {out}", flush=True)
    print("kill     aim     after    hit        last step   saved  half-written")
    kills = torture(whole, killed, moments(flags.kills, flags.seed))
    found = deviations(whole, killed, kills, steps)
    if len(kills) < flags.kills:
        found.append(f"the run was complete after {len(kills)} of {flags.kills} kills")
    hits = Counter(kill.hit for kill in kills).most_common()
    print("\nhit: " + ", ".join(f"{phase} {count}" for phase, count in hits))
    costs = [kill.step - kill.committed for kill in kills]
    print(f"steps lost to a kill: {np.mean(costs):.1f} on average, {max(costs)} at most")
    survived = f"{len(kills)} of {len(kills)} kills survived: bit by bit as if the run had been left alone"
    print("\n".join(found) or survived)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
