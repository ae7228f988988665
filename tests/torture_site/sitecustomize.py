"""Python runs this before the program of whoever has this folder in PYTHONPATH: notes which phase a run is in.

Functions are wrapped as their modules are imported; entering and leaving one is noted in the file TORTURE_PHASE.PID,
where whoever kills the run can read it. With TORTURE_AIM="PHASE,SECONDS" the run kills its process group by itself, so
long after it has entered a phase: nobody else could be quick enough on a busy machine.

Looking at the threads' stacks would need no wrapping, but neither faulthandler's signals nor sys._current_frames are
safe some thousand times in a program at work.
"""

import functools
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import threading
import time
from pathlib import Path

PHASES = {
    "scan_jax.experiment": {"run": "opening"},
    "scan_jax.training.loop": {"Loop.run": "step"},
    "scan_jax.training.feed": {"_read": "data"},
    "scan_jax.training.checkpoints": {"Checkpoints.save": "save", "Checkpoints.restore": "restore"},
    "scan_jax.evaluation.evaluator": {"Evaluator.report": "evaluation"},
    "scan_jax.evaluation.contact_sheet": {"ContactSheet.write": "pictures"},
    "jax._src.compiler": {"compile_or_get_cached": "compile"},
}
LENGTH = 64  # bytes: those of the main thread, then those of another


class Note:
    """The phases that a process is in, the innermost last."""

    def __init__(self, path, aim="", delay="0"):
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY)
        self._main, self._others = [], []
        self._aim, self._delay = aim, float(delay)

    def wrap(self, function, phase):
        @functools.wraps(function)
        def noted(*args, **kwargs):
            is_main = threading.current_thread() is threading.main_thread()
            phases = self._main if is_main else self._others
            phases.append(phase)
            self._write(phases, is_main)
            if phase == self._aim and (phase != "compile" or "step" in phases):  # not the small programs before it
                self._aim = ""
                threading.Thread(target=kill, args=(phase, self._delay), daemon=True).start()
            try:
                return function(*args, **kwargs)
            finally:
                phases.remove(phase)
                self._write(phases, is_main)

        return noted

    def _write(self, phases, is_main):
        os.pwrite(self._file, " ".join(phases).ljust(LENGTH).encode(), 0 if is_main else LENGTH)


def kill(phase, delay):
    """SIGKILL to all that belongs to the run; for a save, as soon as there is a checkpoint without a commit file."""
    while phase == "save" and not half_written():
        time.sleep(0.001)
    time.sleep(delay)
    os.killpg(0, signal.SIGKILL)


def half_written():
    folders = Path(os.environ["TORTURE_RUN"]).glob("checkpoints/[0-9]*")
    return any(folder.name.isdigit() and not (folder / "commit_success.txt").exists() for folder in folders)


class Wrapper(importlib.abc.MetaPathFinder):
    """Imports the modules of PHASES as anybody else would, then wraps their functions."""

    def __init__(self, note):
        self._note = note

    def find_spec(self, name, path, target=None):
        if name not in PHASES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            for place, phase in PHASES[name].items():
                *owner, function = place.split(".")
                holder = functools.reduce(getattr, owner, module)
                setattr(holder, function, self._note.wrap(getattr(holder, function), phase))

        spec.loader.exec_module = exec_module
        return spec


if "TORTURE_PHASE" in os.environ:
    note = Note(f"{os.environ['TORTURE_PHASE']}.{os.getpid()}", *filter(None, os.environ["TORTURE_AIM"].split(",")))
    sys.meta_path.insert(0, Wrapper(note))
