"""Parts of a check that end in every way, without JAX."""

import os
import signal
import sys
import time

from scan_jax.device_check.plan import RIGHT, WRONG, Found, LeftOut, Part


def works(setting):
    for number in range(3):
        yield f"row {number}", lambda: Found(f"{os.getpid()}", "a | b", RIGHT)


def raises(setting):
    yield "first", lambda: Found("here")
    sys.stderr.write("of a library\n")
    raise ArithmeticError("no such number")


def overruns(setting):
    yield "first", lambda: Found(f"in {os.getpid()}")
    if setting.done:
        yield "second", lambda: Found("there")
    else:
        time.sleep(60)


def crashes(setting):
    yield "first", lambda: os.kill(os.getpid(), signal.SIGSEGV)


def lacks(setting):
    raise LeftOut("there is no torch")
    yield


def errs(setting):
    yield "first", lambda: Found("2e-1", "1e-3", WRONG)


def kills_the_caller(setting):
    yield "first", lambda: Found("here")
    time.sleep(1)  # until the row is on the disk
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def part(rows, share=10.0, least=0.0):
    return Part(rows, share, least, share, f"made_up_parts:{rows}", f"what {rows} does")
