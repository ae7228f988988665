"""Python runs this before the program of whoever has this folder in PYTHONPATH: notes which phase a run is in.

Functions are wrapped as their modules are imported; entering and leaving one is noted in the file TORTURE_PHASE.PID,
where whoever kills the run can read it. (Looking at the threads' stacks would need no wrapping, but neither
faulthandler's signals nor sys._current_frames survive some thousand looks at a program at work.)
"""

import functools
import importlib.abc
import importlib.machinery
import os
import sys
import threading

PHASES = {
    "scan_jax.experiment": {"run": "opening"},
    "scan_jax.training.loop": {"Loop.run": "step"},
    "scan_jax.training.feed": {"_read": "data"},
    "scan_jax.training.checkpoints": {"Checkpoints.save": "save", "Checkpoints.restore": "restore"},
    "scan_jax.evaluation.evaluator": {"Evaluator.__call__": "evaluation"},
    "scan_jax.evaluation.contact_sheet": {"ContactSheet.write": "pictures"},
    "jax._src.compiler": {"compile_or_get_cached": "compile"},
}
AROUND = ("opening", "step")  # told only where nothing else goes on within
LENGTH = 64  # bytes: those of the main thread, then those of another


class Note:
    """The phases that a process is in."""

    def __init__(self, path):
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY)
        self._main, self._others = [], []

    def wrap(self, function, phase):
        @functools.wraps(function)
        def noted(*args, **kwargs):
            is_main = threading.current_thread() is threading.main_thread()
            phases = self._main if is_main else self._others
            phases.append(phase)
            self._write(phases, is_main)
            try:
                return function(*args, **kwargs)
            finally:
                phases.remove(phase)
                self._write(phases, is_main)

        return noted

    def _write(self, phases, is_main):
        shown = [phase for phase in phases[:-1] if phase not in AROUND] + phases[-1:]
        os.pwrite(self._file, " ".join(shown).ljust(LENGTH).encode(), 0 if is_main else LENGTH)


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
    sys.meta_path.insert(0, Wrapper(Note(f"{os.environ['TORTURE_PHASE']}.{os.getpid()}")))
