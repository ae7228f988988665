"""Python runs this before the program of whoever has this folder in PYTHONPATH: a training run that kills itself.

Functions are wrapped as their modules are imported. With TORTURE_AIM="PHASE,TIMES,SECONDS" the run kills its process
group so long after it has entered a phase so many times, or "any" of them: nobody else could be quick enough on a busy
machine. The file TORTURE_HIT then says which phase it was.
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
    "scan_jax.commands.experiment": {"run": "opening"},
    "scan_jax.training.loop": {"Run._take_steps": "loop"},
    "scan_jax.training.sharding": {"_read": "data"},
    "scan_jax.training.scalars": {"ScalarWriters.write": "step"},
    "scan_jax.training.checkpoints": {"Checkpoints.save": "save", "Checkpoints.restore": "restore"},
    "scan_jax.evaluation.evaluator": {"Evaluator.measure": "evaluation"},
    "scan_jax.evaluation.run_pictures": {"ContactSheet.write": "pictures", "draw_curves": "end"},
    "jax._src.compiler": {"compile_or_get_cached": "compile"},
}


class Killer:
    def __init__(self, aim, times, delay):
        self._aim, self._left, self._delay = aim, int(times), float(delay)
        self._entered = set()

    def enter(self, phase):
        """Begins to kill where this is the moment."""
        self._entered.add(phase)
        small = phase == "compile" and "loop" not in self._entered  # a program before the step's
        if self._aim == "any" or (self._aim == phase and not small):
            self._left -= 1
            if self._left == 0:
                threading.Thread(target=self._kill, args=[phase], daemon=True).start()

    def _kill(self, phase):
        """SIGKILL to the whole run; for a save, as soon as there is a checkpoint without a commit file."""
        while phase == "save" and not half_written():
            time.sleep(0.001)
        time.sleep(self._delay)
        Path(os.environ["TORTURE_HIT"]).write_text(phase)
        os.killpg(0, signal.SIGKILL)

    def wrap(self, function, phase):
        @functools.wraps(function)
        def watched(*args, **kwargs):
            self.enter(phase)
            return function(*args, **kwargs)

        return watched


def half_written():
    folders = Path(os.environ["TORTURE_RUN"]).glob("checkpoints/[0-9]*")
    return any(folder.name.isdigit() and not (folder / "commit_success.txt").exists() for folder in folders)


class Wrapper(importlib.abc.MetaPathFinder):
    """Imports the modules of PHASES as anybody else would, then wraps their functions."""

    def __init__(self, killer):
        self._killer = killer

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
                setattr(holder, function, self._killer.wrap(getattr(holder, function), phase))

        spec.loader.exec_module = exec_module
        return spec


if os.environ.get("TORTURE_AIM"):
    killer = Killer(*os.environ["TORTURE_AIM"].split(","))
    killer.enter("imports")
    sys.meta_path.insert(0, Wrapper(killer))
