"""Takes the parts one after the other, each in a process of its own, and the processes' side of that.

A part's process writes a line of JSON for each row; this one keeps them, so that a part that crashes, hangs or takes
all memory costs no other part anything.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import scan_jax
from scan_jax.device_check.plan import LeftOut, Part, Rows, Setting, allot
from scan_jax.device_check.results import DONE, LOGS, Results

log = logging.getLogger(__name__)
ROW, LEFT_OUT = '{"what"', '{"left_out"'  # how the lines of a part's process begin; others are of libraries
QUICKER = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # of --tiny: compiling takes longer than running
AT_ONCE = 2  # parts of --tiny, whose seconds nobody reads
LAST_WORDS = 300  # characters


def run(parts: Sequence[Part], setting: Setting, seconds: float, results: Results) -> None:
    """Takes what is not done; what a part does not use of its time is shared among the parts after it."""
    end, lock = time.monotonic() + seconds, threading.Lock()
    todo = [part for part in parts if not results.is_done(part)]
    for part in parts:
        if part not in todo:
            log.info("%s was done by an earlier call", part.name)
    at_once = AT_ONCE if setting.tiny else 1

    def take_some() -> None:
        while True:
            with lock:
                limits = allot(todo, at_once * (end - time.monotonic()), tiny=setting.tiny)
                if not limits:
                    return
                part, limit = next(iter(limits.items()))
                todo.remove(part)
            began = time.monotonic()
            log.info("%s, %.0f s at most: %s", part.name, limit, part.about)
            how = take(part, setting, min(limit, end - began), results)
            results.end(part, how, time.monotonic() - began)
            log.log(logging.INFO if how == DONE else logging.WARNING, "%s: %s", part.name, how)

    if at_once == 1:
        take_some()
    else:
        with ThreadPoolExecutor(at_once) as threads:
            for taken in [threads.submit(take_some) for _ in range(at_once)]:
                taken.result()
    for part in todo:
        how = f"left out: too few minutes for its {part.least:.0f} s; the same command again takes it"
        results.end(part, how)
        log.warning("%s %s", part.name, how)


def take(part: Part, setting: Setting, limit: float, results: Results) -> str:
    """One part; its rows go to `results`. How it ended."""
    known = results.rows.get(part.name, {})
    told = {"rows": part.rows, "out": str(setting.out), "tiny": setting.tiny, "done": known}
    told |= {"public": str(setting.public)} if setting.public else {}
    (setting.out / LOGS).mkdir(parents=True, exist_ok=True)
    words, late = setting.out / LOGS / f"{part.name}.txt", threading.Event()
    left_out = ""
    with words.open("wb") as errors, _process(setting, errors) as child:

        def stop() -> None:
            late.set()
            _end(child)

        timer = threading.Timer(limit, stop)
        timer.start()
        try:
            assert child.stdin and child.stdout
            # Its standard input stays open: where that ends, this process is gone, and the part ends itself.
            child.stdin.write(json.dumps(told).encode() + b"\n")
            child.stdin.flush()
            for line in child.stdout:
                if line.startswith(ROW.encode()):
                    results.row(part, json.loads(line))
                elif line.startswith(LEFT_OUT.encode()):
                    left_out = json.loads(line)["left_out"]
            code = child.wait()
        except BrokenPipeError:
            code = child.wait()
        finally:
            timer.cancel()
            _end(child)
    if left_out:
        return f"left out: {left_out}"
    if late.is_set():
        return f"ran out of its {limit:.0f} s; the same command again goes on"
    return DONE if code == 0 else f"failed: {_last_words(words, code)}"


def _process(setting: Setting, errors: Any) -> subprocess.Popen[bytes]:
    """A part's process, at the head of a group of its own."""
    here = [str(Path(scan_jax.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(here), **(QUICKER if setting.tiny else {})}
    command = [sys.executable, "-m", __name__]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
    return subprocess.Popen(command, **pipes, env=environment, start_new_session=True)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kills it and what it started."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)


def _last_words(file: Path, code: int) -> str:
    """The error of a process that ended with `code`, in one line."""
    lines = [line for line in file.read_text(errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith((" ", "For simplicity", "----", "JAX has removed"))]
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{told[-1].strip()[:LAST_WORDS]} ({how})" if told else how


def main() -> None:
    """In the part's process: measures each row that is not known yet, and writes it."""
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    public = Path(told["public"]) if "public" in told else None
    setting = Setting(Path(told["out"]), told["tiny"], public, told["done"])
    write(load(told["rows"]), setting, lambda line: print(line, flush=True))


def load(place: str) -> Rows:
    """The function of a part at "module:function"."""
    module, function = place.split(":")
    rows: Rows = getattr(importlib.import_module(module), function)
    return rows


def write(rows: Rows, setting: Setting, put: Callable[[str], None]) -> None:
    """The lines of a part: a row each, or why it is left out."""
    try:
        for what, measure in rows(setting):
            if what not in setting.done:
                put(json.dumps({"what": what, **dataclasses.asdict(measure())}))
    except LeftOut as reason:
        put(json.dumps({"left_out": str(reason)}))


def _end_with_parent() -> None:
    """Waits for the end of standard input; whoever reads the rows is gone then."""
    while os.read(0, 4096):  # not by `sys.stdin`, whose lock this thread would hold while Python ends
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
